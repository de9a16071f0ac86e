//! Receipt codes (回执编号): by one, an objector follows the objection without an account.
//!
//! A code is a secret of 60 bits, so that none can be guessed at the rate the pages allow.

/// Digits and capitals without 0, 1, I and O, which are mistaken for one another: 32 characters.
const ALPHABET: &[u8; 32] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZ";

/// Characters of a code.
pub(super) const LENGTH: usize = 12;

/// A code from random bytes, five bits of each.
pub(super) fn code(random: [u8; LENGTH]) -> String {
    random
        .iter()
        .filter_map(|byte| ALPHABET.get(usize::from(byte & 31)))
        .map(|character| char::from(*character))
        .collect()
}

/// In groups of four, as people read it out: `7KQM-2X9D-HTRW`.
pub(super) fn grouped(code: &str) -> String {
    let characters: Vec<char> = code.chars().collect();
    let groups: Vec<String> = characters
        .chunks(4)
        .map(|group| group.iter().collect())
        .collect();
    groups.join("-")
}

/// What staff see of it: the code itself is the objector's alone.
pub(super) fn masked(code: &str) -> String {
    let shown: String = code.chars().take(4).collect();
    format!("{shown}-****-****")
}

/// The code somebody typed: any width and case, with or without hyphens and spaces.
pub(super) fn parse(typed: &str) -> Option<String> {
    let code: String = vocab::fold_width(typed)
        .chars()
        .filter(|c| !c.is_whitespace() && *c != '-')
        .map(|c| c.to_ascii_uppercase())
        .take(LENGTH + 1)
        .collect();
    let known = code.bytes().all(|byte| ALPHABET.contains(&byte));
    (known && code.len() == LENGTH).then_some(code)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_people_type_is_read() {
        for (typed, read) in [
            ("7kqm-2x9d-htrw", Some("7KQM2X9DHTRW")),
            (" 7KQM 2X9D HTRW ", Some("7KQM2X9DHTRW")),
            ("７ＫＱＭ2X9DHTRW", Some("7KQM2X9DHTRW")),
            ("7KQM-2X9D-HTR", None),
            ("7KQM-2X9D-HTRWW", None),
            ("0KQM-2X9D-HTRW", None),
            ("异议", None),
            ("", None),
        ] {
            assert_eq!(parse(typed).as_deref(), read, "{typed}");
        }
    }

    proptest! {
        #[test]
        fn a_code_reads_back(random in any::<[u8; LENGTH]>()) {
            let code = code(random);
            prop_assert_eq!(code.len(), LENGTH);
            prop_assert_eq!(parse(&grouped(&code)), Some(code));
        }
    }
}
