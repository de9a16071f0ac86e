//! The registration form at the window.

use axum::http::StatusCode;

use crate::support::{Answer, TestCity};

type Fields = Vec<(&'static str, String)>;

fn enterprise() -> Fields {
    [
        ("kind", "enterprise"),
        ("name", "坏输入检查有限公司"),
        ("credit_code", "91330324MA1234567"),
        ("id_number", ""),
        ("region", "330324"),
        ("phone", "19900005678"),
        ("address", "永嘉县上塘镇测试路 9 号"),
        ("legal_representative", "陈一"),
        ("founded_on", "2018-06-01"),
        ("industry", "C3823"),
    ]
    .map(|(name, value)| (name, value.to_owned()))
    .into()
}

fn person() -> Fields {
    let mut fields = enterprise();
    for (name, value) in &mut fields {
        match *name {
            "kind" => *value = "person".to_owned(),
            "name" => *value = "坏输入".to_owned(),
            "credit_code" | "legal_representative" | "founded_on" | "industry" => value.clear(),
            _ => {}
        }
    }
    fields
}

fn with(mut fields: Fields, name: &'static str, value: &str) -> Fields {
    let field = fields.iter_mut().find(|(field, _)| *field == name).unwrap();
    field.1 = value.to_owned();
    fields
}

/// A right code whose last character is then spoiled.
fn credit_code() -> String {
    vocab::CreditCode::from_first_17("91330324MAD999777")
        .unwrap()
        .to_string()
}

fn spoiled(code: &str) -> String {
    let last = if code.ends_with('0') { '1' } else { '0' };
    let mut spoiled = code.to_owned();
    spoiled.pop();
    spoiled.push(last);
    spoiled
}

#[tokio::test]
async fn wrong_codes_are_refused_at_their_field() {
    let city = TestCity::open();
    let mut window = city.log_in("window-yj").await;
    let form = window.get("/parties/new").await;
    let before = city.state().await;
    let good = with(enterprise(), "credit_code", &credit_code());
    let long_name = "长".repeat(101);
    let id_number = vocab::IdNumber::from_first_17("33032419900101888").unwrap();
    let wrong_id = spoiled(id_number.as_str());
    for (fields, field, rule) in [
        (
            with(good.clone(), "credit_code", &spoiled(&credit_code())),
            "credit_code",
            "credit-code-check-digit",
        ),
        (
            with(good.clone(), "credit_code", "9133"),
            "credit_code",
            "credit-code-length",
        ),
        (
            with(good.clone(), "credit_code", ""),
            "credit_code",
            "required",
        ),
        (
            with(good.clone(), "founded_on", "2021-02-29"),
            "founded_on",
            "date-impossible",
        ),
        (
            with(good.clone(), "founded_on", "2026-11-24"),
            "founded_on",
            "not-future",
        ),
        (
            with(good.clone(), "region", "330382"),
            "region",
            "region-outside",
        ),
        (
            with(good.clone(), "industry", "Z9999"),
            "industry",
            "industry-code-unknown",
        ),
        (
            with(good.clone(), "phone", "abc"),
            "phone",
            "phone-character",
        ),
        (with(good.clone(), "name", &long_name), "name", "length"),
        (with(good.clone(), "kind", "ministry"), "kind", "required"),
        (
            with(person(), "id_number", &wrong_id),
            "id_number",
            "id-number-check-digit",
        ),
        (
            with(person(), "id_number", "330324199002300017"),
            "id_number",
            "id-number-birth-date",
        ),
        (with(person(), "id_number", ""), "id_number", "required"),
        (
            with(
                with(person(), "id_number", id_number.as_str()),
                "credit_code",
                &credit_code(),
            ),
            "credit_code",
            "not-for-person",
        ),
    ] {
        let borrowed: Vec<_> = fields.iter().map(|(n, v)| (*n, v.as_str())).collect();
        let answer = window.post_from(&form, "/parties/new", &borrowed).await;
        assert_eq!(
            answer.status,
            StatusCode::UNPROCESSABLE_ENTITY,
            "{field} {rule}"
        );
        assert_eq!(answer.refused(), [(field, rule)]);
        for (name, typed) in &borrowed {
            let choice = matches!(*name, "region" | "kind");
            assert!(
                choice || answer.says(typed),
                "{field}: {name} lost its text"
            );
        }
    }
    assert_eq!(city.state().await, before);
    // The good one goes through under the same key, and a second time is the same party.
    let borrowed: Vec<_> = good.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let first = window.post_from(&form, "/parties/new", &borrowed).await;
    assert_eq!(first.status, StatusCode::SEE_OTHER, "{}", first.text());
    let second = window.post_from(&form, "/parties/new", &borrowed).await;
    assert_eq!(
        (second.status, second.location),
        (first.status, first.location)
    );
    let fresh = window.get("/parties/new").await;
    let third = window.post_from(&fresh, "/parties/new", &borrowed).await;
    assert_eq!(third.refused(), [("credit_code", "registered")]);
    assert_eq!(city.number("SELECT COUNT(*) FROM party").await, 201);
}

/// Two persons of one name are told apart by what the list shows of their numbers.
#[tokio::test]
async fn persons_are_told_apart_by_their_masked_number() {
    let city = TestCity::open();
    let mut window = city.log_in("window-yj").await;
    let list = window.get("/parties?kind=person").await;
    let rows = list.html.matches("data-open").count();
    assert!(rows > 5, "{rows}");
    assert_eq!(list.html.matches("**********").count(), rows);
}

/// Two clerks correct one party: the slower one is told who was faster and what stands there now,
/// keeps what he typed, and may save it knowing that.
#[tokio::test]
async fn the_slower_correction_sees_the_other_s() {
    let city = TestCity::open();
    let sql =
        "SELECT id FROM party WHERE kind = 'enterprise' AND region_code = '330324' ORDER BY id";
    let path = format!("/parties/{}/amend", city.id(sql).await);
    let clerk = "SELECT name FROM account WHERE login = 'window-yj'";
    let clerk = city.texts(clerk).await.remove(0);
    let (mut one, mut two) = (
        city.log_in("window-yj").await,
        city.log_in("window-yj").await,
    );
    let (first, second) = (one.get(&path).await, two.get(&path).await);
    let fields = |page: &Answer, name: &str, representative: &str| {
        let version = page.hidden("version");
        [
            ("version", version),
            ("name", name.to_owned()),
            ("legal_representative", representative.to_owned()),
            ("founded_on", "2018-06-01".to_owned()),
            ("industry", "C3823".to_owned()),
            ("phone", String::new()),
            ("address", String::new()),
        ]
    };
    let faster = fields(&first, "更名在先有限公司", "陈一");
    let done = one.post_from(&first, &path, &pairs(&faster)).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.text());
    let before = city.state().await;
    let slower = fields(&second, "更名在后有限公司", "陈一");
    let lost = two.post_from(&second, &path, &pairs(&slower)).await;
    assert_eq!(lost.status, StatusCode::CONFLICT, "{}", lost.text());
    assert_eq!(city.state().await, before);
    assert!(
        lost.says(&format!("被{clerk}于 2026-11-23")),
        "{}",
        lost.text()
    );
    assert!(
        lost.text().contains("现在登记的是：更名在先有限公司"),
        "{}",
        lost.text()
    );
    assert!(
        lost.html.contains("value=\"更名在后有限公司\""),
        "his own text stays"
    );
    assert_eq!(
        lost.html.matches("data-beside=").count(),
        1,
        "only what differs"
    );
    let knowing = fields(&lost, "更名在后有限公司", "陈一");
    let saved = two.post_from(&lost, &path, &pairs(&knowing)).await;
    assert_eq!(saved.status, StatusCode::SEE_OTHER, "{}", saved.text());
}

fn pairs<'a>(fields: &'a [(&'a str, String)]) -> Vec<(&'a str, &'a str)> {
    fields.iter().map(|(k, v)| (*k, v.as_str())).collect()
}
