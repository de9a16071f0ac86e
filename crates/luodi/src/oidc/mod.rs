//! Log-in at an identity provider (OpenID Connect Core 1.0): the authorization code flow with PKCE,
//! from the address a browser is sent to, to the identity that an ID token proves.
//!
//! It knows one provider, whom the operator names. It lacks accounts, cookies and pages, which are
//! `account`'s, and whatever of the protocol is not needed to log in: no tokens are kept, nothing is
//! asked of the provider afterwards, nobody is logged out there.

mod http;
mod jws;
mod known;
mod settings;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod token;
mod url;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use form_urlencoded::Serializer;
use jiff::Timestamp;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use http::{Client, Request};
use known::{Known, Metadata};
pub use settings::{Options, RETURN, Settings};

/// The longest code that is handed on to the provider.
const LONGEST_CODE: usize = 2_048;
/// The longest answer with a token.
const TOKEN_ANSWER: usize = 64 * 1024;

/// Why nobody is logged in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The provider cannot be reached, takes too long, or answers what cannot be read.
    #[error("the provider does not answer well: {0}")]
    Down(String),
    /// The provider does not give a token for this code.
    #[error("the provider gives no token: {0}")]
    NoToken(String),
    /// The token does not prove what it must.
    #[error("the provider's token is not accepted: {0}")]
    Token(&'static str),
}

/// What of one log-in only the browser that began it, and this program, know.
#[derive(Clone, Debug)]
pub struct Secrets {
    /// Comes back with the code.
    pub state: String,
    /// Comes back in the token.
    pub nonce: String,
    /// What the program shows to get the token (PKCE); 43 to 128 characters.
    pub verifier: String,
}

/// Whom a token is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The value of the claim that names him, for ever the same at this provider.
    pub subject: String,
    /// The provider says that he showed more than a password.
    pub multi_factor: bool,
}

/// The identity provider of this installation.
#[derive(Debug)]
pub struct Provider {
    settings: Settings,
    client: Client,
    known: Known,
}

impl Provider {
    /// Ready to ask; asks nothing yet. Certificates are held against those the machine trusts.
    ///
    /// # Errors
    /// What to mend, where the machine trusts no certificate at all.
    pub fn new(settings: Settings) -> Result<Self, String> {
        let client = if settings.issuer.is_secure() {
            Client::trusting_the_machine()?
        } else {
            Client::in_plain()
        };
        Ok(Self::with_client(settings, client))
    }

    fn with_client(settings: Settings, client: Client) -> Self {
        Self {
            known: Known::default(),
            settings,
            client,
        }
    }

    /// What people call it.
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// Its address, which is also its name among programs.
    pub fn issuer(&self) -> &str {
        self.settings.issuer.as_str()
    }

    /// Whether it is believed where it says that somebody showed a second factor.
    pub fn is_second_factor(&self) -> bool {
        self.settings.second_factor
    }

    /// Where a browser is sent to log in.
    ///
    /// # Errors
    /// [`Failure::Down`].
    pub async fn address(&self, secrets: &Secrets, now: Timestamp) -> Result<String, Failure> {
        let metadata = self
            .known
            .metadata(&self.client, self.issuer(), now)
            .await?;
        let scope = if self.settings.claim == "sub" {
            "openid"
        } else {
            "openid profile"
        };
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(secrets.verifier.as_bytes()));
        let query = Serializer::new(String::new())
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.settings.client)
            .append_pair("redirect_uri", &self.settings.redirect)
            .append_pair("scope", scope)
            .append_pair("state", &secrets.state)
            .append_pair("nonce", &secrets.nonce)
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256")
            .finish();
        let address = metadata.authorization_endpoint.as_str();
        let joint = if address.contains('?') { '&' } else { '?' };
        Ok(format!("{address}{joint}{query}"))
    }

    /// Whom the code that came back stands for. `from` is the issuer that the answer names, where it
    /// names one (RFC 9207).
    ///
    /// # Errors
    /// Why it stands for nobody.
    pub async fn identity(
        &self,
        code: &str,
        from: Option<&str>,
        secrets: &Secrets,
        now: Timestamp,
    ) -> Result<Identity, Failure> {
        if from.is_some_and(|from| from != self.issuer()) {
            return Err(Failure::Token("another issuer answered"));
        }
        if code.is_empty() || code.len() > LONGEST_CODE {
            return Err(Failure::NoToken("no code".to_owned()));
        }
        let metadata = self
            .known
            .metadata(&self.client, self.issuer(), now)
            .await?;
        let token = self.redeem(&metadata, code, &secrets.verifier).await?;
        let signed = jws::parse(&token).map_err(Failure::Token)?;
        let keys = self.known.keys_for(&self.client, &metadata, &signed, now);
        let payload = signed.verify(&keys.await?).map_err(Failure::Token)?;
        let expected = token::Expected {
            issuer: self.issuer(),
            client: &self.settings.client,
            nonce: &secrets.nonce,
            claim: &self.settings.claim,
            now,
        };
        token::read(payload, &expected).map_err(Failure::Token)
    }

    /// The ID token for a code, as it came.
    async fn redeem(
        &self,
        metadata: &Metadata,
        code: &str,
        verifier: &str,
    ) -> Result<String, Failure> {
        let (authorization, form) = self.plea(metadata, code, verifier);
        let request = Request {
            to: &metadata.token_endpoint,
            authorization,
            form: Some(form),
            at_most: TOKEN_ANSWER,
        };
        let answer = self.client.ask(request).await?;
        if !answer.ok {
            // What the provider calls the fault, if it keeps to the protocol; never what was sent.
            let fault = serde_json::from_slice::<Fault>(&answer.body).ok();
            let fault = fault.map_or("unknown".to_owned(), |fault| fault.error);
            let plain = |c: &char| c.is_ascii_alphanumeric() || *c == '_';
            return Err(Failure::NoToken(
                fault.chars().filter(plain).take(60).collect(),
            ));
        }
        serde_json::from_slice::<Tokens>(&answer.body)
            .map(|tokens| tokens.id_token)
            .map_err(|error| Failure::Down(format!("token: {error}")))
    }

    /// What a token is asked for with: the header, where the provider wants the secret there, and
    /// the form.
    fn plea(&self, metadata: &Metadata, code: &str, verifier: &str) -> (Option<String>, String) {
        let (client, secret) = (&self.settings.client, self.settings.secret());
        let mut form = Serializer::new(String::new());
        form.append_pair("grant_type", "authorization_code")
            .append_pair("code", code)
            .append_pair("redirect_uri", &self.settings.redirect)
            .append_pair("code_verifier", verifier);
        if !metadata.takes_basic() {
            form.append_pair("client_id", client)
                .append_pair("client_secret", secret);
            return (None, form.finish());
        }
        let encoded =
            |text: &str| -> String { form_urlencoded::byte_serialize(text.as_bytes()).collect() };
        let pair = format!("{}:{}", encoded(client), encoded(secret));
        let authorization = format!("Basic {}", STANDARD.encode(pair));
        (Some(authorization), form.finish())
    }
}

#[derive(Deserialize)]
struct Fault {
    error: String,
}

#[derive(Deserialize)]
struct Tokens {
    id_token: String,
}
