//! The guide (办事指南) of an item: conditions, papers, procedure, limits, basis and the standard in
//! force, with the way to apply.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};

use super::deadline;
use crate::account;
use crate::ids::ItemId;
use crate::item::diagram::{Drawing, drawing};
use crate::item::package::Package;
use crate::item::policy::Rate;
use crate::item::queries::{Offered, find_item, load};
use crate::item::spec::Item;
use crate::refusal::Error;
use crate::web::{Answer, App, Page, Visit, WebError, filters};

#[derive(Template)]
#[template(path = "item/guide.html")]
struct GuidePage {
    page: Page,
    offered: Offered,
    package: Arc<Package>,
    item: Item,
    audience: String,
    /// What the policy says of its figures.
    note: String,
    department: String,
    region: String,
    light: &'static str,
    words: String,
    open: bool,
    stages: Vec<String>,
    /// The package has no English texts for an English page.
    in_chinese: bool,
    drawing: Option<Drawing>,
    rates: Vec<Rate>,
    rate_unit: String,
    documents: Vec<Vec<Line>>,
}

/// A line of a text for applicants.
#[derive(Debug, PartialEq, Eq)]
struct Line {
    heading: bool,
    text: String,
}

pub(super) async fn show(State(app): State<App>, visit: Visit, Path(id): Path<String>) -> Answer {
    let id: ItemId = id
        .parse()
        .map_err(|_| WebError::not_found().with_visit(&visit))?;
    let load = app.store.read(move |q| {
        let offered = find_item(q, id)?;
        let package = load(q, &offered.hash)?;
        let department = account::department(q, offered.department)?;
        Ok::<_, Error>((offered, package, department))
    });
    let (offered, package, department) = load
        .await
        .map_err(|error| WebError::from(error).with_visit(&visit))?;
    let (light, words) = deadline(&offered, visit.today(), visit.lang);
    let (lang, item) = (visit.lang, package.item.told(visit.lang));
    let tell = |text: &str| package.item.tell(text, lang);
    let policy = package.policy.as_ref();
    let rates = policy.map_or_else(Vec::new, |policy| policy.rates());
    let documents = package.documents.values().map(|text| lines(text, tell));
    visit.show(&GuidePage {
        page: Page::new(&app, &visit, item.name.clone()),
        audience: item.audience_text(lang),
        note: policy.map_or_else(String::new, |policy| tell(&policy.settings.note)),
        department: department.map_or_else(|| item.authority.clone(), |found| found.name),
        region: lang.region(offered.region),
        open: offered.is_open(visit.today()),
        stages: package.stages().iter().map(|stage| tell(stage)).collect(),
        drawing: drawing(&package.process, tell),
        rates: rates
            .into_iter()
            .map(|rate| Rate {
                label: tell(&rate.label),
                basis: rate.basis.iter().map(|basis| tell(basis)).collect(),
                ..rate
            })
            .collect(),
        rate_unit: policy.map_or_else(String::new, |it| tell(it.rate_unit())),
        documents: documents.collect(),
        in_chinese: lang.is_english() && item.english.is_empty(),
        offered,
        item,
        package: package.clone(),
        light,
        words,
    })
}

/// A plain text in lines; one that begins with `#` is a heading.
fn lines(text: &str, tell: impl Fn(&str) -> String) -> Vec<Line> {
    let kept = text.lines().map(str::trim).filter(|line| !line.is_empty());
    kept.map(|line| Line {
        heading: line.starts_with('#'),
        text: tell(line.trim_start_matches('#').trim()),
    })
    .collect()
}
