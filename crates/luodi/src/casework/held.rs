//! A task that somebody has taken to himself (领取): taking, giving back, and taking over from who
//! is away and whose stand-in one is (AB角).
//!
//! A task nobody took is done by whoever of the department holds its role, as ever. Taking gives no
//! role and lifts no duty: both are checked of the person who acts.

use axum::extract::{Path, State};
use jiff::civil::Date;
use serde_json::json;

use super::commands::{may_complete, task_spec};
use super::duty::{Duty, check_duty};
use super::engine::changed_meanwhile;
use super::queries::{CaseRow, TaskRow, load_case, load_task};
use super::work::CASE_WORKERS;
use crate::access::{Actor, Role, Rule};
use crate::account;
use crate::ids::{AccountId, CaseId, TaskId};
use crate::item;
use crate::params;
use crate::refusal::{Refusal, Result, last_of};
use crate::store::{Command, Event, Query, Tx};
use crate::web::{Answer, App, Posted, Route, Visit, civil, post};

pub(super) fn routes() -> Vec<Route> {
    let staff = Rule::Staff(CASE_WORKERS);
    vec![
        post("/cases/{case}/tasks/{task}/take", staff, take_pages),
        post("/cases/{case}/tasks/{task}/release", staff, release_pages),
    ]
}

/// Who has taken a task, as far as another officer needs to know.
#[derive(Clone, Debug)]
pub(super) struct Holder {
    /// The task.
    pub(super) task: TaskRow,
    /// His name.
    pub(super) name: String,
    /// What the visitor may do about it.
    pub(super) way: Way,
}

/// How a task that another has taken may be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// He is away, and the visitor stands in for him.
    StandIn,
    /// He does this work no more: locked, or without the role.
    Left,
    /// Not at all: he is there.
    None,
}

/// How the actor may have what `holder` has taken.
fn way(q: &dyn Query, actor: &Actor, task: &TaskRow, holder: AccountId, day: Date) -> Result<Way> {
    let stands = account::stands_in_for(q, actor.account_id(), day)?;
    if stands.iter().any(|(away, _)| *away == holder) {
        return Ok(Way::StandIn);
    }
    let works = match Role::from_code(&task.role) {
        Some(role) => account::still_works(q, holder, role)?,
        None => true,
    };
    Ok(if works { Way::None } else { Way::Left })
}

/// Who else has taken a task, for the page of its case.
pub(super) fn holder(
    q: &dyn Query,
    actor: &Actor,
    task: &TaskRow,
    day: Date,
) -> Result<Option<Holder>> {
    let Some(by) = task.held_by.filter(|by| *by != actor.account_id()) else {
        return Ok(None);
    };
    Ok(Some(Holder {
        name: account::name_of(q, by)?,
        way: way(q, actor, task, by, day)?,
        task: task.clone(),
    }))
}

/// Refuses where another has taken the task; `seen` is the version of it the page showed. Asks
/// nothing of the store where nobody else has.
///
/// # Errors
/// Refused with `task-held`, or with `task-taken` where it was taken after the page was shown; or a
/// fault of the store.
pub(super) fn refuse_held(q: &dyn Query, actor: &Actor, task: &TaskRow, seen: i64) -> Result<()> {
    match task.held_by {
        Some(by) if by != actor.account_id() => Err(held_refusal(q, task, by, seen)?.into()),
        _ => Ok(()),
    }
}

fn held_refusal(q: &dyn Query, task: &TaskRow, by: AccountId, seen: i64) -> Result<Refusal> {
    if seen < task.version {
        return taken_meanwhile(q, task, by);
    }
    let message = format!(
        "「{}」已由{}领取办理。请与其联系放回；其请假期间由登记的代理人在办件页接手。",
        task.name,
        account::name_of(q, by)?
    );
    Ok(Refusal::forbidden("task-held", message))
}

/// The loser of a race learns who took the task, and when.
fn taken_meanwhile(q: &dyn Query, task: &TaskRow, by: AccountId) -> Result<Refusal> {
    let taken = last_of(q, "case.take_task", ("casework", task.case.0))?;
    let when = taken.map_or_else(String::new, |event| {
        civil(event.at).strftime(" %Y-%m-%d %H:%M ").to_string()
    });
    let message = format!(
        "您打开页面以后，「{}」已由{}{when}领取办理，您的操作没有生效。请与其联系放回后再办。",
        task.name,
        account::name_of(q, by)?
    );
    Ok(Refusal::conflict("task-taken", message))
}

/// How the case names who does the task: with whom he stands in for.
pub(super) fn done_by(q: &dyn Query, actor: &Actor, task: &TaskRow) -> Result<String> {
    Ok(match task.stand_in_for {
        None => actor.name.clone(),
        Some(away) => format!("{}（代{}）", actor.name, account::name_of(q, away)?),
    })
}

/// Says for whom a task is done in what the log tells of it.
pub(super) fn tell_stand_in(detail: &mut serde_json::Value, stand_in_for: Option<AccountId>) {
    if let (Some(away), Some(facts)) = (stand_in_for, detail.as_object_mut()) {
        facts.insert("stand_in_for".into(), json!(away.0.to_string()));
    }
}

/// Takes a task to oneself, so that no colleague begins it, too; as the stand-in of who is away,
/// takes his over without his release.
///
/// # Errors
/// Refused where the actor may not do the task, has a duty in the case that excludes it, another has
/// taken it and is there, or the page is stale.
pub(super) fn take(
    tx: &Tx<'_>,
    actor: &Actor,
    id: CaseId,
    task: TaskId,
    version: i64,
) -> Result<String> {
    let (case, task) = waiting(tx, actor, id, task)?;
    let package = item::load(tx, &case.item_hash)?;
    if let Some(duty) = Duty::from_code(&task_spec(&package, &task)?.duty) {
        check_duty(tx, case.id, actor.account_id(), duty)?;
    }
    let stand_in_for = match task.held_by {
        None => None,
        Some(by) if by == actor.account_id() => {
            let message = "这项任务您已经领取，可以直接办理。";
            return Err(Refusal::conflict("task-held-already", message).into());
        }
        Some(by) => match way(tx, actor, &task, by, tx.today())? {
            // Whose work it is does not change where a stand-in is away himself.
            Way::StandIn => Some(task.stand_in_for.unwrap_or(by)),
            Way::Left => task.stand_in_for,
            Way::None => return Err(held_refusal(tx, &task, by, version)?.into()),
        },
    };
    let held = Some(actor.account_id());
    set(tx, actor, &task, version, (held, stand_in_for))?;
    Ok(match stand_in_for {
        None => format!("「{}」已由您领取，其他人不能再办理。", task.name),
        Some(of) => {
            let name = account::name_of(tx, of)?;
            format!("「{}」已由您代{name}接手，办理时会注明。", task.name)
        }
    })
}

/// Gives a task back to all who hold its role.
///
/// # Errors
/// Refused where another has taken it, nobody has, or the page is stale.
pub(super) fn release(
    tx: &Tx<'_>,
    actor: &Actor,
    id: CaseId,
    task: TaskId,
    version: i64,
) -> Result<String> {
    let (_, task) = waiting(tx, actor, id, task)?;
    refuse_held(tx, actor, &task, version)?;
    if task.held_by.is_none() {
        let message = "这项任务没有被领取，不需要放回。请刷新页面。";
        return Err(Refusal::conflict("task-not-held", message).into());
    }
    set(tx, actor, &task, version, (None, None))?;
    Ok(format!("「{}」已放回，同岗位人员都可以办理。", task.name))
}

/// The task, where it waits and is of a role of the actor's.
fn waiting(tx: &Tx<'_>, actor: &Actor, id: CaseId, task: TaskId) -> Result<(CaseRow, TaskRow)> {
    let case = load_case(tx, id)?;
    let task = load_task(tx, task)?;
    if task.case != case.id {
        return Err(Refusal::not_found("这个办件没有这项任务。请刷新页面。").into());
    }
    may_complete(actor, &case, &task)?;
    if task.state != "open" {
        return Err(changed_meanwhile());
    }
    Ok((case, task))
}

fn set(
    tx: &Tx<'_>,
    actor: &Actor,
    task: &TaskRow,
    version: i64,
    (held, stand_in_for): (Option<AccountId>, Option<AccountId>),
) -> Result<()> {
    let changed = tx.execute(
        "UPDATE task SET assignee_id = ?3, stand_in_for_id = ?4, version = version + 1 \
         WHERE id = ?1 AND version = ?2 AND state = 'open'",
        params![task.id, version, held, stand_in_for],
    )?;
    if changed == 0 {
        return Err(changed_meanwhile());
    }
    let mut detail = json!({ "task": &task.node });
    tell_stand_in(&mut detail, stand_in_for);
    tx.event(Event {
        actor: actor.to_ref(),
        command: if held.is_some() {
            "case.take_task"
        } else {
            "case.release_task"
        },
        subject: ("casework", task.case.0),
        detail,
        // With its case, so that a completion decided before this is decided anew.
        rows: vec![("casework", task.case.0), ("task", task.id.0)],
    });
    Ok(())
}

/// Takes a task, or gives it back.
type Hand = fn(&Tx<'_>, &Actor, CaseId, TaskId, i64) -> Result<String>;

async fn take_pages(
    state: State<App>,
    visit: Visit,
    path: Path<(CaseId, TaskId)>,
    posted: Posted,
) -> Answer {
    hand("case.take_task", take, (state, visit, path, posted)).await
}

async fn release_pages(
    state: State<App>,
    visit: Visit,
    path: Path<(CaseId, TaskId)>,
    posted: Posted,
) -> Answer {
    hand("case.release_task", release, (state, visit, path, posted)).await
}

async fn hand(
    name: &'static str,
    act: Hand,
    (State(app), visit, Path((id, task)), posted): (
        State<App>,
        Visit,
        Path<(CaseId, TaskId)>,
        Posted,
    ),
) -> Answer {
    let (actor, version) = (visit.actor()?.clone(), posted.version("version")?);
    let command = Command::new(name, visit.now).once(posted.key());
    let done = app
        .store
        .write_once(command, move |tx| act(tx, &actor, id, task, version));
    Ok(visit.redirect(&format!("/cases/{id}"), &done.await?.value))
}
