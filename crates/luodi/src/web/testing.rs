//! A browser without a screen, for stories told through the routes.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::header::{COOKIE, LOCATION, RETRY_AFTER, SET_COOKIE};
use axum::http::{Request, Response, StatusCode};
use tower::ServiceExt;

use super::{App, Attempts, Clock, Site, mount};
use crate::store::Store;

/// All routes over a store, as the demonstration city of 温州 serves them.
pub(crate) fn router(store: &Store, clock: &Clock) -> Router {
    mount(&app(store, clock), crate::router::routes())
}

/// The application behind [`router`].
pub(crate) fn app(store: &Store, clock: &Clock) -> App {
    App {
        store: store.clone(),
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
        sessions: Arc::new(crate::account::Sessions),
        attempts: Arc::new(Attempts::default()),
        provider: None,
    }
}

/// A browser: keeps cookies, reads tokens from the page.
pub(crate) struct Browser<'a> {
    router: &'a Router,
    pub(crate) cookies: Vec<(String, String)>,
    /// What the last answer said of when to come again.
    pub(crate) retry_after: String,
}

impl<'a> Browser<'a> {
    pub(crate) fn new(router: &'a Router) -> Self {
        Self {
            router,
            cookies: Vec::new(),
            retry_after: String::new(),
        }
    }

    /// The same browser a second time.
    pub(crate) fn clone_of(&self) -> Self {
        Self {
            router: self.router,
            cookies: self.cookies.clone(),
            retry_after: String::new(),
        }
    }

    async fn send(&mut self, request: Request<Body>) -> (StatusCode, String, String) {
        let response: Response<Body> = self.router.clone().oneshot(request).await.unwrap();
        for cookie in response.headers().get_all(SET_COOKIE) {
            let pair = cookie.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            self.cookies.retain(|(known, _)| known != name);
            self.cookies.push((name.into(), value.into()));
        }
        let status = response.status();
        let header = |name| response.headers().get(name).and_then(|v| v.to_str().ok());
        let location = header(LOCATION).unwrap_or_default().to_owned();
        self.retry_after = header(RETRY_AFTER).unwrap_or_default().to_owned();
        let body = axum::body::to_bytes(response.into_body(), 1 << 22)
            .await
            .unwrap();
        (
            status,
            location,
            String::from_utf8_lossy(&body).into_owned(),
        )
    }

    fn request(&self, method: &str, path: &str) -> axum::http::request::Builder {
        let line: Vec<String> = self
            .cookies
            .iter()
            .map(|(k, v)| format!("{k}={v}"))
            .collect();
        Request::builder()
            .method(method)
            .uri(path)
            .header(COOKIE, line.join("; "))
    }

    pub(crate) async fn get(&mut self, path: &str) -> (StatusCode, String, String) {
        let request = self.request("GET", path).body(Body::empty()).unwrap();
        self.send(request).await
    }

    pub(crate) async fn post(
        &mut self,
        path: &str,
        fields: &[(&str, impl AsRef<str>)],
    ) -> (StatusCode, String, String) {
        self.post_as("same-origin", path, fields).await
    }

    /// Posts as a page of this site, or of another one.
    pub(crate) async fn post_as(
        &mut self,
        site: &str,
        path: &str,
        fields: &[(&str, impl AsRef<str>)],
    ) -> (StatusCode, String, String) {
        let body: String = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields.iter().map(|(name, value)| (*name, value.as_ref())))
            .finish();
        let request = self
            .request("POST", path)
            .header("content-type", "application/x-www-form-urlencoded")
            .header("sec-fetch-site", site)
            .body(Body::from(body))
            .unwrap();
        self.send(request).await
    }

    /// Posts a form of this site whose body is made elsewhere.
    pub(crate) async fn post_body(
        &mut self,
        path: &str,
        body: Body,
    ) -> (StatusCode, String, String) {
        let request = self
            .request("POST", path)
            .header("content-type", "application/x-www-form-urlencoded")
            .header("sec-fetch-site", "same-origin")
            .body(body)
            .unwrap();
        self.send(request).await
    }

    /// Logs in; where the page of an account of a demonstration shows the code of its second
    /// factor, types that, too.
    pub(crate) async fn log_in(
        &mut self,
        login: &str,
        password: &str,
    ) -> (StatusCode, String, String) {
        let answer = self.post_log_in(login, password).await;
        match answer.2.split_once("data-code=\"") {
            Some((_, rest)) => {
                let code = rest.split('"').next().unwrap();
                self.give_code(&answer.2, code).await
            }
            None => answer,
        }
    }

    /// Posts name and password.
    pub(crate) async fn post_log_in(
        &mut self,
        login: &str,
        password: &str,
    ) -> (StatusCode, String, String) {
        let (_, _, page) = self.get("/login").await;
        let csrf = field(&page, "csrf");
        let fields = [
            ("csrf", csrf.as_str()),
            ("idempotency_key", "k"),
            ("login", login),
            ("password", password),
        ];
        self.post("/login", &fields).await
    }

    /// Answers the page that asks for a code of the second factor, with all it carries unseen.
    pub(crate) async fn give_code(
        &mut self,
        page: &str,
        code: &str,
    ) -> (StatusCode, String, String) {
        let mut fields = hidden(page, "action=\"/login\"");
        fields.push(("totp".to_owned(), code.to_owned()));
        let fields: Vec<(&str, &str)> = fields
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        self.post("/login", &fields).await
    }
}

/// The hidden fields of the first form after a mark, as a browser would send them.
fn hidden(page: &str, mark: &str) -> Vec<(String, String)> {
    let form = page.split_once(mark).map_or("", |(_, rest)| rest);
    let form = form.split("</form>").next().unwrap();
    let inputs = form.split("<input type=\"hidden\" name=\"").skip(1);
    let plain = |text: &str| {
        let signs = [
            ("&#60;", "<"),
            ("&#62;", ">"),
            ("&#34;", "\""),
            ("&#39;", "'"),
        ];
        let text = signs
            .iter()
            .fold(text.to_owned(), |text, (from, to)| text.replace(from, to));
        text.replace("&#38;", "&")
    };
    inputs
        .filter_map(|input| {
            let (name, rest) = input.split_once("\" value=\"")?;
            Some((name.to_owned(), plain(rest.split_once('"')?.0)))
        })
        .collect()
}

/// The value of the first hidden field of this name.
pub(crate) fn field(page: &str, name: &str) -> String {
    let start = page
        .find(&format!("name=\"{name}\" value=\""))
        .unwrap_or_else(|| panic!("{name} in {page}"));
    let rest = page.get(start..).unwrap().split("value=\"").nth(1).unwrap();
    rest.split('"').next().unwrap().to_owned()
}
