//! The edge against clients that read nothing, send nothing, or come in numbers.

use std::net::SocketAddr;

use axum::routing;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::*;

/// No test waits that long unless it fails.
const LONG: Duration = Duration::from_secs(20);

struct Edge {
    address: SocketAddr,
    _stop: oneshot::Sender<()>,
}

async fn edge(router: Router, limits: Limits) -> Edge {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    tokio::spawn(serve(listener, router, limits, async {
        let _ = stopped.await;
    }));
    Edge {
        address,
        _stop: stop,
    }
}

impl Edge {
    async fn send(&self, request: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        // A connection that is refused may be gone before it is written to.
        let _ = stream.write_all(request.as_bytes()).await;
        stream
    }
}

/// What comes until the server closes.
async fn rest(mut stream: TcpStream) -> String {
    let mut bytes = Vec::new();
    // A reset is an end, too.
    let _ = timeout(LONG, stream.read_to_end(&mut bytes))
        .await
        .expect("the server closes");
    String::from_utf8_lossy(&bytes).into_owned()
}

fn pages() -> Router {
    Router::new()
        .route("/", routing::get(|| async { "here" }))
        .route("/large", routing::get(|| async { vec![b'x'; 64 << 20] }))
        .route("/form", routing::post(|body: String| async { body }))
}

const HOME: &str = "GET / HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n";

/// Asks until the address has a seat again.
async fn served_at_last(edge: &Edge) {
    let asked = async { while !rest(edge.send(HOME).await).await.ends_with("here") {} };
    timeout(LONG, asked).await.expect("a seat is given back");
}

fn one_seat() -> Limits {
    Limits {
        connections_per_address: 1,
        ..Limits::default()
    }
}

#[tokio::test]
async fn who_reads_nothing_is_cut() {
    let limits = Limits {
        write_timeout: Duration::from_millis(30),
        connections: 1,
        ..Limits::default()
    };
    let edge = edge(pages(), limits).await;
    let _idle = edge.send("GET /large HTTP/1.1\r\nhost: test\r\n\r\n").await;
    served_at_last(&edge).await;
}

#[tokio::test]
async fn a_body_that_does_not_come_ends_by_the_deadline() {
    let limits = Limits {
        answer_timeout: Duration::from_millis(30),
        ..Limits::default()
    };
    let edge = edge(pages(), limits).await;
    let head = "POST /form HTTP/1.1\r\nhost: test\r\ncontent-length: 100\r\n\r\nabc";
    let answer = rest(edge.send(head).await).await;
    assert!(answer.starts_with("HTTP/1.1 504 "), "{answer}");
}

#[tokio::test]
async fn an_address_has_so_many_connections_and_a_trusted_proxy_any_number() {
    let strict = edge(pages(), one_seat()).await;
    let first = strict.send("GET /").await;
    assert!(rest(strict.send(HOME).await).await.ends_with("here"));
    assert_eq!(rest(first).await, "", "it made room");
    let head = "POST /form HTTP/1.1\r\nhost: test\r\ncontent-length: 100\r\n\r\nabc";
    let slow = strict.send(head).await;
    assert!(rest(strict.send(HOME).await).await.ends_with("here"));
    assert_eq!(rest(slow).await, "", "so did it");
    let limits = Limits {
        trusted_proxies: ["127.0.0.1".parse().unwrap()].into(),
        ..one_seat()
    };
    let behind = edge(pages(), limits).await;
    let mut first = behind.send("GET / HTTP/1.1\r\n").await;
    assert!(rest(behind.send(HOME).await).await.ends_with("here"));
    let rest_of_it = b"host: test\r\nconnection: close\r\n\r\n";
    first.write_all(rest_of_it).await.unwrap();
    assert!(rest(first).await.ends_with("here"));
}

/// A certificate for `localhost` in files, and a client that trusts it.
fn certified() -> (tempfile::TempDir, Tls, tokio_rustls::TlsConnector) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (chain, key) = (
        folder.path().join("chain.pem"),
        folder.path().join("key.pem"),
    );
    std::fs::write(&chain, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let mut roots = tokio_rustls::rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = tokio_rustls::rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let tls = Tls::load(&chain, &key).unwrap();
    (folder, tls, Arc::new(config).into())
}

#[tokio::test]
async fn pages_are_served_by_tls_and_ask_for_it() {
    let (_folder, tls, connector) = certified();
    let limits = Limits {
        tls: Some(tls),
        secure: true,
        header_timeout: Duration::from_millis(300),
        ..Limits::default()
    };
    let edge = edge(pages(), limits).await;
    let stream = TcpStream::connect(edge.address).await.unwrap();
    let name = "localhost".try_into().unwrap();
    let mut stream = connector.connect(name, stream).await.unwrap();
    stream.write_all(HOME.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(
        answer.contains("strict-transport-security: max-age=63072000"),
        "{answer}"
    );
    // Who speaks no TLS, or nothing at all, is not waited for.
    assert!(!rest(edge.send(HOME).await).await.contains("200 OK"));
    assert_eq!(rest(edge.send("").await).await, "");
}

#[tokio::test]
async fn without_tls_browsers_are_told_nothing_of_it() {
    let edge = edge(pages(), Limits::default()).await;
    let answer = rest(edge.send(HOME).await).await;
    assert!(!answer.contains("strict-transport-security"), "{answer}");
}

#[test]
fn a_key_of_another_certificate_is_refused() {
    let (one, _, _) = certified();
    let (other, _, _) = certified();
    let refused = Tls::load(&one.path().join("chain.pem"), &other.path().join("key.pem"));
    assert!(refused.unwrap_err().contains("不能一起使用"));
    let nothing = Tls::load(&one.path().join("key.pem"), &one.path().join("key.pem"));
    assert!(nothing.unwrap_err().contains("没有证书"));
    assert!(Tls::load(&one.path().join("none.pem"), &one.path().join("key.pem")).is_err());
}
