//! Changing keys: whole, interrupted at each step, and met by another program.

use uuid::Uuid;

use super::{Bank, command, now};
use crate::store::keys::present_number;
use crate::store::master::{self, Master};
use crate::store::rotate::{Rotation, switch, wrap_some};
use crate::store::testing::TemporaryFolder;
use crate::store::{ActorKind, ActorRef, Store, StoreError, params};

fn by() -> ActorRef {
    ActorRef {
        kind: ActorKind::Console,
        id: None,
        label: "console:test".into(),
        region: None,
    }
}

const OWNERS: u128 = 7;

/// A bank with owners who have sealed something, the last of them erased; what they sealed.
fn bank() -> (Bank, Vec<(Uuid, Vec<u8>)>) {
    let bank = Bank::new();
    let sealed = bank.write_blocking(command("seal"), |tx| {
        let seal = |n| {
            let owner = Uuid::from_u128(n);
            Ok::<_, StoreError>((owner, tx.seal(owner, "telephone", &n.to_string())?))
        };
        (1..=OWNERS).map(seal).collect::<Result<Vec<_>, _>>()
    });
    let erased = Uuid::from_u128(OWNERS);
    bank.write_blocking(command("erase"), move |tx| tx.destroy_key(erased))
        .unwrap();
    (bank, sealed.unwrap())
}

/// Every value opens, also for a program that starts now; the erased one for nobody.
fn all_opens(store: &Store, sealed: &[(Uuid, Vec<u8>)]) {
    let sealed = sealed.to_vec();
    let checked = store.read_blocking(move |q| {
        for (owner, bytes) in &sealed {
            let opened = q.open(*owner, bytes);
            if owner.as_u128() == OWNERS {
                assert!(matches!(opened, Err(StoreError::KeyDestroyed(_))));
            } else {
                assert_eq!(opened?, owner.as_u128().to_string());
            }
        }
        Ok::<_, StoreError>(())
    });
    checked.unwrap();
}

/// A copy of the bank's files, as another program finds them.
fn copy(bank: &Bank) -> TemporaryFolder {
    bank.shutdown();
    let copy = TemporaryFolder::new().unwrap();
    for folder in ["", "keys", "keys/retired"] {
        let (from, to) = (bank.dir().join(folder), copy.path().join(folder));
        std::fs::create_dir_all(&to).unwrap();
        for entry in std::fs::read_dir(from).into_iter().flatten() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_file() {
                std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
            }
        }
    }
    copy
}

fn hashes(store: &Store) -> ([u8; 32], [u8; 32], [u8; 32]) {
    let lookup = store.read_blocking::<_, StoreError, _>(|q| q.lookup("telephone", "1"));
    let keys = store.keys();
    (keys.log_seed(), keys.hash("file", "1"), lookup.unwrap())
}

#[test]
fn a_new_master_wraps_everything_and_changes_nothing() {
    let (bank, sealed) = bank();
    let before = hashes(&bank);
    let keys = bank.dir().join("keys");
    for number in 2..=3 {
        let done = bank.rotate_master(now(), &by()).unwrap();
        let expected = Rotation {
            master: number,
            resumed: false,
            wrapped: OWNERS as u64 - 1,
            retired: vec![number - 1],
        };
        assert_eq!(done, expected);
        assert!(master::present(&keys, number) && !master::present(&keys, number - 1));
        all_opens(&bank, &sealed);
        assert_eq!(hashes(&bank), before);
    }
    // New keys are under the new master.
    let fresh = Uuid::from_u128(99);
    let new = bank.write_blocking(command("seal"), move |tx| tx.seal(fresh, "telephone", "99"));
    let algorithm = bank.read_blocking::<_, StoreError, _>(move |q| {
        let sql = "SELECT algorithm FROM data_key WHERE owner_id = ?1";
        q.row(sql, params![fresh], |r| r.get::<String>(0))
    });
    assert_eq!(algorithm.unwrap(), "xchacha20poly1305/hkdf-sha256/3");
    let files = copy(&bank);
    let store = bank.again(files.path()).unwrap();
    all_opens(&store, &sealed);
    all_opens(&store, &[(fresh, new.unwrap())]);
    assert_eq!(hashes(&store), before);
    store.shutdown();
}

/// Killed after each step, the next call finishes the same change.
#[test]
fn an_interrupted_change_goes_on() {
    for step in 0..4 {
        let (bank, sealed) = bank();
        let before = hashes(&bank);
        let keys = bank.dir().join("keys");
        let new = Master::ensure(&keys, 2).unwrap();
        if step >= 1 {
            let print = crate::store::keys::fingerprint(&new);
            bank.write_blocking(command("keys.rotate"), move |tx| {
                switch(tx, &by(), 2, &print)
            })
            .unwrap();
        }
        for _ in 1..step {
            bank.write_blocking(command("keys.wrap"), |tx| wrap_some(tx, 2, Uuid::nil(), 3))
                .unwrap();
        }
        let files = copy(&bank);
        let store = bank.again(files.path()).unwrap();
        all_opens(&store, &sealed);
        let done = store.rotate_master(now(), &by()).unwrap();
        assert_eq!((done.master, done.resumed), (2, step >= 1), "step {step}");
        assert_eq!(done.retired, [1]);
        all_opens(&store, &sealed);
        assert_eq!(hashes(&store), before);
        store.shutdown();
    }
}

#[test]
fn a_master_that_is_not_there_is_asked_for_by_name() {
    let (bank, sealed) = bank();
    bank.rotate_master(now(), &by()).unwrap();
    let files = copy(&bank);
    let keys = files.path().join("keys");
    std::fs::rename(keys.join("master-2.key"), keys.join("away")).unwrap();
    let error = bank.again(files.path()).err().unwrap().to_string();
    assert!(error.contains("master-2.key"), "{error}");
    std::fs::rename(keys.join("away"), keys.join("master-2.key")).unwrap();
    let store = bank.again(files.path()).unwrap();
    all_opens(&store, &sealed);
    store.shutdown();
}

#[test]
fn look_up_hashes_change_their_key_while_searches_go_on() {
    let (bank, _) = bank();
    let both = |store: &Store| {
        let found = store.read_blocking::<_, StoreError, _>(|q| q.lookups("telephone", "1"));
        found.unwrap()
    };
    let [old, same] = both(&bank);
    assert_eq!(old, same);
    assert!(!bank.begin_lookups(now(), &by()).unwrap());
    let [new, before] = both(&bank);
    assert!(new != old && before == old);
    // A second call goes on with the first, also under another master.
    assert!(bank.begin_lookups(now(), &by()).unwrap());
    bank.rotate_master(now(), &by()).unwrap();
    let files = copy(&bank);
    let store = bank.again(files.path()).unwrap();
    assert_eq!(both(&store), [new, old]);
    store.end_lookups(now(), &by()).unwrap();
    assert_eq!(both(&store), [new, new]);
    assert_eq!(store.read_blocking(|q| present_number(&**q)).unwrap(), 2);
    store.shutdown();
}
