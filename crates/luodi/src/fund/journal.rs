//! The journal as rows: what the crate `ledger` allows is written here, entry by entry, with the
//! running balances that guard the next one.
//!
//! It lacks who may do what, and events: the command that posts checks the first and lists the rows
//! given back in its own event. An entry touches one budget line; carrying over to the next year's
//! line is not offered yet.

use std::collections::BTreeMap;

use ledger::{AccountKind, Balances, BudgetLine, Movement, Side};
use uuid::Uuid;
use vocab::Fen;

use super::bulk;
use crate::access::Actor;
use crate::ids::BudgetLineId;
use crate::params;
use crate::refusal::{Refusal, Result, need_untouched, touched_row};
use crate::store::{Query, StoreError, Tx, Value};

/// Tables and ids of rows a command changed, for its event.
pub type Rows = Vec<(&'static str, Uuid)>;

/// The columns of an entry and of a posting.
const ENTRY: (&str, &str) = (
    "ledger_entry",
    "id, budget_line_id, movement, reverses, subject_kind, subject_id, memo, posted_by, posted_at, \
     line_version",
);
const POSTING: (&str, &str) = (
    "posting",
    "entry_id, position, budget_line_id, account, debit_fen, credit_fen",
);

/// What was debited and credited on an account since the line was adopted, in fen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sums {
    debit: i64,
    credit: i64,
}

/// The journal of one budget line, open for posting within one command.
pub struct Journal<'a> {
    tx: &'a Tx<'a>,
    id: BudgetLineId,
    name: String,
    opened_at: i64,
    version: i64,
    balances: Balances,
    sums: BTreeMap<AccountKind, Sums>,
    rows: Rows,
    entries: Vec<[Value; 10]>,
    postings: Vec<[Value; 6]>,
}

/// Posts one movement; gives the rows for the command's event.
///
/// # Errors
/// Refused with what is available and what is wanted; nothing is posted then.
pub fn post(
    tx: &Tx<'_>,
    actor: &Actor,
    line: BudgetLineId,
    movement: Movement,
    subject: (&'static str, Uuid),
    memo: &str,
) -> Result<Rows> {
    let ((), rows) = keep_journal(tx, line, |journal| {
        journal.post(actor, movement, subject, memo).map(drop)
    })?;
    Ok(rows)
}

/// Posts the first movement of a line that the command itself has written.
///
/// # Errors
/// As [`post`].
pub(super) fn post_first(
    tx: &Tx<'_>,
    actor: &Actor,
    line: BudgetLineId,
    movement: Movement,
    memo: &str,
) -> Result<Rows> {
    let mut first = Journal::open(tx, line)?;
    first.post(actor, movement, ("budget_line", line.0), memo)?;
    first.close()
}

/// Opens the journal of a line, lets `f` post, and writes its entries, the balances and the line's
/// version. The line is the last row a command locks, so `f` should be the end of it.
///
/// # Errors
/// What `f` refuses; refused where the line changed meanwhile, or it or its balances were changed
/// behind the program's back.
pub fn keep_journal<T>(
    tx: &Tx<'_>,
    line: BudgetLineId,
    f: impl FnOnce(&mut Journal<'_>) -> Result<T>,
) -> Result<(T, Rows)> {
    need_untouched(tx, "budget_line", &[line.0])?;
    let mut open = Journal::open(tx, line)?;
    let value = f(&mut open)?;
    Ok((value, open.close()?))
}

impl<'a> Journal<'a> {
    fn open(tx: &'a Tx<'a>, id: BudgetLineId) -> Result<Self> {
        let sql = "SELECT name, version, balance_seal FROM budget_line WHERE id = ?1";
        let found = tx.row_opt(sql, params![id], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get::<Option<Vec<u8>>>(2)?))
        })?;
        let missing = || Refusal::not_found("没有这个预算指标。请从「资金」重新进入。");
        let (name, version, seal) = found.ok_or_else(missing)?;
        let sums = stored_sums(tx, id)?;
        let own = match seal {
            Some(kept) => kept == seal_of(tx, (id, version), &sums),
            None => sums == posted_sums(tx, id)?,
        };
        if !own {
            return Err(touched_row("ledger_balance", id.0).into());
        }
        let balances = Balances::from_sums(sums.iter().map(|(kind, sums)| {
            let balance = match kind.normal_side() {
                Side::Debit => sums.debit - sums.credit,
                Side::Credit => sums.credit - sums.debit,
            };
            (book(id).account(*kind), Fen(balance))
        }));
        Ok(Self {
            tx,
            id,
            name,
            opened_at: version,
            version,
            balances,
            sums,
            rows: vec![("budget_line", id.0)],
            entries: Vec::new(),
            postings: Vec::new(),
        })
    }

    /// The line as the crate `ledger` names it.
    pub fn line(&self) -> BudgetLine {
        book(self.id)
    }

    /// What is on an account of the line now.
    pub fn balance(&self, kind: AccountKind) -> Fen {
        let balance = self.balances.balance(self.line().account(kind));
        Fen(i64::try_from(balance).unwrap_or(i64::MAX))
    }

    /// Posts a movement about a subject (table and id); gives the entry's id.
    ///
    /// # Errors
    /// Refused with what is available and what is wanted.
    pub fn post(
        &mut self,
        actor: &Actor,
        movement: Movement,
        subject: (&'static str, Uuid),
        memo: &str,
    ) -> Result<Uuid> {
        let entry = ledger::post(&self.balances, movement).map_err(|why| self.refuse(why))?;
        let line = self.line();
        if entry
            .postings()
            .iter()
            .any(|posting| posting.account.line != line)
        {
            let message = "一笔分录只能记入一个预算指标，请分别办理。";
            return Err(Refusal::invalid("one-line", message).into());
        }
        self.balances
            .apply(&entry)
            .map_err(|why| self.refuse(why))?;
        self.version += 1;
        let id = self.tx.new_id();
        self.entries.push(params![
            id,
            self.id,
            entry.kind().code(),
            entry.reverses().map(|entry| Uuid::from_u128(entry.0)),
            subject.0,
            subject.1,
            memo,
            &actor.name,
            self.tx.now(),
            self.version
        ]);
        self.add_postings(id, entry.postings())?;
        self.rows.push(("ledger_entry", id));
        self.tx.part("posting", id);
        Ok(id)
    }

    fn add_postings(&mut self, entry: Uuid, postings: &[ledger::Posting]) -> Result<()> {
        for (position, posting) in (1_i64..).zip(postings) {
            let (debit, credit) = match posting.side {
                Side::Debit => (posting.amount.0, 0),
                Side::Credit => (0, posting.amount.0),
            };
            let kind = posting.account.kind;
            let values = params![entry, position, self.id, kind.code(), debit, credit];
            self.postings.push(values);
            let sums = self.sums.entry(kind).or_default();
            let added = (
                sums.debit.checked_add(debit),
                sums.credit.checked_add(credit),
            );
            let (Some(debit), Some(credit)) = added else {
                return Err(self.refuse(ledger::Refusal::Overflow));
            };
            *sums = Sums { debit, credit };
        }
        Ok(())
    }

    /// Writes the entries and what they changed, if nobody else posted to the line meanwhile.
    fn close(mut self) -> Result<Rows> {
        if self.version == self.opened_at {
            return Ok(Vec::new());
        }
        let (entries, postings) = (
            std::mem::take(&mut self.entries),
            std::mem::take(&mut self.postings),
        );
        bulk::insert(self.tx, ENTRY, entries)?;
        bulk::insert(self.tx, POSTING, postings)?;
        for (kind, sums) in &self.sums {
            let values = params![self.id, kind.code(), sums.debit, sums.credit];
            let known = self.tx.execute(
                "UPDATE ledger_balance SET debit_fen = ?3, credit_fen = ?4 \
                 WHERE budget_line_id = ?1 AND account = ?2",
                values.clone(),
            )?;
            if known == 0 {
                self.tx.execute(
                    "INSERT INTO ledger_balance (budget_line_id, account, debit_fen, credit_fen) \
                     VALUES (?1, ?2, ?3, ?4)",
                    values,
                )?;
            }
        }
        let seal = seal_of(self.tx, (self.id, self.version), &self.sums);
        let saved = self.tx.execute(
            "UPDATE budget_line SET version = ?3, balance_seal = ?4 WHERE id = ?1 AND version = ?2",
            params![self.id, self.opened_at, self.version, seal],
        )?;
        if saved == 1 {
            Ok(self.rows)
        } else {
            Err(super::changed_meanwhile("这个预算指标"))
        }
    }

    fn refuse(&self, why: ledger::Refusal) -> crate::refusal::Error {
        let message = format!("预算指标「{}」：{}。", self.name, why.message_zh());
        Refusal::invalid(why.code(), message).into()
    }
}

/// A budget line as the crate `ledger` names it.
pub(super) fn book(line: BudgetLineId) -> BudgetLine {
    BudgetLine(line.0.as_u128())
}

type ByKind = BTreeMap<AccountKind, Sums>;

fn stored_sums(q: &dyn Query, line: BudgetLineId) -> Result<ByKind, StoreError> {
    let sql = "SELECT account, debit_fen, credit_fen FROM ledger_balance WHERE budget_line_id = ?1";
    sums(q, line, sql)
}

/// What the postings of a line come to.
fn posted_sums(q: &dyn Query, line: BudgetLineId) -> Result<ByKind, StoreError> {
    let sql = "SELECT account, CAST(SUM(debit_fen) AS BIGINT), CAST(SUM(credit_fen) AS BIGINT) \
               FROM posting WHERE budget_line_id = ?1 GROUP BY account";
    sums(q, line, sql)
}

fn sums(q: &dyn Query, line: BudgetLineId, sql: &str) -> Result<ByKind, StoreError> {
    let rows = q.rows(sql, params![line], |row| {
        let sums = Sums {
            debit: row.get(1)?,
            credit: row.get(2)?,
        };
        Ok((account_kind(&row.get::<String>(0)?)?, sums))
    })?;
    Ok(rows.into_iter().collect())
}

/// What shows that the program itself left a line at these balances.
fn seal_of(q: &dyn Query, (line, version): (BudgetLineId, i64), sums: &ByKind) -> [u8; 32] {
    let mut text = format!("{line} {version}");
    for (kind, sums) in sums {
        let Sums { debit, credit } = sums;
        text += &format!(" {} {debit} {credit}", kind.code());
    }
    q.keys().hash("balance", &text)
}

/// The kind of a stored account.
pub(super) fn account_kind(code: &str) -> Result<AccountKind, StoreError> {
    AccountKind::from_code(code)
        .ok_or_else(|| StoreError::Value(format!("{code} is no account of the ledger")))
}
