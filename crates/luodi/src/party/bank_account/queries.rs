//! Read models of bank accounts; the number is opened to be masked, and in plain for the payment
//! file only.

use jiff::Timestamp;
use vocab::{BankAccountNumber, BankCode};

use crate::access::{Actor, Role, parties_where};
use crate::dossier::ERASED;
use crate::ids::{AccountId, BankAccountId, PartyId};
use crate::params;
use crate::party;
use crate::refusal::{Refusal, Result};
use crate::store::{Query, Row, StoreError, Value};
use crate::web::form::Waiting;

use super::{BankAccountState, CLASS};

/// A bank account as pages show it.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Its id.
    pub id: BankAccountId,
    /// Whose it is.
    pub party: PartyId,
    /// The party's name.
    pub party_name: String,
    /// 户名.
    pub holder_name: String,
    /// 开户行.
    pub bank_name: String,
    /// 联行号.
    pub bank_code: String,
    /// 账号, masked.
    pub masked: String,
    /// Where it stands.
    pub state: BankAccountState,
    /// May be paid to.
    pub approved: bool,
    /// Why finance refused it.
    pub reason: Option<String>,
    /// Who entered it, and when.
    pub entered_by: AccountId,
    /// When it was entered.
    pub entered_at: Timestamp,
    /// Why it was entered beside another one in use.
    pub second_reason: Option<String>,
    /// Raised by each change.
    pub version: i64,
}

impl Listed {
    /// Approved, or waiting to be.
    pub(super) fn in_use(&self) -> bool {
        matches!(
            self.state,
            BankAccountState::Approved | BankAccountState::Entered
        )
    }
}

const COLUMNS: &str = "b.id, b.party_id, p.name, b.holder_name, b.bank_name, b.bank_code, \
     b.account_sealed, b.state, b.reason, b.entered_by, b.entered_at, b.version, \
     b.second_reason";

/// A row with its number still sealed: it is opened after the statement, which holds the row.
fn read_listed(r: &Row<'_>) -> Result<(Listed, Vec<u8>), StoreError> {
    let state: String = r.get(7)?;
    let unknown = || StoreError::Value(format!("no state of a bank account: {state}"));
    let state = BankAccountState::from_code(&state).ok_or_else(unknown)?;
    let listed = Listed {
        id: r.get(0)?,
        party: r.get(1)?,
        party_name: r.get(2)?,
        holder_name: r.get(3)?,
        bank_name: r.get(4)?,
        bank_code: r.get(5)?,
        masked: String::new(),
        state,
        approved: state == BankAccountState::Approved,
        reason: r.get(8)?,
        entered_by: r.get(9)?,
        entered_at: r.get(10)?,
        version: r.get(11)?,
        second_reason: r.get(12)?,
    };
    Ok((listed, r.get(6)?))
}

/// The whole number of an account; the caller may see it and has recorded the look.
pub(super) fn number(q: &dyn Query, id: BankAccountId) -> Result<String> {
    let sql = "SELECT party_id, account_sealed FROM bank_account WHERE id = ?1";
    let (party, sealed) = q.row(sql, params![id], |r| {
        Ok((r.get::<PartyId>(0)?, r.get::<Vec<u8>>(1)?))
    })?;
    Ok(q.open_as(party.0, CLASS, &sealed)?)
}

fn mask(q: &dyn Query, rows: Vec<(Listed, Vec<u8>)>) -> Result<Vec<Listed>> {
    rows.into_iter()
        .map(|(listed, sealed)| {
            if sealed.is_empty() {
                let masked = ERASED.to_owned();
                return Ok(Listed { masked, ..listed });
            }
            let number = q.open_as(listed.party.0, CLASS, &sealed)?;
            let masked = BankAccountNumber::parse(&number)
                .map_or_else(|_| "********".to_owned(), |number| number.masked());
            Ok(Listed { masked, ..listed })
        })
        .collect()
}

/// All bank accounts of a party, the newest first; the caller has found that the actor may see it.
///
/// # Errors
/// The store's own.
pub(in crate::party) fn of_party(q: &dyn Query, party: PartyId) -> Result<Vec<Listed>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM bank_account b JOIN party p ON p.id = b.party_id \
         WHERE b.party_id = ?1 ORDER BY b.entered_at DESC, b.id DESC LIMIT 200"
    );
    mask(q, q.rows(&sql, params![party], read_listed)?)
}

/// The accounts an application may name: approved ones first, then those waiting.
///
/// # Errors
/// The store's own.
pub fn usable_of(q: &dyn Query, party: PartyId) -> Result<Vec<Listed>> {
    let mut usable = of_party(q, party)?;
    usable.retain(Listed::in_use);
    usable.sort_by_key(|it| !it.approved);
    Ok(usable)
}

/// The other accounts of its party in use, beside which one is to be approved.
///
/// # Errors
/// The store's own.
pub(super) fn beside(q: &dyn Query, account: &Listed) -> Result<Vec<Listed>> {
    let mut others = usable_of(q, account.party)?;
    others.retain(|it| it.id != account.id);
    Ok(others)
}

/// The accounts of a party that may be paid to, the newest first.
///
/// # Errors
/// The store's own.
pub fn approved_of(q: &dyn Query, party: PartyId) -> Result<Vec<Listed>> {
    let mut usable = of_party(q, party)?;
    usable.retain(|it| it.approved);
    Ok(usable)
}

/// One bank account of a party the actor may see.
///
/// # Errors
/// Refuses where there is none.
pub fn find(q: &dyn Query, actor: &Actor, id: BankAccountId) -> Result<Listed> {
    let sql = format!(
        "SELECT {COLUMNS} FROM bank_account b JOIN party p ON p.id = b.party_id WHERE b.id = ?1"
    );
    let row = q.row_opt(&sql, params![id], read_listed)?;
    let not_found = || Refusal::not_found("没有这个收款账户，或者不在您的工作区域内。");
    let (listed, sealed) = row.ok_or_else(not_found)?;
    party::find(q, actor, listed.party)?;
    Ok(mask(q, vec![(listed, sealed)])?
        .pop()
        .ok_or_else(not_found)?)
}

/// What the payment file needs.
#[derive(Clone, Debug)]
pub struct PaymentAccount {
    /// Whose it is.
    pub party: PartyId,
    /// 户名.
    pub holder_name: String,
    /// 开户行.
    pub bank_name: String,
    /// 账号, in plain: for the payment file only.
    pub number: BankAccountNumber,
    /// 联行号.
    pub bank_code: BankCode,
}

/// An approved account with its number in plain. For the payment file only, which is recorded by
/// the command that makes it.
///
/// # Errors
/// Refuses an account that is not approved, or whose holder no longer is the party's name.
pub fn for_payment(q: &dyn Query, id: BankAccountId) -> Result<PaymentAccount> {
    let row = q.row_opt(
        "SELECT b.party_id, b.holder_name, b.bank_name, b.account_sealed, b.bank_code, p.name \
         FROM bank_account b JOIN party p ON p.id = b.party_id \
         WHERE b.id = ?1 AND b.state = 'approved'",
        params![id],
        |r| {
            let names = [r.get::<String>(1)?, r.get(2)?, r.get(5)?];
            Ok((
                r.get::<PartyId>(0)?,
                names,
                r.get::<Vec<u8>>(3)?,
                r.get::<String>(4)?,
            ))
        },
    )?;
    let (party, [holder_name, bank_name, party_name], sealed, bank_code) =
        row.ok_or_else(|| {
            Refusal::conflict(
                "bank-account-not-approved",
                "收款账户还没有核准或已停用，不能拨付。请先核准账户。",
            )
        })?;
    if vocab::fold_width(&holder_name) != vocab::fold_width(&party_name) {
        let message = "收款账户的户名与主体现在的名称不一致，不能拨付。请重新登记并核准账户。";
        return Err(Refusal::conflict("holder-name", message).into());
    }
    let broken =
        |what: &str| StoreError::Value(format!("{what} of bank account {id} does not parse"));
    let number = BankAccountNumber::parse(&q.open_as(party.0, CLASS, &sealed)?)
        .map_err(|_| broken("number"))?;
    let bank_code = BankCode::parse(&bank_code).map_err(|_| broken("bank code"))?;
    Ok(PaymentAccount {
        party,
        holder_name,
        bank_name,
        number,
        bank_code,
    })
}

/// What the list of bank accounts is narrowed by.
#[derive(Clone, Debug, Default)]
pub struct BankAccountFilter {
    /// A part of the party's name.
    pub text: String,
    /// Only this state.
    pub state: Option<BankAccountState>,
}

fn conditions(actor: &Actor, filter: &BankAccountFilter, params: &mut Vec<Value>) -> String {
    let mut sql = parties_where(actor, "p.id", "p.region_code", params);
    if !filter.text.is_empty() {
        params.push(crate::party::queries::like_name(&filter.text).into());
        sql.push_str(&format!(
            " AND p.name_folded LIKE ?{} ESCAPE '!'",
            params.len()
        ));
    }
    if let Some(state) = filter.state {
        params.push(state.code().into());
        sql.push_str(&format!(" AND b.state = ?{}", params.len()));
    }
    sql
}

/// How many bank accounts the actor may see within the filter.
///
/// # Errors
/// The store's own.
pub fn count(q: &dyn Query, actor: &Actor, filter: &BankAccountFilter) -> Result<u64> {
    let mut params = Vec::new();
    let wanted = conditions(actor, filter, &mut params);
    let sql = format!(
        "SELECT COUNT(*) FROM bank_account b JOIN party p ON p.id = b.party_id WHERE {wanted}"
    );
    Ok(q.row(&sql, params, |r| r.get(0))?)
}

/// The bank accounts that wait for finance to check them.
///
/// # Errors
/// The store's own.
pub fn waiting(q: &dyn Query, actor: &Actor) -> Result<Option<Waiting>> {
    if !actor.has(Role::Finance) {
        return Ok(None);
    }
    let entered = BankAccountFilter {
        state: Some(BankAccountState::Entered),
        ..BankAccountFilter::default()
    };
    let count = count(q, actor, &entered)?;
    Ok(Waiting::new(
        "待核准的收款账户",
        (count, "个"),
        "/bank-accounts?state=entered",
    ))
}

/// A page of these bank accounts, the longest waiting first.
///
/// # Errors
/// The store's own.
pub fn list(
    q: &dyn Query,
    actor: &Actor,
    filter: &BankAccountFilter,
    limit: u32,
    offset: i64,
) -> Result<Vec<Listed>> {
    let mut params = Vec::new();
    let wanted = conditions(actor, filter, &mut params);
    params.extend([Value::from(limit), Value::from(offset)]);
    let (limit, offset) = (params.len() - 1, params.len());
    let sql = format!(
        "SELECT {COLUMNS} FROM bank_account b JOIN party p ON p.id = b.party_id WHERE {wanted} \
         ORDER BY b.entered_at, b.id LIMIT ?{limit} OFFSET ?{offset}"
    );
    mask(q, q.rows(&sql, params, read_listed)?)
}
