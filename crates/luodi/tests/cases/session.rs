//! A session that ends while a long form is being filled in: nothing typed is lost.

use axum::http::StatusCode;
use jiff::SignedDuration;

use super::apply::form_of;
use crate::support::{Answer, PAPERS, TestCity, good_application, morning};

/// The fields a page would post itself, in its order.
fn hidden_fields(page: &Answer, form: &str) -> Vec<(String, String)> {
    let start = page.html.find(form).unwrap_or_else(|| panic!("no {form}"));
    let html = page.html[start..].split("</form>").next().unwrap();
    html.split("<input type=\"hidden\" name=\"")
        .skip(1)
        .map(|rest| {
            let (name, rest) = rest.split_once('"').unwrap();
            let value = rest
                .strip_prefix(" value=\"")
                .unwrap()
                .split('"')
                .next()
                .unwrap();
            (name.to_owned(), plain(value))
        })
        .collect()
}

/// Text as the template escaped it, read back.
fn plain(html: &str) -> String {
    html.replace("&#34;", "\"")
        .replace("&#39;", "'")
        .replace("&#60;", "<")
        .replace("&#62;", ">")
        .replace("&#38;", "&")
}

fn borrowed(fields: &[(String, String)]) -> Vec<(&str, &str)> {
    fields
        .iter()
        .map(|(n, v)| (n.as_str(), v.as_str()))
        .collect()
}

#[tokio::test]
async fn an_ended_session_keeps_the_text_of_a_long_form() {
    let city = TestCity::open();
    let path = form_of(&city).await;
    let mut enterprise = city.log_in("enterprise-yj").await;
    let form = enterprise.get(&path).await;
    // Papers are on the server already; the text is typed over lunch and dinner.
    let saved = enterprise
        .upload_from(&form, &path, &[("action", "save")], PAPERS)
        .await;
    assert_eq!(saved.status, StatusCode::SEE_OTHER);
    let before = city.state().await;
    city.clock.set(morning() + SignedDuration::from_hours(13));
    let mut typed = good_application();
    let odd = "屋顶 \"A&B\" <一号> 'x'";
    typed.retain(|(name, _)| *name != "project_name");
    typed.push(("project_name", odd));
    let hidden = hidden_fields(&form, &format!("action=\"{path}"));
    let hidden = borrowed(&hidden).into_iter();
    let hidden = hidden.filter(|(name, _)| ["of_page", "labels"].contains(name));
    let sent: Vec<(&str, &str)> = typed.iter().copied().chain(hidden).collect();
    let ended = enterprise.upload_from(&form, &path, &sent, &[]).await;
    assert_eq!(ended.status, StatusCode::UNAUTHORIZED, "{}", ended.text());
    for (name, value) in &typed {
        let kept = ended.between(&format!("name=\"resume.{name}\" value=\""), "\"");
        assert_eq!(plain(&kept), *value, "{name}");
    }
    assert_eq!(city.state().await, before);
    // What is shown bears the labels of the form, and no marks or codes of the page.
    let name = plain(
        ended
            .html
            .split("<dt>项目名称</dt><dd data-kept=\"project_name\">")
            .nth(1)
            .unwrap(),
    );
    assert!(name.starts_with(odd), "{}", ended.text());
    for unseen in ["draft", "quarter", "declaration", "labels", "of_page"] {
        assert!(
            !ended.html.contains(&format!("data-kept=\"{unseen}\"")),
            "{unseen}"
        );
    }
    assert!(!ended.says(" 项</dt>"), "{}", ended.text());

    // A wrong password keeps the text as well.
    let mut log_in = hidden_fields(&ended, "action=\"/login\"");
    log_in.push(("login".to_owned(), "enterprise-yj".to_owned()));
    let mut wrong = log_in.clone();
    wrong.push(("password".to_owned(), "not the password".to_owned()));
    let refused = enterprise.post_raw("/login", &borrowed(&wrong)).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    log_in = hidden_fields(&refused, "action=\"/login\"");
    log_in.push(("login".to_owned(), "enterprise-yj".to_owned()));
    log_in.push(("password".to_owned(), "luodi-demo-2026".to_owned()));
    let resume = enterprise.post_raw("/login", &borrowed(&log_in)).await;
    assert_eq!(resume.status, StatusCode::OK, "{}", resume.text());
    assert!(!resume.says("luodi-demo-2026"), "the password is not shown");
    let doing = resume.html.split("data-doing").nth(1).unwrap();
    let doing = doing.split("</p>").next().unwrap();
    assert!(
        doing.contains("继续提交的是") && doing.contains("申报："),
        "{doing}"
    );

    let again = hidden_fields(&resume, &format!("action=\"{path}"));
    let sent = enterprise.post_raw(&path, &borrowed(&again)).await;
    assert_eq!(sent.status, StatusCode::SEE_OTHER, "{}", sent.text());
    let review = enterprise.get(&sent.location).await;
    for (name, value) in &typed {
        let shown = matches!(
            *name,
            "declaration" | "quarter" | "filed_kw" | "generated_kwh"
        ) || plain(&review.html).contains(value);
        assert!(shown, "{name}: {}", review.text());
    }
    let done = enterprise
        .post_from(&review, &sent.location, &[("action", "submit")])
        .await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.text());
}

/// Who logs in to somebody else's interrupted form does not send it for them.
#[tokio::test]
async fn another_account_cannot_send_an_interrupted_form() {
    let city = TestCity::open();
    let mut first = city.log_in("enterprise-yj").await;
    let path = form_of(&city).await;
    let form = first.get(&path).await;
    let saved = first
        .upload_from(&form, &path, &good_application(), PAPERS)
        .await;
    let draft = saved.location;
    let page = first.get(&draft).await;
    city.clock.set(morning() + SignedDuration::from_hours(13));
    let ended = first
        .post_from(&page, &draft, &[("action", "submit")])
        .await;
    assert_eq!(ended.status, StatusCode::UNAUTHORIZED);
    let mut log_in = hidden_fields(&ended, "action=\"/login\"");
    log_in.push(("login".to_owned(), "enterprise2-yj".to_owned()));
    log_in.push(("password".to_owned(), "luodi-demo-2026".to_owned()));
    let resume = first.post_raw("/login", &borrowed(&log_in)).await;
    assert_eq!(resume.status, StatusCode::OK);
    let before = city.state().await;
    let again = hidden_fields(&resume, &format!("action=\"{draft}"));
    let sent = first.post_raw(&draft, &borrowed(&again)).await;
    assert_eq!(sent.status, StatusCode::NOT_FOUND, "{}", sent.text());
    assert_eq!(city.state().await, before);
}

/// Of several servers on one database each knows who is logged in, and who no longer is.
#[tokio::test]
async fn a_session_is_known_to_every_server() {
    let city = TestCity::open();
    let Some(other) = city.another_server() else {
        return;
    };
    let mut here = city.log_in("handler1-yj").await;
    let mut there = here.led_to(&other);
    let page = there.get("/work").await;
    assert_eq!(page.status, StatusCode::OK);
    let out = there.post_from(&page, "/logout", &[]).await;
    assert_eq!(out.status, StatusCode::SEE_OTHER, "{}", out.text());
    let page = here.get("/work").await;
    assert_eq!(page.status, StatusCode::SEE_OTHER);
    assert!(page.location.starts_with("/login"), "{}", page.location);
}

/// An officer whose session ended is told which case and which of its buttons he goes on with.
#[tokio::test]
async fn an_interrupted_decision_says_what_it_decides() {
    let city = TestCity::open();
    let (case, task) = super::race::waiting(&city, "examine", "330324").await;
    let number = format!("SELECT number FROM casework WHERE id = X'{case}'");
    let number = city.texts(&number).await.remove(0);
    let mut officer = city.log_in("handler1-yj").await;
    let page = officer.get(&format!("/cases/{case}")).await;
    city.clock.set(morning() + SignedDuration::from_hours(13));
    let path = format!("/cases/{case}/tasks/{task}");
    let hidden = hidden_fields(&page, &format!("action=\"{path}\""));
    let mut fields = borrowed(&hidden);
    fields.extend([("action", "correct"), ("reason", "缺抄表单")]);
    let ended = officer.upload_raw(&path, &fields, &[]).await;
    assert_eq!(ended.status, StatusCode::UNAUTHORIZED, "{}", ended.text());
    let (_, doing) = ended.html.split_once("data-doing").unwrap();
    let doing = doing.split("</p>").next().unwrap();
    assert!(doing.contains(&format!("· 办件 {number}")), "{doing}");
    assert!(doing.contains("补正"), "the button: {doing}");
    assert!(ended.says("意见和理由") && ended.says("缺抄表单"));
}
