//! Once in effect.

use jiff::SignedDuration;
use serde_json::json;

use super::*;
use crate::store::{ANSWERS_KEPT, IdempotencyKey, Once};

fn key(scope: &str, digest: u8) -> IdempotencyKey {
    IdempotencyKey {
        key: "k1".into(),
        scope: scope.into(),
        digest: [digest; 32],
    }
}

/// Opens an account once under a key, for a command of this name.
fn once(
    bank: &Bank,
    name: &'static str,
    key: IdempotencyKey,
    amount: i64,
) -> Result<Once<Uuid>, StoreError> {
    let account = format!("{} {name}", key.scope);
    let open = move |tx: &Tx<'_>| open_account(tx, &account, amount);
    bank.write_once_blocking(command(name).once(key), open)
}

#[test]
fn the_same_content_gets_the_same_answer() {
    let bank = Bank::new();
    let first = once(&bank, "open", key("public", 1), 5).unwrap();
    assert!(!first.replayed);
    let again = once(&bank, "open", key("public", 1), 5).unwrap();
    assert_eq!(
        again,
        Once {
            value: first.value,
            replayed: true
        }
    );
    assert_eq!(bank.balances().len(), 1);
}

#[test]
fn other_content_or_another_command_is_refused_with_the_first_answer() {
    let bank = Bank::new();
    let first = once(&bank, "open", key("public", 1), 5).unwrap();
    for reused in [
        once(&bank, "open", key("public", 2), 5),
        once(&bank, "pay", key("public", 1), 5),
    ] {
        let StoreError::KeyReused { first_answer } = reused.unwrap_err() else {
            panic!()
        };
        assert_eq!(first_answer, json!(first.value));
    }
    assert_eq!(bank.balances().len(), 1);
}

#[test]
fn a_refusal_is_decided_afresh() {
    let bank = Bank::new();
    let refused = once(&bank, "open", key("public", 1), -1);
    assert!(matches!(refused, Err(StoreError::Constraint(_))));
    assert!(!once(&bank, "open", key("public", 1), 1).unwrap().replayed);
    assert!(once(&bank, "open", key("public", 1), -1).unwrap().replayed);
}

#[test]
fn equal_keys_of_two_scopes_are_unrelated() {
    let bank = Bank::new();
    assert!(!once(&bank, "open", key("a", 1), 1).unwrap().replayed);
    assert!(!once(&bank, "open", key("b", 1), 1).unwrap().replayed);
}

/// A key that turns out to be taken costs its group a second run and nobody else anything.
#[tokio::test]
async fn a_group_with_a_key_that_is_taken_stands() {
    let bank = Bank::new();
    let open = |name: &'static str| {
        let key = IdempotencyKey {
            key: name.into(),
            ..key("public", 1)
        };
        let command = command("open").once(key);
        bank.write_once(command, move |tx| open_account(tx, name, 1).map(drop))
    };
    assert!(!open("甲").await.unwrap().replayed);
    let all = ["乙", "甲", "丙"].map(|name| tokio::spawn(open(name)));
    let mut replayed = Vec::new();
    for answer in all {
        replayed.push(answer.await.unwrap().unwrap().replayed);
    }
    assert_eq!(replayed, [false, true, false]);
    assert_eq!(bank.balances().len(), 3);
    // Without a name that is taken, too: only the key tells.
    let note = || {
        bank.write_once(command("note").once(key("a", 1)), |tx| {
            tx.execute(
                "UPDATE bank_account SET amount_fen = amount_fen + 1",
                params![],
            )
        })
    };
    assert_eq!(note().await.unwrap().value, 3);
    assert!(note().await.unwrap().replayed);
    assert!(bank.balances().iter().all(|(_, amount)| *amount == 2));
}

#[tokio::test]
async fn answers_are_forgotten_after_their_time() {
    let bank = Bank::new();
    let once = |at: Timestamp| {
        let command = Command::new("n", at).once(key("public", 1));
        bank.write_once(command, |_| Ok::<_, StoreError>(1))
    };
    assert!(!once(now()).await.unwrap().replayed);
    let kept = now() + ANSWERS_KEPT;
    assert!(!bank.sweep(kept).await.unwrap());
    assert!(once(kept).await.unwrap().replayed);
    assert!(
        bank.sweep(kept + SignedDuration::from_secs(1))
            .await
            .unwrap()
    );
    assert!(!once(kept).await.unwrap().replayed);
}
