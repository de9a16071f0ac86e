//! Randomness from the operating system, for secrets that are made outside a command: session
//! tokens, CSRF tokens, keys of forms.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::Rng;

/// Fresh random bytes.
#[must_use]
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    rand::rng().fill_bytes(&mut bytes);
    bytes
}

/// A fresh secret of 256 bits as 43 characters that may stand in addresses and cookies.
#[must_use]
pub fn secret() -> String {
    URL_SAFE_NO_PAD.encode(random::<32>())
}
