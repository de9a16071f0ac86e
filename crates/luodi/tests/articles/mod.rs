//! Articles through the command line: a broken file writes nothing, a good one is written once and
//! given back byte for byte.

use std::path::Path;

use serde_json::{Value, json};

use crate::cli::{Luodi, json_of};

/// A city of its own, without a demonstration.
fn city() -> Luodi {
    let city = Luodi::empty();
    assert_eq!(city.run(&["admin", "init"]).status.code(), Some(0));
    city
}

fn count(city: &Luodi) -> usize {
    let out = city.run(&["export", "articles", "--format", "json"]);
    assert_eq!(out.status.code(), Some(0));
    let articles: Value = serde_json::from_slice(&out.stdout).unwrap();
    articles.as_array().unwrap().len()
}

#[test]
fn a_broken_file_names_line_field_and_rule_and_writes_nothing() {
    let city = city();
    let good = "-\n【温州招商】标题一\n正文一\n2025-07-19\n";
    for (name, broken, line, field, rule) in [
        (
            "day",
            "-\n标题二\n正文二\n2025-02-30\n",
            8,
            "date",
            "date-impossible",
        ),
        ("no-day", "-\n标题二\n正文二\n", 8, "date", "date-missing"),
        (
            "lines",
            "-\n标题二\n正文\n二\n2025-07-19\n",
            8,
            "body",
            "body-one-line",
        ),
        ("title", "-\n\n正文二\n2025-07-19\n", 6, "title", "required"),
        (
            "stray",
            "多余\n-\n标题二\n正文二\n2025-07-19\n",
            5,
            "file",
            "stray-text",
        ),
        (
            "control",
            "-\n标\u{1}题\n正文二\n2025-07-19\n",
            6,
            "title",
            "control-character",
        ),
    ] {
        let file = city.write(&format!("{name}.txt"), format!("{good}{broken}").as_bytes());
        let out = city.run(&["import", "articles", &file, "--json"]);
        assert_eq!(out.status.code(), Some(1), "{name}");
        let report = json_of(&out);
        assert_eq!(report["ok"], json!(false));
        let fault = &report["errors"][0];
        assert_eq!(
            (&fault["line"], &fault["field"], &fault["rule"]),
            (&json!(line), &json!(field), &json!(rule)),
            "{name}: {report}"
        );
        let message = fault["message"].as_str().unwrap();
        assert!(message.starts_with(&format!("第 {line} 行")), "{message}");
        assert_eq!(count(&city), 0, "{name}");
    }
    let file = city.write("latin.txt", b"-\nt\xe9tle\nbody\n2025-07-19\n");
    let out = city.run(&["import", "articles", &file, "--json"]);
    assert_eq!(json_of(&out)["errors"][0]["rule"], json!("utf-8"));
    let file = city.write("empty.txt", b"");
    let out = city.run(&["import", "articles", &file, "--json"]);
    assert_eq!(
        (out.status.code(), &json_of(&out)["errors"][0]["line"]),
        (Some(1), &json!(0))
    );
    assert_eq!(count(&city), 0);
}

#[test]
fn a_good_file_is_written_once_and_given_back() {
    let city = city();
    let body = "-\r\n【永嘉招商】标题 <一>\r\n正文  有\t空白 \r\n2025-07-19\r\n\r\n-\r\n无标签\r\n正文二\r\n2025-07-20\r\n";
    let file = city.write("crlf.txt", body.as_bytes());
    takes_in_once(&city, &file, 2);
    assert_eq!(exported(&city), body.as_bytes());
}

/// The real file, where it lies beside the repository.
#[test]
fn the_real_articles_come_back_byte_for_byte() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let real = root.join("../shared/data/wenzhou-articles-2025-07.txt");
    let Ok(bytes) = std::fs::read(&real) else {
        return;
    };
    let city = city();
    takes_in_once(&city, real.to_str().unwrap(), 10);
    let given = exported(&city);
    // The foot is no article: what is given back is the file up to it.
    assert!(bytes.starts_with(&given));
    let foot = std::str::from_utf8(&bytes[given.len()..]).unwrap();
    assert!(foot.trim_start().starts_with("有想补充的信息"), "{foot}");
}

fn takes_in_once(city: &Luodi, file: &str, articles: usize) {
    for (created, unchanged) in [(articles, 0), (0, articles)] {
        let out = city.run(&["import", "articles", file, "--json"]);
        assert_eq!(out.status.code(), Some(0));
        let report = json_of(&out);
        assert_eq!(
            report["counts"],
            json!({ "blocks": articles, "created": created, "unchanged": unchanged })
        );
    }
    assert_eq!(count(city), articles);
}

fn exported(city: &Luodi) -> Vec<u8> {
    let out = city.path("out.txt");
    let said = city.run(&["export", "articles", "--out", &out]);
    assert_eq!(said.status.code(), Some(0));
    let printed = city
        .run(&["export", "articles", "--format", "source"])
        .stdout;
    let written = std::fs::read(out).unwrap();
    assert_eq!(printed, written);
    written
}
