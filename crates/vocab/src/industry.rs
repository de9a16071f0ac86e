//! National economic industries (国民经济行业): section, division, group, class.
//!
//! It lacks statistical groupings such as high technology, which are lists of their own.
//! Source and date of the table: `data/README.md`.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::refusal::refusals;
use crate::region::table_lines;

refusals! {
    /// Why a text is no industry code.
    pub enum IndustryCodeError {
        /// Not a letter and up to four digits.
        Shape: "industry-code-shape", "行业代码应为门类字母加 2 至 4 位数字，例如 D4416", "an industry code is a letter and 2 to 4 digits, such as D4416";
        /// No such section, division or group.
        Unknown: "industry-code-unknown", "国民经济行业分类（GB/T 4754—2017）中没有该代码，请核对", "GB/T 4754-2017 has no such code: check it";
    }
}

/// A code of GB/T 4754-2017 with its section letter: `D`, `D44`, `D441`, `D4416`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IndustryCode {
    section: char,
    /// 0, 2, 3 or 4 digits, as a number.
    digits: u16,
    places: u8,
}

impl IndustryCode {
    /// Reads a code that the standard has, or a class it may have been given under a listed group;
    /// the section letter may be left out (`4416`).
    ///
    /// # Errors
    /// A text of another shape, or an unknown section, division or group.
    pub fn parse(text: &str) -> Result<IndustryCode, IndustryCodeError> {
        let code = shape(text).ok_or(IndustryCodeError::Shape)?;
        lookup(code)
            .map(|industry| industry.code)
            .ok_or(IndustryCodeError::Unknown)
    }

    /// The level its length says.
    pub const fn level(self) -> Level {
        match self.places {
            0 => Level::Section,
            2 => Level::Division,
            3 => Level::Group,
            _ => Level::Class,
        }
    }

    /// The code one level up.
    pub const fn parent(self) -> Option<IndustryCode> {
        match self.places {
            0 => None,
            2 => Some(IndustryCode {
                digits: 0,
                places: 0,
                ..self
            }),
            _ => Some(IndustryCode {
                digits: self.digits / 10,
                places: self.places - 1,
                ..self
            }),
        }
    }

    /// Whether it is the other code or lies under it.
    pub fn is_within(self, outer: IndustryCode) -> bool {
        std::iter::successors(Some(self), |code| code.parent()).any(|code| code == outer)
    }
}

impl fmt::Display for IndustryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.places {
            0 => write!(f, "{}", self.section),
            places => write!(
                f,
                "{}{:0width$}",
                self.section,
                self.digits,
                width = usize::from(places)
            ),
        }
    }
}

impl fmt::Debug for IndustryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IndustryCode({self})")
    }
}

impl FromStr for IndustryCode {
    type Err = IndustryCodeError;
    fn from_str(text: &str) -> Result<IndustryCode, IndustryCodeError> {
        IndustryCode::parse(text)
    }
}

impl Serialize for IndustryCode {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for IndustryCode {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<IndustryCode, D::Error> {
        IndustryCode::parse(&String::deserialize(from)?).map_err(serde::de::Error::custom)
    }
}

/// The level of an industry, widest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// 门类, a letter.
    Section,
    /// 大类, two digits.
    Division,
    /// 中类, three digits.
    Group,
    /// 小类, four digits.
    Class,
}

/// An industry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Industry {
    /// Its code, with the section letter.
    pub code: IndustryCode,
    /// Its name; for an unlisted class the name of its group.
    pub name: &'static str,
    /// Its level.
    pub level: Level,
    /// False for a class that the table lacks under a group it has: the first amendment of 2019 added a few.
    pub listed: bool,
}

/// The industry with a code such as `D4416` or `4416`; an unlisted class under a listed group is found and marked.
///
/// ```
/// let solar = vocab::industry::find("D4416").unwrap();
/// assert_eq!((solar.name, solar.listed), ("太阳能发电", true));
/// ```
pub fn find(code: &str) -> Option<Industry> {
    lookup(shape(code)?)
}

/// The industry of a code read before.
pub fn of(code: IndustryCode) -> Option<Industry> {
    lookup(code)
}

/// Every listed industry in the order of the standard.
pub fn all() -> impl Iterator<Item = Industry> {
    INDUSTRIES.iter().copied()
}

/// The sections A to T.
pub fn sections() -> impl Iterator<Item = Industry> {
    all().filter(|industry| industry.level == Level::Section)
}

/// The listed industries directly under one.
pub fn children(code: IndustryCode) -> impl Iterator<Item = Industry> {
    all().filter(move |industry| industry.code.parent() == Some(code))
}

/// No letter yet: the section is found from the division.
const NO_SECTION: char = '?';

/// Reads the shape of a code; the section letter may be missing.
fn shape(text: &str) -> Option<IndustryCode> {
    let folded = crate::fold::fold_width(text);
    let trimmed = folded.trim();
    let first = trimmed.chars().next()?.to_ascii_uppercase();
    let (section, digits) = if first.is_ascii_uppercase() {
        (first, trimmed.get(1..)?)
    } else {
        (NO_SECTION, trimmed)
    };
    let well_formed = matches!(digits.len(), 2..=4) || (digits.is_empty() && section != NO_SECTION);
    if !well_formed || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let places = u8::try_from(digits.len()).ok()?;
    let digits = if places == 0 { 0 } else { digits.parse().ok()? };
    Some(IndustryCode {
        section,
        digits,
        places,
    })
}

fn lookup(code: IndustryCode) -> Option<Industry> {
    let code = with_section(code)?;
    let listed = |code: &IndustryCode| {
        BY_CODE
            .get(code)
            .and_then(|&at| INDUSTRIES.get(at))
            .copied()
    };
    listed(&code).or_else(|| {
        let group = listed(&code.parent().filter(|_| code.level() == Level::Class)?)?;
        Some(Industry {
            code,
            name: group.name,
            level: Level::Class,
            listed: false,
        })
    })
}

/// Fills in the section letter from the division's digits.
fn with_section(code: IndustryCode) -> Option<IndustryCode> {
    if code.section != NO_SECTION {
        return Some(code);
    }
    let division = code.digits / 10_u16.pow(u32::from(code.places).checked_sub(2)?);
    let section = INDUSTRIES
        .iter()
        .find(|i| i.level == Level::Division && i.code.digits == division)?
        .code
        .section;
    Some(IndustryCode { section, ..code })
}

static INDUSTRIES: LazyLock<Vec<Industry>> = LazyLock::new(|| {
    table_lines(include_str!("../data/industry.csv"))
        .filter_map(read_industry)
        .collect()
});

static BY_CODE: LazyLock<HashMap<IndustryCode, usize>> = LazyLock::new(|| {
    INDUSTRIES
        .iter()
        .enumerate()
        .map(|(at, industry)| (industry.code, at))
        .collect()
});

fn read_industry(line: &'static str) -> Option<Industry> {
    let (code, name) = line.split_once(',')?;
    let code = shape(code)?;
    Some(Industry {
        code,
        name,
        level: code.level(),
        listed: true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_read_and_has_its_parent() {
        assert_eq!(
            INDUSTRIES.len(),
            table_lines(include_str!("../data/industry.csv")).count()
        );
        let count = |level| all().filter(|industry| industry.level == level).count();
        assert_eq!(
            [Level::Section, Level::Division, Level::Group, Level::Class].map(count),
            [20, 97, 473, 1379]
        );
        for industry in all() {
            assert_eq!(find(&industry.code.to_string()), Some(industry));
            assert!(
                industry
                    .code
                    .parent()
                    .is_none_or(|parent| of(parent).is_some()),
                "{}",
                industry.code
            );
        }
    }

    fn check(text: &str, expected: Option<(&str, &str, bool)>) {
        let found = find(text).map(|i| (i.code.to_string(), i.name, i.listed));
        assert_eq!(
            found,
            expected.map(|(code, name, listed)| (code.to_owned(), name, listed)),
            "{text}"
        );
    }

    #[test]
    fn finds_by_either_writing() {
        check("D4416", Some(("D4416", "太阳能发电", true)));
        check("4416", Some(("D4416", "太阳能发电", true)));
        check("ｄ４４１６", Some(("D4416", "太阳能发电", true)));
        check("A", Some(("A", "农、林、牧、渔业", true)));
        check("A01", Some(("A01", "农业", true)));
        check("0111", Some(("A0111", "稻谷种植", true)));
        check("D4499", None);
        check("D4418", Some(("D4418", "电力生产", false)));
        check("C4416", None);
        for text in ["", "4", "D4", "D44161", "DD44", "４", "制造业", "-1", "+44"] {
            check(text, None);
        }
        assert_eq!(IndustryCode::parse("D9"), Err(IndustryCodeError::Shape));
        assert_eq!(IndustryCode::parse("D99"), Err(IndustryCodeError::Unknown));
    }

    #[test]
    fn lies_under() {
        let code = |text| IndustryCode::parse(text).unwrap();
        assert!(code("D4416").is_within(code("D")) && code("D4416").is_within(code("D44")));
        assert!(!code("D44").is_within(code("D4416")) && !code("D4416").is_within(code("C")));
        assert_eq!(children(code("D441")).count(), 8);
        assert_eq!(sections().count(), 20);
        assert_eq!(serde_json::to_string(&code("4416")).unwrap(), "\"D4416\"");
    }
}
