//! Drafts: one for each project, taken up where it was left, given up without losing the others.

use axum::http::StatusCode;

use super::apply::form_of;
use crate::support::{Answer, PAPERS, TestCity, Visitor, changed, good_application};

const OPEN: &str = "SELECT COUNT(*) FROM draft WHERE state = 'open'";

/// Saves the form as it was shown with another meter; gives where it goes on.
async fn save(visitor: &mut Visitor<'_>, form: &Answer, path: &str, meter: &str) -> String {
    let draft = form.hidden("draft");
    let mut fields = changed("meter_no", meter);
    fields.extend([("draft", draft.as_str()), ("action", "save")]);
    let saved = visitor.upload_from(form, path, &fields, &[]).await;
    assert_eq!(saved.status, StatusCode::SEE_OTHER, "{}", saved.text());
    saved.location
}

#[tokio::test]
async fn several_projects_have_a_draft_each() {
    let city = TestCity::open();
    let path = form_of(&city).await;
    let mut enterprise = city.log_in("enterprise-yj").await;
    let form = enterprise.get(&path).await;
    let first = save(&mut enterprise, &form, &path, "3303240000001111").await;
    // Without a word which, what was saved last goes on.
    assert!(enterprise.get(&path).await.says("3303240000001111"));
    let empty = enterprise.get(&format!("{path}?draft=new")).await;
    assert!(!empty.says("3303240000001111"), "another form is empty");
    assert!(empty.says("还有未提交的草稿"));
    let second = save(&mut enterprise, &empty, &path, "3303240000002222").await;
    assert_ne!(first, second);
    // The same form once more is the same draft.
    let again = save(&mut enterprise, &empty, &path, "3303240000003333").await;
    assert_eq!(again, second);
    assert_eq!(city.number(OPEN).await, 2);
    assert!(enterprise.get(&first).await.says("3303240000001111"));
    assert!(enterprise.get(&second).await.says("3303240000003333"));
}

#[tokio::test]
async fn a_draft_given_up_leaves_the_others() {
    let city = TestCity::open();
    let path = form_of(&city).await;
    let mut enterprise = city.log_in("enterprise-yj").await;
    let form = enterprise.get(&path).await;
    let first = save(&mut enterprise, &form, &path, "3303240000001111").await;
    let empty = enterprise.get(&format!("{path}?draft=new")).await;
    let second = save(&mut enterprise, &empty, &path, "3303240000002222").await;
    let id = second.rsplit('=').next().unwrap().to_owned();
    let mine = enterprise.get("/my").await;
    let give_up = format!("/drafts/{id}/give-up");
    let fields = [("action", "give-up")];
    let done = enterprise.post_from(&mine, &give_up, &fields).await;
    assert_eq!(
        (done.status, done.location.as_str()),
        (StatusCode::SEE_OTHER, "/my")
    );
    assert_eq!(city.number(OPEN).await, 1);
    let given_up = "SELECT COUNT(*) FROM draft WHERE state = 'given_up'";
    assert_eq!(city.number(given_up).await, 1, "ended, not deleted");
    assert!(!enterprise.get("/my").await.says(&id));
    assert_eq!(enterprise.get(&second).await.status, StatusCode::NOT_FOUND);
    assert!(enterprise.get(&first).await.says("3303240000001111"));
    // Its form, still open in another window, does not bring it back.
    let before = city.state().await;
    let fields = [("draft", id.as_str()), ("action", "save")];
    let late = enterprise.post_from(&empty, &path, &fields).await;
    assert_eq!(late.status, StatusCode::NOT_FOUND, "{}", late.text());
    assert_eq!(city.state().await, before);
}

/// Whatever a form says its draft is: rows of others, and of another kind, stay out of reach.
#[tokio::test]
async fn no_form_reaches_what_is_no_draft_of_its_own() {
    let city = TestCity::open();
    let path = form_of(&city).await;
    let mut enterprise = city.log_in("enterprise-yj").await;
    let form = enterprise.get(&path).await;
    let before = city.state().await;
    for sql in [
        "SELECT subject_id FROM attachment WHERE subject_kind = 'case'",
        "SELECT subject_id FROM attachment WHERE subject_kind = 'objection'",
        "SELECT id FROM task WHERE state = 'open'",
        "SELECT c.id FROM casework c JOIN account a ON a.party_id = c.party_id WHERE a.login = 'enterprise-yj'",
    ] {
        let id = city.id(sql).await;
        let mut fields = good_application();
        fields.extend([("draft", id.as_str()), ("action", "save")]);
        let answer = enterprise.upload_from(&form, &path, &fields, PAPERS).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{sql}");
        let files = enterprise.get(&format!("/drafts/{id}/files/{id}")).await;
        assert_eq!(files.status, StatusCode::NOT_FOUND, "{sql}");
    }
    assert_eq!(city.state().await, before);
}

/// The mark of a new form says nothing to anybody else: the same one is another draft for another.
#[tokio::test]
async fn a_form_s_mark_is_its_visitor_s_own() {
    let city = TestCity::open();
    let path = form_of(&city).await;
    let mut enterprise = city.log_in("enterprise-yj").await;
    let form = enterprise.get(&path).await;
    let first = save(&mut enterprise, &form, &path, "3303240000001111").await;
    let mut other = city.log_in("enterprise2-yj").await;
    let mut page = other.get(&path).await;
    page.html = page
        .html
        .replace(&page.hidden("draft"), &form.hidden("draft"));
    let second = save(&mut other, &page, &path, "3303240000002222").await;
    assert_ne!(first.rsplit('=').next(), second.rsplit('=').next());
    assert!(enterprise.get(&first).await.says("3303240000001111"));
    assert_eq!(other.get(&first).await.status, StatusCode::NOT_FOUND);
}

/// What was read through is what is submitted: not what another window saved since.
#[tokio::test]
async fn a_page_that_is_out_of_date_submits_nothing() {
    let city = TestCity::open();
    let path = form_of(&city).await;
    let mut enterprise = city.log_in("enterprise-yj").await;
    let form = enterprise.get(&path).await;
    let checked = enterprise
        .upload_from(&form, &path, &good_application(), PAPERS)
        .await;
    let draft = checked.location;
    let review = enterprise.get(&draft).await;
    let form = enterprise.get(&path).await;
    let saved = enterprise
        .upload_from(&form, &path, &changed("filed_kw", "999"), &[])
        .await;
    assert_eq!(saved.status, StatusCode::SEE_OTHER, "{}", saved.text());
    let cases = "SELECT COUNT(*) FROM casework";
    let before = city.number(cases).await;
    let fields = [("action", "submit")];
    let stale = enterprise.post_from(&review, &draft, &fields).await;
    assert_eq!(stale.status, StatusCode::CONFLICT, "{}", stale.text());
    // Nor what lost a paper since.
    let review = enterprise.get(&draft).await;
    let file = city
        .id("SELECT id FROM attachment WHERE subject_kind = 'draft' AND slot = 'licence'")
        .await;
    let taken = enterprise
        .post_from(&review, &format!("{draft}/files/{file}"), &fields)
        .await;
    assert_eq!(taken.status, StatusCode::SEE_OTHER, "{}", taken.text());
    let stale = enterprise.post_from(&review, &draft, &fields).await;
    assert_ne!(stale.status, StatusCode::SEE_OTHER, "{}", stale.text());
    assert_eq!(city.number(cases).await, before);
}

/// Another's draft stays out of reach.
#[tokio::test]
async fn nobody_writes_into_the_draft_of_another() {
    let city = TestCity::open();
    let path = form_of(&city).await;
    let mut enterprise = city.log_in("enterprise-yj").await;
    let form = enterprise.get(&path).await;
    let first = save(&mut enterprise, &form, &path, "3303240000001111").await;
    let id = first.rsplit('=').next().unwrap().to_owned();
    let mut other = city.log_in("enterprise2-yj").await;
    let page = other.get(&path).await;
    let before = city.state().await;
    let mut fields = changed("meter_no", "3303240000009999");
    fields.push(("draft", &id));
    let answer = other.upload_from(&page, &path, &fields, PAPERS).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND, "{}", answer.text());
    assert_eq!(city.state().await, before);
}

#[tokio::test]
async fn the_window_finds_the_drafts_it_left() {
    let city = TestCity::open();
    let mut window = city.log_in("window-yj").await;
    let party = city
        .id("SELECT party_id FROM account WHERE login = 'enterprise-yj'")
        .await;
    let path = format!("{}?party={party}", form_of(&city).await);
    let form = window.get(&path).await;
    save(&mut window, &form, &path, "3303240000001111").await;
    let desk = window.get("/work").await;
    assert!(desk.says("还没有提交的草稿"), "{}", desk.text());
    let choice = window.get(&format!("/parties/{party}/apply")).await;
    assert!(choice.says("未提交的草稿"));
    // Who is no longer at the window has a desk all the same.
    let sql = "UPDATE account_role SET role = 'investment_officer' WHERE account_id = ?1";
    city.force_account("window-yj", sql, Vec::new()).await;
    let mut officer = city.log_in("window-yj").await;
    assert_eq!(officer.get("/work").await.status, StatusCode::OK);
}

#[tokio::test]
async fn drafts_have_an_end() {
    let city = TestCity::open();
    let path = form_of(&city).await;
    let mut enterprise = city.log_in("enterprise-yj").await;
    let empty = format!("{path}?draft=new");
    for _ in 0..50 {
        let form = enterprise.get(&empty).await;
        save(&mut enterprise, &form, &path, "3303240000001111").await;
    }
    let form = enterprise.get(&empty).await;
    let draft = form.hidden("draft");
    let mut fields = good_application();
    fields.extend([("draft", draft.as_str()), ("action", "save")]);
    let refused = enterprise.upload_from(&form, &path, &fields, &[]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        refused.says("草稿最多 50 份") && refused.says("坏输入检查用屋顶光伏"),
        "what was typed stays"
    );
    assert_eq!(city.number(OPEN).await, 50);
}

/// A draft needs none of the fields: only the file that was refused is said, and the rest is kept.
#[tokio::test]
async fn a_draft_with_a_wrong_file_is_told_of_that_file_alone() {
    let city = TestCity::open();
    let path = form_of(&city).await;
    let mut enterprise = city.log_in("enterprise-yj").await;
    let form = enterprise.get(&path).await;
    let draft = form.hidden("draft");
    let fields = [
        ("draft", draft.as_str()),
        ("project_name", "东坡屋顶"),
        ("action", "save"),
    ];
    let large = vec![b' '; (20 << 20) + 1];
    for wrong in [b"only words".as_slice(), &large] {
        let papers = [PAPERS[1], ("licence", "licence.pdf", wrong)];
        let refused = enterprise.upload_from(&form, &path, &fields, &papers).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
        let fields: Vec<&str> = refused.refused().iter().map(|(field, _)| *field).collect();
        assert_eq!(fields, ["licence"], "{}", refused.text());
        assert!(refused.says("东坡屋顶"));
    }
    let saved = enterprise.get(&path).await;
    assert!(
        saved.says("东坡屋顶") && saved.says("grid.pdf"),
        "{}",
        saved.text()
    );
    // The next step asks for everything.
    let fields = [("draft", draft.as_str()), ("action", "check")];
    let asked = enterprise.upload_from(&form, &path, &fields, &[]).await;
    assert!(asked.refused().len() > 5, "{}", asked.text());
}
