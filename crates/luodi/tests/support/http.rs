//! A plain HTTP/1.1 client over one kept connection, and the real server as a child process. For
//! what only the network shows: a killed server, pages per second.
//!
//! Deliberately lacks TLS, redirects and any retry: a broken connection is the caller's finding.

use std::io::{BufRead, BufReader, Error, ErrorKind, Read, Result, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

/// The longest wait for an answer; whoever needs it has found a server that hangs.
const PATIENCE: Duration = Duration::from_secs(60);
/// The most header lines of an answer.
const HEADERS: usize = 100;

/// The server as a process of its own, on a free port. Dropping it kills it.
pub struct Server {
    pub address: SocketAddr,
    child: Child,
    // Closing the pipe would make the server's next line on stdout an error.
    _stdout: BufReader<ChildStdout>,
}

impl Server {
    /// Starts the binary on the city its environment names and waits until it listens.
    pub fn start(environment: &[(&'static str, String)], more: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_luodi"))
            .args(["serve", "--listen", "127.0.0.1:0"])
            .args(more)
            .envs(environment.iter().cloned())
            .env("LUODI_LOG", "error")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let address = line
            .trim()
            .strip_prefix("listening http://")
            .unwrap_or_else(|| panic!("the server did not start: {line:?}"));
        Self {
            address: address.parse().unwrap(),
            child,
            _stdout: stdout,
        }
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it still runs.
    pub fn lives(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Ends the process with SIGKILL: it gets no chance to write anything more.
    pub fn kill(mut self) {
        self.end();
    }

    fn end(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        self.child.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub location: String,
    /// Cookies set, as `name=value`.
    pub cookies: Vec<String>,
    pub body: String,
}

impl Reply {
    /// What stands between two marks, the first time.
    pub fn between(&self, before: &str, after: &str) -> &str {
        let rest = self.body.split_once(before);
        let (_, rest) = rest.unwrap_or_else(|| panic!("no {before} in {}", self.body));
        rest.split_once(after).unwrap().0
    }
}

/// A browser without a screen.
pub struct Client {
    pub address: SocketAddr,
    stream: Option<BufReader<TcpStream>>,
    /// Cookies as `name=value`.
    pub cookies: Vec<String>,
}

impl Client {
    pub fn new(address: SocketAddr) -> Self {
        Self {
            address,
            stream: None,
            cookies: Vec::new(),
        }
    }

    /// The same browser after the server came back on another port.
    pub fn moved(&mut self, address: SocketAddr) {
        self.address = address;
        self.stream = None;
    }

    pub fn get(&mut self, path: &str) -> Result<Reply> {
        self.ask("GET", path, &[])
    }

    pub fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Result<Reply> {
        self.ask("POST", path, fields)
    }

    /// Logs in with the form of the log-in page.
    pub fn log_in(&mut self, login: &str, password: &str) -> Result<()> {
        let page = self.get("/login")?;
        let csrf = page.between("name=\"csrf\" value=\"", "\"");
        let key = page.between("name=\"idempotency_key\" value=\"", "\"");
        let fields = [
            ("csrf", csrf),
            ("idempotency_key", key),
            ("login", login),
            ("password", password),
        ];
        let mut answer = self.post("/login", &fields)?;
        // An account of a demonstration with a second factor: the page shows what its telephone would.
        if let Some((_, rest)) = answer.body.split_once("data-code=\"") {
            let code = rest.split('"').next().unwrap_or_default().to_owned();
            let hidden = |name: &str| {
                let mark = format!("name=\"{name}\" value=\"");
                answer.between(&mark, "\"").to_owned()
            };
            let (csrf, key, ticket) = (hidden("csrf"), hidden("idempotency_key"), hidden("ticket"));
            let fields = [
                ("csrf", csrf.as_str()),
                ("idempotency_key", &key),
                ("ticket", &ticket),
                ("totp", &code),
            ];
            answer = self.post("/login", &fields)?;
        }
        assert_eq!(answer.status, 303, "{login}: {}", answer.body);
        Ok(())
    }

    /// Posts fields and files (field, name, content) with the token and key of a page.
    pub fn upload_from(
        &mut self,
        page: &Reply,
        path: &str,
        fields: &[(&str, &str)],
        files: &[(&str, &str, &[u8])],
    ) -> Result<Reply> {
        let csrf = page.between("name=\"csrf\" value=\"", "\"");
        let key = page.between("name=\"idempotency_key\" value=\"", "\"");
        let mut all = vec![("csrf", csrf), ("idempotency_key", key)];
        all.extend_from_slice(fields);
        let (kind, body) = multipart(&all, files);
        self.send("POST", path, &kind, &body)
    }

    /// Posts what a program sends.
    pub fn post_json(&mut self, path: &str, text: &str) -> Result<Reply> {
        self.send("POST", path, "application/json", text.as_bytes())
    }

    fn ask(&mut self, method: &str, path: &str, fields: &[(&str, &str)]) -> Result<Reply> {
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        let kind = "application/x-www-form-urlencoded";
        self.send(method, path, kind, body.as_bytes())
    }

    /// What a request of this browser begins with, without its end.
    pub fn head(&self, method: &str, path: &str) -> String {
        let cookies = self.cookies.join("; ");
        format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\ncookie: {cookies}\r\n",
            self.address
        )
    }

    /// Sends a request and reads its whole answer; after an error the connection is gone.
    fn send(&mut self, method: &str, path: &str, kind: &str, body: &[u8]) -> Result<Reply> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => connect(self.address)?,
        };
        let head = format!(
            "{}content-type: {kind}\r\ncontent-length: {}\r\n\r\n",
            self.head(method, path),
            body.len()
        );
        stream
            .get_mut()
            .write_all(&[head.as_bytes(), body].concat())?;
        let reply = read_reply(&mut stream)?;
        self.stream = Some(stream);
        for cookie in &reply.cookies {
            self.keep(cookie);
        }
        Ok(reply)
    }

    fn keep(&mut self, cookie: &str) {
        let name = cookie.split_inclusive('=').next().unwrap_or_default();
        self.cookies.retain(|known| !known.starts_with(name));
        if cookie != name {
            self.cookies.push(cookie.to_owned());
        }
    }
}

pub fn connect(address: SocketAddr) -> Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(BufReader::new(stream))
}

/// A line without its end; the end of the stream is an error, because an answer was due.
fn line(stream: &mut BufReader<TcpStream>) -> Result<String> {
    let mut line = String::new();
    if stream.read_line(&mut line)? == 0 || !line.ends_with("\r\n") {
        return Err(Error::from(ErrorKind::UnexpectedEof));
    }
    line.truncate(line.len() - 2);
    Ok(line)
}

/// Reads a whole answer.
pub fn read_reply(stream: &mut BufReader<TcpStream>) -> Result<Reply> {
    let first = line(stream)?;
    let status = first.split(' ').nth(1).and_then(|code| code.parse().ok());
    let mut reply = Reply {
        status: status.ok_or_else(|| Error::other(first))?,
        location: String::new(),
        cookies: Vec::new(),
        body: String::new(),
    };
    let (mut length, mut chunked) = (0, false);
    for _ in 0..HEADERS {
        let header = line(stream)?;
        let Some((name, value)) = header.split_once(": ") else {
            break;
        };
        match name {
            "content-length" => length = value.parse().map_err(Error::other)?,
            "transfer-encoding" => chunked = true,
            "location" => reply.location = value.to_owned(),
            "set-cookie" => reply
                .cookies
                .push(value.split(';').next().unwrap_or_default().to_owned()),
            _ => {}
        }
    }
    let body = if chunked {
        read_chunks(stream)?
    } else {
        exactly(stream, length)?
    };
    reply.body = String::from_utf8_lossy(&body).into_owned();
    Ok(reply)
}

fn exactly(stream: &mut BufReader<TcpStream>, length: usize) -> Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn read_chunks(stream: &mut BufReader<TcpStream>) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let length = usize::from_str_radix(&line(stream)?, 16).map_err(Error::other)?;
        body.extend(exactly(stream, length)?);
        line(stream)?;
        if length == 0 {
            return Ok(body);
        }
    }
}

/// Content type and body of a form with files.
pub fn multipart(fields: &[(&str, &str)], files: &[(&str, &str, &[u8])]) -> (String, Vec<u8>) {
    const BOUNDARY: &str = "luodi-test-boundary";
    let mut body = Vec::new();
    for (name, value) in fields {
        body.extend_from_slice(
            format!(
                "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
            )
            .as_bytes(),
        );
    }
    for (field, name, content) in files {
        body.extend_from_slice(
            format!(
                "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{field}\"; \
                     filename=\"{name}\"\r\nContent-Type: application/octet-stream\r\n\r\n"
            )
            .as_bytes(),
        );
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    (format!("multipart/form-data; boundary={BOUNDARY}"), body)
}
