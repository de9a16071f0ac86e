//! Stories that read like a ledger page: what finance does, line by line, and what is left where.
//!
//! A page has one movement a line (`commit A 300.00`), with `-> code` where it is refused; a line
//! `= A …` states every figure of a budget line that is not zero. `reverse N` takes back the N-th entry.

use vocab::Fen;

use crate::{Balances, BudgetLine, Entry, EntryId, LineFigures, Movement, post, verify};

struct Book {
    balances: Balances,
    entries: Vec<Entry>,
}

fn check(page: &str) {
    let mut book = Book {
        balances: Balances::default(),
        entries: Vec::new(),
    };
    for line in page.lines().map(str::trim).filter(|line| !line.is_empty()) {
        match line.strip_prefix('=') {
            Some(figures) => book.check_figures(figures, line),
            None => book.act(line),
        }
    }
    let ids = book.entries.iter().enumerate();
    let journal = ids.flat_map(|(at, e)| {
        e.postings()
            .iter()
            .map(move |p| (EntryId(at as u128 + 1), *p))
    });
    let verified = verify(journal);
    assert!(verified.is_ok(), "{:?}", verified.findings);
}

impl Book {
    fn act(&mut self, line: &str) {
        let (movement, refusal) = line
            .split_once("->")
            .map_or((line, None), |(m, r)| (m, Some(r.trim())));
        let words: Vec<&str> = movement.split_whitespace().collect();
        let posted = post(&self.balances, self.movement(&words));
        assert_eq!(
            posted.as_ref().err().map(|refused| refused.code()),
            refusal,
            "{line}"
        );
        if let Ok(entry) = posted {
            self.balances.apply(&entry).unwrap();
            self.entries.push(entry);
        }
    }

    fn movement(&self, words: &[&str]) -> Movement {
        if let ["reverse", number] = words {
            let at: usize = number.parse().unwrap();
            return Movement::Reverse {
                id: EntryId(at as u128),
                of: self.entries[at - 1].clone(),
            };
        }
        let line = budget_line(words[1]);
        let amount = Fen::parse_yuan(words.last().unwrap()).unwrap();
        match words[0] {
            "adopt" => Movement::Adopt { line, amount },
            "adjust" => Movement::Adjust {
                line,
                difference: amount,
            },
            "commit" => Movement::Commit { line, amount },
            "release" => Movement::Release { line, amount },
            "make-payable" => Movement::MakePayable { line, amount },
            "withdraw-payable" => Movement::WithdrawPayable { line, amount },
            "send" => Movement::Send { line, amount },
            "settle" => Movement::Settle { line, amount },
            "return" => Movement::Return { line, amount },
            "carry-over" => Movement::CarryOver {
                from: line,
                to: budget_line(words[2]),
                amount,
            },
            other => panic!("no movement {other}"),
        }
    }

    fn check_figures(&self, text: &str, line: &str) {
        let words: Vec<&str> = text.split_whitespace().collect();
        let (name, pairs) = words.split_first().unwrap();
        let mut expected = LineFigures::default();
        for pair in pairs.chunks(2) {
            let fen = i128::from(Fen::parse_yuan(pair[1]).unwrap().0);
            match pair[0] {
                "budget" => expected.budget = fen,
                "available" => expected.available = fen,
                "committed" => expected.committed = fen,
                "payable" => expected.payable = fen,
                "in-payment" => expected.in_payment = fen,
                "paid" => expected.paid = fen,
                other => panic!("no figure {other}"),
            }
        }
        assert_eq!(self.balances.figures(budget_line(name)), expected, "{line}");
        assert!(expected.adds_up(), "{line}");
    }
}

fn budget_line(name: &str) -> BudgetLine {
    BudgetLine(name.bytes().next().map(u128::from).unwrap())
}

#[test]
fn a_subsidy_from_budget_to_bank() {
    check(
        "adopt        A 1,000,000.00
         commit       A    14,300.00
         = A budget 1,000,000.00 available 985,700.00 committed 14,300.00
         make-payable A    14,300.00
         send         A    14,300.00
         = A budget 1,000,000.00 available 985,700.00 in-payment 14,300.00
         settle       A    14,300.00
         = A budget 1,000,000.00 available 985,700.00 paid 14,300.00",
    );
}

#[test]
fn a_returned_payment_is_sent_again() {
    check(
        "adopt        A 500.00
         commit       A 300.00
         make-payable A 300.00
         send         A 300.00
         settle       A 200.00
         return       A 100.00
         = A budget 500.00 available 200.00 payable 100.00 paid 200.00
         send         A 100.00
         settle       A 100.00
         = A budget 500.00 available 200.00 paid 300.00",
    );
}

#[test]
fn never_more_than_the_budget() {
    check(
        "commit       A   0.01 -> over-budget
         adopt        A 100.00
         commit       A 100.01 -> over-budget
         commit       A 100.00
         commit       A   0.01 -> over-budget
         release      A 100.01 -> over-commitment
         make-payable A 100.01 -> over-commitment
         make-payable A  60.00
         send         A  60.01 -> nothing-payable
         send         A  60.00
         settle       A  60.01 -> nothing-in-payment
         return       A  60.01 -> nothing-in-payment
         withdraw-payable A 0.01 -> nothing-payable
         = A budget 100.00 committed 40.00 in-payment 60.00",
    );
}

#[test]
fn an_objection_upheld_frees_the_money() {
    check(
        "adopt            A 100.00
         commit           A  80.00
         make-payable     A  80.00
         withdraw-payable A  30.00
         release          A  30.00
         = A budget 100.00 available 50.00 payable 50.00",
    );
}

#[test]
fn a_budget_is_cut_only_by_what_is_available() {
    check(
        "adopt  A 100.00
         commit A  70.00
         adjust A -30.01 -> over-budget
         adjust A -30.00
         adjust A   5.00
         adjust A   0.00 -> amount-not-positive
         = A budget 75.00 available 5.00 committed 70.00",
    );
}

#[test]
fn amounts_are_above_zero_and_within_range() {
    check(
        "adopt  A  0.00 -> amount-not-positive
         adopt  A -1.00 -> amount-not-positive
         adjust A -92233720368547758.08 -> overflow
         adopt  A 92233720368547758.07
         adjust A 0.01 -> overflow
         commit A -1.00 -> amount-not-positive
         commit A 92233720368547758.07
         = A budget 92233720368547758.07 committed 92233720368547758.07",
    );
}

#[test]
fn unpaid_commitments_go_over_to_the_next_year() {
    check(
        "adopt      A 100.00
         commit     A  40.00
         carry-over A B 40.01 -> over-commitment
         carry-over A A 40.00 -> same-line
         carry-over A B 40.00
         = A budget 60.00 available 60.00
         = B budget 40.00 committed 40.00
         adopt      B 200.00
         = B budget 240.00 available 200.00 committed 40.00",
    );
}

#[test]
fn a_mistake_is_taken_back_by_its_counter_entry() {
    check(
        "adopt   A 100.00
         commit  A  40.00
         reverse 2
         = A budget 100.00 available 100.00
         reverse 3 -> reversal-of-reversal
         commit  A  50.00
         make-payable A 50.00
         reverse 4 -> over-commitment
         reverse 5
         reverse 4
         reverse 1
         = A ",
    );
}

#[test]
fn a_payment_wrongly_reported_as_paid_goes_back_to_the_bank() {
    check(
        "adopt        A 10.00
         commit       A 10.00
         make-payable A 10.00
         send         A 10.00
         settle       A 10.00
         reverse      5
         = A budget 10.00 in-payment 10.00
         reverse      5 -> nothing-paid
         return       A 10.00
         = A budget 10.00 payable 10.00",
    );
}

#[test]
fn lines_do_not_mix() {
    check(
        "adopt  A 10.00
         adopt  B 20.00
         commit A 10.01 -> over-budget
         commit B 20.00
         = A budget 10.00 available 10.00
         = B budget 20.00 committed 20.00",
    );
}
