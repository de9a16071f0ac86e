//! What programs ask of Luodi, described: OpenAPI 3.1 at `/api/openapi.json`, gathered from the
//! endpoints, which stand in their domains.

use axum::Json;
use axum::response::IntoResponse;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityScheme};
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
    modifiers(&Cookie)
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
