//! The language of the public pages: Chinese by default, English where asked for. Staff pages are
//! Chinese only. Texts live in `messages/*.toml`.

use std::collections::HashMap;
use std::sync::LazyLock;

use axum::http::HeaderMap;
use axum::http::header::COOKIE;
use jiff::civil::Date;
use vocab::{DateError, PhoneError, RegionCode, region};

use crate::refusal::FieldError;

/// The language of one answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lang {
    english: bool,
    asked: bool,
}

static ZH: LazyLock<HashMap<String, String>> =
    LazyLock::new(|| read(include_str!("../../messages/zh-CN.toml")));
static EN: LazyLock<HashMap<String, String>> =
    LazyLock::new(|| read(include_str!("../../messages/en.toml")));

/// What is refused on public pages, in English.
static REFUSED: LazyLock<HashMap<String, String>> =
    LazyLock::new(|| read(include_str!("../../messages/refusal.en.toml")));

fn read(text: &str) -> HashMap<String, String> {
    toml::from_str(text).unwrap_or_default()
}

impl Lang {
    /// Chinese.
    pub const ZH: Lang = Lang {
        english: false,
        asked: false,
    };
    /// English.
    pub const EN: Lang = Lang {
        english: true,
        asked: false,
    };

    /// The language asked for by `?lang=`, else by the cookie, else Chinese.
    pub(super) fn of(headers: &HeaderMap, query: Option<&str>) -> Self {
        let asked = query.and_then(|query| {
            query
                .split('&')
                .find_map(|pair| pair.strip_prefix("lang="))
                .map(|lang| lang == "en")
        });
        let kept = || {
            headers
                .get_all(COOKIE)
                .iter()
                .filter_map(|line| line.to_str().ok())
                .any(|line| line.split(';').any(|pair| pair.trim() == "lang=en"))
        };
        Self {
            english: asked.unwrap_or_else(kept),
            asked: asked.is_some(),
        }
    }

    /// The value for the `lang` attribute.
    pub fn code(self) -> &'static str {
        if self.english { "en" } else { "zh-CN" }
    }

    /// Whether English was chosen.
    pub fn is_english(self) -> bool {
        self.english
    }

    /// The same where the page exists in Chinese only.
    #[must_use]
    pub(super) fn chinese(self) -> Self {
        Self {
            english: false,
            ..self
        }
    }

    /// The region's name; the Chinese one where there is no other, the code where it is unknown.
    pub fn region(self, code: RegionCode) -> String {
        let english = region::english(code).filter(|_| self.english);
        let name = english.or_else(|| region::find(code).map(|region| region.name));
        name.map_or_else(|| code.to_string(), str::to_owned)
    }

    /// A day as the language writes it: `2026-11-23`, `23 Nov 2026`.
    pub fn day(self, day: Date) -> String {
        if self.english {
            day.strftime("%-d %b %Y").to_string()
        } else {
            day.to_string()
        }
    }

    /// Says what was refused in this language, as far as there are words for it.
    pub(super) fn retell(self, code: &str, message: &mut String, fields: &mut [FieldError]) {
        if !self.english {
            return;
        }
        let alone = matches!(fields, [one] if one.message == *message);
        for field in fields.iter_mut() {
            if let Some(text) = refused(field) {
                field.message = text;
            }
        }
        match fields {
            [one] if alone => message.clone_from(&one.message),
            [_, _, ..] => {
                let many = REFUSED.get("many").map_or("", String::as_str);
                *message = many.replace("{n}", &fields.len().to_string());
            }
            _ => {
                if let Some(text) = REFUSED.get(code) {
                    message.clone_from(text);
                }
            }
        }
    }

    pub(super) fn to_set(self) -> Option<&'static str> {
        self.asked.then(|| self.code())
    }

    /// The text of a key; the key itself where it is missing, which a test refuses.
    pub fn text(self, key: &str) -> String {
        let table = if self.english { &*EN } else { &*ZH };
        table
            .get(key)
            .or_else(|| ZH.get(key))
            .cloned()
            .unwrap_or_else(|| key.to_owned())
    }
}

/// What is wrong with a field, in English: by field and rule, by rule, or as the code's own table says.
fn refused(error: &FieldError) -> Option<String> {
    let rule = &*error.rule;
    let own = || {
        let day = DateError::ALL.iter().find(|it| it.code() == rule);
        let phone = PhoneError::ALL.iter().find(|it| it.code() == rule);
        let text = day
            .map(|it| it.message_en())
            .or_else(|| phone.map(|it| it.message_en()))?;
        let mut letters = text.chars();
        let first = letters.next()?.to_ascii_uppercase();
        Some(format!("{first}{}.", letters.as_str()))
    };
    REFUSED
        .get(&format!("{}.{rule}", error.field))
        .or_else(|| REFUSED.get(rule))
        .map(|text| text.replace("{n}", &first_number(&error.message)))
        .or_else(own)
}

/// The first number in a text: what a refusal counts stays when it is told in another language.
fn first_number(text: &str) -> String {
    text.chars()
        .skip_while(|c| !c.is_ascii_digit())
        .take_while(char::is_ascii_digit)
        .collect()
}

/// Whether a text has Chinese characters or signs: on an English page it is marked as what it is.
pub fn is_chinese(text: impl std::fmt::Display) -> bool {
    let chinese = |c| matches!(c, '\u{3000}'..='\u{303f}' | '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{ff00}'..='\u{ffef}');
    text.to_string().chars().any(chinese)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_in_english_where_there_are_words() {
        let check = |code: &str, message: &str, fields: &[(&str, &'static str)], expected: &str| {
            let mut message = message.to_owned();
            let mut fields: Vec<FieldError> = fields
                .iter()
                .map(|(field, rule)| FieldError {
                    field: (*field).to_owned(),
                    rule: (*rule).into(),
                    message: "错".to_owned(),
                })
                .collect();
            Lang::EN.retell(code, &mut message, &mut fields);
            let told: Vec<&str> = fields.iter().map(|field| field.message.as_str()).collect();
            assert_eq!(format!("{message} | {}", told.join(" | ")), expected);
        };
        check(
            "not-found",
            "没有",
            &[],
            "There is no such page, or you may not see it. Please start again from the home page. | ",
        );
        check("new", "没有", &[], "没有 | ");
        let unknown =
            "There is no such receipt code. Please check it: 12 characters, without 0, 1, I and O.";
        check(
            "invalid-fields",
            "错",
            &[("receipt", "unknown")],
            &format!("{unknown} | {unknown}"),
        );
        check(
            "invalid-fields",
            "有 2 处",
            &[("from", "date"), ("x", "y")],
            "2 fields need correction. Please mend them and submit again. | Write the date as 2026-01-31. | 错",
        );
        let mut message = "没有".to_owned();
        Lang::ZH.retell("not-found", &mut message, &mut []);
        assert_eq!(message, "没有");
    }

    #[test]
    fn regions_and_days_are_written_in_the_language() {
        let code = |digits| RegionCode::parse(digits).unwrap();
        let day = jiff::civil::date(2026, 11, 3);
        assert_eq!(Lang::EN.region(code("330381")), "Rui'an City");
        assert_eq!(Lang::ZH.region(code("330381")), "瑞安市");
        assert_eq!(Lang::EN.region(code("110000")), "北京市");
        assert_eq!(
            (Lang::EN.day(day), Lang::ZH.day(day)),
            ("3 Nov 2026".into(), "2026-11-03".into())
        );
    }

    #[test]
    fn both_languages_have_the_same_keys() {
        let mut zh: Vec<_> = ZH.keys().collect();
        let mut en: Vec<_> = EN.keys().collect();
        zh.sort();
        en.sort();
        assert!(!zh.is_empty());
        assert_eq!(zh, en);
    }

    /// The keys that the templates in a folder ask for by `page.t("…")`.
    fn asked_for(folder: &std::path::Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.path().is_dir() {
                asked_for(&entry.path(), found);
                continue;
            }
            let text = std::fs::read_to_string(entry.path()).unwrap();
            let keys = text
                .split("page.t(\"")
                .skip(1)
                .filter_map(|rest| rest.split('"').next());
            found.extend(keys.map(str::to_owned));
        }
    }

    #[test]
    fn every_key_of_a_template_has_a_text() {
        let mut keys = Vec::new();
        asked_for(
            &std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("templates"),
            &mut keys,
        );
        assert!(!keys.is_empty());
        keys.retain(|key| !ZH.contains_key(key));
        assert_eq!(keys, Vec::<String>::new());
    }
}
