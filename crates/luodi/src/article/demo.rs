//! The articles of the demonstration city, from `city/texts/`: invented, and said to be so. The
//! demonstration writes them through the same commands as an editor.

use jiff::ToSpan;
use jiff::civil::Date;
use serde::Deserialize;
use vocab::RegionCode;

use super::{Category, Text};

/// An article of the demonstration, dated relative to its today.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DemoArticle {
    /// The title.
    pub title: String,
    /// The tag without its brackets.
    pub tag: Option<String>,
    /// A region's code; none for the whole city.
    pub region: Option<RegionCode>,
    /// The code of a [`Category`].
    pub category: String,
    /// Days from the demonstration's today; never positive.
    pub day: i32,
    /// The body.
    #[serde(skip)]
    pub body: String,
}

impl DemoArticle {
    /// What it says on a day.
    pub fn text(&self, today: Date) -> Text {
        Text {
            title: self.title.clone(),
            tag: self.tag.clone(),
            region: self.region,
            category: Category::from_code(&self.category).unwrap_or(Category::News),
            published_on: today.checked_add(self.day.days()).unwrap_or(today),
            body: self.body.clone(),
        }
    }
}

const TEXTS: &[&str] = &[
    include_str!("../../../../city/texts/joint-window.md"),
    include_str!("../../../../city/texts/pv-subsidy-guide.md"),
    include_str!("../../../../city/texts/equipment-loan.md"),
    include_str!("../../../../city/texts/notice-and-objection.md"),
    include_str!("../../../../city/texts/island-parcels.md"),
    include_str!("../../../../city/texts/work-in-review.md"),
];

/// All articles of the demonstration. A test reads every file.
pub fn demo_articles() -> Vec<DemoArticle> {
    TEXTS.iter().filter_map(|text| read(text)).collect()
}

/// A head of TOML between lines `+++`, then the body.
fn read(text: &str) -> Option<DemoArticle> {
    let (head, body) = text.strip_prefix("+++\n")?.split_once("\n+++\n")?;
    let mut article: DemoArticle = toml::from_str(head).ok()?;
    article.body = body.trim().to_owned();
    Some(article)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn every_text_is_read_and_fit_to_be_published() {
        let articles = demo_articles();
        assert_eq!(articles.len(), TEXTS.len());
        for article in articles {
            assert!(article.day <= 0, "{}", article.title);
            assert!(
                Category::from_code(&article.category).is_some(),
                "{}",
                article.title
            );
            let text = article.text(date(2026, 11, 23));
            let typed = crate::article::Typed {
                title: text.title.clone(),
                tag: text.tag.clone().unwrap_or_default(),
                region: text
                    .region
                    .map_or_else(String::new, |code| code.to_string()),
                category: text.category.code().to_owned(),
                published_on: text.published_on.to_string(),
                body: text.body.clone(),
            };
            assert_eq!(typed.check(), Ok(text));
        }
    }
}
