//! The machine's clock as the city knows it: what is odd about it, and the system administrator's
//! word that it is right.
//!
//! Time itself is the shell's (`web::Clock`); what the store remembers of it, the store's. A
//! demonstration believes every clock: it is made for one day and looked at on another.

use askama::Template;
use axum::extract::State;
use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;
use vocab::RegionCode;

use crate::access::{Actor, ActorKind, Role, Rule, may_administer};
use crate::refusal::{Error, Refusal, Result};
use crate::store::{Command, Event, Query, StoreError, Tx, known_time, last_recorded, note_time};
use crate::web::{
    Answer, App, Known, LEAP_MS, Odd, Page, Posted, Route, Visit, filters, get, post,
};

const SYSTEM: Rule = Rule::Staff(&[Role::SystemAdmin]);

/// The routes of this domain.
pub fn routes() -> Vec<Route> {
    vec![get("/clock", SYSTEM, show), post("/clock", SYSTEM, believe)]
}

/// Begins to serve with what the store knows of time.
///
/// # Errors
/// A fault of the store.
pub fn begin(app: &App) -> Result<(), StoreError> {
    let believes = app.site.demo;
    let known = app.store.read_blocking(|q| {
        Ok::<_, StoreError>(Known {
            confirmed: known_time(&**q)?,
            recorded: last_recorded(&**q)?,
            believes,
        })
    })?;
    app.clock.begin(known);
    if let (_, Some(odd)) = app.clock.look() {
        tracing::warn!("the machine's clock: {odd:?}");
    }
    Ok(())
}

/// Notes that the clock is right; where it waits for somebody's word, looks whether that was given,
/// here or on another server.
///
/// # Errors
/// A fault of the store.
pub async fn keep(app: &App) -> Result<(), Error> {
    let (now, odd) = app.clock.look();
    match odd {
        Some(Odd::Ahead { .. }) => {
            let confirmed = app.store.read(|q| known_time(q)).await?;
            if let Some(confirmed) = confirmed {
                app.clock.confirm(confirmed);
            }
        }
        Some(Odd::Behind { .. }) => {}
        None => {
            let command = Command::new("clock.note", now);
            app.store
                .write(command, move |tx| note_time(tx, now))
                .await?;
        }
    }
    Ok(())
}

/// Confirms that the machine's clock, which says `says`, is right.
///
/// # Errors
/// Refuses another than the system administrator of the whole city.
pub fn confirm(tx: &Tx<'_>, actor: &Actor, city: RegionCode, says: Timestamp) -> Result<()> {
    if matches!(actor.kind, ActorKind::Account(_)) && !is_theirs(actor, city) {
        let message = "系统时钟由市级系统管理员确认，请与其联系。";
        return Err(Refusal::forbidden("clock-city", message).into());
    }
    let known = known_before(tx)?;
    note_time(tx, says)?;
    tx.event(Event {
        actor: actor.to_ref(),
        command: "clock.confirm",
        subject: ("city", Uuid::nil()),
        detail: json!({ "known": known.map(|at| at.to_string()), "says": says.to_string() }),
        rows: Vec::new(),
    });
    Ok(())
}

fn known_before(q: &dyn Query) -> Result<Option<Timestamp>, StoreError> {
    Ok(known_time(q)?.or(last_recorded(q)?))
}

#[derive(Template)]
#[template(path = "clock/show.html")]
struct ClockPage {
    page: Page,
    now: Timestamp,
    odd: Option<Odd>,
    /// Whether it is the visitor's to confirm.
    may_confirm: bool,
}

/// The clock is the whole city's: a county's administrator only sees it.
fn is_theirs(actor: &Actor, city: RegionCode) -> bool {
    actor.has(Role::SystemAdmin) && may_administer(actor, city)
}

async fn show(State(app): State<App>, visit: Visit) -> Answer {
    let (now, odd) = app.clock.look();
    visit.show(&ClockPage {
        page: Page::new(&app, &visit, "系统时钟"),
        now,
        odd,
        may_confirm: is_theirs(visit.actor()?, app.site.region),
    })
}

async fn believe(State(app): State<App>, visit: Visit, form: Posted) -> Answer {
    let actor = visit.actor()?.clone();
    let seen: Option<i64> = form.get("says").parse().ok();
    let (_, odd) = app.clock.look();
    let (Some(Odd::Ahead { says, .. }), Some(seen)) = (odd, seen) else {
        let message = "系统时钟现在没有需要确认的。请刷新页面看最新情况。";
        return Err(Refusal::conflict("clock-settled", message).into());
    };
    if (says.as_millisecond() - seen).abs() > LEAP_MS {
        let message = "系统时钟在您核对之后又变了，没有确认。请刷新页面，重新核对后再确认。";
        return Err(Refusal::conflict("clock-changed", message).into());
    }
    let city = app.site.region;
    let command = Command::new("clock.confirm", visit.now).once(form.key());
    app.store
        .write_once(command, move |tx| confirm(tx, &actor, city, says))
        .await?;
    app.clock.confirm(says);
    Ok(visit.redirect("/clock", "已确认系统时钟，到期的事项继续办理。"))
}
