//! The list of payment files, above it where all the money is: what is with the bank, paid, returned
//! and still to be paid. Each of these figures leads to the entries it counts.
//!
//! It lacks rules: what is done with a file stands on the file's page.

use askama::Template;
use axum::extract::{Query as UrlQuery, State};
use vocab::Fen;

use super::batch_queries::Sum;
use super::budget_pages::{Asked, asked, crumb, raw_query, region_name};
use super::outcome::{OutcomeRow, list_outcomes, sum_outcomes};
use super::payment_pages::READERS;
use super::payment_queries::{FileFilter, FileRow, count_files, list_files};
use super::state::{FileState, Outcome};
use crate::refusal::Error;
use crate::web::export::{Cell, logged, xlsx};
use crate::web::filters;
use crate::web::form::{Chip, Choice};
use crate::web::{Answer, App, Crumb, Page, Pager, Route, Visit, get, percent};

const ROWS: u32 = 30;
/// The most rows of one export.
const EXPORT_ROWS: u32 = 20_000;

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/payments", READERS, list),
        get("/payments/export.xlsx", READERS, export),
    ]
}

/// What is asked for: files, or the entries of one outcome; `all` for those of every one.
#[derive(Clone, Debug)]
struct Wanted {
    filter: FileFilter,
    entries: bool,
    outcome: Option<Outcome>,
}

impl Wanted {
    fn read(query: &Asked) -> Self {
        let outcome = Outcome::from_code(asked(query, "outcome"));
        Self {
            filter: FileFilter {
                text: asked(query, "q").chars().take(60).collect(),
                state: FileState::from_code(asked(query, "state")),
                by_amount: asked(query, "sort") == "amount",
            },
            entries: outcome.is_some() || asked(query, "outcome") == "all",
            outcome,
        }
    }

    /// As posted in the address; empty for the files.
    fn outcome_code(&self) -> &'static str {
        match self.outcome {
            Some(outcome) => outcome.code(),
            None if self.entries => "all",
            None => "",
        }
    }

    /// The address of the same filter with another state of files and another outcome.
    fn href(&self, state: Option<FileState>, outcome: &str) -> String {
        let sort = if self.filter.by_amount { "amount" } else { "" };
        let pairs = [
            ("state", state.map_or("", FileState::code).to_owned()),
            ("q", percent(&self.filter.text)),
            ("sort", sort.to_owned()),
            ("outcome", outcome.to_owned()),
        ];
        let pairs = pairs.iter().filter(|(_, value)| !value.is_empty());
        let query: Vec<String> = pairs.map(|(key, value)| format!("{key}={value}")).collect();
        if query.is_empty() {
            "/payments".to_owned()
        } else {
            format!("/payments?{}", query.join("&"))
        }
    }
}

/// A figure with the list it counts.
struct Figure {
    label: &'static str,
    sum: Sum,
    href: String,
    current: bool,
}

#[derive(Template)]
#[template(path = "fund/payments.html")]
struct ListPage {
    page: Page,
    crumbs: Vec<Crumb>,
    text: String,
    state: &'static str,
    outcome: &'static str,
    chips: Vec<Chip>,
    sorts: Vec<Choice>,
    figures: Vec<Figure>,
    whole: Figure,
    files: Vec<FileRow>,
    entries: Vec<OutcomeRow>,
    /// What the rows of all pages add up to.
    total: Fen,
    back: String,
    export: String,
    pager: Pager,
}

/// The outcomes' sums added up.
fn whole(sums: &[(Outcome, Sum)]) -> Sum {
    sums.iter().fold(Sum::default(), |all, (_, sum)| Sum {
        count: all.count + sum.count,
        amount: all.amount + sum.amount,
    })
}

async fn list(State(app): State<App>, visit: Visit, UrlQuery(query): UrlQuery<Asked>) -> Answer {
    let actor = visit.actor()?.clone();
    let wanted = Wanted::read(&query);
    let (raw, number) = (
        raw_query(&visit),
        asked(&query, "page").parse().unwrap_or(1),
    );
    let asking = wanted.clone();
    let (sums, files, entries, total, pager) = app
        .store
        .read(move |q| {
            let Wanted {
                filter, outcome, ..
            } = &asking;
            let sums = sum_outcomes(&**q, &actor, filter)?;
            let all = whole(&sums);
            let total = match outcome {
                _ if !asking.entries => count_files(&**q, &actor, filter)?,
                None => all,
                Some(outcome) => sums
                    .iter()
                    .find(|(it, _)| it == outcome)
                    .map_or_else(Sum::default, |(_, sum)| *sum),
            };
            let pager = Pager::new("/payments", &raw, number, ROWS, total.count);
            let (mut files, mut entries) = (Vec::new(), Vec::new());
            if asking.entries {
                entries = list_outcomes(&**q, &actor, filter, *outcome, ROWS, pager.offset())?;
            } else {
                files = list_files(&**q, &actor, filter, ROWS, pager.offset())?;
            }
            Ok::<_, Error>((sums, files, entries, total.amount, pager))
        })
        .await?;
    let state = wanted.filter.state;
    visit.show(&ListPage {
        page: Page::new(&app, &visit, "支付文件"),
        crumbs: vec![crumb("/budgets", "资金")],
        chips: chips(&wanted),
        sorts: [("", "按时间"), ("amount", "按金额")]
            .map(|(value, label)| Choice::new(value, label, asked(&query, "sort")))
            .into(),
        whole: Figure {
            label: "合计",
            sum: whole(&sums),
            href: wanted.href(state, "all"),
            current: wanted.entries && wanted.outcome.is_none(),
        },
        figures: figures(&wanted, &sums),
        back: wanted.href(state, ""),
        export: pager
            .base
            .replacen("/payments?", "/payments/export.xlsx?", 1),
        state: state.map_or("", FileState::code),
        outcome: wanted.outcome_code(),
        text: wanted.filter.text,
        files,
        entries,
        total,
        pager,
    })
}

fn chips(wanted: &Wanted) -> Vec<Chip> {
    let chip = |state: Option<FileState>| Chip {
        href: wanted.href(state, wanted.outcome_code()),
        label: state.map_or("全部", FileState::zh).to_owned(),
        count: None,
        current: state == wanted.filter.state,
    };
    std::iter::once(None)
        .chain(FileState::ALL.iter().copied().map(Some))
        .map(chip)
        .collect()
}

fn figures(wanted: &Wanted, sums: &[(Outcome, Sum)]) -> Vec<Figure> {
    let figure = |(outcome, sum): &(Outcome, Sum)| Figure {
        label: outcome.zh(),
        sum: *sum,
        href: wanted.href(wanted.filter.state, outcome.code()),
        current: wanted.outcome == Some(*outcome),
    };
    sums.iter().map(figure).collect()
}

async fn export(State(app): State<App>, visit: Visit, UrlQuery(query): UrlQuery<Asked>) -> Answer {
    let (actor, wanted) = (visit.actor()?.clone(), Wanted::read(&query));
    let entries = wanted.entries;
    let (files, rows) = app
        .store
        .read(move |q| {
            let Wanted {
                filter, outcome, ..
            } = &wanted;
            Ok::<_, Error>(if wanted.entries {
                let rows = list_outcomes(&**q, &actor, filter, *outcome, EXPORT_ROWS, 0)?;
                (Vec::new(), rows)
            } else {
                let files = list_files(&**q, &actor, filter, EXPORT_ROWS, 0)?;
                (files, Vec::new())
            })
        })
        .await?;
    if entries {
        let cells: Vec<Vec<Cell>> = rows.into_iter().map(entry_cells).collect();
        return logged(&app, &visit, "款项", &ENTRY_HEADERS, &cells).await;
    }
    let cells: Vec<Vec<Cell>> = files.into_iter().map(file_cells).collect();
    xlsx("支付文件", &FILE_HEADERS, &cells)
}

const FILE_HEADERS: [&str; 7] = [
    "文件编号",
    "批次",
    "区域",
    "状态",
    "生成日期",
    "笔数",
    "金额（元）",
];

fn file_cells(file: FileRow) -> Vec<Cell> {
    vec![
        file.number.into(),
        file.batch_title.into(),
        region_name(file.region).into(),
        file.state.zh().into(),
        crate::store::day_in_china(file.created_at)
            .to_string()
            .into(),
        (file.line_count as f64).into(),
        file.total.into(),
    ]
}

const ENTRY_HEADERS: [&str; 9] = [
    "户名",
    "办件号",
    "批次",
    "状态",
    "最近的支付文件",
    "行号",
    "日期",
    "退回原因",
    "金额（元）",
];

fn entry_cells(row: OutcomeRow) -> Vec<Cell> {
    let (number, line) = row.file.map(|(_, number, line)| (number, line)).unzip();
    vec![
        row.party_name.into(),
        row.case_number.into(),
        row.batch_title.into(),
        row.outcome.zh().into(),
        number.into(),
        line.map(|line| line as f64).into(),
        row.settled_on.map(|day| day.to_string()).into(),
        row.reason.into(),
        row.amount.into(),
    ]
}
