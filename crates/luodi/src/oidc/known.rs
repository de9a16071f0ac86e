//! What is known of the provider: its addresses and its keys, asked for when needed and remembered
//! for an hour.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use tokio::sync::Mutex;

use super::Failure;
use super::http::{Client, Request};
use super::jws::{Key, Signed};
use super::url::Address;

/// How long an answer is believed.
const GOOD: SignedDuration = SignedDuration::from_hours(1);
/// Keys are not asked for again sooner, however many tokens name one that is unknown.
const KEYS_EVERY: SignedDuration = SignedDuration::from_mins(1);
/// A provider that does not answer is not asked again sooner.
const DOWN_FOR: SignedDuration = SignedDuration::from_secs(5);
/// The longest document that is read.
const AT_MOST: usize = 256 * 1024;
/// The most keys that are looked at.
const KEYS: usize = 100;

/// The addresses of a provider (OpenID Connect Discovery 1.0).
#[derive(Clone, Debug)]
pub(super) struct Metadata {
    pub(super) authorization_endpoint: Address,
    pub(super) token_endpoint: Address,
    jwks_uri: Address,
    methods: Vec<String>,
}

impl Metadata {
    /// Whether the program shows its secret in the header; what a provider that says nothing wants.
    pub(super) fn takes_basic(&self) -> bool {
        let takes = |method: &str| self.methods.iter().any(|it| it == method);
        self.methods.is_empty() || takes("client_secret_basic") || !takes("client_secret_post")
    }
}

#[derive(Deserialize)]
struct Document {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Vec<String>,
}

/// The keys of a provider (RFC 7517). One that cannot be read is left out: it verifies nothing.
#[derive(Deserialize)]
struct KeySet {
    keys: Vec<serde_json::Value>,
}

type Dated<T> = Option<(Arc<T>, Timestamp)>;

#[derive(Debug, Default)]
struct State {
    metadata: Dated<Metadata>,
    keys: Dated<Vec<Key>>,
    down: Option<(Failure, Timestamp)>,
}

impl State {
    /// Says at once that a provider is down which was down a moment ago.
    fn check_down(&self, now: Timestamp) -> Result<(), Failure> {
        match &self.down {
            Some((failure, at)) if now.duration_since(*at) < DOWN_FOR => Err(failure.clone()),
            _ => Ok(()),
        }
    }
}

/// What is known of the provider. Who asks while another does waits for his answer.
#[derive(Debug, Default)]
pub(super) struct Known {
    state: Mutex<State>,
}

impl Known {
    /// The provider's addresses.
    pub(super) async fn metadata(
        &self,
        client: &Client,
        issuer: &str,
        now: Timestamp,
    ) -> Result<Arc<Metadata>, Failure> {
        let mut state = self.state.lock().await;
        if let Some(metadata) = fresh(&state.metadata, now, GOOD) {
            return Ok(metadata);
        }
        state.check_down(now)?;
        match discover(client, issuer).await {
            Ok(metadata) => {
                let metadata = Arc::new(metadata);
                state.metadata = Some((Arc::clone(&metadata), now));
                Ok(metadata)
            }
            Err(failure) => {
                state.down = Some((failure.clone(), now));
                Err(failure)
            }
        }
    }

    /// The provider's keys; asked for anew where the token names one that is not among them.
    pub(super) async fn keys_for(
        &self,
        client: &Client,
        metadata: &Metadata,
        signed: &Signed<'_>,
        now: Timestamp,
    ) -> Result<Arc<Vec<Key>>, Failure> {
        let mut state = self.state.lock().await;
        if let Some(keys) = fresh(&state.keys, now, GOOD)
            && (signed.is_known(&keys) || fresh(&state.keys, now, KEYS_EVERY).is_some())
        {
            return Ok(keys);
        }
        state.check_down(now)?;
        match read_keys(client, &metadata.jwks_uri).await {
            Ok(keys) => {
                let keys = Arc::new(keys);
                state.keys = Some((Arc::clone(&keys), now));
                Ok(keys)
            }
            Err(failure) => {
                state.down = Some((failure.clone(), now));
                Err(failure)
            }
        }
    }
}

fn fresh<T>(dated: &Dated<T>, now: Timestamp, good: SignedDuration) -> Option<Arc<T>> {
    let (value, at) = dated.as_ref()?;
    (now.duration_since(*at) < good).then(|| Arc::clone(value))
}

async fn read(client: &Client, to: &Address) -> Result<Vec<u8>, Failure> {
    let request = Request {
        to,
        authorization: None,
        form: None,
        at_most: AT_MOST,
    };
    let reply = client.ask(request).await?;
    if reply.ok {
        Ok(reply.body)
    } else {
        Err(Failure::Down(format!("{}: refused", to.as_str())))
    }
}

async fn discover(client: &Client, issuer: &str) -> Result<Metadata, Failure> {
    let text = format!(
        "{}/.well-known/openid-configuration",
        issuer.trim_end_matches('/')
    );
    let down = |what: &str| Failure::Down(format!("{text}: {what}"));
    let to = Address::parse(&text).ok_or_else(|| down("no address"))?;
    let body = read(client, &to).await?;
    let document: Document =
        serde_json::from_slice(&body).map_err(|error| down(&error.to_string()))?;
    if document.issuer != issuer {
        return Err(down("it is about another issuer"));
    }
    // Plain http only where the issuer itself is on this machine.
    let address = |text: &str| {
        Address::parse(text)
            .filter(|address| address.is_secure() == to.is_secure())
            .ok_or_else(|| down(&format!("an address that is not asked: {text:.200}")))
    };
    Ok(Metadata {
        authorization_endpoint: address(&document.authorization_endpoint)?,
        token_endpoint: address(&document.token_endpoint)?,
        jwks_uri: address(&document.jwks_uri)?,
        methods: document.token_endpoint_auth_methods_supported,
    })
}

async fn read_keys(client: &Client, to: &Address) -> Result<Vec<Key>, Failure> {
    let body = read(client, to).await?;
    let set: KeySet = serde_json::from_slice(&body)
        .map_err(|error| Failure::Down(format!("{}: {error}", to.as_str())))?;
    let keys = set.keys.into_iter().take(KEYS);
    Ok(keys.filter_map(Key::read).collect())
}
