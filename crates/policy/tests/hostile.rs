//! Inputs that are meant to exhaust the program: they end in a finding or a null, never in a crash.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test may fail"
)]

use policy::feel::{Context, Scope, Value};
use policy::{Code, parse_expression, parse_model};

/// Runs on half the stack that threads usually have, so that there is room for callers.
fn on_a_small_stack<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        std::thread::Builder::new()
            .stack_size(1024 * 1024)
            .spawn_scoped(scope, work)
            .unwrap()
            .join()
            .unwrap()
    })
}

fn refused(text: &str) -> Code {
    on_a_small_stack(|| refused_here(text))
}

fn refused_here(text: &str) -> Code {
    match parse_expression(text, &Scope::new()) {
        Ok(expression) => {
            let evaluated = expression.evaluate(&Context::new());
            evaluated
                .nulls
                .first()
                .map(|reason| reason.code)
                .expect("a reason")
        }
        Err(findings) => findings[0].code,
    }
}

#[test]
fn deep_nesting_is_refused() {
    let nested =
        |open: &str, close: &str| format!("{}1{}", open.repeat(20_000), close.repeat(20_000));
    for (open, close) in [
        ("(", ")"),
        ("[", "]"),
        ("{a:", "}"),
        ("-", ""),
        ("not(", ")"),
        ("if true then ", " else 1"),
        ("for x in 1..2 return ", ""),
        ("some x in [1] satisfies ", ""),
        ("function() ", ""),
        ("1 + (", ")"),
        ("1 in (", ")"),
    ] {
        assert_eq!(refused(&nested(open, close)), Code::TooLarge, "{open}");
    }
}

#[test]
fn long_chains_are_refused() {
    for part in [
        " + 1",
        " ** 1",
        " and true",
        "[1]",
        ".a",
        " instance of number",
        "()",
    ] {
        let text = format!("1{}", part.repeat(20_000));
        assert_eq!(refused(&text), Code::TooLarge, "{part}");
    }
    assert_eq!(
        refused(&format!("1 instance of {}number", "list<".repeat(20_000))),
        Code::TooLarge
    );
    assert_eq!(refused(&"1".repeat(300_000)), Code::TooLarge);
}

#[test]
fn nesting_within_the_bound_is_evaluated() {
    let text = format!("{}1{}", "(".repeat(40), ")".repeat(40));
    let value = parse_expression(&text, &Scope::new())
        .unwrap()
        .evaluate(&Context::new())
        .value;
    assert_eq!(value, Value::from(1));
    let text = format!("1{}", " + 1".repeat(200));
    let value = parse_expression(&text, &Scope::new())
        .unwrap()
        .evaluate(&Context::new())
        .value;
    assert_eq!(value, Value::from(201));
}

#[test]
fn endless_evaluation_stops() {
    for text in [
        "{f: function(g) g(g), r: f(f)}.r",
        "{f: function(g, n) 1 + g(g, n + 1), r: f(f, 0)}.r",
        "for i in 1..999999999999 return i",
        "count(for i in 1..100000, j in 1..100000 return 1)",
        "some i in 1..999999999999 satisfies i < 0",
        "for i in 1..100000 return [partial]",
        "for i in 1..100 return [partial, partial]",
        "for i in 1..100000 return function() partial",
        "sort(for i in 1..1000000 return i, function(a, b) a < b)",
        "10 ** 999999999",
        "exp(99999)",
        "matches(string join(for i in 1..2000 return \"a\"), \"(a*)*b\")",
    ] {
        let nulls = on_a_small_stack(|| {
            let expression = parse_expression(text, &Scope::new()).unwrap();
            expression.evaluate(&Context::new()).nulls.len()
        });
        assert!(nulls > 0, "{text}");
    }
}

#[test]
fn shared_values_are_not_written_out() {
    let mut text = String::from("{a0: [1]");
    for i in 1..60 {
        text.push_str(&format!(", a{i}: [a{}, a{}]", i - 1, i - 1));
    }
    text.push_str(", s: string(a59)}.s");
    assert_eq!(refused(&text), Code::Limit);
}

fn model(body: &str) -> String {
    format!(
        "<definitions xmlns=\"https://www.omg.org/spec/DMN/20230324/MODEL/\" namespace=\"n\" name=\"m\">{body}</definitions>"
    )
}

#[test]
fn entities_and_foreign_files_are_refused() {
    let bomb =
        "<!DOCTYPE d [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]><definitions>&b;</definitions>";
    let code = |xml: &str| parse_model(xml).findings[0].code;
    assert_eq!(code(bomb), Code::Xml);
    assert_eq!(code("<definitions"), Code::Xml);
    assert_eq!(code(""), Code::Xml);
    assert_eq!(code("<definitions/>"), Code::NotDmn);
    assert_eq!(
        code("<html xmlns=\"https://www.omg.org/spec/DMN/20230324/MODEL/\"/>"),
        Code::NotDmn
    );
    assert!(parse_model("<definitions/>").model.is_none());
}

#[test]
fn deep_boxed_expressions_are_refused() {
    let deep = format!(
        "<decision name=\"d\" id=\"d\">{}<literalExpression><text>1</text></literalExpression>{}</decision>",
        "<list>".repeat(2_000),
        "</list>".repeat(2_000)
    );
    let parsed = parse_model(&model(&deep));
    assert!(
        parsed
            .findings
            .iter()
            .any(|f| f.code == Code::TooLarge || f.code == Code::Xml),
        "{:?}",
        parsed.findings
    );
}

#[test]
fn circles_are_found_and_evaluate_to_null() {
    let decision = |name: &str, required: &str| {
        format!(
            "<decision name=\"{name}\" id=\"{name}\"><informationRequirement><requiredDecision href=\"#{required}\"/>\
             </informationRequirement><literalExpression><text>{required} + 1</text></literalExpression></decision>"
        )
    };
    let parsed = parse_model(&model(
        &(decision("a", "b") + &decision("b", "c") + &decision("c", "a")),
    ));
    assert!(parsed.findings.iter().any(|f| f.code == Code::Cycle));
    let evaluation = parsed.model.unwrap().evaluate("a", &Context::new());
    assert_eq!(evaluation.value, Value::Null);
    assert_eq!(evaluation.nulls[0].code, Code::Cycle);
}

#[test]
fn long_requirement_chains_are_evaluated() {
    let mut body = String::from(
        "<decision name=\"d0\" id=\"d0\"><literalExpression><text>1</text></literalExpression></decision>",
    );
    for i in 1..3_000 {
        body.push_str(&format!(
            "<decision name=\"d{i}\" id=\"d{i}\"><informationRequirement><requiredDecision href=\"#d{}\"/></informationRequirement>\
             <literalExpression><text>d{} + 1</text></literalExpression></decision>",
            i - 1,
            i - 1
        ));
    }
    let parsed = parse_model(&model(&body));
    assert_eq!(parsed.findings, []);
    assert_eq!(
        parsed
            .model
            .unwrap()
            .evaluate("d2999", &Context::new())
            .value,
        Value::from(3_000)
    );
}
