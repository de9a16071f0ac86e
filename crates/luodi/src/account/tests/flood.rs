//! An address that is flooded with tries: whom it keeps out, whom not, and what is noted of it.

use axum::http::StatusCode;
use jiff::SignedDuration;

use super::super::enter::LOG_IN;
use super::{City, PASSWORD};
use crate::access::Role;
use crate::params;
use crate::store::StoreError;
use crate::web::testing::{Browser, app};
use crate::web::{App, mount};

/// Uses up what the address of all browsers of a test may try.
fn flood(app: &App, city: &City) {
    let tries = (0..1_000).filter(|_| app.attempts.admit(LOG_IN, "", city.clock.now()));
    assert!(tries.count() <= 300);
}

fn refusals(city: &City) -> Vec<String> {
    let read: Result<Vec<String>, StoreError> = city.store.read_blocking(|q| {
        let sql = "SELECT detail FROM audit_event WHERE command = 'session.refuse' ORDER BY id";
        q.rows(sql, params![], |r| r.get(0))
    });
    read.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flooded_address_keeps_out_no_browser_the_account_knows() {
    let city = City::with(|city| {
        for login in ["clerk", "other", "fresh"] {
            city.account(login, &[Role::WindowClerk], "330302");
        }
    })
    .await;
    let app = app(&city.store, &city.clock);
    let router = mount(&app, crate::router::routes());
    let (mut known, mut stranger) = (Browser::new(&router), Browser::new(&router));
    known.log_in("clerk", PASSWORD).await;
    Browser::new(&router).log_in("other", PASSWORD).await;
    flood(&app, &city);

    // Strangers wait, and are told how long.
    let (status, _, page) = stranger.log_in("fresh", PASSWORD).await;
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
    assert!(
        page.contains("address-rate") && page.contains("请 1 秒后再试"),
        "{page}"
    );
    assert_eq!(stranger.retry_after, "1");
    // Whoever logs in from here comes in with the right password, also in a new browser; whoever
    // guesses is told nothing that others are not.
    let mut told = Vec::new();
    for login in ["other", "fresh", "nobody"] {
        let (status, _, page) = stranger.log_in(login, "wrong-password").await;
        let errors = page.split("class=\"errors\"").nth(1).unwrap();
        told.push((status, errors.split("</div>").next().unwrap().to_owned()));
    }
    assert!(told.windows(2).all(|two| two[0] == two[1]), "{told:?}");
    assert_eq!(stranger.log_in("other", PASSWORD).await.1, "/work");
    // The known browser comes in as often as it likes, and pays for its own wrong tries.
    flood(&app, &city);
    for _ in 0..12 {
        assert_eq!(known.log_in("clerk", PASSWORD).await.1, "/work");
    }
    for n in 0..7 {
        let (status, _, _) = known.log_in("clerk", "wrong-password").await;
        let refused = status == StatusCode::TOO_MANY_REQUESTS;
        assert_eq!(refused, n >= 5, "{n}");
    }
    assert_eq!(known.retry_after, "60");
    // And a known browser of another account is none of this one's.
    assert_eq!(
        known.log_in("fresh", PASSWORD).await.0,
        StatusCode::TOO_MANY_REQUESTS
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn tries_refused_unlooked_at_are_noted_once_a_minute() {
    let city = City::with(|city| {
        city.account("clerk", &[Role::WindowClerk], "330302");
    })
    .await;
    let app = app(&city.store, &city.clock);
    let router = mount(&app, crate::router::routes());
    let mut stranger = Browser::new(&router);
    for minute in 1..=2 {
        flood(&app, &city);
        for login in ["clerk", "nobody", "clerk"] {
            let (status, _, _) = stranger.log_in(login, PASSWORD).await;
            assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
        }
        let noted = tokio::task::block_in_place(|| refusals(&city));
        assert_eq!(noted.len(), minute, "{noted:?}");
        assert!(
            noted.iter().all(|detail| detail.contains("\"rate\"")),
            "{noted:?}"
        );
        city.pass(SignedDuration::from_secs(61));
    }
}
