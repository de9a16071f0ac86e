//! The log as others can verify it: the last signed checkpoint, all events as a file, the proof of
//! one event; and how the numbering stands.

use axum::extract::{Path, State};
use jiff::Timestamp;

use super::READERS;
use super::asked::Wanted;
use crate::access::{Actor, sees_all_events};
use crate::ids::EventId;
use crate::refusal::Refusal;
use crate::store::{
    Query, StoreError, export_log, last_checkpoint, log_state, prove_event, written,
};
use crate::web::{Answer, App, Route, Visit, WebError, export, get};

/// Events that leave through a page at most; the command line gives out any number.
const EXPORTED: u64 = 200_000;

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/log/checkpoint", READERS, checkpoint),
        get("/log/events.jsonl", READERS, events),
        get("/log/{event}/proof", READERS, proof),
    ]
}

/// How the numbering stands, as the page says it.
#[derive(Clone, Debug, Default)]
pub(super) struct Standing {
    /// Events that have their number.
    pub(super) numbered: u64,
    /// Events that wait for it.
    pub(super) waiting: u64,
    /// When the last checkpoint was signed.
    pub(super) signed_at: Option<Timestamp>,
    /// Whether the reader may take all of it along.
    pub(super) whole: bool,
}

pub(super) fn standing(q: &dyn Query, actor: &Actor) -> Result<Standing, StoreError> {
    let state = log_state(q)?;
    Ok(Standing {
        numbered: state.numbered,
        waiting: state.waiting,
        signed_at: state.signed_at,
        whole: sees_all_events(actor),
    })
}

/// The whole log is the city's to take along.
fn check_whole(actor: &Actor) -> Result<(), Refusal> {
    if sees_all_events(actor) {
        return Ok(());
    }
    Err(Refusal::forbidden(
        "whole-log",
        "检查点和全部日志由市级审计管理员下载。您可以下载本地区每个事件的证明。",
    ))
}

/// A log that is not the one that was signed is no proof of anything.
fn check_sound(app: &App) -> Result<(), WebError> {
    if let Some(why) = app.store.log_trouble() {
        let message = format!(
            "{why}。这样的日志不能作证，没有下载。请告诉系统管理员运行 luodi audit verify 核对。"
        );
        return Err(Refusal::conflict("log-broken", message).into());
    }
    Ok(())
}

/// Before the first checkpoint there is nothing to take along.
async fn check_signed(app: &App) -> Result<u64, WebError> {
    check_sound(app)?;
    let state = app.store.read(|q| log_state(&**q)).await?;
    if state.signed_at.is_some() {
        return Ok(state.numbered);
    }
    let message = "日志刚刚开始，正在签第一个检查点。请过几秒再下载。";
    Err(Refusal::conflict("not-signed", message).into())
}

async fn checkpoint(State(app): State<App>, visit: Visit) -> Answer {
    check_whole(visit.actor()?)?;
    check_signed(&app).await?;
    let note = app.store.read(|q| last_checkpoint(&**q)).await?;
    Ok(export::download(
        "checkpoint.txt",
        "text/plain; charset=utf-8",
        note.into_bytes(),
    ))
}

async fn events(State(app): State<App>, visit: Visit) -> Answer {
    check_whole(visit.actor()?)?;
    let numbered = check_signed(&app).await?;
    if numbered > EXPORTED {
        let message = format!(
            "日志有 {numbered} 个事件，超过 {EXPORTED} 个。请系统管理员在服务器上运行 luodi audit export 文件名，得到的是同样的文件。"
        );
        return Err(Refusal::invalid("log-too-long", message).into());
    }
    let read = app.store.read(|q| {
        let mut bytes = Vec::new();
        let count = export_log(&**q, &mut bytes)?;
        Ok::<_, StoreError>((bytes, count))
    });
    let (bytes, count) = read.await?;
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    export::note(&app, &visit, "可验证的日志", count).await?;
    Ok(export::download(
        "log.jsonl",
        "application/jsonl; charset=utf-8",
        bytes,
    ))
}

async fn proof(State(app): State<App>, visit: Visit, Path(event): Path<EventId>) -> Answer {
    let actor = visit.actor()?.clone();
    let read = app.store.read(move |q| {
        let mut filter = Wanted::default().filter(&**q, &actor)?;
        filter.event = Some(event.0);
        if written(&**q, &filter, 1, 0)?.is_empty() {
            return Ok(None);
        }
        prove_event(&**q, event.0).map(Some)
    });
    let found = read.await.map_err(|error: StoreError| error)?;
    let Some(proof) = found else {
        return Err(Refusal::not_found("没有这个事件，或者它不在您的地区。").into());
    };
    check_sound(&app)?;
    let Some(text) = proof else {
        let message = "这个事件刚刚写入，正在编号。请过几秒再下载它的证明。";
        return Err(Refusal::conflict("not-numbered", message).into());
    };
    let name = format!("proof-{}.json", event.0.simple());
    Ok(export::download(
        &name,
        "application/json",
        text.into_bytes(),
    ))
}
