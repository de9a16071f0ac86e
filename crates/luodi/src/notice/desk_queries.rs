//! Read models of objections for staff, and of one objection for who holds its receipt. Permission
//! is part of every question of staff: region and department of the notice.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use jiff::Timestamp;
use jiff::civil::Date;
use vocab::{Fen, Phone, mask_person_name};

use super::object::Reached;
use super::publish::PUBLISHERS;
use super::queries::{self, Line, Notice, pattern};
use super::{ObjectionState, receipt};
use crate::access::{Actor, Role, ScopeColumns, may_see, visible_where};
use crate::account;
use crate::casework;
use crate::fund::{self, BatchState};
use crate::ids::{AccountId, CaseId, NoticeEntryId, NoticeId, ObjectionId};
use crate::params;
use crate::refusal::{Refusal, Result};
use crate::store::{Query, Row, StoreError, Value};
use crate::web::form::Waiting;

/// Who handles objections.
pub(super) const HANDLERS: &[Role] = &[Role::CaseHandler, Role::Reviewer, Role::Approver];

/// An objection as staff handle it. What is sealed stays sealed.
#[derive(Clone, Debug)]
pub(super) struct Objection {
    /// Id; also whose key seals it.
    pub(super) id: ObjectionId,
    /// Receipt code.
    pub(super) receipt: String,
    /// The notice.
    pub(super) notice: Notice,
    /// The line objected to.
    pub(super) line: Line,
    /// `organisation` or `person`.
    pub(super) kind: String,
    /// Where it stands.
    pub(super) state: ObjectionState,
    /// When it was received.
    pub(super) received_at: Timestamp,
    /// The last day to answer it.
    pub(super) due_on: Option<Date>,
    /// Who takes care of it.
    pub(super) handled_by: Option<AccountId>,
    /// When it was taken up.
    pub(super) taken_up_at: Option<Timestamp>,
    /// What was verified.
    pub(super) note: String,
    /// The answer's reason.
    pub(super) answer: String,
    /// Who answered.
    pub(super) answered_by: Option<AccountId>,
    /// When.
    pub(super) answered_at: Option<Timestamp>,
    /// Version.
    pub(super) version: i64,
    name: Option<Vec<u8>>,
    contact: Option<Vec<u8>>,
    statement: Vec<u8>,
}

impl Objection {
    /// Whether the objector gave no name.
    pub(super) fn is_anonymous(&self) -> bool {
        self.name.is_none()
    }

    /// Whether an organisation objects.
    pub(super) fn is_organisation(&self) -> bool {
        self.kind == "organisation"
    }

    /// The receipt as staff see it.
    pub(super) fn masked_receipt(&self) -> String {
        receipt::masked(&self.receipt)
    }

    /// How long there is to answer: a light and words; nothing once answered.
    pub(super) fn left(&self, today: Date) -> Option<(&'static str, String)> {
        left(self.state, self.due_on, today)
    }
}

/// Green, amber in the last three working days, red on the last day and after.
fn left(
    state: ObjectionState,
    due_on: Option<Date>,
    today: Date,
) -> Option<(&'static str, String)> {
    due_on
        .filter(|_| state.is_open())
        .map(|due| casework::left_view(Some(due), false, 15, today))
}

/// The objector in the clear.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contact {
    /// Name; empty where none was given.
    pub name: String,
    /// Whom to ask for.
    pub person: String,
    /// Telephone.
    pub phone: String,
}

impl Contact {
    /// What a page shows without a reason: an organisation's name, everything else masked.
    #[must_use]
    pub(super) fn masked(&self, organisation: bool) -> Self {
        let name = if organisation {
            self.name.clone()
        } else {
            mask_person_name(&self.name)
        };
        let phone =
            Phone::parse(&self.phone).map_or_else(|_| String::new(), |phone| phone.masked());
        Self {
            name,
            person: mask_person_name(&self.person),
            phone,
        }
    }
}

/// An objection, if the actor may see its notice's region and department.
///
/// # Errors
/// Refused as not found.
pub(super) fn find(q: &dyn Query, actor: &Actor, id: ObjectionId) -> Result<Objection> {
    let missing = || Refusal::not_found("没有这个异议，或者您无权查看。请从异议列表重新进入。");
    let ids = q.row_opt(
        "SELECT notice_id, notice_entry_id FROM objection WHERE id = ?1",
        params![id],
        |row| Ok((row.get::<NoticeId>(0)?, row.get::<NoticeEntryId>(1)?)),
    )?;
    let (notice, line) = ids.ok_or_else(missing)?;
    let notice = queries::find(q, notice)?;
    if !may_see(actor, &notice.scope()) {
        return Err(missing().into());
    }
    let line = queries::line(q, notice.id, line)?;
    Ok(load(q, id, notice, line)?)
}

fn load(
    q: &dyn Query,
    id: ObjectionId,
    notice: Notice,
    line: Line,
) -> Result<Objection, StoreError> {
    q.row(
        "SELECT receipt, objector_kind, state, received_at, handled_by, taken_up_at, verified_note, \
         answer, answered_by, answered_at, version, objector_name_sealed, contact_sealed, \
         statement_sealed, due_on FROM objection WHERE id = ?1",
        params![id],
        |row| {
            Ok(Objection {
                id,
                notice: notice.clone(),
                line: line.clone(),
                receipt: row.get(0)?,
                kind: row.get(1)?,
                state: state(row, 2)?,
                received_at: row.get(3)?,
                handled_by: row.get(4)?,
                taken_up_at: row.get(5)?,
                note: row.get::<Option<String>>(6)?.unwrap_or_default(),
                answer: row.get::<Option<String>>(7)?.unwrap_or_default(),
                answered_by: row.get(8)?,
                answered_at: row.get(9)?,
                version: row.get(10)?,
                name: row.get(11)?,
                contact: row.get(12)?,
                statement: row.get(13)?,
                due_on: row.get(14)?,
            })
        },
    )
}

fn state(row: &Row<'_>, column: usize) -> Result<ObjectionState, StoreError> {
    let code: String = row.get(column)?;
    ObjectionState::from_code(&code)
        .ok_or_else(|| StoreError::Value(format!("objection.state: {code}")))
}

/// What the objector wrote; none where its key was destroyed.
///
/// # Errors
/// A fault of the store.
pub(super) fn statement(
    q: &dyn Query,
    objection: &Objection,
) -> Result<Option<String>, StoreError> {
    match q.open_as(objection.id.0, "statement", &objection.statement) {
        Ok(text) => Ok(Some(text)),
        Err(StoreError::KeyDestroyed(_)) => Ok(None),
        Err(other) => Err(other),
    }
}

/// The objector in the clear; empty where the key was destroyed.
///
/// # Errors
/// A fault of the store.
pub(super) fn contact(q: &dyn Query, objection: &Objection) -> Result<Contact, StoreError> {
    let open = |class: &str, sealed: &Option<Vec<u8>>| match sealed {
        None => Ok(String::new()),
        Some(bytes) => match q.open_as(objection.id.0, class, bytes) {
            Err(StoreError::KeyDestroyed(_)) => Ok(String::new()),
            other => other,
        },
    };
    let name = open("name", &objection.name)?;
    let reached = open("contact", &objection.contact)?;
    let reached: Reached = if reached.is_empty() {
        Reached::default()
    } else {
        serde_json::from_str(&reached)
            .map_err(|error| StoreError::Value(format!("objection.contact: {error}")))?
    };
    Ok(Contact {
        name,
        person: reached.person,
        phone: reached.phone,
    })
}

/// What the list of objections is narrowed by.
#[derive(Clone, Debug, Default)]
pub(super) struct ObjectionFilter {
    /// A receipt code, or a part of the notice's number or title.
    pub(super) text: String,
    /// Only those of this notice.
    pub(super) notice: Option<NoticeId>,
    /// Only this state.
    pub(super) state: Option<ObjectionState>,
    /// Only those that wait for an answer.
    pub(super) open_only: bool,
    /// Only those the actor takes care of.
    pub(super) mine: bool,
}

/// An objection as lists show it; nothing of the objector but the kind.
#[derive(Clone, Debug)]
pub(super) struct ListedObjection {
    /// Id.
    pub(super) id: ObjectionId,
    /// Receipt code.
    pub(super) receipt: String,
    /// Number of the notice.
    pub(super) notice_number: String,
    /// Its title.
    pub(super) notice_title: String,
    /// The line's shown name.
    pub(super) name: String,
    /// The line's summary.
    pub(super) summary: String,
    /// The line's amount.
    pub(super) amount: Fen,
    /// An organisation objects.
    pub(super) organisation: bool,
    /// No name was given.
    pub(super) anonymous: bool,
    /// Where it stands.
    pub(super) state: ObjectionState,
    /// When it was received.
    pub(super) received_at: Timestamp,
    /// When it was answered.
    pub(super) answered_at: Option<Timestamp>,
    /// The last day to answer it.
    pub(super) due_on: Option<Date>,
    /// Who takes care of it; empty while nobody does.
    pub(super) handler: String,
    handled_by: Option<AccountId>,
}

impl ListedObjection {
    /// The receipt as staff see it.
    pub(super) fn masked_receipt(&self) -> String {
        receipt::masked(&self.receipt)
    }

    /// How long there is to answer: a light and words; nothing once answered.
    pub(super) fn left(&self, today: Date) -> Option<(&'static str, String)> {
        left(self.state, self.due_on, today)
    }

    /// Who objects, in a word.
    pub(super) fn kind_zh(&self) -> &'static str {
        match (self.organisation, self.anonymous) {
            (true, _) => "单位",
            (false, true) => "个人（匿名）",
            (false, false) => "个人（实名）",
        }
    }
}

const FROM: &str = "FROM objection o JOIN notice n ON n.id = o.notice_id \
     JOIN notice_entry e ON e.id = o.notice_entry_id WHERE ";

impl ObjectionFilter {
    fn condition(&self, actor: &Actor) -> (String, Vec<Value>) {
        let mut values = Vec::new();
        let columns = ScopeColumns {
            region: "n.region_code",
            department: Some("n.department_id"),
            party: None,
        };
        let mut sql = visible_where(actor, columns, &mut values);
        let mut and = |condition: &str, value: Value| {
            values.push(value);
            sql.push_str(" AND ");
            sql.push_str(&condition.replace("??", &format!("?{}", values.len())));
        };
        match receipt::parse(&self.text) {
            Some(code) => and("o.receipt = ??", Value::from(code)),
            None if self.text.is_empty() => {}
            None => and(
                "(LOWER(n.number) LIKE ?? ESCAPE '!' OR LOWER(n.title) LIKE ?? ESCAPE '!')",
                Value::from(pattern(&self.text)),
            ),
        }
        if let Some(notice) = self.notice {
            and("o.notice_id = ??", Value::from(notice));
        }
        if let Some(state) = self.state {
            and("o.state = ??", Value::from(state.code()));
        }
        if self.mine {
            and("o.handled_by = ??", Value::from(actor.account_id()));
        }
        if self.open_only {
            sql.push_str(" AND o.state IN ('received', 'verifying')");
        }
        (sql, values)
    }
}

/// How many objections of each state the filter finds, its own state left out.
///
/// # Errors
/// A fault of the store.
pub(super) fn count_by_state(
    q: &dyn Query,
    actor: &Actor,
    filter: &ObjectionFilter,
) -> Result<Vec<(ObjectionState, u64)>, StoreError> {
    let every = ObjectionFilter {
        state: None,
        open_only: false,
        ..filter.clone()
    };
    let (condition, values) = every.condition(actor);
    let sql = format!("SELECT o.state, COUNT(*) {FROM}{condition} GROUP BY o.state");
    q.rows(&sql, values, |row| Ok((state(row, 0)?, row.get(1)?)))
}

/// The batches that wait to be published by the actor, and the objections that wait for his answer.
///
/// # Errors
/// A fault of the store.
pub fn waiting(q: &dyn Query, actor: &Actor) -> Result<Vec<Waiting>, StoreError> {
    let mut all = Vec::new();
    if actor.roles.any(PUBLISHERS) {
        let count = fund::batches_in(q, actor, BatchState::Proposed)?;
        all.extend(Waiting::new(
            "待公示的批次",
            (count, "批"),
            "/batches?state=proposed",
        ));
    }
    if actor.roles.any(HANDLERS) {
        let open = ObjectionFilter {
            open_only: true,
            ..ObjectionFilter::default()
        };
        let mine = ObjectionFilter {
            mine: true,
            ..open.clone()
        };
        let (own, every) = (count(q, actor, &mine)?, count(q, actor, &open)?);
        all.extend(Waiting::new(
            "由您核实的异议",
            (own, "件"),
            "/objections?state=open&mine=1",
        ));
        all.extend(Waiting::new(
            "待答复的异议",
            (every, "件"),
            "/objections?state=open",
        ));
    }
    Ok(all)
}

/// How many objections the filter finds.
///
/// # Errors
/// A fault of the store.
pub(super) fn count(
    q: &dyn Query,
    actor: &Actor,
    filter: &ObjectionFilter,
) -> Result<u64, StoreError> {
    let (condition, values) = filter.condition(actor);
    q.row(
        &format!("SELECT COUNT(*) {FROM}{condition}"),
        values,
        |row| row.get(0),
    )
}

/// The objections the filter finds: open ones first, the oldest of them first.
///
/// # Errors
/// A fault of the store.
pub(super) fn list(
    q: &dyn Query,
    actor: &Actor,
    filter: &ObjectionFilter,
    limit: u32,
    offset: i64,
) -> Result<Vec<ListedObjection>> {
    let (condition, mut values) = filter.condition(actor);
    values.extend([Value::from(limit), Value::from(offset)]);
    let sql = format!(
        "SELECT o.id, o.receipt, n.number, n.title, e.masked_name, e.summary, e.amount_fen, \
         o.objector_kind, CASE WHEN o.objector_name_sealed IS NULL THEN 1 ELSE 0 END, o.state, \
         o.received_at, o.answered_at, o.due_on, o.handled_by {FROM}{condition} \
         ORDER BY CASE WHEN o.state IN ('received', 'verifying') THEN 0 ELSE 1 END, o.received_at, o.id \
         LIMIT ?{} OFFSET ?{}",
        values.len() - 1,
        values.len()
    );
    let mut found = q.rows(&sql, values, |row| {
        Ok(ListedObjection {
            id: row.get(0)?,
            receipt: row.get(1)?,
            notice_number: row.get(2)?,
            notice_title: row.get(3)?,
            name: row.get(4)?,
            summary: row.get(5)?,
            amount: row.get(6)?,
            organisation: row.get::<String>(7)? == "organisation",
            anonymous: row.get(8)?,
            state: state(row, 9)?,
            received_at: row.get(10)?,
            answered_at: row.get(11)?,
            due_on: row.get(12)?,
            handler: String::new(),
            handled_by: row.get(13)?,
        })
    })?;
    let mut names: HashMap<AccountId, String> = HashMap::new();
    for row in &mut found {
        let Some(id) = row.handled_by else { continue };
        row.handler = match names.entry(id) {
            Entry::Occupied(known) => known.get().clone(),
            Entry::Vacant(new) => new.insert(account::name_of(q, id)?).clone(),
        };
    }
    Ok(found)
}

/// Objections of a notice that wait for an answer.
///
/// # Errors
/// A fault of the store.
pub(super) fn open_of_notice(q: &dyn Query, notice: NoticeId) -> Result<u64, StoreError> {
    q.row(
        "SELECT COUNT(*) FROM objection WHERE notice_id = ?1 AND state IN ('received', 'verifying')",
        params![notice],
        |row| row.get(0),
    )
}

/// An objection to a case, for the case's page; nothing of the objector, no receipt.
#[derive(Clone, Debug)]
pub struct CaseObjection {
    /// Id.
    pub id: ObjectionId,
    /// The notice.
    pub notice: NoticeId,
    /// Its number.
    pub notice_number: String,
    /// Where it stands.
    pub state: ObjectionState,
    /// When it was received.
    pub received_at: Timestamp,
    /// The answer's reason; empty while open.
    pub answer: String,
    /// When it was answered.
    pub answered_at: Option<Timestamp>,
}

/// The objections to a case, oldest first. The caller has checked that the case may be seen.
///
/// # Errors
/// A fault of the store.
pub fn objections_of_case(q: &dyn Query, case: CaseId) -> Result<Vec<CaseObjection>, StoreError> {
    q.rows(
        "SELECT o.id, o.notice_id, n.number, o.state, o.received_at, o.answer, o.answered_at \
         FROM notice_entry e JOIN objection o ON o.notice_entry_id = e.id \
         JOIN notice n ON n.id = o.notice_id WHERE e.case_id = ?1 ORDER BY o.received_at, o.id",
        params![case],
        |row| {
            Ok(CaseObjection {
                id: row.get(0)?,
                notice: row.get(1)?,
                notice_number: row.get(2)?,
                state: state(row, 3)?,
                received_at: row.get(4)?,
                answer: row.get::<Option<String>>(5)?.unwrap_or_default(),
                answered_at: row.get(6)?,
            })
        },
    )
}

/// What the holder of a receipt sees of the objection.
#[derive(Clone, Debug)]
pub(super) struct Followed {
    pub(super) notice: NoticeId,
    pub(super) notice_number: String,
    pub(super) notice_title: String,
    pub(super) name: String,
    pub(super) state: ObjectionState,
    pub(super) received_at: Timestamp,
    pub(super) due_on: Option<Date>,
    pub(super) answer: String,
    pub(super) answered_at: Option<Timestamp>,
}

/// The objection with this receipt code.
pub(super) fn follow(q: &dyn Query, code: &str) -> Result<Option<Followed>, StoreError> {
    q.row_opt(
        "SELECT o.notice_id, n.number, n.title, e.masked_name, o.state, o.received_at, o.answer, \
         o.answered_at, o.due_on FROM objection o JOIN notice n ON n.id = o.notice_id \
         JOIN notice_entry e ON e.id = o.notice_entry_id WHERE o.receipt = ?1",
        params![code],
        |row| {
            Ok(Followed {
                notice: row.get(0)?,
                notice_number: row.get(1)?,
                notice_title: row.get(2)?,
                name: row.get(3)?,
                state: state(row, 4)?,
                received_at: row.get(5)?,
                answer: row.get::<Option<String>>(6)?.unwrap_or_default(),
                answered_at: row.get(7)?,
                due_on: row.get(8)?,
            })
        },
    )
}
