//! A demonstration city for tests: made once per test binary, copied for each test, visited
//! through the router without a network.

mod apply;
mod ground;
pub mod http;
mod state;

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use axum::http::{Request, StatusCode};
use jiff::{SignedDuration, Timestamp};
use luodi::cli::{More, application};
use luodi::store::{Options, Reading, Store};
use luodi::web::{App, Clock, mount};
use tower::ServiceExt;

pub use apply::{PAPERS, PDF, changed, good_application};
pub use ground::Ground;

use http::multipart;

/// The demonstration's day in tests: a Monday.
pub const TODAY: &str = "2026-11-23";

/// Monday, 23 November 2026, 10:00 in China.
pub fn morning() -> Timestamp {
    "2026-11-23T02:00:00Z".parse().unwrap()
}

/// The folder every test copies: made once for this build of the test binary, whichever process
/// comes first, and kept beside the build for the others.
static TEMPLATE: LazyLock<PathBuf> = LazyLock::new(|| {
    // On a thread of its own: a test's runtime must not be blocked.
    std::thread::spawn(template).join().unwrap()
});

fn template() -> PathBuf {
    let built = std::env::current_exe()
        .unwrap()
        .metadata()
        .unwrap()
        .modified()
        .unwrap();
    let built = built
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_nanos();
    let beside = Path::new(env!("CARGO_TARGET_TMPDIR"));
    std::fs::create_dir_all(beside).unwrap();
    let lock = std::fs::File::create(beside.join("demo.lock")).unwrap();
    lock.lock().unwrap();
    let folder = beside.join(format!("demo-{built}"));
    if !folder.exists() {
        for old in std::fs::read_dir(beside).unwrap().flatten() {
            if old.file_name().to_string_lossy().starts_with("demo-") {
                let _ = std::fs::remove_dir_all(old.path());
            }
        }
        let part = beside.join("demo-part");
        make(&part);
        std::fs::rename(part, &folder).unwrap();
    }
    folder
}

fn make(folder: &Path) {
    let store = Store::open(folder, &quick()).unwrap();
    let clock = Clock::fixed(morning());
    luodi::demo::fill(&store, &clock, 1, Some(TODAY.parse().unwrap())).unwrap();
    store.sequence_blocking(morning()).unwrap();
    store.shutdown();
}

fn quick() -> Options {
    Options {
        durable: false,
        ..Options::new(morning())
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// The application on a city's store.
pub fn served(ground: &Ground, clock: &Clock) -> App {
    let make =
        || application(ground.open(), ground.data(), clock.clone(), More::default()).unwrap();
    // On a thread of its own: a server's client waits by itself, which a test's runtime must not.
    std::thread::scope(|scope| scope.spawn(make).join().unwrap())
}

/// A demonstration city of a test's own.
pub struct TestCity {
    pub app: App,
    pub clock: Clock,
    router: Router,
    ground: Arc<Ground>,
}

impl TestCity {
    pub fn open() -> Self {
        Self::on(Arc::new(Ground::demo()))
    }

    /// One whose tables are a file, for tests of the file.
    pub fn open_in_a_file() -> Self {
        Self::on(Arc::new(Ground::demo_in_a_file()))
    }

    fn on(ground: Arc<Ground>) -> Self {
        let clock = Clock::fixed(morning());
        let app = served(&ground, &clock);
        let router = mount(&app, luodi::router::routes());
        Self {
            app,
            clock,
            router,
            ground,
        }
    }

    /// Another server of the same city; none where its tables are a file, which has one server.
    pub fn another_server(&self) -> Option<Self> {
        self.ground.url()?;
        Some(Self::on(self.ground.clone()))
    }

    /// The data folder.
    pub fn folder(&self) -> &Path {
        self.ground.data()
    }

    /// What is not as the log says: nothing, unless a test changed rows by force.
    pub fn differing(&self) -> Vec<String> {
        // On a thread of its own: a test's runtime must not be blocked.
        let look = || {
            let reading = Reading::open(self.ground.data(), &self.ground.options()).unwrap();
            reading.verify_log(None, self.clock.now()).unwrap()
        };
        let found = std::thread::scope(|scope| scope.spawn(look).join().unwrap());
        let told = found.findings.iter();
        told.map(|it| format!("{} {:?} {}", it.table, it.id, it.why))
            .collect()
    }

    /// A visitor who is not logged in.
    pub fn stranger(&self) -> Visitor<'_> {
        Visitor {
            city: self,
            cookies: Vec::new(),
        }
    }

    /// A visitor logged in with an account of the demonstration.
    pub async fn log_in(&self, user: &str) -> Visitor<'_> {
        let mut visitor = self.stranger();
        let page = visitor.get("/login").await;
        let password = page.between(&format!("data-user=\"{user}\" data-password=\""), "\"");
        let fields = [("login", user), ("password", &password)];
        let mut answer = visitor.post_from(&page, "/login", &fields).await;
        if answer.says("name=\"ticket\"") {
            answer = self.give_code(&mut visitor, answer).await;
        }
        assert_eq!(
            answer.status,
            StatusCode::SEE_OTHER,
            "{user}: {}",
            answer.text()
        );
        visitor
    }

    /// Types the code that the page shows of a demonstration's account. Where this half minute's
    /// are used, the visitor waits for the next, which a clock that is set by hand makes short.
    async fn give_code(&self, visitor: &mut Visitor<'_>, mut page: Answer) -> Answer {
        if !page.says("data-code=\"") {
            self.clock
                .set(self.clock.now() + SignedDuration::from_secs(60));
            page = visitor.post_from(&page, "/login", &[("totp", "")]).await;
        }
        let code = page.between("data-code=\"", "\"");
        let fields = [("totp", code.as_str())];
        visitor.post_from(&page, "/login", &fields).await
    }
}

impl Drop for TestCity {
    /// Whatever the test did, every row is as the log says.
    fn drop(&mut self) {
        self.app.store.shutdown();
        if !std::thread::panicking() && !self.ground.forced.load(Ordering::Relaxed) {
            let differing = self.differing();
            assert!(differing.is_empty(), "{differing:#?}");
        }
    }
}

/// A browser without a screen: cookies, pages, forms.
#[derive(Clone)]
pub struct Visitor<'a> {
    city: &'a TestCity,
    cookies: Vec<(String, String)>,
}

/// An answer as a test looks at it.
pub struct Answer {
    pub status: StatusCode,
    pub location: String,
    pub html: String,
    pub bytes: Vec<u8>,
}

impl Answer {
    /// Field and rule of every refusal on the page.
    pub fn refused(&self) -> Vec<(&str, &str)> {
        let marks = self.html.split("id=\"error-").skip(1);
        marks
            .filter_map(|rest| {
                let (field, rest) = rest.split_once('"')?;
                let rest = rest.strip_prefix(" data-rule=\"")?;
                Some((field, rest.split_once('"')?.0))
            })
            .collect()
    }

    /// The value of a hidden field, the first time.
    pub fn hidden(&self, name: &str) -> String {
        self.between(&format!("name=\"{name}\" value=\""), "\"")
    }

    /// Hidden fields of the form that leads to this path, if the page has one.
    fn carried(&self, path: &str) -> Vec<(String, String)> {
        let form = self.html.split_once(&format!("action=\"{path}\""));
        let html = form.map_or("", |(_, rest)| rest.split("</form>").next().unwrap());
        let inputs = html.split("<input type=\"hidden\" name=\"").skip(1);
        inputs
            .filter_map(|input| {
                let (name, rest) = input.split_once("\" value=\"")?;
                Some((name.to_owned(), rest.split_once('"')?.0.to_owned()))
            })
            .collect()
    }

    /// What stands between two marks, the first time.
    pub fn between(&self, before: &str, after: &str) -> String {
        let rest = self
            .html
            .split_once(before)
            .unwrap_or_else(|| panic!("no {before} in {}", self.text()))
            .1;
        rest.split_once(after).unwrap().0.to_owned()
    }

    /// Whether the page says so.
    pub fn says(&self, text: &str) -> bool {
        self.html.contains(text)
    }

    /// The page without its marks.
    pub fn text(&self) -> String {
        let mut out = String::new();
        let mut inside = false;
        for c in self.html.chars() {
            match c {
                '<' => inside = true,
                '>' => inside = false,
                c if !inside => out.push(c),
                _ => {}
            }
        }
        out.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

impl Visitor<'_> {
    /// The same browser, led to another server.
    pub fn led_to<'b>(&self, city: &'b TestCity) -> Visitor<'b> {
        Visitor {
            city,
            cookies: self.cookies.clone(),
        }
    }

    /// Makes the first batch that a page of waiting cases offers, from the first budget line.
    pub async fn propose_first(&mut self, choice: &Answer) -> Answer {
        let section = choice.html.split_once("id=\"waiting-").unwrap().1;
        let line = section.split("<option value=\"").nth(2).unwrap();
        let line = line.split_once('"').unwrap().0.to_owned();
        let (item, period) = (choice.hidden("item"), choice.hidden("period"));
        let (count, total) = (choice.hidden("count"), choice.hidden("total_fen"));
        let fields = [
            ("action", "create_batch"),
            ("item", &item),
            ("period", &period),
            ("line", &line),
            ("count", &count),
            ("total_fen", &total),
        ];
        self.post_from(choice, "/batches/new", &fields).await
    }

    async fn send(&mut self, request: Request<Body>) -> Answer {
        let response = self.city.router.clone().oneshot(request).await.unwrap();
        for line in response.headers().get_all(SET_COOKIE) {
            let line = line.to_str().unwrap();
            let (name, value) = line.split(';').next().unwrap().split_once('=').unwrap();
            self.cookies.retain(|(known, _)| known != name);
            if !value.is_empty() && !line.contains("Max-Age=0") {
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
        let status = response.status();
        let location = response
            .headers()
            .get(LOCATION)
            .map(|l| l.to_str().unwrap().to_owned());
        let bytes = axum::body::to_bytes(response.into_body(), usize::MAX)
            .await
            .unwrap();
        Answer {
            status,
            location: location.unwrap_or_default(),
            html: String::from_utf8_lossy(&bytes).into_owned(),
            bytes: bytes.into(),
        }
    }

    fn request(&self, method: &str, path: &str) -> axum::http::request::Builder {
        let cookies: Vec<String> = self
            .cookies
            .iter()
            .map(|(n, v)| format!("{n}={v}"))
            .collect();
        Request::builder()
            .method(method)
            .uri(path)
            .header(COOKIE, cookies.join("; "))
    }

    pub async fn get(&mut self, path: &str) -> Answer {
        let request = self.request("GET", path).body(Body::empty()).unwrap();
        self.send(request).await
    }

    /// Posts fields with the token and key of a page that was shown, and with whatever else its form
    /// for this path carries unseen.
    pub async fn post_from(
        &mut self,
        page: &Answer,
        path: &str,
        fields: &[(&str, &str)],
    ) -> Answer {
        let csrf = page.between("name=\"csrf\" value=\"", "\"");
        let key = page.between("name=\"idempotency_key\" value=\"", "\"");
        let mut all = vec![("csrf", csrf.as_str()), ("idempotency_key", key.as_str())];
        all.extend_from_slice(fields);
        let carried = page.carried(path);
        for (name, value) in &carried {
            if all.iter().all(|(known, _)| known != name) {
                all.push((name, value));
            }
        }
        self.post_raw(path, &all).await
    }

    /// Posts fields and files (field, name, content) with the token and key of a page.
    pub async fn upload_from(
        &mut self,
        page: &Answer,
        path: &str,
        fields: &[(&str, &str)],
        files: &[(&str, &str, &[u8])],
    ) -> Answer {
        let csrf = page.hidden("csrf");
        let key = page.hidden("idempotency_key");
        let mut all = vec![("csrf", csrf.as_str()), ("idempotency_key", key.as_str())];
        all.extend_from_slice(fields);
        self.upload_raw(path, &all, files).await
    }

    /// Posts exactly these fields and files.
    pub async fn upload_raw(
        &mut self,
        path: &str,
        fields: &[(&str, &str)],
        files: &[(&str, &str, &[u8])],
    ) -> Answer {
        let (kind, body) = multipart(fields, files);
        let request = self
            .request("POST", path)
            .header("sec-fetch-site", "same-origin")
            .header(CONTENT_TYPE, kind)
            .body(Body::from(body))
            .unwrap();
        self.send(request).await
    }

    /// Asks as a program does: JSON, with token and key in headers; with files as a multipart.
    pub async fn call(
        &mut self,
        path: &str,
        (token, key): (&str, &str),
        json: &serde_json::Value,
        files: &[(&str, &str, &[u8])],
    ) -> Answer {
        let text = json.to_string();
        let (kind, body) = if files.is_empty() {
            ("application/json".to_owned(), text.into_bytes())
        } else {
            multipart(&[("json", &text)], files)
        };
        let request = self
            .request("POST", path)
            .header("x-csrf-token", token)
            .header("idempotency-key", key)
            .header(CONTENT_TYPE, kind)
            .body(Body::from(body))
            .unwrap();
        self.send(request).await
    }

    /// Posts exactly these fields.
    pub async fn post_raw(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let body: String = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        let request = self
            .request("POST", path)
            .header("sec-fetch-site", "same-origin")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(body))
            .unwrap();
        self.send(request).await
    }
}
