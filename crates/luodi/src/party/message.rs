//! Messages to a party: kept in the program, and announced by text message where a phone is known.
//!
//! It lacks the sending of text messages, which leave by the outbox (`gateway`).

use askama::Template;
use axum::extract::{RawQuery, State};
use jiff::Timestamp;
use serde_json::json;

use crate::access::{Actor, Rule};
use crate::gateway::{self, Channel, Letter, Template as Words};
use crate::ids::{CaseId, PartyId};
use crate::params;
use crate::refusal::{Error, Refusal, Result};
use crate::store::{Command, DataKey, Event, Query, Tx};
use crate::web::filters;
use crate::web::{Answer, App, Page, Pager, Posted, Route, Visit, get, post};

/// Rows on a page of the list.
const PAGE_ROWS: u32 = 30;
/// The longest title and body, in characters; what is longer is cut.
const TITLE: usize = 200;
const BODY: usize = 4_000;

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/my/messages", Rule::Applicant, show),
        post("/my/messages", Rule::Applicant, mark_read),
    ]
}

/// How a party is told of a message, read before it is.
pub struct Reach {
    party: PartyId,
    phone: Option<Vec<u8>>,
    /// Its data key, where a text message is to be sealed under it.
    key: Option<DataKey>,
}

/// How a party is told of a message now.
///
/// # Errors
/// Refuses where there is no such party.
pub fn reach(q: &dyn Query, party: PartyId) -> Result<Reach> {
    let sql = "SELECT phone_sealed FROM party WHERE id = ?1";
    let phone: Option<Option<Vec<u8>>> = q.row_opt(sql, params![party], |r| r.get(0))?;
    let phone = phone.ok_or_else(|| Refusal::not_found("没有这个主体，消息没有发出。"))?;
    let key = phone.as_ref().map(|_| q.data_key(party.0)).transpose()?;
    Ok(Reach { party, phone, key })
}

/// Leaves a message for a party; part of the command whose effect it tells. Where a phone is
/// known, a text message goes out that says there is one, and not what it says.
///
/// # Errors
/// Refuses where there is no such party.
pub fn notify(
    tx: &Tx<'_>,
    party: PartyId,
    case: Option<CaseId>,
    title: &str,
    body: &str,
) -> Result<()> {
    tell(tx, &reach(tx, party)?, case, title, body)
}

/// As [`notify`], where how the party is told was read before.
///
/// # Errors
/// A fault of the store.
pub fn tell(
    tx: &Tx<'_>,
    reach: &Reach,
    case: Option<CaseId>,
    title: &str,
    body: &str,
) -> Result<()> {
    let cut = |text: &str, longest: usize| text.chars().take(longest).collect::<String>();
    let columns = [
        ("id", tx.new_id().into()),
        ("party_id", reach.party.into()),
        ("case_id", case.into()),
        ("title", cut(title, TITLE).into()),
        ("body", cut(body, BODY).into()),
        ("created_at", tx.now().into()),
    ];
    tx.insert_alone("message", &columns)?;
    if let Some(key) = &reach.key {
        tx.lend_key(key);
    }
    let phone = reach.phone.clone();
    write_to(tx, reach.party, phone, Words::PartyMessage, Vec::new())
}

/// Sends a text message to the telephone of a party, where one is known.
fn write_to(
    tx: &Tx<'_>,
    party: PartyId,
    phone: Option<Vec<u8>>,
    template: Words,
    values: Vec<(&'static str, String)>,
) -> Result<()> {
    let Some(to) = phone else { return Ok(()) };
    let letter = Letter {
        owner: party.0,
        channel: Channel::Sms,
        to,
        template,
        values,
        good_until: None,
    };
    Ok(gateway::send(tx, &letter)?)
}

/// Sends a one-time password to the telephone of a party; part of the command that sets it.
pub(super) fn send_one_time(
    tx: &Tx<'_>,
    party: PartyId,
    login: &str,
    password: &str,
) -> Result<()> {
    let sql = "SELECT phone_sealed FROM party WHERE id = ?1";
    let phone: Option<Vec<u8>> = tx.row(sql, params![party], |r| r.get(0))?;
    let values = vec![
        ("login", login.to_owned()),
        ("password", password.to_owned()),
    ];
    write_to(tx, party, phone, Words::OneTimePassword, values)
}

/// A message as its reader sees it.
#[derive(Clone, Debug)]
pub struct Message {
    /// Its id.
    pub id: uuid::Uuid,
    /// The case it is about.
    pub case: Option<CaseId>,
    /// What it says first.
    pub title: String,
    /// The whole text.
    pub body: String,
    /// When it was left.
    pub created_at: Timestamp,
    /// Already read.
    pub read: bool,
}

fn page_of(q: &dyn Query, party: PartyId, limit: u32, offset: i64) -> Result<Vec<Message>> {
    Ok(q.rows(
        "SELECT id, case_id, title, body, created_at, read_at FROM message WHERE party_id = ?1 \
         ORDER BY created_at DESC, id DESC LIMIT ?2 OFFSET ?3",
        params![party, limit, offset],
        |r| {
            Ok(Message {
                id: r.get(0)?,
                case: r.get(1)?,
                title: r.get(2)?,
                body: r.get(3)?,
                created_at: r.get(4)?,
                read: r.get::<Option<i64>>(5)?.is_some(),
            })
        },
    )?)
}

/// The newest messages to the applicant's party; none for staff.
///
/// # Errors
/// The store's own.
pub fn recent_messages(q: &dyn Query, actor: &Actor, limit: u32) -> Result<Vec<Message>> {
    actor
        .party
        .map_or_else(|| Ok(Vec::new()), |party| page_of(q, party, limit, 0))
}

/// How many messages the applicant's party has not read.
///
/// # Errors
/// The store's own.
pub fn unread(q: &dyn Query, actor: &Actor) -> Result<u64> {
    let Some(party) = actor.party else {
        return Ok(0);
    };
    let sql = "SELECT COUNT(*) FROM message WHERE party_id = ?1 AND read_at IS NULL";
    Ok(q.row(sql, params![party], |r| r.get(0))?)
}

#[derive(Template)]
#[template(path = "party/messages.html")]
struct MessagesPage {
    page: Page,
    messages: Vec<Message>,
    unread: u64,
    pager: Pager,
}

async fn show(State(app): State<App>, visit: Visit, RawQuery(raw): RawQuery) -> Answer {
    let actor = visit.actor()?.clone();
    let raw = raw.unwrap_or_default();
    let number = raw
        .split('&')
        .find_map(|pair| pair.strip_prefix("page="))
        .and_then(|number| number.parse().ok())
        .unwrap_or(1);
    let (messages, unread, pager) = app
        .store
        .read(move |q| {
            let party = actor
                .party
                .ok_or_else(|| Refusal::not_found("没有消息。"))?;
            let sql = "SELECT COUNT(*) FROM message WHERE party_id = ?1";
            let total = q.row(sql, params![party], |r| r.get(0))?;
            let pager = Pager::new("/my/messages", &raw, number, PAGE_ROWS, total);
            let messages = page_of(q, party, PAGE_ROWS, pager.offset())?;
            Ok::<_, Error>((messages, unread(q, &actor)?, pager))
        })
        .await?;
    visit.show(&MessagesPage {
        page: Page::new(&app, &visit, "我的消息"),
        messages,
        unread,
        pager,
    })
}

async fn mark_read(State(app): State<App>, visit: Visit, posted: Posted) -> Answer {
    let actor = visit.actor()?.clone();
    let command = Command::new("message.mark_read", visit.now).once(posted.key());
    app.store
        .write_once(command, move |tx| mark_all_read(tx, &actor))
        .await?;
    Ok(visit.redirect("/my/messages", "已全部标为已读。"))
}

fn mark_all_read(tx: &Tx<'_>, actor: &Actor) -> Result<()> {
    let party = actor
        .party
        .ok_or_else(|| Refusal::not_found("没有消息。"))?;
    let sql = "UPDATE message SET read_at = ?1 WHERE party_id = ?2 AND read_at IS NULL";
    let read = tx.execute(sql, params![tx.now(), party])?;
    tx.event(Event {
        actor: actor.to_ref(),
        command: "message.mark_read",
        subject: ("party", party.0),
        detail: json!({ "messages": read }),
        rows: Vec::new(),
    });
    Ok(())
}
