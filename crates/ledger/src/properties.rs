//! Random histories against a model that keeps six plain numbers for each line, and tampered journals
//! that the verifier must not pass.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::sample::Index;
use vocab::Fen;

use crate::{Balances, BudgetLine, Entry, EntryId, Movement, Posting, post, verify};

const LINES: usize = 3;

/// A movement yet without the entry that a reversal takes back.
#[derive(Clone, Debug)]
enum Step {
    Simple(u8, usize, i64),
    CarryOver(usize, usize, i64),
    Reverse(Index),
}

fn any_amount() -> impl Strategy<Value = i64> {
    prop_oneof![8 => 1_i64..2000, 1 => -5_i64..1, 1 => Just(i64::MAX), 1 => Just(i64::MIN)]
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (0_u8..10, 0..LINES, any_amount()).prop_map(|(kind, line, amount)| Step::Simple(kind, line, amount)),
        1 => (0..LINES, 0..LINES, any_amount()).prop_map(|(from, to, amount)| Step::CarryOver(from, to, amount)),
        2 => any::<Index>().prop_map(Step::Reverse),
    ]
}

fn line(at: usize) -> BudgetLine {
    BudgetLine(at as u128)
}

/// The figures as a clerk would keep them in a table: budget, available, committed, payable, in payment, paid.
type Table = [[i128; 6]; LINES];

/// Moves an amount between two columns by hand; a movement into the budget comes from outside.
fn moved(table: &Table, step: &Step) -> Option<Table> {
    let mut new = *table;
    match *step {
        Step::Simple(kind, at, amount) => {
            let amount = i128::from(amount);
            let row = &mut new[at];
            let (from, to) = match kind {
                0 => (None, Some(1)),
                1 if amount < 0 => (Some(1), None),
                1 => (None, Some(1)),
                2 => (Some(1), Some(2)),
                3 => (Some(2), Some(1)),
                4 => (Some(2), Some(3)),
                5 => (Some(3), Some(2)),
                6 => (Some(3), Some(4)),
                7 => (Some(4), Some(5)),
                8 => (Some(4), Some(3)),
                _ => (Some(1), Some(2)),
            };
            let size = if kind == 1 { amount.abs() } else { amount };
            if size <= 0 {
                return None;
            }
            match from {
                Some(column) => row[column] -= size,
                None => row[0] += size,
            }
            match to {
                Some(column) => row[column] += size,
                None => row[0] -= size,
            }
        }
        Step::CarryOver(from, to, amount) => {
            if from == to || amount <= 0 {
                return None;
            }
            for (at, sign) in [(from, -1), (to, 1)] {
                new[at][0] += sign * i128::from(amount);
                new[at][2] += sign * i128::from(amount);
            }
        }
        Step::Reverse(_) => return None,
    }
    in_bounds(&new).then_some(new)
}

fn in_bounds(table: &Table) -> bool {
    table
        .iter()
        .flatten()
        .all(|figure| (0..=i128::from(i64::MAX)).contains(figure))
}

fn movement(step: &Step, entries: &[Entry]) -> Option<Movement> {
    Some(match *step {
        Step::Simple(kind, at, amount) => {
            let (line, amount) = (line(at), Fen(amount));
            match kind {
                0 => Movement::Adopt { line, amount },
                1 => Movement::Adjust {
                    line,
                    difference: amount,
                },
                3 => Movement::Release { line, amount },
                4 => Movement::MakePayable { line, amount },
                5 => Movement::WithdrawPayable { line, amount },
                6 => Movement::Send { line, amount },
                7 => Movement::Settle { line, amount },
                8 => Movement::Return { line, amount },
                _ => Movement::Commit { line, amount },
            }
        }
        Step::CarryOver(from, to, amount) => Movement::CarryOver {
            from: line(from),
            to: line(to),
            amount: Fen(amount),
        },
        Step::Reverse(index) => {
            let at = index.index(entries.len().max(1));
            Movement::Reverse {
                id: EntryId(at as u128),
                of: entries.get(at)?.clone(),
            }
        }
    })
}

fn table_of(balances: &Balances) -> Table {
    std::array::from_fn(|at| {
        let f = balances.figures(line(at));
        [
            f.budget,
            f.available,
            f.committed,
            f.payable,
            f.in_payment,
            f.paid,
        ]
    })
}

fn journal(entries: &[Entry]) -> Vec<(EntryId, Posting)> {
    let numbered = entries.iter().enumerate();
    numbered
        .flat_map(|(at, entry)| {
            entry
                .postings()
                .iter()
                .map(move |p| (EntryId(at as u128), *p))
        })
        .collect()
}

/// Posts what can be posted, and gives the journal.
fn history(steps: &[Step]) -> Vec<Entry> {
    let mut balances = Balances::default();
    let mut entries = Vec::new();
    for step in steps {
        if let Some(Ok(entry)) = movement(step, &entries).map(|movement| post(&balances, movement))
        {
            balances.apply(&entry).unwrap();
            entries.push(entry);
        }
    }
    entries
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn agrees_with_a_table_kept_by_hand(steps in prop::collection::vec(any_step(), 0..120)) {
        let (mut balances, mut table, mut entries) = (Balances::default(), Table::default(), Vec::<Entry>::new());
        let mut effects: Vec<Option<(Table, Table)>> = Vec::new();
        for step in &steps {
            let Some(movement) = movement(step, &entries) else { continue };
            let expected = match (step, &movement) {
                (Step::Reverse(_), Movement::Reverse { id, .. }) => effects[id.0 as usize].and_then(|(before, after)| {
                    let new: Table = std::array::from_fn(|l| std::array::from_fn(|c| table[l][c] + before[l][c] - after[l][c]));
                    in_bounds(&new).then_some(new)
                }),
                _ => moved(&table, step),
            };
            let posted = post(&balances, movement.clone());
            prop_assert_eq!(posted.is_ok(), expected.is_some(), "{:?} on {:?} gave {:?}", step, table, posted);
            if let (Ok(entry), Some(new)) = (posted, expected) {
                balances.apply(&entry).unwrap();
                effects.push((!matches!(step, Step::Reverse(_))).then_some((table, new)));
                entries.push(entry);
                table = new;
            }
            prop_assert_eq!(table_of(&balances), table);
            for row in table {
                prop_assert_eq!(row[0], row[1..].iter().sum::<i128>());
            }
        }
        let verified = verify(journal(&entries));
        prop_assert!(verified.is_ok(), "{:?}", verified.findings);
        prop_assert_eq!(verified.debit_fen, entries.iter().map(Entry::total).sum::<i128>());
    }

    #[test]
    fn reversing_the_last_entry_restores_everything(steps in prop::collection::vec(any_step(), 1..60)) {
        let mut entries = history(&steps);
        while entries.last().is_some_and(|entry| entry.reverses().is_some()) {
            entries.pop();
        }
        let Some(last) = entries.pop() else { return Ok(()) };
        let mut balances = Balances::default();
        for entry in &entries {
            balances.apply(entry).unwrap();
        }
        let before = table_of(&balances);
        balances.apply(&last).unwrap();
        let reversal = post(&balances, Movement::Reverse { id: EntryId(9), of: last }).unwrap();
        balances.apply(&reversal).unwrap();
        prop_assert_eq!(table_of(&balances), before);
        prop_assert_eq!(reversal.reverses(), Some(EntryId(9)));
    }

    #[test]
    fn a_changed_amount_side_or_missing_row_is_found(
        steps in prop::collection::vec(any_step(), 1..60), at in any::<Index>(), how in 0_u8..4, by in 1_i64..100,
    ) {
        let mut rows = journal(&history(&steps));
        prop_assume!(!rows.is_empty());
        let at = at.index(rows.len());
        let entry = rows[at].0;
        match how {
            0 => rows[at].1.amount = Fen(rows[at].1.amount.0.saturating_sub(by)),
            1 => rows[at].1.side = rows[at].1.side.opposite(),
            2 => rows[at].1.account.line = BudgetLine(99),
            _ => { rows.remove(at); }
        }
        let verified = verify(rows);
        let named: BTreeSet<EntryId> = verified.findings.iter().map(|finding| finding.entry()).collect();
        prop_assert!(named.contains(&entry), "{:?}", verified.findings);
    }

    #[test]
    fn stored_balances_go_on_where_they_stopped(steps in prop::collection::vec(any_step(), 0..60)) {
        let mut balances = Balances::default();
        for entry in history(&steps) {
            balances.apply(&entry).unwrap();
        }
        let stored = balances.iter().map(|(account, balance)| (account, Fen(i64::try_from(balance).unwrap())));
        prop_assert_eq!(Balances::from_sums(stored.collect::<Vec<_>>()), balances);
    }
}
