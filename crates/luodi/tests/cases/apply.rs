//! The application form: whatever is wrong is said at its field with its rule, what was typed
//! stays on the page, and no case begins.

use axum::http::StatusCode;

use crate::support::{Answer, PAPERS, PDF, TestCity, changed, good_application};

/// The address of the enterprise's form in its own county.
pub(super) async fn form_of(city: &TestCity) -> String {
    let item = city
        .id("SELECT id FROM item WHERE region_code = '330324'")
        .await;
    format!("/items/{item}/apply")
}

fn keeps(page: &Answer, fields: &[(&str, &str)]) {
    for (name, typed) in fields {
        // A choice that is not offered and a box that was not ticked have no text to keep.
        let kept = matches!(*name, "quarter" | "declaration") || page.says(typed);
        assert!(kept, "{name} lost its text: {}", page.text());
    }
}

#[tokio::test]
async fn what_is_wrong_is_said_at_its_field() {
    let city = TestCity::open();
    let path = form_of(&city).await;
    let mut enterprise = city.log_in("enterprise-yj").await;
    let form = enterprise.get(&path).await;
    let before = city.state().await.without_drafts();
    let long_name = "长".repeat(61);
    let long_address = "长".repeat(5_000);
    let long_meter = "9".repeat(300);
    for (field, value, rule) in [
        ("grid_connected_on", "2026-02-30", "date-impossible"),
        ("grid_connected_on", "2026-13-01", "date-impossible"),
        ("grid_connected_on", "2026-11-24", "date-not-future"),
        ("grid_connected_on", "2026-10-05", "condition"),
        ("grid_connected_on", "1900-01-01", "date-earliest"),
        ("filed_kw", "-5", "min"),
        ("filed_kw", "1e999", "number"),
        ("filed_kw", "NaN", "number"),
        ("filed_kw", "６００1", "max"),
        ("generated_kwh", "0.001", "decimals"),
        ("quarter", "2031Q9", "quarter-shape"),
        ("contact_phone", "12", "phone-shape"),
        ("project_name", &long_name, "max-length"),
        ("project_name", "短", "min-length"),
        ("site_address", &long_address, "max-length"),
        ("meter_no", &long_meter, "max-length"),
        ("filing_number", "2408-330324", "pattern"),
        ("declaration", "", "required"),
    ] {
        let fields = changed(field, value);
        let answer = enterprise.upload_from(&form, &path, &fields, &[]).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{field}");
        let refused = answer.refused();
        assert!(
            refused.contains(&(field, rule)),
            "{field} = {value:.20}: {refused:?}"
        );
        // Besides this field only the papers are missing: nothing else is wrong.
        let others: Vec<_> = refused
            .iter()
            .filter(|(name, _)| *name != field && !PAPERS.iter().any(|(slot, ..)| slot == name))
            .collect();
        assert!(others.is_empty(), "{field}: {others:?}");
        let message = answer.between(&format!("id=\"error-{field}\" data-rule=\"{rule}\">"), "<");
        assert!(
            message.starts_with('「'),
            "the message names the field: {message}"
        );
        keeps(&answer, &fields);
    }
    assert_eq!(city.state().await.without_drafts(), before);
}

#[tokio::test]
async fn missing_papers_are_named_one_by_one() {
    let city = TestCity::open();
    let path = form_of(&city).await;
    let mut enterprise = city.log_in("enterprise-yj").await;
    let form = enterprise.get(&path).await;
    let before = city.state().await.without_drafts();
    let answer = enterprise
        .upload_from(&form, &path, &good_application(), &PAPERS[..2])
        .await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    let missing = vec![("meter_reading", "required"), ("licence", "required")];
    assert_eq!(answer.refused(), missing);
    keeps(&answer, &good_application());
    // The draft cannot be submitted as it is, however it is posted.
    let draft = city.id("SELECT id FROM draft WHERE state = 'open'").await;
    let submitted = enterprise
        .post_from(
            &answer,
            &format!("/drafts/{draft}"),
            &[("action", "submit")],
        )
        .await;
    assert_eq!(submitted.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(submitted.refused(), missing);
    assert_eq!(city.state().await.without_drafts(), before);
}

#[tokio::test]
async fn a_file_must_be_what_its_name_says() {
    let city = TestCity::open();
    let path = form_of(&city).await;
    let mut enterprise = city.log_in("enterprise-yj").await;
    let form = enterprise.get(&path).await;
    let before = city.state().await.without_drafts();
    let mut large = PDF.to_vec();
    large.resize((20 << 20) + 1, b' ');
    for (name, content, rule) in [
        (
            "notice.pdf",
            &b"PK\x03\x04\x14\0\0\0\0\0"[..],
            "file-content",
        ),
        ("notice.pdf", b"MZ\x90\0\x03\0\0\0", "file-content"),
        ("notice.html", b"<script>alert(1)</script>", "file-type"),
        ("notice.pdf", b"", "file-empty"),
        ("notice.pdf", &large, "file-size"),
    ] {
        let files = [("filing_notice", name, content)];
        let answer = enterprise
            .upload_from(&form, &path, &good_application(), &files)
            .await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{rule}");
        assert!(
            answer.refused().contains(&("filing_notice", rule)),
            "{rule}: {:?}",
            answer.refused()
        );
        keeps(&answer, &good_application());
    }
    assert_eq!(city.state().await.without_drafts(), before);
    assert_eq!(
        city.number("SELECT COUNT(*) FROM attachment WHERE subject_kind = 'draft'")
            .await,
        0
    );
}

#[tokio::test]
async fn a_form_that_is_too_large_keeps_its_text() {
    let city = TestCity::open();
    let path = form_of(&city).await;
    let mut enterprise = city.log_in("enterprise-yj").await;
    let form = enterprise.get(&path).await;
    let before = city.state().await;
    let mut file = PDF.to_vec();
    file.resize(19 << 20, b' ');
    let files: Vec<(&str, &str, &[u8])> = PAPERS
        .iter()
        .map(|(slot, name, _)| (*slot, *name, file.as_slice()))
        .collect();
    let answer = enterprise
        .upload_from(&form, &path, &good_application(), &files)
        .await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(answer.refused(), [("licence", "form-size")]);
    keeps(&answer, &good_application());
    assert_eq!(city.state().await, before);
}

/// The radio buttons offer the applicant's own accounts; whoever posts another is told.
#[tokio::test]
async fn the_money_goes_to_an_account_of_the_applicant() {
    let city = TestCity::open();
    let path = form_of(&city).await;
    let mut enterprise = city.log_in("enterprise-yj").await;
    let form = enterprise.get(&path).await;
    let review = enterprise
        .upload_from(&form, &path, &good_application(), PAPERS)
        .await;
    assert_eq!(review.status, StatusCode::SEE_OTHER, "{}", review.text());
    let draft = review.location;
    let page = enterprise.get(&draft).await;
    let before = city.state().await;
    let foreign = city
        .id(
            "SELECT b.id FROM bank_account b JOIN party p ON p.id = b.party_id \
             WHERE b.state = 'approved' AND p.region_code = '330324' \
             AND p.id NOT IN (SELECT party_id FROM account WHERE login = 'enterprise-yj')",
        )
        .await;
    for account in [foreign.as_str(), "019344b1c0de7000800000000000dead"] {
        let fields = [("action", "submit"), ("bank_account", account)];
        let answer = enterprise.post_from(&page, &draft, &fields).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{account}");
        assert_eq!(answer.refused(), [("bank_account", "own-account")]);
    }
    assert_eq!(city.state().await, before);
}

/// A second application for the same meter and quarter is told when it is checked; the first is
/// named to whose it is, and to nobody else.
#[tokio::test]
async fn one_meter_is_paid_once_a_quarter() {
    let city = TestCity::open();
    let path = form_of(&city).await;
    let mut enterprise = city.log_in("enterprise-yj").await;
    let form = enterprise.get(&path).await;
    let review = enterprise
        .upload_from(&form, &path, &good_application(), PAPERS)
        .await;
    let page = enterprise.get(&review.location).await;
    let first = enterprise
        .post_from(&page, &review.location, &[("action", "submit")])
        .await;
    assert_eq!(first.status, StatusCode::SEE_OTHER, "{}", first.text());
    let mut other = city.log_in("enterprise2-yj").await;
    for (visitor, named) in [(&mut enterprise, true), (&mut other, false)] {
        let form = visitor.get(&path).await;
        let before = city.state().await.without_drafts();
        let again = visitor
            .upload_from(&form, &path, &good_application(), PAPERS)
            .await;
        assert_eq!(again.refused(), [("meter_no", "already-claimed")]);
        assert_eq!(again.says("办件号 330324-2026-0000"), named);
        assert_eq!(city.state().await.without_drafts(), before);
    }
}
