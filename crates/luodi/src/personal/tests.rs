//! Every table is somebody's: its rows are given to their party and go with it, or stand here with
//! the reason why not.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::sources;
use crate::dossier::{Fate, Kind};
use crate::store::StoreError;
use crate::store::testing::TemporaryStore;

/// Tables of which no party is given anything, and why.
const OTHERS: &[(&str, &str)] = &[
    ("account_leave", "staff who are away, never an applicant"),
    ("account_role", "duties, of an applicant always the same"),
    ("article", "the city's own publications"),
    ("audit_checkpoint", "signatures over the log"),
    (
        "audit_event",
        "names rows and accounts, never personal values; kept whole",
    ),
    ("audit_head", "the size of the log"),
    ("audit_leaf", "numbers of events"),
    ("audit_pending", "events that wait for their number"),
    (
        "audit_refused",
        "ids of what stood among the events that wait and was none",
    ),
    ("audit_tile", "hashes over the log"),
    ("bank_reply", "counts and sums of a whole file"),
    (
        "batch",
        "a list as a whole; the party's line is batch_entry",
    ),
    ("budget_line", "the city's money"),
    ("case_duty", "who of the staff did what"),
    ("case_measure", "figures derived from case_value"),
    ("city", "the installation"),
    (
        "data_key",
        "keys, of no use outside; the party's own is destroyed",
    ),
    ("demo_account", "public accounts of a demonstration"),
    ("department", "the city's offices"),
    ("idempotency", "answers that name rows; gone after a week"),
    ("item", "what can be applied for"),
    ("item_version", "published packages"),
    ("job", "names rows; gone after a month"),
    (
        "known_device",
        "hashes of browsers; deleted with the erasure",
    ),
    ("ledger_balance", "sums of budget lines"),
    ("meta", "the store itself"),
    (
        "notice",
        "a notice as a whole; the party's line is notice_entry",
    ),
    ("number_series", "numbers of papers"),
    ("objection", "its objector's data, under a key of its own"),
    ("password_past", "hashes; deleted with the erasure"),
    ("policy_version", "published packages"),
    ("posting", "amounts of ledger entries; they name nobody"),
    (
        "recovery_code",
        "hashes; the account cannot log in any more",
    ),
    ("schema_migration", "the store itself"),
    (
        "second_factor",
        "a secret of the app, under the account's key, which is destroyed",
    ),
    (
        "sent_code",
        "hashes good for ten minutes; deleted with the erasure",
    ),
    (
        "session",
        "hashes, addresses and times; deleted with the erasure",
    ),
];

#[test]
fn every_table_and_column_is_given_or_left_out_for_a_reason() {
    let store = TemporaryStore::open(Timestamp::UNIX_EPOCH).unwrap();
    let columns = store
        .read_blocking::<_, StoreError, _>(|q| q.columns())
        .unwrap();
    let mut schema: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (table, column) in columns {
        let known = schema.entry(table).or_default();
        if column != "last_event" {
            known.insert(column);
        }
    }
    for source in sources() {
        let real = schema.remove(source.table);
        let named = source.columns.iter().map(|it| it.name.to_owned());
        assert_eq!(real, Some(named.collect()), "{}", source.table);
    }
    schema.retain(|table, _| !table.starts_with("sqlite_"));
    let left: BTreeSet<&str> = schema.keys().map(String::as_str).collect();
    let reasons: BTreeSet<&str> = OTHERS.iter().map(|(table, _)| *table).collect();
    assert_eq!(left, reasons, "give these to their party, or say why not");
}

/// What is sealed under the party's key or found by hash cannot stay.
#[test]
fn nothing_sealed_or_hashed_stays() {
    for source in sources() {
        for column in source.columns {
            let secret = column.kind == Kind::Sealed
                || column.name.ends_with("_sealed")
                || column.name.ends_with("_lookup");
            assert!(
                !secret || column.fate != Fate::Stays,
                "{}.{}",
                source.table,
                column.name
            );
        }
    }
}
