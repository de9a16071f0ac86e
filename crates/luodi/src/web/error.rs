//! The one place where refusals and faults become HTTP: status, page, and what goes to the log.

use askama::Template;
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{Html, IntoResponse, Response};

use serde::Serialize;
use utoipa::ToSchema;

use super::filters;
use super::{App, Lang, Page, Visit};
use crate::access::Actor;
use crate::refusal::{Error, FieldError, Kind, Refusal};
use crate::store::StoreError;

/// What went wrong with a request.
#[derive(Debug)]
pub enum WebError {
    /// A refusal, with the typed fields where a form was posted.
    Refused {
        /// What and what to do.
        refusal: Box<Refusal>,
        /// What the visitor typed.
        kept: Vec<(String, String)>,
        /// Whose page it is.
        visit: Option<Box<Visit>>,
    },
    /// The session ended while a form was being filled in.
    LogInAgain {
        /// What the visitor typed.
        kept: Vec<(String, String)>,
    },
    /// A fault of the program or its surroundings; the public text says nothing of it.
    Fault {
        /// For the log.
        context: String,
        /// The store cannot write at present.
        read_only: bool,
        /// Whose page it is.
        visit: Option<Box<Visit>>,
    },
    /// An answer that is already made.
    Done(Box<Response>),
}

impl WebError {
    /// The actor may not do this.
    pub fn forbidden() -> Self {
        forbidden().into()
    }

    /// A program asks without a session.
    pub(super) fn no_session() -> Self {
        let message = "请先登录：POST /api/session。登录过期时也请重新登录。";
        Self::Done(Box::new(
            Told {
                status: StatusCode::UNAUTHORIZED,
                code: "session",
                heading: "error.session",
                message: message.to_owned(),
                number: String::new(),
                fields: Vec::new(),
                kept: Vec::new(),
                see: String::new(),
                wait_seconds: 0,
            }
            .json(),
        ))
    }

    /// Another site sent the form.
    pub(super) fn foreign() -> Self {
        Refusal::forbidden(
            "foreign-form",
            "这次提交来自别的网站，未作任何处理。请在本网站的页面上填写并提交。",
        )
        .into()
    }

    /// There is no such page, or not for this actor.
    pub fn not_found() -> Self {
        Refusal::not_found("没有这个页面，或者您无权查看。请从首页或工作台重新进入。").into()
    }

    /// A fault, told to the log only.
    pub fn fault(context: impl std::fmt::Display) -> Self {
        Self::Fault {
            context: context.to_string(),
            read_only: false,
            visit: None,
        }
    }

    /// A refusal of a posted form, with what was typed.
    pub fn kept(refusal: Refusal, kept: Vec<(String, String)>) -> Self {
        Self::Refused {
            refusal: Box::new(refusal),
            kept: showable(kept),
            visit: None,
        }
    }

    /// Says where to look, unless the refusal does so itself.
    #[must_use]
    pub fn with_see(self, path: &str) -> Self {
        match self {
            Self::Refused {
                mut refusal,
                kept,
                visit,
            } => {
                if refusal.see.is_empty() {
                    path.clone_into(&mut refusal.see);
                }
                Self::Refused {
                    refusal,
                    kept,
                    visit,
                }
            }
            other => other,
        }
    }

    /// The refusal, where it is one: handlers show it in their form.
    ///
    /// # Errors
    /// Gives the error back where it is none.
    pub fn into_refusal(self) -> Result<Refusal, WebError> {
        match self {
            Self::Refused { refusal, .. } => Ok(*refusal),
            other => Err(other),
        }
    }

    /// Says whose page the error is shown on.
    #[must_use]
    pub fn with_visit(self, to: &Visit) -> Self {
        match self {
            Self::Refused { refusal, kept, .. } => Self::Refused {
                refusal,
                kept,
                visit: Some(Box::new(to.clone())),
            },
            Self::Fault {
                context, read_only, ..
            } => Self::Fault {
                context,
                read_only,
                visit: Some(Box::new(to.clone())),
            },
            Self::LogInAgain { kept } => {
                let page = Page::bare(to.lang.text("again.title"), Some(to));
                let kept = showable(kept);
                let template = LogInAgain {
                    page,
                    kept: &kept,
                    path: to.path.clone(),
                };
                let html = template.render().unwrap_or_default();
                Self::Done(Box::new(
                    (StatusCode::UNAUTHORIZED, Html(html)).into_response(),
                ))
            }
            done @ Self::Done(_) => done,
        }
    }
}

impl From<Refusal> for WebError {
    fn from(refusal: Refusal) -> Self {
        Self::kept(refusal, Vec::new())
    }
}

impl From<Error> for WebError {
    fn from(error: Error) -> Self {
        match error {
            Error::Refused(refusal) => refusal.into(),
            Error::Store(error) => error.into(),
        }
    }
}

impl From<StoreError> for WebError {
    fn from(error: StoreError) -> Self {
        if let StoreError::KeyReused { first_answer } = &error {
            let refusal = Refusal::conflict(
                "key-reused",
                "这张表单已经提交并生效，但这次的内容与第一次不同，没有再次生效。请看第一次的结果后再决定。",
            );
            let see = first_result(first_answer);
            return Refusal { see, ..refusal }.into();
        }
        if let StoreError::KeyDestroyed(_) = &error {
            let message = "这里的个人信息已依法删除，不能再查看，也不能再登记。需要办理新业务的，请重新登记主体。";
            return Refusal::conflict("erased", message).into();
        }
        let read_only = matches!(error, StoreError::ReadOnly(_) | StoreError::Unavailable(_));
        Self::Fault {
            context: error.to_string(),
            read_only,
            visit: None,
        }
    }
}

/// Where the effect of a first answer is to be seen: answers about a case name it.
fn first_result(answer: &serde_json::Value) -> String {
    let case = answer.get("case").and_then(|case| case.as_str());
    case.map_or_else(String::new, |case| format!("/cases/{case}"))
}

impl From<askama::Error> for WebError {
    fn from(error: askama::Error) -> Self {
        Self::fault(format!("template: {error}"))
    }
}

/// An error as it is told. A response carries it, so that the guard of the routes can show it in
/// the frame of the visitor whom the place of the error did not know.
#[derive(Clone, Debug)]
struct Told {
    status: StatusCode,
    code: &'static str,
    /// The key of the heading among the messages.
    heading: &'static str,
    message: String,
    /// What leads from the page of a fault to the log.
    number: String,
    fields: Vec<FieldError>,
    kept: Vec<(String, String)>,
    see: String,
    wait_seconds: u32,
}

impl Told {
    /// What is there is not had in this way, as where the address of a form is opened.
    fn wrong_method() -> Self {
        Self {
            status: StatusCode::METHOD_NOT_ALLOWED,
            code: "method",
            heading: "error.not_found",
            message: "这个地址不能直接打开，也不能这样提交。请从首页或工作台重新进入，用页面上的按钮办理。"
                .to_owned(),
            number: String::new(),
            fields: Vec::new(),
            kept: Vec::new(),
            see: String::new(),
            wait_seconds: 0,
        }
    }

    /// For programs.
    fn json(self) -> Response {
        let wait_seconds = self.wait_seconds;
        let body = Problem {
            code: self.code.to_owned(),
            message: self.message,
            fields: self.fields,
            see: self.see,
        };
        come_again(
            (self.status, axum::Json(body)).into_response(),
            wait_seconds,
        )
    }

    /// The page in a frame: of the work for staff, who read Chinese, else of the public pages.
    fn page(&self, app: Option<&App>, visit: Option<&Visit>) -> Response {
        let mut visit = visit.cloned();
        let staff = |visit: &Visit| visit.actor.as_ref().is_some_and(Actor::is_staff);
        let at_work = visit.as_ref().is_some_and(staff);
        if let Some(visit) = visit.as_mut().filter(|_| at_work) {
            visit.lang = visit.lang.chinese();
        }
        let lang = visit.as_ref().map_or(Lang::ZH, |visit| visit.lang);
        let mut told = self.clone();
        lang.retell(told.code, &mut told.message, &mut told.fields);
        told.message = told.message.replace("{number}", &told.number);
        let (told, heading) = (&told, lang.text(self.heading));
        let frame = match (app, &visit) {
            (Some(app), Some(visit)) => Page::new(app, visit, heading),
            _ => Page::bare(heading, visit.as_ref()),
        };
        let response = if at_work {
            page(self.status, &WorkErrorPage { page: frame, told })
        } else {
            page(self.status, &ErrorPage { page: frame, told })
        };
        come_again(response, self.wait_seconds)
    }

    /// The page, which carries what it tells so that the guard can tell it otherwise.
    fn answer(self, visit: Option<&Visit>) -> Response {
        let mut response = self.page(None, visit);
        response.extensions_mut().insert(self);
        response
    }
}

/// Why a request of a program was not carried out.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Problem {
    /// Stable code.
    pub code: String,
    /// What happened and what to do next, in Chinese.
    pub message: String,
    /// The fields at fault, in the order of the form.
    pub fields: Vec<FieldError>,
    /// Where what was done before can be seen; empty where there is none.
    pub see: String,
}

/// Tells a program why it was refused.
pub(super) fn told_in_json(mut response: Response) -> Response {
    match response.extensions_mut().remove::<Told>() {
        Some(told) => told.json(),
        None if is_wrong_method(&response) => Told::wrong_method().json(),
        None => response,
    }
}

/// Shows an error that was told in nobody's frame in the visitor's.
pub(super) fn framed(mut response: Response, app: &App, visit: &Visit) -> Response {
    match response.extensions_mut().remove::<Told>() {
        Some(told) => told.page(Some(app), Some(visit)),
        None if is_wrong_method(&response) => Told::wrong_method().page(Some(app), Some(visit)),
        None => response,
    }
}

/// An address that is only read was posted to, or the other way round: nobody told anything yet.
fn is_wrong_method(response: &Response) -> bool {
    response.status() == StatusCode::METHOD_NOT_ALLOWED
}

#[derive(Template)]
#[template(path = "web/error.html")]
struct ErrorPage<'a> {
    page: Page,
    told: &'a Told,
}

#[derive(Template)]
#[template(path = "web/error_at_work.html")]
struct WorkErrorPage<'a> {
    page: Page,
    told: &'a Told,
}

#[derive(Template)]
#[template(path = "web/log_in_again.html")]
struct LogInAgain<'a> {
    page: Page,
    kept: &'a [(String, String)],
    path: String,
}

/// What was typed, without what is no text of the visitor and without passwords.
fn showable(mut kept: Vec<(String, String)>) -> Vec<(String, String)> {
    kept.retain(|(name, _)| {
        name != "csrf" && name != "idempotency_key" && !name.contains("password")
    });
    kept
}

/// The actor holds no role for this.
pub(super) fn forbidden() -> Refusal {
    Refusal::forbidden(
        "forbidden",
        "您的账号没有办理这件事的权限。需要时请联系安全管理员，角色由其授予。",
    )
}

/// Says in the answer after how many seconds to ask again; 0 says nothing.
pub fn come_again(mut response: Response, wait_seconds: u32) -> Response {
    if wait_seconds > 0 {
        let value = HeaderValue::from(wait_seconds);
        response.headers_mut().insert(RETRY_AFTER, value);
    }
    response
}

/// Status and the key of the heading of a refusal.
fn status(kind: Kind) -> (StatusCode, &'static str) {
    match kind {
        Kind::Invalid => (StatusCode::UNPROCESSABLE_ENTITY, "error.invalid"),
        Kind::Forbidden => (StatusCode::FORBIDDEN, "error.forbidden"),
        Kind::NotFound => (StatusCode::NOT_FOUND, "error.not_found"),
        Kind::Conflict => (StatusCode::CONFLICT, "error.conflict"),
        Kind::TooMany => (StatusCode::TOO_MANY_REQUESTS, "error.too_many"),
        Kind::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "error.invalid"),
    }
}

impl IntoResponse for WebError {
    fn into_response(self) -> Response {
        match self {
            Self::Refused {
                refusal,
                kept,
                visit,
            } => {
                let (status, heading) = status(refusal.kind);
                let told = Told {
                    status,
                    code: refusal.code,
                    heading,
                    message: refusal.message,
                    number: String::new(),
                    fields: refusal.fields,
                    kept,
                    see: refusal.see,
                    wait_seconds: refusal.wait_seconds,
                };
                told.answer(visit.as_deref())
            }
            Self::Fault {
                context,
                read_only,
                visit,
            } => {
                let code = uuid_like(&context);
                tracing::error!(%code, %context, "fault: {context}");
                let message = if read_only {
                    "系统暂时只读：可以查看，暂不能提交。您填写的内容还在上一页，请稍后重试。"
                        .to_owned()
                } else {
                    format!(
                        "系统没有完成这次操作，内容没有改变。请重试；仍不行时把编号 {code} 告诉系统管理员。"
                    )
                };
                let status = if read_only {
                    StatusCode::SERVICE_UNAVAILABLE
                } else {
                    StatusCode::INTERNAL_SERVER_ERROR
                };
                let told = Told {
                    status,
                    code: if read_only { "read-only" } else { "fault" },
                    heading: "error.fault",
                    message,
                    number: code,
                    fields: Vec::new(),
                    kept: Vec::new(),
                    see: String::new(),
                    wait_seconds: 0,
                };
                told.answer(visit.as_deref())
            }
            Self::LogInAgain { kept } => Self::kept(
                Refusal::forbidden("session", "登录已过期，请重新登录。"),
                kept,
            )
            .into_response(),
            Self::Done(response) => *response,
        }
    }
}

/// A short number that leads from the page to the line in the log.
fn uuid_like(context: &str) -> String {
    use sha2::{Digest, Sha256};
    let digest = Sha256::digest(context.as_bytes());
    digest
        .iter()
        .take(4)
        .map(|byte| format!("{byte:02X}"))
        .collect()
}

fn page(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(html) => (status, Html(html)).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
