//! Signatures of tokens (RFC 7515, compact), by RS256, ES256 and EdDSA (Ed25519) and nothing else:
//! an unsigned token and one signed with a shared secret are none.
//!
//! It lacks signing, encryption and every header that changes what is signed. The arithmetic is
//! `ring`'s.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
    UnparsedPublicKey,
};
use serde::Deserialize;

/// The longest token that is looked at.
const LONGEST: usize = 16 * 1024;

/// How a token is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Algorithm {
    Rs256,
    Es256,
    EdDsa,
}

impl Algorithm {
    fn named(name: &str) -> Option<Self> {
        match name {
            "RS256" => Some(Self::Rs256),
            "ES256" => Some(Self::Es256),
            "EdDSA" | "Ed25519" => Some(Self::EdDsa),
            _ => None,
        }
    }
}

/// A public key, which fits one algorithm by its kind.
#[derive(Clone, Debug)]
pub(super) struct Key {
    id: Option<String>,
    public: Public,
}

#[derive(Clone, Debug)]
enum Public {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    P256(Vec<u8>),
    Ed25519(Vec<u8>),
}

/// A key as the provider publishes it (RFC 7517, 7518, 8037).
#[derive(Deserialize)]
struct Published {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl Key {
    /// A key that may sign tokens; none where it is of another kind or for something else.
    pub(super) fn read(json: serde_json::Value) -> Option<Self> {
        let it: Published = serde_json::from_value(json).ok()?;
        if it.purpose.is_some_and(|purpose| purpose != "sig") {
            return None;
        }
        let curve = it.crv.as_deref();
        let public = match (it.kty.as_str(), curve) {
            ("RSA", _) => Public::Rsa {
                n: decoded(&it.n?)?,
                e: decoded(&it.e?)?,
            },
            ("EC", Some("P-256")) => {
                let (x, y) = (decoded(&it.x?)?, decoded(&it.y?)?);
                let point = [&[4], x.as_slice(), y.as_slice()].concat();
                if (x.len(), y.len()) != (32, 32) {
                    return None;
                }
                Public::P256(point)
            }
            ("OKP", Some("Ed25519")) => Public::Ed25519(decoded(&it.x?)?),
            _ => return None,
        };
        let key = Self { id: it.kid, public };
        // A key that says its algorithm is for no other.
        let fits = |alg: String| Algorithm::named(&alg) == Some(key.algorithm());
        it.alg.is_none_or(fits).then_some(key)
    }

    fn algorithm(&self) -> Algorithm {
        match self.public {
            Public::Rsa { .. } => Algorithm::Rs256,
            Public::P256(_) => Algorithm::Es256,
            Public::Ed25519(_) => Algorithm::EdDsa,
        }
    }

    fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let verified = match &self.public {
            Public::Rsa { n, e } => RsaPublicKeyComponents { n, e }.verify(
                &RSA_PKCS1_2048_8192_SHA256,
                message,
                signature,
            ),
            Public::P256(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature)
            }
            Public::Ed25519(x) => UnparsedPublicKey::new(&ED25519, x).verify(message, signature),
        };
        verified.is_ok()
    }
}

fn decoded(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    crit: Option<serde_json::Value>,
}

/// A token whose signature is not looked at yet.
#[derive(Debug)]
pub(super) struct Signed<'a> {
    algorithm: Algorithm,
    key: Option<String>,
    message: &'a [u8],
    payload: Vec<u8>,
    signature: Vec<u8>,
}

/// Takes a token apart.
///
/// # Errors
/// Why it is none that is looked at.
pub(super) fn parse(token: &str) -> Result<Signed<'_>, &'static str> {
    if token.len() > LONGEST {
        return Err("too long");
    }
    let (message, signature) = token.rsplit_once('.').ok_or("no signature")?;
    let (header, payload) = message.split_once('.').ok_or("no payload")?;
    let header = decoded(header).ok_or("header unreadable")?;
    let header: Header = serde_json::from_slice(&header).map_err(|_| "header unreadable")?;
    if header.crit.is_some() {
        return Err("a header that must be understood");
    }
    Ok(Signed {
        algorithm: Algorithm::named(&header.alg).ok_or("algorithm not accepted")?,
        key: header.kid,
        message: message.as_bytes(),
        payload: decoded(payload).ok_or("payload unreadable")?,
        signature: decoded(signature).ok_or("signature unreadable")?,
    })
}

impl Signed<'_> {
    /// The one key that may have signed it; a token that names none has only one to choose from.
    fn key<'k>(&self, keys: &'k [Key]) -> Option<&'k Key> {
        let fits = |key: &&Key| {
            let named = self.key.is_none() || key.id == self.key;
            named && key.algorithm() == self.algorithm
        };
        let mut fitting = keys.iter().filter(fits);
        let key = fitting.next();
        key.filter(|_| fitting.next().is_none())
    }

    /// Whether the key it names is among these.
    pub(super) fn is_known(&self, keys: &[Key]) -> bool {
        self.key(keys).is_some()
    }

    /// What was signed, where one of these keys signed it.
    ///
    /// # Errors
    /// Why it is not believed.
    pub(super) fn verify(&self, keys: &[Key]) -> Result<&[u8], &'static str> {
        let key = self.key(keys).ok_or("no such key")?;
        if key.verifies(self.message, &self.signature) {
            Ok(&self.payload)
        } else {
            Err("signature wrong")
        }
    }
}
