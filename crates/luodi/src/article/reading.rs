//! How a body is shown: parted into headings and paragraphs, and its summary. The body itself
//! stays as it was written.
//!
//! Imported bodies are one line, in which the paragraphs of the original were joined by spaces:
//! a space after the end of a sentence, or before 「一、」 or 「(一)」, was a new line once.

/// The longest heading, in characters; a longer first sentence is part of its paragraph.
const HEADING_CHARS: usize = 40;
/// A paragraph of more characters has lost its own breaks, and is parted after a sentence.
const LONG_CHARS: usize = 600;
/// Where it is parted: after the sentence in which this many characters are reached.
const PIECE_CHARS: usize = 220;
/// The longest summary, in characters.
const SUMMARY_CHARS: usize = 80;

/// A part of a body, in the order of reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// A heading of its own: 「一、技术攻关」.
    Heading(&'a str),
    /// A paragraph; `lead` is its first sentence where that stands for a heading.
    Paragraph {
        /// 「(一)强化创新引领。」, or empty.
        lead: &'a str,
        /// The rest.
        text: &'a str,
    },
}

/// Parts a body for reading. No character but white space and the marks `#` of headings is lost.
pub fn split(body: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    for line in lines(body) {
        push(&mut parts, line);
    }
    parts
}

/// The first sentences of a body, at most 80 characters, for lists.
pub(super) fn summary(body: &str) -> String {
    let parts = split(body);
    let first = parts.iter().find_map(|part| match part {
        Part::Paragraph { lead, text } => Some(if text.is_empty() { *lead } else { *text }),
        Part::Heading(_) => None,
    });
    let first = first.unwrap_or(body).trim();
    let Some((cut, _)) = first.char_indices().nth(SUMMARY_CHARS) else {
        return first.to_owned();
    };
    let head = first.get(..cut).unwrap_or(first);
    match head.rfind(['。', '!', '?', '！', '？']) {
        Some(end)
            if head
                .get(..end)
                .is_some_and(|text| text.chars().count() >= SUMMARY_CHARS / 3) =>
        {
            head.chars()
                .take(head.get(..end).map_or(0, |text| text.chars().count()) + 1)
                .collect()
        }
        _ => head.chars().take(SUMMARY_CHARS - 1).chain(['…']).collect(),
    }
}

/// The lines the body had, or has.
fn lines(body: &str) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut start = 0;
    let mut before = '\n';
    for (at, c) in body.char_indices() {
        if c.is_whitespace() {
            if c == '\n' || is_break(before, body.get(at..).unwrap_or_default()) {
                lines.extend(body.get(start..at));
                start = at;
            }
        } else if !(is_end(before) && matches!(c, '”' | '」' | '"' | '）' | ')')) {
            before = c;
        }
    }
    lines.extend(body.get(start..));
    lines
        .into_iter()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect()
}

fn is_break(before: char, rest: &str) -> bool {
    is_end(before) || mark(rest.trim_start()).is_some()
}

fn is_end(c: char) -> bool {
    matches!(c, '。' | '！' | '？' | '!' | '?')
}

fn push<'a>(parts: &mut Vec<Part<'a>>, line: &'a str) {
    if let Some(heading) = line.strip_prefix('#') {
        return parts.push(Part::Heading(heading.trim_start_matches('#').trim()));
    }
    let Some(behind_mark) = mark(line) else {
        return push_text(parts, "", line);
    };
    let (head, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    if is_heading(head) {
        parts.push(Part::Heading(head));
        return push_text(parts, "", rest.trim());
    }
    let sentence = behind_mark
        .find('。')
        .map(|at| line.len() - behind_mark.len() + at + '。'.len_utf8());
    match sentence.and_then(|end| line.split_at_checked(end)) {
        Some((lead, text)) if lead.chars().count() <= HEADING_CHARS => {
            push_text(parts, lead, text.trim());
        }
        _ => push_text(parts, "", line),
    }
}

/// A paragraph, or several where it is too long to be read as one.
fn push_text<'a>(parts: &mut Vec<Part<'a>>, mut lead: &'a str, text: &'a str) {
    let mut rest = text;
    if text.chars().count() > LONG_CHARS {
        while let Some((piece, behind)) = part_long(rest) {
            parts.push(Part::Paragraph { lead, text: piece });
            (lead, rest) = ("", behind);
        }
    }
    if !lead.is_empty() || !rest.is_empty() {
        parts.push(Part::Paragraph { lead, text: rest });
    }
}

/// The first sentences of a long paragraph and the rest, which is no short remainder.
fn part_long(text: &str) -> Option<(&str, &str)> {
    let (from, _) = text.char_indices().nth(PIECE_CHARS)?;
    let end = from + text.get(from..)?.find('。')? + '。'.len_utf8();
    let (piece, rest) = text.split_at_checked(end)?;
    (rest.chars().count() >= PIECE_CHARS / 2).then_some((piece.trim(), rest.trim()))
}

fn is_heading(head: &str) -> bool {
    head.chars().count() <= HEADING_CHARS && !head.contains(['。', '；', '！', '？', '!', '?'])
}

/// What stands behind 「一、」 or 「(一)」 at the head of a line.
fn mark(line: &str) -> Option<&str> {
    let bracketed = line.strip_prefix(['(', '（']);
    let numeral = bracketed.unwrap_or(line);
    let rest = numeral.trim_start_matches(|c| "一二三四五六七八九十百".contains(c));
    let length = numeral.chars().count() - rest.chars().count();
    if !(1..=4).contains(&length) {
        return None;
    }
    match bracketed {
        Some(_) => rest.strip_prefix([')', '）']),
        None => rest.strip_prefix('、'),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(body: &str) -> String {
        let line = |part: &Part<'_>| match part {
            Part::Heading(text) => format!("## {text}\n"),
            Part::Paragraph { lead, text } => format!("[{lead}] {text}\n"),
        };
        split(body).iter().map(line).collect()
    }

    #[test]
    fn imported_line_with_headings() {
        insta::assert_snapshot!(shown(
            "某市推动产业升级。成效明显。 一、技术攻关,突破瓶颈 研究院完成项目12项。服务企业 100 家。 \
             二、开放通道取得进展。港口完成改造。 (一)强化引领,加快转换。坚持创新。 总之,升级在继续。"
        ), @r"
        [] 某市推动产业升级。成效明显。
        ## 一、技术攻关,突破瓶颈
        [] 研究院完成项目12项。服务企业 100 家。
        [二、开放通道取得进展。] 港口完成改造。
        [(一)强化引领,加快转换。] 坚持创新。
        [] 总之,升级在继续。
        ");
    }

    #[test]
    fn written_text_with_lines() {
        insta::assert_snapshot!(shown("第一段。\n\n## 小标题\n第二段 A b。\n一、条目\n"), @r"
        [] 第一段。
        ## 小标题
        [] 第二段 A b。
        ## 一、条目
        ");
    }

    #[test]
    fn a_paragraph_that_lost_its_breaks_is_parted_after_sentences() {
        let long = format!("{}。", "句".repeat(99)).repeat(10);
        let lengths = |body: &str| -> Vec<usize> {
            let text = |part: &Part<'_>| match part {
                Part::Heading(text) | Part::Paragraph { text, .. } => text.chars().count(),
            };
            split(body).iter().map(text).collect()
        };
        assert_eq!(lengths(&long), [300, 300, 400]);
        assert_eq!(lengths(&"句".repeat(5_000)), [5_000]);
        assert_eq!(lengths(&format!("(一)强化引领。{long}")), [300, 300, 400]);
    }

    #[test]
    fn numerals_inside_a_sentence_are_no_mark() {
        assert_eq!(split("设有 一二级平台。").len(), 1);
        assert_eq!(split("二十一世纪").len(), 1);
        assert_eq!(split(""), []);
    }

    #[test]
    fn summaries_end_with_a_sentence_where_they_can() {
        assert_eq!(summary("短。 一、题 文。"), "短。");
        assert_eq!(summary("## 题\n正文。"), "正文。");
        let sentence = format!("{}。", "句".repeat(49));
        assert_eq!(summary(&sentence.repeat(3)), sentence);
        let long = summary(&"长".repeat(200));
        assert_eq!(
            (long.chars().count(), long.ends_with('…')),
            (SUMMARY_CHARS, true)
        );
    }

    proptest! {
        #[test]
        fn nothing_is_lost(body in "[一二十、。 ()（）！文字A#\n]{0,80}") {
            let kept: String = split(&body).iter().map(|part| match part {
                Part::Heading(text) => (*text).to_owned(),
                Part::Paragraph { lead, text } => format!("{lead}{text}"),
            }).collect();
            let bare = |text: &str| text.chars().filter(|c| !c.is_whitespace() && *c != '#').collect::<String>();
            prop_assert_eq!(bare(&kept), bare(&body));
            prop_assert!(summary(&body).chars().count() <= SUMMARY_CHARS);
        }
    }
}
