//! What changes bank accounts. Entering and approving are never one person's (不相容岗位).

use serde_json::json;
use vocab::{BankAccountNumber, BankCode, mask_numbers};

use crate::access::{Actor, ActorKind, Role};
use crate::ids::{AccountId, BankAccountId, PartyId};
use crate::params;
use crate::party::{self, Party};
use crate::refusal::{Refusal, Refusals, Result, need_untouched};
use crate::store::{Event, Query, Tx};

use super::{BankAccountState, CLASS, Listed, queries};

/// A bank account to be entered.
#[derive(Clone, Debug)]
pub struct NewBankAccount {
    /// 户名; must equal the party's name.
    pub holder_name: String,
    /// 开户行.
    pub bank_name: String,
    /// 账号; personal data.
    pub number: BankAccountNumber,
    /// 联行号.
    pub bank_code: BankCode,
    /// Why the party needs it beside an account in use; none where nobody confirmed that.
    pub second: Option<String>,
}

/// Enters a bank account, to be approved by finance. A returned payment's account is mended by
/// entering a new one.
///
/// # Errors
/// Refuses others than the party itself and its window, another holder's name, a number that
/// is entered or approved already, and a second account without its reason.
pub fn enter(
    tx: &Tx<'_>,
    actor: &Actor,
    party: PartyId,
    new: &NewBankAccount,
) -> Result<BankAccountId> {
    let wanted = Wanted {
        holder_name: &new.holder_name,
        bank_name: &new.bank_name,
        number: Some(&new.number),
        second: new.second.as_deref(),
    };
    let (party, second) = check(tx, actor, party, &wanted, Refusals::default())?;
    // Of two entered at once the slower one is the second.
    tx.hold("party", party.id)?;
    let second = second.then(|| mask_numbers(new.second.as_deref().unwrap_or_default().trim()));
    let lookup = tx.lookup(CLASS, new.number.as_str())?;
    let id = BankAccountId(tx.new_id());
    let sealed = tx.seal(party.id.0, CLASS, new.number.as_str())?;
    tx.execute(
        "INSERT INTO bank_account (id, party_id, holder_name, bank_name, bank_code, account_sealed, \
           account_lookup, state, entered_by, entered_at, second_reason, version) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'entered', ?8, ?9, ?10, 1)",
        params![
            id,
            party.id,
            new.holder_name.trim(),
            new.bank_name.trim(),
            new.bank_code.as_str(),
            sealed,
            lookup,
            actor.account_id(),
            tx.now(),
            second.as_deref()
        ],
    )?;
    let detail = json!({ "party": party.id, "second": second });
    event(tx, actor, "bank_account.enter", id, detail);
    Ok(id)
}

fn may_enter(q: &dyn Query, actor: &Actor, party: PartyId) -> Result<Party> {
    let party = party::find(q, actor, party)?;
    let own = actor.party == Some(party.id);
    let by_program = !matches!(actor.kind, ActorKind::Account(_));
    if own || by_program || actor.has(Role::WindowClerk) {
        return Ok(party);
    }
    let message = "收款账户由申请人本人或窗口登记。";
    Err(Refusal::forbidden("enter-bank-account", message).into())
}

/// A bank account as far as it could be read.
pub(super) struct Wanted<'a> {
    pub(super) holder_name: &'a str,
    pub(super) bank_name: &'a str,
    /// None where it is no number.
    pub(super) number: Option<&'a BankAccountNumber>,
    /// Why it stands beside another one, where that was confirmed.
    pub(super) second: Option<&'a str>,
}

/// Every rule of a bank account to be entered, besides what is known to be wrong. Gives the party,
/// and whether another account of its is in use.
///
/// # Errors
/// Refused with all fields that break a rule, and where the actor may not enter one.
pub(super) fn check(
    q: &dyn Query,
    actor: &Actor,
    party: PartyId,
    wanted: &Wanted<'_>,
    mut wrong: Refusals,
) -> Result<(Party, bool)> {
    let party = may_enter(q, actor, party)?;
    if vocab::fold_width(wanted.holder_name.trim()) != vocab::fold_width(party.name.trim()) {
        let message = format!("户名必须与主体名称「{}」一致，请核对开户资料。", party.name);
        wrong.add("holder_name", "holder-name", message);
    }
    match wanted.bank_name.trim().chars().count() {
        0 => wrong.add("bank_name", "required", "请填写开户行全称。"),
        1..=100 => {}
        _ => wrong.add("bank_name", "length", "开户行最长 100 个字，请核对。"),
    }
    let mut registered = false;
    if let Some(number) = wanted.number {
        let [lookup, before] = q.lookups(CLASS, number.as_str())?;
        let live = "SELECT 1 FROM bank_account WHERE party_id = ?1 AND account_lookup IN (?2, ?3) \
                    AND state IN ('entered', 'approved')";
        let params = params![party.id, lookup, before];
        registered = q.row_opt(live, params, |r| r.get::<i64>(0))?.is_some();
        if registered {
            let message = "这个账号已经登记，正在使用或等待核准，没有重复登记。";
            wrong.add("number", "registered", message);
        }
    }
    let in_use = queries::usable_of(q, party.id)?;
    if let (Some(account), false) = (in_use.first(), registered) {
        check_second(account, wanted.second, &mut wrong);
    }
    wrong.in_order(&[
        "holder_name",
        "bank_name",
        "number",
        "bank_code",
        "second",
        "second_reason",
    ])?;
    Ok((party, !in_use.is_empty()))
}

/// Money must not go to a second account by a slip: that is confirmed, with a reason that whoever
/// approves it reads.
fn check_second(in_use: &Listed, reason: Option<&str>, wrong: &mut Refusals) {
    let Some(reason) = reason else {
        let message = format!(
            "已有收款账户：{} {}（{}）。确要另立的，请勾选「确认另立账户」并写明原因；只是更换的，请先停用原账户。",
            in_use.bank_name,
            in_use.masked,
            in_use.state.zh()
        );
        return wrong.add("second", "second-account", message);
    };
    if !(4..=200).contains(&reason.trim().chars().count()) {
        let message = "请写明另立账户的原因（4 至 200 个字），核准人会看到。";
        wrong.add("second_reason", "required", message);
    }
}

/// What a decision needs to know.
struct Pending {
    party: Party,
    entered_by: AccountId,
    state: BankAccountState,
    holder_name: String,
}

fn load(q: &dyn Query, actor: &Actor, id: BankAccountId) -> Result<Pending> {
    let not_found = || Refusal::not_found("没有这个收款账户，或者不在您的工作区域内。");
    let found = q.row_opt(
        "SELECT party_id, entered_by, state, holder_name FROM bank_account WHERE id = ?1",
        params![id],
        |r| {
            Ok((
                r.get::<PartyId>(0)?,
                r.get(1)?,
                r.get::<String>(2)?,
                r.get(3)?,
            ))
        },
    )?;
    let (party, entered_by, state, holder_name) = found.ok_or_else(not_found)?;
    let state = BankAccountState::from_code(&state).ok_or_else(not_found)?;
    Ok(Pending {
        party: party::find(q, actor, party)?,
        entered_by,
        state,
        holder_name,
    })
}

/// Whether this finance officer may decide on this account now.
fn may_decide(q: &dyn Query, actor: &Actor, id: BankAccountId) -> Result<Pending> {
    let pending = load(q, actor, id)?;
    let by_account = matches!(actor.kind, ActorKind::Account(_));
    if by_account && !actor.has(Role::Finance) {
        let message = "收款账户由财政岗位核准。";
        return Err(Refusal::forbidden("finance-only", message).into());
    }
    if by_account && pending.entered_by == actor.account_id() {
        let message = "登记人不能核准自己登记的收款账户（不相容岗位）。请由另一位财政人员办理。";
        return Err(Refusal::forbidden("incompatible-duties", message).into());
    }
    if pending.state != BankAccountState::Entered {
        let message = format!(
            "这个账户已是「{}」，没有再次办理。请查看最新页面。",
            pending.state.zh()
        );
        return Err(Refusal::conflict("bank-account-decided", message).into());
    }
    Ok(pending)
}

/// Approves a bank account: it may be paid to.
///
/// # Errors
/// Refuses others than finance, whoever entered it, an account already decided or changed, and one
/// whose holder no longer is the party's name.
pub fn approve(tx: &Tx<'_>, actor: &Actor, id: BankAccountId, version: i64) -> Result<()> {
    let pending = may_decide(tx, actor, id)?;
    need_untouched(tx, "bank_account", &[id.0])?;
    need_untouched(tx, "party", &[pending.party.id.0])?;
    tx.hold("party", pending.party.id)?;
    if vocab::fold_width(&pending.holder_name) != vocab::fold_width(&pending.party.name) {
        let message = "户名与主体现在的名称不一致，不能核准。请填写原因退回，由申请人重新登记。";
        return Err(Refusal::invalid("holder-name", message).into());
    }
    decide(tx, actor, id, version, BankAccountState::Approved, None)?;
    event(tx, actor, "bank_account.approve", id, json!({}));
    party::notify(
        tx,
        pending.party.id,
        None,
        "收款账户已核准",
        "您登记的收款账户已核准，可以用于拨付。",
    )
}

/// Shows finance the whole number, to be compared with the paper; the look is recorded with its
/// reason, the number is not.
///
/// # Errors
/// Refuses an account out of sight, others than finance, and a look without a reason.
pub(super) fn reveal(tx: &Tx<'_>, actor: &Actor, id: BankAccountId, why: &str) -> Result<String> {
    queries::find(tx, actor, id)?;
    if !actor.has(Role::Finance) {
        let message = "完整账号只由财政人员核对。";
        return Err(Refusal::forbidden("bank-account-reveal", message).into());
    }
    let why = why.trim();
    if !(4..=200).contains(&why.chars().count()) {
        let message = "请写明查看原因（4 至 200 个字），例如「与开户证明核对」。查看会记入日志。";
        return Err(Refusal::field("why", "reason", message).into());
    }
    let number = queries::number(tx, id)?;
    event(
        tx,
        actor,
        "bank_account.reveal",
        id,
        json!({ "reason": vocab::mask_numbers(why) }),
    );
    Ok(number)
}

/// Refuses a bank account, saying why.
///
/// # Errors
/// As [`approve`]; a reason of fewer than 4 characters.
pub fn refuse(
    tx: &Tx<'_>,
    actor: &Actor,
    id: BankAccountId,
    version: i64,
    reason: &str,
) -> Result<()> {
    let pending = may_decide(tx, actor, id)?;
    let reason = reason.trim();
    if !(4..=200).contains(&reason.chars().count()) {
        let message = "请写明退回原因（4 至 200 个字），申请人会看到。";
        return Err(Refusal::field("reason", "reason", message).into());
    }
    let reason = mask_numbers(reason);
    decide(
        tx,
        actor,
        id,
        version,
        BankAccountState::Refused,
        Some(&reason),
    )?;
    event(
        tx,
        actor,
        "bank_account.refuse",
        id,
        json!({ "reason": &reason }),
    );
    let body = format!("您登记的收款账户没有核准：{reason}。请核对后重新登记。");
    party::notify(tx, pending.party.id, None, "收款账户未核准", &body)
}

/// Ends the use of a bank account; payments already sent are not touched.
///
/// # Errors
/// Refuses others than the party itself and its window, and an account ended or changed already.
pub fn end(tx: &Tx<'_>, actor: &Actor, id: BankAccountId, version: i64) -> Result<()> {
    let pending = load(tx, actor, id)?;
    may_enter(tx, actor, pending.party.id)?;
    if pending.state == BankAccountState::Ended {
        let message = "这个账户已经停用。";
        return Err(Refusal::conflict("bank-account-decided", message).into());
    }
    let sql = "UPDATE bank_account SET state = 'ended', version = version + 1 \
               WHERE id = ?1 AND version = ?2";
    changed(tx.execute(sql, params![id, version])?)?;
    event(tx, actor, "bank_account.end", id, json!({}));
    Ok(())
}

fn decide(
    tx: &Tx<'_>,
    actor: &Actor,
    id: BankAccountId,
    version: i64,
    state: BankAccountState,
    reason: Option<&str>,
) -> Result<()> {
    changed(tx.execute(
        "UPDATE bank_account SET state = ?1, approved_by = ?2, approved_at = ?3, reason = ?4, \
           version = version + 1 WHERE id = ?5 AND version = ?6",
        params![
            state.code(),
            actor.account_id(),
            tx.now(),
            reason,
            id,
            version
        ],
    )?)
}

fn changed(rows: u64) -> Result<()> {
    if rows == 1 {
        return Ok(());
    }
    let message = "这个账户刚被他人更改，您的操作没有保存。请打开最新页面核对后再办。";
    Err(Refusal::conflict("bank-account-changed", message).into())
}

fn event(
    tx: &Tx<'_>,
    actor: &Actor,
    command: &'static str,
    id: BankAccountId,
    detail: serde_json::Value,
) {
    tx.event(Event {
        actor: actor.to_ref(),
        command,
        subject: ("bank_account", id.0),
        detail,
        rows: vec![("bank_account", id.0)],
    });
}
