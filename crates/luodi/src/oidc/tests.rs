//! The flow against a provider on this machine, and what is refused of it.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

use super::http::{Client, Request};
use super::testing::{Fake, Kind, Twist};
use super::url::Address;
use super::*;
use crate::web::Clock;

fn start() -> Timestamp {
    "2026-11-23T01:00:00Z".parse().unwrap()
}

fn secrets() -> Secrets {
    Secrets {
        state: "s".repeat(43),
        nonce: "n".repeat(43),
        verifier: "v".repeat(43),
    }
}

/// One whole log-in of 陈.
async fn log_in(fake: &Fake, provider: &Provider, now: Timestamp) -> Result<Identity, Failure> {
    let address = provider.address(&secrets(), now).await?;
    let back = fake.log_in(&address, "陈");
    let code = back.split(['=', '&']).nth(1).unwrap().to_owned();
    provider.identity(&code, None, &secrets(), now).await
}

#[tokio::test]
async fn every_kind_of_key_proves_an_identity() {
    let clock = Clock::fixed(start());
    for kind in [Kind::Rsa(0), Kind::P256, Kind::Ed25519] {
        let fake = Fake::start(kind, &clock).await;
        let provider = fake.provider(false);
        let expected = |multi_factor| Identity {
            subject: "陈".to_owned(),
            multi_factor,
        };
        let found = log_in(&fake, &provider, start()).await;
        assert_eq!(found, Ok(expected(false)), "{kind:?}");
        for (ways, strong) in [
            (&["pwd", "mfa"][..], true),
            (&["otp"], true),
            (&["hwk", "pin"], true),
            (&["pwd", "sms"], false),
            (&[], false),
        ] {
            fake.ways(ways);
            let found = log_in(&fake, &provider, start()).await;
            assert_eq!(found, Ok(expected(strong)), "{ways:?}");
        }
        assert_eq!(fake.key_reads(), 1, "remembered");
    }
}

#[tokio::test]
async fn a_token_that_breaks_a_rule_proves_nobody() {
    let clock = Clock::fixed(start());
    for kind in [Kind::Rsa(0), Kind::P256, Kind::Ed25519] {
        let fake = Fake::start(kind, &clock).await;
        let provider = fake.provider(false);
        log_in(&fake, &provider, start()).await.unwrap();
        for (twist, why) in [
            (Twist::Nonce, "of another log-in"),
            (Twist::Audience, "for another program"),
            (Twist::Several, "for several programs"),
            (Twist::Party, "handed to another program"),
            (Twist::Issuer, "of another issuer"),
            (Twist::Expired, "expired"),
            (Twist::Future, "of the future"),
            (Twist::Stale, "too old"),
            (Twist::Nameless, "names nobody"),
            (Twist::LongName, "names nobody"),
            (Twist::Unsigned, "algorithm not accepted"),
            (Twist::Shared, "algorithm not accepted"),
            (Twist::OtherAlgorithm, "algorithm not accepted"),
            (Twist::Signature, "signature wrong"),
            (Twist::UnknownKey, "no such key"),
            (Twist::Critical, "a header that must be understood"),
            (Twist::LongToken, "too long"),
        ] {
            fake.twist(twist);
            let found = log_in(&fake, &provider, start()).await;
            assert_eq!(found, Err(Failure::Token(why)), "{kind:?} {twist:?}");
        }
        fake.twist(Twist::NoCode);
        let found = log_in(&fake, &provider, start()).await;
        let refused = Failure::NoToken("invalid_grant".to_owned());
        assert_eq!(found, Err(refused), "{kind:?}");
        fake.twist(Twist::Nothing);
        assert!(log_in(&fake, &provider, start()).await.is_ok());
    }
}

/// A key signs by the algorithm of its kind and no other, whatever the token says.
#[test]
fn a_key_is_for_one_algorithm() {
    let key = jws::Key::read;
    let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
    let good = serde_json::json!({ "kty": "OKP", "crv": "Ed25519", "kid": "a", "x": x });
    let with = |name: &str, value: &str| {
        let mut json = good.clone();
        json[name] = serde_json::json!(value);
        key(json).is_some()
    };
    assert!(key(good.clone()).is_some());
    assert!(with("use", "sig") && with("alg", "EdDSA"));
    assert!(!with("use", "enc") && !with("alg", "RS256") && !with("kty", "oct"));
    assert!(!with("crv", "X25519") && !with("x", "not base64!"));
    let eddsa = URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256","kid":"a"}"#);
    let token = format!("{eddsa}.e30.AAAA");
    let signed = jws::parse(&token).unwrap();
    assert_eq!(signed.verify(&[key(good).unwrap()]), Err("no such key"));
}

#[tokio::test]
async fn a_rotated_key_is_read_once_and_not_in_a_hurry() {
    let clock = Clock::fixed(start());
    let fake = Fake::start(Kind::Rsa(0), &clock).await;
    let provider = fake.provider(false);
    log_in(&fake, &provider, start()).await.unwrap();
    fake.rotate(Kind::Rsa(1));
    let unknown = Err(Failure::Token("no such key"));
    for _ in 0..3 {
        assert_eq!(log_in(&fake, &provider, start()).await, unknown);
    }
    assert_eq!(fake.key_reads(), 1, "not sooner than in a minute");
    clock.set(start() + SignedDuration::from_secs(61));
    assert!(log_in(&fake, &provider, clock.now()).await.is_ok());
    assert_eq!(fake.key_reads(), 2);
    // Who invents ids of keys has them asked for once a minute, however often he comes.
    fake.twist(Twist::UnknownKey);
    for _ in 0..3 {
        assert_eq!(log_in(&fake, &provider, clock.now()).await, unknown);
    }
    assert_eq!(fake.key_reads(), 2);
    fake.twist(Twist::Nothing);
    clock.set(start() + SignedDuration::from_hours(2));
    assert!(log_in(&fake, &provider, clock.now()).await.is_ok());
    assert_eq!(fake.key_reads(), 3, "believed for an hour");
}

#[tokio::test]
async fn a_provider_that_is_down_or_says_too_much_is_down() {
    let clock = Clock::fixed(start());
    let down = |found: Result<Identity, Failure>, says: &str| match found {
        Err(Failure::Down(why)) => assert!(why.contains(says), "{why}"),
        other => panic!("{says}: {other:?}"),
    };
    let fake = Fake::start(Kind::Ed25519, &clock).await;
    let provider = fake.provider(false);
    fake.twist(Twist::LongAnswer);
    down(log_in(&fake, &provider, start()).await, "length limit");
    fake.twist(Twist::Nothing);
    down(log_in(&fake, &provider, start()).await, "length limit");
    let later = start() + SignedDuration::from_secs(5);
    fake.twist(Twist::Redirect);
    clock.set(later);
    down(log_in(&fake, &provider, later).await, "status 302");
    let later = start() + SignedDuration::from_secs(10);
    fake.twist(Twist::Nothing);
    assert!(log_in(&fake, &provider, later).await.is_ok());
    let another = fake.provider(false);
    fake.stop().await;
    let gone = another.address(&secrets(), start()).await;
    assert!(matches!(gone, Err(Failure::Down(_))), "{gone:?}");
    // What is known is enough to send somebody there, and no more.
    assert!(provider.address(&secrets(), later).await.is_ok());
    let lost = provider.identity("x", None, &secrets(), later).await;
    down(lost, "127.0.0.1");
}

#[tokio::test]
async fn another_issuer_in_the_answer_is_noticed() {
    let fake = Fake::start(Kind::Ed25519, &Clock::fixed(start())).await;
    let provider = fake.provider(false);
    let secrets = secrets();
    let mixed = provider.identity("c", Some("https://evil.example"), &secrets, start());
    let expected = Err(Failure::Token("another issuer answered"));
    assert_eq!(mixed.await, expected);
    for code in ["", &"x".repeat(3_000)] {
        let empty = provider.identity(code, Some(&fake.issuer), &secrets, start());
        assert!(matches!(empty.await, Err(Failure::NoToken(_))));
    }
}

fn ask(to: &Address) -> Request<'_> {
    Request {
        to,
        authorization: None,
        form: None,
        at_most: 100,
    }
}

#[tokio::test]
async fn a_provider_that_hangs_is_not_waited_for() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let to = format!("http://{}/", listener.local_addr().unwrap());
    let mut client = Client::in_plain();
    client.patience = Duration::from_millis(30);
    let found = client.ask(ask(&Address::parse(&to).unwrap())).await;
    let failure = found.map(|_| ()).unwrap_err();
    assert!(failure.to_string().contains("no answer in"), "{failure}");
}

/// A provider whose certificate the machine does not trust is none, and TLS never falls back.
#[tokio::test]
async fn the_certificate_is_looked_at() {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            let mut head = [0; 1024];
            let _ = stream.read(&mut head).await;
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
            let _ = stream.write_all(answer).await;
            let _ = stream.shutdown().await;
        }
    });
    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone()).unwrap();
    let good = Client::trusting(roots).unwrap();
    let stranger = Client::trusting(RootCertStore::empty()).unwrap();
    let address = |text: &str| Address::parse(&format!("{text}:{port}/")).unwrap();
    let reply = good.ask(ask(&address("https://localhost"))).await.unwrap();
    assert!(reply.ok && reply.body == b"{}");
    for (client, to) in [
        (&stranger, "https://localhost"),
        (&good, "https://127.0.0.1"),
        (&good, "http://localhost"),
        (&Client::in_plain(), "https://localhost"),
    ] {
        let found = client.ask(ask(&address(to))).await;
        assert!(matches!(found, Err(Failure::Down(_))), "{to}");
    }
    server.abort();
}

#[test]
fn options_that_cannot_work_are_refused() {
    let good = Options {
        issuer: Some("https://id.example/realm"),
        client: Some("luodi"),
        secret: Some("s3cret\n"),
        redirect: Some("https://luodi.example/login/provider/return"),
        ..Options::default()
    };
    let settings = Settings::read(&good).unwrap().unwrap();
    assert_eq!((settings.secret(), &*settings.claim), ("s3cret", "sub"));
    assert!(!format!("{settings:?}").contains("s3cret"));
    assert!(Settings::read(&Options::default()).unwrap().is_none());
    let bad = |change: fn(&mut Options<'static>), says: &str| {
        let mut options = good.clone();
        change(&mut options);
        let why = Settings::read(&options).unwrap_err();
        assert!(why.contains(says) && why.ends_with('.'), "{why}");
    };
    bad(|it| it.issuer = None, "一起给出");
    bad(|it| it.client = None, "一起给出");
    bad(|it| it.secret = None, "一起给出");
    bad(|it| it.redirect = None, "一起给出");
    bad(|it| it.issuer = Some("http://id.example"), "--oidc-issuer");
    bad(
        |it| it.issuer = Some("https://id.example?a=b"),
        "--oidc-issuer",
    );
    bad(|it| it.client = Some(""), "--oidc-client");
    bad(|it| it.secret = Some(" \n"), "--oidc-secret-file");
    bad(|it| it.secret = Some("a\nb"), "--oidc-secret-file");
    bad(
        |it| it.redirect = Some("https://luodi.example/"),
        "--oidc-redirect",
    );
    bad(
        |it| it.redirect = Some("http://luodi.example/login/provider/return"),
        "--oidc-redirect",
    );
    bad(|it| it.name = Some(""), "--oidc-name");
    bad(|it| it.claim = Some("nonce"), "--oidc-claim");
    bad(|it| it.claim = Some("a b"), "--oidc-claim");
    let alone = Options {
        second_factor: true,
        ..Options::default()
    };
    assert!(Settings::read(&alone).is_err(), "for no provider");
}
