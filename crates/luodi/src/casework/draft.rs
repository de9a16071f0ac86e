//! Drafts of applications: what was typed, kept as it is and sealed under the applicant's key,
//! with the files uploaded so far. A draft ends when it is submitted or given up.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::access::{Actor, Role, Scope, may_see};
use crate::attachment::{self, Kept, Subject};
use crate::ids::{AttachmentId, BankAccountId, CaseId, DraftId, ItemId, PartyId};
use crate::params;
use crate::party;
use crate::refusal::{Error, Refusal, Result};
use crate::store::{Event, Query, StoreError, Tx};
use crate::web::form::Waiting;

/// What a draft holds.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct DraftBody {
    /// Fields as typed.
    pub fields: Vec<(String, String)>,
    /// The account the money should go to.
    pub bank_account: Option<BankAccountId>,
}

/// A draft as its row holds it, opened.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    /// Id.
    pub id: DraftId,
    /// What is applied for.
    pub item: ItemId,
    /// For whom.
    pub party: PartyId,
    /// What was typed.
    pub body: DraftBody,
    /// Grows with every save.
    pub version: i64,
}

/// A draft as lists show it.
#[derive(Clone, Debug)]
pub(super) struct ListedDraft {
    /// Id.
    pub id: DraftId,
    /// What is applied for.
    pub item: ItemId,
    /// The item's name.
    pub item_name: String,
    /// For whom.
    pub party: PartyId,
    /// That party's name.
    pub party_name: String,
    /// What it is about as far as it was filled in; may be empty.
    pub title: String,
    /// When it was last saved.
    pub updated_at: Timestamp,
}

/// The most open drafts of one account.
const MOST_OPEN: usize = 50;
/// What a draft is sealed as.
const DRAFT: &str = "draft";

fn load(q: &dyn Query, condition: &str, values: Vec<crate::store::Value>) -> Result<Option<Draft>> {
    let sql = format!(
        "SELECT id, item_id, party_id, body_sealed, version FROM draft \
         WHERE state = 'open' AND {condition} ORDER BY updated_at DESC"
    );
    let row = q.row_opt(&sql, values, |row| {
        Ok((
            row.get::<DraftId>(0)?,
            row.get::<ItemId>(1)?,
            row.get::<PartyId>(2)?,
            row.get::<Vec<u8>>(3)?,
            row.get::<i64>(4)?,
        ))
    })?;
    let Some((id, item, party, sealed, version)) = row else {
        return Ok(None);
    };
    Ok(Some(Draft {
        id,
        item,
        party,
        body: open_body(q, party, &sealed)?,
        version,
    }))
}

/// The actor's own open draft.
pub(super) fn find(q: &dyn Query, actor: &Actor, id: DraftId) -> Result<Draft> {
    load(
        q,
        "id = ?1 AND account_id = ?2",
        params![id, actor.account_id()].into(),
    )?
    .ok_or_else(not_found)
}

pub(super) fn not_found() -> Error {
    Refusal::not_found("没有这份草稿，可能已经提交或放弃。请在「我的办件」中查看。").into()
}

/// The actor's own open draft under an id that a form carries. A form not saved yet has none.
pub(super) fn find_saved(q: &dyn Query, actor: &Actor, id: DraftId) -> Result<Option<Draft>> {
    let known = q.row_opt("SELECT 1 FROM draft WHERE id = ?1", params![id], |row| {
        row.get::<i64>(0)
    })?;
    known.map(|_| find(q, actor, id)).transpose()
}

/// The actor's newest open draft of an item for a party.
pub(super) fn newest_of(
    q: &dyn Query,
    actor: &Actor,
    item: ItemId,
    party: PartyId,
) -> Result<Option<Draft>> {
    let values = params![item, party, actor.account_id()].into();
    load(
        q,
        "item_id = ?1 AND party_id = ?2 AND account_id = ?3",
        values,
    )
}

/// The actor's open drafts, newest first; of one party where `party` names it.
pub(super) fn of_actor(
    q: &dyn Query,
    actor: &Actor,
    party: Option<PartyId>,
) -> Result<Vec<ListedDraft>> {
    let rows = q.rows(
        "SELECT id, item_id, party_id, body_sealed, updated_at FROM draft \
         WHERE account_id = ?1 AND state = 'open' ORDER BY updated_at DESC, id DESC",
        params![actor.account_id()],
        |row| {
            Ok((
                row.get::<DraftId>(0)?,
                row.get::<ItemId>(1)?,
                row.get::<PartyId>(2)?,
                row.get::<Vec<u8>>(3)?,
                row.get::<Timestamp>(4)?,
            ))
        },
    )?;
    let wanted = |of: &PartyId| party.is_none_or(|party| party == *of);
    rows.into_iter()
        .filter(|(_, _, of, ..)| wanted(of))
        .map(|(id, item, party, sealed, updated_at)| {
            Ok(ListedDraft {
                id,
                item,
                item_name: crate::item::name_of(q, item)?,
                party,
                party_name: party::find_for_case(q, party)?.name,
                title: title(q, item, &open_body(q, party, &sealed)?)?,
                updated_at,
            })
        })
        .collect()
}

/// The drafts a clerk at the window left, by the party they are for.
///
/// # Errors
/// A fault of the store.
pub fn drafts_waiting(q: &dyn Query, actor: &Actor) -> Result<Vec<Waiting>> {
    let mut waiting: Vec<Waiting> = Vec::new();
    if !actor.has(Role::WindowClerk) {
        return Ok(waiting);
    }
    for draft in of_actor(q, actor, None)? {
        let href = format!("/parties/{}/apply", draft.party);
        match waiting.iter_mut().find(|known| known.href == href) {
            Some(known) => known.count += 1,
            None => waiting.push(Waiting {
                href: href.into(),
                label: format!("为{}填写、还没有提交的草稿", draft.party_name).into(),
                count: 1,
                unit: "份",
                urgent: String::new(),
            }),
        }
    }
    Ok(waiting)
}

/// What a draft is about: the item's title with what was filled in so far.
fn title(q: &dyn Query, item: ItemId, body: &DraftBody) -> Result<String> {
    let package = crate::item::load(q, &crate::item::find_item(q, item)?.hash)?;
    Ok(package.title(&package.form.typed(&body.fields)))
}

fn open_body(q: &dyn Query, party: PartyId, sealed: &[u8]) -> Result<DraftBody> {
    let body = serde_json::from_str(&q.open_as(party.0, DRAFT, sealed)?);
    Ok(body.map_err(|error| StoreError::Value(format!("draft: {error}")))?)
}

/// Who may write an application for this party: the party itself, or the window of its region.
pub(super) fn may_write(q: &dyn Query, actor: &Actor, party: PartyId) -> Result<party::Party> {
    let party = party::find(q, actor, party)?;
    let scope = Scope {
        region: party.region,
        department: None,
        party: Some(party.id),
    };
    let window = actor.has(Role::WindowClerk) && may_see(actor, &scope);
    if window || actor.party == Some(party.id) {
        return Ok(party);
    }
    Err(Refusal::forbidden(
        "submit",
        "只能为本企业（本人）申报；窗口人员请从窗口受理入口登记。",
    )
    .into())
}

/// Saves what was typed, complete or not, with newly kept files, under the id its form carries.
/// The last writer's text stands: a draft has one writer.
pub(super) fn save(
    tx: &Tx,
    actor: &Actor,
    (id, item, party): (DraftId, ItemId, PartyId),
    body: &DraftBody,
    files: &[Kept],
) -> Result<()> {
    may_write(tx, actor, party)?;
    let text = serde_json::to_string(body).map_err(|error| StoreError::Value(error.to_string()))?;
    let sealed = tx.seal(party.0, DRAFT, &text)?;
    match find_saved(tx, actor, id)? {
        Some(draft) if (draft.item, draft.party) != (item, party) => return Err(not_found()),
        Some(_) => tx.execute(
            "UPDATE draft SET body_sealed = ?2, updated_at = ?3, version = version + 1 WHERE id = ?1",
            params![id, sealed, tx.now()],
        )?,
        None => {
            tx.execute(
                "INSERT INTO draft (id, account_id, item_id, party_id, body_sealed, state, updated_at, \
                 version) VALUES (?1, ?2, ?3, ?4, ?5, 'open', ?6, 1)",
                params![id, actor.account_id(), item, party, sealed, tx.now()],
            )?
        }
    };
    let mut rows = vec![("draft", id.0)];
    for file in files {
        let changed = attachment::add(tx, &actor.name, Subject::Draft(id), file)?;
        rows.extend(changed.iter().map(|file| ("attachment", file.0)));
    }
    tx.event(Event {
        actor: actor.to_ref(),
        command: "draft.save",
        subject: ("draft", id.0),
        detail: serde_json::json!({ "files": files.len() }),
        rows,
    });
    Ok(())
}

/// Refuses a further draft where there are too many. To be asked before [`save`]; a draft that is
/// submitted in the same command needs no room.
pub(super) fn room_for(tx: &Tx, actor: &Actor, id: DraftId) -> Result<()> {
    let others = tx.row(
        "SELECT COUNT(*) FROM draft WHERE account_id = ?1 AND state = 'open' AND id <> ?2",
        params![actor.account_id(), id],
        |row| row.get::<usize>(0),
    )?;
    if others < MOST_OPEN {
        return Ok(());
    }
    let message = format!("未提交的草稿最多 {MOST_OPEN} 份，请先提交或放弃不再需要的草稿。");
    Err(Refusal::field("draft", "too-many-drafts", message).into())
}

/// Gives a draft up (放弃草稿): it leaves the lists; row and files stay.
///
/// # Errors
/// Refused where the actor has no such open draft.
pub(super) fn give_up(tx: &Tx, actor: &Actor, id: DraftId) -> Result<Draft> {
    let draft = find(tx, actor, id)?;
    tx.execute(
        "UPDATE draft SET state = 'given_up', updated_at = ?2, version = version + 1 WHERE id = ?1",
        params![id, tx.now()],
    )?;
    tx.event(Event {
        actor: actor.to_ref(),
        command: "draft.give_up",
        subject: ("draft", id.0),
        detail: serde_json::json!({}),
        rows: vec![("draft", id.0)],
    });
    Ok(draft)
}

/// Takes a file out of the actor's draft.
pub(super) fn take_out(tx: &Tx, actor: &Actor, id: DraftId, file: AttachmentId) -> Result<Draft> {
    let draft = find(tx, actor, id)?;
    attachment::take_out(tx, Subject::Draft(id), file)?;
    tx.execute(
        "UPDATE draft SET version = version + 1, updated_at = ?2 WHERE id = ?1",
        params![id, tx.now()],
    )?;
    tx.event(Event {
        actor: actor.to_ref(),
        command: "draft.take_out_file",
        subject: ("draft", id.0),
        detail: serde_json::json!({ "attachment": file }),
        rows: vec![("draft", id.0), ("attachment", file.0)],
    });
    Ok(draft)
}

/// Ends a draft that became a case. A draft that was already submitted is refused.
pub(super) fn end(tx: &Tx, actor: &Actor, id: DraftId, case: CaseId) -> Result<()> {
    let ended = tx.execute(
        "UPDATE draft SET state = 'submitted', case_id = ?3, version = version + 1 \
         WHERE id = ?1 AND account_id = ?2 AND state = 'open'",
        params![id, actor.account_id(), case],
    )?;
    if ended == 1 {
        return Ok(());
    }
    let message = "这份申报已经提交过。请在「我的办件」中查看，不要重复提交。";
    Err(Refusal::conflict("draft-submitted", message).into())
}
