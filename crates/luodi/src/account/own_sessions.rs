//! One's own open sessions: where each came from, since when, and its end.
//!
//! It lacks how a session begins (`session`).

use axum::extract::State;
use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use crate::access::{Actor, Rule};
use crate::ids::AccountId;
use crate::params;
use crate::refusal::{Refusal, Result};
use crate::store::{Command, Event, Query, Tx};
use crate::web::{Answer, App, Posted, Route, Visit, post};

use super::session::{Before, IDLE, close_all, token_hash};

pub(super) fn routes() -> Vec<Route> {
    vec![post("/account/sessions", Rule::SignedIn, change)]
}

/// A session that is open.
#[derive(Clone, Debug)]
pub(super) struct OpenSession {
    /// None for one from before sessions had ids.
    pub(super) id: Option<Uuid>,
    pub(super) created_at: Timestamp,
    pub(super) seen_at: Timestamp,
    pub(super) address: String,
    pub(super) browser: String,
    /// The one that asks.
    pub(super) current: bool,
}

/// The open sessions of an account, the latest first, and the log-in before the one that asks.
pub(super) fn list(
    q: &dyn Query,
    account: AccountId,
    now: Timestamp,
    token: &str,
) -> Result<(Vec<OpenSession>, Option<Before>)> {
    let own = token_hash(token);
    let rows = q.rows(
        "SELECT id, created_at, seen_at, address, agent, token_hash, previous_at, previous_from, \
           failed_before FROM session \
         WHERE account_id = ?1 AND expires_at > ?2 AND seen_at > ?3 ORDER BY created_at DESC LIMIT 50",
        params![account, now, now - IDLE],
        |r| {
            let agent: Option<String> = r.get(4)?;
            let session = OpenSession {
                id: r.get(0)?,
                created_at: r.get(1)?,
                seen_at: r.get(2)?,
                address: r.get::<Option<String>>(3)?.unwrap_or_default(),
                browser: browser(&agent.unwrap_or_default()),
                current: r.get::<Vec<u8>>(5)? == own,
            };
            let before = Before {
                at: r.get(6)?,
                address: r.get(7)?,
                failed: r.get::<Option<i64>>(8)?.unwrap_or_default(),
            };
            Ok((session, before))
        },
    )?;
    let before = rows.iter().find(|(session, _)| session.current);
    let before = before.map(|(_, before)| before.clone());
    Ok((
        rows.into_iter().map(|(session, _)| session).collect(),
        before,
    ))
}

/// What people call a browser and the system it runs on.
fn browser(agent: &str) -> String {
    let first = |names: &[(&str, &'static str)]| {
        names
            .iter()
            .find(|(mark, _)| agent.contains(mark))
            .map(|(_, name)| *name)
    };
    let program = first(&[
        ("MicroMessenger", "微信"),
        ("Edg/", "Edge"),
        ("Firefox/", "Firefox"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
    ]);
    let system = first(&[
        ("Windows", "Windows"),
        ("HarmonyOS", "HarmonyOS"),
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Mac OS X", "macOS"),
        ("Linux", "Linux"),
    ]);
    match (program, system) {
        (Some(program), Some(system)) => format!("{program}（{system}）"),
        (Some(name), None) | (None, Some(name)) => name.to_owned(),
        (None, None) if agent.is_empty() => "未知".to_owned(),
        (None, None) => agent.chars().take(40).collect(),
    }
}

/// Ends one of one's own sessions.
///
/// # Errors
/// Refuses where it has ended already or is another's.
fn end_one(tx: &Tx<'_>, actor: &Actor, id: Uuid) -> Result<()> {
    let ended = tx.execute(
        "UPDATE session SET expires_at = ?1, mark = NULL \
         WHERE id = ?2 AND account_id = ?3 AND expires_at > ?1",
        params![tx.now(), id, actor.account_id()],
    )?;
    if ended == 0 {
        return Err(Refusal::not_found("这次登录已经退出。请刷新页面查看现在的登录。").into());
    }
    event(tx, actor, ended);
    Ok(())
}

/// Ends all of one's own sessions but the one that asks.
fn end_others(tx: &Tx<'_>, actor: &Actor, token: &str) -> Result<()> {
    let ended = close_all(tx, actor.account_id(), Some(token_hash(token)))?;
    event(tx, actor, ended);
    Ok(())
}

fn event(tx: &Tx<'_>, actor: &Actor, ended: u64) {
    tx.event(Event {
        actor: actor.to_ref(),
        command: "session.end",
        subject: ("account", actor.account_id().0),
        detail: json!({ "sessions": ended }),
        rows: Vec::new(),
    });
}

async fn change(State(app): State<App>, visit: Visit, posted: Posted) -> Answer {
    let actor = visit.actor()?.clone();
    let command = Command::new("session.end", visit.now).once(posted.key());
    if posted.get("action") == "end_others" {
        let token = visit.token.clone().unwrap_or_default();
        app.store
            .write_once(command, move |tx| end_others(tx, &actor, &token))
            .await?;
        return Ok(visit.redirect("/account", "其他地方的登录都已退出。"));
    }
    let id = posted.id::<Uuid>("session")?;
    app.store
        .write_once(command, move |tx| end_one(tx, &actor, id))
        .await?;
    Ok(visit.redirect("/account", "这次登录已退出。"))
}

#[cfg(test)]
mod tests {
    use super::browser;

    #[test]
    fn browsers_are_called_by_their_names() {
        for (agent, name) in [
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36 Edg/140.0",
                "Edge（Windows）",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605 Version/18 Mobile Safari/604.1",
                "Safari（iPhone）",
            ),
            ("curl/8.5", "curl/8.5"),
            ("", "未知"),
        ] {
            assert_eq!(browser(agent), name, "{agent}");
        }
    }
}
