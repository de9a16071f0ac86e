//! The newest published articles as an Atom feed (RFC 4287).
//!
//! It lacks the city's own address, which the program does not know: links are relative to the
//! feed's, which Atom allows, and ids are UUIDs.

use jiff::civil::Date;
use uuid::Uuid;

use super::queries::Line;

/// The feed. `updated` is what an empty feed says of its age.
pub(super) fn atom(title: &str, city_code: &str, lines: &[Line], updated: Date) -> String {
    let newest = lines
        .iter()
        .map(|line| line.published_on)
        .max()
        .unwrap_or(updated);
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n");
    out.push_str("<feed xmlns=\"http://www.w3.org/2005/Atom\" xml:lang=\"zh-CN\">\n");
    element(&mut out, "id", &format!("urn:uuid:{}", feed_id(city_code)));
    element(&mut out, "title", title);
    element(&mut out, "updated", &midnight(newest));
    out.push_str("<author><name>");
    out.push_str(&escape(title));
    out.push_str("</name></author>\n");
    out.push_str(
        "<link rel=\"self\" type=\"application/atom+xml\" href=\"/articles/feed.atom\"/>\n",
    );
    out.push_str("<link rel=\"alternate\" type=\"text/html\" href=\"/articles\"/>\n");
    for line in lines {
        entry(&mut out, line);
    }
    out.push_str("</feed>\n");
    out
}

fn entry(out: &mut String, line: &Line) {
    let text = |pieces: &[super::Piece]| {
        pieces
            .iter()
            .map(|piece| piece.text.as_str())
            .collect::<String>()
    };
    out.push_str("<entry>\n");
    element(out, "id", &format!("urn:uuid:{}", line.id.0.hyphenated()));
    element(
        out,
        "title",
        &super::tag::join(line.tag.as_deref(), &text(&line.title)),
    );
    element(out, "updated", &midnight(line.published_on));
    out.push_str(&format!(
        "<link rel=\"alternate\" type=\"text/html\" href=\"/articles/{}\"/>\n",
        line.id
    ));
    out.push_str(&format!(
        "<category term=\"{}\" label=\"{}\"/>\n",
        line.category.code(),
        line.category.zh()
    ));
    element(out, "summary", &text(&line.summary));
    out.push_str("</entry>\n");
}

fn element(out: &mut String, name: &str, text: &str) {
    out.push_str(&format!("<{name}>{}</{name}>\n", escape(text)));
}

/// The same for the same city for ever.
fn feed_id(city_code: &str) -> Uuid {
    use sha2::{Digest, Sha256};
    let digest = Sha256::digest(format!("luodi articles {city_code}"));
    let mut bytes = [0; 16];
    bytes
        .iter_mut()
        .zip(digest)
        .for_each(|(to, from)| *to = from);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

/// The first moment of a day in China.
fn midnight(date: Date) -> String {
    format!("{date}T00:00:00+08:00")
}

/// Text as XML; the control characters that XML 1.0 lacks are left out.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\t' | '\n' | '\r' => out.push(c),
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => {}
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::article::{Category, Piece, State};
    use crate::ids::ArticleId;

    #[test]
    fn a_feed_is_well_formed_and_dated_by_its_newest() {
        let piece = |text: &str| {
            vec![Piece {
                text: text.to_owned(),
                hit: false,
            }]
        };
        let line = |n: u128, day: Date| Line {
            id: ArticleId(Uuid::from_u128(n)),
            title: piece("甲 <b> & \"乙\"\u{1}"),
            tag: Some("温州招商".to_owned()),
            region: "温州市",
            category: Category::News,
            summary: piece("摘要"),
            published_on: day,
            region_code: None,
            state: State::Published,
        };
        let lines = [line(1, date(2025, 7, 19)), line(2, date(2025, 7, 23))];
        let xml = atom("温州市", "330300", &lines, date(2025, 1, 1));
        let document = roxmltree::Document::parse(&xml).unwrap();
        let texts = |name: &str| -> Vec<String> {
            let named = document
                .descendants()
                .filter(|node| node.has_tag_name(("http://www.w3.org/2005/Atom", name)));
            named
                .filter_map(|node| node.text().map(str::to_owned))
                .collect()
        };
        assert_eq!(
            texts("updated").first().map(String::as_str),
            Some("2025-07-23T00:00:00+08:00")
        );
        assert_eq!(
            texts("title").last().map(String::as_str),
            Some("【温州招商】甲 <b> & \"乙\"")
        );
        let mut ids = texts("id");
        ids.dedup();
        assert_eq!(ids.len(), 3);
        assert!(roxmltree::Document::parse(&atom("空", "330300", &[], date(2025, 1, 1))).is_ok());
    }
}
