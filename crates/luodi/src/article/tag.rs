//! The tag at the head of a title, as in 【乐清市招商】, and the region it names.
//!
//! It lacks functional zones (经开区): they are records of a city, not of the region table.

use std::collections::HashMap;
use std::sync::LazyLock;

use vocab::RegionCode;
use vocab::region::{self, Level, Region};

/// The longest tag, in characters; a longer one is part of the title.
pub const CHARS: usize = 30;

/// Parts a title as it stands into tag and title. A tag with nothing behind it is a title.
pub fn split(whole: &str) -> (Option<&str>, &str) {
    let whole = whole.trim();
    let parts = whole
        .strip_prefix('【')
        .and_then(|rest| rest.split_once('】'));
    match parts.map(|(tag, title)| (tag.trim(), title.trim())) {
        Some((tag, title))
            if !tag.is_empty() && !title.is_empty() && tag.chars().count() <= CHARS =>
        {
            (Some(tag), title)
        }
        _ => (None, whole),
    }
}

/// Title and tag as the source writes them.
pub fn join(tag: Option<&str>, title: &str) -> String {
    tag.map_or_else(|| title.to_owned(), |tag| format!("【{tag}】{title}"))
}

/// The region a tag names: the smallest one, and among equals the one with the longest name.
///
/// Counties count by their full name anywhere and by their short name (鹿城) within `home`; cities
/// and provinces by both. A name that several regions share names none of them.
pub fn region(tag: &str, home: RegionCode) -> Option<RegionCode> {
    let starts: Vec<usize> = tag
        .char_indices()
        .map(|(at, _)| at)
        .chain([tag.len()])
        .take(CHARS + 1)
        .collect();
    let mut best: Option<(Level, usize, RegionCode)> = None;
    for (index, start) in starts.iter().enumerate() {
        for end in starts.iter().skip(index + 2) {
            let Some(name) = tag.get(*start..*end) else {
                continue;
            };
            let Some(found) = named(name, home) else {
                continue;
            };
            let rank = (found.level, name.len());
            if best.is_none_or(|(level, length, _)| rank > (level, length)) {
                best = Some((found.level, name.len(), found.code));
            }
        }
    }
    best.map(|(_, _, code)| code)
}

fn named(name: &str, home: RegionCode) -> Option<&'static Region> {
    let full = only(
        region::by_name(name)
            .iter()
            .copied()
            .filter(|found| is_place(found)),
    );
    full.or_else(|| SHORT.get(name).copied()).or_else(|| {
        only(
            region::children(home)
                .iter()
                .copied()
                .filter(|county| short(county) == Some(name)),
        )
    })
}

fn is_place(region: &Region) -> bool {
    region.is_current() && !region.is_grouping() && region.level != Level::Town
}

fn only(mut found: impl Iterator<Item = &'static Region>) -> Option<&'static Region> {
    let first = found.next()?;
    found.next().is_none().then_some(first)
}

/// The name without 市, 县, 区 or 省; none where only one character would be left.
fn short(region: &Region) -> Option<&'static str> {
    let name = region.name.strip_suffix(['市', '县', '区', '省'])?;
    (name.chars().count() >= 2).then_some(name)
}

/// Provinces and cities by their short names, without those that two of them share.
static SHORT: LazyLock<HashMap<&'static str, &'static Region>> = LazyLock::new(|| {
    let mut found: HashMap<&'static str, Vec<&'static Region>> = HashMap::new();
    let cities =
        region::provinces().flat_map(|province| region::children(province.code).iter().copied());
    for region in region::provinces()
        .chain(cities)
        .filter(|region| is_place(region))
    {
        if let Some(name) = short(region) {
            found.entry(name).or_default().push(region);
        }
    }
    found
        .into_iter()
        .filter_map(|(name, regions)| Some((name, only(regions.into_iter())?)))
        .collect()
});

#[cfg(test)]
mod tests {
    use super::*;

    fn check(tag: &str, expected: Option<&str>) {
        let home = RegionCode::parse("330300").unwrap();
        let found = region(tag, home).map(|code| code.to_string());
        assert_eq!(found.as_deref(), expected, "{tag}");
    }

    #[test]
    fn names_the_smallest_region_in_the_tag() {
        check("温州招商", Some("330300"));
        check("投资温州", Some("330300"));
        check("乐清市招商", Some("330382"));
        check("永嘉县招商", Some("330324"));
        check("永嘉招商", Some("330324"));
        check("温州市鹿城招商", Some("330302"));
        check("温州", Some("330300"));
        check("宁波招商", Some("330200"));
        check("投资浙江", Some("330000"));
        check("招商快讯", None);
        check("鼓楼区招商", None);
        check("柳市镇招商", None);
        check("州", None);
        check("", None);
    }

    #[test]
    fn parts_and_joins() {
        assert_eq!(
            split("【温州招商】鞋业升级"),
            (Some("温州招商"), "鞋业升级")
        );
        assert_eq!(split("鞋业【温州招商】"), (None, "鞋业【温州招商】"));
        assert_eq!(split("【温州招商】"), (None, "【温州招商】"));
        assert_eq!(split("【】鞋业"), (None, "【】鞋业"));
        assert_eq!(split("【温州招商 鞋业"), (None, "【温州招商 鞋业"));
        let long = format!("【{}】题", "长".repeat(CHARS + 1));
        assert_eq!(split(&long), (None, long.as_str()));
        assert_eq!(join(Some("温州招商"), "鞋业"), "【温州招商】鞋业");
        assert_eq!(join(None, "鞋业"), "鞋业");
    }
}
