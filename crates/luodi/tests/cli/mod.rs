//! The binary as an operator meets it: exit codes, refusals, forwarding, and its end.

mod audit;
mod backup;
mod city;
mod keys;
mod serve;

use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::support::{Ground, TODAY};

/// The binary with a data folder of its own.
pub struct Luodi {
    ground: Ground,
}

/// What the binary printed with `--json`.
#[track_caller]
pub fn json_of(out: &Output) -> Value {
    serde_json::from_slice(&out.stdout)
        .unwrap_or_else(|error| panic!("{error}: {} {}", text(&out.stdout), text(&out.stderr)))
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl Luodi {
    /// An empty data folder.
    pub fn empty() -> Self {
        Self {
            ground: Ground::empty(),
        }
    }

    /// A copy of the demonstration.
    pub fn demo() -> Self {
        Self {
            ground: Ground::demo(),
        }
    }

    /// The data folder.
    pub fn data(&self) -> &Path {
        self.ground.data()
    }

    /// Where it stands.
    pub fn ground(&self) -> &Ground {
        &self.ground
    }

    /// A path beside the data.
    pub fn path(&self, name: &str) -> String {
        self.ground.beside().join(name).to_str().unwrap().to_owned()
    }

    /// Writes a file beside the data.
    pub fn write(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.path(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// The binary, ready for its arguments.
    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_luodi"));
        command
            .envs(self.ground.environment())
            .env("LUODI_LOG", "error")
            .env("USER", "operator")
            .current_dir(self.ground.beside());
        command
    }

    /// Runs a subcommand to its end.
    pub fn run(&self, args: &[&str]) -> Output {
        self.command().args(args).output().unwrap()
    }

    #[track_caller]
    fn exits(&self, code: i32, args: &[&str]) -> String {
        let out = self.run(args);
        assert_eq!(
            out.status.code(),
            Some(code),
            "{args:?}: {}",
            text(&out.stderr)
        );
        if code != 0 {
            assert!(
                !out.stderr.is_empty() || !out.stdout.is_empty(),
                "{args:?} says why"
            );
        }
        text(&out.stderr)
    }
}

/// The demonstration of the tests was made by the library in one folder, this one by the binary in
/// another: same seed, same day, same counts and accounts.
#[test]
fn the_same_seed_makes_the_same_city() {
    let (known, fresh) = (Luodi::demo(), Luodi::empty());
    let args = ["demo", "--seed", "1", "--today", TODAY, "--json"];
    let first = json_of(&fresh.run(&args));
    assert_eq!(first["ok"], json!(true));
    assert_eq!(first["counts"]["parties"], json!(200));
    assert_eq!(first["counts"]["cases"], json!(60));
    assert_eq!(json_of(&known.run(&args)), first);
    // Again, even with another seed: nothing changes.
    let again = fresh.run(&["demo", "--seed", "2", "--json"]);
    assert_eq!((again.status.code(), json_of(&again)), (Some(0), first));
    fresh.exits(0, &["ledger", "verify"]);
}

#[test]
fn a_real_city_and_a_demonstration_do_not_mix() {
    let real = Luodi::empty();
    let made = json_of(&real.run(&["admin", "init", "--json"]));
    assert_eq!(made["accounts"].as_array().unwrap().len(), 3);
    let why = real.exits(1, &["demo", "--today", TODAY]);
    assert!(why.contains("正式数据"), "{why}");
    real.exits(1, &["admin", "init"]);
    let demo = Luodi::demo();
    let why = demo.exits(1, &["admin", "init"]);
    assert!(why.contains("演示"), "{why}");
    assert_eq!(
        json_of(&demo.run(&["demo", "--json"]))["accounts"]
            .as_array()
            .unwrap()
            .len(),
        json_of(&Luodi::demo().run(&["demo", "--json"]))["accounts"]
            .as_array()
            .unwrap()
            .len()
    );
}

/// With `--json` stdout holds one object, whatever happened; without a terminal nothing is coloured.
#[test]
fn json_is_said_of_failures_too() {
    let city = Luodi::empty();
    for (code, args) in [
        (2, &["frobnicate", "--json"][..]),
        (3, &["ledger", "verify", "--json"]),
        (3, &["--json", "serve", "--listen", "256.0.0.1:1"]),
        (1, &["admin", "init", "--region", "12", "--json"]),
    ] {
        let out = city.run(args);
        assert_eq!(out.status.code(), Some(code), "{args:?}");
        let said = json_of(&out);
        assert_eq!(said["ok"], json!(false), "{args:?}: {said}");
        assert!(
            said["message"].as_str().is_some_and(|m| m.len() > 9),
            "{said}"
        );
        assert!(!out.stderr.is_empty(), "{args:?}");
    }
    let refused = json_of(&city.run(&["admin", "init", "--region", "12", "--json"]));
    assert_eq!(refused["errors"][0]["field"], json!("region"));
    let loud = city
        .command()
        .env("LUODI_LOG", "trace")
        .args(["demo", "--today", TODAY, "--json"])
        .output()
        .unwrap();
    assert!(!loud.stderr.is_empty() && !loud.stderr.contains(&0x1b));
}

/// The way of an administrator who forgot his password: nobody else can reset it.
#[test]
fn the_console_resets_an_administrator() {
    let city = Luodi::empty();
    let made = json_of(&city.run(&["admin", "init", "--json"]));
    let first = made["accounts"][0].clone();
    let user = first["user"].as_str().unwrap();
    let reset = json_of(&city.run(&["admin", "reset", user, "--json"]));
    assert_eq!(reset["account"]["user"], first["user"]);
    assert_ne!(reset["account"]["password"], first["password"]);
    let why = city.exits(1, &["admin", "reset", "nobody"]);
    assert!(why.contains("nobody"), "{why}");
    let why = Luodi::demo().exits(1, &["admin", "reset", "window-yj"]);
    assert!(why.contains("登录页"), "{why}");
}

/// An item that runs stays with its department, and has one offer in a region under whatever name
/// it is asked for.
#[test]
fn an_offer_is_one_and_stays_where_its_cases_are() {
    let city = Luodi::demo();
    let offer = |name: &'static str, department: &'static str| {
        let args = ["item", "offer", name, "--region", "330324"];
        [&args[..], &["--department", department]].concat()
    };
    let why = city.exits(1, &offer("pv-subsidy", "YJCZ"));
    assert!(why.contains("在办的办件"), "{why}");
    city.exits(0, &offer("分布式光伏发电补贴", "YJFG"));
    city.exits(
        0,
        &["item", "close", "分布式光伏发电补贴", "--region", "330324"],
    );
    let why = city.exits(1, &["item", "close", "pv-subsidy", "--region", "330324"]);
    assert!(why.contains("没有在这个区域开放"), "{why}");
}

#[test]
fn exit_codes_say_what_became_of_it() {
    let city = Luodi::empty();
    city.exits(0, &["--version"]);
    city.exits(0, &["--help"]);
    city.exits(2, &[]);
    city.exits(2, &["frobnicate"]);
    city.exits(2, &["demo", "--today", "2026-02-30"]);
    city.exits(2, &["demo", "--seed", "-1"]);
    city.exits(2, &["export", "articles", "--format", "docx"]);
    let why = city.exits(2, &["serve", "--trusted-proxy", "10.0.0.0/33"]);
    assert!(
        why.contains("--trusted-proxy") && why.contains("10.0.0.0/33"),
        "{why}"
    );
    // Who asks about a city where none is learns so, and nothing is made.
    for question in [
        &["ledger", "verify"][..],
        &["export", "articles"],
        &["item", "export", "pv-subsidy", "out"],
        &["admin", "reset", "system"],
        &["work"],
    ] {
        let why = city.exits(3, question);
        assert!(why.contains("luodi admin init"), "{question:?}: {why}");
        assert!(!city.data().exists(), "{question:?}");
    }
    city.exits(3, &["import", "articles", "no-such-file.txt"]);
    city.exits(1, &["admin", "init", "--region", "12"]);
    city.exits(1, &["item", "export", "no-such-item", "out"]);
    let broken = city.write("broken.txt", b"-\n");
    city.exits(1, &["import", "articles", &broken]);
    city.exits(3, &["--data", &broken, "ledger", "verify"]);
    city.exits(3, &["serve", "--listen", "256.0.0.1:1"]);
}
