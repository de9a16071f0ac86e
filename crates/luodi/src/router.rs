//! The only place that lists all domains: every route of the program, each with its rule.

use crate::access::Rule;
use crate::web::{self, Route, get};

/// Every route, in the order of the domains.
pub fn routes() -> Vec<Route> {
    let mut routes = vec![
        get("/assets/{version}/{name}", Rule::Public, web::asset),
        get("/healthz", Rule::Public, web::healthz),
        get("/readyz", Rule::Public, web::readyz),
    ];
    for domain in [] as [fn() -> Vec<Route>; 0] {
        routes.extend(domain());
    }
    routes
}
