//! Whose word about a visitor is taken: addresses and networks, the proxies that an operator
//! trusts, and what such a proxy says in its headers.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use axum::http::{HeaderMap, HeaderName};

/// What an operator reads where an address cannot be read.
const EXPECTED: &str = "应为地址或网段，如 127.0.0.1、10.0.0.0/8、fd00::/8";

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// An address, or all that share its first bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u32,
}

impl Network {
    /// Whether an address lies in it. An IPv4 address inside IPv6 (`::ffff:10.0.0.1`) is the IPv4
    /// address.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                (own.to_bits() ^ other.to_bits()).leading_zeros() >= self.bits
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                (own.to_bits() ^ other.to_bits()).leading_zeros() >= self.bits
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (address, bits) = text
            .split_once('/')
            .map_or((text, None), |(address, bits)| (address, Some(bits)));
        let address: IpAddr = address.parse().map_err(|_| EXPECTED.to_owned())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            None => most,
            Some(bits) => bits
                .parse()
                .ok()
                .filter(|bits| *bits <= most)
                .ok_or_else(|| format!("斜杠后的前缀长度应为 0 至 {most}；{EXPECTED}"))?,
        };
        Ok(Self { address, bits })
    }
}

/// Who asks, as far as the edge knows: put into every request by the accept loop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Peer {
    /// The visitor's address.
    pub(super) address: String,
    /// A trusted proxy says that the visitor came over TLS.
    pub(super) https: bool,
}

/// Whether one of these networks holds the address.
pub(super) fn trusted(proxies: &[Network], address: IpAddr) -> bool {
    proxies.iter().any(|network| network.contains(address))
}

/// The visitor of a request on a connection from `from`. Headers count only where a trusted proxy
/// sent them: anybody can write them.
pub(super) fn visitor(proxies: &[Network], from: IpAddr, headers: &HeaderMap) -> Peer {
    let from = from.to_canonical();
    if !trusted(proxies, from) {
        return Peer {
            address: from.to_string(),
            https: false,
        };
    }
    let mut words = headers.get_all(FORWARDED_PROTO).iter().peekable();
    let https = words.peek().is_some()
        && words.all(|word| word.as_bytes().trim_ascii().eq_ignore_ascii_case(b"https"));
    Peer {
        address: forwarded_for(proxies, headers).unwrap_or(from).to_string(),
        https,
    }
}

/// The right-most address that is no trusted proxy: what stands left of it may be invented. None
/// where there is no such address, or one cannot be read before it is found.
fn forwarded_for(proxies: &[Network], headers: &HeaderMap) -> Option<IpAddr> {
    for line in headers.get_all(FORWARDED_FOR).iter().rev() {
        for word in line.to_str().ok()?.rsplit(',') {
            let address = read_address(word.trim())?;
            if !trusted(proxies, address) {
                return Some(address);
            }
        }
    }
    None
}

/// An address, with or without the port that some proxies add.
fn read_address(word: &str) -> Option<IpAddr> {
    let bare = word.parse().ok();
    let address = bare.or_else(|| {
        word.parse::<SocketAddr>()
            .ok()
            .map(|with_port| with_port.ip())
    });
    address.map(|address: IpAddr| address.to_canonical())
}

/// An IPv6 host owns a whole /64, so that is what counts as one address.
pub(super) fn neighbourhood(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}")
        }
        v4 @ IpAddr::V4(_) => v4.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::header::SET_COOKIE;
    use axum::http::{HeaderValue, Request};
    use tower::ServiceExt;

    use super::*;
    use crate::store::Store;
    use crate::web::{Clock, testing};

    fn network(text: &str) -> Network {
        text.parse().unwrap()
    }

    #[test]
    fn a_network_holds_what_shares_its_first_bits() {
        for (net, address, holds) in [
            ("10.1.2.3", "10.1.2.3", true),
            ("10.1.2.3", "10.1.2.4", false),
            ("10.1.2.3/8", "10.255.0.0", true),
            ("10.0.0.0/8", "11.0.0.0", false),
            ("10.0.0.0/8", "::ffff:10.9.9.9", true),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("2001:db8::/32", "2001:db8:ffff::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
            ("::1", "::1", true),
        ] {
            let found = network(net).contains(address.parse().unwrap());
            assert_eq!(found, holds, "{net} {address}");
        }
        for wrong in [
            "",
            "proxy",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/",
            "10.0.0.0/-1",
            "10.0.0/8",
        ] {
            let why = wrong.parse::<Network>().unwrap_err();
            assert!(why.contains("10.0.0.0/8"), "{wrong}: {why}");
        }
    }

    #[track_caller]
    fn seen(from: &str, lines: &[&str], wanted: &str) {
        let proxies = [network("10.0.0.0/8"), network("fd00::1")];
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(FORWARDED_FOR, HeaderValue::from_str(line).unwrap());
        }
        let peer = visitor(&proxies, from.parse().unwrap(), &headers);
        assert_eq!(peer.address, wanted, "{from} {lines:?}");
    }

    #[test]
    fn the_right_most_stranger_is_the_visitor() {
        seen("203.0.113.9", &["198.51.100.1"], "203.0.113.9");
        seen("10.0.0.1", &[], "10.0.0.1");
        seen("10.0.0.1", &["198.51.100.1"], "198.51.100.1");
        seen(
            "10.0.0.1",
            &["6.6.6.6, 198.51.100.1, 10.2.2.2"],
            "198.51.100.1",
        );
        seen(
            "10.0.0.1",
            &["6.6.6.6", "198.51.100.1", "10.2.2.2,fd00::1"],
            "198.51.100.1",
        );
        seen("fd00::1", &["2001:db8::7"], "2001:db8::7");
        seen("::ffff:10.0.0.1", &["198.51.100.1:4711"], "198.51.100.1");
        seen("10.0.0.1", &["[2001:db8::7]:443"], "2001:db8::7");
        // What stands left of the stranger is not even read.
        seen("10.0.0.1", &["<script>, 198.51.100.1"], "198.51.100.1");
    }

    #[test]
    fn what_cannot_be_read_leaves_the_address_of_the_connection() {
        for line in [
            "unknown",
            "",
            "198.51.100.1, ",
            "198.51.100.1, x, 10.2.2.2",
            "10.1.1.1",
        ] {
            seen("10.0.0.1", &[line], "10.0.0.1");
        }
    }

    #[test]
    fn only_a_trusted_proxy_says_https() {
        let proxies = [network("10.0.0.0/8")];
        let https = |from: &str, words: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for word in words {
                headers.append(FORWARDED_PROTO, HeaderValue::from_static(word));
            }
            visitor(&proxies, from.parse().unwrap(), &headers).https
        };
        assert!(https("10.0.0.1", &["https"]));
        assert!(https("10.0.0.1", &["HTTPS"]));
        assert!(!https("10.0.0.1", &["http"]));
        assert!(!https("10.0.0.1", &[]));
        assert!(!https("10.0.0.1", &["https", "http"]));
        assert!(!https("203.0.113.9", &["https"]));
    }

    #[test]
    fn a_visitor_over_tls_gets_secure_cookies() {
        let clock = Clock::system();
        let store = Store::open_temporary(clock.now()).unwrap();
        let router = testing::router(&store, &clock);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        for https in [true, false] {
            let mut request = Request::get("/login?lang=en").body(Body::empty()).unwrap();
            request.extensions_mut().insert(Peer {
                address: "198.51.100.1".into(),
                https,
            });
            let response = runtime.block_on(router.clone().oneshot(request)).unwrap();
            let cookies: Vec<_> = response.headers().get_all(SET_COOKIE).iter().collect();
            assert!(!cookies.is_empty());
            for cookie in cookies {
                let secure = cookie.to_str().unwrap().contains("; Secure");
                assert_eq!(secure, https, "{cookie:?}");
            }
        }
        store.shutdown();
    }
}
