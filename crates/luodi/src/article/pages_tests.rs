//! The pages of articles over HTTP, each story on its own temporary store.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, COOKIE, LOCATION};
use axum::http::{Request, StatusCode};
use jiff::Timestamp;
use tower::ServiceExt;
use vocab::RegionCode;

use crate::access::{Actor, ActorKind, Role};
use crate::ids::AccountId;
use crate::store::Store;
use crate::store::testing::TemporaryStore;
use crate::web::{App, Attempts, Clock, Session, SessionLookup, Site, WebError, mount};

const EDITOR: &str = "luodi=330300";
const COUNTY_EDITOR: &str = "luodi=330324";

/// Whoever brings a region code as his cookie is an editor of it.
struct Editors;

impl SessionLookup for Editors {
    fn find<'a>(
        &'a self,
        _: &'a App,
        token: &'a str,
        _: Timestamp,
    ) -> Pin<Box<dyn Future<Output = Result<Option<Session>, WebError>> + Send + 'a>> {
        let region: RegionCode = token.parse().unwrap();
        let actor = Actor {
            kind: ActorKind::Account(AccountId(uuid::Uuid::from_u128(9))),
            roles: [Role::Editor].into_iter().collect(),
            ..Actor::system(region)
        };
        Box::pin(async move {
            Ok(Some(Session {
                bar: None,
                actor,
                csrf: "token".to_owned(),
            }))
        })
    }
}

struct City {
    router: Router,
    clock: Clock,
    _store: TemporaryStore,
}

impl City {
    async fn new() -> Self {
        let now: Timestamp = "2026-11-23T01:00:00Z".parse().unwrap();
        let clock = Clock::fixed(now);
        let opened = tokio::task::spawn_blocking(move || Store::open_temporary(now));
        let store = opened.await.unwrap().unwrap();
        let app = App {
            store: Store::clone(&store),
            clock: clock.clone(),
            site: Arc::new(Site {
                city: "温州市".into(),
                region: "330300".parse().unwrap(),
                demo: true,
                secure: false,
                data: store.dir().to_owned(),
                gateway: Vec::new(),
                password_days: 0,
            }),
            sessions: Arc::new(Editors),
            attempts: Arc::new(Attempts::default()),
            provider: None,
        };
        Self {
            router: mount(&app, crate::router::routes()),
            clock,
            _store: store,
        }
    }

    async fn send(&self, request: Request<Body>) -> (StatusCode, String, String) {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let location = response
            .headers()
            .get(LOCATION)
            .map(|value| value.to_str().unwrap().to_owned());
        let status = response.status();
        let body = axum::body::to_bytes(response.into_body(), 1 << 22)
            .await
            .unwrap();
        (
            status,
            location.unwrap_or_default(),
            String::from_utf8(body.to_vec()).unwrap(),
        )
    }

    async fn get(&self, cookie: &str, path: &str) -> (StatusCode, String) {
        let request = Request::get(path)
            .header(COOKIE, cookie)
            .body(Body::empty())
            .unwrap();
        let (status, _, body) = self.send(request).await;
        (status, body)
    }

    async fn post(
        &self,
        cookie: &str,
        path: &str,
        key: &str,
        fields: &[(&str, &str)],
    ) -> (StatusCode, String, String) {
        let common = [("csrf", "token"), ("idempotency_key", key)];
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(common)
            .extend_pairs(fields)
            .finish();
        let request = Request::post(path)
            .header(COOKIE, cookie)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(body))
            .unwrap();
        self.send(request).await
    }
}

fn typed<'a>(title: &'a str, action: &'a str, version: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("title", title),
        ("region", "330324"),
        ("category", "policy"),
        ("published_on", "2026-11-20"),
        ("body", "光伏补贴怎样申报。\n## 步骤\n登录后填写。"),
        ("action", action),
        ("version", version),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn an_article_is_written_published_found_and_withdrawn() {
    let city = City::new().await;
    let desk = "/desk/articles";
    assert_eq!(city.get("", desk).await.0, StatusCode::SEE_OTHER);

    let (status, _, body) = city
        .post(EDITOR, desk, "k1", &typed("", "create", ""))
        .await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        body.contains("id=\"error-title\"") && body.contains("data-rule=\"required\""),
        "{body}"
    );
    assert!(body.contains("光伏补贴怎样申报"), "what was typed is kept");

    let (_, _, body) = city
        .post(EDITOR, desk, "k2", &typed("光伏指南", "preview", ""))
        .await;
    assert!(body.contains("<h2>步骤</h2>"), "{body}");

    let (status, place, _) = city
        .post(EDITOR, desk, "k3", &typed("光伏指南", "create", ""))
        .await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    let again = city
        .post(EDITOR, desk, "k3", &typed("光伏指南", "create", ""))
        .await;
    assert_eq!(again.1, place, "the same form posted twice has one effect");
    let public = place.trim_start_matches("/desk").to_owned();
    assert_eq!(city.get("", &public).await.0, StatusCode::NOT_FOUND);

    // Marks that nobody sees turn no title round.
    let publish = typed("光伏\u{202e}申报\u{200b}指南", "publish", "1");
    assert_eq!(
        city.post(COUNTY_EDITOR, &place, "k4", &publish).await.0,
        StatusCode::SEE_OTHER
    );
    let (status, body) = city.get("", &public).await;
    assert_eq!(status, StatusCode::OK);
    assert!(
        body.contains("<h1 lang=\"zh-CN\">光伏申报指南</h1>") && body.contains("/regions/330324"),
        "{body}"
    );
    for path in [
        "/",
        "/regions/330324",
        "/articles?q=%E7%94%B3%E6%8A%A5&category=policy",
    ] {
        assert!(city.get("", path).await.1.contains(&public), "{path}");
    }
    assert!(!city.get("", "/regions/330382").await.1.contains(&public));
    assert!(
        city.get("", "/articles/feed.atom")
            .await
            .1
            .contains(&public)
    );

    let stale = city
        .post(EDITOR, &place, "k5", &typed("迟到的修改", "edit", "1"))
        .await;
    assert_eq!(stale.0, StatusCode::CONFLICT);
    assert!(stale.2.contains("迟到的修改"), "the loser keeps his text");

    assert_eq!(
        city.post(EDITOR, &place, "k6", &typed("x", "unpublish", "3"))
            .await
            .0,
        StatusCode::SEE_OTHER
    );
    assert_eq!(city.get("", &public).await.0, StatusCode::NOT_FOUND);
    assert!(
        city.get(EDITOR, "/desk/articles?state=withdrawn")
            .await
            .1
            .contains(&place)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_article_of_a_coming_day_waits_for_it() {
    let city = City::new().await;
    let mut fields = typed("春节安排", "create_and_publish", "");
    fields[3] = ("published_on", "2026-11-25");
    let answer = city.post(EDITOR, "/desk/articles", "k", &fields).await;
    assert_eq!(answer.0, StatusCode::SEE_OTHER, "{}", answer.2);
    let (_, list) = city.get(EDITOR, "/desk/articles").await;
    assert!(list.contains("将于 2026-11-25 发布"), "{list}");
    let place = list
        .split("href=\"/desk/articles/")
        .find(|rest| rest.contains("春节安排"));
    let id = place.and_then(|rest| rest.split('"').next()).unwrap();
    let public = format!("/articles/{id}");
    let (_, form) = city.get(EDITOR, &format!("/desk/articles/{id}")).await;
    assert!(!form.contains(&format!("href=\"{public}\"")), "{form}");
    let lists = [
        "/",
        "/regions/330324",
        "/articles",
        "/articles/feed.atom",
        "/api/articles",
    ];
    for path in lists {
        assert!(!city.get("", path).await.1.contains(id), "{path}");
    }
    for path in [public.clone(), format!("/api{public}")] {
        assert_eq!(city.get("", &path).await.0, StatusCode::NOT_FOUND, "{path}");
    }

    city.clock.set("2026-11-24T16:00:00Z".parse().unwrap());
    for path in lists {
        assert!(city.get("", path).await.1.contains(id), "{path}");
    }
    assert_eq!(city.get("", &public).await.0, StatusCode::OK);
    assert!(!city.get(EDITOR, "/desk/articles").await.1.contains("将于"));
}

#[tokio::test(flavor = "multi_thread")]
async fn county_editors_stay_in_their_county() {
    let city = City::new().await;
    let (_, place, _) = city
        .post(EDITOR, "/desk/articles", "k", &typed("永嘉", "create", ""))
        .await;
    assert_eq!(city.get(COUNTY_EDITOR, &place).await.0, StatusCode::OK);
    assert_eq!(
        city.get("luodi=330382", &place).await.0,
        StatusCode::NOT_FOUND
    );
    let (status, body) = city.get("luodi=330382", "/desk/articles").await;
    assert!(status == StatusCode::OK && !body.contains(&place));
    let other = city
        .post("luodi=330382", &place, "k2", &typed("改", "edit", "1"))
        .await;
    assert_eq!(other.0, StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn public_pages_speak_both_languages_and_refuse_nonsense() {
    let city = City::new().await;
    assert!(
        city.get("", "/")
            .await
            .1
            .contains("示范城市 · 数据由程序生成")
    );
    let (_, english) = city.get("", "/articles?lang=en").await;
    assert!(
        english.contains("<html lang=\"en\">") && english.contains("All regions"),
        "{english}"
    );
    let (status, body) = city.get("", "/articles?from=2026-02-30").await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    for mark in [
        "id=\"error-from\" data-rule=\"date-impossible\"",
        "type=\"text\" value=\"2026-02-30\" id=\"field-from\"",
    ] {
        assert!(body.contains(mark), "{mark}: {body}");
    }
    let (status, body) = city
        .get(EDITOR, "/desk/articles?to=1890-01-01&from=x")
        .await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    for mark in [
        "id=\"error-to\" data-rule=\"date-earliest\"",
        "不早于 1900-01-01",
        "id=\"error-from\" data-rule=\"date\"",
    ] {
        assert!(body.contains(mark), "{mark}: {body}");
    }
    for path in [
        "/articles/xyz",
        "/regions/110000",
        "/regions/abc",
        "/regions/330302005",
    ] {
        assert_eq!(city.get("", path).await.0, StatusCode::NOT_FOUND, "{path}");
    }
}
