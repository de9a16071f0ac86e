//! Debian's chromium, driven through chromedriver: pages opened, fields filled, buttons pressed, and
//! every page that comes up looked at: its language, its width, what the browser complains of.
//!
//! Lacks any knowledge of the pages themselves.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use axum::http::Method;
use base64::Engine;
use fantoccini::elements::Element;
use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder, Locator};
use serde_json::{Value as Json, json};

const CHROMIUM: &str = "/usr/bin/chromium";
const CHROMEDRIVER: &str = "/usr/bin/chromedriver";

/// The longest wait for a page; a slow machine that builds something else needs some of it.
const PATIENCE: Duration = Duration::from_secs(60);
/// The tallest picture of a page, in pixels.
const TALLEST: u64 = 6_000;

/// A screen the story is played on.
#[derive(Clone, Copy, Debug)]
pub struct Screen {
    pub name: &'static str,
    pub width: u64,
    pub height: u64,
}

/// Where there is no browser to play in, says so; the Makefile installs both where tests run.
pub fn missing() -> Option<&'static str> {
    [CHROMIUM, CHROMEDRIVER]
        .into_iter()
        .find(|path| !Path::new(path).exists())
}

/// A browser with one window.
pub struct Browser {
    client: Client,
    screen: Screen,
    address: String,
    shots: PathBuf,
    taken: std::cell::Cell<u32>,
    driver: Driver,
}

/// The process of chromedriver; with it ends its browser.
struct Driver {
    process: Child,
    port: u16,
    _profile: tempfile::TempDir,
}

impl Driver {
    /// Asks it to end itself and its browser, and waits until it hangs up.
    fn shut_down(&self) -> std::io::Result<()> {
        let mut line = TcpStream::connect(("127.0.0.1", self.port))?;
        line.set_read_timeout(Some(Duration::from_secs(10)))?;
        line.write_all(b"GET /shutdown HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")?;
        std::io::copy(&mut line, &mut std::io::sink()).map(|_| ())
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // A story that failed leaves its browser open; killed at once, the driver would leave it too.
        let _ = self.shut_down();
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What chromedriver can do beyond the standard.
#[derive(Debug)]
struct Extension {
    path: &'static str,
    body: Json,
}

impl WebDriverCompatibleCommand for Extension {
    fn endpoint(
        &self,
        base: &url::Url,
        session: Option<&str>,
    ) -> Result<url::Url, url::ParseError> {
        let session = session.unwrap_or_default();
        base.join(&format!("session/{session}/{}", self.path))
    }

    fn method_and_body(&self, _: &url::Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.body.to_string()))
    }
}

/// Starts chromedriver on a port of its own choice.
fn start_driver() -> (Child, u16) {
    let mut process = Command::new(CHROMEDRIVER)
        .args(["--port=0", "--log-level=SEVERE"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let port = lines
        .map(|line| line.unwrap())
        .find_map(|line| {
            let said = line.split_once("successfully on port ")?.1.to_owned();
            said.trim_end_matches('.').parse().ok()
        })
        .expect("chromedriver says on which port it listens");
    (process, port)
}

fn capabilities(screen: Screen, profile: &Path) -> serde_json::Map<String, Json> {
    let profile = format!("--user-data-dir={}", profile.display());
    let arguments = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--hide-scrollbars",
        // A page that glides to its place moves away from under the pointer.
        "--force-prefers-reduced-motion",
        "--lang=zh-CN",
        "--window-size=1400,1000",
        &profile,
    ];
    let wanted = json!({
        "goog:chromeOptions": {
            "binary": CHROMIUM,
            "args": arguments,
            // A window is never narrower than 500 pixels, a screen is.
            "mobileEmulation": { "deviceMetrics": {
                "width": screen.width, "height": screen.height, "pixelRatio": 1.0,
                "mobile": false, "touch": false,
            } },
        },
        "goog:loggingPrefs": { "browser": "ALL" },
    });
    wanted.as_object().unwrap().clone()
}

impl Browser {
    /// Opens a window of that size; `address` is where the city is served.
    pub async fn open(screen: Screen, address: &str) -> Self {
        let (process, port) = start_driver();
        let profile = tempfile::tempdir().unwrap();
        let wanted = capabilities(screen, profile.path());
        let driver = Driver {
            process,
            port,
            _profile: profile,
        };
        let client = ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new())
            .capabilities(wanted)
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .unwrap();
        let shots = shots_folder();
        std::fs::create_dir_all(&shots).unwrap();
        Self {
            client,
            screen,
            address: address.to_owned(),
            shots,
            taken: std::cell::Cell::new(0),
            driver,
        }
    }

    /// Closes the window, then the driver.
    pub async fn close(self) {
        self.client.close().await.unwrap();
        drop(self.driver);
    }

    async fn extension(&self, path: &'static str, body: Json) -> Json {
        self.client
            .issue_cmd(Extension { path, body })
            .await
            .unwrap()
    }

    /// Opens a path of the city.
    pub async fn go(&self, path: &str) {
        self.client
            .goto(&format!("{}{path}", self.address))
            .await
            .unwrap();
        self.look().await;
    }

    /// The path the window shows.
    pub async fn path(&self) -> String {
        self.client.current_url().await.unwrap().path().to_owned()
    }

    /// Runs a script and gives what it returns.
    pub async fn script(&self, script: &str, arguments: Vec<Json>) -> Json {
        self.client.execute(script, arguments).await.unwrap()
    }

    /// What every page must be: in a language, no wider than the window, without complaints of
    /// the browser but its advice. A refused form is answered with 422, which it reports too.
    async fn look(&self) {
        let path = self.path().await;
        let seen = self
            .script(
                "return [document.documentElement.lang, document.documentElement.scrollWidth]",
                vec![],
            )
            .await;
        assert_eq!(seen[0], "zh-CN", "language of {path}");
        assert!(
            seen[1].as_u64().unwrap() <= self.screen.width,
            "{path} is {} pixels wide on a {}: {}",
            seen[1],
            self.screen.name,
            self.too_wide().await
        );
        let log = self.extension("se/log", json!({ "type": "browser" })).await;
        let complaints: Vec<&Json> = log
            .as_array()
            .unwrap()
            .iter()
            .filter(|entry| entry["level"] == "SEVERE")
            .filter(|entry| !entry["message"].to_string().contains("status of 422"))
            .collect();
        assert!(complaints.is_empty(), "on {path}: {complaints:?}");
    }

    /// The innermost elements that stick out to the right.
    async fn too_wide(&self) -> Json {
        let script = "return [...document.querySelectorAll('main *')] \
             .filter(e => e.getBoundingClientRect().right > arguments[0] + 1) \
             .slice(-5).map(e => e.tagName + '.' + e.className + ': ' + e.textContent.trim().slice(0, 40))";
        self.script(script, vec![self.screen.width.into()]).await
    }

    /// Keeps a picture of the whole page, numbered in the order of the story.
    pub async fn shoot(&self, name: &str) {
        self.taken.set(self.taken.get() + 1);
        let height = self
            .script("return document.documentElement.scrollHeight", vec![])
            .await;
        let clip = json!({
            "x": 0, "y": 0, "scale": 1, "width": self.screen.width,
            "height": height.as_u64().unwrap().clamp(self.screen.height, TALLEST),
        });
        let wanted = json!({
            "cmd": "Page.captureScreenshot",
            "params": { "format": "png", "captureBeyondViewport": true, "clip": clip },
        });
        let taken = self.extension("goog/cdp/execute", wanted).await;
        let picture = base64::engine::general_purpose::STANDARD
            .decode(taken["data"].as_str().unwrap())
            .unwrap();
        let file = format!("{}-{:02}-{name}.png", self.screen.name, self.taken.get());
        std::fs::write(self.shots.join(file), picture).unwrap();
    }

    /// The one element that is looked for.
    pub async fn find(&self, css: &str) -> Element {
        match self.client.find(Locator::Css(css)).await {
            Ok(found) => found,
            Err(error) => panic!(
                "no {css} on {}: {error}\n{}",
                self.path().await,
                self.text("main").await
            ),
        }
    }

    /// Whether the page has such an element.
    pub async fn has(&self, css: &str) -> bool {
        !self
            .client
            .find_all(Locator::Css(css))
            .await
            .unwrap()
            .is_empty()
    }

    /// The text of an element as a person sees it.
    pub async fn text(&self, css: &str) -> String {
        let found = self.client.find(Locator::Css(css)).await.unwrap();
        found.text().await.unwrap()
    }

    /// An attribute of an element.
    pub async fn attr(&self, css: &str, name: &str) -> String {
        let found = self.find(css).await.attr(name).await.unwrap();
        found.unwrap_or_else(|| panic!("{css} has no {name}"))
    }

    /// Types into the field of this name, over what stands there.
    pub async fn fill(&self, name: &str, text: &str) {
        let field = self.find(&format!("main #field-{name}")).await;
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// Sets a field whose way of typing depends on the browser's language, such as a day. With
    /// `plain` it becomes a text first, as in a browser that has no such field.
    pub async fn set(&self, name: &str, value: &str, plain: bool) {
        let script = "const field = document.getElementById('field-' + arguments[0]); \
             if (arguments[2]) field.type = 'text'; \
             field.value = arguments[1]; \
             field.dispatchEvent(new Event('input', { bubbles: true })); \
             field.dispatchEvent(new Event('change', { bubbles: true })); \
             return field.value";
        let arguments = vec![name.into(), value.into(), plain.into()];
        assert_eq!(self.script(script, arguments).await, value, "{name}");
    }

    /// Chooses the last option of a list.
    pub async fn choose_last(&self, css: &str) {
        let script = "const list = document.querySelector(arguments[0]); \
             list.selectedIndex = list.options.length - 1; \
             list.dispatchEvent(new Event('change', { bubbles: true })); \
             return list.value";
        let chosen = self.script(script, vec![css.into()]).await;
        assert_ne!(chosen, "", "{css} offers nothing");
    }

    /// The amount of a `<data>` element, in fen.
    pub async fn fen(&self, css: &str) -> i64 {
        self.attr(css, "value").await.parse().unwrap()
    }

    /// Gives files to the file field of this name.
    pub async fn upload(&self, name: &str, files: &[&Path]) {
        let files: Vec<String> = files
            .iter()
            .map(|file| file.display().to_string())
            .collect();
        let field = self.find(&format!("main #field-{name}")).await;
        field.send_keys(&files.join("\n")).await.unwrap();
    }

    /// Brings an element to the middle, where nothing lies over it, and clicks it.
    pub async fn click(&self, css: &str) {
        let found = self.find(css).await;
        let script = "document.querySelector(arguments[0]).scrollIntoView({ block: 'center', behavior: 'instant' })";
        self.script(script, vec![css.into()]).await;
        found.click().await.unwrap();
    }

    /// Clicks what leads to another page, waits for it and looks at it.
    async fn leave(&self, css: &str, confirmed: bool) {
        self.script("document.documentElement.dataset.left = ''", vec![])
            .await;
        self.click(css).await;
        if confirmed {
            self.client.accept_alert().await.unwrap();
        }
        self.client
            .wait()
            .at_most(PATIENCE)
            .for_element(Locator::Css("html:not([data-left]) .foot"))
            .await
            .unwrap();
        self.look().await;
    }

    /// Follows a link.
    pub async fn follow(&self, css: &str) {
        self.leave(css, false).await;
    }

    /// Presses the button of an action of the page.
    pub async fn press(&self, action: &str) {
        let css = format!("main button[name=action][value={action}]");
        self.leave(&css, false).await;
    }

    /// Presses the button of an action that asks whether one is sure, and is.
    pub async fn press_surely(&self, action: &str) {
        let css = format!("main button[name=action][value={action}]");
        self.leave(&css, true).await;
    }

    /// Sends the form of an action without leaving the page and gives the file that comes back.
    pub async fn download(&self, action: &str) -> String {
        let script = "const done = arguments[1]; \
             const button = document.querySelector(`main button[name=action][value=${arguments[0]}]`); \
             const body = new URLSearchParams(new FormData(button.form, button)); \
             fetch(button.form.getAttribute('action'), { method: 'POST', body }).then(a => a.text()).then(done)";
        let file = self
            .client
            .execute_async(script, vec![action.into()])
            .await
            .unwrap();
        file.as_str().unwrap().to_owned()
    }

    /// Logs out whoever is logged in, and in as this account of the demonstration, by its button
    /// in the table of the log-in page.
    pub async fn log_in(&self, user: &str) {
        self.log_out().await;
        self.go("/login").await;
        let row = format!("tr[data-user='{user}'] button");
        let open = "document.querySelector(arguments[0]).closest('details').open = true";
        self.script(open, vec![row.as_str().into()]).await;
        self.leave(&row, false).await;
        if self.has("#demo-code [data-code]").await {
            let shown = "return document.querySelector('#demo-code [data-code]').dataset.code";
            let code = self.script(shown, vec![]).await;
            self.fill("totp", code.as_str().unwrap()).await;
            self.press("log_in").await;
        }
        assert_ne!(self.path().await, "/login", "{user} logs in");
    }

    /// Logs out by the menu, where somebody is logged in.
    pub async fn log_out(&self) {
        if self.has("form[data-logout]").await {
            self.click("details.menu summary").await;
            self.leave("form[data-logout] button", false).await;
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "where pictures go is the caller's"
)]
fn shots_folder() -> PathBuf {
    match std::env::var("LUODI_SHOTS") {
        Ok(folder) => folder.into(),
        Err(_) => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/shots"),
    }
}
