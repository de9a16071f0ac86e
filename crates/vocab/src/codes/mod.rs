//! Codes that registers, banks and telephone companies give: read once, checked, then never a bare text again.
//!
//! It lacks look-ups: whether a code exists is for the registers to say.

pub(crate) mod bank;
pub(crate) mod credit;
pub(crate) mod id_number;
pub(crate) mod phone;

use crate::fold::fold_width;

/// Longest text that is looked at, in bytes: no code is longer, spaces included.
const LONGEST_TEXT: usize = 128;

/// What was typed: width folded, trimmed, capital letters; nothing of an absurd length.
fn tidy(text: &str) -> String {
    if text.len() > LONGEST_TEXT {
        return "?".repeat(LONGEST_TEXT);
    }
    fold_width(text).trim().to_ascii_uppercase()
}

/// The value of a decimal digit.
fn digit(c: char) -> Option<u32> {
    c.to_digit(10)
}

/// Text, display and serde of a code type, all through its `parse`.
macro_rules! text_code {
    ($name:ident, $error:ident) => {
        impl $name {
            /// The code as text, without spaces.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(&self.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = $error;
            fn from_str(text: &str) -> Result<Self, $error> {
                Self::parse(text)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(&self.0)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = String::deserialize(from)?;
                Self::parse(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}

/// Debug output of personal data shows only the masked form, because it ends in logs.
macro_rules! masked_debug {
    ($name:ident) => {
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{}({})", stringify!($name), self.masked())
            }
        }
    };
}

/// The first `head` and last `tail` characters with a bullet for each between. Codes are ASCII.
fn mask_middle(code: &str, head: usize, tail: usize) -> String {
    let length = code.chars().count();
    code.chars()
        .enumerate()
        .map(|(place, c)| {
            if place < head || place + tail >= length {
                c
            } else {
                crate::mask::STAR
            }
        })
        .collect()
}

use {masked_debug, text_code};
