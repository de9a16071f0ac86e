//! FEEL as a table: an expression and the value it gives, through one door.

use super::{Context, Scope, Value, parse_expression};

/// Evaluates with a few names in scope: 甲 = 1, 工业增加值(万元) = 1360, 名单 = [1, 2, 3],
/// 企业 = {名称: "甲", 税收(万元): 12.5}.
fn evaluated(text: &str) -> String {
    let mut input = Context::new();
    input.insert("甲", Value::from(1));
    input.insert("工业增加值(万元)", Value::from(1360));
    input.insert("名单", Value::list([1, 2, 3].map(Value::from)));
    let enterprise: Context = [
        ("名称", Value::from("甲")),
        (
            "税收(万元)",
            Value::Number(super::Number::parse("12.5").unwrap()),
        ),
    ]
    .into_iter()
    .collect();
    input.insert("企业", enterprise.clone());
    let entries = [
        ("名称", super::Type::Text),
        ("税收(万元)", super::Type::Number),
    ];
    let ty = super::Type::Context(entries.into_iter().map(|(n, t)| (n.into(), t)).collect());
    let scope = Scope::new()
        .with("甲")
        .with("工业增加值(万元)")
        .with("名单")
        .with_typed("企业", ty);
    match parse_expression(text, &scope) {
        Ok(expression) => expression.evaluate(&input).value.to_string(),
        Err(findings) => format!(
            "{}:{} {}",
            findings[0].line,
            findings[0].column,
            findings[0].code.as_str()
        ),
    }
}

macro_rules! check {
    ($($text:expr => $expected:expr),* $(,)?) => {
        $(assert_eq!(evaluated($text), $expected, "{}", $text);)*
    };
}

#[test]
fn names_are_the_longest_match_in_scope() {
    check! {
        "工业增加值(万元) * 2" => "2720",
        "工业增加值 ( 万元 ) + 甲" => "1361",
        "企业.税收(万元) > 10" => "true",
        "企业.名称" => "甲",
        "甲-甲" => "0",
        "for 每 项 in 名单 return 每 项 * 2" => "[2, 4, 6]",
        "{总 和: 1 + 2, 倍: 总 和 * 2}.倍" => "6",
        "not known + 1" => "1:5 syntax",
        "乙 + 1" => "1:1 unknown-name",
        "1 +\n 乙(2)" => "2:2 unknown-function",
    }
}

#[test]
fn arithmetic_is_exact() {
    check! {
        "0.1 + 0.2" => "0.3",
        "1 / 3" => "0.333333333333333333333333333333333333333",
        "2 ** 10" => "1024",
        "-2 ** 2" => "4",
        "10 / 4" => "2.5",
        "7 - -3" => "10",
        "1 / 0" => "null",
        "\"a\" + \"b\"" => "ab",
        "1 + null" => "null",
        "modulo(-12, 5)" => "3",
        "modulo(10.1, 4.5)" => "1.1",
        "decimal(2.5, 0)" => "2",
        "round half up(2.5, 0)" => "3",
        "round half up(-2.5, 0)" => "-3",
        "12345678901234567890 * 12345678901234567" => "152415787532388356514250977776253630",
    }
}
