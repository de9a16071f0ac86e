//! FEEL as a table: an expression and the value it gives, through one door.

use super::{Context, Number, Scope, Type, Value, parse_expression, parse_unary_tests};

/// 甲 = 1, 工业增加值(万元) = 1360, 名单 = [1, 2, 3], 企业 = {名称: "甲", 税收(万元): 12.5}.
fn input() -> Context {
    let mut input = Context::new();
    input.insert("甲", Value::from(1));
    input.insert("工业增加值(万元)", Value::from(1360));
    input.insert("名单", Value::list([1, 2, 3].map(Value::from)));
    let tax = Number::parse("12.5").unwrap();
    let enterprise: Context = [("名称", Value::from("甲")), ("税收(万元)", tax.into())]
        .into_iter()
        .collect();
    input.insert("企业", enterprise);
    input
}

fn scope() -> Scope {
    let entries = [("名称", Type::Text), ("税收(万元)", Type::Number)];
    let enterprise = Type::Context(entries.into_iter().map(|(n, t)| (n.into(), t)).collect());
    Scope::new()
        .with("甲")
        .with("工业增加值(万元)")
        .with("名单")
        .with_typed("企业", enterprise)
}

/// The value as text, or place and code of the first finding.
fn evaluated(text: &str) -> String {
    match parse_expression(text, &scope()) {
        Ok(expression) => expression.evaluate(&input()).value.to_string(),
        Err(findings) => {
            let finding = &findings[0];
            format!(
                "{}:{} {}",
                finding.line,
                finding.column,
                finding.code.as_str()
            )
        }
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
        "[企业][税收(万元) > 10].名称" => "[\"甲\"]",
        "甲-甲" => "0",
        "for 每 项 in 名单 return 每 项 * 2" => "[2, 4, 6]",
        "{总 和: 1 + 2, 倍: 总 和 * 2}.倍" => "6",
        "{甲: 10, 乙: 甲 + 1}.乙" => "11",
        "名单[item > 甲]" => "[2, 3]",
        "[{a b: 1}, {a b: 3}][a b > 甲]" => "[{a b: 3}]",
        "(function(单价(元): number, 数量) 单价(元) * 数量)(数量: 3, 单价(元): 2.5)" => "7.5",
    }
}

#[test]
fn findings_tell_the_place() {
    check! {
        "not known + 1" => "1:5 syntax",
        "乙 + 1" => "1:1 unknown-name",
        "1 +\n 乙(2)" => "2:2 unknown-function",
        "1 + " => "1:5 syntax",
        "(1 + 2" => "1:7 syntax",
        "[1, 2" => "1:6 syntax",
        "{a: 1, a: 2}" => "1:8 duplicate",
        "甲 instance of 没有" => "1:15 unknown-type",
        "@\"2016-02-30\"" => "1:1 invalid-literal",
        "function(a) external {java: {}}" => "1:13 external-function",
        "甲，甲" => "1:2 syntax",
        "\"甲" => "1:1 syntax",
    }
    let findings = parse_expression("乙 + 丙", &scope()).unwrap_err();
    assert_eq!(
        findings.iter().map(|f| f.column).collect::<Vec<_>>(),
        [1, 5]
    );
    assert!(findings[1].message_zh.contains('丙') && findings[1].message_en.contains('丙'));
}

#[test]
fn arithmetic_is_exact() {
    check! {
        "0.1 + 0.2" => "0.3",
        "1 / 3" => "0.33333333333333333333333333333333333333",
        "2 ** 10" => "1024",
        "2 ** -2" => "0.25",
        "-2 ** 2" => "4",
        "2 ** 3 ** 2" => "64",
        "10 / 4" => "2.5",
        "7 - -3" => "10",
        "1 / 0" => "null",
        "\"a\" + \"b\"" => "ab",
        "\"a\" + 1" => "null",
        "1 + null" => "null",
        "modulo(-12, 5)" => "3",
        "modulo(12, -5)" => "-3",
        "modulo(10.1, 4.5)" => "1.1",
        "decimal(2.5, 0)" => "2",
        "decimal(1555, -2)" => "1600",
        "round half up(2.5, 0)" => "3",
        "round half up(-2.5, 0)" => "-3",
        "round half down(2.5, 0)" => "2",
        "round up(1.001, 2)" => "1.01",
        "round down(-1.009, 2)" => "-1",
        "floor(-1.5)" => "-2",
        "ceiling(-1.5)" => "-1",
        "1.50" => "1.5",
        "1 / 3 * 3" => "0.99999999999999999999999999999999999999",
        "2 / 3" => "0.66666666666666666666666666666666666667",
        "1.05 ** 30" => "4.3219423751506620091572881988864733415",
        "decimal(1.1 ** 0.5, 30)" => "1.04880884817015154699145351368",
        "10000000000000000000000000000000000000.5 + 0.00" => "10000000000000000000000000000000000000.5",
        "1000000000000000000000000000000000000000000.51" => "1000000000000000000000000000000000000000000",
        "decimal(sqrt(2), 30)" => "1.41421356237309504880168872421",
        "decimal(exp(1), 30)" => "2.718281828459045235360287471353",
        "decimal(log(10), 30)" => "2.302585092994045684017991454684",
        "12345678901234567890 * 12345678901234567" => "152415787532388356514250977776253630",
        "1e20 + 1e-10" => "100000000000000000000.0000000001",
    }
}

#[test]
fn logic_has_three_values() {
    check! {
        "true and null" => "null",
        "false and null" => "false",
        "null and false" => "false",
        "true or null" => "true",
        "null or true" => "true",
        "null or false" => "null",
        "\"x\" and true" => "null",
        "not(null)" => "null",
        "null = null" => "true",
        "null = \"D\"" => "false",
        "null != 1" => "true",
        "1 = \"1\"" => "null",
        "null < 1" => "null",
        "1 between null and 2" => "null",
        "if null then 1 else 2" => "2",
        "some x in [null, true] satisfies x" => "true",
        "every x in [null, true] satisfies x" => "null",
        "all([true, null])" => "null",
        "any([true, null])" => "true",
    }
}

#[test]
fn ranges_and_tests() {
    check! {
        "1 in [1..3)" => "true",
        "3 in [1..3)" => "false",
        "3 in ]1..3]" => "true",
        "2 in [1..3[" => "true",
        "5 in (< 3, > 4)" => "true",
        "甲 in (1, 2)" => "true",
        "3 in (甲 + 1) * 1.5" => "true",
        "3 in (2..4)" => "true",
        "3 in (]2..4], 9)" => "true",
        "1 in (1 in (1 in (2, 3), 5), true)" => "null",
        "\"b\" in [\"a\"..\"c\"]" => "true",
        "[1..3].end included" => "true",
        "before([1..5), 5)" => "true",
        "overlaps([1..5], [5..8])" => "true",
        "includes([1..10], [1..10])" => "true",
        "for i in [1..4) return i" => "[1, 2, 3]",
        "for i in 3..1 return i" => "[3, 2, 1]",
        "for i in 0..4 return if i = 0 then 1 else i * partial[-1]" => "[1, 1, 2, 6, 24]",
        "range(\"[1..2)\")" => "[1..2)",
    }
}

#[test]
fn dates_and_durations() {
    check! {
        "@\"2016-06-30\" + @\"P1D\"" => "2016-07-01",
        "date(\"2016-06-30\") < date(2016, 7, 1)" => "true",
        "@\"2016-01-31\" + @\"P1M\"" => "2016-02-29",
        "@\"2016-07-01\" - @\"2015-07-01\"" => "P366D",
        "years and months duration(@\"2013-08-30\", @\"2016-07-01\")" => "P2Y10M",
        "@\"P1Y2M\" * 2" => "P2Y4M",
        "@\"P3D\" / @\"P2D\"" => "1.5",
        "date(\"2015-02-29\")" => "null",
        "@\"2016-07-01\".weekday" => "5",
        "day of week(@\"2016-07-01\")" => "Friday",
        "string(date and time(@\"2016-07-01\", @\"10:00:00+08:00\"))" => "2016-07-01T10:00:00+08:00",
        "@\"2016-07-01T00:00:00@Asia/Shanghai\" = @\"2016-06-30T16:00:00Z\"" => "true",
        "today()" => "null",
        "duration(\"P1D\") < duration(\"PT25H\")" => "true",
    }
}

#[test]
fn lists_contexts_and_functions() {
    check! {
        "名单[1]" => "1",
        "名单[-1]" => "3",
        "名单[4]" => "null",
        "sum(名单) + max(名单)" => "9",
        "sort(名单, function(x, y) x > y)" => "[3, 2, 1]",
        "distinct values([1, 2, 1])" => "[1, 2]",
        "flatten([1, [2, [3]]])" => "[1, 2, 3]",
        "concatenate([1], [2])" => "[1, 2]",
        "context put({a: 1}, \"b\", 2)" => "{a: 1, b: 2}",
        "get entries({a: 1})[1].key" => "a",
        "{f: function(x) x * 2, y: f(21)}.y" => "42",
        "substring(\"工业增加值\", 3)" => "增加值",
        "string length(\"万元\")" => "2",
        "replace(\"2013年第7条\", \"[0-9]+\", \"#\")" => "#年第#条",
        "split(\"甲、乙、丙\", \"、\")" => "[\"甲\", \"乙\", \"丙\"]",
        "number(\"1,234.50\", \",\", \".\")" => "1234.5",
        "median([1, 3, 2])" => "2",
        "decimal(stddev([2, 4, 7, 5]), 10)" => "2.0816659995",
        "1 instance of number" => "true",
        "[1] instance of list<number>" => "true",
        "count(null)" => "null",
        "no such function" => "1:1 unknown-name",
    }
}

#[test]
fn unary_tests_say_whether_a_value_meets_them() {
    let check = |tests: &str, value: Value, expected: Option<bool>| {
        let tests = parse_unary_tests(tests, &scope(), &Type::Any).unwrap();
        assert_eq!(
            tests.meets(&value, &scope(), &input()),
            expected,
            "{} {value}",
            tests.text()
        );
    };
    check("-", Value::Null, Some(true));
    check("", Value::from(1), Some(true));
    check("< 10", Value::from(9), Some(true));
    check("< 甲", Value::from(1), Some(false));
    check("\"甲\", \"乙\"", Value::from("乙"), Some(true));
    check("not(\"甲\", \"乙\")", Value::from("丙"), Some(true));
    check("not(\"甲\")", Value::from("甲"), Some(false));
    check("[1..3], > 5", Value::from(6), Some(true));
    check("名单", Value::from(2), Some(true));
    check("starts with(?, \"工\")", Value::from("工业"), Some(true));
    check("not(? = 1) and ? < 3", Value::from(2), Some(true));
    check("not([1..3))", Value::from(3), Some(true));
    check("not((1..3], 5)", Value::from(1), Some(true));
    check("null", Value::Null, Some(true));
    check("< 10", Value::Null, None);
    check("@\"2016-07-01\"", Value::from("2016-07-01"), None);
}

#[test]
fn nulls_tell_their_reason() {
    let expression = parse_expression("甲 + \"x\" * 2", &scope()).unwrap();
    let evaluated = expression.evaluate(&input());
    let reasons: Vec<(&str, u32)> = evaluated
        .nulls
        .iter()
        .map(|r| (r.code.as_str(), r.offset))
        .collect();
    assert_eq!(reasons, [("wrong-type", 10), ("null-operand", 4)]);
}

#[test]
fn types_that_can_only_give_null_are_warned_of() {
    let check = |text: &str, expected: &[(u32, &str)]| {
        let expression = parse_expression(text, &scope()).unwrap();
        let found: Vec<(u32, &str)> = expression
            .warnings()
            .iter()
            .map(|w| (w.column, w.message_en.rsplit(": ").next().unwrap()))
            .collect();
        assert_eq!(found, expected, "{text}");
    };
    check("企业.税收(万元) + 企业.名称", &[(11, "number + string")]);
    check("企业.名称 = 1", &[(7, "string ~ number")]);
    check("企业.名称 = null", &[]);
    check("甲 + \"a\"", &[]);
    check("@\"2016-07-01\" - @\"P1D\" > @\"2016-06-30\"", &[]);
    check("@\"2016-07-01\" > \"2016-06-30\"", &[(15, "date ~ string")]);
    check("if 企业.名称 then 1 else 2", &[(1, "if string")]);
    check("true and 1", &[(6, "and number")]);
}
