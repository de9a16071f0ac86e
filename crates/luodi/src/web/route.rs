//! A route cannot be written down without its rule: method, path, who may enter, handler.

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::handler::Handler;
use axum::http::header::CONTENT_TYPE;
use axum::http::{Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, on};

use super::error::{framed, told_in_json};
use super::posted::check_length;
use super::sender::{Sender, sender};
use super::{App, Visit, WebError};
use crate::access::Rule;
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
                request.extensions_mut().insert(visit.clone());
                let response = readable(next.run(request).await, &visit);
                visit.finish(in_frame(response, &app, &visit))
            } else {
                refuse(&app, visit, request, sender).await
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
async fn refuse(app: &App, visit: Visit, request: Request, sender: Sender) -> Response {
    if visit.actor.is_some() {
        return in_frame(WebError::forbidden().into_response(), app, &visit);
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

async fn not_found(State(app): State<App>, request: Request) -> Response {
    if is_api(request.uri().path()) {
        return told_in_json(WebError::not_found().into_response());
    }
    match Visit::open(&app, request).await {
        Ok((visit, _)) => in_frame(WebError::not_found().into_response(), &app, &visit),
        Err(error) => error.into_response(),
    }
}
