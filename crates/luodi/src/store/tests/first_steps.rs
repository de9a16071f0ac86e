//! The ordinary: write, read, ids, events, once in effect, jobs, sealing.

use jiff::SignedDuration;
use serde_json::json;

use super::*;
use crate::store::{
    Failed, IdempotencyKey, Job, MAX_ATTEMPTS, Once, Outgoing, Queue, dead_jobs, revive_job,
};

type Outcome<T> = Result<T, StoreError>;

#[test]
fn what_was_written_can_be_read() {
    let bank = Bank::new();
    let id = bank
        .write_blocking(command("open"), |tx| open_account(tx, "甲", 500))
        .unwrap();
    assert_eq!(bank.balances(), [("甲".to_owned(), 500)]);
    let found: Outcome<Uuid> = bank.read_blocking(|q| {
        q.row(
            "SELECT id FROM bank_account WHERE name = ?1",
            params!["甲"],
            |r| r.get(0),
        )
    });
    assert_eq!(found.unwrap(), id);
}

#[tokio::test]
async fn asynchronous_callers_are_answered() {
    let bank = Bank::new();
    bank.write(command("open"), |tx| open_account(tx, "甲", 7))
        .await
        .unwrap();
    let held: Outcome<i64> = bank
        .read(|q| {
            q.row(
                "SELECT CAST(SUM(amount_fen) AS BIGINT) FROM bank_account",
                params![],
                |r| r.get(0),
            )
        })
        .await;
    assert_eq!(held.unwrap(), 7);
}

#[test]
fn the_same_command_has_the_same_ids_and_randomness_on_each_run() {
    let bank = Bank::new();
    let run = |seed| {
        let command = Command::seeded("ids", now(), seed);
        bank.write_blocking(command, |tx| {
            Ok::<_, StoreError>(([tx.new_id(), tx.new_id(), tx.new_id()], tx.random::<32>()))
        })
        .unwrap()
    };
    let (ids, random) = run([1; 32]);
    assert_eq!(run([1; 32]), (ids, random));
    assert_ne!(run([2; 32]).0, ids);
    assert_ne!(run([2; 32]).1, random);
    assert!(ids.is_sorted(), "{ids:?}");
    assert!(ids.iter().all(|id| id.get_version_num() == 7));
}

#[test]
fn a_second_server_is_kept_out() {
    let bank = Bank::new();
    let second = Store::open_with(bank.dir(), &options(), &migrations());
    assert!(matches!(second.err(), Some(StoreError::Locked(_))));
}

#[test]
fn today_is_the_day_in_china() {
    let bank = Bank::new();
    let at: Timestamp = "2026-03-01T16:00:00Z".parse().unwrap();
    let day = bank.write_blocking(Command::new("day", at), |tx| {
        Ok::<_, StoreError>(tx.today())
    });
    assert_eq!(day.unwrap().to_string(), "2026-03-02");
}

#[test]
fn a_taken_key_names_table_and_column() {
    let bank = Bank::new();
    bank.write_blocking(command("open"), |tx| open_account(tx, "甲", 1))
        .unwrap();
    let refused = bank
        .write_blocking(command("open"), |tx| open_account(tx, "甲", 2))
        .unwrap_err();
    let StoreError::Conflict { table, columns } = refused else {
        panic!("{refused}")
    };
    assert_eq!(
        (table.as_str(), columns.as_slice()),
        ("bank_account", ["name".to_owned()].as_slice())
    );
    assert_eq!(bank.balances(), [("甲".to_owned(), 1)]);
}

#[test]
fn once_in_effect() {
    let bank = Bank::new();
    let key = |digest| IdempotencyKey {
        key: "k1".into(),
        scope: "public".into(),
        digest: [digest; 32],
    };
    let pay = |digest| {
        bank.write_once_blocking(command("open").once(key(digest)), |tx| {
            open_account(tx, "甲", 5).map(|id| id.to_string())
        })
    };
    let first = pay(1).unwrap();
    assert!(!first.replayed);
    assert_eq!(
        pay(1).unwrap(),
        Once {
            value: first.value.clone(),
            replayed: true
        }
    );
    let StoreError::KeyReused { first_answer } = pay(2).unwrap_err() else {
        panic!()
    };
    assert_eq!(first_answer, json!(first.value));
}

#[test]
fn events_bind_rows() {
    let bank = Bank::new();
    let (account, event) = bank
        .write_blocking(command("open"), |tx| {
            let account = open_account(tx, "甲", 5)?;
            Ok::<_, StoreError>((account, tx.event(event_of("open", account))))
        })
        .unwrap();
    let (last, rows): (Uuid, serde_json::Value) = bank
        .read_blocking(|q| {
            q.row(
                "SELECT a.last_event, e.rows FROM bank_account a \
                 JOIN audit_event e ON e.id = a.last_event WHERE a.id = ?1",
                params![account],
                |r| Ok((r.get(0)?, r.get(1)?)),
            )
        })
        .map_err(|error: StoreError| error)
        .unwrap();
    assert_eq!(last, event);
    assert_eq!(rows[0]["table"], "bank_account");
    assert_eq!(rows[0]["id"], account.to_string());
    assert!(rows[0]["digest"].as_str().unwrap().starts_with("sha256:"));
}

#[test]
fn sealed_texts_open_for_their_owner_only() {
    let bank = Bank::new();
    let (ann, bob) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let sealed = bank
        .write_blocking(command("seal"), move |tx| {
            tx.seal(bob, "telephone", "13900000000")?;
            tx.seal(ann, "telephone", "13800000000")
        })
        .unwrap();
    let open = |owner: Uuid, bytes: Vec<u8>| -> Outcome<String> {
        bank.read_blocking(|q| q.open(owner, &bytes))
    };
    assert_eq!(open(ann, sealed.clone()).unwrap(), "13800000000");
    assert!(matches!(
        open(bob, sealed.clone()),
        Err(StoreError::Unsealable(_))
    ));
    bank.write_blocking(command("erase"), move |tx| tx.destroy_key(ann))
        .unwrap();
    assert!(matches!(
        open(ann, sealed),
        Err(StoreError::KeyDestroyed(_))
    ));
}

#[tokio::test]
async fn jobs_are_claimed_once_per_lease_and_die_in_the_end() {
    let bank = Bank::new();
    let lease = SignedDuration::from_mins(5);
    bank.write(command("plan"), |tx| {
        let payload = json!({"n": 1});
        tx.enqueue_job(&Job {
            kind: "remind",
            key: Some("a".into()),
            payload,
            due_at: tx.now(),
        })?;
        tx.send(Outgoing {
            kind: "sms",
            payload: json!({}),
        })
    })
    .await
    .unwrap();
    let claimed = bank.claim_due_jobs(now(), 10, lease).await.unwrap();
    assert_eq!(claimed.len(), 1);
    assert_eq!(bank.claim_due_jobs(now(), 10, lease).await.unwrap(), []);
    assert_eq!(
        bank.claim_outgoing(now(), 10, lease).await.unwrap().len(),
        1
    );

    let mut at = now() + lease;
    let mut last = claimed.into_iter().next().unwrap();
    for attempt in 2..=MAX_ATTEMPTS {
        let stale = last;
        last = bank.claim_due_jobs(at, 10, lease).await.unwrap().remove(0);
        assert_eq!(last.attempts, attempt);
        let lost = bank.finish_job(at, stale).await;
        assert!(matches!(lost, Err(StoreError::LeaseLost(_))));
        if attempt < MAX_ATTEMPTS {
            let failed = bank
                .fail_job(at, last.clone(), "unreachable".into())
                .await
                .unwrap();
            let Failed::RetryAt(again) = failed else {
                panic!("{failed:?}")
            };
            assert!(again > at);
            at = again;
        }
    }
    let failed = bank
        .fail_job(at, last.clone(), "unreachable".into())
        .await
        .unwrap();
    assert_eq!(failed, Failed::Dead);
    let dead = bank.read(|q| dead_jobs(q, Queue::Job, 10)).await.unwrap();
    assert_eq!(dead.len(), 1);
    bank.write(Command::new("revive", at), move |tx| {
        revive_job(tx, last.id)
    })
    .await
    .unwrap();
    assert_eq!(
        bank.claim_due_jobs(at, 10, lease).await.unwrap()[0].attempts,
        1
    );
}
