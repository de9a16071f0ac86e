//! `luodi backup` and `luodi restore` as an operator runs them.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use super::{Luodi, json_of, text};
use crate::support::Ground;
use crate::support::http::{Client, Server};

/// An empty city that has the keys of another.
fn with_keys_of(city: &Luodi) -> Luodi {
    let other = Luodi::empty();
    let keys = other.data().join("keys");
    std::fs::create_dir_all(&keys).unwrap();
    for key in std::fs::read_dir(city.data().join("keys")).unwrap() {
        let key = key.unwrap();
        std::fs::copy(key.path(), keys.join(key.file_name())).unwrap();
    }
    other
}

#[test]
fn a_served_city_is_put_back_elsewhere_and_goes_on() {
    let city = Luodi::demo();
    let server = Server::start(&city.ground().environment(), &[]);
    let file = city.path("city.luodi");
    let made = city.run(&["backup", &file, "--json"]);
    assert_eq!(made.status.code(), Some(0), "{}", text(&made.stderr));
    let made = json_of(&made);
    assert_eq!(made["ok"], json!(true));
    assert_eq!(
        made["bytes"],
        json!(std::fs::metadata(&file).unwrap().size())
    );
    assert!(made["tables"]["casework"].as_u64().unwrap() >= 60, "{made}");
    assert!(made["contents"]["count"].as_u64().unwrap() > 0, "{made}");
    city.exits(3, &["backup", &file]);
    // It served meanwhile and serves on.
    assert_eq!(Client::new(server.address).get("/").unwrap().status, 200);
    server.kill();

    let other = with_keys_of(&city);
    let restored = other.run(&["restore", &file, "--json"]);
    assert_eq!(
        restored.status.code(),
        Some(0),
        "{}",
        text(&restored.stderr)
    );
    let restored = json_of(&restored);
    assert_eq!(
        (&restored["keys"], &restored["root"]),
        (&json!("fit"), &made["root"])
    );
    other.exits(0, &["ledger", "verify"]);
    let again = json_of(&other.run(&["backup", &other.path("again"), "--json"]));
    assert_eq!(again["root"], made["root"]);
    let server = Server::start(&other.ground().environment(), &[]);
    let mut handler = Client::new(server.address);
    let page = handler.get("/login").unwrap();
    let (_, row) = page.body.split_once("data-user=\"window-yj\"").unwrap();
    let (_, row) = row.split_once("data-password=\"").unwrap();
    handler
        .log_in("window-yj", row.split_once('"').unwrap().0)
        .unwrap();
    assert_eq!(handler.get("/work").unwrap().status, 200);
    let why = other.exits(3, &["restore", &file]);
    assert!(why.contains("不是空的"), "{why}");
}

#[test]
fn keys_are_asked_for_and_bad_files_named() {
    let city = Luodi::demo();
    let file = city.path("city.luodi");
    city.exits(0, &["backup", &file]);
    let other = Luodi::empty();
    let why = other.exits(0, &["restore", &file]);
    assert!(why.contains("密钥不在备份里"), "{why}");
    let why = other.exits(3, &["ledger", "verify"]);
    assert!(why.contains("密钥备份"), "{why}");

    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let broken = city.write("broken.luodi", &bytes);
    let place = Luodi::empty();
    let why = place.exits(1, &["restore", &broken]);
    assert!(
        why.contains("broken.luodi") && why.contains("file-sha256"),
        "{why}"
    );
    let foreign = city.write("notes.txt", "会议记录".as_bytes());
    let out = place.run(&["restore", &foreign, "--json"]);
    assert_eq!(out.status.code(), Some(1));
    assert_eq!(json_of(&out)["code"], json!("backup.foreign"));
    let why = place.exits(3, &["restore", "no-such-file"]);
    assert!(why.contains("no-such-file"), "{why}");
    assert!(!place.data().exists(), "nothing was written");
    let nothing = Luodi::empty();
    let why = nothing.exits(3, &["backup", "b"]);
    assert!(why.contains("没有落地的数据"), "{why}");
    assert!(!nothing.data().exists() && !Path::new(&nothing.path("b")).exists());
}

/// A disk that takes no more: here a limit on the size of files, whose signal is ignored so that
/// writing fails as on a full disk.
#[test]
fn a_full_disk_leaves_no_half_backup() {
    let city = Luodi::demo();
    let file = city.path("city.luodi");
    let script = "trap '' XFSZ; ulimit -f 200; exec \"$0\" backup \"$1\"";
    let mut shell = Command::new("sh");
    shell.args(["-c", script, env!("CARGO_BIN_EXE_luodi"), &file]);
    let out = shell
        .envs(city.ground().environment())
        .env("LUODI_LOG", "error")
        .output()
        .unwrap();
    let why = text(&out.stderr);
    assert_eq!(out.status.code(), Some(3), "{why}");
    assert!(why.contains("磁盘空间"), "{why}");
    assert!(!Path::new(&file).exists() && !Path::new(&format!("{file}.part")).exists());
    city.exits(0, &["backup", &file]);
}

/// From a file to the server and back, where there is one: the same root, and nothing else changes.
#[test]
fn it_is_the_way_from_one_engine_to_the_other() {
    let city = Ground::demo_in_a_file();
    let run = |ground: &Ground, args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_luodi"));
        command
            .env_remove("LUODI_DATABASE")
            .env("LUODI_LOG", "error");
        let out = command
            .envs(ground.environment())
            .args(args)
            .output()
            .unwrap();
        assert_eq!(
            out.status.code(),
            Some(0),
            "{args:?}: {}",
            text(&out.stderr)
        );
        json_of(&out)
    };
    let file = city.beside().join("one.luodi").display().to_string();
    let first = run(&city, &["backup", &file, "--json"]);
    let log = run(&city, &["audit", "verify", "--json"]);
    let server = Ground::empty();
    run(&server, &["restore", &file, "--json"]);
    let keys = server.data().join("keys");
    std::fs::create_dir_all(&keys).unwrap();
    for name in ["master-1.key", "log.seen"] {
        std::fs::copy(city.data().join("keys").join(name), keys.join(name)).unwrap();
    }
    let file = server.beside().join("two.luodi").display().to_string();
    let second = run(&server, &["backup", &file, "--json"]);
    assert_eq!(second["root"], first["root"]);
    assert_eq!(second["contents"], first["contents"]);
    assert_eq!(run(&server, &["audit", "verify", "--json"]), log);
}
