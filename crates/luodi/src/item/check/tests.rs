//! The packages that come with the program are sound, and every planted fault is found.

use super::*;
use crate::item::seeds;

fn pv() -> Files {
    let found = seeds().into_iter().find(|(name, _)| name == "pv-subsidy");
    found.expect("the embedded package").1
}

#[test]
fn the_embedded_packages_are_sound() {
    let seeds = seeds();
    assert!(!seeds.is_empty());
    for (name, files) in seeds {
        assert_eq!(check(&files).0, [], "{name}");
    }
}

/// Plants a fault by replacing a text, and expects these codes (errors and warnings).
fn check_fault(file: &str, from: &str, to: &str, expected: &[&str]) {
    let mut files = pv();
    let text = files.text(file).unwrap_or_default().to_owned();
    assert!(text.contains(from), "{file} has no {from}");
    files.insert(file, text.replacen(from, to, 1).into_bytes());
    let (prepared, findings) = prepare(&files);
    let mut codes: Vec<&str> = findings
        .0
        .iter()
        .map(|finding| finding.code.as_str())
        .collect();
    codes.sort_unstable();
    codes.dedup();
    let mut expected = expected.to_vec();
    expected.sort_unstable();
    assert_eq!(codes, expected, "{file}: {from} → {to}: {findings:#?}");
    assert_eq!(prepared.is_none(), !findings.ok());
    assert!(findings.0.iter().all(|finding| !finding.message.is_empty()));
}

/// A text of `item.toml`, what it is replaced by, and the findings.
type Fault = (&'static str, &'static str, &'static [&'static str]);

const ITEM_FAULTS: &[Fault] = &[
    ("\"承诺时限\" = 20", "\"承诺时限\" = 90", &["item-limits"]),
    ("\"收费\"", "\"费用\"", &["toml"]),
    ("code = \"pv-subsidy\"", "code = \"PV\"", &["item-code"]),
    (
        "period = \"quarter\"",
        "period = \"season\"",
        &["field-unknown"],
    ),
    (
        "unique = [\"meter_no\"",
        "unique = [\"contact_phone\"",
        &["field-personal"],
    ),
    (
        "index = [\"filed_kw\"",
        "index = [\"licence\"",
        &["field-kind", "statistic-field"],
    ),
    (
        "notice_summary = [\"filed_kw\"",
        "notice_summary = [\"site_address\"",
        &["field-personal"],
    ),
    ("屋顶光伏 {filed_kw}", "屋顶光伏 {kw}", &["field-unknown"]),
    (
        "slot = \"licence\"",
        "slot = \"license\"",
        &["material-missing", "material-slot"],
    ),
    (
        "types = [\"pdf\", \"jpg\", \"png\"]",
        "types = [\"pdf\"]",
        &["material-differs"],
    ),
    (
        "role = \"window_clerk\"",
        "role = \"clerk\"",
        &["task-role"],
    ),
    (
        "state = \"accepting\"",
        "state = \"new\"",
        &["state-unknown"],
    ),
    ("duty = \"accept\"", "duty = \"receive\"", &["task-duty"]),
    (
        "form = \"inspection\"",
        "form = \"visit\"",
        &["task-form", "form-unused"],
    ),
    ("effect = \"accept\"", "effect = \"admit\"", &["toml"]),
    (", effect = \"accept\"", "", &["effect-accept"]),
    (
        "reason = true, effect = \"refuse\"",
        "effect = \"refuse\"",
        &["outcome-reason"],
    ),
    (
        "value = \"approve\"",
        "value = \"agree\"",
        &["outcome-without-way", "outcome-unknown"],
    ),
    (
        "[tasks.examine]",
        "[tasks.review]",
        &["node-undescribed", "node-unknown", "outcome-unknown"],
    ),
    (
        "[ends.paid]",
        "[ends.done]",
        &["node-undescribed", "node-unknown"],
    ),
    (
        "kind = \"propose\"",
        "kind = \"publish\"",
        &["service-kind"],
    ),
    (
        "{ value = \"paid\", label",
        "{ value = \"payed\", label",
        &["batch-task"],
    ),
    (
        "policy = \"pv-subsidy\"",
        "policy = \"pv\"",
        &["policy-name"],
    ),
    (
        "generated_kwh / filed_kw > district",
        "kwh / filed_kw > district",
        &["check-expression"],
    ),
    (
        "numerator = \"generated_kwh\"",
        "numerator = \"meter_no\"",
        &["statistic-field"],
    ),
];

#[test]
fn faults_of_the_item_are_found() {
    for (from, to, expected) in ITEM_FAULTS {
        check_fault("item.toml", from, to, expected);
    }
}

#[test]
fn faults_of_form_and_process_are_found() {
    check_fault(
        "form.json",
        "\"luodi.class\": \"phone\", ",
        "",
        &["form-personal-unmarked"],
    );
    check_fault(
        "form.json",
        "\"type\": \"textarea\"",
        "\"type\": \"richtext\"",
        &["form-unknown-component"],
    );
    check_fault(
        "form.json",
        "\"label\": \"本期发电量\"",
        "\"label\": \"发电量\"",
        &["policy-input"],
    );
    check_fault(
        "form.json",
        "\"luodi.unit\": \"kWh\"",
        "\"luodi.unit\": \"kWh\", \"luodi.class\": \"health\"",
        &["field-personal", "policy-input-personal"],
    );
    check_fault(
        "process.bpmn",
        "outcome = \"pass\"",
        "outcome = \"passed\"",
        &["outcome-without-way", "outcome-unknown"],
    );
    check_fault(
        "process.bpmn",
        "measured_kw &gt; filed_kw",
        "real_kw &gt; filed_kw",
        &["condition"],
    );
    check_fault(
        "process.bpmn",
        "sourceRef=\"accept\"",
        "sourceRef=\"nobody\"",
        &["bpmn-flow-to-nowhere", "bpmn-implicit-end"],
    );
}

#[test]
fn faults_of_the_policy_are_found() {
    let file = "policy/policy.toml";
    check_fault(
        file,
        "\"补贴金额\" = 14300 }",
        "\"补贴金额\" = 14301 }",
        &["policy-example"],
    );
    check_fault(
        file,
        "rounding = \"half-up 0.01\"",
        "rounding = \"nearest\"",
        &["policy-rounding", "policy-example"],
    );
    check_fault(
        file,
        "decision = \"补贴金额\"",
        "decision = \"金额\"",
        &["policy-decision", "policy-example"],
    );
    check_fault(
        file,
        "inputs = { \"申请人类型\" = \"企业\", \"并网日期\" = 2016-06-30 }",
        "inputs = { \"申请人类型\" = \"企业\" }",
        &["policy-rate"],
    );
    check_fault(
        "policy/policy.dmn",
        "<text>本期发电量 * 补贴标准</text>",
        "<text>本期发电量 * 标准</text>",
        &["dmn-unknown-name", "policy-example"],
    );
    check_fault(
        "policy/policy.dmn",
        "<text>0.30</text>",
        "<text>0.03</text>",
        &["policy-example"],
    );
}

#[test]
fn missing_and_foreign_files_are_found() {
    let whole = pv();
    for gone in [
        "item.toml",
        "form.json",
        "process.bpmn",
        "policy/policy.dmn",
    ] {
        let files: Files = whole
            .iter()
            .filter(|(name, _)| *name != gone)
            .map(|(n, b)| (n, b.to_vec()))
            .collect();
        assert!(
            check(&files)
                .0
                .iter()
                .any(|finding| finding.code == "file-missing"),
            "{gone}"
        );
    }
    let (own, _) = whole.split();
    assert!(
        check(&own)
            .0
            .iter()
            .any(|finding| finding.code == "policy-missing")
    );
    let mut more = whole.clone();
    more.insert("run.sh", "#!/bin/sh");
    assert!(
        check(&more)
            .0
            .iter()
            .any(|finding| finding.code == "package-unknown-file")
    );
}

#[test]
fn the_hash_names_the_content_and_nothing_else() {
    let files = pv();
    let hash = prepare(&files).0.unwrap().package.hash.clone();
    let crlf: Files = files
        .iter()
        .map(|(name, bytes)| {
            (
                name,
                String::from_utf8_lossy(bytes)
                    .replace('\n', "\r\n")
                    .into_bytes(),
            )
        })
        .collect();
    assert_eq!(prepare(&crlf).0.unwrap().package.hash, hash);
    let (own, policy) = files.split();
    let body = Files::from_body(&own.to_body()).unwrap();
    assert_eq!(body, own);
    assert_eq!(reopen(&body, policy.as_ref()).unwrap().hash, hash);
    let mut other = files.clone();
    let note = other
        .text("policy/policy.toml")
        .unwrap()
        .replace("示范值", "示范");
    other.insert("policy/policy.toml", note);
    assert_ne!(
        prepare(&other).0.unwrap().package.hash,
        hash,
        "the policy belongs to the version"
    );
}
