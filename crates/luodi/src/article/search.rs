//! Finding words in texts as the list does it: both are folded, every word must occur. Gives the
//! pattern for the store, and the pieces of a text with the hits marked.
//!
//! It lacks ranking and synonyms, which need an index.

/// The most words of a question.
const TERMS: usize = 6;
/// The longest question, in characters.
const QUESTION_CHARS: usize = 100;
/// How much of a body is shown around a hit, in characters.
const SNIPPET_CHARS: usize = 80;

/// A piece of a text; hits are what was looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The text.
    pub text: String,
    /// Whether it was looked for.
    pub hit: bool,
}

/// Full width made plain and Latin letters made small, character by character.
pub fn fold(text: &str) -> String {
    vocab::fold_width(text).to_ascii_lowercase()
}

/// The words of a question, folded.
pub(super) fn terms(question: &str) -> Vec<String> {
    let question: String = question.chars().take(QUESTION_CHARS).collect();
    fold(&question)
        .split_whitespace()
        .take(TERMS)
        .map(str::to_owned)
        .collect()
}

/// The pattern that finds a folded word anywhere, for `LIKE … ESCAPE '!'`.
pub(super) fn pattern(term: &str) -> String {
    let mut pattern = String::from("%");
    for c in term.chars() {
        if matches!(c, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

/// The text in pieces, hits apart from the rest.
pub(super) fn mark(text: &str, terms: &[String]) -> Vec<Piece> {
    let hits = hits(text, terms);
    let mut pieces: Vec<Piece> = Vec::new();
    for (c, hit) in text.chars().zip(hits) {
        match pieces.last_mut() {
            Some(last) if last.hit == hit => last.text.push(c),
            _ => pieces.push(Piece {
                text: c.to_string(),
                hit,
            }),
        }
    }
    pieces
}

/// The surroundings of the first hit in a body, in pieces; none where there is no hit.
pub(super) fn snippet(body: &str, terms: &[String]) -> Option<Vec<Piece>> {
    let first = hits(body, terms).iter().position(|hit| *hit)?;
    let start = first.saturating_sub(SNIPPET_CHARS / 3);
    let text: String = body.chars().skip(start).take(SNIPPET_CHARS).collect();
    let mut pieces = mark(&text, terms);
    let dots = |text: &str| Piece {
        text: text.to_owned(),
        hit: false,
    };
    if start > 0 {
        pieces.insert(0, dots("…"));
    }
    if body.chars().nth(start + SNIPPET_CHARS).is_some() {
        pieces.push(dots("…"));
    }
    Some(pieces)
}

/// For every character of the text, whether it belongs to a hit.
fn hits(text: &str, terms: &[String]) -> Vec<bool> {
    let folded = fold(text);
    let starts: Vec<usize> = folded.char_indices().map(|(at, _)| at).collect();
    let mut hits = vec![false; starts.len()];
    for term in terms.iter().filter(|term| !term.is_empty()) {
        for (at, _) in folded.match_indices(term.as_str()) {
            let first = starts.partition_point(|start| *start < at);
            let length = term.chars().count();
            hits.iter_mut()
                .skip(first)
                .take(length)
                .for_each(|hit| *hit = true);
        }
    }
    hits
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, question: &str, expected: &str) {
        let show = |piece: Piece| {
            if piece.hit {
                format!("<{}>", piece.text)
            } else {
                piece.text
            }
        };
        let marked: String = mark(text, &terms(question)).into_iter().map(show).collect();
        assert_eq!(marked, expected);
    }

    #[test]
    fn marks_exactly_what_matched() {
        check(
            "招商证券股份有限公司",
            "招商 公司",
            "<招商>证券股份有限<公司>",
        );
        check("待处理", "处理", "待<处理>");
        check("安装简单", "简单", "安装<简单>");
        check("５Ｇ+工业", "5g", "<５Ｇ>+工业");
        check("没有", "别的", "没有");
    }

    #[test]
    fn snippets_show_the_first_hit() {
        let body = format!("{}光伏{}", "前".repeat(100), "后".repeat(100));
        let pieces = snippet(&body, &terms("光伏")).unwrap();
        assert_eq!(pieces.iter().filter(|piece| piece.hit).count(), 1);
        assert!(pieces.first().unwrap().text == "…" && pieces.last().unwrap().text == "…");
        assert_eq!(snippet("无", &terms("光伏")), None);
    }

    #[test]
    fn patterns_escape_the_store_s_signs() {
        assert_eq!(pattern("80%_!"), "%80!%!_!!%");
        assert!(terms(&"甲 ".repeat(500)).len() <= TERMS);
        assert!(terms("  ").is_empty());
    }

    proptest! {
        #[test]
        fn pieces_are_the_text(text in "\\PC{0,40}", question in "\\PC{0,6}") {
            let joined: String = mark(&text, &terms(&question)).into_iter().map(|piece| piece.text).collect();
            prop_assert_eq!(joined, text);
        }
    }
}
