//! Objecting (异议): anybody, without an account, while the notice runs. Name, contact and statement
//! are sealed under the objection's own key, so that they can be destroyed without touching others.
//!
//! It lacks the form: `object_pages` reads it and makes the files safe before the command.

use std::fmt;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::json;
use vocab::{Calendar, Phone};

use super::queries::{self, Notice};
use super::{ObjectionState, receipt};
use crate::access::Actor;
use crate::account;
use crate::attachment::{self, Kept, Subject};
use crate::casework::{self, CaseRow};
use crate::fund;
use crate::ids::{NoticeEntryId, NoticeId, ObjectionId};
use crate::item;
use crate::params;
use crate::party;
use crate::refusal::{Refusal, Result};
use crate::store::{ActorKind, ActorRef, Event, Query, StoreError, Tx};

/// The slot of the sealed document and of other proof.
pub(super) const DOCUMENT: &str = "document";

/// Who objects.
#[derive(Clone, PartialEq, Eq)]
pub enum Objector {
    /// 组织, with whom to ask for; a sealed document is required.
    Organisation {
        /// Its name.
        name: String,
        /// Whom to ask for; may be empty.
        person: String,
    },
    /// 个人; without a name it is marked as anonymous.
    Person {
        /// The real name, where it is given.
        name: Option<String>,
    },
}

impl Objector {
    /// The stored word.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Organisation { .. } => "organisation",
            Self::Person { .. } => "person",
        }
    }
}

/// Says the kind only: names stay out of logs.
impl fmt::Debug for Objector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// How to reach the objector, as it is sealed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Reached {
    /// Whom to ask for.
    pub(super) person: String,
    /// Telephone.
    pub(super) phone: String,
}

/// An objection whose fields and files are checked.
#[derive(Clone, Debug)]
pub struct NewObjection {
    /// Its id, made before the command because its files are sealed under its key.
    pub id: ObjectionId,
    /// The notice.
    pub notice: NoticeId,
    /// The line objected to.
    pub line: NoticeEntryId,
    /// Who objects.
    pub objector: Objector,
    /// Telephone for questions.
    pub phone: Option<Phone>,
    /// What is wrong with the line.
    pub statement: String,
    /// Files, safe on disk.
    pub files: Vec<Kept>,
}

/// Receives an objection and holds its beneficiary, and nobody else. Gives the receipt code.
///
/// # Errors
/// Refused once the period is over (saying where to turn), for a line that is no longer on the
/// list, and for an organisation without a sealed document.
pub fn object(tx: &Tx<'_>, new: &NewObjection) -> Result<String> {
    let notice = queries::find(tx, new.notice)?;
    let line = queries::line(tx, new.notice, new.line)?;
    must_be_open(tx, &notice)?;
    if matches!(new.objector, Objector::Organisation { .. }) && new.files.is_empty() {
        return Err(no_document().into());
    }
    if !queries::listed(tx, notice.batch)?.contains(&line.batch_entry) {
        return Err(removed().into());
    }
    // The end of the notice, or an answer to another objection, at the same time must see this one.
    tx.hold("notice", new.notice)?;
    tx.hold("notice_entry", new.line)?;
    let held = is_held(tx, new.line, None)?;
    let receipt = receipt::code(tx.random());
    let case = casework::find_case(tx, &Actor::system(notice.region), line.case)?;
    let due = answer_by(tx, &case)?;
    insert(tx, &notice, new, due, &receipt)?;
    let mut rows = vec![("objection", new.id.0)];
    for file in &new.files {
        let changed = attachment::add(tx, "公众", Subject::Objection(new.id), file)?;
        rows.extend(changed.iter().map(|file| ("attachment", file.0)));
    }
    if !held {
        let why = format!("公示 {} 期间收到异议，正在核实。", notice.number);
        fund::hold_entry(tx, &Actor::system(notice.region), line.batch_entry, &why)?;
        let title = format!("公示期间收到异议：{}", case.title);
        let body = format!(
            "公示 {} 期间收到对您这一项的异议，部门正在核实。核实答复前暂缓拨付，结果会通知您。",
            notice.number
        );
        party::notify(tx, line.party, Some(line.case), &title, &body)?;
    }
    let detail = json!({
        "notice": new.notice, "entry": new.line, "kind": new.objector.code(),
        "anonymous": new.objector == Objector::Person { name: None }, "files": new.files.len(),
    });
    let actor = ActorRef {
        kind: ActorKind::Public,
        id: None,
        label: "public".to_owned(),
        region: None,
    };
    let command = "objection.submit";
    tx.event(Event {
        actor,
        command,
        subject: ("objection", new.id.0),
        detail,
        rows,
    });
    Ok(receipt)
}

/// Refuses once the period is over, saying where to turn instead.
///
/// # Errors
/// Refused with `notice-closed`.
pub(super) fn must_be_open(tx: &Tx<'_>, notice: &Notice) -> Result<()> {
    if notice.is_open(tx.today()) {
        return Ok(());
    }
    Err(closed(tx, notice)?.into())
}

/// The refusal for a line that is off the list already.
pub(super) fn removed() -> Refusal {
    let message = "这一项已移出拟补名单，无需再提出异议。";
    Refusal::conflict("entry-removed", message)
}

/// The refusal for a notice whose period is over.
pub(super) fn closed(q: &dyn Query, notice: &Notice) -> Result<Refusal> {
    let department =
        account::department(q, notice.department)?.map_or_else(String::new, |it| it.name);
    let message = format!(
        "公示期已于 {} 届满，不再在网上受理异议。仍有问题的，请向{department}反映：{}。",
        notice.ends_on,
        notice.channel.sentence()
    );
    Ok(Refusal::conflict("notice-closed", message))
}

/// The refusal of an organisation's objection without a sealed document.
pub(super) fn no_document() -> Refusal {
    let message = "单位提出异议须上传加盖公章的书面材料（PDF、JPG 或 PNG）。";
    Refusal::field(DOCUMENT, "sealed-document", message)
}

/// The last day to answer an objection received today, as the item of the case says.
fn answer_by(tx: &Tx<'_>, case: &CaseRow) -> Result<Date> {
    let package = item::load(tx, &case.item_hash)?;
    let days = package.item.objection_working_days;
    Ok(Calendar::official().add_working_days(tx.today(), days).date)
}

fn insert(
    tx: &Tx<'_>,
    notice: &Notice,
    new: &NewObjection,
    due: Date,
    receipt: &str,
) -> Result<()> {
    let (name, person) = match &new.objector {
        Objector::Organisation { name, person } => (Some(name.as_str()), person.as_str()),
        Objector::Person { name } => (name.as_deref(), ""),
    };
    let reached = Reached {
        person: person.to_owned(),
        phone: new
            .phone
            .as_ref()
            .map_or_else(String::new, |phone| phone.as_str().to_owned()),
    };
    let seal = |class: &str, text: &str| tx.seal(new.id.0, class, text);
    let name = name.map(|name| seal("name", name)).transpose()?;
    let contact = if reached == Reached::default() {
        None
    } else {
        Some(seal("contact", &json!(reached).to_string())?)
    };
    tx.execute(
        "INSERT INTO objection (id, receipt, notice_id, notice_entry_id, objector_kind, \
         objector_name_sealed, contact_sealed, statement_sealed, state, received_at, demo, due_on, \
         version) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, 1)",
        params![
            new.id,
            receipt,
            new.notice,
            new.line,
            new.objector.code(),
            name,
            contact,
            seal("statement", &new.statement)?,
            ObjectionState::Received.code(),
            tx.now(),
            notice.demo,
            due
        ],
    )?;
    Ok(())
}

/// Whether an objection to a line is open, one of them left out.
pub(super) fn is_held(
    q: &dyn Query,
    line: NoticeEntryId,
    without: Option<ObjectionId>,
) -> Result<bool, StoreError> {
    let open = q.rows(
        "SELECT id FROM objection WHERE notice_entry_id = ?1 AND state IN ('received', 'verifying')",
        params![line],
        |row| row.get::<ObjectionId>(0),
    )?;
    Ok(open.iter().any(|id| Some(*id) != without))
}
