//! What a form refuses and keeps, as data: one door for schemas, one for what is posted.

use jiff::civil::date;
use serde_json::json;

use super::*;
use crate::refusal::FieldError;

/// A form with every kind of field.
const EVERY: &str = r#"{ "id": "every", "components": [
  { "type": "text", "text": "请如实填写。" },
  { "type": "group", "label": "申请人", "components": [
    { "type": "radio", "key": "kind", "label": "类型", "validate": { "required": true },
      "values": [ { "label": "企业", "value": "enterprise" }, { "label": "自然人", "value": "person" } ] },
    { "type": "textfield", "key": "credit_code", "label": "信用代码", "validate": { "required": true },
      "properties": { "luodi.rule": "credit_code" }, "conditional": { "hide": "=kind != \"enterprise\"" } },
    { "type": "textfield", "key": "id_number", "label": "身份证号", "validate": { "required": true },
      "properties": { "luodi.rule": "id_number", "luodi.class": "id_number" },
      "conditional": { "hide": "=kind != \"person\"" } },
    { "type": "textfield", "key": "phone", "label": "手机", "validate": { "validationType": "phone" },
      "properties": { "luodi.class": "phone" } },
    { "type": "textfield", "key": "mail", "label": "邮箱", "validate": { "validationType": "email" } }
  ] },
  { "type": "group", "label": "项目", "components": [
    { "type": "textfield", "key": "name", "label": "名称", "validate": { "minLength": 2, "maxLength": 5 } },
    { "type": "textfield", "key": "filing", "label": "备案号", "validate": { "pattern": "^\\d{4}$" } },
    { "type": "number", "key": "kw", "label": "容量", "decimalDigits": 2, "validate": { "min": 0.01, "max": 6000 },
      "properties": { "luodi.unit": "kW" } },
    { "type": "number", "key": "panels", "label": "台数", "decimalDigits": 0 },
    { "type": "datetime", "key": "connected_on", "label": "并网日期", "subtype": "date",
      "properties": { "luodi.rule": "not_future" } },
    { "type": "select", "key": "quarter", "label": "季度", "properties": { "luodi.rule": "quarter" },
      "values": [ { "label": "三季度", "value": "2026Q3" }, { "label": "四季度", "value": "2026Q4" } ] },
    { "type": "textfield", "key": "meter", "label": "电表", "properties": { "luodi.rule": "meter" } },
    { "type": "checklist", "key": "uses", "label": "用途",
      "values": [ { "label": "自用", "value": "own" }, { "label": "上网", "value": "grid" } ] },
    { "type": "textarea", "key": "note", "label": "说明", "validate": { "maxLength": 10 } },
    { "type": "dynamiclist", "path": "units", "label": "机组", "properties": { "luodi.max_rows": "3" }, "components": [
      { "type": "textfield", "key": "brand", "label": "品牌", "validate": { "required": true } },
      { "type": "number", "key": "power", "label": "功率", "validate": { "min": 1 } } ] },
    { "type": "filepicker", "key": "papers", "label": "材料", "accept": ".pdf", "validate": { "required": true } }
  ] },
  { "type": "checkbox", "key": "agreed", "label": "承诺", "validate": { "required": true } }
] }"#;

fn every() -> Form {
    let parsed = parse(EVERY);
    assert_eq!(parsed.findings, []);
    parsed.form.unwrap()
}

type Pairs<'a> = &'a [(&'a str, &'a str)];

/// A complete application with some fields posted otherwise.
fn posted(changes: Pairs<'_>) -> Vec<(String, String)> {
    let good = [
        ("kind", "person"),
        ("id_number", "330324199003072419"),
        ("agreed", "true"),
    ];
    let mut all: Vec<(&str, &str)> = good.to_vec();
    all.retain(|(key, _)| !changes.iter().any(|(changed, _)| changed == key));
    all.extend(changes);
    all.into_iter()
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

fn read(changes: Pairs<'_>) -> Result<Values, Vec<FieldError>> {
    every().read(&posted(changes), &["papers"], date(2026, 11, 23))
}

/// `expected` is `field rule` of every refusal; each message names the field and says something.
fn check_refused(changes: Pairs<'_>, expected: &[&str]) {
    let errors = read(changes).expect_err("refused");
    let found: Vec<String> = errors
        .iter()
        .map(|error| format!("{} {}", error.field, error.rule))
        .collect();
    assert_eq!(found, expected, "{changes:?}");
    let form = every();
    for error in errors {
        let key = error.field.rsplit('.').next().unwrap();
        let row_labels = [("brand", "品牌"), ("power", "功率")];
        let in_row = row_labels
            .iter()
            .find(|(name, _)| *name == key)
            .map(|(_, label)| *label);
        let label = form
            .field(&error.field)
            .map(|field| field.label.as_str())
            .or(in_row)
            .unwrap();
        assert!(
            error.message.starts_with(&format!("「{label}」：")),
            "{}",
            error.message
        );
        assert!(
            error.message.ends_with('。') && !error.message.contains("。。"),
            "{}",
            error.message
        );
    }
}

fn check_kept(changes: Pairs<'_>, key: &str, expected: serde_json::Value) {
    let values = read(changes).unwrap_or_else(|errors| panic!("{changes:?}: {errors:?}"));
    assert_eq!(values.get(key), Some(&expected), "{changes:?}");
}

#[test]
fn every_rule_refuses_with_field_and_rule() {
    check_refused(&[("kind", "")], &["kind required"]);
    check_refused(&[("kind", "robot")], &["kind option"]);
    check_refused(&[("agreed", "")], &["agreed required"]);
    check_refused(&[("kind", "enterprise")], &["credit_code required"]);
    check_refused(
        &[
            ("kind", "enterprise"),
            ("credit_code", "91330300MA2A12345X"),
        ],
        &["credit_code credit-code-check-digit"],
    );
    check_refused(
        &[("id_number", "330324199003072411")],
        &["id_number id-number-check-digit"],
    );
    check_refused(
        &[("id_number", "330324199002302411")],
        &["id_number id-number-birth-date"],
    );
    check_refused(&[("phone", "12345")], &["phone phone-shape"]);
    check_refused(&[("mail", "a@b")], &["mail email"]);
    check_refused(&[("name", "光")], &["name min-length"]);
    check_refused(&[("name", "屋顶光伏项目")], &["name max-length"]);
    check_refused(&[("name", "一\n二")], &["name one-line"]);
    check_refused(&[("filing", "12a4")], &["filing pattern"]);
    check_refused(&[("kw", "-1")], &["kw min"]);
    check_refused(&[("kw", "0")], &["kw min"]);
    check_refused(&[("kw", "6000.01")], &["kw max"]);
    check_refused(&[("kw", "1.234")], &["kw decimals"]);
    check_refused(&[("kw", "十")], &["kw number"]);
    check_refused(&[("kw", "1e3")], &["kw number"]);
    check_refused(&[("kw", "1,23")], &["kw number"]);
    check_refused(&[("panels", "1.5")], &["panels decimals"]);
    check_refused(&[("panels", "9999999999999999")], &["panels number-range"]);
    check_refused(
        &[("connected_on", "2026-02-30")],
        &["connected_on date-impossible"],
    );
    check_refused(
        &[("connected_on", "2026-13-01")],
        &["connected_on date-impossible"],
    );
    check_refused(&[("connected_on", "昨天")], &["connected_on date"]);
    check_refused(
        &[("connected_on", "1890-01-01")],
        &["connected_on date-earliest"],
    );
    check_refused(
        &[("connected_on", "2201-01-01")],
        &["connected_on date-latest"],
    );
    check_refused(
        &[("connected_on", "2026-11-24")],
        &["connected_on date-not-future"],
    );
    check_refused(&[("quarter", "2026Q2")], &["quarter option"]);
    check_refused(&[("quarter", "2026Q4")], &["quarter quarter-not-over"]);
    check_refused(&[("meter", "abc")], &["meter meter-number"]);
    check_refused(&[("uses", "own"), ("uses", "sold")], &["uses option"]);
    check_refused(
        &[("note", "一二三四五六七八九十十一")],
        &["note max-length"],
    );
    check_refused(
        &[("units.0.power", "0.5")],
        &["units.0.brand required", "units.0.power min"],
    );
    let many: Vec<(String, String)> = (0..4)
        .map(|n| (format!("units.{n}.brand"), "甲".to_owned()))
        .collect();
    let many: Vec<(&str, &str)> = many
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect();
    check_refused(&many, &["units max-rows"]);
}

/// The rules broken by a day of connection and a quarter of a form that joins the two.
fn check_demand(connected: &str, quarter: &str, expected: &[&str]) {
    let schema = r#"{ "components": [
      { "type": "datetime", "key": "on", "label": "并网日期", "subtype": "date", "properties": {
        "luodi.earliest": "2009-01-01", "luodi.condition": "=string(on.year) <= quarter",
        "luodi.condition_message": "晚于申报季度，请核对。" } },
      { "type": "textfield", "key": "quarter", "label": "季度" } ] }"#;
    let form = parse(schema).form.unwrap();
    let pairs = [("on", connected), ("quarter", quarter)];
    let posted: Vec<(String, String)> = pairs
        .map(|(key, text)| (key.to_owned(), text.to_owned()))
        .into();
    let errors = form.read(&posted, &[], date(2026, 11, 23)).err();
    let said: Vec<String> = errors
        .into_iter()
        .flatten()
        .map(|error| format!("{} {} {}", error.field, error.rule, error.message))
        .collect();
    assert_eq!(said, expected, "{connected} {quarter}");
}

#[test]
fn a_value_must_fit_the_others() {
    check_demand("2025-06-01", "2026Q3", &[]);
    check_demand("2027-01-01", "", &[]);
    check_demand("", "2026Q3", &[]);
    check_demand(
        "2027-01-01",
        "2026Q3",
        &["on condition 「并网日期」：晚于申报季度，请核对。"],
    );
    check_demand("2009-01-01", "2026Q3", &[]);
    check_demand(
        "1890-01-01",
        "2026Q3",
        &["on date-earliest 「并网日期」：1890-01-01 过早：日期应不早于 2009-01-01，请核对年份。"],
    );
    check_demand(
        "2008-12-31",
        "2026Q3",
        &["on date-earliest 「并网日期」：2008-12-31 过早：日期应不早于 2009-01-01，请核对年份。"],
    );
}

#[test]
fn a_required_file_must_be_in_its_slot() {
    let errors = every()
        .read(&posted(&[]), &[], date(2026, 11, 23))
        .unwrap_err();
    assert_eq!(
        errors
            .iter()
            .map(|error| error.field.as_str())
            .collect::<Vec<_>>(),
        ["papers"]
    );
}

#[test]
fn all_refusals_come_in_the_order_of_the_form() {
    let found = [("kw", "-1"), ("name", "光"), ("agreed", ""), ("phone", "1")];
    check_refused(
        &found,
        &[
            "phone phone-shape",
            "name min-length",
            "kw min",
            "agreed required",
        ],
    );
}

#[test]
fn good_values_are_kept_tidied() {
    check_kept(&[("kw", " ４１２.５０ ")], "kw", json!("412.5"));
    check_kept(&[("kw", "1,234.5")], "kw", json!("1234.5"));
    check_kept(&[("panels", "007")], "panels", json!("7"));
    check_kept(&[("panels", "-0")], "panels", json!("0"));
    check_kept(
        &[("connected_on", "2016/7/1")],
        "connected_on",
        json!("2016-07-01"),
    );
    check_kept(
        &[("connected_on", "2024-02-29")],
        "connected_on",
        json!("2024-02-29"),
    );
    check_kept(
        &[("phone", "+86 138-1234-5678")],
        "phone",
        json!("13812345678"),
    );
    check_kept(&[("quarter", "2026Q3")], "quarter", json!("2026Q3"));
    check_kept(&[("meter", "ab 1234-5678")], "meter", json!("AB12345678"));
    check_kept(
        &[("uses", "grid"), ("uses", "own"), ("uses", "own")],
        "uses",
        json!(["own", "grid"]),
    );
    let rows = [
        ("units.2.brand", "乙"),
        ("units.1.brand", "  "),
        ("units.0.brand", "甲"),
        ("units.0.power", "5"),
    ];
    check_kept(
        &rows,
        "units",
        json!([{ "brand": "甲", "power": "5" }, { "brand": "乙" }]),
    );
}

#[test]
fn a_hidden_field_has_neither_value_nor_refusal() {
    let values = read(&[("credit_code", "nonsense")]).unwrap();
    assert_eq!(values.get("credit_code"), None);
    assert_eq!(values.text("id_number"), "330324199003072419");
}

#[test]
fn what_the_city_knows_stands_over_what_was_posted_where_readonly() {
    let schema = r#"{ "components": [
      { "type": "textfield", "key": "a", "label": "甲", "readonly": true, "properties": { "luodi.prefill": "party.name" } },
      { "type": "textfield", "key": "b", "label": "乙", "properties": { "luodi.prefill": "party.name" } } ] }"#;
    let form = parse(schema).form.unwrap();
    let mut posted = vec![
        ("a".to_owned(), "forged".to_owned()),
        ("b".to_owned(), "own".to_owned()),
    ];
    form.prefill(&mut posted, |source| {
        (source == "party.name").then(|| "known".to_owned())
    });
    let values = form.read(&posted, &[], date(2026, 11, 23)).unwrap();
    assert_eq!((values.text("a"), values.text("b")), ("known", "own"));
}

#[test]
fn rows_are_added_and_taken_away_without_script() {
    let form = every();
    let mut typed = form.typed(&posted(&[("units.0.brand", "甲"), ("units.1.brand", "乙")]));
    assert!(form.act("add-row:units", &mut typed));
    assert_eq!(typed.rows("units").len(), 3);
    assert!(form.act("add-row:units", &mut typed));
    assert_eq!(typed.rows("units").len(), 3, "no more than the form allows");
    assert!(form.act("remove-row:units:0", &mut typed));
    let brands: Vec<String> = typed
        .rows("units")
        .iter()
        .map(|row| row.text("brand").to_owned())
        .collect();
    assert_eq!(brands, ["乙", ""]);
    assert!(form.act("remove-row:units:99", &mut typed));
    assert!(!form.act("add-row:kw", &mut typed));
    assert!(!form.act("submit", &mut typed));
}

/// `expected` is `code field` of every finding in the order of the document.
fn check_schema(component: &str, expected: &[&str]) {
    let schema = format!(
        r#"{{ "components": [ {{ "type": "checkbox", "key": "ok", "label": "确认" }}, {component} ] }}"#
    );
    let parsed = parse(&schema);
    let found: Vec<String> = parsed
        .findings
        .iter()
        .map(|finding| {
            format!("{} {}", finding.code, finding.field)
                .trim()
                .to_owned()
        })
        .collect();
    assert_eq!(found, expected, "{component}");
    let refused = parsed
        .findings
        .iter()
        .any(|finding| finding.severity == Severity::Error);
    assert_eq!(parsed.form.is_none(), refused);
}

/// A component and its findings.
const BROKEN: &[(&str, &[&str])] = &[
    (
        r#"{ "type": "iframe", "key": "x", "label": "框" }"#,
        &["form-unknown-component x"],
    ),
    (
        r#"{ "type": "expression", "key": "x", "label": "算" }"#,
        &["form-unknown-component x"],
    ),
    (
        r#"{ "type": "textfield", "key": "X-1", "label": "甲" }"#,
        &["form-key X-1"],
    ),
    (
        r#"{ "type": "number", "key": "count", "label": "数" }"#,
        &["form-key-reserved count"],
    ),
    (
        r#"{ "type": "textfield", "key": "ok", "label": "甲" }"#,
        &["form-duplicate-name ok"],
    ),
    (
        r#"{ "type": "textfield", "key": "x", "label": "确认" }"#,
        &["form-duplicate-name x"],
    ),
    (
        r#"{ "type": "textfield", "key": "x" }"#,
        &["form-label-missing x"],
    ),
    (
        r#"{ "type": "textfield", "key": "x", "label": "=a" }"#,
        &["form-expression-text"],
    ),
    (
        r#"{ "type": "textfield", "key": "x", "label": "甲", "validate": { "pattern": "(" } }"#,
        &["form-validate x"],
    ),
    (
        r#"{ "type": "textfield", "key": "x", "label": "甲", "validate": { "minLenght": 1 } }"#,
        &["form-validate x"],
    ),
    (
        r#"{ "type": "textfield", "key": "x", "label": "甲", "validate": { "validationType": "url" } }"#,
        &["form-validate x"],
    ),
    (
        r#"{ "type": "number", "key": "x", "label": "甲", "validate": { "min": 5, "max": 1 } }"#,
        &["form-validate x"],
    ),
    (
        r#"{ "type": "number", "key": "x", "label": "甲", "decimalDigits": 99 }"#,
        &["form-validate x"],
    ),
    (
        r#"{ "type": "datetime", "key": "x", "label": "甲", "subtype": "time" }"#,
        &["form-date-subtype x"],
    ),
    (
        r#"{ "type": "select", "key": "x", "label": "甲" }"#,
        &["form-options x"],
    ),
    (
        r#"{ "type": "select", "key": "x", "label": "甲", "valuesKey": "v", "values": [{ "value": "a" }] }"#,
        &["form-options x"],
    ),
    (
        r#"{ "type": "textfield", "key": "x", "label": "甲", "properties": { "luodi.rule": "iban" } }"#,
        &["form-rule x"],
    ),
    (
        r#"{ "type": "textfield", "key": "x", "label": "甲", "properties": { "luodi.class": "secret" } }"#,
        &["form-class x"],
    ),
    (
        r#"{ "type": "textfield", "key": "x", "label": "甲", "properties": { "luodi.clas": "phone" } }"#,
        &["form-property x"],
    ),
    (
        r#"{ "type": "textfield", "key": "x", "label": "甲", "properties": { "colour": "red" } }"#,
        &["form-property-ignored x"],
    ),
    (
        r#"{ "type": "textfield", "key": "x", "label": "甲", "conditional": { "hide": "=1 +" } }"#,
        &["form-condition"],
    ),
    (
        r#"{ "type": "textfield", "key": "x", "label": "甲", "conditional": { "hide": "=nobody = 1" } }"#,
        &["form-condition"],
    ),
    (
        r#"{ "type": "dynamiclist", "path": "x", "label": "甲", "components": [ { "type": "filepicker", "key": "f", "label": "乙" } ] }"#,
        &["form-nesting f", "form-list-empty"],
    ),
    (
        r#"{ "type": "group", "label": "甲", "components": [ { "type": "group", "label": "乙", "components": [] } ] }"#,
        &["form-nesting"],
    ),
];

#[test]
fn a_schema_that_cannot_be_carried_out_is_refused_with_its_place() {
    for (component, expected) in BROKEN {
        check_schema(component, expected);
    }
}

#[test]
fn personal_data_must_be_marked() {
    for (key, label) in [
        ("a", "联系电话"),
        ("a", "身份证号码"),
        ("a", "收款账号"),
        ("a", "家庭住址"),
        ("a", "病史"),
        ("contact_phone", "联系"),
        ("id_card", "证件"),
        ("home_address", "住处"),
    ] {
        let component = format!(r#"{{ "type": "textfield", "key": "{key}", "label": "{label}" }}"#);
        check_schema(&component, &[&format!("form-personal-unmarked {key}")]);
        let marked = component.replace(" }", r#", "properties": { "luodi.class": "phone" } }"#);
        check_schema(&marked, &[]);
    }
    check_schema(
        r#"{ "type": "textfield", "key": "a", "label": "号码", "properties": { "luodi.rule": "id_number" } }"#,
        &["form-personal-unmarked a"],
    );
    check_schema(
        r#"{ "type": "textfield", "key": "hotel", "label": "酒店" }"#,
        &[],
    );
    check_schema(
        r#"{ "type": "filepicker", "key": "card", "label": "身份证复印件" }"#,
        &[],
    );
}

#[test]
fn a_broken_document_is_said_with_its_place() {
    let parsed = parse("{ \"components\": [");
    assert_eq!(
        parsed.findings.iter().map(|f| f.code).collect::<Vec<_>>(),
        ["form-not-json"]
    );
    assert!(parsed.findings[0].message.contains("第 1 行"));
    assert_eq!(parse("[]").findings[0].code, "form-no-components");
    assert_eq!(
        parse("{ \"components\": [] }").findings[0].code,
        "form-empty"
    );
}

fn filled() -> Values {
    read(&[
        ("phone", "13812345678"),
        ("kw", "412.5"),
        ("connected_on", "2016-11-03"),
        ("quarter", "2026Q3"),
        ("uses", "own"),
        ("uses", "grid"),
        ("units.0.brand", "甲"),
        ("panels", "143000"),
    ])
    .unwrap()
}

#[test]
fn the_record_masks_personal_values_and_groups_figures() {
    let form = every();
    let shown = |how: How| -> Vec<String> {
        let sections = form.view(&filled(), how);
        let rows = sections.iter().flat_map(|section| &section.rows);
        rows.filter(|row| !row.text.is_empty())
            .map(|row| format!("{}={}{}", row.label, row.text, row.unit))
            .collect()
    };
    let masked = shown(How::Masked);
    assert_eq!(
        masked,
        [
            "类型=自然人",
            "身份证号=330324**********19",
            "手机=138****5678",
            "容量=412.50kW",
            "台数=143,000",
            "并网日期=2016-11-03",
            "季度=三季度",
            "用途=自用、上网",
            "机组 1 · 品牌=甲",
            "承诺=是"
        ]
    );
    assert!(shown(How::Plain).contains(&"手机=13812345678".to_owned()));
    assert_eq!(
        form.fill("屋顶光伏 {kw} kW，{phone}，{nothing}{", &filled()),
        "屋顶光伏 412.50 kW，138****5678，{"
    );
}

#[test]
fn personal_values_are_stored_sealed_and_come_back() {
    let form = every();
    let values = filled();
    let seal = |class: &str, text: &str| Ok(format!("{class}:{text}").into_bytes());
    let stored = form.seal(&values, &seal).unwrap();
    let text = stored.to_string();
    assert!(
        !text.contains("13812345678") && !text.contains("330324199003072419"),
        "{text}"
    );
    assert!(stored["phone"]["sealed"].is_string() && stored["kw"] == json!("412.5"));
    let open = |sealed: &[u8]| {
        let text = String::from_utf8(sealed.to_vec()).unwrap();
        Ok(text.split_once(':').unwrap().1.to_owned())
    };
    assert_eq!(form.open(&stored, &open).unwrap(), values);
    let without = form.unsealed(&stored);
    assert_eq!((without.text("phone"), without.text("kw")), ("", "412.5"));
}

#[test]
fn expressions_see_keys_and_labels() {
    let form = every();
    let context = form.feel_context(&filled());
    let evaluate = |text: &str| {
        let scope = form.names(policy::feel::Scope::new());
        policy::parse_expression(text, &scope)
            .unwrap()
            .evaluate(&context)
            .value
            .to_string()
    };
    assert_eq!(evaluate("kw * 2"), "825");
    assert_eq!(evaluate("容量 > 412.4"), "true");
    assert_eq!(evaluate("connected_on < date(\"2016-11-04\")"), "true");
    assert_eq!(evaluate("kind"), "person");
    assert_eq!(evaluate("类型"), "自然人");
    assert_eq!(evaluate("mail = null"), "true");
    assert_eq!(evaluate("count(units)"), "1");
}

/// Reviewed: fields in cards, labels tied to inputs, the refusal at its field, no script.
#[test]
fn the_rendered_form_is_plain_html() {
    let typed = every().typed(&posted(&[
        ("kw", "-1"),
        ("phone", "13812345678"),
        ("units.0.brand", "<b>"),
    ]));
    let errors = every()
        .read(&posted(&[("kw", "-1")]), &[], date(2026, 11, 23))
        .unwrap_err();
    let attachments = [Attachment {
        slot: "papers".into(),
        file_name: "备案.pdf".into(),
        href: "/drafts/1/files/2".into(),
        size: "1.2 MB".into(),
    }];
    insta::assert_snapshot!(
        every()
            .render(&typed, &errors, &attachments, date(2026, 11, 23))
            .unwrap()
    );
}

#[test]
fn past_quarters_are_offered_by_the_day() {
    let schema = r#"{ "components": [ { "type": "select", "key": "quarter", "label": "季度",
        "valuesKey": "past_quarters", "properties": { "luodi.rule": "quarter" } } ] }"#;
    let form = parse(schema).form.unwrap();
    let offered = |chosen: &str, today| {
        let html = form
            .render(
                &form.typed(&posted(&[("quarter", chosen)])),
                &[],
                &[],
                today,
            )
            .unwrap();
        let values = html.split("<option value=\"2").skip(1);
        values
            .map(|rest| format!("2{}", rest.split('"').next().unwrap()))
            .collect::<Vec<_>>()
    };
    let two_years = [
        "2026Q3", "2026Q2", "2026Q1", "2025Q4", "2025Q3", "2025Q2", "2025Q1", "2024Q4",
    ];
    assert_eq!(offered("", date(2026, 11, 27)), two_years);
    assert_eq!(offered("", date(2027, 1, 1)).first().unwrap(), "2026Q4");
    assert_eq!(
        offered("2019Q2", date(2026, 11, 27)).last().unwrap(),
        "2019Q2"
    );
    let read = |typed: &str| form.read(&posted(&[("quarter", typed)]), &[], date(2026, 11, 27));
    assert_eq!(read("2026Q3").unwrap().text("quarter"), "2026Q3");
    for wrong in ["2026Q4", "2026Q5", "第三季度"] {
        assert!(read(wrong).is_err(), "{wrong}");
    }
    let field = form.field("quarter").unwrap();
    assert_eq!(field.option_label("2026Q3"), "2026 年第三季度");
}

proptest::proptest! {
    #[test]
    fn nothing_posted_makes_reading_fail_otherwise_than_by_refusal(
        pairs in proptest::collection::vec(
            ("(kind|kw|panels|connected_on|phone|uses|units\\.[0-9]{1,2}\\.(brand|power)|quarter)", ".{0,20}"), 0..12,
        )
    ) {
        let form = every();
        let _ = form.read(&pairs, &[], date(2026, 11, 23));
        let typed = form.typed(&pairs);
        proptest::prop_assert!(form.render(&typed, &[], &[], date(2026, 11, 23)).is_ok());
    }

    #[test]
    fn a_kept_number_reads_back_as_itself(digits in "-?[0-9]{1,9}(\\.[0-9]{1,4})?") {
        let schema = r#"{ "components": [ { "type": "number", "key": "n", "label": "数" } ] }"#;
        let form = parse(schema).form.unwrap();
        let read = |text: &str| {
            form.read(&[("n".to_owned(), text.to_owned())], &[], date(2026, 11, 23)).unwrap().text("n").to_owned()
        };
        let kept = read(&digits);
        proptest::prop_assert_eq!(read(&kept), kept.clone());
        proptest::prop_assert_eq!(policy::feel::Number::parse(&kept), policy::feel::Number::parse(&digits));
    }
}
