//! The public pages of items: the list of what can be applied for, and the guide (办事指南) of one.

mod guide;
mod list;

use jiff::civil::Date;

use super::queries::Offered;
use crate::access::Rule;
use crate::web::{Lang, Route, get};

pub use list::{ListedItem, open_now};

/// The routes of this domain.
pub fn routes() -> Vec<Route> {
    let mut routes = vec![
        get("/items", Rule::Public, list::list),
        get("/items.xlsx", Rule::Public, list::download),
        get("/items/{id}", Rule::Public, guide::show),
    ];
    routes.extend(super::api::routes());
    routes
}

/// Calendar days before the last day from which the light is red.
const RED_DAYS: i64 = 3;
/// Calendar days before the last day from which the light is amber.
const AMBER_DAYS: i64 = 10;

/// The light of an offer on a day and its words: how long applications are taken.
pub fn deadline(offered: &Offered, today: Date, lang: Lang) -> (&'static str, String) {
    let day = |key: &str, day: Date| lang.text(key).replace("{day}", &lang.day(day));
    if offered.ended {
        return ("grey", lang.text("items.light.ended"));
    }
    if let Some(opens) = offered.opens_on.filter(|opens| today < *opens) {
        return ("grey", day("items.light.from", opens));
    }
    let Some(closes) = offered.closes_on else {
        return ("green", lang.text("items.light.always"));
    };
    let left = i64::from((closes - today).get_days());
    let words = || {
        lang.text("items.light.left")
            .replace("{n}", &left.to_string())
    };
    match left {
        ..0 => ("grey", day("items.light.over", closes)),
        0 => ("red", lang.text("items.light.today")),
        1..=RED_DAYS => ("red", words()),
        _ if left <= AMBER_DAYS => ("amber", words()),
        _ => ("green", words()),
    }
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan;
    use jiff::civil::date;
    use uuid::Uuid;

    use super::*;
    use crate::ids::{DepartmentId, ItemId};

    fn check(opens: Option<Date>, closes: Option<Date>, ended: bool, expected: (&str, &str)) {
        let offered = Offered {
            id: ItemId(Uuid::nil()),
            code: "x".into(),
            region: vocab::RegionCode::parse("330324").unwrap(),
            department: DepartmentId(Uuid::nil()),
            hash: String::new(),
            opens_on: opens,
            closes_on: closes,
            ended,
            version: 1,
        };
        let today = date(2026, 11, 23);
        let (light, words) = deadline(&offered, today, Lang::ZH);
        assert_eq!((light, words.as_str()), expected);
        let open = offered.is_open(today);
        assert_eq!(open, light != "grey", "a grey light takes no applications");
    }

    #[test]
    fn the_light_says_how_long_applications_are_taken() {
        let today = date(2026, 11, 23);
        let in_days = |days: i64| Some(today + days.days());
        check(None, None, false, ("green", "常年受理"));
        check(None, in_days(30), false, ("green", "还有 30 天"));
        check(None, in_days(11), false, ("green", "还有 11 天"));
        check(None, in_days(10), false, ("amber", "还有 10 天"));
        check(None, in_days(4), false, ("amber", "还有 4 天"));
        check(None, in_days(3), false, ("red", "还有 3 天"));
        check(None, in_days(0), false, ("red", "今天截止"));
        check(None, in_days(-1), false, ("grey", "已于 2026-11-22 截止"));
        check(in_days(1), in_days(9), false, ("grey", "2026-11-24 起申报"));
        check(in_days(0), None, false, ("green", "常年受理"));
        check(None, None, true, ("grey", "已停止申报"));
    }
}
