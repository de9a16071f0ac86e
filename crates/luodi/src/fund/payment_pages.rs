//! The page of one payment file: its lines, handing it out, the bank's reply.
//!
//! It lacks rules: the commands decide. Reading a reply happens here, before the transaction.

use askama::Template;
use axum::extract::{Path, Query as UrlQuery, State};
use axum::http::StatusCode;
use uuid::Uuid;

use super::batch_queries::Sum;
use super::budget_pages::{Asked, asked, crumb};
use super::payment::open_payment_file;
use super::payment_queries::{FileRow, PaymentRow, ReplyRow, find_file, payments_of, replies_of};
use super::reply;
use super::settle::{Settled, apply_reply};
use super::state::{FileState, PaymentState};
use crate::access::{Role, Rule};
use crate::account;
use crate::ids::PaymentFileId;
use crate::refusal::{Error, Refusal};
use crate::store::Command;
use crate::web::export::{Cell, download, logged};
use crate::web::filters;
use crate::web::form::Errors;
use crate::web::{Answer, App, Crumb, Page, Posted, Route, Upload, Visit, WebError, get, post};

pub(super) const READERS: Rule = Rule::Staff(&[
    Role::Finance,
    Role::CaseHandler,
    Role::Reviewer,
    Role::Approver,
    Role::Leader,
]);
const FINANCE: Rule = Rule::Staff(&[Role::Finance]);

/// The largest reply offered to be sent, in bytes.
const REPLY_BYTES: u64 = 1 << 20;

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/payments/{id}", READERS, show),
        post("/payments/{id}", FINANCE, act),
        get("/payments/{id}/lines.xlsx", READERS, export),
    ]
}

struct StateSum {
    state: PaymentState,
    sum: Sum,
}

#[derive(Template)]
#[template(path = "fund/payment.html")]
struct FilePage {
    page: Page,
    crumbs: Vec<Crumb>,
    errors: Errors,
    file: FileRow,
    created_by: String,
    rows: Vec<PaymentRow>,
    sums: Vec<StateSum>,
    replies: Vec<ReplyRow>,
    /// The earlier reply that says what was handed in just now.
    booked: Option<ReplyRow>,
    most_bytes: u64,
    reply_hint: String,
    /// The name of a reply that was refused just now; else empty.
    refused_file: String,
    may_act: bool,
    waits: bool,
}

async fn show(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<PaymentFileId>,
    UrlQuery(query): UrlQuery<Asked>,
) -> Answer {
    let booked = asked(&query, "booked").parse().ok();
    let fresh = (StatusCode::OK, Posted::default(), Errors::default());
    show_file(&app, &visit, id, booked, fresh).await
}

async fn show_file(
    app: &App,
    visit: &Visit,
    id: PaymentFileId,
    booked: Option<Uuid>,
    (status, posted, errors): (StatusCode, Posted, Errors),
) -> Answer {
    let actor = visit.actor()?.clone();
    let may_act = actor.has(Role::Finance);
    let (file, rows, replies, created_by) = app
        .store
        .read(move |q| {
            let file = find_file(&**q, &actor, id)?;
            let by = account::name_of(&**q, file.created_by)?;
            Ok::<_, Error>((file, payments_of(&**q, id)?, replies_of(&**q, id)?, by))
        })
        .await?;
    let page = FilePage {
        page: Page::new(app, visit, format!("支付文件 {}", file.number)),
        crumbs: vec![
            crumb("/batches", "批次"),
            Crumb {
                href: format!("/batches/{}", file.batch),
                label: file.batch_title.clone(),
            },
        ],
        errors,
        created_by,
        sums: sums(&rows),
        booked: replies
            .iter()
            .find(|reply| Some(reply.id) == booked)
            .cloned(),
        replies,
        refused_file: reply_of(&posted).map_or_else(String::new, |upload| upload.file_name.clone()),
        most_bytes: REPLY_BYTES,
        reply_hint: format!(
            "银行给的 CSV（UTF-8 或 GBK）。第一行「文件编号,{}」，以后每行「行号,结果,原因,日期」，结果写成功或退回，例如「2,退回,户名不符,2026-11-24」；其间可有「笔数」「总金额」两行，会与各行核对；可以分次登记。",
            file.number
        ),
        may_act,
        waits: file.state != FileState::Answered,
        file,
        rows,
    };
    visit.show_with(status, &page)
}

fn sums(rows: &[PaymentRow]) -> Vec<StateSum> {
    let sum = |state: PaymentState| {
        let of = rows.iter().filter(|row| row.state == state);
        let sum = of.fold(Sum::default(), |sum, row| Sum {
            count: sum.count + 1,
            amount: sum.amount + row.amount,
        });
        StateSum { state, sum }
    };
    PaymentState::ALL
        .iter()
        .copied()
        .map(sum)
        .filter(|it| it.sum.count > 0)
        .collect()
}

async fn act(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<PaymentFileId>,
    posted: Posted,
) -> Answer {
    let acted = match posted.get("action") {
        "download" => return hand_out(&app, &visit, id).await,
        "apply_reply" => take_reply(&app, &visit, id, &posted).await,
        _ => Err(Refusal::invalid("action", "没有选中要办理的事项，请刷新页面后再试。").into()),
    };
    match acted {
        Ok(settled) => {
            let mut next = format!("/payments/{id}");
            if let Some(before) = &settled.repeated {
                next.push_str(&format!("?booked={}", before.reply));
            }
            Ok(visit.redirect(&next, &settled.message()))
        }
        Err(error) => {
            let errors = Errors::take(error, &posted)?;
            let again = (StatusCode::UNPROCESSABLE_ENTITY, posted, errors);
            show_file(&app, &visit, id, None, again).await
        }
    }
}

async fn hand_out(app: &App, visit: &Visit, id: PaymentFileId) -> Answer {
    let actor = visit.actor()?.clone();
    let command = Command::new("payment.download", visit.now);
    let (file, body) = app
        .store
        .write(command, move |tx| open_payment_file(tx, &actor, id))
        .await?;
    Ok(download(
        &format!("{}.csv", file.number),
        "text/csv; charset=utf-8",
        body,
    ))
}

/// The reply of a form.
fn reply_of(posted: &Posted) -> Option<&Upload> {
    posted
        .uploads()
        .iter()
        .find(|upload| upload.field == "reply")
}

async fn take_reply(
    app: &App,
    visit: &Visit,
    id: PaymentFileId,
    posted: &Posted,
) -> Result<Settled, WebError> {
    let actor = visit.actor()?.clone();
    let upload = reply_of(posted)
        .ok_or_else(|| Refusal::field("reply", "required", "请选择银行回单（CSV 文件）。"))?;
    let reply = reply::read(&upload.bytes)?;
    let version = posted.version("version")?;
    let command = Command::new("payment.settle", visit.now).once(posted.key());
    let done = app.store.write_once(command, move |tx| {
        apply_reply(tx, &actor, id, version, &reply)
    });
    Ok(done.await?.value)
}

async fn export(State(app): State<App>, visit: Visit, Path(id): Path<PaymentFileId>) -> Answer {
    let actor = visit.actor()?.clone();
    let (file, rows) = app
        .store
        .read(move |q| {
            let file = find_file(&**q, &actor, id)?;
            Ok::<_, Error>((file, payments_of(&**q, id)?))
        })
        .await?;
    let headers = [
        "行号",
        "户名",
        "办件号",
        "金额（元）",
        "结果",
        "原因",
        "日期",
    ];
    let cells: Vec<Vec<Cell>> = rows
        .into_iter()
        .map(|row| {
            vec![
                (row.line_number as f64).into(),
                row.party_name.into(),
                row.case_number.into(),
                row.amount.into(),
                row.state.zh().into(),
                row.reason.into(),
                row.settled_on.map(|day| day.to_string()).into(),
            ]
        })
        .collect();
    logged(&app, &visit, &file.number, &headers, &cells).await
}
