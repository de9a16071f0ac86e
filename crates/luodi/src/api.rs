//! What programs ask of Luodi, described: OpenAPI 3.1 at `/api/openapi.json`, gathered from the
//! endpoints, which stand in their domains.

use axum::Json;
use axum::response::IntoResponse;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityScheme};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{Modify, OpenApi};

use crate::access::Rule;
use crate::web::{Answer, Route, Visit, get, session_cookie};
use crate::{account, article, casework, item, notice};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "落地 Luodi",
        description = "Posted requests carry `X-CSRF-Token` (from the session) and `Idempotency-Key` (a key of \
                       the caller's own for each effect). A refusal says code, message and fields."
    ),
    paths(
        account::api::open,
        account::api::show,
        account::api::end,
        article::api::list,
        article::api::show,
        item::api::list,
        item::api::show,
        notice::api::list,
        notice::api::show,
        casework::api::worklist,
        casework::api::show,
        casework::api::send,
        casework::api::complete,
    ),
    modifiers(&Cookie, &Refusals)
)]
struct Described;

/// The session's cookie as the way in.
struct Cookie;

impl Modify for Cookie {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        let cookie = ApiKey::Cookie(ApiKeyValue::new(session_cookie(false)));
        let components = api.components.get_or_insert_default();
        components.add_security_scheme("session", SecurityScheme::ApiKey(cookie));
    }
}

/// What any endpoint may answer beside what is its own.
struct Refusals;

/// Status, when, and whether it concerns endpoints that change something, those that ask for a
/// session, or all.
const REFUSALS: [(&str, &str, Of); 10] = [
    (
        "401",
        "not logged in, or the session has ended",
        Of::SignedIn,
    ),
    (
        "403",
        "the account may not, or the CSRF token is missing",
        Of::SignedIn,
    ),
    (
        "404",
        "there is nothing here that the visitor may see",
        Of::All,
    ),
    (
        "403",
        "another site may have sent it: token or type is missing",
        Of::Posts,
    ),
    (
        "409",
        "somebody was faster, or the key was used for something else",
        Of::Posts,
    ),
    ("413", "more than is taken in at once", Of::Posts),
    ("415", "neither JSON nor a form", Of::Posts),
    ("422", "fields are at fault; each is named", Of::All),
    ("429", "too much in a short time", Of::All),
    (
        "503",
        "nothing can be written at present, or too much is asked at once",
        Of::All,
    ),
];

#[derive(Clone, Copy)]
enum Of {
    All,
    Posts,
    SignedIn,
}

impl Modify for Refusals {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        for item in api.paths.paths.values_mut() {
            let ways = [(&mut item.get, false), (&mut item.post, true)];
            for (operation, posts) in ways {
                let Some(operation) = operation else { continue };
                let signed_in = operation.security.is_some();
                for (status, when, of) in REFUSALS {
                    let concerns = match of {
                        Of::All => true,
                        Of::Posts => posts,
                        Of::SignedIn => signed_in,
                    };
                    let known = &mut operation.responses.responses;
                    if concerns && !known.contains_key(status) {
                        known.insert(status.to_owned(), RefOr::T(problem(when)));
                    }
                }
            }
        }
    }
}

fn problem(when: &str) -> Response {
    let schema = RefOr::Ref(Ref::from_schema_name("Problem"));
    let content = ContentBuilder::new().schema(Some(schema)).build();
    ResponseBuilder::new()
        .description(when)
        .content("application/json", content)
        .build()
}

/// The description itself.
pub fn routes() -> Vec<Route> {
    vec![get("/api/openapi.json", Rule::Public, describe)]
}

async fn describe(_: Visit) -> Answer {
    Ok(Json(Described::openapi()).into_response())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use axum::http::Method;

    use super::*;

    #[test]
    fn every_endpoint_is_described_and_nothing_else() {
        let described = serde_json::to_value(Described::openapi()).unwrap();
        assert!(described["openapi"].as_str().unwrap().starts_with("3.1"));
        let paths = described["paths"].as_object().unwrap();
        let told: BTreeSet<String> = paths
            .iter()
            .flat_map(|(path, ways)| {
                let ways = ways.as_object().unwrap().keys();
                ways.map(move |way| format!("{} {path}", way.to_uppercase()))
            })
            .collect();
        let real: BTreeSet<String> = crate::router::routes()
            .iter()
            .filter(|route| route.path.starts_with("/api/") && route.path != "/api/openapi.json")
            .map(|route| format!("{} {}", route.method, route.path))
            .collect();
        assert_eq!(told, real);
        for route in crate::router::routes() {
            if !real.contains(&format!("{} {}", route.method, route.path)) {
                continue;
            }
            let way = &paths[route.path][route.method.as_str().to_lowercase()];
            let public = matches!(route.rule, Rule::Public);
            assert_eq!(way["security"].is_null(), public, "{}", route.path);
            if route.method == Method::POST {
                assert!(
                    way["responses"].as_object().unwrap().len() > 1,
                    "{}",
                    route.path
                );
            }
        }
    }
}
