//! Drafts of applications: what was typed, kept as it is and sealed under the applicant's key,
//! with the files uploaded so far. A draft ends when it is submitted.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::access::{Actor, Role, Scope, may_see};
use crate::attachment::{self, Kept};
use crate::ids::{AttachmentId, BankAccountId, CaseId, DraftId, ItemId, PartyId};
use crate::params;
use crate::party;
use crate::refusal::{Refusal, Result};
use crate::store::{Event, Query, StoreError, Tx};

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

/// A draft as the applicant's list shows it.
#[derive(Clone, Debug)]
pub(super) struct ListedDraft {
    /// What is applied for.
    pub item: ItemId,
    /// The item's name.
    pub item_name: String,
    /// When it was last saved.
    pub updated_at: Timestamp,
}

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
    let body = serde_json::from_str(&q.open(party.0, &sealed)?)
        .map_err(|error| StoreError::Value(format!("draft: {error}")))?;
    Ok(Some(Draft {
        id,
        item,
        party,
        body,
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
    .ok_or_else(|| {
        Refusal::not_found("没有这份草稿，可能已经提交。请在「我的办件」中查看。").into()
    })
}

/// The actor's own open draft of an item for a party.
pub(super) fn find_of(
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

/// The actor's open drafts, newest first.
pub(super) fn of_actor(q: &dyn Query, actor: &Actor) -> Result<Vec<ListedDraft>> {
    let rows = q.rows(
        "SELECT item_id, updated_at FROM draft WHERE account_id = ?1 AND state = 'open' \
         ORDER BY updated_at DESC LIMIT 20",
        params![actor.account_id()],
        |row| Ok((row.get::<ItemId>(0)?, row.get::<Timestamp>(1)?)),
    )?;
    rows.into_iter()
        .map(|(item, updated_at)| {
            let item_name = crate::item::name_of(q, item)?;
            Ok(ListedDraft {
                item,
                item_name,
                updated_at,
            })
        })
        .collect()
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

/// Saves what was typed, complete or not, with newly kept files. The last writer's text stands:
/// a draft has one writer.
pub(super) fn save(
    tx: &Tx,
    actor: &Actor,
    item: ItemId,
    party: PartyId,
    body: &DraftBody,
    files: &[Kept],
) -> Result<DraftId> {
    may_write(tx, actor, party)?;
    let text = serde_json::to_string(body).map_err(|error| StoreError::Value(error.to_string()))?;
    let sealed = tx.seal(party.0, "draft", &text)?;
    let id = match find_of(tx, actor, item, party)? {
        Some(draft) => {
            tx.execute(
                "UPDATE draft SET body_sealed = ?2, updated_at = ?3, version = version + 1 WHERE id = ?1",
                params![draft.id, sealed, tx.now()],
            )?;
            draft.id
        }
        None => {
            let id = DraftId(tx.new_id());
            tx.execute(
                "INSERT INTO draft (id, account_id, item_id, party_id, body_sealed, state, updated_at, \
                 version) VALUES (?1, ?2, ?3, ?4, ?5, 'open', ?6, 1)",
                params![id, actor.account_id(), item, party, sealed, tx.now()],
            )?;
            id
        }
    };
    let mut rows = vec![("draft", id.0)];
    for file in files {
        let changed = attachment::add(tx, &actor.name, ("draft", id.0), file)?;
        rows.extend(changed.iter().map(|file| ("attachment", file.0)));
    }
    tx.event(Event {
        actor: actor.to_ref(),
        command: "draft.save",
        subject: ("draft", id.0),
        detail: serde_json::json!({ "files": files.len() }),
        rows,
    });
    Ok(id)
}

/// Takes a file out of the actor's draft.
pub(super) fn take_out(tx: &Tx, actor: &Actor, id: DraftId, file: AttachmentId) -> Result<Draft> {
    let draft = find(tx, actor, id)?;
    attachment::take_out(tx, id.0, file)?;
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
