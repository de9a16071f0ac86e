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
use crate::refusal::Error;
use crate::web::{Answer, App, Page, Visit, WebError, filters};

#[derive(Template)]
#[template(path = "item/guide.html")]
struct GuidePage {
    page: Page,
    offered: Offered,
    package: Arc<Package>,
    department: String,
    region: String,
    light: &'static str,
    words: String,
    open: bool,
    stages: String,
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
    visit.show(&GuidePage {
        page: Page::new(&app, &visit, package.item.name.clone()),
        department: department.map_or_else(|| package.item.authority.clone(), |found| found.name),
        region: vocab::region::find(offered.region)
            .map_or_else(String::new, |it| it.name.to_owned()),
        open: offered.is_open(visit.today()),
        stages: package.stages().join(" → "),
        drawing: drawing(&package.process),
        rates: package
            .policy
            .as_ref()
            .map_or_else(Vec::new, |policy| policy.rates()),
        rate_unit: package
            .policy
            .as_ref()
            .map_or_else(String::new, |it| it.rate_unit().to_owned()),
        documents: package.documents.values().map(|text| lines(text)).collect(),
        offered,
        package,
        light,
        words,
    })
}

/// A plain text in lines; one that begins with `#` is a heading.
fn lines(text: &str) -> Vec<Line> {
    let kept = text.lines().map(str::trim).filter(|line| !line.is_empty());
    kept.map(|line| Line {
        heading: line.starts_with('#'),
        text: line.trim_start_matches('#').trim().to_owned(),
    })
    .collect()
}
