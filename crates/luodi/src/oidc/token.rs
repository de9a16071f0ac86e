//! What an ID token says (OpenID Connect Core 1.0, 3.1.3.7), once its signature is known to be good.

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Map, Value};
use subtle::ConstantTimeEq;

use super::Identity;

/// How far the clocks of provider and program may be apart.
const LEEWAY: SignedDuration = SignedDuration::from_secs(60);
/// A token is made when it is asked for; one older than a log-in may take is another's.
const OLDEST: SignedDuration = SignedDuration::from_mins(10);
/// The longest name of a person at a provider.
const LONGEST_SUBJECT: usize = 255;
/// Ways of showing who one is that are more than a password (RFC 8176): several factors, a one-time
/// code, a key in hardware, a smart card.
const STRONG: [&str; 4] = ["mfa", "otp", "hwk", "sc"];

/// What a token must say.
pub(super) struct Expected<'a> {
    pub(super) issuer: &'a str,
    pub(super) client: &'a str,
    pub(super) nonce: &'a str,
    /// The claim that names the person.
    pub(super) claim: &'a str,
    pub(super) now: Timestamp,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    aud: OneOrMany,
    azp: Option<String>,
    exp: f64,
    iat: f64,
    nbf: Option<f64>,
    nonce: String,
    amr: Option<Vec<String>>,
    #[serde(flatten)]
    others: Map<String, Value>,
}

/// Reads a token that is signed well.
///
/// # Errors
/// Which rule it breaks.
pub(super) fn read(payload: &[u8], expected: &Expected<'_>) -> Result<Identity, &'static str> {
    let claims: Claims = serde_json::from_slice(payload).map_err(|_| "claims unreadable")?;
    if claims.iss != expected.issuer {
        return Err("of another issuer");
    }
    check_audience(&claims, expected.client)?;
    check_times(&claims, expected.now)?;
    let nonce = claims.nonce.as_bytes().ct_eq(expected.nonce.as_bytes());
    if !bool::from(nonce) {
        return Err("of another log-in");
    }
    let subject = claims.others.get(expected.claim).and_then(Value::as_str);
    let good = |subject: &&str| {
        !subject.trim().is_empty()
            && subject.len() <= LONGEST_SUBJECT
            && !subject.chars().any(char::is_control)
    };
    let subject = subject.filter(good).ok_or("names nobody")?;
    let strong = |way: &String| STRONG.contains(&way.as_str());
    Ok(Identity {
        subject: subject.to_owned(),
        multi_factor: claims.amr.is_some_and(|ways| ways.iter().any(strong)),
    })
}

/// For this program, and where it is for others too, handed to this one.
fn check_audience(claims: &Claims, client: &str) -> Result<(), &'static str> {
    let audience = match &claims.aud {
        OneOrMany::One(one) => std::slice::from_ref(one),
        OneOrMany::Many(many) => many.as_slice(),
    };
    if !audience.iter().any(|one| one == client) {
        return Err("for another program");
    }
    match &claims.azp {
        Some(party) if party != client => Err("handed to another program"),
        None if audience.len() > 1 => Err("for several programs"),
        _ => Ok(()),
    }
}

fn check_times(claims: &Claims, now: Timestamp) -> Result<(), &'static str> {
    // Seconds, possibly with a fraction; far below where a double loses any.
    let now = now.as_millisecond() as f64 / 1_000.0;
    let leeway = LEEWAY.as_secs_f64();
    if claims.exp + leeway <= now {
        return Err("expired");
    }
    if claims.iat > now + leeway || claims.nbf.is_some_and(|from| from > now + leeway) {
        return Err("of the future");
    }
    if claims.iat + OLDEST.as_secs_f64() + leeway < now {
        return Err("too old");
    }
    Ok(())
}
