//! Service items for programs: what can be applied for, and the form that is to be filled in.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::IntoResponse;
use jiff::civil::Date;
use serde::Serialize;
use utoipa::ToSchema;

use super::package::Package;
use super::queries::{self, Offered};
use crate::access::Rule;
use crate::form::{Choice, Field, FieldKind};

use crate::ids::ItemId;
use crate::refusal::Error;
use crate::web::{Answer, App, Problem, Route, Visit, get};

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/api/items", Rule::Public, list),
        get("/api/items/{id}", Rule::Public, show),
    ]
}

/// What can be applied for.
#[derive(Serialize, ToSchema)]
pub struct ItemList {
    items: Vec<ListedItem>,
}

/// An item in the list.
#[derive(Serialize, ToSchema)]
pub struct ListedItem {
    id: String,
    /// The package's code.
    code: String,
    name: String,
    summary: String,
    /// Region code (GB/T 2260).
    region: String,
    /// The first day of applications.
    opens_on: Option<String>,
    /// The last day of applications.
    closes_on: Option<String>,
    /// Whether applications are taken today.
    open: bool,
}

/// One item with its form.
#[derive(Serialize, ToSchema)]
pub struct ItemView {
    #[serde(flatten)]
    item: ListedItem,
    /// The promised limit in working days.
    promised_working_days: u32,
    fields: Vec<FieldView>,
}

/// A field of the form; a file field is sent as a part of that name.
#[derive(Serialize, ToSchema)]
pub struct FieldView {
    key: String,
    label: String,
    /// Without a value the application is refused.
    required: bool,
    /// text, number, date, choice, checkbox, list or file.
    kind: &'static str,
    /// The codes of a choice.
    options: Vec<String>,
    unit: String,
    /// The class of personal data it holds; encrypted at rest.
    class: Option<&'static str>,
}

impl FieldView {
    fn new(field: &Field) -> Self {
        let codes = |options: &[Choice]| options.iter().map(|one| one.value.clone()).collect();
        let (kind, options) = match &field.kind {
            FieldKind::Text { .. } | FieldKind::Paragraph { .. } => ("text", Vec::new()),
            FieldKind::Number { .. } => ("number", Vec::new()),
            FieldKind::Date { .. } => ("date", Vec::new()),
            FieldKind::Choice { options, .. } => ("choice", codes(options)),
            FieldKind::Checklist { options } => ("choices", codes(options)),
            FieldKind::Checkbox => ("checkbox", Vec::new()),
            FieldKind::List { .. } => ("list", Vec::new()),
            FieldKind::File { .. } => ("file", Vec::new()),
        };
        Self {
            key: field.key.clone(),
            label: field.label.clone(),
            required: field.required,
            kind,
            options,
            unit: field.unit.clone(),
            class: field.class.map(|class| class.code()),
        }
    }
}

fn listed(offered: &Offered, package: &Package, today: Date) -> ListedItem {
    ListedItem {
        id: offered.id.to_string(),
        code: offered.code.clone(),
        name: package.item.name.clone(),
        summary: package.item.summary.clone(),
        region: offered.region.to_string(),
        opens_on: offered.opens_on.map(|day| day.to_string()),
        closes_on: offered.closes_on.map(|day| day.to_string()),
        open: offered.is_open(today),
    }
}

/// Items that are offered.
#[utoipa::path(get, path = "/api/items", tag = "items", responses((status = 200, body = ItemList)))]
pub(crate) async fn list(State(app): State<App>, visit: Visit) -> Answer {
    let today = visit.today();
    let read = app.store.read(move |q| {
        let offers = queries::current_items(&**q)?;
        let items = offers.iter().map(|offered| {
            let package = queries::load(&**q, &offered.hash)?;
            Ok::<_, Error>(listed(offered, &package, today))
        });
        items.collect::<Result<Vec<_>, _>>()
    });
    let list = ItemList { items: read.await? };
    Ok(Json(list).into_response())
}

/// One item with the fields of its form.
#[utoipa::path(get, path = "/api/items/{id}", tag = "items", params(("id" = String, Path)),
    responses((status = 200, body = ItemView), (status = 404, body = Problem)))]
pub(crate) async fn show(State(app): State<App>, visit: Visit, Path(id): Path<ItemId>) -> Answer {
    let today = visit.today();
    let read = app.store.read(move |q| {
        let offered = queries::find_item(&**q, id)?;
        let package = queries::load(&**q, &offered.hash)?;
        Ok::<_, Error>(ItemView {
            item: listed(&offered, &package, today),
            promised_working_days: package.item.promised_working_days,
            fields: package.form.fields().map(FieldView::new).collect(),
        })
    });
    Ok(Json(read.await?).into_response())
}
