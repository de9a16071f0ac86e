//! The ordinary: write, read, ids, keys of the schema, sealing, opening again.

use super::*;

type Outcome<T> = Result<T, StoreError>;

#[test]
fn what_was_written_can_be_read() {
    let bank = Bank::new();
    let id = bank
        .write_blocking(command("open"), |tx| open_account(tx, "甲", 500))
        .unwrap();
    assert_eq!(bank.balances(), [("甲".to_owned(), 500)]);
    let sql = "SELECT id FROM bank_account WHERE name = ?1";
    let found: Outcome<Uuid> = bank.read_blocking(|q| q.row(sql, params!["甲"], |r| r.get(0)));
    assert_eq!(found.unwrap(), id);
}

#[tokio::test]
async fn asynchronous_callers_are_answered() {
    let bank = Bank::new();
    bank.write(command("open"), |tx| open_account(tx, "甲", 7))
        .await
        .unwrap();
    let sql = "SELECT CAST(SUM(amount_fen) AS BIGINT) FROM bank_account";
    let held: Outcome<i64> = bank
        .read(move |q| q.row(sql, params![], |r| r.get(0)))
        .await;
    assert_eq!(held.unwrap(), 7);
}

#[test]
fn the_same_command_has_the_same_ids_and_randomness_on_each_run() {
    let bank = Bank::new();
    let run = |seed| {
        let command = Command::seeded("ids", now(), seed);
        let draw = |tx: &Tx<'_>| -> Outcome<_> {
            Ok(([tx.new_id(), tx.new_id(), tx.new_id()], tx.random::<32>()))
        };
        bank.write_blocking(command, draw).unwrap()
    };
    let (ids, random) = run([1; 32]);
    assert_eq!(run([1; 32]), (ids, random));
    assert_ne!(run([2; 32]).0, ids);
    assert_ne!(run([2; 32]).1, random);
    assert!(ids.is_sorted(), "{ids:?}");
    assert!(ids.iter().all(|id| id.get_version_num() == 7));
}

#[test]
fn ids_of_a_long_command_stay_unique() {
    let bank = Bank::new();
    let draw = |tx: &Tx<'_>| -> Outcome<_> { Ok((0..5_000).map(|_| tx.new_id()).collect()) };
    let mut ids: Vec<Uuid> = bank.write_blocking(command("ids"), draw).unwrap();
    assert!(ids[..4_096].is_sorted());
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 5_000);
}

#[test]
fn today_is_the_day_in_china() {
    let bank = Bank::new();
    let day = |at: &str| {
        let command = Command::new("day", at.parse().unwrap());
        bank.write_blocking(command, |tx| Ok::<_, StoreError>(tx.today()))
            .unwrap()
            .to_string()
    };
    assert_eq!(day("2026-03-01T15:59:59.999Z"), "2026-03-01");
    assert_eq!(day("2026-03-01T16:00:00Z"), "2026-03-02");
}

#[test]
fn a_taken_key_names_table_and_column() {
    let bank = Bank::new();
    bank.write_blocking(command("open"), |tx| open_account(tx, "甲", 1))
        .unwrap();
    let again = bank.write_blocking(command("open"), |tx| open_account(tx, "甲", 2));
    let Err(StoreError::Conflict { table, columns }) = again else {
        panic!("{again:?}")
    };
    assert_eq!(table, "bank_account");
    assert_eq!(columns, ["name"]);
    assert_eq!(bank.balances(), [("甲".to_owned(), 1)]);
}

#[test]
fn sealed_texts_open_for_their_owner_only() {
    let bank = Bank::new();
    let (ann, bob) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let seal = move |tx: &Tx<'_>| {
        tx.seal(bob, "telephone", "13900000000")?;
        let sealed = tx.seal(ann, "telephone", "13800000000")?;
        assert_eq!(tx.open(ann, &sealed)?, "13800000000");
        Ok::<_, StoreError>(sealed)
    };
    let sealed = bank.write_blocking(command("seal"), seal).unwrap();
    let open = |owner: Uuid| -> Outcome<String> { bank.read_blocking(|q| q.open(owner, &sealed)) };
    assert_eq!(open(ann).unwrap(), "13800000000");
    assert!(matches!(open(bob), Err(StoreError::Unsealable(_))));
    assert!(matches!(open(Uuid::nil()), Err(StoreError::NotFound(_))));
    bank.write_blocking(command("erase"), move |tx| tx.destroy_key(ann))
        .unwrap();
    assert!(matches!(open(ann), Err(StoreError::KeyDestroyed(_))));
    let anew = bank.write_blocking(command("seal"), move |tx| tx.seal(ann, "telephone", "1"));
    assert!(matches!(anew, Err(StoreError::KeyDestroyed(_))));
}

#[test]
fn a_data_key_goes_with_the_command_that_made_it() {
    let bank = Bank::new();
    let owner = Uuid::from_u128(1);
    let undone = bank.write_blocking(command("seal"), move |tx| {
        tx.seal(owner, "telephone", "1")?;
        Err::<(), _>(StoreError::NotFound("refused".into()))
    });
    assert!(undone.is_err());
    let key = bank.read_blocking(|q| q.data_key(owner).map(drop));
    assert!(matches!(key, Err(StoreError::NotFound(_))));
}

#[test]
fn a_second_server_is_kept_out() {
    let bank = Bank::new();
    let second = bank.again(bank.dir());
    if bank.on_server() {
        assert!(second.is_ok(), "several servers may share one database");
    } else {
        assert!(matches!(second.err(), Some(StoreError::Locked(_))));
    }
}

#[test]
fn the_keys_of_a_database_are_missed_and_recognised() {
    let bank = Bank::new();
    let copy = TemporaryFolder::new().unwrap();
    let keys = copy.path().join("keys");
    std::fs::create_dir(&keys).unwrap();
    bank.shutdown();
    for file in ["luodi.db", "keys/master-1.key"] {
        if bank.dir().join(file).exists() {
            std::fs::copy(bank.dir().join(file), copy.path().join(file)).unwrap();
        }
    }
    let open = || bank.again(copy.path()).err();
    let away = copy.path().join("away");
    std::fs::rename(&keys, &away).unwrap();
    assert!(matches!(open(), Some(StoreError::Keys(_))));
    let other = Bank::new();
    std::fs::create_dir(&keys).unwrap();
    std::fs::copy(
        other.dir().join("keys/master-1.key"),
        keys.join("master-1.key"),
    )
    .unwrap();
    assert!(matches!(open(), Some(StoreError::Keys(_))));
    std::fs::copy(away.join("master-1.key"), keys.join("master-1.key")).unwrap();
    assert!(open().is_none());
}
