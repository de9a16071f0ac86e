//! The only place that lists all domains: every route of the program, each with its rule.

use axum::http::Method;

use crate::access::Rule;
use crate::web::{self, Route, get};

/// Every route, in the order of the domains.
pub fn routes() -> Vec<Route> {
    let mut routes = vec![
        get("/assets/{version}/{name}", Rule::Public, web::asset),
        get("/healthz", Rule::Public, web::healthz),
        get("/readyz", Rule::Public, web::readyz),
    ];
    let domains: &[fn() -> Vec<Route>] = &[
        crate::portal::routes,
        crate::article::routes,
        crate::account::routes,
        crate::party::routes,
        crate::item::routes,
        crate::desk::routes,
        crate::casework::routes,
        crate::personal::routes,
        crate::fund::routes,
        crate::notice::routes,
        crate::log::routes,
        crate::clock::routes,
        crate::api::routes,
    ];
    for domain in domains {
        routes.extend(domain());
    }
    routes
}

/// Whether some form is posted to this path (its query left out).
pub fn takes_form(path: &str) -> bool {
    let path = path.split('?').next().unwrap_or_default();
    routes()
        .iter()
        .any(|route| route.method == Method::POST && fits(route.path, path))
}

/// Whether a path has the shape of a route: `{name}` stands for one part that is not empty.
fn fits(shape: &str, path: &str) -> bool {
    let (mut shape, mut parts) = (shape.split('/'), path.split('/'));
    loop {
        match (shape.next(), parts.next()) {
            (None, None) => return true,
            (Some(wanted), Some(part)) if wanted.starts_with('{') && !part.is_empty() => {}
            (Some(wanted), Some(part)) if wanted == part => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_forms_take_forms() {
        for (path, expected) in [
            ("/login", true),
            ("/login?next=/my", true),
            ("/healthz", false),
            ("https://elsewhere.example/login", false),
            ("//elsewhere.example/login", false),
            ("", false),
        ] {
            assert_eq!(takes_form(path), expected, "{path}");
        }
        assert!(fits("/cases/{id}/tasks/{task}", "/cases/1/tasks/2"));
        assert!(!fits("/cases/{id}/tasks/{task}", "/cases/1/tasks/"));
        assert!(!fits("/cases/{id}", "/cases/1/2"));
    }
}
