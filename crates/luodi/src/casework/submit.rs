//! Submitting an application (申报): the case, its claim, its number and its first task.

use jiff::civil::Date;
use process::Input;
use serde_json::json;
use vocab::RegionCode;

use super::commands::{Completed, event_rows};
use super::draft::{self, DraftBody};
use super::engine::Run;
use super::facts;
use super::measure;
use super::queries::{CaseRow, load_case};
use crate::access::{Actor, Role, Scope, may_see};
use crate::attachment::{self, Kept, Subject};
use crate::form::Values;
use crate::ids::{BankAccountId, CaseId, DraftId, ItemId, PartyId};
use crate::item::{self, Package};
use crate::number;
use crate::params;
use crate::party::{self, bank_account};
use crate::refusal::{FieldError, Refusal, Result};
use crate::store::{Query, StoreError, Tx};

/// As [`submit`], with papers kept before and no draft of the applicant's.
///
/// # Errors
/// As [`submit`].
pub fn submit_with(
    tx: &Tx,
    actor: &Actor,
    submission: &Submission,
    papers: &[Kept],
) -> Result<Completed> {
    let draft = DraftId(tx.new_id());
    let place = (draft, submission.item, submission.party);
    draft::save(tx, actor, place, &DraftBody::default(), papers)?;
    submit(
        tx,
        actor,
        &Submission {
            draft: Some(draft),
            ..submission.clone()
        },
    )
}

/// An application as it is submitted: everything checked that can be checked without the store.
#[derive(Clone, Debug)]
pub struct Submission {
    /// The item offered.
    pub item: ItemId,
    /// The applicant.
    pub party: PartyId,
    /// `online` or `window`.
    pub channel: &'static str,
    /// The form's values, checked against the package's form.
    pub values: Values,
    /// The account the money should go to.
    pub bank_account: Option<BankAccountId>,
    /// The draft whose files go with it.
    pub draft: Option<DraftId>,
    /// What the values were checked against, where that was before the command.
    pub seen: Option<Seen>,
}

/// What a form was when its values were read: nothing else may be submitted in its place.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The version of the item.
    pub hash: String,
    /// The version of the draft, where there was one.
    pub draft: Option<i64>,
}

/// Refuses where the item or the draft has changed since the form was checked.
fn as_it_was_seen(tx: &Tx, actor: &Actor, submission: &Submission, hash: &str) -> Result<()> {
    let Some(seen) = &submission.seen else {
        return Ok(());
    };
    let same_draft = match (submission.draft, seen.draft) {
        (Some(draft), Some(version)) => draft::find(tx, actor, draft)?.version == version,
        _ => true,
    };
    if seen.hash == hash && same_draft {
        return Ok(());
    }
    let message = "这份申报或事项刚刚改过（可能在另一个窗口保存过）。请刷新页面，核对后再提交。";
    Err(Refusal::conflict("draft-changed", message).into())
}

/// Submits an application (申报). The case begins; its clock starts with acceptance.
///
/// # Errors
/// Refused where the item is closed, the party is not the actor's, the claim is taken, or a
/// required paper is missing.
pub fn submit(tx: &Tx, actor: &Actor, submission: &Submission) -> Result<Completed> {
    let offered = item::open_item(tx, submission.item, tx.today())?;
    as_it_was_seen(tx, actor, submission, &offered.hash)?;
    let package = item::load(tx, &offered.hash)?;
    let party = party::find(tx, actor, submission.party)?;
    party::not_erased(&party)?;
    may_submit(actor, submission)?;
    let place = Scope {
        region: offered.region,
        department: Some(offered.department),
        party: Some(submission.party),
    };
    if !may_see(actor, &place) {
        let message = "这个事项不在您的工作区域内，请由项目所在地的窗口登记。";
        return Err(Refusal::forbidden("submit-region", message).into());
    }
    own_account(tx, submission)?;
    attachment::require_slots(
        tx,
        submission.draft,
        &package.required_slots(&submission.values),
    )?;
    let id = CaseId(tx.new_id());
    let number = next_number(tx, offered.region, tx.today())?;
    let title = package.title(&submission.values);
    let form = package.form.seal(&submission.values, &|class, text| {
        tx.seal(party.id.0, class, text)
    })?;
    tx.execute(
        "INSERT INTO casework (id, number, item_id, item_hash, region_code, department_id, party_id, \
         party_kind, party_name, item_name, title, channel, period, state, process_state, form, \
         form_version, bank_account_id, submitted_by, submitted_at, limit_working_days, suspended, \
         demo, version) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, '', '', ?14, 1, \
         ?15, ?16, ?17, ?18, 0, ?19, 1)",
        params![
            id, &number, submission.item, &offered.hash, offered.region, offered.department, party.id,
            party.kind.code(), &party.name, &package.item.name, &title, submission.channel,
            package.period(&submission.values), form, submission.bank_account, actor.account_id(),
            tx.now(), package.item.promised_working_days, party.demo
        ],
    )?;
    claim(tx, &package, (id, party.id), &submission.values)?;
    if let Some(draft) = submission.draft {
        attachment::hand_over(tx, Subject::Draft(draft), Subject::Case(id))?;
        super::draft::end(tx, actor, draft, id)?;
        let papers = attachment::of_subject(tx, Subject::Case(id))?.into_iter();
        let mut rows = vec![("draft", draft.0)];
        rows.extend(papers.map(|paper| ("attachment", paper.id.0)));
        let detail = json!({ "draft": draft });
        event_rows(tx, actor, "case.take_over_draft", id, detail, rows)?;
    }
    let case = load_case(tx, id)?;
    keep_values(tx, &package, &case, &submission.values, false)?;
    let mut run = Run::new((tx, tx.now()), &package, case, Vec::new());
    // As they were filled in: no key is needed to open them.
    run.context = facts::context(&package, &submission.values, &[], "").into();
    run.advance(Input::Start)?;
    let changed = run.changed();
    let detail = json!({ "number": &number, "channel": submission.channel, "item": &offered.hash });
    changed.write(tx, actor, "case.submit", detail)?;
    Ok(Completed {
        message: submitted_zh(submission.channel, &number),
        case: id,
        number,
        state: changed.case.state,
    })
}

/// What to tell who submitted.
fn submitted_zh(channel: &str, number: &str) -> String {
    match channel {
        "window" => {
            format!("申报已登记，办件号 {number}。请核对材料后受理，或一次性告知补正。")
        }
        _ => format!("申报已提交，办件号 {number}。受理结果会发到「我的消息」。"),
    }
}

fn may_submit(actor: &Actor, submission: &Submission) -> Result<()> {
    let allowed = match submission.channel {
        "window" => actor.has(Role::WindowClerk),
        _ => actor.party == Some(submission.party),
    };
    if allowed {
        return Ok(());
    }
    Err(Refusal::forbidden(
        "submit",
        "只能为本企业（本人）申报；窗口人员请从窗口受理入口登记。",
    )
    .into())
}

/// The account an application names is one of the applicant's that can still be paid to.
fn own_account(tx: &Tx, submission: &Submission) -> Result<()> {
    let Some(named) = submission.bank_account else {
        return Ok(());
    };
    let usable = bank_account::usable_of(tx, submission.party)?;
    if usable.iter().any(|account| account.id == named) {
        return Ok(());
    }
    let message = "这个收款账户不是申请人的，或已停用。请重新选择收款账户。";
    Err(Refusal::field("bank_account", "own-account", message).into())
}

/// Why these values cannot be applied for again; nothing where no live case holds them. Whose case
/// it is stays with whom it belongs to.
pub(super) fn claimed(
    q: &dyn Query,
    package: &Package,
    party: PartyId,
    values: &Values,
) -> Result<Option<FieldError>> {
    let Some(key) = package.claim_key(values) else {
        return Ok(None);
    };
    let held = q.row_opt(
        "SELECT c.number, c.party_id FROM case_claim k JOIN casework c ON c.id = k.case_id \
         WHERE k.item_code = ?1 AND k.claim_key = ?2",
        params![package.item.code.as_str(), &key],
        |row| Ok((row.get::<String>(0)?, row.get::<PartyId>(1)?)),
    )?;
    let Some((number, of)) = held else {
        return Ok(None);
    };
    let labels = package.item.unique.iter();
    let labels: Vec<&str> = labels
        .map(|key| {
            let field = package.form.field(key);
            field.map_or(key.as_str(), |field| field.label.as_str())
        })
        .collect();
    let (labels, which) = if of == party {
        (
            labels.join("、"),
            format!("，办件号 {number}，请核对后修改，或撤回原申报"),
        )
    } else {
        (
            labels.join("、"),
            "，请核对后修改；确认无误的，请联系受理窗口".to_owned(),
        )
    };
    Ok(Some(FieldError {
        field: package.item.unique.first().cloned().unwrap_or_default(),
        rule: "already-claimed".into(),
        message: format!("「{labels}」相同的申报已经有了，不能重复申报{which}。"),
    }))
}

/// One live case per key, e.g. one meter in one quarter.
pub(super) fn claim(
    tx: &Tx,
    package: &Package,
    (case, party): (CaseId, PartyId),
    values: &Values,
) -> Result<()> {
    let Some(key) = package.claim_key(values) else {
        return Ok(());
    };
    let code = package.item.code.as_str();
    if let Some(error) = claimed(tx, package, party, values)? {
        return Err(Refusal::fields(vec![error]).into());
    }
    tx.execute(
        "INSERT INTO case_claim (item_code, claim_key, case_id) VALUES (?1, ?2, ?3)",
        params![code, &key, case],
    )?;
    tx.part("case_claim", case.0);
    Ok(())
}

/// A case that ended without money frees its key; the row stays, under a key of its own.
pub(super) fn release_claim(tx: &Tx, case: CaseId) -> Result<()> {
    let released = tx.execute(
        "UPDATE case_claim SET claim_key = claim_key || ' ' || ?2, released_at = ?3 \
         WHERE case_id = ?1 AND released_at IS NULL",
        params![
            case,
            format!("{case} {}", tx.now().as_millisecond()),
            tx.now()
        ],
    )?;
    if released > 0 {
        tx.part("case_claim", case.0);
    }
    Ok(())
}

/// Writes the values the item keeps for comparison and search, for the first time or `again`.
pub(super) fn keep_values(
    tx: &Tx,
    package: &Package,
    case: &CaseRow,
    values: &Values,
    again: bool,
) -> Result<()> {
    for (name, text, number) in package.indexed(values) {
        tx.part("case_value", case.id.0);
        let kept = again
            && tx.execute(
                "UPDATE case_value SET text_value = ?3, number_value = ?4 WHERE case_id = ?1 AND name = ?2",
                params![case.id, name, text.clone(), number],
            )? > 0;
        if !kept {
            tx.execute(
                "INSERT INTO case_value (case_id, name, text_value, number_value) VALUES (?1, ?2, ?3, ?4)",
                params![case.id, name, text, number],
            )?;
        }
    }
    measure::keep(tx, package, case, values, again)
}

/// The next case number of a region and year: `330324-2026-000123`.
fn next_number(tx: &Tx, region: RegionCode, today: Date) -> Result<String> {
    let year = today.year();
    let next = number::next(tx, &format!("case {region} {year}"))?;
    Ok(format!("{region}-{year}-{next:06}"))
}

/// The last case number of each region and year.
///
/// # Errors
/// A fault of the store.
pub fn numbers(q: &dyn Query) -> Result<number::Last, StoreError> {
    let read = |text: &str| number::dashed("case", "", text);
    number::borne(q, "SELECT number FROM casework", read)
}
