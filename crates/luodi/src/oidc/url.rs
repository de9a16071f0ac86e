//! Addresses of a provider: https, or plain http on this very machine.

use std::net::IpAddr;

use axum::http::Uri;

/// An address that may be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    text: String,
    uri: Uri,
}

impl Address {
    /// Reads an address: absolute, without user and fragment, `https`, or `http` to a loopback
    /// address (development and tests).
    pub(super) fn parse(text: &str) -> Option<Self> {
        let uri: Uri = text.parse().ok()?;
        let authority = uri.authority()?.as_str();
        let good = text.len() <= 2_048
            && text.bytes().all(|byte| byte.is_ascii_graphic())
            && !text.contains(['#', '\\'])
            && !authority.contains('@');
        let address = Self {
            text: text.to_owned(),
            uri,
        };
        let reachable = address.is_secure() || address.is_loopback();
        (good && reachable).then_some(address)
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it is asked over TLS.
    pub(super) fn is_secure(&self) -> bool {
        self.uri.scheme_str() == Some("https")
    }

    /// Whether it is plain http to this machine.
    pub(super) fn is_loopback(&self) -> bool {
        let host = self.host();
        let here = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        self.uri.scheme_str() == Some("http") && here
    }

    /// The host, without the brackets of an IPv6 address.
    pub(super) fn host(&self) -> &str {
        let host = self.uri.host().unwrap_or_default();
        host.trim_start_matches('[').trim_end_matches(']')
    }

    pub(super) fn port(&self) -> u16 {
        let usual = if self.is_secure() { 443 } else { 80 };
        self.uri.port_u16().unwrap_or(usual)
    }

    /// The path alone.
    pub(super) fn path(&self) -> &str {
        self.uri.path()
    }

    /// What a request for it says: path and query.
    pub(super) fn target(&self) -> &str {
        self.uri.path_and_query().map_or("/", |path| path.as_str())
    }

    /// What a request for it says of the host.
    pub(super) fn authority(&self) -> &str {
        self.uri
            .authority()
            .map_or("", |authority| authority.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_and_this_machine_are_asked() {
        for (text, good) in [
            ("https://id.example", true),
            ("https://id.example:8443/realm?a=b", true),
            ("http://127.0.0.1:8081", true),
            ("http://[::1]:8081/x", true),
            ("http://localhost", true),
            ("http://id.example", false),
            ("http://127.0.0.1.id.example", false),
            ("http://10.0.0.1", false),
            ("ftp://127.0.0.1", false),
            ("https://user@id.example", false),
            ("https://id.example/#a", false),
            ("https:\\\\id.example", false),
            ("//id.example", false),
            ("/path", false),
            ("", false),
            ("https://id.example/ü", false),
        ] {
            assert_eq!(Address::parse(text).is_some(), good, "{text}");
        }
    }

    #[test]
    fn an_address_has_its_parts() {
        let part = |text: &str| {
            let it = Address::parse(text).unwrap();
            format!("{} {} {}", it.host(), it.port(), it.target())
        };
        assert_eq!(part("https://id.example"), "id.example 443 /");
        assert_eq!(part("http://[::1]:81/a?b=c"), "::1 81 /a?b=c");
    }
}
