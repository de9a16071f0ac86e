//! Style, script and icon, bundled into the binary by the web build and served under a name with
//! their digest, so that browsers may keep them for ever.

use axum::extract::Path;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::IntoResponse;
use rust_embed::RustEmbed;

use super::{Answer, WebError};

#[derive(RustEmbed)]
#[folder = "../../web/dist"]
struct Dist;

/// Gives a bundled file. The path is `VERSION/NAME`; the version only breaks caches.
///
/// # Errors
/// Not found where there is no such file.
pub async fn asset(Path((_, name)): Path<(String, String)>) -> Answer {
    let file = Dist::get(&name).ok_or_else(WebError::not_found)?;
    let kind = match name.rsplit('.').next() {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    };
    let headers = [
        (CONTENT_TYPE, kind),
        (CACHE_CONTROL, "public, max-age=31536000, immutable"),
    ];
    Ok((headers, file.data).into_response())
}

/// The address of a bundled file, with its digest.
pub(super) fn href(name: &str) -> String {
    let version = Dist::get(name).map_or_else(
        || "none".to_owned(),
        |file| {
            file.metadata
                .sha256_hash()
                .iter()
                .take(6)
                .map(|b| format!("{b:02x}"))
                .collect()
        },
    );
    format!("/assets/{version}/{name}")
}

/// 200 while the program lives.
pub async fn healthz() -> &'static str {
    "ok\n"
}

/// 200 while commands can be written, 503 while the program is read-only.
pub async fn readyz(axum::extract::State(app): axum::extract::State<super::App>) -> Answer {
    use axum::http::StatusCode;
    let (status, text) = if app.store.writable() {
        (StatusCode::OK, "ready\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "read-only\n")
    };
    Ok((status, text).into_response())
}
