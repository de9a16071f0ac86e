//! The language of the public pages: Chinese by default, English where asked for. Staff pages are
//! Chinese only. Texts live in `messages/*.toml`.

use std::collections::HashMap;
use std::sync::LazyLock;

use axum::http::HeaderMap;
use axum::http::header::COOKIE;

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

#[cfg(test)]
mod tests {
    use super::*;

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
