//! Budgets as commands and as pages.

use super::*;

/// The fields at fault of a budget that differs from a good one by `change`.
fn check(change: impl Fn(&mut NewBudget) + Send + Sync + 'static, expected: &[(&str, &str)]) {
    let city = City::new();
    city.budget("财建1号", "1000.00");
    let mut new = city.new_budget("财建2号", yuan("500.00"));
    change(&mut new);
    let finance = city.finance.clone();
    let refusal = refused(city.write(move |tx| create_budget(tx, &finance, &new)));
    let found: Vec<(&str, &str)> = refusal
        .fields
        .iter()
        .map(|error| (error.field.as_str(), &*error.rule))
        .collect();
    assert_eq!(found, expected);
    assert_eq!(city.verify().postings, 2, "nothing was written");
}

#[test]
fn every_field_at_fault_is_named() {
    check(|new| new.name = " ".into(), &[("name", "required")]);
    check(|new| new.year = 1999, &[("year", "range")]);
    check(|new| new.amount = Fen::ZERO, &[("amount", "range")]);
    check(
        |new| new.amount = yuan("1,000,000,000,000.01"),
        &[("amount", "range")],
    );
    check(
        |new| new.document_number = "财建1号".into(),
        &[("document_number", "taken")],
    );
    check(
        |new| {
            new.function_code = "21106".into();
            new.economic_code = "3120４".into();
            new.project = "长".repeat(201);
        },
        &[
            ("project", "length"),
            ("function_code", "digits"),
            ("economic_code", "digits"),
        ],
    );
}

#[test]
fn only_finance_of_the_region_keeps_budgets() {
    let city = City::new();
    let line = city.budget("财建1号", "1000.00");
    let mut elsewhere = staff("elsewhere", Role::Finance, None);
    elsewhere.region = region("330382");
    let handler = staff("handler", Role::CaseHandler, Some(city.department));
    let new = city.new_budget("财建2号", yuan("1.00"));
    for (actor, create, adjust) in [
        (elsewhere, "invalid-fields", "not-found"),
        (handler, "role", "role"),
    ] {
        let (new, who) = (new.clone(), actor.clone());
        let refusal = refused(city.write(move |tx| create_budget(tx, &who, &new)));
        assert_eq!(refusal.code, create);
        let outcome = city.write(move |tx| adjust_budget(tx, &actor, line, 2, yuan("1.00"), "文"));
        assert_eq!(refused(outcome).code, adjust);
    }
}

#[test]
fn an_adjustment_needs_the_version_shown_and_a_reason() {
    let city = City::new();
    let line = city.budget("财建1号", "1000.00");
    let version = city.read(|q| find_budget(q, &city.finance, line)).version;
    let adjust = |version, amount: &'static str, reason: &'static str| {
        let finance = city.finance.clone();
        city.write(move |tx| adjust_budget(tx, &finance, line, version, yuan(amount), reason))
    };
    assert_eq!(
        refused(adjust(version, "5.00", " ")).fields[0].field,
        "reason"
    );
    assert_eq!(
        refused(adjust(version, "0.00", "文")).fields[0].field,
        "amount"
    );
    assert_eq!(
        refused(adjust(version, "-1000.01", "文")).fields[0].rule,
        "over-budget"
    );
    adjust(version, "-400.00", "财建9号调减").unwrap();
    assert_eq!(
        refused(adjust(version, "1.00", "文")).code,
        "changed-meanwhile"
    );
    let figures = city.figures(line);
    assert_eq!(
        (figures.budget, figures.available),
        (yuan("600.00"), yuan("600.00"))
    );
    assert!(city.verify().ok);
}

#[test]
fn the_pages_show_every_figure_with_its_postings() {
    let city = City::new();
    let form = [
        ("idempotency_key", "k1"),
        ("year", "2026"),
        ("department", &city.department.to_string()),
        ("name", "分布式光伏发电补贴"),
        ("project", "绿色能源"),
        ("document_number", "温财建〔2026〕18号"),
        ("function_code", "2110699"),
        ("economic_code", "31204"),
        ("amount", "1,000,000.00"),
    ];
    let (status, _) = city.post(&city.finance, "/budgets/new", &form);
    assert_eq!(status, StatusCode::SEE_OTHER);
    let (status, _) = city.post(&city.finance, "/budgets/new", &form);
    assert_eq!(
        status,
        StatusCode::SEE_OTHER,
        "the same form again is the same effect"
    );
    let all = city.read(|q| list_budgets(q, &city.finance, &BudgetFilter::default(), 9, 0));
    let [budget] = all.as_slice() else {
        panic!("{all:?}")
    };
    let (status, page) = city.get(&city.finance, "/budgets?year=2026&q=%E5%85%89%E4%BC%8F");
    assert_eq!(status, StatusCode::OK, "{page}");
    assert!(
        page.contains("<data class=\"num\" value=\"100000000\">1,000,000.00</data>"),
        "{page}"
    );
    assert!(
        page.contains(&format!("/budgets/{}?account=available", budget.id)),
        "{page}"
    );
    let (_, page) = city.get(&city.finance, "/budgets?year=2025");
    assert!(page.contains("没有预算指标"), "{page}");
    let path = format!("/budgets/{}", budget.id);
    let (status, page) = city.get(
        &city.finance,
        &format!("{path}?account=available&movement=adopt"),
    );
    assert_eq!(status, StatusCode::OK);
    assert!(page.contains("下达预算，温财建〔2026〕18号"), "{page}");
    for export in [
        "/budgets/export.xlsx".to_owned(),
        format!("{path}/postings.xlsx"),
    ] {
        let (status, file) = city.get(&city.finance, &export);
        assert!(
            status == StatusCode::OK && file.starts_with("PK"),
            "{export}"
        );
    }
}

#[test]
fn a_refused_form_keeps_what_was_typed() {
    let city = City::new();
    let line = city.budget("财建1号", "1000.00");
    let path = format!("/budgets/{line}");
    let form = [
        ("idempotency_key", "k1"),
        ("version", "2"),
        ("direction", "cut"),
        ("amount", "1000.01"),
        ("reason", "财建9号调减"),
    ];
    let (status, page) = city.post(&city.finance, &path, &form);
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{page}");
    assert!(
        page.contains("可用指标 1,000.00 元，不够调减 1,000.01 元"),
        "{page}"
    );
    assert!(
        page.contains("value=\"1000.01\"") && page.contains("财建9号调减"),
        "{page}"
    );
    let (status, page) = city.post(
        &city.finance,
        "/budgets/new",
        &[("idempotency_key", "k2"), ("name", "名称")],
    );
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{page}");
    assert!(
        page.contains("id=\"error-department\"") && page.contains("value=\"名称\""),
        "{page}"
    );
    let handler = staff("handler", Role::CaseHandler, Some(city.department));
    let (status, _) = city.post(&handler, &path, &form);
    assert_eq!(status, StatusCode::FORBIDDEN);
}

/// Neither the least nor the greatest number that can be written breaks a form or the book.
#[test]
fn amounts_at_the_end_of_64_bits_are_refused() {
    let city = City::new();
    let line = city.budget("财建1号", "1000.00");
    let before = city.figures(line);
    let version = city.read(|q| find_budget(q, &city.finance, line)).version;
    let version = version.to_string();
    for amount in [
        "-92233720368547758.08",
        "92233720368547758.07",
        "99999999999999999999",
        "-0.01",
    ] {
        for direction in ["raise", "cut"] {
            let form = [
                ("idempotency_key", "k"),
                ("version", version.as_str()),
                ("direction", direction),
                ("amount", amount),
                ("reason", "财建9号"),
            ];
            let path = format!("/budgets/{line}");
            let (status, page) = city.post(&city.finance, &path, &form);
            assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{amount}");
            assert!(page.contains("id=\"error-amount\""), "{amount}: {page}");
        }
    }
    assert_eq!(city.figures(line), before);
    assert!(city.verify().ok);
}
