//! The log: events get their numbers, and whatever is changed behind its back is found and named.

use trail::Note;

use super::*;
use crate::store::{
    Finding, Reading, Verified, check_proof, export_log, postgres, prove_event, sqlite,
    verify_export,
};

/// A bank with some history, all of it numbered but the last event.
pub(super) fn played() -> Bank {
    let bank = Bank::new();
    for name in ["丙", "乙", "甲"] {
        bank.write_blocking(command("open"), move |tx| {
            let account = open_account(tx, name, 500)?;
            tx.ensure_key(account)?;
            let sql = "INSERT INTO bank_holder (account_id, holder) VALUES (?1, ?2)";
            tx.execute(sql, params![account, "一"])?;
            tx.execute(sql, params![account, "二"])?;
            let rows = vec![("bank_account", account), ("bank_holder", account)];
            tx.event(Event {
                rows,
                ..event_of("open", account)
            });
            Ok::<_, StoreError>(())
        })
        .unwrap();
    }
    grant(&bank, "甲", 600);
    assert_eq!(number(&bank), 4);
    grant(&bank, "乙", 700);
    bank
}

/// Gives an account its new amount.
pub(super) fn grant(bank: &Bank, name: &'static str, amount_fen: i64) {
    bank.write_blocking(command("grant"), move |tx| {
        let sql = "UPDATE bank_account SET amount_fen = ?2 WHERE name = ?1 RETURNING id";
        let account = tx.row(sql, params![name, amount_fen], |row| row.get(0))?;
        tx.event(event_of("grant", account));
        Ok::<_, StoreError>(())
    })
    .unwrap();
}

pub(super) fn number(bank: &Bank) -> usize {
    bank.sequence_blocking(now()).unwrap()
}

fn verify(bank: &Bank, saved: Option<&Note>) -> Result<Verified, StoreError> {
    let options = Options {
        database: bank.database.url(),
        ..options()
    };
    let reading = Reading::open(bank.dir(), &options).unwrap();
    reading.verify_log(saved, now())
}

fn verified_with(bank: &Bank, saved: Option<&Note>) -> Verified {
    verify(bank, saved).unwrap()
}

/// Whether an upgrade is under way, before the end of which nothing can be said.
pub(super) fn is_half_done(bank: &Bank) -> bool {
    matches!(verify(bank, None), Err(StoreError::Migration(_)))
}

pub(super) fn verified(bank: &Bank) -> Verified {
    verified_with(bank, None)
}

/// Changes the tables behind the program's back.
pub(super) fn tamper(bank: &Bank, sql: &str) {
    match bank.database.url() {
        None => rusqlite::Connection::open(bank.dir().join("luodi.db"))
            .unwrap()
            .execute_batch(sql)
            .unwrap(),
        Some(url) => postgres::aside(|| postgres::Server::parse(&url)?.connect()?.control(sql))
            .unwrap()
            .unwrap(),
    }
}

/// The right side of a log: what one needs to put an old copy of it back.
pub(super) struct Edge {
    size: i64,
    tile: Vec<u8>,
    note: String,
    signed_at: i64,
    seal: Vec<u8>,
}

impl Edge {
    pub(super) fn of(bank: &Bank) -> Self {
        let found: Result<_, StoreError> = bank.read_blocking(|q| {
            let sql = "SELECT h.size, t.hashes, c.note, c.signed_at, c.seal FROM audit_head h, audit_tile t, \
                       audit_checkpoint c WHERE t.level = 0 AND c.size = h.size";
            q.row(sql, params![], |row| {
                Ok(Self {
                    size: row.get(0)?,
                    tile: row.get(1)?,
                    note: row.get(2)?,
                    signed_at: row.get(3)?,
                    seal: row.get(4)?,
                })
            })
        });
        found.unwrap()
    }

    pub(super) fn put_back(&self, bank: &Bank) {
        let Self {
            size,
            note,
            signed_at,
            ..
        } = self;
        let (tile, seal) = (literal(bank, &self.tile), literal(bank, &self.seal));
        tamper(
            bank,
            &format!(
                "DELETE FROM audit_leaf WHERE number >= {size}; UPDATE audit_tile SET hashes = {tile}; \
                 DELETE FROM audit_checkpoint; UPDATE audit_head SET size = {size}; \
                 INSERT INTO audit_checkpoint (size, signed_at, note, seal) VALUES ({size}, {signed_at}, '{note}', {seal})"
            ),
        );
    }
}

/// Bytes as the engine writes them in SQL.
pub(super) fn literal(bank: &Bank, bytes: &[u8]) -> String {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    match bank.on_server() {
        true => format!("CAST('\\x{hex}' AS BYTEA)"),
        false => format!("x'{hex}'"),
    }
}

pub(super) fn checkpoint(bank: &Bank) -> Note {
    let sql = "SELECT note FROM audit_checkpoint ORDER BY size DESC LIMIT 1";
    let note: Result<String, StoreError> =
        bank.read_blocking(|q| q.row(sql, params![], |row| row.get(0)));
    Note::parse(&note.unwrap()).unwrap()
}

#[test]
fn an_honest_log_is_found_honest() {
    let bank = played();
    let found = verified(&bank);
    assert!(found.ok, "{found:?}");
    assert_eq!((found.events, found.tree_size, found.waiting), (5, 4, 1));
    assert_eq!((found.rows, found.tables), (3 + 6 + 3, 3));
    let before = checkpoint(&bank);
    assert_eq!(number(&bank), 1);
    assert_eq!(number(&bank), 0);
    let found = verified_with(&bank, Some(&before));
    assert!(found.ok, "{found:?}");
    assert_eq!((found.events, found.tree_size, found.waiting), (5, 5, 0));
    assert!(checkpoint(&bank).text.contains(&found.root));
}

#[test]
fn an_empty_log_is_in_order() {
    let bank = Bank::new();
    assert_eq!(number(&bank), 0);
    let found = verified(&bank);
    assert!(found.ok, "{found:?}");
    assert_eq!((found.events, found.tree_size), (0, 0));
}

/// More than a command numbers at once, and than a tile holds.
#[test]
fn many_events_get_their_numbers_in_their_order() {
    let bank = Bank::new();
    bank.write_blocking(command("open"), |tx| {
        let account = open_account(tx, "甲", 5)?;
        for _ in 0..5_000 {
            tx.event(event_of("open", account));
        }
        Ok::<_, StoreError>(())
    })
    .unwrap();
    assert_eq!(number(&bank), 5_000);
    let found = verified(&bank);
    assert!(found.ok, "{found:?}");
    let sql = "SELECT event_id FROM audit_leaf ORDER BY number";
    let events: Result<Vec<Uuid>, StoreError> =
        bank.read_blocking(|q| q.rows(sql, params![], |row| row.get(0)));
    let in_order = "SELECT id FROM audit_event ORDER BY id LIMIT 4096";
    let wanted: Result<Vec<Uuid>, StoreError> =
        bank.read_blocking(|q| q.rows(in_order, params![], |row| row.get(0)));
    let (events, wanted) = (events.unwrap(), wanted.unwrap());
    assert_eq!(events.len(), 5_000);
    // Ids of one command ascend up to the 4,096th.
    assert_eq!(events[..4_000], wanted[..4_000]);
}

/// Events from before the log had a tree are taken in by the program that makes it one.
#[test]
fn what_happened_before_the_tree_is_taken_in() {
    let mut bank = played();
    tamper(&bank, BEFORE_THE_TREE);
    forget_mark(&bank);
    bank.reopen(&migrations()).unwrap();
    bank.finish_upgrade(now()).unwrap();
    let sql = "SELECT COUNT(*) FROM audit_event WHERE command = 'log.rebind'";
    let bound_anew: Result<i64, StoreError> =
        bank.read_blocking(|q| q.row(sql, params![], |row| row.get(0)));
    assert_eq!(bound_anew.unwrap(), 1);
    assert_eq!(number(&bank), 6);
    let found = verified(&bank);
    assert!(found.ok, "{:?}", found.findings);
}

/// Undoes the migrations that made the log a tree.
pub(super) const BEFORE_THE_TREE: &str = "DROP TABLE audit_leaf; DROP TABLE audit_tile; \
    DROP TABLE audit_checkpoint; DROP TABLE audit_pending; DROP TABLE audit_head; \
    DROP TABLE audit_refused; DELETE FROM schema_migration WHERE version >= 15";

/// As in a key folder that never saw the log, or cannot be written.
pub(super) fn forget_mark(bank: &Bank) {
    std::fs::remove_file(bank.dir().join("keys/log.seen")).unwrap();
}

/// A migration that changes rows without an event.
pub(super) fn widening(sql: &str) -> Vec<Migration> {
    let mut all = migrations();
    all.push(Migration {
        version: 9_100,
        name: "widening".into(),
        sql: format!("{sql}; INSERT INTO meta (name, value) VALUES ('rebind', '1');"),
    });
    all
}

/// A migration changes rows without an event, and binds tables that were not bound: the first start
/// after it names them.
#[test]
fn an_upgrade_binds_anew_what_it_changed() {
    let mut bank = played();
    let upgrade = widening("UPDATE bank_account SET share = 1.5");
    bank.reopen(&upgrade).unwrap();
    assert!(is_half_done(&bank));
    bank.finish_upgrade(now()).unwrap();
    let found = verified(&bank);
    assert!(found.ok, "{:?}", found.findings);
    // One names the rows, one says that it is done.
    assert_eq!((found.events, found.rebound), (5 + 2, 3));
    bank.finish_upgrade(now()).unwrap();
    assert_eq!(verified(&bank).events, 5 + 2, "once");
    tamper(&bank, "UPDATE bank_account SET share = 2.5");
    bank.finish_upgrade(now()).unwrap();
    assert!(!verified(&bank).ok, "only an upgrade binds anew");
}

/// Of an upgrade that was done, the wish for it is nothing but a forger's.
#[test]
fn whoever_asks_to_bind_anew_once_more_is_told() {
    let mut bank = played();
    let asked = "INSERT INTO meta (name, value) VALUES ('rebind', '1')";
    bank.reopen(&widening("UPDATE bank_account SET share = 1.5"))
        .unwrap();
    bank.finish_upgrade(now()).unwrap();
    assert!(verified(&bank).ok);
    tamper(&bank, asked);
    tamper(
        &bank,
        "UPDATE bank_account SET amount_fen = 9 WHERE name = '甲'",
    );
    let tables = |found: &Verified| -> Vec<String> {
        found.findings.iter().map(|it| it.table.clone()).collect()
    };
    assert_eq!(tables(&verified(&bank)), ["meta", "bank_account"]);
    bank.finish_upgrade(now()).unwrap();
    assert_eq!(tables(&verified(&bank)), ["bank_account"]);
}

/// A checkpoint from the middle that was taken away is missed by the one after it.
#[test]
fn a_checkpoint_that_was_taken_away_is_missed() {
    let bank = played();
    for hours in [2, 4] {
        grant(&bank, "丙", 500 + hours);
        let later = now() + jiff::SignedDuration::from_hours(hours);
        bank.sequence_blocking(later).unwrap();
    }
    let found = verified(&bank);
    assert_eq!((found.ok, found.checkpoints), (true, 3));
    let middle = "DELETE FROM audit_checkpoint WHERE size = 6";
    tamper(&bank, middle);
    let first = verified(&bank).first_bad.unwrap();
    assert_eq!(first.table, "audit_checkpoint");
}

/// What each attempt changes, and where it is to be found.
const ATTEMPTS: &[(&str, &str)] = &[
    // A row altered, deleted, copied, swapped, put back; by itself and with its event.
    (
        "UPDATE bank_account SET amount_fen = amount_fen + 1 WHERE name = '丙'",
        "bank_account",
    ),
    (
        "UPDATE bank_account SET share = 0.5 WHERE name = '乙'",
        "bank_account",
    ),
    (
        "UPDATE bank_account SET last_event = NULL WHERE name = '甲'",
        "bank_account",
    ),
    ("DELETE FROM bank_account WHERE name = '丙'", "bank_account"),
    (
        "INSERT INTO bank_account (id, name, amount_fen, last_event) \
         SELECT event_id, '丁', 500, event_id FROM audit_leaf WHERE number = 0",
        "bank_account",
    ),
    (
        "UPDATE bank_account SET name = '丁' WHERE name = '甲'; \
         UPDATE bank_account SET name = '甲' WHERE name = '丙'; \
         UPDATE bank_account SET name = '丙' WHERE name = '丁'",
        "bank_account",
    ),
    (
        "UPDATE bank_account SET amount_fen = 500, last_event = \
         (SELECT event_id FROM audit_leaf WHERE number = 2) WHERE name = '甲'",
        "bank_account",
    ),
    (
        "UPDATE bank_holder SET note = '!' WHERE holder = '一'",
        "bank_holder",
    ),
    ("DELETE FROM bank_holder WHERE holder = '二'", "bank_holder"),
    (
        "INSERT INTO bank_holder (account_id, holder) SELECT id, '三' FROM bank_account WHERE name = '乙'",
        "bank_holder",
    ),
    ("DELETE FROM bank_holder", "bank_holder"),
    // Events.
    (
        "UPDATE audit_event SET actor_label = 'other'",
        "audit_event",
    ),
    (
        "UPDATE audit_event SET at = at + 1 WHERE id = (SELECT event_id FROM audit_leaf WHERE number = 1)",
        "audit_event",
    ),
    ("UPDATE audit_event SET rows = '[]'", "audit_event"),
    (
        "UPDATE audit_event SET region_code = '330302'",
        "audit_event",
    ),
    (
        "DELETE FROM audit_event WHERE id = (SELECT event_id FROM audit_leaf WHERE number = 1)",
        "audit_event",
    ),
    (
        "INSERT INTO audit_event (id, at, actor_kind, actor_label, command, subject_table, subject_id, \
         detail, rows) SELECT subject_id, at, actor_kind, actor_label, command, subject_table, \
         subject_id, detail, rows FROM audit_event WHERE command = 'open'",
        "audit_event",
    ),
    // Events that wait.
    (
        "UPDATE audit_event SET detail = '{\"a\":1}' WHERE id IN (SELECT event_id FROM audit_pending)",
        "audit_event",
    ),
    (
        "DELETE FROM audit_event WHERE id IN (SELECT event_id FROM audit_pending)",
        "audit_event",
    ),
    ("DELETE FROM audit_pending", "audit_event"),
    (
        "UPDATE audit_pending SET leaf = NULL, seal = NULL",
        "audit_event",
    ),
    ("UPDATE audit_pending SET leaf = seal", "audit_event"),
    // The log's own tables.
    (
        "UPDATE audit_leaf SET mac = event_id WHERE number = 2",
        "audit_leaf",
    ),
    ("DELETE FROM audit_leaf WHERE number = 2", "audit_leaf"),
    ("DELETE FROM audit_leaf WHERE number = 3", "audit_event"),
    (
        "UPDATE audit_leaf SET number = 4611686018427387904 WHERE number = 3",
        "audit_checkpoint",
    ),
    (
        "UPDATE audit_tile SET hashes = (SELECT mac FROM audit_leaf WHERE number = 0)",
        "audit_tile",
    ),
    ("DELETE FROM audit_tile", "audit_tile"),
    ("UPDATE audit_checkpoint SET note = 'x'", "audit_checkpoint"),
    ("UPDATE audit_checkpoint SET size = 3", "audit_checkpoint"),
    ("DELETE FROM audit_checkpoint", "audit_leaf"),
    ("UPDATE audit_head SET size = 3", "audit_leaf"),
    (
        "UPDATE audit_head SET origin = 'luodi/other'",
        "audit_checkpoint",
    ),
    ("DELETE FROM audit_head", "audit_head"),
    // Rows too many beside the tree.
    (
        "INSERT INTO audit_tile (level, place, hashes) SELECT 0, 1, hashes FROM audit_tile WHERE level = 0",
        "audit_tile",
    ),
    (
        "INSERT INTO audit_tile (level, place, hashes) SELECT -1, 0, hashes FROM audit_tile WHERE level = 0",
        "audit_tile",
    ),
    (
        "INSERT INTO audit_leaf (number, event_id, mac) \
         SELECT -1, event_id, seal FROM audit_pending",
        "audit_leaf",
    ),
    (
        "DROP INDEX audit_pending_event; \
         INSERT INTO audit_pending (event_id, leaf, seal) SELECT event_id, leaf, seal FROM audit_pending",
        "audit_event",
    ),
    (
        "INSERT INTO audit_pending (event_id, leaf, seal) SELECT event_id, mac, mac FROM audit_leaf WHERE number = 1",
        "audit_event",
    ),
    // When a checkpoint was signed, and that there was one before it.
    (
        "UPDATE audit_checkpoint SET signed_at = signed_at - 1",
        "audit_checkpoint",
    ),
    (
        "UPDATE audit_checkpoint SET seal = NULL",
        "audit_checkpoint",
    ),
    (
        "INSERT INTO audit_checkpoint (size, signed_at, note, seal) \
         SELECT 2, signed_at - 9999999, note, seal FROM audit_checkpoint",
        "audit_checkpoint",
    ),
    // Keys.
    ("UPDATE data_key SET wrapped = NULL", "data_key"),
    ("UPDATE data_key SET created_at = 1", "data_key"),
    ("DELETE FROM data_key", "data_key"),
    (
        "INSERT INTO data_key (owner_id, algorithm, created_at) \
         SELECT event_id, '', 1 FROM audit_leaf WHERE number = 1",
        "data_key",
    ),
];

#[test]
fn whatever_is_changed_is_found() {
    for (sql, table) in ATTEMPTS {
        let bank = played();
        tamper(&bank, sql);
        let found = verified(&bank);
        let first = found
            .first_bad
            .unwrap_or_else(|| panic!("not found: {sql}"));
        let tables: Vec<&str> = found.findings.iter().map(|it| it.table.as_str()).collect();
        assert!(tables.contains(table), "{sql}: {tables:?}");
        assert!(!first.why.is_empty());
    }
}

/// The first finding names the row and the event that last wrote it.
#[test]
fn what_was_changed_is_named() {
    let bank = played();
    tamper(
        &bank,
        "UPDATE bank_account SET amount_fen = 9 WHERE name = '甲'",
    );
    let sql = "SELECT a.id, l.event_id FROM bank_account a, audit_leaf l \
               WHERE a.name = '甲' AND l.number = 3";
    let found: Result<(Uuid, Uuid), StoreError> =
        bank.read_blocking(|q| q.row(sql, params![], |row| Ok((row.get(0)?, row.get(1)?))));
    let (row, event) = found.unwrap();
    let first = verified(&bank).first_bad.unwrap();
    assert_eq!(
        first,
        Finding {
            event: Some(event),
            number: Some(3),
            table: "bank_account".into(),
            id: Some(row),
            why: "这一行被改动：内容与最后写它的事件不符。".into(),
        }
    );
    let other = "UPDATE audit_event SET command = 'x' \
                 WHERE id = (SELECT event_id FROM audit_leaf WHERE number = 1)";
    tamper(&bank, other);
    let first = verified(&bank).first_bad.unwrap();
    assert_eq!(
        (first.number, first.table.as_str()),
        (Some(1), "audit_event")
    );
}

/// A forger who makes the tree anew lacks the key; one who has yesterday's copy lacks today.
#[test]
fn a_checkpoint_kept_elsewhere_finds_an_old_copy() {
    let bank = played();
    let old = Edge::of(&bank);
    number(&bank);
    let saved = checkpoint(&bank);
    old.put_back(&bank);
    let back = "DELETE FROM audit_event WHERE id NOT IN (SELECT event_id FROM audit_leaf); \
                UPDATE bank_account SET amount_fen = 500, last_event = \
                (SELECT event_id FROM audit_leaf WHERE number = 1) WHERE name = '乙'";
    tamper(&bank, back);
    let found = verified(&bank);
    assert_eq!(
        found.first_bad.unwrap().table,
        "audit_checkpoint",
        "by the mark"
    );
    forget_mark(&bank);
    assert!(verified(&bank).ok, "by itself the old copy is in order");
    let found = verified_with(&bank, Some(&saved));
    assert_eq!(found.first_bad.unwrap().table, "audit_checkpoint");
    grant(&bank, "丙", 1);
    number(&bank);
    let found = verified_with(&bank, Some(&saved));
    assert_eq!(found.first_bad.unwrap().table, "audit_checkpoint");
    let foreign = checkpoint(&{
        let other = Bank::new();
        other
            .write_blocking(command("open"), |tx| {
                let account = open_account(tx, "甲", 5)?;
                tx.event(event_of("open", account));
                Ok::<_, StoreError>(())
            })
            .unwrap();
        number(&other);
        other
    });
    assert!(!verified_with(&bank, Some(&foreign)).ok);
}

/// An event that somebody else put among those that wait never gets a number.
#[test]
fn what_this_program_did_not_write_gets_no_number() {
    let bank = played();
    let forged = "INSERT INTO audit_event (id, at, actor_kind, actor_label, command, subject_table, \
                  subject_id, detail, rows) SELECT subject_id, at, actor_kind, actor_label, command, \
                  subject_table, subject_id, detail, rows FROM audit_event WHERE command = 'grant' \
                  AND id IN (SELECT event_id FROM audit_leaf); \
                  INSERT INTO audit_pending (event_id) SELECT subject_id FROM audit_event \
                  WHERE id = subject_id";
    tamper(&bank, forged);
    assert_eq!(number(&bank), 1);
    let found = verified(&bank);
    assert_eq!((found.tree_size, found.waiting), (5, 0));
    assert_eq!(found.first_bad.unwrap().table, "audit_event");
}

#[test]
fn one_who_reads_cannot_write() {
    let bank = played();
    if bank.on_server() {
        return;
    }
    let reader = sqlite::open_reader(
        &bank.dir().join("luodi.db"),
        &sqlite::Settings {
            durable: false,
            page_size: 4_096,
            cache_kib: 64,
        },
    );
    let refused = reader.unwrap().execute_batch("DELETE FROM bank_account");
    assert!(refused.is_err());
}

fn exported(bank: &Bank) -> String {
    let mut out = Vec::new();
    let size: Result<u64, StoreError> = bank.read_blocking(|q| export_log(&**q, &mut out));
    assert_eq!(size.unwrap(), 5);
    String::from_utf8(out).unwrap()
}

fn sound(export: &[u8], saved: Option<&Note>) -> bool {
    verify_export(&mut std::io::Cursor::new(export), saved, None).is_ok_and(|found| found.ok)
}

/// Each byte of an export loses one bit, and every time it shows.
#[test]
fn any_flipped_bit_of_an_export_is_found() {
    let bank = played();
    number(&bank);
    let export = exported(&bank).into_bytes();
    assert!(sound(&export, None));
    assert!(sound(&export, Some(&checkpoint(&bank))));
    for at in 0..export.len() {
        let mut flipped = export.clone();
        flipped[at] ^= 1 << (at % 8);
        assert!(!sound(&flipped, None), "byte {at}");
    }
}

#[test]
fn lines_of_an_export_cannot_be_cut_added_or_moved() {
    let bank = played();
    let early = checkpoint(&bank);
    number(&bank);
    let export = exported(&bank);
    let lines: Vec<&str> = export.lines().collect();
    let with = |order: &[usize]| {
        let text: String = order.iter().map(|at| format!("{}\n", lines[*at])).collect();
        sound(text.as_bytes(), None)
    };
    assert_eq!(lines.len(), 7);
    assert!(with(&[0, 1, 2, 3, 4, 5, 6]));
    for order in [
        &[0, 1, 2, 3, 4, 5][..],
        &[0, 1, 2, 3, 4, 6],
        &[0, 2, 1, 3, 4, 5, 6],
        &[0, 1, 2, 2, 3, 4, 5, 6],
        &[0, 1, 2, 3, 4, 5, 6, 6],
        &[0, 1, 2, 3, 4, 5, 6, 5],
        &[1, 2, 3, 4, 5, 6],
        &[0, 6],
    ] {
        assert!(!with(order), "{order:?}");
    }
    assert!(!sound(export.trim_end().as_bytes(), None));
    assert!(sound(export.as_bytes(), Some(&early)));
    let first = verify_export(
        &mut std::io::Cursor::new(export.replacen("\"open\"", "\"shut\"", 1)),
        None,
        None,
    );
    let first = first.unwrap().first_bad.unwrap();
    assert_eq!(
        (first.number, first.why.as_str()),
        (Some(0), "事件被改动。")
    );
}

#[test]
fn an_event_is_proved_once_it_has_a_number() {
    let bank = played();
    let sql = "SELECT event_id, 0 FROM audit_pending UNION ALL SELECT event_id, 1 FROM audit_leaf \
               ORDER BY 2";
    let events: Result<Vec<Uuid>, StoreError> =
        bank.read_blocking(|q| q.rows(sql, params![], |row| row.get(0)));
    let prove = |event: Uuid| {
        let text: Result<Option<String>, StoreError> =
            bank.read_blocking(|q| prove_event(&**q, event));
        text.unwrap()
    };
    for (at, event) in events.unwrap().into_iter().enumerate() {
        let text = prove(event);
        assert_eq!(text.is_none(), at == 0);
        let Some(text) = text else { continue };
        let proved = check_proof(&text).unwrap().unwrap();
        assert!(proved.ok && proved.event == event, "{proved:?}");
        for at in 0..text.len() {
            let mut flipped = text.clone().into_bytes();
            flipped[at] ^= 1 << (at % 7);
            let flipped = String::from_utf8_lossy(&flipped);
            let found = check_proof(&flipped);
            assert!(found.is_err() || found.is_ok_and(|found| found.is_none_or(|it| !it.ok)));
        }
    }
}
