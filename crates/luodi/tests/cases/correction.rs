//! 补正: asked with everything that is needed to ask it, answered with the whole form, and seen by
//! the officer as what it changed.

use axum::http::StatusCode;
use jiff::SignedDuration;
use luodi::access::Actor;
use luodi::casework;
use luodi::store::Command;

use super::apply::form_of;
use crate::support::{Answer, PAPERS, PDF, TestCity, Visitor, changed, good_application, morning};

/// A case of the enterprise that waits for the window to take it up: its address.
async fn submitted(city: &TestCity, enterprise: &mut Visitor<'_>) -> String {
    let path = form_of(city).await;
    let form = enterprise.get(&path).await;
    let saved = enterprise
        .upload_from(&form, &path, &good_application(), PAPERS)
        .await;
    assert_eq!(saved.status, StatusCode::SEE_OTHER, "{}", saved.text());
    let review = enterprise.get(&saved.location).await;
    let sent = enterprise
        .post_from(&review, &saved.location, &[("action", "submit")])
        .await;
    assert_eq!(sent.status, StatusCode::SEE_OTHER, "{}", sent.text());
    sent.location
}

/// Posts the outcome that asks for a correction.
async fn ask(
    window: &mut Visitor<'_>,
    case: &str,
    reason: &str,
    correction: Option<&str>,
) -> Answer {
    let page = window.get(case).await;
    let path = page.between("action=\"/cases/", "\"");
    let version = page.hidden("version");
    let mut fields = vec![
        ("version", version.as_str()),
        ("action", "correct"),
        ("reason", reason),
    ];
    fields.extend(correction.map(|kind| ("correction", kind)));
    window
        .upload_from(&page, &format!("/cases/{path}"), &fields, &[])
        .await
}

#[tokio::test]
async fn asking_says_all_that_is_missing_at_once() {
    let city = TestCity::open();
    let mut enterprise = city.log_in("enterprise-yj").await;
    let case = submitted(&city, &mut enterprise).await;
    let mut window = city.log_in("window-yj").await;
    let before = city.state().await;
    let bare = ask(&mut window, &case, "", None).await;
    assert_eq!(bare.status, StatusCode::UNPROCESSABLE_ENTITY);
    let both = vec![("reason", "required"), ("correction", "required")];
    assert_eq!(bare.refused(), both);
    let odd = ask(&mut window, &case, "请核对备案容量。", Some("other")).await;
    assert_eq!(odd.refused(), vec![("correction", "required")]);
    assert!(odd.says("请核对备案容量。"), "the reason stays");
    assert_eq!(city.state().await, before);
}

#[tokio::test]
async fn an_answer_is_seen_as_what_it_changed() {
    let city = TestCity::open();
    let mut enterprise = city.log_in("enterprise-yj").await;
    let case = submitted(&city, &mut enterprise).await;
    let mut window = city.log_in("window-yj").await;
    let asked = ask(&mut window, &case, "请核对备案容量和电话。", Some("wrong")).await;
    assert_eq!(asked.status, StatusCode::SEE_OTHER, "{}", asked.text());

    city.clock.set(morning() + SignedDuration::from_mins(10));

    // The applicant reads by which day, on the case, on the form, and in the message.
    let own = enterprise.get(&case).await;
    let form = enterprise.get(&format!("{case}/correct")).await;
    let day = form.between("请在 <b>", "</b>");
    assert!(
        own.text().contains("逾期未补正的办件将关闭"),
        "{}",
        own.text()
    );
    assert!(own.says(&day), "{day}: {}", own.text());
    let said = city
        .texts("SELECT body FROM message WHERE body LIKE '%请核对备案容量和电话。%'")
        .await;
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("前（含当日）补正"), "{said:?}");

    let mut fields = changed("filed_kw", "99.5");
    fields.retain(|(name, _)| *name != "contact_phone");
    fields.extend([("contact_phone", "19900009999"), ("action", "submit")]);
    let version = form.hidden("version");
    fields.extend([("version", version.as_str()), ("answer", "已更正。")]);
    let mut whole = PDF.to_vec();
    whole.extend_from_slice(b"% with its second page\n");
    let papers: &[(&str, &str, &[u8])] = &[("filing_notice", "filing-2.pdf", &whole)];
    let sent = enterprise
        .upload_from(&form, &format!("{case}/correct"), &fields, papers)
        .await;
    assert_eq!(sent.status, StatusCode::SEE_OTHER, "{}", sent.text());

    let page = window.get(&case).await;
    let changes = page.between("<dl class=\"facts mt-2 mb-0\" data-changes>", "</dl>");
    assert!(
        changes.contains("<del>100 kW</del> → <ins>99.50 kW</ins>"),
        "{changes}"
    );
    assert!(
        changes.contains("<del>199****1234</del> → <ins>199****9999</ins>"),
        "{changes}"
    );
    assert!(changes.contains("filing-2.pdf"), "{changes}");
    // What the mended form did not touch is no change.
    assert_eq!(changes.matches("<dt>").count(), 3, "{changes}");

    // One file stands in the slot; the one before it stays, and opens.
    let (now, before) = page.html.split_once("已更换的材料").unwrap();
    let now = now.rsplit_once("材料</h2>").unwrap().1;
    assert_eq!(now.matches("filing").count(), 1, "{now}");
    assert!(now.contains("filing-2.pdf"), "{now}");
    let old = before.split_once("filing.pdf").expect("the old paper").0;
    let old = old.rsplit_once("href=\"").unwrap().1;
    let old = old.split_once('"').unwrap().0.to_owned();
    let opened = window.get(&old).await;
    assert_eq!(opened.bytes, PDF);
}

/// What is refused changes nothing: the paper in the case is still the one that was examined, and
/// the one uploaded waits beside the form.
#[tokio::test]
async fn a_refused_answer_leaves_the_papers_alone() {
    let city = TestCity::open();
    let mut enterprise = city.log_in("enterprise-yj").await;
    let case = submitted(&city, &mut enterprise).await;
    let mut window = city.log_in("window-yj").await;
    let asked = ask(&mut window, &case, "请核对备案容量。", Some("wrong")).await;
    assert_eq!(asked.status, StatusCode::SEE_OTHER, "{}", asked.text());
    city.clock.set(morning() + SignedDuration::from_mins(5));
    let path = format!("{case}/correct");
    let form = enterprise.get(&path).await;
    let version = form.hidden("version");
    let papers_of = "SELECT file_name FROM attachment WHERE subject_kind = 'case' \
         AND slot = 'filing_notice' AND replaced_at IS NULL AND file_name LIKE 'filing%'";
    let before = city.texts(papers_of).await;
    let mut whole = PDF.to_vec();
    whole.extend_from_slice(b"% another\n");
    let papers: &[(&str, &str, &[u8])] = &[("filing_notice", "other.pdf", &whole)];
    let mut fields = changed("filed_kw", "-5");
    fields.extend([("action", "submit"), ("version", version.as_str())]);
    let refused = enterprise.upload_from(&form, &path, &fields, papers).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.says("other.pdf"), "the upload waits at the form");
    assert_eq!(city.texts(papers_of).await, before);
    let shown = window.get(&case).await;
    assert!(!shown.says("other.pdf") && shown.says("filing.pdf"));

    // Mended, it goes in with the paper that waited; a second click gives the same answer.
    let mut fields = changed("filed_kw", "99");
    fields.extend([("action", "submit"), ("version", version.as_str())]);
    for _ in 0..2 {
        let sent = enterprise.upload_from(&refused, &path, &fields, &[]).await;
        assert_eq!(sent.status, StatusCode::SEE_OTHER, "{}", sent.text());
        assert_eq!(sent.location, case);
    }
    let shown = window.get(&case).await;
    assert!(shown.says("other.pdf"), "{}", shown.text());
}

/// What was taken out before the application was submitted is not shown to anybody.
#[tokio::test]
async fn a_paper_taken_out_of_a_draft_stays_out() {
    let city = TestCity::open();
    let mut enterprise = city.log_in("enterprise-yj").await;
    let path = form_of(&city).await;
    let form = enterprise.get(&path).await;
    let mut secret = PDF.to_vec();
    secret.extend_from_slice(b"% private\n");
    let papers: &[(&str, &str, &[u8])] = &[("licence", "private.pdf", &secret)];
    let save = [("action", "save")];
    let saved = enterprise.upload_from(&form, &path, &save, papers).await;
    assert_eq!(saved.status, StatusCode::SEE_OTHER, "{}", saved.text());
    let file = city
        .id("SELECT id FROM attachment WHERE file_name = 'private.pdf'")
        .await;
    let case = submitted(&city, &mut enterprise).await;
    let mut window = city.log_in("window-yj").await;
    let shown = window.get(&case).await;
    assert!(!shown.says("private.pdf"), "{}", shown.text());
    let opened = window.get(&format!("{case}/files/{file}")).await;
    assert_eq!(opened.status, StatusCode::NOT_FOUND);
}

/// An answer that changes nothing is taken, and marked for whoever reads it.
#[tokio::test]
async fn an_answer_that_corrects_nothing_is_marked() {
    let city = TestCity::open();
    let mut enterprise = city.log_in("enterprise-yj").await;
    let case = submitted(&city, &mut enterprise).await;
    let mut window = city.log_in("window-yj").await;
    ask(&mut window, &case, "请核对备案容量。", Some("wrong")).await;
    assert!(!window.get(&case).await.says("data-unchanged"));
    let path = format!("{case}/correct");
    let form = enterprise.get(&path).await;
    let version = form.hidden("version");
    let mut fields = good_application();
    fields.extend([("action", "submit"), ("version", version.as_str())]);
    let sent = enterprise.upload_from(&form, &path, &fields, &[]).await;
    assert_eq!(sent.status, StatusCode::SEE_OTHER, "{}", sent.text());
    assert!(window.get(&case).await.says("data-unchanged"));
}

/// The way from the inspection to a correction is the rule's and the officer's: what the rule wants
/// anew is wanted where the rule asked, and only there does the history say so.
#[tokio::test]
async fn an_officer_s_own_correction_wants_no_other_paper() {
    let city = TestCity::open();
    let case = city
        .id(
            "SELECT c.id FROM casework c JOIN task t ON t.case_id = c.id \
             WHERE t.state = 'open' AND t.node = 'inspect' AND c.region_code = '330324'",
        )
        .await;
    let path = format!("/cases/{case}");
    let mut handler = city.log_in("handler1-yj").await;
    let asked = ask(&mut handler, &path, "项目地址写错，请更正。", Some("wrong")).await;
    assert_eq!(asked.status, StatusCode::SEE_OTHER, "{}", asked.text());
    let id: luodi::ids::CaseId = case.parse().unwrap();
    let answered = city
        .app
        .store
        .write(Command::new("test.answer", city.clock.now()), move |tx| {
            let region = vocab::RegionCode::parse("330324").unwrap();
            let row = casework::find_case(tx, &Actor::system(region), id)?;
            let open = casework::open_task(tx, id)?;
            let package = luodi::item::load(tx, &row.item_hash)?;
            let values = package
                .form
                .open(&row.form.read()?, &|sealed| tx.open(row.party.0, sealed))?;
            let applicant = Actor {
                party: Some(row.party),
                ..Actor::system(region)
            };
            casework::answer_correction(tx, &applicant, open.id, open.version, &values, "已更正")
        });
    let answered: Result<_, luodi::refusal::Error> = answered.await;
    assert!(answered.is_ok(), "{:?}", answered.err());
    assert!(!handler.get(&path).await.says("按规则转为补正"));
}
