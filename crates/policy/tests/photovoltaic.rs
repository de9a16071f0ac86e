//! A subsidy by two legal bases, as dated sentences: which basis, which rate, how much and why.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test may fail"
)]

use policy::feel::{Context, Number, Value};
use policy::{
    Code, EvalOptions, Evaluation, Model, Rounding, Severity, StepKind, parse_model, to_fen,
};

const AMOUNT: &str = "补贴金额(元)";

fn model() -> Model {
    let parsed = parse_model(include_str!("../examples/photovoltaic-subsidy.dmn"));
    assert_eq!(parsed.findings, []);
    parsed.model.unwrap()
}

fn input(kind: &str, connected: &str, generated: &str) -> Context {
    let connected: jiff::civil::Date = connected.parse().unwrap();
    let mut input = Context::new();
    input.insert("申请人类型", kind);
    input.insert("并网日期", connected);
    input.insert("发电量(千瓦时)", Number::parse(generated).unwrap());
    input
}

fn evaluate(kind: &str, connected: &str, generated: &str) -> Evaluation {
    model().evaluate(AMOUNT, &input(kind, connected, generated))
}

#[test]
fn amounts_at_the_boundary_of_the_two_bases() {
    let check = |kind: &str, connected: &str, generated: &str, unrounded: &str, fen: i64| {
        let amount = evaluate(kind, connected, generated)
            .value
            .as_number()
            .unwrap();
        assert_eq!(
            amount.to_string(),
            unrounded,
            "{kind} {connected} {generated}"
        );
        let rounded = Rounding::parse("half-up 0.01").unwrap().apply(amount);
        assert_eq!(
            to_fen(rounded).unwrap().0,
            fen,
            "{kind} {connected} {generated}"
        );
    };
    check("自然人", "2016-06-30", "1234.5", "370.35", 37_035);
    check("自然人", "2016-07-01", "1234.5", "246.9", 24_690);
    check("自然人", "2013-01-01", "0", "0", 0);
    check("企业", "2016-06-30", "88000.05", "8800.005", 880_001);
    check("企业", "2016-07-01", "88000.05", "8800.005", 880_001);
    check("企业", "2016-07-01", "88000.04", "8800.004", 880_000);
    check("自然人", "2024-02-29", "0.025", "0.005", 1);
}

#[test]
fn the_trace_names_rule_and_clause() {
    let evaluation = evaluate("自然人", "2016-06-30", "100");
    let steps: Vec<&str> = evaluation
        .steps
        .iter()
        .map(|step| step.decision.as_str())
        .collect();
    assert_eq!(steps, ["适用依据", "补贴标准(元/千瓦时)", AMOUNT]);
    let rate = &evaluation.steps[1];
    assert_eq!(rate.kind, StepKind::Table);
    let rule = &rate.matched_rules[0];
    assert_eq!((rule.index, rule.id.as_str()), (1, "rate-2013-person"));
    assert_eq!(
        rule.annotations,
        [("依据条款".to_owned(), "2013年文件第七条第二款".to_owned())]
    );
    assert_eq!(rule.cells[1].input, "申请人类型");
    assert_eq!(rule.cells[1].test, "\"自然人\"");
    assert_eq!(rule.cells[1].value, Value::from("自然人"));
    assert_eq!(rule.cells[1].met, Some(true));
    assert_eq!(
        evaluation.steps[2].inputs[0],
        ("发电量(千瓦时)".to_owned(), Value::from(100))
    );
}

#[test]
fn an_explanation_also_holds_the_rules_that_were_not_met() {
    let options = EvalOptions {
        explain: true,
        ..EvalOptions::default()
    };
    let evaluation = model().evaluate_with(AMOUNT, &input("企业", "2016-07-01", "1"), &options);
    let rate = &evaluation.steps[1];
    assert_eq!(rate.matched_rules.len(), 1);
    let cells: Vec<Vec<Option<bool>>> = rate
        .other_rules
        .iter()
        .map(|rule| rule.cells.iter().map(|cell| cell.met).collect())
        .collect();
    let (yes, no) = (Some(true), Some(false));
    assert_eq!(cells, [[no, no], [no, yes], [yes, no]]);
}

#[test]
fn a_stored_evaluation_reads_the_same() {
    let evaluation = evaluate("企业", "2016-07-01", "12.5");
    let json = serde_json::to_string(&evaluation).unwrap();
    assert_eq!(
        serde_json::from_str::<Evaluation>(&json).unwrap(),
        evaluation
    );
}

#[test]
fn what_is_wrong_with_the_input_is_said() {
    let check = |input: &Context, code: Code, element: &str| {
        let evaluation = model().evaluate(AMOUNT, input);
        assert_eq!(evaluation.value, Value::Null);
        let reason = &evaluation.nulls[0];
        assert_eq!(
            (reason.code, reason.element.as_str()),
            (code, element),
            "{reason:?}"
        );
    };
    check(
        &input("个体户", "2016-07-01", "1"),
        Code::NotAllowed,
        "申请人类型",
    );
    check(
        &input("企业", "2016-07-01", "-1"),
        Code::NotAllowed,
        "发电量(千瓦时)",
    );
    let mut incomplete = input("企业", "2016-07-01", "1");
    incomplete.insert("并网日期", Value::Null);
    check(&incomplete, Code::NoRule, "适用依据");
    check(&Context::new(), Code::MissingInput, "发电量(千瓦时)");
}

#[test]
fn a_model_tells_its_inputs_and_decisions() {
    let model = model();
    assert_eq!(
        model.decisions(),
        ["适用依据", "补贴标准(元/千瓦时)", AMOUNT]
    );
    let inputs: Vec<(String, String)> = model
        .input_data()
        .into_iter()
        .map(|input| (input.name, input.ty.to_string()))
        .collect();
    assert_eq!(inputs[1], ("并网日期".to_owned(), "date".to_owned()));
    assert_eq!(inputs.len(), 3);
}

#[test]
fn a_cell_of_another_type_than_its_column_is_warned_of() {
    let xml = include_str!("../examples/photovoltaic-subsidy.dmn")
        .replace("&lt; @\"2016-07-01\"", "&lt; \"2016-07-01\"");
    let findings = parse_model(&xml).findings;
    assert_eq!(findings.len(), 1, "{findings:?}");
    let finding = &findings[0];
    assert_eq!(
        (finding.severity, finding.code),
        (Severity::Warning, Code::WrongType)
    );
    assert_eq!(
        (finding.element.as_str(), finding.line, finding.column),
        ("适用依据[1]", 27, 29)
    );
}

#[test]
fn an_unknown_name_is_found_with_its_place() {
    let xml = include_str!("../examples/photovoltaic-subsidy.dmn")
        .replace("<text>发电量(千瓦时) *", "<text>发电量（千瓦时） *");
    let parsed = parse_model(&xml);
    assert_eq!(parsed.findings[0].code, Code::UnknownName);
    assert_eq!(parsed.findings[0].element, AMOUNT);
    assert_eq!(
        parsed
            .model
            .unwrap()
            .evaluate(AMOUNT, &Context::new())
            .value,
        Value::Null
    );
}
