//! `luodi serve`: ready when it says so, alive until told to stop, and the folder's only writer
//! meanwhile.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use luodi::params;
use luodi::store::StoreError;
use serde_json::json;

use super::{Luodi, json_of};

/// A server of the binary; killed where the test forgets it.
pub(super) struct Server {
    child: Child,
    address: String,
}

impl Server {
    pub(super) fn start(city: &Luodi) -> Self {
        let mut child = city
            .command()
            .args(["serve", "--listen", "127.0.0.1:0", "--no-work"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening http://");
        let address = address.unwrap_or_else(|| panic!("{line}")).to_owned();
        Self { child, address }
    }

    /// Status line and body of a page.
    pub(super) fn get(&self, path: &str) -> (String, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.lines().next().unwrap().to_owned(), body.to_owned())
    }

    /// Asks it to stop and waits for its end.
    pub(super) fn terminate(mut self) -> ExitStatus {
        let pid = self.child.id().to_string();
        let told = Command::new("kill").args(["-TERM", &pid]).status().unwrap();
        assert!(told.success());
        self.child.wait().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Already gone after `terminate`.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn it_is_ready_and_drains() {
    let city = Luodi::demo();
    let server = Server::start(&city);
    assert_eq!(server.get("/healthz").0, "HTTP/1.1 200 OK");
    assert_eq!(server.get("/readyz").0, "HTTP/1.1 200 OK");
    assert!(server.get("/login").1.contains("data-user=\"window-yj\""));
    let socket = std::fs::metadata(city.data().join("luodi.sock")).unwrap();
    assert_eq!(socket.permissions().mode() & 0o777, 0o600);
    // An open connection that asks for nothing does not hold it up.
    let idle = TcpStream::connect(&server.address).unwrap();
    assert_eq!(server.terminate().code(), Some(0));
    drop(idle);
    assert!(!city.data().join("luodi.sock").exists());
    // The folder is free again, and whole.
    assert_eq!(city.run(&["ledger", "verify"]).status.code(), Some(0));
}

#[test]
fn a_command_goes_to_the_server_that_holds_the_folder() {
    let city = Luodi::demo();
    let server = Server::start(&city);
    city.write(
        "one.txt",
        "-\n【永嘉招商】经服务导入\n正文\n2025-07-19\n".as_bytes(),
    );
    // A path relative to who typed it.
    let out = city.run(&["import", "articles", "one.txt", "--json"]);
    assert_eq!(out.status.code(), Some(0));
    assert_eq!(json_of(&out)["counts"]["created"], json!(1));
    assert!(
        server.get("/articles").1.contains("经服务导入"),
        "seen at once"
    );
    city.write("broken.txt", b"-\n");
    let broken = city.run(&["import", "articles", "broken.txt", "--json"]);
    assert_eq!(broken.status.code(), Some(1));
    assert_eq!(city.run(&["ledger", "verify"]).status.code(), Some(0));
    assert_eq!(city.run(&["demo"]).status.code(), Some(0));
    assert_eq!(city.run(&["admin", "init"]).status.code(), Some(1));
    if city.ground().url().is_none() {
        // A second server cannot be had on a file: there is one writer.
        let second = city.run(&["serve", "--listen", "127.0.0.1:0"]);
        assert_eq!(second.status.code(), Some(3));
    }
    assert_eq!(server.terminate().code(), Some(0));

    let store = city.ground().open();
    let labels = store.read_blocking(|q| {
        q.rows(
            "SELECT DISTINCT actor_kind, actor_label FROM audit_event WHERE command LIKE 'article.import%'",
            params![],
            |row| Ok((row.get::<String>(0)?, row.get::<String>(1)?)),
        )
    });
    let labels: Vec<(String, String)> = labels.map_err(|error: StoreError| error).unwrap();
    store.shutdown();
    assert_eq!(
        labels,
        [("console".to_owned(), format!("console:{}", os_user()))],
        "whatever USER claims"
    );
}

/// The name of who runs the test, as the system tells it.
fn os_user() -> String {
    let out = Command::new("id").arg("-un").output().unwrap();
    String::from_utf8(out.stdout).unwrap().trim().to_owned()
}

/// The socket left behind by a server that was killed does not keep the next one away.
#[test]
fn a_killed_server_leaves_nothing_in_the_way() {
    let city = Luodi::demo();
    let mut server = Server::start(&city);
    server.child.kill().unwrap();
    server.child.wait().unwrap();
    assert!(city.data().join("luodi.sock").exists());
    assert_eq!(city.run(&["ledger", "verify"]).status.code(), Some(0));
    let next = Server::start(&city);
    assert_eq!(next.get("/readyz").0, "HTTP/1.1 200 OK");
    assert_eq!(next.terminate().code(), Some(0));
}

/// What cannot work is said at the start, in both languages, and the secret is not.
#[test]
fn a_provider_that_cannot_work_is_refused_at_the_start() {
    let city = Luodi::empty();
    let secret = city.write("secret", b"kept-to-itself");
    let none = city.path("none");
    let start = |args: &[&str]| {
        let all = [&["serve", "--listen", "127.0.0.1:0"], args].concat();
        city.exits(3, &all)
    };
    let back = "https://luodi.example/login/provider/return";
    let with = |issuer, secret| {
        start(&[
            "--oidc-issuer",
            issuer,
            "--oidc-client",
            "luodi",
            "--oidc-secret-file",
            secret,
            "--oidc-redirect",
            back,
        ])
    };
    for (said, chinese, english) in [
        (
            start(&["--oidc-client", "luodi"]),
            "一起给出",
            "go together",
        ),
        (start(&["--oidc-second-factor"]), "一起给出", "go together"),
        (
            with("http://id.example", &secret),
            "须是 https",
            "https address",
        ),
        (
            with("https://id.example", &none),
            "无法读取",
            "cannot be read",
        ),
    ] {
        assert!(said.contains(chinese) && said.contains(english), "{said}");
        assert!(!said.contains("kept-to-itself"), "{said}");
    }
}
