//! A route cannot be written down without its rule: method, path, who may enter, handler.

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::handler::Handler;
use axum::http::header::CONTENT_TYPE;
use axum::http::{Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, on};

use super::error::{forbidden, framed, told_in_json};
use super::posted::{Arrived, check_length};
use super::sender::{Sender, sender};
use super::{App, Bar, Visit, WebError};
use crate::access::{Actor, Role, Rule};
use crate::refusal::Refusal;

/// One door of the house.
pub struct Route {
    /// GET or POST.
    pub method: Method,
    /// The path with `{parameters}`.
    pub path: &'static str,
    /// Who may enter.
    pub rule: Rule,
    handler: MethodRouter<App>,
}

/// A page or file to read.
pub fn get<H, T>(path: &'static str, rule: Rule, handler: H) -> Route
where
    H: Handler<T, App>,
    T: 'static,
{
    Route {
        method: Method::GET,
        path,
        rule,
        handler: on(axum::routing::MethodFilter::GET, handler),
    }
}

/// A form that changes something. Its handler takes [`super::Posted`], which checks the CSRF token.
pub fn post<H, T>(path: &'static str, rule: Rule, handler: H) -> Route
where
    H: Handler<T, App>,
    T: 'static,
{
    Route {
        method: Method::POST,
        path,
        rule,
        handler: on(axum::routing::MethodFilter::POST, handler),
    }
}

/// Hangs the routes into one router, each behind its rule.
pub fn mount(app: &App, routes: Vec<Route>) -> Router {
    let router = routes.into_iter().fold(Router::new(), |router, route| {
        let guard = from_fn_with_state((app.clone(), route.rule), guard);
        router.route(route.path, route.handler.layer(guard))
    });
    // A form bounds itself while it is read (`posted`), so that its text survives a refusal.
    router
        .fallback(not_found)
        .layer(DefaultBodyLimit::disable())
        .with_state(app.clone())
}

/// Whether programs ask at this address, who read JSON.
pub(super) fn is_api(path: &str) -> bool {
    path.starts_with("/api/")
}

async fn guard(State((app, rule)): State<(App, Rule)>, request: Request, next: Next) -> Response {
    let api = is_api(request.uri().path());
    let response = admitted(app, rule, request, next).await;
    if api {
        told_in_json(response)
    } else {
        response
    }
}

async fn admitted(app: App, rule: Rule, request: Request, next: Next) -> Response {
    let sender = sender(request.headers());
    // No text that is kept holds NUL, so none is asked for.
    if request
        .uri()
        .query()
        .is_some_and(|query| query.contains("%00"))
    {
        let message = "地址中有无法识别的字符，请从页面上重新查找。";
        return WebError::from(Refusal::invalid("nul", message)).into_response();
    }
    match Visit::open(&app, request).await {
        Ok((mut visit, mut request)) => {
            if request.method() == Method::POST && sender == Sender::Elsewhere {
                let response = WebError::foreign().into_response();
                visit.finish(in_frame(response, &app, &visit))
            } else if let Err(refusal) = check_length(request.headers()) {
                let response = WebError::from(refusal).into_response();
                visit.finish(in_frame(response, &app, &visit))
            } else if rule.admits(visit.actor.as_ref()) {
                if rule != Rule::Public {
                    visit.lang = visit.lang.chinese();
                }
                if is_form(rule, &request) {
                    (visit, request) = match arrive(&app, rule, visit, request).await {
                        Ok(arrived) => arrived,
                        Err(response) => return *response,
                    };
                }
                request.extensions_mut().insert(visit.clone());
                let response = readable(next.run(request).await, &visit);
                visit.finish(in_frame(response, &app, &visit))
            } else {
                refuse(&app, rule, visit, (request, sender)).await
            }
        }
        Err(error) => error.into_response(),
    }
}

/// An error in its visitor's frame; an API's is told in JSON further out.
fn in_frame(response: Response, app: &App, visit: &Visit) -> Response {
    if is_api(&visit.path) {
        return response;
    }
    framed(response, app, visit)
}

/// An address whose parts cannot be read (`/cases/x`) is a page that does not exist, said as one.
fn readable(response: Response, visit: &Visit) -> Response {
    let plain = response
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"text/plain"));
    if response.status() == StatusCode::BAD_REQUEST && plain {
        return WebError::not_found().with_visit(visit).into_response();
    }
    response
}

/// A stranger is asked to log in, with the text of a posted form kept where this site sent it;
/// others are told no.
async fn refuse(
    app: &App,
    rule: Rule,
    visit: Visit,
    (request, sender): (Request, Sender),
) -> Response {
    if let Some(actor) = &visit.actor {
        let error = WebError::from(no_right(rule, actor, visit.bar));
        return in_frame(error.into_response(), app, &visit);
    }
    if is_api(&visit.path) {
        return WebError::no_session().into_response();
    }
    if request.method() == Method::POST && sender == Sender::Here {
        return match super::posted::keep(app, &visit, request).await {
            // Finished like any answer: the form to log in again needs the stranger's cookie.
            Ok(kept) => visit.finish(
                WebError::LogInAgain { kept }
                    .with_visit(&visit)
                    .into_response(),
            ),
            Err(error) => visit.finish(error.with_visit(&visit).into_response()),
        };
    }
    visit.to_log_in().into_response()
}

/// Whether a form is posted. A program that logs in has none, and no session that could end.
fn is_form(rule: Rule, request: &Request) -> bool {
    let kind = request.headers().get(CONTENT_TYPE);
    let json = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    request.method() == Method::POST && !(json && rule == Rule::Public)
}

/// Waits for the whole form, for as long as its sender takes, and looks at the visitor again: his
/// session may have ended meanwhile, his roles may rest. The time of what he does is that of now.
async fn arrive(
    app: &App,
    rule: Rule,
    visit: Visit,
    request: Request,
) -> Result<(Visit, Request), Box<Response>> {
    let (parts, body) = request.into_parts();
    let mut empty = Request::from_parts(parts.clone(), Body::empty());
    let arrived = Arrived::read(app, Request::from_parts(parts, body)).await;
    let visit = match visit.again(app).await {
        Ok(visit) => visit,
        Err(error) => return Err(Box::new(error.into_response())),
    };
    if rule.admits(visit.actor.as_ref()) {
        empty.extensions_mut().insert(arrived);
        return Ok((visit, empty));
    }
    let kept = arrived.typed();
    let error = match (&visit.actor, is_api(&visit.path)) {
        (None, true) => WebError::no_session(),
        (None, false) => WebError::LogInAgain { kept }.with_visit(&visit),
        (Some(actor), _) => WebError::kept(no_right(rule, actor, visit.bar), kept),
    };
    let response = in_frame(error.into_response(), app, &visit);
    Err(Box::new(visit.finish(response)))
}

/// Why an account may not enter, and what to do.
fn no_right(rule: Rule, actor: &Actor, bar: Option<Bar>) -> Refusal {
    match bar {
        Some(Bar::Rest) if !rule.admits(Some(&bar_lifted(actor))) => forbidden(),
        Some(bar) => bar.refusal(),
        None => forbidden(),
    }
}

/// Who it would be if none of the roles rested that may.
fn bar_lifted(actor: &Actor) -> Actor {
    let roles = actor
        .roles
        .iter()
        .chain(Role::WITH_SECOND_FACTOR.iter().copied());
    Actor {
        roles: roles.collect(),
        ..actor.clone()
    }
}

async fn not_found(State(app): State<App>, request: Request) -> Response {
    if is_api(request.uri().path()) {
        return told_in_json(WebError::not_found().into_response());
    }
    match Visit::open(&app, request).await {
        Ok((visit, _)) => in_frame(WebError::not_found().into_response(), &app, &visit),
        Err(error) => error.into_response(),
    }
}
