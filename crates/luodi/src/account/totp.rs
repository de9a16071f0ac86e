//! Codes of a second factor: RFC 6238 with SHA-1, six digits, steps of thirty seconds.
//!
//! It lacks the accounts and what was used before; whoever accepts a code says from which step on.
//! Ref: RFC 6238; the form of the address is that of the apps (`otpauth://totp/…`).

use jiff::Timestamp;
use qrcodegen::{QrCode, QrCodeEcc};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use totp_rs::{Builder, Secret as Bytes, Totp};

/// Seconds of a step.
const STEP_SECONDS: i64 = 30;
/// Steps a clock may be ahead or behind.
const DRIFT: i64 = 1;
/// The bytes of a secret, as many as SHA-1 gives.
const LENGTH: usize = 20;

/// The step an instant lies in.
pub fn step_at(now: Timestamp) -> i64 {
    now.as_second().div_euclid(STEP_SECONDS)
}

/// Seconds until the next step.
pub(super) fn seconds_left(now: Timestamp) -> i64 {
    STEP_SECONDS - now.as_second().rem_euclid(STEP_SECONDS)
}

/// What an app and the server share.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret([u8; LENGTH]);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl Secret {
    /// An unpredictable one.
    pub fn fresh() -> Self {
        Self(crate::store::random())
    }

    /// The same for the same text: for demonstrations, whose secrets are public.
    pub fn derived(text: &str) -> Self {
        let digest: [u8; 32] = Sha256::digest(text.as_bytes()).into();
        Self(std::array::from_fn(|at| {
            digest.get(at).copied().unwrap_or_default()
        }))
    }

    /// As it was sealed.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// For sealing.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// As a person types it into an app.
    pub fn base32(&self) -> String {
        Bytes::from(self.0).to_base32()
    }

    /// From what [`base32`](Self::base32) gives.
    pub fn from_base32(text: &str) -> Option<Self> {
        Self::from_bytes(Bytes::try_from_base32(text).ok()?.as_bytes())
    }

    fn totp(&self, issuer: &str, login: &str) -> Totp {
        Builder::new()
            .with_secret(self.0)
            .with_issuer(Some(issuer))
            .with_account_name(login)
            .build_noncompliant()
    }

    /// The code of a step.
    pub fn code(&self, step: i64) -> String {
        let seconds = u64::try_from(step.saturating_mul(STEP_SECONDS)).unwrap_or_default();
        self.totp("", "").generate(seconds).to_string()
    }

    /// The step whose code this is: within the drift of `now`, and after the step last used.
    pub(super) fn accept(&self, code: &str, now: Timestamp, last_step: i64) -> Option<i64> {
        let middle = step_at(now);
        (middle - DRIFT..=middle + DRIFT)
            .filter(|step| *step > last_step)
            .find(|step| self.code(*step).as_bytes().ct_eq(code.as_bytes()).into())
    }

    /// The first code that would be accepted from `now` on without waiting, if one is left.
    pub(super) fn next_code(&self, now: Timestamp, last_step: i64) -> Option<String> {
        let step = step_at(now).max(last_step + 1);
        (step <= step_at(now) + DRIFT).then(|| self.code(step))
    }

    /// What an app reads from the picture.
    pub(super) fn uri(&self, issuer: &str, login: &str) -> String {
        // A login name holds no colon, which is all that could make the address impossible.
        self.totp(&issuer.replace(':', " "), login)
            .to_url()
            .unwrap_or_default()
    }
}

/// A text as the dark squares of a QR code.
#[derive(Clone, Debug)]
pub(super) struct Picture {
    /// Squares of one side, with the quiet zone of four on each side.
    pub(super) side: i32,
    /// Path of an SVG.
    pub(super) path: String,
}

/// The QR code of a text; none where it is too long for one.
pub(super) fn picture(text: &str) -> Option<Picture> {
    const QUIET: i32 = 4;
    let code = QrCode::encode_text(text, QrCodeEcc::Medium).ok()?;
    let mut path = String::new();
    for y in 0..code.size() {
        for x in (0..code.size()).filter(|x| code.get_module(*x, y)) {
            path.push_str(&format!("M{},{}h1v1h-1z", x + QUIET, y + QUIET));
        }
    }
    Some(Picture {
        side: code.size() + 2 * QUIET,
        path,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    /// The last six digits of the test values of RFC 6238, appendix B, for SHA-1.
    #[test]
    fn codes_are_those_of_the_standard() {
        let secret = Secret(*b"12345678901234567890");
        for (seconds, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(secret.code(step_at(at(seconds))), code, "{seconds}");
        }
        assert_eq!(secret.base32(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        assert_eq!(Secret::from_base32(&secret.base32()), Some(secret));
    }

    #[test]
    fn a_code_is_good_one_step_around_and_after_the_last() {
        let secret = Secret::derived("one");
        let now = at(1_700_000_000);
        let step = step_at(now);
        let accepted = |code: i64, last: i64| secret.accept(&secret.code(code), now, last);
        assert_eq!(accepted(step, 0), Some(step));
        assert_eq!(accepted(step - 1, 0), Some(step - 1));
        assert_eq!(accepted(step + 1, 0), Some(step + 1));
        assert_eq!(accepted(step - 2, 0), None);
        assert_eq!(accepted(step + 2, 0), None);
        assert_eq!(accepted(step, step), None, "used");
        assert_eq!(accepted(step - 1, step), None, "older than the last used");
        assert_eq!(accepted(step + 1, step), Some(step + 1));
        for wrong in ["", "12345", "1234567", "+12345", "一二三四五六"] {
            assert_eq!(secret.accept(wrong, now, 0), None, "{wrong}");
        }
        assert_eq!(secret.next_code(now, 0), Some(secret.code(step)));
        assert_eq!(secret.next_code(now, step), Some(secret.code(step + 1)));
        assert_eq!(secret.next_code(now, step + 1), None);
    }

    #[test]
    fn an_app_reads_the_address() {
        let uri = Secret(*b"12345678901234567890").uri("温州市", "chen.li");
        assert!(uri.starts_with("otpauth://totp/%E6%B8%A9"), "{uri}");
        assert!(
            uri.contains(":chen.li?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer="),
            "{uri}"
        );
        let picture = picture(&uri).unwrap();
        assert!(picture.side > 29 && picture.path.starts_with("M4,4h1v1h-1z"));
    }
}
