//! Somebody who can write the database and has no keys tries to get another past past the log.

use super::log::{
    BEFORE_THE_TREE, Edge, checkpoint, forget_mark, grant, is_half_done, literal, number, played,
    tamper, verified, widening,
};
use super::*;
use crate::store::audit::bound::{Shapes, digest};

fn ids(bank: &Bank, sql: &str) -> Vec<Uuid> {
    let found: Result<_, StoreError> =
        bank.read_blocking(|q| q.rows(sql, params![], |row| row.get(0)));
    found.unwrap()
}

fn count(bank: &Bank, table: &str) -> i64 {
    let sql = format!("SELECT COUNT(*) FROM {table}");
    let found: Result<_, StoreError> =
        bank.read_blocking(|q| q.row(&sql, params![], |row| row.get(0)));
    found.unwrap()
}

/// Changes an account, and makes up the event that says so: right in all but the seal.
fn forge(bank: &Bank, name: &str, amount_fen: i64) -> Uuid {
    let event = Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + amount_fen as u128);
    tamper(
        bank,
        &format!("UPDATE bank_account SET amount_fen = {amount_fen} WHERE name = '{name}'"),
    );
    let found: Result<(Uuid, String), StoreError> = bank.read_blocking(|q| {
        let shapes = Shapes::of(q.session())?;
        let shape = shapes.require("bank_account")?;
        let (columns, at) = (shape.columns.join(", "), shape.columns.len());
        let sql = format!("SELECT {columns}, id FROM bank_account WHERE name = ?1");
        q.row(&sql, params![name], |row| {
            Ok((row.get(at)?, digest(&shape.bytes(row)?)))
        })
    });
    let (account, digest) = found.unwrap();
    let rows = json!([{ "table": "bank_account", "id": account, "digest": digest }]);
    let (id, about) = (
        literal(bank, event.as_bytes()),
        literal(bank, account.as_bytes()),
    );
    tamper(
        bank,
        &format!(
            "INSERT INTO audit_event (id, at, actor_kind, actor_label, command, subject_table, \
             subject_id, detail, rows) VALUES ({id}, {}, 'system', 'test', 'grant', 'bank_account', \
             {about}, '{{}}', '{rows}'); \
             UPDATE bank_account SET last_event = {id} WHERE name = '{name}'",
            now().as_millisecond()
        ),
    );
    event
}

/// What stands among the events that wait, as one who watches the database can write it down.
fn waiting(bank: &Bank) -> Vec<(Uuid, Vec<u8>, Vec<u8>)> {
    let sql = "SELECT event_id, leaf, seal FROM audit_pending ORDER BY place";
    let found: Result<_, StoreError> = bank.read_blocking(|q| {
        q.rows(sql, params![], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
    });
    found.unwrap()
}

fn put_to_wait(bank: &Bank, seen: &[(Uuid, Vec<u8>, Vec<u8>)]) {
    for (event, leaf, seal) in seen {
        let (event, leaf) = (literal(bank, event.as_bytes()), literal(bank, leaf));
        let seal = literal(bank, seal);
        tamper(
            bank,
            &format!(
                "INSERT INTO audit_pending (event_id, leaf, seal) VALUES ({event}, {leaf}, {seal})"
            ),
        );
    }
}

fn is_stopped(bank: &Bank) -> bool {
    matches!(bank.sequence_blocking(now()), Err(StoreError::Log(_))) && bank.log_trouble().is_some()
}

#[test]
fn without_its_checkpoints_the_log_is_not_carried_on() {
    for remembers in [true, false] {
        let bank = played();
        number(&bank);
        let note = checkpoint(&bank).to_string();
        tamper(&bank, "DELETE FROM audit_checkpoint");
        let forged = forge(&bank, "丙", 9_999);
        let id = literal(&bank, forged.as_bytes());
        tamper(
            &bank,
            &format!("INSERT INTO audit_pending (event_id) VALUES ({id})"),
        );
        if !remembers {
            forget_mark(&bank);
        }
        assert!(is_stopped(&bank));
        assert!(!verified(&bank).ok);
        tamper(
            &bank,
            &format!(
                "INSERT INTO audit_checkpoint (size, signed_at, note) VALUES (5, 0, '{note}')"
            ),
        );
        assert_eq!(number(&bank), 0);
        assert_eq!(bank.log_trouble(), None);
        assert_eq!(count(&bank, "audit_leaf"), 5);
        let found = verified(&bank);
        let about: Vec<Option<Uuid>> = found.findings.iter().map(|it| it.event).collect();
        assert!(about.contains(&Some(forged)), "{:?}", found.findings);
    }
}

const NO_TREE: &str = "DELETE FROM audit_leaf; DELETE FROM audit_tile; DELETE FROM audit_checkpoint; \
    DELETE FROM audit_pending; UPDATE audit_head SET size = 0, origin = ''; \
    INSERT INTO audit_pending (event_id) SELECT id FROM audit_event WHERE rows <> ''";

#[test]
fn an_emptied_log_is_not_begun_anew() {
    let bank = played();
    forge(&bank, "丙", 9_999);
    tamper(&bank, NO_TREE);
    assert!(!verified(&bank).ok);
    assert!(is_stopped(&bank));
    forget_mark(&bank);
    assert!(!verified(&bank).ok, "also where nothing is remembered");
    assert_eq!(number(&bank), 0);
    assert_eq!(count(&bank, "audit_checkpoint"), 0);
    assert!(!verified(&bank).ok);
}

/// Whoever undoes the migrations to have all events taken in once more.
#[test]
fn a_log_that_was_a_tree_is_not_made_one_again() {
    let mut bank = played();
    forge(&bank, "丙", 9_999);
    tamper(&bank, BEFORE_THE_TREE);
    let refused = bank.reopen(&migrations());
    assert!(
        matches!(refused, Err(StoreError::Migration(_))),
        "{refused:?}"
    );
}

#[test]
fn a_numbered_event_does_not_wait_again() {
    let bank = played();
    let seen = waiting(&bank);
    number(&bank);
    grant(&bank, "乙", 800);
    number(&bank);
    put_to_wait(&bank, &seen);
    // The state that the event wrote is put back with it.
    let id = literal(&bank, seen[0].0.as_bytes());
    let back =
        format!("UPDATE bank_account SET amount_fen = 700, last_event = {id} WHERE name = '乙'");
    tamper(&bank, &back);
    let found = verified(&bank);
    let tables: Vec<&str> = found.findings.iter().map(|it| it.table.as_str()).collect();
    assert!(
        tables.contains(&"audit_event") && tables.contains(&"bank_account"),
        "{tables:?}"
    );
    grant(&bank, "丙", 1);
    assert_eq!(number(&bank), 1, "the log goes on");
    assert_eq!(count(&bank, "audit_refused"), 1);
    assert!(!verified(&bank).ok);
}

/// The seal of a number is none of an event that waits, nor the other way round.
#[test]
fn no_seal_stands_for_the_other() {
    let bank = played();
    tamper(
        &bank,
        "UPDATE audit_pending SET seal = (SELECT mac FROM audit_leaf WHERE number = 0), \
         leaf = (SELECT leaf FROM audit_pending)",
    );
    assert_eq!(number(&bank), 0);
    assert_eq!(count(&bank, "audit_refused"), 1);
    let bank = played();
    let sql = "SELECT l.mac, substr(t.hashes, 1, 32) FROM audit_leaf l, audit_tile t \
               WHERE l.number = 0 AND t.level = 0";
    let found: Result<(Vec<u8>, Vec<u8>), StoreError> =
        bank.read_blocking(|q| q.row(sql, params![], |row| Ok((row.get(0)?, row.get(1)?))));
    let (mac, leaf) = found.unwrap();
    let event = ids(&bank, "SELECT event_id FROM audit_leaf WHERE number = 0")[0];
    tamper(&bank, "DELETE FROM audit_leaf WHERE number = 0");
    put_to_wait(&bank, &[(event, leaf, mac)]);
    number(&bank);
    assert_eq!(ids(&bank, "SELECT event_id FROM audit_refused"), [event]);
}

/// An old end of the log is put back, and what came after waits again under its own seals, but for
/// one event.
#[test]
fn an_event_cannot_be_cut_out_of_the_middle() {
    let bank = played();
    let old = Edge::of(&bank);
    number(&bank);
    grant(&bank, "丙", 900);
    let seen = waiting(&bank);
    number(&bank);
    old.put_back(&bank);
    put_to_wait(&bank, &seen);
    let back = "DELETE FROM audit_event WHERE id NOT IN (SELECT event_id FROM audit_leaf) \
                AND id NOT IN (SELECT event_id FROM audit_pending); \
                UPDATE bank_account SET amount_fen = 500, last_event = \
                (SELECT event_id FROM audit_leaf WHERE number = 1) WHERE name = '乙'";
    tamper(&bank, back);
    assert!(is_stopped(&bank));
    assert_eq!(count(&bank, "audit_leaf"), 4);
    let found = verified(&bank);
    assert_eq!(found.first_bad.unwrap().table, "audit_checkpoint");
}

/// The tree and its last checkpoint must be one.
#[test]
fn a_tree_that_does_not_fit_is_not_signed() {
    for sql in [
        "UPDATE audit_head SET size = 3",
        "DELETE FROM audit_leaf WHERE number = 3",
        "UPDATE audit_tile SET hashes = substr(hashes, 33)",
        "UPDATE audit_head SET origin = 'luodi/other'",
        "DELETE FROM audit_head",
        "DELETE FROM audit_checkpoint",
    ] {
        let bank = played();
        forget_mark(&bank);
        tamper(&bank, sql);
        assert!(is_stopped(&bank), "{sql}");
    }
}

/// A place that only somebody else can have taken neither stays nor breaks the order of what comes.
#[test]
fn a_poisoned_place_does_no_harm() {
    let bank = played();
    let event = literal(&bank, &[7; 16]);
    tamper(
        &bank,
        &format!(
            "INSERT INTO audit_pending (place, event_id) VALUES (9223372036854775807, {event})"
        ),
    );
    for amount in 1..40 {
        grant(&bank, "甲", amount);
    }
    assert_eq!(number(&bank), 40);
    let found = verified(&bank);
    assert_eq!(found.findings.len(), 1, "{:?}", found.findings);
    assert_eq!(found.first_bad.unwrap().id, Some(Uuid::from_bytes([7; 16])));
    // One just below the places that count, and an id that is none.
    let odd = literal(&bank, &[7; 3]);
    let poison =
        format!("INSERT INTO audit_pending (place, event_id) VALUES (4611686018427387903, {odd})");
    tamper(&bank, &poison);
    number(&bank);
    grant(&bank, "甲", 50);
    assert_eq!(number(&bank), 1);
    assert_eq!(count(&bank, "audit_pending"), 0);
}

#[test]
fn a_request_to_bind_anew_needs_an_upgrade() {
    let mut bank = played();
    tamper(
        &bank,
        "UPDATE bank_account SET amount_fen = 9999 WHERE name = '丙'; \
         INSERT INTO meta (name, value) VALUES ('rebind', '1')",
    );
    bank.reopen(&migrations()).unwrap();
    bank.finish_upgrade(now()).unwrap();
    let found = verified(&bank);
    let tables: Vec<&str> = found.findings.iter().map(|it| it.table.as_str()).collect();
    assert_eq!(tables, ["meta", "bank_account"]);
}

/// Neither does a real upgrade launder what was changed before, nor one that is made to run again.
#[test]
fn an_upgrade_leaves_what_was_changed_before_it() {
    let upgrade = widening("UPDATE bank_account SET share = 1.5");
    let mut bank = played();
    let change = "UPDATE bank_account SET amount_fen = 9999 WHERE name = '丙'";
    tamper(&bank, change);
    bank.reopen(&upgrade).unwrap();
    bank.finish_upgrade(now()).unwrap();
    let bad = |bank: &Bank| {
        let found = verified(bank).findings;
        found
            .into_iter()
            .map(|it| it.id.unwrap())
            .collect::<Vec<_>>()
    };
    let of = |name: &str| format!("SELECT id FROM bank_account WHERE name = '{name}'");
    assert_eq!(bad(&bank), ids(&bank, &of("丙")));
    tamper(
        &bank,
        "UPDATE bank_account SET amount_fen = 8888 WHERE name = '甲'; \
         DELETE FROM schema_migration WHERE version = 9100",
    );
    bank.reopen(&upgrade).unwrap();
    bank.finish_upgrade(now()).unwrap();
    let (mut found, mut wanted) = (bad(&bank), ids(&bank, &of("甲")));
    wanted.extend(ids(&bank, &of("丙")));
    found.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(found, wanted);
}

#[test]
fn an_interrupted_upgrade_goes_on() {
    let upgrade = widening("UPDATE bank_account SET share = 1.5");
    let mut bank = played();
    bank.reopen(&upgrade).unwrap();
    assert!(is_half_done(&bank));
    bank.reopen(&upgrade).unwrap();
    bank.finish_upgrade(now()).unwrap();
    let found = verified(&bank);
    assert!(found.ok, "{:?}", found.findings);
    assert!(!bank.dir().join("keys/log.upgrade").exists());
}

/// What could change rows by itself is refused at the start and found.
#[test]
fn foreign_parts_of_the_schema_are_refused() {
    for (sql, on_server, name) in [
        ("CREATE TABLE strange (a TEXT)", None, "strange"),
        ("CREATE VIEW strange AS SELECT 1 AS a", None, "strange"),
        (
            "CREATE TRIGGER strange AFTER UPDATE ON bank_account BEGIN DELETE FROM bank_holder; END",
            Some(false),
            "strange",
        ),
        (
            "CREATE RULE strange AS ON DELETE TO bank_account DO INSTEAD NOTHING",
            Some(true),
            "strange (bank_account)",
        ),
        (
            "CREATE FUNCTION strange() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; \
             CREATE TRIGGER strange AFTER UPDATE ON bank_account EXECUTE FUNCTION strange()",
            Some(true),
            "strange (bank_account)",
        ),
    ] {
        let mut bank = played();
        if on_server.is_some_and(|it| it != bank.on_server()) {
            continue;
        }
        tamper(&bank, sql);
        assert_eq!(verified(&bank).first_bad.unwrap().table, name, "{sql}");
        let refused = bank.reopen(&migrations());
        assert!(
            matches!(refused, Err(StoreError::Migration(_))),
            "{sql}: {refused:?}"
        );
    }
}

#[test]
fn a_row_whose_id_is_nothing_is_looked_at() {
    let bank = played();
    let nothing = literal(&bank, &[]);
    tamper(
        &bank,
        &format!("INSERT INTO bank_account (id, name, amount_fen) VALUES ({nothing}, '丁', 1)"),
    );
    assert_eq!(verified(&bank).first_bad.unwrap().table, "bank_account");
    let bank = played();
    tamper(
        &bank,
        &format!("INSERT INTO bank_holder (account_id, holder) VALUES ({nothing}, '丁')"),
    );
    assert_eq!(verified(&bank).first_bad.unwrap().table, "bank_holder");
}

/// After a disaster an operator takes an older log as it is, and the log says so.
#[test]
fn an_operator_takes_an_older_log_as_it_is() {
    let bank = played();
    let actor = event_of("x", Uuid::nil()).actor;
    assert_eq!(bank.accept_log(now(), &actor, "没有原因").unwrap(), None);
    let old = Edge::of(&bank);
    number(&bank);
    old.put_back(&bank);
    tamper(
        &bank,
        "DELETE FROM audit_event WHERE id NOT IN (SELECT event_id FROM audit_leaf); \
         UPDATE bank_account SET amount_fen = 500, last_event = \
         (SELECT event_id FROM audit_leaf WHERE number = 1) WHERE name = '乙'",
    );
    assert!(is_stopped(&bank));
    let accepted = bank
        .accept_log(now(), &actor, "恢复了备份")
        .unwrap()
        .unwrap();
    assert_eq!((accepted.remembered, accepted.size), (Some(5), 4));
    assert_eq!(bank.log_trouble(), None);
    let found = verified(&bank);
    assert!(found.ok, "{:?}", found.findings);
    assert_eq!((found.tree_size, found.accepted.len()), (5, 1));
    // A log that is not in order by itself is nobody's to take.
    tamper(&bank, "DELETE FROM audit_checkpoint");
    assert!(matches!(
        bank.accept_log(now(), &actor, "恢复了备份"),
        Err(StoreError::Log(_))
    ));
}

/// A key folder that cannot be written: the process remembers, and verify says that the folder does
/// not.
#[test]
fn a_folder_that_cannot_be_written_is_said() {
    let bank = played();
    let folder = bank.dir().join("keys/log.seen");
    std::fs::remove_file(&folder).unwrap();
    // In place of the file stands what cannot be written over, for whoever runs the test.
    std::fs::create_dir(&folder).unwrap();
    assert!(
        is_stopped(&bank),
        "a mark that cannot be read is not overlooked"
    );
    std::fs::remove_dir(&folder).unwrap();
    number(&bank);
    forget_mark(&bank);
    let found = verified(&bank);
    assert_eq!((found.ok, found.remembered), (true, None));
}

/// The watch goes around all rows, a few at a time, and names what was changed with or without an
/// event made up for it.
#[test]
fn the_watch_finds_what_was_changed() {
    let bank = played();
    let around = |bank: &Bank| {
        for _ in 0..4 {
            bank.watch_rows(2).unwrap();
        }
        bank.watched()
    };
    assert_eq!(around(&bank), []);
    number(&bank);
    tamper(
        &bank,
        "UPDATE bank_account SET amount_fen = 501 WHERE name = '丙'",
    );
    forge(&bank, "甲", 9_999);
    let of = "SELECT id FROM bank_account WHERE name IN ('丙', '甲') ORDER BY id";
    let named: Vec<Uuid> = around(&bank).into_iter().map(|(_, id)| id).collect();
    assert_eq!(named, ids(&bank, of));
    tamper(
        &bank,
        "UPDATE bank_account SET amount_fen = 500 WHERE name = '丙'",
    );
    assert_eq!(around(&bank).len(), 1);
}

/// A command that relies on rows learns which of them somebody changed.
#[test]
fn a_command_knows_a_touched_row() {
    let bank = played();
    let all = ids(&bank, "SELECT id FROM bank_account ORDER BY name");
    let touched = |bank: &Bank| {
        let all = all.clone();
        bank.write_blocking(command("look"), move |tx| {
            let mut parts = Vec::new();
            for id in &all {
                if tx.part_touched("bank_holder", ("bank_account", *id))? {
                    parts.push(*id);
                }
            }
            Ok::<_, StoreError>((tx.touched("bank_account", &all)?, parts))
        })
        .unwrap()
    };
    assert_eq!(touched(&bank), (vec![], vec![]));
    number(&bank);
    assert_eq!(touched(&bank), (vec![], vec![]));
    let of = |name: &str| {
        ids(
            &bank,
            &format!("SELECT id FROM bank_account WHERE name = '{name}'"),
        )
    };
    forge(&bank, "甲", 9_999);
    tamper(
        &bank,
        "DELETE FROM bank_holder WHERE holder = '二' AND account_id = \
         (SELECT id FROM bank_account WHERE name = '乙')",
    );
    assert_eq!(touched(&bank), (of("甲"), of("乙")));
}
