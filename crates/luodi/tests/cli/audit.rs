//! The log as an auditor meets it: verified, exported, proved, witnessed.

use serde_json::Value;

use super::{Luodi, json_of};
use crate::support::Ground;

impl Luodi {
    /// Runs a subcommand of the log with `--json`; gives its exit code and what it said.
    fn audit(&self, args: &[&str]) -> (Option<i32>, Value) {
        let out = self.run(&[&["--json", "audit"], args].concat());
        (out.status.code(), json_of(&out))
    }

    /// Changes the tables behind the program's back.
    fn tamper(&self, sql: &str) {
        let file = self.data().join("luodi.db");
        let connection = rusqlite::Connection::open(file).unwrap();
        connection.execute_batch(sql).unwrap();
    }
}

#[test]
fn a_demonstration_s_log_is_in_order_and_stays_so_elsewhere() {
    let city = Luodi::demo();
    let (saved, export) = (city.path("saved"), city.path("log.jsonl"));
    let (code, _) = city.audit(&["checkpoint", "--out", &saved]);
    assert_eq!(code, Some(0));
    let (code, found) = city.audit(&["verify", "--checkpoint", &saved]);
    assert_eq!(code, Some(0), "{found}");
    assert!(found["events"].as_u64().unwrap() > 1_000);
    assert!(found["rows"].as_u64().unwrap() > 1_000);
    assert_eq!(
        (&found["waiting"], &found["events"]),
        (&Value::from(0), &found["tree_size"])
    );
    assert!(
        std::fs::read_to_string(&saved)
            .unwrap()
            .contains(found["root"].as_str().unwrap())
    );

    assert_eq!(city.audit(&["export", &export]).0, Some(0));
    let (code, same) = Luodi::empty().audit(&["verify", &export, "--checkpoint", &saved]);
    assert_eq!(code, Some(0), "{same}");
    assert_eq!(
        (&same["root"], &same["events"]),
        (&found["root"], &found["events"])
    );
}

#[test]
fn what_was_changed_behind_the_program_s_back_is_named() {
    let demo = || Luodi {
        ground: Ground::demo_in_a_file(),
    };
    let city = demo();
    let (code, found) = city.audit(&["verify"]);
    assert_eq!(code, Some(0), "{found}");
    for (sql, table) in [
        (
            "UPDATE casework SET amount_fen = amount_fen + 1 WHERE amount_fen > 0",
            "casework",
        ),
        ("DELETE FROM posting WHERE position = 1", "posting"),
        ("UPDATE attachment SET file_name = 'x.pdf'", "attachment"),
        ("UPDATE notice_entry SET amount_fen = 1", "notice_entry"),
        (
            "INSERT INTO account_role (account_id, role) SELECT id, 'finance' FROM account WHERE party_id IS NOT NULL",
            "account_role",
        ),
        ("DELETE FROM case_duty", "case_duty"),
        (
            "UPDATE item_version SET body = replace(body, '0', '1')",
            "item_version",
        ),
    ] {
        let city = demo();
        city.tamper(&format!("PRAGMA foreign_keys = OFF; {sql}"));
        let (code, found) = city.audit(&["verify"]);
        assert_eq!(code, Some(1), "{sql}");
        let first = &found["first_bad"];
        assert_eq!(first["table"], table, "{sql}");
        assert!(first["id"].is_string(), "{first}");
        // A version is named by the hash of its content, not by an event.
        let by_event = table != "item_version";
        assert_eq!(first["event"].is_string(), by_event, "{first}");
    }
}

#[test]
fn an_event_is_proved_and_a_changed_proof_is_not() {
    let city = Luodi::demo();
    let export = city.path("log.jsonl");
    city.audit(&["export", &export]);
    let text = std::fs::read_to_string(&export).unwrap();
    let line: Value = serde_json::from_str(text.lines().nth(9).unwrap()).unwrap();
    let event = line["event"]["id"].as_str().unwrap();
    let proof = city.path("proof.json");
    assert_eq!(city.audit(&["proof", event, "--out", &proof]).0, Some(0));
    let (code, said) = Luodi::empty().audit(&["verify", &proof]);
    assert_eq!(
        (code, &said["number"]),
        (Some(0), &Value::from(8)),
        "{said}"
    );
    let key = city.audit(&["key"]).1["key"].clone();
    assert_eq!(said["key"], key);

    let honest = std::fs::read_to_string(&proof).unwrap();
    let command = said["command"].as_str().unwrap();
    let forged = honest.replacen(command, "case.other", 1);
    let forged = city.write("forged.json", forged.as_bytes());
    assert_eq!(city.audit(&["verify", &forged]).0, Some(1));
    let nobody = "01890000-0000-7000-8000-000000000000";
    assert_eq!(city.audit(&["proof", nobody]).0, Some(1));
}

/// A real city that has just begun, and an account of it.
fn begun() -> (Luodi, String) {
    let city = Luodi {
        ground: Ground::empty_for_a_file(),
    };
    let made = json_of(&city.run(&["admin", "init", "--json"]));
    let user = made["accounts"][0]["user"].as_str().unwrap().to_owned();
    (city, user)
}

/// A witness on a stick signs what grew, and refuses an old copy that was put back.
#[test]
fn a_witness_signs_growth_and_nothing_else() {
    let (city, user) = begun();
    let reset = || {
        let done = city.run(&["admin", "reset", &user]);
        assert_eq!(done.status.code(), Some(0));
    };
    let stick = city.path("stick");
    let witness = ["witness", "--state", &stick, "--name", "audit.example"];
    let (code, first) = city.audit(&witness);
    assert_eq!(code, Some(0), "{first}");
    let size = first["size"].as_u64().unwrap();
    let old = city.path("old.db");
    std::fs::copy(city.data().join("luodi.db"), &old).unwrap();
    reset();
    let (code, second) = city.audit(&witness);
    assert_eq!(
        (code, second["size"].as_u64()),
        (Some(0), Some(size + 1)),
        "{second}"
    );

    std::fs::copy(&old, city.data().join("luodi.db")).unwrap();
    let (code, refused) = city.audit(&witness);
    assert_eq!((code, &refused["ok"]), (Some(1), &Value::from(false)));
    reset();
    let (code, refused) = city.audit(&witness);
    assert_eq!((code, &refused["ok"]), (Some(1), &Value::from(false)));
    let seen = format!("{stick}/seen");
    let (code, found) = city.audit(&["verify", "--checkpoint", &seen]);
    assert_eq!(code, Some(1));
    assert_eq!(found["first_bad"]["table"], "audit_checkpoint");
}

/// On another machine a witness gets a file, and the log's key from somebody.
#[test]
fn a_witness_elsewhere_needs_the_log_s_key() {
    let (city, user) = begun();
    let (file, state) = (city.path("asked"), city.path("state"));
    assert_eq!(
        city.audit(&["checkpoint", "--since", "0", "--out", &file])
            .0,
        Some(0)
    );
    let elsewhere = Luodi::empty();
    let unknown = elsewhere.audit(&["witness", &file, "--state", &state]);
    assert_eq!(unknown.0, Some(3));
    let key = city.audit(&["key"]).1["key"].as_str().unwrap().to_owned();
    let (code, said) = elsewhere.audit(&["witness", &file, "--state", &state, "--log-key", &key]);
    assert_eq!(code, Some(0), "{said}");
    let size = said["size"].to_string();
    assert_eq!(city.run(&["admin", "reset", &user]).status.code(), Some(0));
    assert_eq!(
        city.audit(&["checkpoint", "--since", &size, "--out", &file])
            .0,
        Some(0)
    );
    assert_eq!(
        elsewhere.audit(&["witness", &file, "--state", &state]).0,
        Some(0)
    );
}
