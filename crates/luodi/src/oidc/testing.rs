//! An identity provider on this machine, for tests: it plays the flow as the protocol says, and
//! wrongly in every way that must be noticed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::extract::{Form, State};
use axum::http::header::{AUTHORIZATION, LOCATION};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256,
    RsaKeyPair,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::task::JoinHandle;

use super::{Options, Provider, Settings};
use crate::web::Clock;

pub(crate) const CLIENT: &str = "luodi at home";
const SECRET: &str = "s3cret: of/the+client";
pub(crate) const REDIRECT: &str = "https://luodi.example/login/provider/return";

/// Keys of RSA take long to make; these are for tests only.
const RSA: [&str; 2] = [
    include_str!("testing/rsa_first.txt"),
    include_str!("testing/rsa_second.txt"),
];

/// What the provider signs with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Rsa(usize),
    P256,
    Ed25519,
}

/// What the provider does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Twist {
    Nothing,
    Nonce,
    Audience,
    Several,
    Party,
    Issuer,
    Expired,
    Future,
    Stale,
    Nameless,
    LongName,
    Unsigned,
    Shared,
    Signature,
    UnknownKey,
    OtherAlgorithm,
    Critical,
    LongToken,
    LongAnswer,
    Redirect,
    NoCode,
}

enum Signer {
    Rsa(RsaKeyPair),
    P256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

fn encoded(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

impl Signer {
    fn new(kind: Kind) -> Self {
        let random = SystemRandom::new();
        match kind {
            Kind::Rsa(which) => {
                let text: String = RSA[which].split_whitespace().collect();
                Self::Rsa(RsaKeyPair::from_der(&STANDARD.decode(text).unwrap()).unwrap())
            }
            Kind::P256 => {
                let way = &ECDSA_P256_SHA256_FIXED_SIGNING;
                let made = EcdsaKeyPair::generate_pkcs8(way, &random).unwrap();
                Self::P256(EcdsaKeyPair::from_pkcs8(way, made.as_ref(), &random).unwrap())
            }
            Kind::Ed25519 => {
                let made = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
                Self::Ed25519(Ed25519KeyPair::from_pkcs8(made.as_ref()).unwrap())
            }
        }
    }

    fn algorithm(&self) -> &'static str {
        match self {
            Self::Rsa(_) => "RS256",
            Self::P256(_) => "ES256",
            Self::Ed25519(_) => "EdDSA",
        }
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)
                    .unwrap();
                signature
            }
            Self::P256(pair) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Self::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }

    /// The public key, as published.
    fn published(&self, id: &str) -> Value {
        let mut key = match self {
            Self::Rsa(pair) => {
                let parts: PublicKeyComponents<Vec<u8>> = pair.public().into();
                json!({ "kty": "RSA", "n": encoded(parts.n), "e": encoded(parts.e) })
            }
            Self::P256(pair) => {
                let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
                json!({ "kty": "EC", "crv": "P-256", "x": encoded(x), "y": encoded(y) })
            }
            Self::Ed25519(pair) => {
                let x = encoded(pair.public_key().as_ref());
                json!({ "kty": "OKP", "crv": "Ed25519", "x": x })
            }
        };
        key["kid"] = json!(id);
        key["use"] = json!("sig");
        key
    }
}

/// What a code was given out for.
#[derive(Clone)]
struct Grant {
    person: String,
    nonce: String,
    challenge: String,
}

struct Desk {
    issuer: String,
    clock: Clock,
    signer: Signer,
    /// How often it was changed.
    changes: usize,
    twist: Twist,
    ways: Vec<String>,
    grants: HashMap<String, Grant>,
    codes: usize,
    key_reads: usize,
    /// A code is good again and again.
    forgetful: bool,
}

type Shared = Arc<Mutex<Desk>>;

pub(crate) struct Fake {
    pub(crate) issuer: String,
    desk: Shared,
    server: JoinHandle<()>,
}

impl Fake {
    pub(crate) async fn start(kind: Kind, clock: &Clock) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}/realm", listener.local_addr().unwrap());
        let desk = Desk {
            issuer: issuer.clone(),
            clock: clock.clone(),
            signer: Signer::new(kind),
            changes: 0,
            twist: Twist::Nothing,
            ways: vec!["pwd".to_owned()],
            grants: HashMap::new(),
            codes: 0,
            key_reads: 0,
            forgetful: false,
        };
        let desk = Arc::new(Mutex::new(desk));
        let router = Router::new()
            .route("/realm/.well-known/openid-configuration", get(document))
            .route("/realm/keys", get(keys))
            .route("/realm/token", post(token))
            .with_state(Arc::clone(&desk));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            issuer,
            desk,
            server,
        }
    }

    pub(crate) fn settings(&self, second_factor: bool) -> Settings {
        let options = Options {
            issuer: Some(&self.issuer),
            client: Some(CLIENT),
            secret: Some(SECRET),
            redirect: Some(REDIRECT),
            name: Some("浙政钉"),
            claim: None,
            second_factor,
        };
        Settings::read(&options).unwrap().unwrap()
    }

    pub(crate) fn provider(&self, second_factor: bool) -> Arc<Provider> {
        Arc::new(Provider::new(self.settings(second_factor)).unwrap())
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap()
    }

    pub(crate) fn twist(&self, twist: Twist) {
        self.desk().twist = twist;
    }

    /// How people show who they are there.
    pub(crate) fn ways(&self, ways: &[&str]) {
        self.desk().ways = ways.iter().map(|way| (*way).to_owned()).collect();
    }

    pub(crate) fn forget_codes(&self) {
        self.desk().forgetful = true;
    }

    /// Signs with another key from now on, under another id.
    pub(crate) fn rotate(&self, kind: Kind) {
        let mut desk = self.desk();
        desk.signer = Signer::new(kind);
        desk.changes += 1;
    }

    pub(crate) fn key_reads(&self) -> usize {
        self.desk().key_reads
    }

    /// The machine is gone.
    pub(crate) async fn stop(&self) {
        self.server.abort();
        while !self.server.is_finished() {
            tokio::task::yield_now().await;
        }
    }

    /// Somebody logs in at the address the browser was sent to; gives where it is sent back to.
    pub(crate) fn log_in(&self, address: &str, person: &str) -> String {
        let query = address.strip_prefix(&format!("{}/authorize?", self.issuer));
        let query = query.unwrap_or_else(|| panic!("{address}"));
        let asked: HashMap<String, String> = form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect();
        let says = |name: &str| asked[name].clone();
        assert_eq!(says("response_type"), "code");
        assert_eq!(says("client_id"), CLIENT);
        assert_eq!(says("redirect_uri"), REDIRECT);
        assert_eq!(says("code_challenge_method"), "S256");
        assert!(says("scope").split(' ').any(|scope| scope == "openid"));
        let grant = Grant {
            person: person.to_owned(),
            nonce: says("nonce"),
            challenge: says("code_challenge"),
        };
        let mut desk = self.desk();
        desk.codes += 1;
        let code = format!("code-{}", desk.codes);
        desk.grants.insert(code.clone(), grant);
        format!("/login/provider/return?code={code}&state={}", says("state"))
    }
}

async fn document(State(desk): State<Shared>) -> Response {
    let desk = desk.lock().unwrap();
    let issuer = &desk.issuer;
    let mut document = json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/keys"),
    });
    if desk.twist == Twist::LongAnswer {
        document["padding"] = json!("x".repeat(300 * 1024));
    }
    axum::Json(document).into_response()
}

async fn keys(State(desk): State<Shared>) -> Response {
    let mut desk = desk.lock().unwrap();
    desk.key_reads += 1;
    if desk.twist == Twist::Redirect {
        let elsewhere = format!("{}/.well-known/openid-configuration", desk.issuer);
        return (StatusCode::FOUND, [(LOCATION, elsewhere)]).into_response();
    }
    let id = format!("key-{}", desk.changes);
    let keys = [
        json!({ "kty": "oct", "kid": id, "k": encoded(SECRET) }),
        json!({ "kty": "RSA", "kid": "for-ciphers", "use": "enc", "n": "AQ", "e": "AQAB" }),
        desk.signer.published(&id),
    ];
    axum::Json(json!({ "keys": keys })).into_response()
}

async fn token(
    State(desk): State<Shared>,
    headers: HeaderMap,
    Form(form): Form<HashMap<String, String>>,
) -> Response {
    let mut desk = desk.lock().unwrap();
    let refuse = |status: StatusCode, error: &str| {
        (status, axum::Json(json!({ "error": error }))).into_response()
    };
    let part =
        |text: &str| -> String { form_urlencoded::byte_serialize(text.as_bytes()).collect() };
    let pair = STANDARD.encode(format!("{}:{}", part(CLIENT), part(SECRET)));
    if headers[AUTHORIZATION] != format!("Basic {pair}") {
        return refuse(StatusCode::UNAUTHORIZED, "invalid_client");
    }
    let code = form["code"].clone();
    let grant = match desk.forgetful {
        true => desk.grants.get(&code).cloned(),
        false => desk.grants.remove(&code),
    };
    let fits = |grant: &Grant| {
        encoded(Sha256::digest(form["code_verifier"].as_bytes())) == grant.challenge
            && form["redirect_uri"] == REDIRECT
            && form["grant_type"] == "authorization_code"
    };
    let Some(grant) = grant.filter(fits).filter(|_| desk.twist != Twist::NoCode) else {
        return refuse(StatusCode::BAD_REQUEST, "invalid_grant");
    };
    let token = made(&desk, &grant);
    axum::Json(json!({ "access_token": "a", "token_type": "Bearer", "id_token": token }))
        .into_response()
}

/// The token, as wrong as asked for.
fn made(desk: &Desk, grant: &Grant) -> String {
    let now = desk.clock.now().as_second();
    let mut claims = json!({
        "iss": desk.issuer, "aud": CLIENT, "sub": grant.person, "nonce": grant.nonce,
        "iat": now, "exp": now + 300, "amr": desk.ways,
    });
    let id = format!("key-{}", desk.changes);
    let mut header = json!({ "alg": desk.signer.algorithm(), "typ": "JWT", "kid": id });
    match desk.twist {
        Twist::Nonce => claims["nonce"] = json!("another"),
        Twist::Audience => claims["aud"] = json!("another"),
        Twist::Several => claims["aud"] = json!([CLIENT, "another"]),
        Twist::Party => claims["azp"] = json!("another"),
        Twist::Issuer => claims["iss"] = json!(format!("{}/", desk.issuer)),
        Twist::Expired => claims["exp"] = json!(now - 60),
        Twist::Future => claims["iat"] = json!(now + 61),
        Twist::Stale => claims["iat"] = json!(now - 700),
        Twist::Nameless => claims["sub"] = Value::Null,
        Twist::LongName => claims["sub"] = json!("x".repeat(256)),
        Twist::LongToken => claims["padding"] = json!("x".repeat(16 * 1024)),
        Twist::Unsigned => header["alg"] = json!("none"),
        Twist::Shared => header["alg"] = json!("HS256"),
        Twist::UnknownKey => header["kid"] = json!("another"),
        Twist::OtherAlgorithm => header["alg"] = json!("RS512"),
        Twist::Critical => header["crit"] = json!(["b64"]),
        _ => {}
    }
    let message = format!(
        "{}.{}",
        encoded(header.to_string()),
        encoded(claims.to_string())
    );
    let signature = match desk.twist {
        Twist::Unsigned => Vec::new(),
        // With what everybody can read as the shared secret.
        Twist::Shared => {
            use hmac::{Hmac, KeyInit, Mac};
            let public = desk.signer.published("x").to_string();
            let mut mac = Hmac::<Sha256>::new_from_slice(public.as_bytes()).unwrap();
            mac.update(message.as_bytes());
            mac.finalize().into_bytes().to_vec()
        }
        Twist::Signature => {
            let mut signature = desk.signer.sign(message.as_bytes());
            signature[7] ^= 1;
            signature
        }
        _ => desk.signer.sign(message.as_bytes()),
    };
    format!("{message}.{}", encoded(signature))
}
