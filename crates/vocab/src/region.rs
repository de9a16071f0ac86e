//! Administrative regions (行政区划) with the dates they were in force, and what lies within what.
//!
//! It lacks functional zones (功能区) and parks, which are records of a city, and boundaries.
//! Sources and dates of the tables: `data/README.md`.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use jiff::civil::Date;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::refusal::refusals;

refusals! {
    /// Why a text is no region code.
    pub enum RegionCodeError {
        /// Neither six nor nine digits.
        Length: "region-code-length", "行政区划代码应为 6 位（乡镇街道为 9 位）", "a region code has 6 digits (9 for towns and streets)";
        /// A character that is no digit, or a leading zero.
        Character: "region-code-character", "行政区划代码只能包含数字，且不以 0 开头", "a region code has digits only and does not begin with 0";
    }
}

/// A region code: six digits (GB/T 2260) for provinces, cities and counties, nine for towns and streets.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RegionCode(u32);

/// The codes of six digits lie below.
const FIRST_TOWN: u32 = 1_000_000;

impl RegionCode {
    /// Reads a code; whether a region has it is answered by [`find`].
    ///
    /// # Errors
    /// Another length than 6 or 9, or anything but digits.
    pub fn parse(text: &str) -> Result<RegionCode, RegionCodeError> {
        let folded = crate::fold::fold_width(text);
        let digits = folded.trim();
        if digits.starts_with('0') || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(RegionCodeError::Character);
        }
        if digits.len() != 6 && digits.len() != 9 {
            return Err(RegionCodeError::Length);
        }
        digits
            .parse()
            .map(RegionCode)
            .map_err(|_| RegionCodeError::Character)
    }

    /// The level its digits say.
    pub const fn level(self) -> Level {
        match self.0 {
            FIRST_TOWN.. => Level::Town,
            code if code.is_multiple_of(10_000) => Level::Province,
            code if code.is_multiple_of(100) => Level::City,
            _ => Level::County,
        }
    }

    /// The region it lies in, by its digits: a code that is not in the table has a place all the same.
    pub const fn parent(self) -> Option<RegionCode> {
        match self.level() {
            Level::Town => Some(RegionCode(self.0 / 1000)),
            Level::County => Some(RegionCode(self.0 / 100 * 100)),
            Level::City => Some(RegionCode(self.0 / 10_000 * 10_000)),
            Level::Province => None,
        }
    }
}

impl fmt::Display for RegionCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for RegionCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RegionCode({})", self.0)
    }
}

impl FromStr for RegionCode {
    type Err = RegionCodeError;
    fn from_str(text: &str) -> Result<RegionCode, RegionCodeError> {
        RegionCode::parse(text)
    }
}

impl Serialize for RegionCode {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RegionCode {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<RegionCode, D::Error> {
        RegionCode::parse(&String::deserialize(from)?).map_err(serde::de::Error::custom)
    }
}

/// The level of a region, highest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// 省、自治区、直辖市.
    Province,
    /// 设区的市、自治州, and groupings such as 市辖区.
    City,
    /// 县、区、县级市.
    County,
    /// 镇、乡、街道.
    Town,
}

/// A region as the table knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region {
    /// Its code.
    pub code: RegionCode,
    /// Its own name, without those above it.
    pub name: &'static str,
    /// Its level.
    pub level: Level,
    /// The region it lies in.
    pub parent: Option<RegionCode>,
    /// The first day in force; none where the data does not know since when.
    pub valid_from: Option<Date>,
    /// The first day no longer in force; none where it still was at the end of 2023.
    pub valid_to: Option<Date>,
}

impl Region {
    /// Whether it was in force on a day, as far as the data knows.
    pub fn on(&self, day: Date) -> bool {
        self.valid_from.is_none_or(|from| from <= day) && self.valid_to.is_none_or(|to| day < to)
    }

    /// Whether it is still in force.
    pub fn is_current(&self) -> bool {
        self.valid_to.is_none()
    }

    /// Whether it is only a grouping of the code (市辖区, 省直辖县级行政区划), not a place.
    pub fn is_grouping(&self) -> bool {
        self.level == Level::City
            && (GROUPINGS.contains(&self.name) || self.name.ends_with("直辖县级行政区划"))
    }
}

const GROUPINGS: [&str; 2] = ["市辖区", "县"];

/// The region with a code, also one that is no longer in force.
pub fn find(code: RegionCode) -> Option<&'static Region> {
    INDEX.by_code.get(&code).copied()
}

/// The English name of the region with a code; none where the table has none.
///
/// ```
/// use vocab::{RegionCode, region};
/// let code = RegionCode::parse("330324").unwrap();
/// assert_eq!(region::english(code), Some("Yongjia County"));
/// ```
pub fn english(code: RegionCode) -> Option<&'static str> {
    ENGLISH.get(&code).copied()
}

/// The regions directly within one that are in force, in the order of their codes; none for an unknown code.
pub fn children(code: RegionCode) -> &'static [&'static Region] {
    INDEX
        .children
        .get(&code)
        .map(Vec::as_slice)
        .unwrap_or_default()
}

/// The provinces, autonomous regions and municipalities.
pub fn provinces() -> impl Iterator<Item = &'static Region> {
    REGIONS
        .iter()
        .filter(|region| region.level == Level::Province)
}

/// Every region in force on a day.
pub fn on(day: Date) -> impl Iterator<Item = &'static Region> {
    REGIONS.iter().filter(move |region| region.on(day))
}

/// The regions with exactly this name: several, where counties of different cities share it (鼓楼区).
pub fn by_name(name: &str) -> &'static [&'static Region] {
    INDEX
        .by_name
        .get(name.trim())
        .map(Vec::as_slice)
        .unwrap_or_default()
}

/// Whether one region is the other or lies in it, at any depth.
///
/// ```
/// use vocab::{RegionCode, region};
/// let code = |digits| RegionCode::parse(digits).unwrap();
/// assert!(region::is_within(code("330302"), code("330000")));
/// assert!(!region::is_within(code("330300"), code("330302")));
/// ```
pub fn is_within(inner: RegionCode, outer: RegionCode) -> bool {
    upwards(inner).any(|code| code == outer)
}

/// The full name from the province down, without groupings: 浙江省温州市鹿城区. None for an unknown code.
pub fn full_name(code: RegionCode) -> Option<String> {
    find(code)?;
    let mut names: Vec<&str> = upwards(code)
        .filter_map(find)
        .filter(|region| !region.is_grouping())
        .map(|region| region.name)
        .collect();
    names.reverse();
    Some(names.concat())
}

/// The code itself and what it lies in: at most four steps.
fn upwards(code: RegionCode) -> impl Iterator<Item = RegionCode> {
    std::iter::successors(Some(code), |code| {
        find(*code).map_or_else(|| code.parent(), |region| region.parent)
    })
    .take(4)
}

static REGIONS: LazyLock<Vec<Region>> = LazyLock::new(|| {
    let regions = table_lines(include_str!("../data/region.csv")).filter_map(read_region);
    let towns = table_lines(include_str!("../data/town-330300.csv")).filter_map(read_town);
    regions.chain(towns).collect()
});

static ENGLISH: LazyLock<HashMap<RegionCode, &'static str>> = LazyLock::new(|| {
    table_lines(include_str!("../data/region-en.csv"))
        .filter_map(|line| line.split_once(','))
        .filter_map(|(code, name)| Some((RegionCode::parse(code).ok()?, name)))
        .collect()
});

static INDEX: LazyLock<Index> = LazyLock::new(Index::build);

struct Index {
    by_code: HashMap<RegionCode, &'static Region>,
    by_name: HashMap<&'static str, Vec<&'static Region>>,
    children: HashMap<RegionCode, Vec<&'static Region>>,
}

impl Index {
    fn build() -> Index {
        let mut index = Index {
            by_code: HashMap::new(),
            by_name: HashMap::new(),
            children: HashMap::new(),
        };
        for region in REGIONS.iter() {
            index.by_code.insert(region.code, region);
            index.by_name.entry(region.name).or_default().push(region);
            if let Some(parent) = region.parent.filter(|_| region.is_current()) {
                index.children.entry(parent).or_default().push(region);
            }
        }
        index
    }
}

/// The lines of a table without its comments. A test reads every line of every table.
pub(crate) fn table_lines(table: &'static str) -> impl Iterator<Item = &'static str> {
    table
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
}

fn read_region(line: &'static str) -> Option<Region> {
    let mut fields = line.split(',');
    let code = RegionCode::parse(fields.next()?).ok()?;
    let level = match fields.next()? {
        "province" => Level::Province,
        "city" => Level::City,
        "county" => Level::County,
        _ => return None,
    };
    let name = fields.next()?;
    let parent = optional(fields.next()?, |text| RegionCode::parse(text).ok())?;
    let valid_from = optional(fields.next()?, |text| text.parse().ok())?;
    let valid_to = optional(fields.next()?, |text| text.parse().ok())?;
    Some(Region {
        code,
        name,
        level,
        parent,
        valid_from,
        valid_to,
    })
}

fn read_town(line: &'static str) -> Option<Region> {
    let (code, name) = line.split_once(',')?;
    let code = RegionCode::parse(code).ok()?;
    Some(Region {
        code,
        name,
        level: Level::Town,
        parent: code.parent(),
        valid_from: None,
        valid_to: None,
    })
}

/// An empty field is no value; a field that cannot be read makes the whole row fail.
fn optional<T>(text: &str, read: impl Fn(&str) -> Option<T>) -> Option<Option<T>> {
    if text.is_empty() {
        Some(None)
    } else {
        read(text).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    fn code(digits: &str) -> RegionCode {
        RegionCode::parse(digits).unwrap()
    }

    #[test]
    fn every_row_is_read_and_fits_the_others() {
        let rows = table_lines(include_str!("../data/region.csv")).count()
            + table_lines(include_str!("../data/town-330300.csv")).count();
        assert_eq!(REGIONS.len(), rows);
        assert_eq!(rows, 3351 - 3 + 1 + 191);
        for region in REGIONS.iter() {
            assert_eq!(
                find(region.code),
                Some(region),
                "two rows for {}",
                region.code
            );
            assert!(!region.name.is_empty());
            match region.parent {
                Some(parent) => assert!(
                    find(parent).unwrap().level < region.level,
                    "{}",
                    region.code
                ),
                None => assert_eq!(region.level, Level::Province),
            }
        }
        assert_eq!(provinces().count(), 31);
    }

    #[test]
    fn wenzhou() {
        let wenzhou = find(code("330300")).unwrap();
        assert_eq!(
            (wenzhou.name, wenzhou.level, wenzhou.parent),
            ("温州市", Level::City, Some(code("330000")))
        );
        let counties: Vec<_> = children(wenzhou.code)
            .iter()
            .map(|region| region.name)
            .collect();
        assert_eq!(
            counties,
            [
                "鹿城区",
                "龙湾区",
                "瓯海区",
                "洞头区",
                "永嘉县",
                "平阳县",
                "苍南县",
                "文成县",
                "泰顺县",
                "瑞安市",
                "乐清市",
                "龙港市"
            ]
        );
        assert_eq!(full_name(code("330302999")), None);
        assert_eq!(
            full_name(code("330302006")).unwrap(),
            "浙江省温州市鹿城区五马街道"
        );
        assert_eq!(
            by_name("乐清市").iter().map(|r| r.code).collect::<Vec<_>>(),
            [code("330382")]
        );
        assert!(by_name("鼓楼区").len() > 1);
        assert!(by_name("无此地").is_empty());
    }

    #[test]
    fn english_names_are_those_of_known_regions() {
        let rows = table_lines(include_str!("../data/region-en.csv")).count();
        assert_eq!(ENGLISH.len(), rows);
        for (code, name) in ENGLISH.iter() {
            assert!(find(*code).is_some() && name.is_ascii(), "{code} {name}");
        }
        for county in children(code("330300")) {
            assert!(english(county.code).is_some(), "{}", county.name);
        }
        assert_eq!(english(code("110000")), None);
    }

    #[test]
    fn counties_come_and_go() {
        let in_force = |digits, day| find(code(digits)).unwrap().on(day);
        assert!(in_force("330322", date(2015, 7, 22)) && !in_force("330322", date(2015, 7, 23)));
        assert!(!in_force("330305", date(2015, 7, 22)) && in_force("330305", date(2015, 7, 23)));
        assert!(!in_force("330383", date(2019, 8, 15)) && in_force("330383", date(2019, 8, 16)));
        assert!(in_force("330302", date(1990, 1, 1)));
        let of_wenzhou = |day| on(day).filter(|r| r.parent == Some(code("330300"))).count();
        assert_eq!(of_wenzhou(date(2015, 1, 1)), 11);
        assert_eq!(of_wenzhou(date(2016, 1, 1)), 11);
        assert_eq!(of_wenzhou(date(2020, 1, 1)), 12);
    }

    #[test]
    fn within() {
        let check = |inner: &str, outer: &str, expected: bool| {
            assert_eq!(
                is_within(code(inner), code(outer)),
                expected,
                "{inner} in {outer}"
            );
        };
        check("330302", "330302", true);
        check("330302005", "330302", true);
        check("330302005", "330000", true);
        check("330302", "330400", false);
        check("330000", "330302", false);
        check("110101", "110000", true);
        check("429004", "420000", true);
        check("330399", "330300", true);
        check("330322", "330300", true);
    }

    #[test]
    fn groupings_are_no_part_of_a_name() {
        assert_eq!(full_name(code("110101")).unwrap(), "北京市东城区");
        assert_eq!(full_name(code("429004")).unwrap(), "湖北省仙桃市");
        assert_eq!(full_name(code("441900")).unwrap(), "广东省东莞市");
    }

    #[test]
    fn codes() {
        assert_eq!(RegionCode::parse("33030"), Err(RegionCodeError::Length));
        assert_eq!(RegionCode::parse("3303022"), Err(RegionCodeError::Length));
        assert_eq!(RegionCode::parse("033030"), Err(RegionCodeError::Character));
        assert_eq!(RegionCode::parse("33030X"), Err(RegionCodeError::Character));
        assert_eq!(
            RegionCode::parse(&"9".repeat(50)),
            Err(RegionCodeError::Length)
        );
        assert_eq!(
            serde_json::to_string(&code("330302")).unwrap(),
            "\"330302\""
        );
        assert_eq!(
            serde_json::from_str::<RegionCode>("\"330302005\"").unwrap(),
            code("330302005")
        );
    }
}
