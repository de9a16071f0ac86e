//! A subcommand that writes while a server holds the folder goes to that server over
//! `DIR/luodi.sock` (mode 0600) and runs there as `console:<OS user>`.
//!
//! One request per connection: a JSON line with arguments and working folder; the answer is
//! a JSON line with exit code, stdout and stderr. Only the owner of the socket reaches it.

use std::ffi::OsString;
use std::future::Future;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Parser;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixListener;

use super::{Cli, Said, run};
use crate::web::App;

/// The longest request line, in bytes.
const REQUEST_BYTES: u64 = 1 << 20;

#[derive(Serialize, Deserialize)]
struct Request {
    args: Vec<String>,
    folder: PathBuf,
}

fn path(data: &Path) -> PathBuf {
    data.join("luodi.sock")
}

/// Sends the command line to the server that holds the folder, and gives its answer.
pub(super) fn send(data: &Path, args: &[OsString]) -> Said {
    let ask = || -> std::io::Result<Said> {
        let mut stream = UnixStream::connect(path(data))?;
        let request = Request {
            args: args
                .iter()
                .map(|arg| arg.to_string_lossy().into_owned())
                .collect(),
            folder: std::env::current_dir()?,
        };
        let mut line = serde_json::to_vec(&request)?;
        line.push(b'\n');
        stream.write_all(&line)?;
        let mut answer = String::new();
        BufReader::new(stream).read_line(&mut answer)?;
        Ok(serde_json::from_str(&answer)?)
    };
    ask().unwrap_or_else(|error| {
        Said::failed(format!(
            "另一个程序正在使用 {}，且无法通过 luodi.sock 转交（{error}）。请稍后再试，或先停止服务。",
            data.display()
        ))
    })
}

/// Opens the socket, so that it is there before the server says that it listens.
///
/// # Errors
/// Where the socket cannot be made.
pub(super) fn bind(app: &App) -> std::io::Result<UnixListener> {
    let path = path(&app.site.data);
    // The folder's lock is held, so an old socket belongs to nobody.
    if path.exists() {
        std::fs::remove_file(&path)?;
    }
    let listener = UnixListener::bind(&path)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Answers forwarded commands until `stop` resolves.
///
/// # Errors
/// Where the socket cannot be taken away again.
pub(super) async fn listen(
    app: App,
    listener: UnixListener,
    stop: impl Future<Output = ()>,
) -> std::io::Result<()> {
    tokio::pin!(stop);
    loop {
        let stream = tokio::select! {
            () = &mut stop => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "socket: {error}");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
        };
        let app = app.clone();
        tokio::spawn(async move {
            if let Err(error) = answer(app, stream).await {
                tracing::warn!(%error, "socket: {error}");
            }
        });
    }
    // Of several servers on one database and folder the last to come owns the socket.
    match std::fs::remove_file(path(&app.site.data)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

async fn answer(app: App, mut stream: tokio::net::UnixStream) -> std::io::Result<()> {
    // Who is on the other end, as the system knows it and not as he says.
    let user = super::user_name(stream.peer_cred()?.uid());
    let (reader, mut writer) = stream.split();
    let mut line = String::new();
    tokio::io::BufReader::new(reader.take(REQUEST_BYTES))
        .read_line(&mut line)
        .await?;
    let said = match serde_json::from_str::<Request>(&line) {
        Ok(request) => tokio::task::spawn_blocking(move || execute(&app, request, &user))
            .await
            .unwrap_or_else(Said::failed),
        Err(error) => Said::failed(format!("转交的命令无法识别：{error}")),
    };
    let mut bytes = serde_json::to_vec(&said)?;
    bytes.push(b'\n');
    writer.write_all(&bytes).await
}

fn execute(app: &App, request: Request, user: &str) -> Said {
    match Cli::try_parse_from(&request.args) {
        Ok(mut cli) => {
            run::rebase(&mut cli, &request.folder);
            if matches!(cli.what, super::What::Demo { .. }) && !app.site.demo {
                return Said::failed("服务正在运行，不能填入示范数据。请先停止服务。");
            }
            run::with_store(&cli, &app.store, &app.clock, user)
        }
        Err(error) => Said {
            code: 2,
            out: Vec::new(),
            err: error.to_string(),
        },
    }
}
