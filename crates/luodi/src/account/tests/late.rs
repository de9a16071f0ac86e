//! A form whose body comes long after its head: who sent it is asked when it is there.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use hyper::body::Frame;
use jiff::SignedDuration;
use tokio::sync::oneshot;

use super::{City, PASSWORD, console};
use crate::access::Role;
use crate::account::{AccountState, set_state};
use crate::params;
use crate::store::StoreError;
use crate::web::testing::{Browser, field};

/// A body of two parts. It says when the first was taken, and gives the second when it is told to.
struct Slow {
    parts: Vec<Bytes>,
    begun: Option<oneshot::Sender<()>>,
    go_on: oneshot::Receiver<()>,
}

impl hyper::body::Body for Slow {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match self.begun.take() {
            Some(begun) => begun.send(()).unwrap(),
            None if self.parts.len() == 1 => {
                if Pin::new(&mut self.go_on).poll(context).is_pending() {
                    return Poll::Pending;
                }
            }
            None => return Poll::Ready(None),
        }
        Poll::Ready(Some(Ok(Frame::data(self.parts.remove(0)))))
    }
}

/// Posts a form in two parts and does something between them.
async fn post_slowly(
    browser: &mut Browser<'_>,
    path: &str,
    fields: &[(&str, String)],
    between: impl AsyncFnOnce(),
) -> (StatusCode, String, String) {
    let text: String = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish();
    let (first, second) = text.split_at(text.len() / 2);
    let (begun, has_begun) = oneshot::channel();
    let (go, go_on) = oneshot::channel();
    let body = Slow {
        parts: vec![first.to_owned().into(), second.to_owned().into()],
        begun: Some(begun),
        go_on,
    };
    let meanwhile = async {
        has_begun.await.unwrap();
        between().await;
        go.send(()).unwrap();
    };
    let (answer, ()) = tokio::join!(browser.post_body(path, Body::new(body)), meanwhile);
    answer
}

async fn state_of(city: &City, login: &'static str) -> String {
    let read: Result<String, StoreError> = city
        .store
        .read(move |q| {
            let sql = "SELECT state FROM account WHERE login = ?1";
            q.row(sql, params![login], |r| r.get(0))
        })
        .await;
    read.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_is_its_senders_when_it_has_arrived() {
    let city = City::with(|city| {
        city.account("system", &[Role::SystemAdmin], "330300");
        city.account("clerk", &[Role::WindowClerk], "330302");
    })
    .await;
    let router = city.app();
    let mut browser = Browser::new(&router);
    let ids: Result<Vec<crate::ids::AccountId>, StoreError> = city
        .store
        .read(|q| {
            q.rows("SELECT id FROM account ORDER BY login", params![], |r| {
                r.get(0)
            })
        })
        .await;
    let [clerk, system] = ids.unwrap().try_into().unwrap();
    let path = format!("/accounts/{clerk}");
    browser.log_in("system", PASSWORD).await;
    let (_, _, page) = browser.get(&path).await;
    let lock = |key: &str| {
        [
            ("csrf", field(&page, "csrf")),
            ("idempotency_key", key.to_owned()),
            ("version", field(&page, "version")),
            ("action", "lock".to_owned()),
            ("reason", "本人已离职".to_owned()),
        ]
    };

    // Locked between head and end: nothing is done, what was typed is there.
    let now = city.clock.now();
    let shut = async || {
        let command = crate::store::Command::new("test", now);
        let locked = city.store.write(command, move |tx| {
            let sql = "SELECT version FROM account WHERE id = ?1";
            let version = tx.row(sql, params![system], |r| r.get(0))?;
            set_state(tx, &console(), system, version, AccountState::Locked, "")
        });
        locked.await.unwrap();
    };
    let (status, _, page) = post_slowly(&mut browser, &path, &lock("a"), shut).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED, "{page}");
    assert!(page.contains("本人已离职"), "{page}");
    assert_eq!(state_of(&city, "clerk").await, "active");

    // The session ended between head and end.
    let command = crate::store::Command::new("test", now);
    let unlocked = city.store.write(command, move |tx| {
        let sql = "SELECT version FROM account WHERE id = ?1";
        let version = tx.row(sql, params![system], |r| r.get(0))?;
        set_state(tx, &console(), system, version, AccountState::Active, "")
    });
    unlocked.await.unwrap();
    city.pass(SignedDuration::from_secs(60));
    browser.log_in("system", PASSWORD).await;
    let (_, _, page) = browser.get(&path).await;
    let mut fields = lock("b");
    fields[0].1 = field(&page, "csrf");
    let late = async || city.pass(SignedDuration::from_mins(31));
    let (status, _, _) = post_slowly(&mut browser, &path, &fields, late).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert_eq!(state_of(&city, "clerk").await, "active");

    // Nothing happened meanwhile but time, which is that of the end.
    browser.log_in("system", PASSWORD).await;
    let (_, _, page) = browser.get(&path).await;
    fields[0].1 = field(&page, "csrf");
    let late = async || city.pass(SignedDuration::from_secs(50));
    let (status, _, page) = post_slowly(&mut browser, &path, &fields, late).await;
    assert_eq!(status, StatusCode::SEE_OTHER, "{page}");
    assert_eq!(state_of(&city, "clerk").await, "locked");
    let at: Result<i64, StoreError> = city
        .store
        .read(|q| {
            let sql = "SELECT MAX(at) FROM audit_event WHERE command = 'account.set_state'";
            q.row(sql, params![], |r| r.get(0))
        })
        .await;
    assert_eq!(at.unwrap(), city.clock.now().as_millisecond());
}
