//! The doors: what strangers and staff get over HTTP.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use jiff::Timestamp;
use tower::ServiceExt;

use super::tests::{City, actor, region};
use super::{NoticeState, queries};
use crate::access::{Actor, Role};
use crate::ids::NoticeId;
use crate::store::Store;
use crate::web::{App, Attempts, Clock, Session, SessionLookup, Site, WebError, mount};

/// A stranger's token and every session's: the cookie and the form carry the same.
const TOKEN: &str = "0123456789012345678901234567890123456789012";

struct Sessions(HashMap<&'static str, Actor>);

impl SessionLookup for Sessions {
    fn find<'a>(
        &'a self,
        _: &'a App,
        token: &'a str,
        _: Timestamp,
    ) -> Pin<Box<dyn Future<Output = Result<Option<Session>, WebError>> + Send + 'a>> {
        let session = self.0.get(token);
        let session = session.map(|actor| Session {
            bar: None,
            actor: actor.clone(),
            csrf: TOKEN.to_owned(),
        });
        Box::pin(async move { Ok(session) })
    }
}

/// All doors of the domain; the store blocks, so the tests themselves are not asynchronous.
struct Doors {
    router: Router,
    runtime: tokio::runtime::Runtime,
}

fn router(city: &City) -> Doors {
    let sessions = Sessions(HashMap::from([
        ("reviewer", city.reviewer()),
        ("elsewhere", actor(9, Role::Reviewer, city.other, "330382")),
    ]));
    let app = App {
        store: Store::clone(&city.store),
        clock: Clock::fixed(city.now),
        site: Arc::new(Site {
            city: "温州市".into(),
            region: region("330300"),
            demo: false,
            secure: false,
            data: city.store.dir().to_owned(),
            gateway: Vec::new(),
            password_days: 0,
        }),
        sessions: Arc::new(sessions),
        attempts: Arc::new(Attempts::default()),
        provider: None,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    Doors {
        router: mount(&app, super::routes()),
        runtime,
    }
}

struct Got {
    status: StatusCode,
    robots: Option<String>,
    body: String,
}

fn send(router: &Doors, request: Request<Body>) -> Got {
    let answer = async {
        let response = router.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        (parts, axum::body::to_bytes(body, 1 << 22).await.unwrap())
    };
    let (parts, bytes) = router.runtime.block_on(answer);
    let robots = parts
        .headers
        .get("x-robots-tag")
        .map(|v| v.to_str().unwrap().to_owned());
    Got {
        status: parts.status,
        robots,
        body: String::from_utf8_lossy(&bytes).into_owned(),
    }
}

fn get(router: &Doors, session: &str, path: &str) -> Got {
    let cookie = format!("luodi={session}; luodi_visitor={TOKEN}");
    let request = Request::get(path)
        .header("cookie", cookie)
        .body(Body::empty())
        .unwrap();
    send(router, request)
}

/// Names and values of a form.
type Fields<'a> = &'a [(&'a str, &'a str)];
/// Field, name and content of each file of a form.
type Files<'a> = &'a [(&'a str, &'a str, &'a [u8])];

/// Posts fields and files as a browser does.
fn post(router: &Doors, session: &str, path: &str, fields: Fields<'_>, files: Files<'_>) -> Got {
    let mut body = Vec::new();
    let action = fields
        .iter()
        .find(|(name, _)| *name == "action")
        .map_or("", |(_, action)| action);
    let own = [
        ("csrf", TOKEN),
        (
            "idempotency_key",
            if action.is_empty() { path } else { action },
        ),
    ];
    for (name, value) in own.iter().chain(fields) {
        let part =
            format!("--cut\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        body.extend(part.into_bytes());
    }
    for (field, name, content) in files {
        let head = format!(
            "--cut\r\ncontent-disposition: form-data; name=\"{field}\"; filename=\"{name}\"\r\n\
             content-type: application/pdf\r\n\r\n"
        );
        body.extend(head.into_bytes());
        body.extend_from_slice(content);
        body.extend(b"\r\n");
    }
    body.extend(b"--cut--\r\n");
    let request = Request::post(path)
        .header("cookie", format!("luodi={session}; luodi_visitor={TOKEN}"))
        .header("content-type", "multipart/form-data; boundary=cut")
        .body(Body::from(body))
        .unwrap();
    send(router, request)
}

const STATEMENT: (&str, &str) = ("statement", "这户的屋顶没有装光伏板，请核实后再拨付。");
const PDF: (&str, &str, &[u8]) = ("document", "李雷盖章.pdf", b"%PDF-1.7\n");

fn receipt(body: &str) -> String {
    let (_, rest) = body.split_once("data-receipt=\"").unwrap();
    rest.split('"').next().unwrap().to_owned()
}

#[test]
fn the_public_sees_masked_names_and_exact_amounts() {
    let city = City::new();
    let id = city.publish().id;
    let router = router(&city);
    let page = get(&router, "", &format!("/notices/{id}"));
    assert_eq!((page.status, page.robots), (StatusCode::OK, None));
    for shown in [
        "永嘉阳光新能源有限公司",
        "王*明",
        "欧阳*",
        "value=\"143050\"",
        "value=\"1209050\"",
        "提出异议",
    ] {
        assert!(page.body.contains(shown), "{shown}");
    }
    assert!(!page.body.contains("王小明") && !page.body.contains("未答复的异议"));
    let list = get(&router, "", "/notices?q=%E5%85%89%E4%BC%8F&region=330324");
    assert!(list.body.contains("永发改公示〔2026〕1号") && list.body.contains("还有 7 天"));
    assert!(
        !get(&router, "", "/notices?q=%25")
            .body
            .contains("永发改公示")
    );
    let english = get(&router, "", "/notices?lang=en");
    assert!(english.body.contains("Running, 7 days left"));
    let csv = get(&router, "", &format!("/notices/{id}/table.csv"));
    assert!(
        csv.body.contains(
            "2,王*明,\"备案容量 8 kW，并网日期 2016-11-03，本期发电量 2,400 kWh\",1430.50,\r\n"
        ),
        "{}",
        csv.body
    );
    let desk = get(&router, "reviewer", &format!("/notices/{id}"));
    assert!(desk.body.contains("未答复的异议"));
    assert!(
        !get(&router, "elsewhere", &format!("/notices/{id}"))
            .body
            .contains("未答复的异议")
    );
}

#[test]
fn an_old_notice_is_hidden_from_search_engines() {
    let mut city = City::new();
    let id = city.publish().id;
    city.days(800);
    let page = get(&router(&city), "", &format!("/notices/{id}"));
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.robots.unwrap().contains("noindex"));
}

fn path(city: &City, notice: NoticeId) -> (String, String) {
    (
        format!("/notices/{notice}/objections/new"),
        city.line(notice, 1).to_string(),
    )
}

#[test]
fn an_organisation_objects_and_follows_by_its_receipt() {
    let city = City::new();
    let (path, line) = path(&city, city.publish().id);
    let router = router(&city);
    assert_eq!(
        get(&router, "", &format!("{path}?entry={line}")).status,
        StatusCode::OK
    );
    let fields = [
        ("entry", line.as_str()),
        ("kind", "organisation"),
        ("name", "永嘉县光伏协会"),
        ("phone", "0577-88001234"),
        STATEMENT,
    ];
    let done = post(&router, "", &path, &fields, &[PDF]);
    assert_eq!(done.status, StatusCode::OK, "{}", done.body);
    let code = receipt(&done.body);
    let again = post(&router, "", &path, &fields, &[PDF]);
    assert_eq!(receipt(&again.body), code, "sent twice, received once");

    let followed = post(
        &router,
        "",
        "/objections/follow",
        &[("receipt", &code.to_lowercase())],
        &[],
    );
    assert!(
        followed.body.contains("data-state=\"received\""),
        "{}",
        followed.body
    );
    assert!(!followed.body.contains("光伏协会"));
    let unknown = post(
        &router,
        "",
        "/objections/follow",
        &[("receipt", "7KQM-2X9D-HTRW")],
        &[],
    );
    assert_eq!(unknown.status, StatusCode::UNPROCESSABLE_ENTITY);

    let list = get(&router, "reviewer", &format!("/objections?q={code}"));
    let (_, rest) = list.body.split_once("href=\"/objections/0").unwrap();
    let id = format!("0{}", rest.split('"').next().unwrap());
    let page = get(&router, "reviewer", &format!("/objections/{id}"));
    assert!(page.body.contains("0577-****1234") && page.body.contains("异议材料1.pdf"));
    assert!(
        !page.body.contains("李雷"),
        "the file's own name may name the objector"
    );
    assert!(
        !get(&router, "elsewhere", "/objections")
            .body
            .contains(&code)
    );
    let elsewhere = get(&router, "elsewhere", &format!("/objections/{id}"));
    assert_eq!(elsewhere.status, StatusCode::NOT_FOUND);
    let unmask = format!("/objections/{id}/unmask");
    let unmasked = post(
        &router,
        "reviewer",
        &unmask,
        &[("unmask_reason", "电话核实")],
        &[],
    );
    assert!(unmasked.body.contains("0577-88001234"));
    assert_eq!(
        get(&router, "", &format!("/objections/{id}")).status,
        StatusCode::SEE_OTHER
    );
}

#[test]
fn bad_objections_are_told_field_and_rule_and_change_nothing() {
    let city = City::new();
    let notice = city.publish().id;
    let (path, line) = path(&city, notice);
    let router = router(&city);
    let entry = ("entry", line.as_str());
    let organisation = [
        entry,
        ("kind", "organisation"),
        ("name", "永嘉县光伏协会"),
        STATEMENT,
    ];
    let person =
        |field: (&'static str, &'static str)| [entry, ("kind", "person"), field, STATEMENT];
    let zip: (&str, &str, &[u8]) = ("document", "盖章.pdf", b"PK\x03\x04\x14\0\0\0\0\0");
    let cases: [(Fields<'_>, Files<'_>, &str, &str); 6] = [
        (&organisation, &[], "document", "sealed-document"),
        (&organisation, &[zip], "document", "file-content"),
        (&person(("phone", "12345")), &[], "phone", "phone-shape"),
        (
            &person(("website", "http://spam.example")),
            &[],
            "website",
            "must-be-empty",
        ),
        (
            &[entry, ("kind", "person"), ("statement", "不公平")],
            &[],
            "statement",
            "min-length",
        ),
        (&[entry, STATEMENT], &[], "kind", "required"),
    ];
    for (fields, files, field, rule) in cases {
        let got = post(&router, "", &path, fields, files);
        assert_eq!(got.status, StatusCode::UNPROCESSABLE_ENTITY, "{field}");
        let error = format!("id=\"error-{field}\" data-rule=\"{rule}\"");
        assert!(got.body.contains(&error), "{error}");
        let typed = fields
            .iter()
            .find(|(name, _)| *name == "statement")
            .unwrap()
            .1;
        assert!(got.body.contains(typed), "what was typed stays");
    }
    let list = get(&router, "reviewer", &format!("/objections?notice={notice}"));
    assert!(list.body.contains("没有异议"));
}

#[test]
fn a_flood_from_one_address_is_stopped() {
    let city = City::new();
    let (path, line) = path(&city, city.publish().id);
    let router = router(&city);
    let fields = [("entry", line.as_str()), ("kind", "person"), STATEMENT];
    for _ in 0..5 {
        assert_eq!(
            post(&router, "", &path, &fields, &[]).status,
            StatusCode::OK
        );
    }
    let stopped = post(&router, "", &path, &fields, &[]);
    assert_eq!(stopped.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(stopped.body.contains(STATEMENT.1), "what was typed stays");
}

#[test]
fn a_reviewer_publishes_from_the_batch_and_ends_after_the_period() {
    let mut city = City::new();
    let batch = city.batch;
    let path = format!("/batches/{batch}/notice");
    let before = router(&city);
    let form = get(&before, "reviewer", &path);
    assert!(
        form.body.contains("2026-11-30") && form.body.contains("王*明"),
        "{}",
        form.body
    );
    assert_eq!(
        get(&before, "elsewhere", &path).status,
        StatusCode::NOT_FOUND
    );
    let mut fields = vec![
        ("version", "1"),
        ("title", "光伏补贴公示"),
        ("basis", "示范发改〔2016〕21号"),
        ("address", "县前路1号"),
        ("phone", "0577-88000001"),
        ("ends_on", "2026-11-24"),
    ];
    let short = post(&before, "reviewer", &path, &fields, &[]);
    assert_eq!(short.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(short.body.contains("data-rule=\"notice-period\"") && short.body.contains("县前路1号"));
    fields[5] = ("ends_on", "2026-11-30");
    assert_eq!(
        post(&before, "reviewer", &path, &fields, &[]).status,
        StatusCode::SEE_OTHER
    );

    let found = city
        .store
        .read_blocking(|q| queries::of_batch(&**q, batch))
        .unwrap()
        .unwrap();
    city.days(8);
    let after = router(&city);
    let page = get(&after, "reviewer", &format!("/notices/{}", found.id));
    assert!(page.body.contains("公示期满，转为最终名单"));
    let end = format!("/notices/{}/end", found.id);
    assert_eq!(
        post(&after, "elsewhere", &end, &[("version", "1")], &[]).status,
        StatusCode::NOT_FOUND
    );
    assert_eq!(
        post(&after, "reviewer", &end, &[("version", "1")], &[]).status,
        StatusCode::SEE_OTHER
    );
    let found = city
        .store
        .read_blocking(|q| queries::find(&**q, found.id))
        .unwrap();
    assert_eq!(found.state, NoticeState::Ended);
    let page = get(&after, "", &format!("/notices/{}", found.id));
    assert!(page.body.contains("列入最终名单") && !page.body.contains("objections/new"));
}
