//! The overview (概览) for leaders: cases by state, red lights and this year's budgets, county by
//! county. Every figure leads to the list it counts.
//!
//! It lacks targets and forecasts; those come with goals.

use askama::Template;
use axum::extract::State;
use jiff::civil::Date;
use vocab::region::Level;
use vocab::{Fen, RegionCode};

use super::paid::{paid_href, paid_in_year};
use super::queries::{BudgetFilter, Figures, sum_budgets};
use crate::access::{Actor, Role, Rule};
use crate::account;
use crate::casework::{self, CaseFigures, Counted};
use crate::refusal::Result;
use crate::store::Query;
use crate::web::filters;
use crate::web::{Answer, App, Page, Route, Visit, get};

use super::batch_queries::Sum;

const READERS: Rule = Rule::Staff(&[Role::Leader, Role::Approver, Role::Finance]);

/// Width of the chart's bars in its own units.
const WIDE: i128 = 1000;

pub(super) fn routes() -> Vec<Route> {
    vec![get("/overview", READERS, show)]
}

/// One county, or what is left to the city itself.
struct RegionRow {
    code: RegionCode,
    name: String,
    cases: CaseFigures,
    budgets: Figures,
    /// Without links: the remainder is no list of its own.
    remainder: bool,
    bar: Bar,
}

/// A budget as a bar: paid, promised, available; each with its start, in [`WIDE`] units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Bar {
    paid: i128,
    promised: i128,
    available: i128,
}

impl Bar {
    /// Shares of the largest budget, rounded down, so that no bar is longer than the chart.
    fn new(figures: &Figures, largest: Fen) -> Self {
        let share = |fen: Fen| match largest.0 {
            0 => 0,
            largest => i128::from(fen.0) * WIDE / i128::from(largest),
        };
        let promised = figures.committed + figures.payable + figures.in_payment;
        Self {
            paid: share(figures.paid),
            promised: share(promised),
            available: share(figures.available),
        }
    }

    fn promised_from(&self) -> i128 {
        self.paid
    }

    fn available_from(&self) -> i128 {
        self.paid + self.promised
    }
}

struct StateRow {
    code: &'static str,
    words: String,
    look: &'static str,
    counted: Counted,
}

#[derive(Template)]
#[template(path = "fund/overview.html")]
struct OverviewPage {
    page: Page,
    region: RegionCode,
    year: i16,
    total: CaseFigures,
    budgets: Figures,
    paid: Sum,
    paid_href: String,
    states: Vec<StateRow>,
    rows: Vec<RegionRow>,
}

struct Facts {
    total: CaseFigures,
    budgets: Figures,
    paid: Sum,
    counties: Vec<(RegionCode, CaseFigures, Figures)>,
}

fn load(q: &dyn Query, actor: &Actor, today: Date) -> Result<Facts> {
    let budgets_of = |region| {
        let filter = BudgetFilter {
            year: Some(i64::from(today.year())),
            region: Some(region),
            ..BudgetFilter::default()
        };
        sum_budgets(q, actor, &filter)
    };
    let mut codes: Vec<RegionCode> = account::departments(q, actor.region)?
        .into_iter()
        .map(|department| department.region)
        .filter(|region| region.level() == Level::County)
        .collect();
    codes.sort_unstable();
    codes.dedup();
    let mut counties = Vec::with_capacity(codes.len());
    for code in codes {
        let cases = casework::figures(q, actor, code, today)?;
        counties.push((code, cases, budgets_of(code)?));
    }
    Ok(Facts {
        total: casework::figures(q, actor, actor.region, today)?,
        budgets: budgets_of(actor.region)?,
        paid: paid_in_year(q, actor.region, today.year())?,
        counties,
    })
}

async fn show(State(app): State<App>, visit: Visit) -> Answer {
    let (actor, today) = (visit.actor()?.clone(), visit.today());
    let region = actor.region;
    let facts = app.store.read(move |q| load(&**q, &actor, today)).await?;
    let rows = rows(&facts, region);
    visit.show(&OverviewPage {
        page: Page::new(&app, &visit, "概览"),
        region,
        year: today.year(),
        paid_href: paid_href(region, today.year()),
        states: facts.total.by_state.iter().map(state_row).collect(),
        rows,
        total: facts.total,
        budgets: facts.budgets,
        paid: facts.paid,
    })
}

fn state_row((code, counted): &(&'static str, Counted)) -> StateRow {
    StateRow {
        code,
        words: casework::state::words(code).to_owned(),
        look: casework::state::look(code),
        counted: *counted,
    }
}

/// The counties, and what they leave to the city itself.
fn rows(facts: &Facts, region: RegionCode) -> Vec<RegionRow> {
    let mut rest = (facts.total.running, facts.total.red, facts.budgets);
    for (_, cases, budgets) in &facts.counties {
        rest = (
            less(rest.0, cases.running),
            less(rest.1, cases.red),
            minus(&rest.2, budgets),
        );
    }
    let mut all = facts.counties.clone();
    let own = rest.0.count > 0 || rest.2 != Figures::default();
    if own {
        let cases = CaseFigures {
            running: rest.0,
            red: rest.1,
            by_state: Vec::new(),
        };
        all.push((region, cases, rest.2));
    }
    let counties = facts.counties.len();
    let largest = all.iter().map(|(_, _, figures)| figures.budget).max();
    let largest = largest.unwrap_or(Fen::ZERO);
    let row =
        |(at, (code, cases, budgets)): (usize, (RegionCode, CaseFigures, Figures))| RegionRow {
            code,
            name: if at < counties {
                super::budget_pages::region_name(code)
            } else {
                "市本级".to_owned()
            },
            bar: Bar::new(&budgets, largest),
            remainder: at >= counties,
            cases,
            budgets,
        };
    all.into_iter().enumerate().map(row).collect()
}

fn less(all: Counted, part: Counted) -> Counted {
    Counted {
        count: all.count.saturating_sub(part.count),
        amount: all.amount - part.amount,
    }
}

fn minus(all: &Figures, part: &Figures) -> Figures {
    Figures {
        budget: all.budget - part.budget,
        available: all.available - part.available,
        committed: all.committed - part.committed,
        payable: all.payable - part.payable,
        in_payment: all.in_payment - part.in_payment,
        paid: all.paid - part.paid,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_never_longer_than_the_chart() {
        let figures = Figures {
            budget: Fen(1_000),
            available: Fen(333),
            committed: Fen(333),
            payable: Fen(1),
            in_payment: Fen(0),
            paid: Fen(333),
        };
        let bar = Bar::new(&figures, Fen(1_000));
        assert_eq!(
            (bar.paid, bar.promised_from(), bar.promised),
            (333, 333, 334)
        );
        assert_eq!((bar.available_from(), bar.available), (667, 333));
        let half = Bar::new(&figures, Fen(2_000));
        assert!(half.available_from() + half.available <= WIDE / 2);
        assert_eq!(Bar::new(&Figures::default(), Fen::ZERO), Bar::default());
    }
}
