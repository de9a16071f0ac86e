//! Tests of the reader of the source's layout.

use proptest::prelude::*;

use super::*;

fn home() -> RegionCode {
    RegionCode::parse("330300").unwrap()
}

fn faults(text: &[u8]) -> Vec<(usize, &'static str, &'static str)> {
    let errors = parse_source(text, home()).unwrap_err();
    for error in &errors {
        assert!(
            error.line == 0 || error.message.starts_with(&format!("第 {} 行", error.line)),
            "{error:?}"
        );
    }
    errors
        .into_iter()
        .map(|error| (error.line, error.field, error.rule))
        .collect()
}

#[test]
fn reads_blocks_and_leaves_the_foot() {
    let text = "-\n【乐清市招商】题一 下\n正文 一、甲 乙。\n2025-07-23\n-\n题二\n正文二\n2025-07-19\n\
                有想补充的信息?点我投稿\n\n- 联系我们\n- 企业入驻\n";
    let blocks = parse_source(text.as_bytes(), home()).unwrap();
    let [first, second] = blocks.as_slice() else {
        panic!("{blocks:?}")
    };
    assert_eq!(
        (first.tag, first.title, first.body),
        (Some("乐清市招商"), "题一 下", "正文 一、甲 乙。")
    );
    assert_eq!(first.region.unwrap().to_string(), "330382");
    assert_eq!(
        (second.tag, second.title, second.region),
        (None, "题二", None)
    );
    assert_eq!(
        (second.date.to_string().as_str(), second.line),
        ("2025-07-19", 5)
    );
    assert_eq!(second.raw, "-\n题二\n正文二\n2025-07-19\n".as_bytes());
}

#[test]
fn line_ends_mark_and_blank_lines_are_kept_in_raw() {
    let text = "\u{feff}-\r\n题一\r\n正文\r\n2025-07-23\r\n\r\n- \r\n题二\r\n文\r\n2025-07-22";
    let blocks = parse_source(text.as_bytes(), home()).unwrap();
    assert_eq!(
        blocks.iter().map(|b| b.title).collect::<Vec<_>>(),
        ["题一", "题二"]
    );
    assert_eq!(blocks[0].body, "正文");
    let raw: Vec<u8> = blocks.iter().flat_map(|block| block.raw.to_vec()).collect();
    assert_eq!(raw, text.as_bytes()[3..]);
}

#[test]
fn names_line_and_rule_of_every_fault() {
    let check = |text: &str, expected: &[(usize, &str, &str)]| {
        assert_eq!(faults(text.as_bytes()), expected, "{text:?}");
    };
    check("", &[(0, "file", "no-article")]);
    check("\n\n随便的文字\n", &[(0, "file", "no-article")]);
    check("-\n题\n文\n", &[(4, "date", "date-missing")]);
    check(
        "-\n题\n文\n-\n题\n文\n2025-01-02\n",
        &[(4, "date", "date-missing")],
    );
    check("-\n题\n文\n2025-02-30\n", &[(4, "date", "date-impossible")]);
    check("-\n题\n文\n2025-13-01\n", &[(4, "date", "date-impossible")]);
    check("-\n题\n文\n2025/7/3\n", &[(4, "date", "date-format")]);
    check("-\n题\n文\n2025年7月3日\n", &[(4, "date", "date-format")]);
    check(
        "-\n题\n文一\n文二\n2025-07-03\n",
        &[(4, "body", "body-one-line")],
    );
    check("-\n \n文\n2025-07-03\n", &[(2, "title", "required")]);
    check("-\n-\n题\n文\n2025-07-03\n", &[(2, "title", "required")]);
    check("-", &[(2, "title", "required")]);
    check("-\n题\n2025-07-03\n", &[(3, "body", "required")]);
    check("-\n题\n\n2025-07-03\n", &[(3, "body", "required")]);
    check(
        "页眉\n-\n题\n文\n2025-07-03\n",
        &[(1, "file", "stray-text")],
    );
    check(
        "-\n题\n文\n2025-07-03\n多余\n-\n题\n文\n2025-07-03\n",
        &[(5, "file", "stray-text")],
    );
    check(
        "-\n题\u{0}\n文\n2025-07-03\n",
        &[(2, "title", "control-character")],
    );
    check(
        "-\n题\n文\n昨天\n-\n\n文\n2025-07-03\n",
        &[(4, "date", "date-missing"), (6, "title", "required")],
    );
    check(
        &format!("-\n{}\n文\n2025-07-03\n", "题".repeat(TITLE_CHARS + 1)),
        &[(2, "title", "too-long")],
    );
    check(
        &format!("-\n题\n{}\n2025-07-03\n", "文".repeat(BODY_BYTES / 3 + 1)),
        &[(3, "body", "too-long")],
    );
}

#[test]
fn a_body_that_is_a_date_is_a_body() {
    let blocks = parse_source(b"-\nt\n2025-07-03\n2025-07-04\n", home()).unwrap();
    assert_eq!(
        (blocks[0].body, blocks[0].date.to_string().as_str()),
        ("2025-07-03", "2025-07-04")
    );
}

#[test]
fn foreign_encodings_are_named() {
    assert_eq!(
        faults(b"-\n\xb1\xea\xcc\xe2\ntext\n2025-07-03\n"),
        [(2, "title", "utf-8")]
    );
    assert_eq!(
        faults(b"-\nt\nb\n2025-07-03\n\xb1\xea\n"),
        [(5, "file", "utf-8")]
    );
}

#[test]
fn reports_a_bounded_number_of_faults() {
    assert_eq!(
        faults("-\n题\n文\n昨天\n".repeat(5_000).as_bytes()).len(),
        ERRORS
    );
}

proptest! {
    #[test]
    fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = parse_source(&bytes, home());
    }

    #[test]
    fn broken_layouts_never_panic(text in "(-\r?\n|【?温州招商】?题\r?\n|2025-0[0-9]-[0-3][0-9]\r?\n|文 一、 \n|\n){0,30}") {
        if let Ok(blocks) = parse_source(text.as_bytes(), home()) {
            let raw: Vec<u8> = blocks.iter().flat_map(|block| block.raw.to_vec()).collect();
            prop_assert!(text.as_bytes().starts_with(&raw));
        }
    }

    #[test]
    fn valid_blocks_round_trip(
        articles in proptest::collection::vec(
            ("[一-龥A-Za-z0-9]{1,20}", "[一-龥 a-z。,]{0,30}[一-龥]", 1900_i16..2200, 1_i8..13, 1_i8..29, any::<bool>()), 1..20),
        crlf in any::<bool>(),
        mark in any::<bool>(),
        foot in prop_oneof![Just(""), Just("点我投稿\n\n- 联系我们\n")],
    ) {
        let end = if crlf { "\r\n" } else { "\n" };
        let blocks: String = articles.iter().map(|(title, body, y, m, d, tagged)| {
            let tag = if *tagged { "【温州招商】" } else { "" };
            format!("-{end}{tag}{title}{end}{body}{end}{y:04}-{m:02}-{d:02}{end}")
        }).collect();
        let text = format!("{}{blocks}{foot}", if mark { "\u{feff}" } else { "" });
        let read = parse_source(text.as_bytes(), home()).unwrap();
        let raw: Vec<u8> = read.iter().flat_map(|block| block.raw.to_vec()).collect();
        prop_assert_eq!(raw, blocks.into_bytes());
        prop_assert_eq!(read.len(), articles.len());
        for (block, (title, body, _, _, _, tagged)) in read.iter().zip(&articles) {
            prop_assert_eq!((block.title, block.body), (title.as_str(), body.as_str()));
            prop_assert_eq!(block.tag.is_some(), *tagged);
        }
    }
}
