//! `luodi keys …` and `--keys`: changed at rest, beside a server, killed on the way, and kept
//! outside the data folder.

use std::time::Duration;

use luodi::params;
use luodi::store::StoreError;
use serde_json::json;
use uuid::Uuid;

use super::serve::Server;
use super::{Luodi, json_of};

/// Opens every telephone of the city: how many there are, and whether the hash of every identity
/// number finds its party.
fn opened(city: &Luodi) -> usize {
    let store = city.ground().open();
    let read = store.read_blocking(|q| {
        let phones = q.rows(
            "SELECT id, phone_sealed FROM party WHERE phone_sealed IS NOT NULL",
            params![],
            |r| Ok((r.get::<Uuid>(0)?, r.get::<Vec<u8>>(1)?)),
        )?;
        for (owner, sealed) in &phones {
            assert_eq!(q.open(*owner, sealed)?.len(), 11);
        }
        let numbers = q.rows(
            "SELECT id, id_number_sealed, id_number_lookup FROM party WHERE id_number_sealed IS NOT NULL",
            params![],
            |r| {
                let id: Uuid = r.get(0)?;
                Ok((id, r.get::<Vec<u8>>(1)?, r.get::<[u8; 32]>(2)?))
            },
        )?;
        assert!(!numbers.is_empty());
        for (owner, sealed, hash) in numbers {
            assert_eq!(q.lookup("id_number", &q.open(owner, &sealed)?)?, hash);
        }
        Ok::<_, StoreError>(phones.len())
    });
    store.shutdown();
    read.unwrap()
}

#[test]
fn keys_are_changed_at_rest_and_beside_a_server() {
    let city = Luodi::demo();
    let phones = opened(&city);
    assert!(phones > 100, "{phones}");
    let server = Server::start(&city);
    let out = json_of(&city.run(&["keys", "rotate", "--json"]));
    assert_eq!(out["rotation"]["master"], json!(2), "{out}");
    assert!(out["rotation"]["wrapped"].as_u64().unwrap() > 100, "{out}");
    assert_eq!(server.get("/readyz").0, "HTTP/1.1 200 OK");
    let out = json_of(&city.run(&["keys", "rotate", "--lookups", "--json"]));
    assert!(out["rehashed"].as_u64().unwrap() > 100, "{out}");
    assert_eq!(server.terminate().code(), Some(0));
    assert_eq!(opened(&city), phones);
    let out = json_of(&city.run(&["keys", "rotate", "--json"]));
    assert_eq!(out["rotation"]["master"], json!(3), "{out}");
    assert_eq!(opened(&city), phones);
    assert!(city.data().join("keys/retired/master-1.key").exists());
    assert!(city.data().join("keys/retired/master-1.txt").exists());
    assert!(!city.data().join("keys/master-2.key").exists());
}

/// Killed at whatever moment, a change is finished by the next call and nothing is lost.
#[test]
fn a_killed_change_goes_on() {
    let city = Luodi::demo();
    let phones = opened(&city);
    for round in 0..12u64 {
        let args: &[&str] = match round % 3 {
            2 => &["keys", "rotate", "--lookups"],
            _ => &["keys", "rotate"],
        };
        let mut child = city.command().args(args).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(8 * (round + 1)));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    for args in [&["keys", "rotate", "--lookups"][..], &["keys", "rotate"]] {
        city.exits(0, args);
    }
    assert_eq!(opened(&city), phones);
    let old = std::fs::read_dir(city.data().join("keys")).unwrap();
    let masters = old.filter(|entry| {
        let name = entry.as_ref().unwrap().file_name();
        name.to_str().unwrap().ends_with(".key")
    });
    assert_eq!(masters.count(), 1, "one master is in use");
}

/// Whatever the log on stderr says, it names no telephone of the demonstration.
#[test]
fn the_programs_own_log_holds_no_number() {
    let city = Luodi::empty();
    for args in [
        &["demo", "--today", crate::support::TODAY][..],
        &["keys", "rotate"],
    ] {
        let out = city
            .command()
            .env("LUODI_LOG", "trace")
            .args(args)
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&out.stderr);
        assert!(out.status.success() && !told.is_empty(), "{told}");
        assert!(!told.contains("1990000"), "{args:?}");
    }
}

#[test]
fn keys_may_lie_outside_the_data() {
    let city = Luodi::empty();
    let keys = city.path("elsewhere");
    city.exits(0, &["admin", "init", "--keys", &keys]);
    assert!(!city.data().join("keys").exists());
    assert!(
        city.run(&["ledger", "verify", "--keys", &keys])
            .status
            .success()
    );
    // Without them nothing is opened, and it says what to do.
    let told = city.exits(3, &["ledger", "verify"]);
    assert!(told.contains("--keys"), "{told}");
    let mut named = city.command();
    named.env("LUODI_KEYS", &keys).args(["keys", "rotate"]);
    assert_eq!(named.output().unwrap().status.code(), Some(0));
    assert!(std::path::Path::new(&keys).join("master-2.key").exists());
}
