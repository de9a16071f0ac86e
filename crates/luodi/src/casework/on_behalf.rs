//! Applying on behalf of a party at the window: the clerk chooses what the party applies for.

use askama::Template;
use axum::extract::{Path, Query as UrlQuery, State};
use serde::Deserialize;
use vocab::fold_width;

use super::draft::{self, ListedDraft};
use crate::access::{Role, Rule};
use crate::ids::PartyId;
use crate::item::{self, ListedItem};
use crate::party::{self, Party};
use crate::refusal::Error;
use crate::web::{Answer, App, Crumb, Lang, Page, Route, Visit, filters, get};

pub(super) fn routes() -> Vec<Route> {
    vec![get(
        "/parties/{party}/apply",
        Rule::Staff(&[Role::WindowClerk]),
        choose,
    )]
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Asked {
    q: String,
}

#[derive(Template)]
#[template(path = "casework/on_behalf.html")]
struct ChoosePage {
    page: Page,
    crumbs: Vec<Crumb>,
    party: Party,
    drafts: Vec<ListedDraft>,
    text: String,
    items: Vec<ListedItem>,
}

/// The items that take applications today; the guide and the form of each stay with the party.
async fn choose(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<PartyId>,
    UrlQuery(asked): UrlQuery<Asked>,
) -> Answer {
    let actor = visit.actor()?.clone();
    // What lies outside the window's region is for another window.
    let (home, today) = (actor.region, visit.today());
    let text: String = asked.q.trim().chars().take(60).collect();
    let wanted = fold_width(&text).to_lowercase();
    let (party, drafts, mut items) = app
        .store
        .read(move |q| {
            let party = party::find(&**q, &actor, id)?;
            let drafts = draft::of_actor(&**q, &actor, Some(id))?;
            let items = item::open_now(&**q, home, today, Lang::ZH)?;
            Ok::<_, Error>((party, drafts, items))
        })
        .await?;
    items.retain(|item| {
        let told = format!("{} {} {}", item.name, item.summary, item.region);
        let told = fold_width(&told).to_lowercase();
        wanted.split_whitespace().all(|word| told.contains(word))
    });
    visit.show(&ChoosePage {
        page: Page::new(&app, &visit, "代为申报"),
        crumbs: vec![
            Crumb {
                href: "/parties".to_owned(),
                label: "主体".to_owned(),
            },
            Crumb {
                href: format!("/parties/{id}"),
                label: party.name.clone(),
            },
        ],
        party,
        drafts,
        text,
        items,
    })
}
