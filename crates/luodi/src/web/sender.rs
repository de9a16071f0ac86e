//! Which site a posted form comes from, as the browser says.
//!
//! The CSRF token guards who is logged in. A stranger has none worth the name, and what he posts is
//! shown to him again after log-in: so a form that another site sent must never be taken up.

use axum::http::HeaderMap;
use axum::http::header::{HOST, ORIGIN};

/// The site a request was made by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sender {
    /// A page of this site.
    Here,
    /// A page of another one.
    Elsewhere,
    /// The client does not say.
    Unknown,
}

/// Reads the metadata every browser of the last years sends; older ones name the origin.
pub(super) fn sender(headers: &HeaderMap) -> Sender {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    match text("sec-fetch-site") {
        Some("same-origin") => return Sender::Here,
        Some("cross-site" | "same-site") => return Sender::Elsewhere,
        _ => {}
    }
    let host = text(HOST.as_str());
    let origin = text(ORIGIN.as_str()).and_then(|origin| origin.split_once("://"));
    match (origin, host) {
        (Some((_, origin)), Some(host)) if origin.eq_ignore_ascii_case(host) => Sender::Here,
        // A proxy may have changed the host, so another origin alone proves nothing.
        _ => Sender::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    #[test]
    fn the_browser_says_who_sends() {
        for (headers, expected) in [
            (&[][..], Sender::Unknown),
            (&[("sec-fetch-site", "same-origin")], Sender::Here),
            (&[("sec-fetch-site", "none")], Sender::Unknown),
            (&[("sec-fetch-site", "cross-site")], Sender::Elsewhere),
            (&[("sec-fetch-site", "same-site")], Sender::Elsewhere),
            (
                &[
                    ("sec-fetch-site", "cross-site"),
                    ("host", "a.example"),
                    ("origin", "https://a.example"),
                ],
                Sender::Elsewhere,
            ),
            (
                &[("host", "a.example:81"), ("origin", "http://A.example:81")],
                Sender::Here,
            ),
            (
                &[("host", "a.example"), ("origin", "https://b.example")],
                Sender::Unknown,
            ),
            (
                &[("host", "a.example"), ("origin", "null")],
                Sender::Unknown,
            ),
        ] {
            let map: HeaderMap = headers
                .iter()
                .map(|(name, value)| {
                    (
                        HeaderName::from_static(name),
                        HeaderValue::from_static(value),
                    )
                })
                .collect();
            assert_eq!(sender(&map), expected, "{headers:?}");
        }
    }
}
