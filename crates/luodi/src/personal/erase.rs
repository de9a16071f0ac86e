//! Erasure of a party's personal data: asked for by one person, confirmed by another, refused while
//! anything binds it.

use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::json;
use uuid::Uuid;

use super::export::{self, event, stated};
use crate::access::{Actor, Role, code_range};
use crate::attachment::{self, Attachment};
use crate::casework;
use crate::dossier::{Erased, Hindrance, names_in};
use crate::fund;
use crate::ids::{AccountId, PartyId};
use crate::notice;
use crate::params;
use crate::party::{self, PartyKind};
use crate::refusal::{Refusal, Result};
use crate::store::{Query, Row, StoreError, Tx};
use crate::web::form::Waiting;

/// A request to erase a party.
#[derive(Clone, Debug)]
pub struct Erasure {
    /// Its id.
    pub id: Uuid,
    /// Whose data.
    pub party: PartyId,
    /// Why.
    pub reason: String,
    /// Who asked.
    pub requested_by: AccountId,
    /// When.
    pub requested_at: Timestamp,
    /// Raised by each change.
    pub version: i64,
}

const COLUMNS: &str = "e.id, e.party_id, e.reason, e.requested_by, e.requested_at, e.version";

fn read(r: &Row<'_>) -> Result<Erasure, StoreError> {
    Ok(Erasure {
        id: r.get(0)?,
        party: r.get(1)?,
        reason: r.get(2)?,
        requested_by: r.get(3)?,
        requested_at: r.get(4)?,
        version: r.get(5)?,
    })
}

/// The request of a party that waits for its decision.
///
/// # Errors
/// The store's own.
pub(super) fn open(q: &dyn Query, party: PartyId) -> Result<Option<Erasure>, StoreError> {
    let sql =
        format!("SELECT {COLUMNS} FROM erasure e WHERE e.party_id = ?1 AND e.state = 'requested'");
    q.row_opt(&sql, params![party], read)
}

/// The requests that wait for a decision in the actor's region, the longest waiting first.
///
/// # Errors
/// The store's own.
pub(super) fn requests(q: &dyn Query, actor: &Actor) -> Result<Vec<Erasure>, StoreError> {
    let (low, high) = code_range(actor.region);
    let sql = format!(
        "SELECT {COLUMNS} FROM erasure e WHERE e.state = 'requested' \
         AND e.region_code >= ?1 AND e.region_code <= ?2 ORDER BY e.requested_at, e.id LIMIT 200"
    );
    q.rows(&sql, params![low, high], read)
}

/// The requests that wait for the actor's decision.
///
/// # Errors
/// The store's own.
pub fn waiting(q: &dyn Query, actor: &Actor) -> Result<Option<Waiting>> {
    if !actor.has(Role::Reviewer) {
        return Ok(None);
    }
    let count = requests(q, actor)?.len() as u64;
    Ok(Waiting::new("待确认的删除申请", (count, "项"), "/erasures"))
}

/// Everything that keeps a party from being erased today, of all domains.
///
/// # Errors
/// The store's own.
pub fn hindrances(q: &dyn Query, party: PartyId, today: Date) -> Result<Vec<Hindrance>> {
    let mut all = casework::dossier::hindrances(q, party)?;
    all.extend(fund::dossier::hindrances(q, party, today)?);
    all.extend(notice::dossier::hindrances(q, party)?);
    Ok(all)
}

/// Refuses where something binds the data, and says what and until when.
fn unbound(q: &dyn Query, party: PartyId, today: Date) -> Result<()> {
    let all = hindrances(q, party, today)?;
    let Some(first) = all.first() else {
        return Ok(());
    };
    let until = all.iter().filter_map(|one| one.until).max();
    let when = until.map_or_else(String::new, |day| format!("最早可在 {day} 之后删除。"));
    let message = format!(
        "现在还不能删除：{}共 {} 项，见本页。{when}",
        first.what,
        all.len()
    );
    Err(Refusal::invalid("erasure-bound", message).into())
}

/// Asks for the erasure of a party's personal data.
///
/// # Errors
/// Refuses others than the party and its window, a request without a reason, a party that is
/// erased, for which a request waits already, or which something binds.
pub fn request_erasure(tx: &Tx<'_>, actor: &Actor, party: PartyId, reason: &str) -> Result<Uuid> {
    let found = party::find(tx, actor, party)?;
    if actor.party != Some(party) && !actor.has(Role::WindowClerk) {
        let message = "删除由本人提出，或由窗口凭本人的书面申请登记。";
        return Err(Refusal::forbidden("erasure-request", message).into());
    }
    party::not_erased(&found)?;
    let reason = stated(
        "reason",
        reason,
        "请写明理由（4 至 200 个字），例如「本人书面申请，业务已全部办结」。",
    )?;
    if open(tx, party)?.is_some() {
        let message = "已有一项删除申请等待确认，没有重复登记。";
        return Err(Refusal::conflict("erasure-requested", message).into());
    }
    unbound(tx, party, tx.today())?;
    let id = tx.new_id();
    tx.execute(
        "INSERT INTO erasure (id, party_id, region_code, reason, state, requested_by, requested_at, \
         version) VALUES (?1, ?2, ?3, ?4, 'requested', ?5, ?6, 1)",
        params![id, party, found.region, &reason, actor.account_id(), tx.now()],
    )?;
    let rows = vec![("erasure", id)];
    event(
        tx,
        actor,
        "personal.request_erasure",
        party,
        json!({ "reason": reason }),
        rows,
    );
    Ok(id)
}

/// Decides on a request to erase a party: confirmed, its key and hashes are destroyed, and what was
/// personal in any row is replaced. Gives the files whose contents are to be removed from the disk.
///
/// # Errors
/// Refuses others than a reviewer of the region, whoever asked for it, a request that is decided or
/// changed, a refusal without its reason, and a party that something binds meanwhile.
pub fn decide_erasure(
    tx: &Tx<'_>,
    actor: &Actor,
    party: PartyId,
    version: i64,
    refused: Option<&str>,
) -> Result<Vec<Attachment>> {
    let found = party::find(tx, actor, party)?;
    if !actor.has(Role::Reviewer) {
        let message = "删除由审核人确认。";
        return Err(Refusal::forbidden("erasure-decide", message).into());
    }
    let gone = "这项删除申请已经办过，没有再次办理。请刷新页面查看。";
    let Some(request) = open(tx, party)?.filter(|request| request.version == version) else {
        return Err(Refusal::conflict("erasure-decided", gone).into());
    };
    if request.requested_by == actor.account_id() {
        let message = "提出人不能确认自己提出的删除（不相容岗位）。请由另一位审核人办理。";
        return Err(Refusal::forbidden("incompatible-duties", message).into());
    }
    let (state, note) = match refused {
        Some(reason) => {
            let message = "请写明不予删除的理由（4 至 200 个字），申请人会看到。";
            ("refused", Some(stated("reason", reason, message)?))
        }
        None => {
            unbound(tx, party, tx.today())?;
            ("erased", None)
        }
    };
    tx.execute(
        "UPDATE erasure SET state = ?2, decided_by = ?3, decided_at = ?4, decision = ?5, \
         version = version + 1 WHERE id = ?1",
        params![
            request.id,
            state,
            actor.account_id(),
            tx.now(),
            note.as_deref()
        ],
    )?;
    let mut rows = vec![("erasure", request.id)];
    if let Some(reason) = note {
        let body = format!("您提出的删除个人信息申请没有办理：{reason}");
        party::notify(tx, party, None, "删除申请未予办理", &body)?;
        event(
            tx,
            actor,
            "personal.refuse_erasure",
            party,
            json!({ "reason": reason }),
            rows,
        );
        return Ok(Vec::new());
    }
    let files = attachment::dossier::with_contents(tx, party)?;
    let person = found.kind == PartyKind::Person;
    // Rows keep the name the party had when they were written: all of them go.
    let names = if person {
        names_in(tx, party, &super::sources())?
    } else {
        Vec::new()
    };
    rows.extend(export::end_all(tx, party)?);
    rows.extend(super::erase_everywhere(tx, &Erased { party, names })?);
    rows.push(("party", party.0));
    let detail = json!({ "files": files.len() });
    event(tx, actor, "personal.erase", party, detail, rows);
    Ok(files)
}
