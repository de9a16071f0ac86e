//! Jobs and messages: claimed under a lease, tried again, dead in the end.

use jiff::SignedDuration;
use serde_json::json;

use super::*;
use crate::store::{
    ClaimedJob, Failed, Job, MAX_ATTEMPTS, Outgoing, Queue, dead_jobs, jobs, revive_job,
};

const LEASE: SignedDuration = SignedDuration::from_mins(5);

fn closing(n: i64, due_at: Timestamp) -> Job {
    Job {
        kind: "close",
        key: Some("case 1".into()),
        payload: json!({ "n": n }),
        due_at,
    }
}

fn plan(bank: &Bank, n: i64, due_at: Timestamp) -> Uuid {
    bank.write_blocking(command("plan"), move |tx| {
        tx.enqueue_job(&closing(n, due_at))
    })
    .unwrap()
}

fn claim(bank: &Bank, at: Timestamp) -> Vec<ClaimedJob> {
    let claim = |tx: &Tx<'_>| jobs::claim(tx, Queue::Job, 10, LEASE);
    bank.write_blocking(Command::new("claim", at), claim)
        .unwrap()
}

fn finish(bank: &Bank, job: &ClaimedJob) -> Result<(), StoreError> {
    let job = job.clone();
    bank.write_blocking(command("finish"), move |tx| tx.finish_job(&job))
}

#[tokio::test]
async fn the_queues_are_apart_and_a_finished_job_is_gone() {
    let bank = Bank::new();
    let send = |tx: &Tx<'_>| {
        tx.send(Outgoing {
            kind: "sms",
            payload: json!({"to": 1}),
        })
    };
    bank.write(command("send"), send).await.unwrap();
    assert_eq!(bank.claim_due_jobs(now(), 10, LEASE).await.unwrap(), []);
    let message = bank
        .claim_outgoing(now(), 10, LEASE)
        .await
        .unwrap()
        .remove(0);
    assert_eq!(
        (message.kind.as_str(), &message.payload),
        ("sms", &json!({"to": 1}))
    );
    assert_eq!(bank.claim_outgoing(now(), 10, LEASE).await.unwrap(), []);
    bank.finish_job(now(), message).await.unwrap();
    assert_eq!(
        bank.claim_outgoing(now() + LEASE, 10, LEASE).await.unwrap(),
        []
    );
}

#[test]
fn asking_in_vain_writes_nothing() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let bank = Bank::new();
    plan(&bank, 1, now() + LEASE);
    let before = bank.stats();
    assert_eq!(
        runtime
            .block_on(bank.claim_due_jobs(now(), 10, LEASE))
            .unwrap(),
        []
    );
    assert_eq!(bank.stats(), before);
}

#[test]
fn an_open_job_is_set_anew_under_its_key() {
    let bank = Bank::new();
    let later = now() + SignedDuration::from_hours(1);
    assert_eq!(plan(&bank, 1, now()), plan(&bank, 2, later));
    assert_eq!(claim(&bank, now()), []);
    let [claimed] = claim(&bank, later).try_into().unwrap();
    assert_eq!(claimed.payload, json!({"n": 2}));
    // Set anew while it is being worked on: the old lease is void, the new time counts.
    plan(&bank, 3, later);
    assert!(matches!(
        finish(&bank, &claimed),
        Err(StoreError::LeaseLost(_))
    ));
    let [claimed] = claim(&bank, later).try_into().unwrap();
    finish(&bank, &claimed).unwrap();
    assert_ne!(plan(&bank, 4, later), claimed.id);
}

#[test]
fn an_open_job_can_be_cancelled() {
    let bank = Bank::new();
    plan(&bank, 1, now());
    let cancel = || {
        bank.write_blocking(command("cancel"), |tx| tx.cancel_job("close", "case 1"))
            .unwrap()
    };
    assert!(cancel());
    assert!(!cancel());
    assert_eq!(claim(&bank, now() + LEASE), []);
}

#[test]
fn effects_of_a_worker_that_lost_its_lease_are_undone() {
    let bank = Bank::new();
    plan(&bank, 1, now());
    let [slow] = claim(&bank, now()).try_into().unwrap();
    let [fast] = claim(&bank, now() + LEASE).try_into().unwrap();
    let work = |job: ClaimedJob, name: &'static str| {
        bank.write_blocking(command("work"), move |tx| {
            open_account(tx, name, 1)?;
            tx.finish_job(&job)
        })
    };
    work(fast, "fast").unwrap();
    assert!(matches!(work(slow, "slow"), Err(StoreError::LeaseLost(_))));
    assert_eq!(bank.balances(), [("fast".to_owned(), 1)]);
}

#[tokio::test]
async fn a_job_that_fails_is_tried_again_and_dies_in_the_end() {
    let bank = Bank::new();
    bank.write(command("plan"), |tx| tx.enqueue_job(&closing(1, now())))
        .await
        .unwrap();
    let mut at = now();
    let mut attempt = 0;
    let dead = loop {
        let job = bank.claim_due_jobs(at, 10, LEASE).await.unwrap().remove(0);
        attempt += 1;
        assert_eq!(job.attempts, attempt);
        match bank
            .fail_job(at, job.clone(), "unreachable".into())
            .await
            .unwrap()
        {
            Failed::Dead => break job,
            Failed::RetryAt(again) => {
                let early = again - SignedDuration::from_millis(1);
                assert_eq!(bank.claim_due_jobs(early, 10, LEASE).await.unwrap(), []);
                at = again;
            }
        }
    };
    assert_eq!(attempt, MAX_ATTEMPTS);
    let listed = bank
        .read(|q| dead_jobs(q, Queue::Job, 10))
        .await
        .unwrap()
        .remove(0);
    assert_eq!(
        (listed.id, listed.last_error.as_deref()),
        (dead.id, Some("unreachable"))
    );
    bank.write(Command::new("revive", at), move |tx| {
        revive_job(tx, dead.id)
    })
    .await
    .unwrap();
    assert_eq!(
        bank.claim_due_jobs(at, 10, LEASE).await.unwrap()[0].attempts,
        1
    );
}

#[test]
fn a_job_whose_workers_vanish_dies_too() {
    let bank = Bank::new();
    plan(&bank, 1, now());
    let mut at = now();
    for _ in 0..MAX_ATTEMPTS {
        assert_eq!(claim(&bank, at).len(), 1);
        at += LEASE;
    }
    assert_eq!(claim(&bank, at), []);
    let dead: Result<_, StoreError> = bank.read_blocking(|q| dead_jobs(q, Queue::Job, 10));
    assert_eq!(dead.unwrap().len(), 1);
}
