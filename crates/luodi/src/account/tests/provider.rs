//! Log-in through an identity provider, each story through the real routes with a provider on this
//! machine.

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use jiff::SignedDuration;
use serde_json::Value;

use super::super::commands::{Identified, reset_at_window};
use super::super::identity::{self, Subject};
use super::super::totp::{Secret, step_at};
use super::reset::{letters, post, prove_number};
use super::{City, PASSWORD, code, console, hashed};
use crate::access::{Actor, ActorKind, Role, Roles};
use crate::account::{AccountState, grant_roles, reset_factor, reset_password, set_state};
use crate::ids::{AccountId, PartyId};
use crate::oidc::Provider;
use crate::oidc::testing::{Fake, Kind, Twist};
use crate::params;
use crate::refusal;
use crate::store::{Command, StoreError};
use crate::web::testing::{Browser, app, field};
use crate::web::{App, mount};

const PATH: &str = "/account/identity";

/// A city with its provider.
struct Place {
    city: City,
    fake: Fake,
    app: App,
    router: Router,
}

impl Place {
    async fn new(prepare: impl FnOnce(&City) + Send + 'static) -> Self {
        Self::with(Kind::Ed25519, false, prepare).await
    }

    async fn with(
        kind: Kind,
        second_factor: bool,
        prepare: impl FnOnce(&City) + Send + 'static,
    ) -> Self {
        let city = City::with(prepare).await;
        let fake = Fake::start(kind, &city.clock).await;
        let app = served(&city, Some(fake.provider(second_factor)));
        let router = mount(&app, crate::router::routes());
        Self {
            city,
            fake,
            app,
            router,
        }
    }

    fn browser(&self) -> Browser<'_> {
        Browser::new(&self.router)
    }

    /// A browser whose owner has logged in with his password and linked his account.
    async fn linked(&self, login: &str, subject: &str) -> Browser<'_> {
        let mut browser = self.browser();
        browser.log_in(login, PASSWORD).await;
        let back = self.go_and_link(&mut browser, login, subject).await;
        let linked = browser.get(&back).await;
        assert_eq!(linked.1, PATH, "{login}: {}", linked.2);
        browser
    }

    /// Shows who he is, logs in at the provider, and is sent back to this address.
    async fn go_and_link(&self, browser: &mut Browser<'_>, login: &str, subject: &str) -> String {
        // The code he logged in with is used.
        self.city.pass(SignedDuration::from_secs(60));
        let code = Secret::derived(login).code(step_at(self.city.clock.now()));
        let fields = [
            ("action", "link"),
            ("password", PASSWORD),
            ("totp", code.as_str()),
        ];
        let going = post(browser, PATH, &fields).await;
        self.fake.log_in(&address(&going), subject)
    }

    /// Begins at the log-in page, logs in at the provider, and is sent back to this address.
    async fn go(&self, browser: &mut Browser<'_>, subject: &str, next: &str) -> String {
        let going = begin(browser, next).await;
        self.fake.log_in(&address(&going), subject)
    }

    /// The whole way.
    async fn log_in(&self, browser: &mut Browser<'_>, subject: &str) -> Said {
        let back = self.go(browser, subject, "").await;
        browser.get(&back).await
    }

    /// The details of the events of a command, in their order.
    async fn events(&self, command: &'static str) -> Vec<Value> {
        let sql = "SELECT detail FROM audit_event WHERE command = ?1 ORDER BY id";
        let read = self
            .city
            .store
            .read(move |q| q.rows(sql, params![command], |r| r.get::<String>(0)));
        let found: Result<Vec<String>, StoreError> = read.await;
        let parse = |text: String| serde_json::from_str(&text).unwrap();
        found.unwrap().into_iter().map(parse).collect()
    }

    async fn id(&self, login: &'static str) -> AccountId {
        let sql = "SELECT id FROM account WHERE login = ?1";
        let read = self
            .city
            .store
            .read(move |q| q.row(sql, params![login], |r| r.get(0)));
        let id: Result<AccountId, StoreError> = read.await;
        id.unwrap()
    }

    /// A command at the console.
    async fn at_console(
        &self,
        f: impl Fn(&crate::store::Tx<'_>) -> refusal::Result<()> + Send + Sync + 'static,
    ) {
        let command = Command::new("test", self.city.clock.now());
        self.city.store.write(command, f).await.unwrap();
    }
}

type Said = (StatusCode, String, String);

fn served(city: &City, provider: Option<Arc<Provider>>) -> App {
    App {
        provider,
        ..app(&city.store, &city.clock)
    }
}

async fn begin(browser: &mut Browser<'_>, next: &str) -> Said {
    let (_, _, page) = browser.get("/login").await;
    let (csrf, key) = (field(&page, "csrf"), field(&page, "idempotency_key"));
    let fields = [
        ("csrf", csrf.as_str()),
        ("idempotency_key", &key),
        ("next", next),
    ];
    browser.post("/login/provider", &fields).await
}

/// Where a page that leads to the provider leads.
fn address(going: &Said) -> String {
    assert_eq!(outcome(going), "going", "{}", going.2);
    assert_eq!(
        going.0,
        StatusCode::OK,
        "no redirect: a form may end here only"
    );
    let (_, rest) = going.2.split_once("data-outcome").unwrap();
    let (_, rest) = rest.split_once("href=\"").unwrap();
    rest.split('"').next().unwrap().replace("&#38;", "&")
}

fn outcome(said: &Said) -> &str {
    let mark = said.2.split_once("data-outcome=\"");
    let (_, rest) = mark.unwrap_or_else(|| panic!("{} {} {}", said.0, said.1, said.2));
    rest.split('"').next().unwrap()
}

async fn is_in(browser: &mut Browser<'_>) -> bool {
    browser.get("/account").await.0 == StatusCode::OK
}

fn clerk(city: &City) {
    city.account("clerk", &[Role::WindowClerk], "330302");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_links_logs_in_and_unlinks() {
    let place = Place::with(Kind::Rsa(0), false, clerk).await;
    let mut stranger = place.browser();
    let (_, _, door) = stranger.get("/login").await;
    assert!(
        door.contains("使用<span") && door.contains("浙政钉"),
        "{door}"
    );
    let unknown = place.log_in(&mut stranger, "chen").await;
    assert_eq!(
        (unknown.0, outcome(&unknown)),
        (StatusCode::FORBIDDEN, "unlinked")
    );
    assert!(unknown.2.contains("先用登录名和密码登录") && !unknown.2.contains("chen"));
    assert!(!is_in(&mut stranger).await);

    let mut owner = place.browser();
    owner.log_in("clerk", PASSWORD).await;
    prove_number(&place.app, &mut owner).await;
    assert!(owner.get("/account").await.2.contains("未关联"));
    let wrong = [("action", "link"), ("password", "wrong-kettle-1")];
    let refused = post(&mut owner, PATH, &wrong).await;
    assert_eq!(refused.0, StatusCode::UNPROCESSABLE_ENTITY);
    let back = place.go_and_link(&mut owner, "clerk", "chen").await;
    assert_eq!(owner.get(&back).await.1, PATH);
    assert!(owner.get(PATH).await.2.contains("解除关联"));
    let letter = letters(&place.app).await.pop().unwrap();
    assert_eq!(letter["template"], "identity-changed");

    for (next, to) in [
        ("/account/contacts?a=b", "/account/contacts?a=b"),
        ("", "/work"),
        ("https://evil.example/", "/work"),
        ("//evil.example/", "/work"),
        ("/\\evil.example", "/work"),
        ("/login/provider/return?code=x", "/work"),
    ] {
        let mut browser = place.browser();
        let back = place.go(&mut browser, "chen", next).await;
        let entered = browser.get(&back).await;
        assert_eq!(
            (entered.0, &*entered.1),
            (StatusCode::SEE_OTHER, to),
            "{}",
            entered.2
        );
        assert!(is_in(&mut browser).await);
    }
    let opened = place.events("session.open").await;
    let through = opened.iter().filter(|it| it["through"] == "provider");
    assert_eq!((opened.len(), through.count()), (7, 6));
    let why: Vec<Value> = place.events("session.refuse").await;
    assert!(why.iter().any(|it| it["why"] == "unlinked"), "{why:?}");

    for (password, status) in [
        ("", StatusCode::UNPROCESSABLE_ENTITY),
        ("wrong-kettle-1", StatusCode::UNPROCESSABLE_ENTITY),
        (PASSWORD, StatusCode::SEE_OTHER),
    ] {
        let fields = [("action", "unlink"), ("password", password)];
        assert_eq!(post(&mut owner, PATH, &fields).await.0, status);
    }
    let letter = letters(&place.app).await.pop().unwrap();
    assert_eq!(letter["template"], "identity-changed");
    let gone = place.log_in(&mut place.browser(), "chen").await;
    assert_eq!(outcome(&gone), "unlinked");
    // Nothing was removed, and the person may be linked again.
    place.linked("clerk", "chen").await;
    let sql = "SELECT COUNT(*) FROM account_identity";
    let count = place
        .city
        .store
        .read(move |q| q.row(sql, params![], |r| r.get::<i64>(0)));
    let count: Result<i64, StoreError> = count.await;
    assert_eq!(count.unwrap(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_factor_is_asked_for_unless_the_provider_has_seen_one() {
    for believed in [false, true] {
        let place = Place::with(Kind::P256, believed, |city| {
            city.account("approver", &[Role::Finance], "330302");
        })
        .await;
        place.linked("approver", "wang").await;
        for (ways, enough) in [(&["pwd"][..], false), (&["pwd", "mfa"], believed)] {
            place.fake.ways(ways);
            place.city.pass(SignedDuration::from_secs(60));
            let mut browser = place.browser();
            let entered = place.log_in(&mut browser, "wang").await;
            if enough {
                assert_eq!(&*entered.1, "/work", "{}", entered.2);
                continue;
            }
            assert_eq!(entered.0, StatusCode::OK, "{} {}", entered.1, entered.2);
            assert!(entered.2.contains("统一身份已核对"), "{}", entered.2);
            assert!(!is_in(&mut browser).await);
            let wrong = browser.give_code(&entered.2, "000000").await;
            assert_eq!(wrong.0, StatusCode::UNPROCESSABLE_ENTITY);
            assert!(wrong.2.contains("统一身份已核对"), "{}", wrong.2);
            let secret = Secret::derived("approver");
            let code = secret.code(step_at(place.city.clock.now()));
            let right = browser.give_code(&wrong.2, &code).await;
            assert_eq!(&*right.1, "/work", "{}", right.2);
            assert_eq!(browser.get("/budgets").await.0, StatusCode::OK);
        }
        let opened = place.events("session.open").await;
        let through = opened.iter().filter(|it| it["through"] == "provider");
        assert_eq!(through.count(), 2);
    }
}

/// What waits for its code is no longer good once the link has ended.
#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_ended_opens_nothing_that_was_begun() {
    let place = Place::new(|city| {
        city.account("approver", &[Role::Finance], "330302");
    })
    .await;
    place.linked("approver", "wang").await;
    place.city.pass(SignedDuration::from_secs(60));
    let mut browser = place.browser();
    let waiting = place.log_in(&mut browser, "wang").await;
    place
        .at_console(|tx| {
            let sql = "SELECT id, version FROM account WHERE login = 'approver'";
            let (id, version) = tx.row(sql, params![], |r| Ok((r.get(0)?, r.get(1)?)))?;
            let all = Roles::from_iter([Role::WindowClerk]);
            grant_roles(tx, &console(), id, version, all)?;
            reset_factor(tx, &console(), id, version + 1)
        })
        .await;
    let late = browser.give_code(&waiting.2, "123456").await;
    assert_eq!(late.0, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(!is_in(&mut browser).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_way_back_is_good_once_in_one_browser_for_ten_minutes() {
    let place = Place::new(clerk).await;
    place.fake.forget_codes();
    place.linked("clerk", "chen").await;
    let expired = |said: &Said, what: &str| {
        assert_eq!(outcome(said), "expired", "{what}");
        assert_eq!(said.0, StatusCode::UNPROCESSABLE_ENTITY);
    };

    let mut browser = place.browser();
    let back = place.go(&mut browser, "chen", "").await;
    expired(&place.browser().get(&back).await, "another browser");
    expired(&browser.get("/login/provider/return").await, "nothing");

    let mut browser = place.browser();
    let back = place.go(&mut browser, "chen", "").await;
    let other = format!("{back}x");
    expired(&browser.clone_of().get(&other).await, "another state");
    let mut forged = browser.clone_of();
    for (name, value) in &mut forged.cookies {
        if name == "luodi_provider" {
            *value = value.replacen(".in-.", ".in-L3dvcms.", 1);
        }
    }
    expired(&forged.get(&back).await, "another aim");
    let before = browser.clone_of();
    assert_eq!(&*browser.get(&back).await.1, "/work");
    expired(&browser.get(&back).await, "the cookie is gone");
    expired(&before.clone_of().get(&back).await, "used on this server");
    // Another server has not seen it; the store has.
    let second = served(&place.city, Some(place.fake.provider(false)));
    let second = mount(&second, crate::router::routes());
    let mut elsewhere = Browser::new(&second);
    elsewhere.cookies = before.cookies.clone();
    expired(&elsewhere.get(&back).await, "used on another server");
    assert!(!is_in(&mut elsewhere).await);

    let mut slow = place.browser();
    let back = place.go(&mut slow, "chen", "").await;
    place.city.pass(SignedDuration::from_mins(10));
    expired(&slow.get(&back).await, "too late");

    // Who has logged in meanwhile is not who began.
    let mut changed = place.browser();
    let back = place.go(&mut changed, "chen", "").await;
    changed.log_in("clerk", PASSWORD).await;
    expired(&changed.get(&back).await, "another session");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_provider_does_wrong_lets_nobody_in() {
    let place = Place::new(clerk).await;
    place.linked("clerk", "chen").await;
    for twist in [
        Twist::Nonce,
        Twist::Audience,
        Twist::Issuer,
        Twist::Expired,
        Twist::Unsigned,
        Twist::Shared,
        Twist::Signature,
        Twist::UnknownKey,
        Twist::LongToken,
        Twist::NoCode,
    ] {
        place.fake.twist(twist);
        let mut browser = place.browser();
        let said = place.log_in(&mut browser, "chen").await;
        assert_eq!(outcome(&said), "invalid", "{twist:?}");
        assert_eq!(said.0, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(!is_in(&mut browser).await, "{twist:?}");
    }
    place.fake.twist(Twist::Nothing);
    let refused = place.events("session.refuse").await;
    let provider = refused.iter().filter(|it| it["why"] == "provider");
    assert_eq!(provider.count(), 10);

    let mut browser = place.browser();
    let back = place.go(&mut browser, "chen", "").await;
    let state = back.split_once("&state=").unwrap().1;
    let no = format!("/login/provider/return?error=access_denied&state={state}");
    let said = browser.get(&no).await;
    assert_eq!(outcome(&said), "cancelled");
    assert_eq!(outcome(&browser.get(&back).await), "expired", "used");

    let mut english = place.browser();
    let said = english.get("/login/provider/return?lang=en").await;
    assert!(said.2.contains("no longer good"), "{}", said.2);

    let mut browser = place.browser();
    let back = place.go(&mut browser, "chen", "").await;
    place.fake.stop().await;
    let said = browser.get(&back).await;
    assert_eq!(
        (said.0, outcome(&said)),
        (StatusCode::SERVICE_UNAVAILABLE, "down")
    );
    assert!(!said.2.contains("127.0.0.1"), "{}", said.2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_is_not_there_is_said_at_the_door() {
    let place = Place::new(clerk).await;
    let Place {
        city, fake, router, ..
    } = place;
    fake.stop().await;
    let mut browser = Browser::new(&router);
    let said = begin(&mut browser, "").await;
    assert_eq!(
        (said.0, outcome(&said)),
        (StatusCode::SERVICE_UNAVAILABLE, "down")
    );

    // An installation without one offers none.
    let app = served(&city, None);
    let router = mount(&app, crate::router::routes());
    let mut browser = Browser::new(&router);
    assert!(!browser.get("/login").await.2.contains("/login/provider"));
    assert_eq!(outcome(&begin(&mut browser, "").await), "off");
    assert_eq!(outcome(&browser.get("/login/provider/return").await), "off");
    browser.log_in("clerk", PASSWORD).await;
    assert!(!browser.get("/account").await.2.contains("统一身份"));
    assert!(browser.get(PATH).await.2.contains("没有启用"));
    let fields = [("action", "link"), ("password", PASSWORD)];
    let refused = post_with(&mut browser, PATH, &fields).await;
    assert_eq!(refused.0, StatusCode::NOT_FOUND);
}

/// Posts with the token of the account page, where the page itself has no form.
async fn post_with(browser: &mut Browser<'_>, path: &str, fields: &[(&str, &str)]) -> Said {
    let (_, _, page) = browser.get("/account").await;
    let (csrf, key) = (field(&page, "csrf"), field(&page, "idempotency_key"));
    let mut all = vec![("csrf", csrf.as_str()), ("idempotency_key", key.as_str())];
    all.extend_from_slice(fields);
    browser.post(path, &all).await
}

#[tokio::test(flavor = "multi_thread")]
async fn tries_are_counted_as_those_of_passwords_are() {
    let place = Place::new(clerk).await;
    place.linked("clerk", "chen").await;
    let mut browser = place.browser();
    // Right log-ins cost nothing.
    for _ in 0..5 {
        let mut browser = place.browser();
        assert_eq!(&*place.log_in(&mut browser, "chen").await.1, "/work");
    }
    let mut tries = 0;
    while outcome(&browser.get("/login/provider/return").await) == "expired" {
        tries += 1;
        assert!(tries < 400);
    }
    // One was for the way to link.
    assert!((298..=300).contains(&tries), "{tries}");
    let busy = begin(&mut browser, "").await;
    assert_eq!(
        (busy.0, outcome(&busy)),
        (StatusCode::TOO_MANY_REQUESTS, "busy")
    );
    place.city.pass(SignedDuration::from_mins(2));
    assert_eq!(
        &*place.log_in(&mut place.browser(), "chen").await.1,
        "/work"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn locked_accounts_resting_roles_and_administrators_stay_out() {
    let place = Place::new(|city| {
        clerk(city);
        city.account("finance", &[Role::Finance], "330302");
        city.account("bare", &[], "330300");
        city.account("security", &[Role::SecurityAdmin], "330300");
    })
    .await;
    place.linked("clerk", "chen").await;
    place.linked("finance", "wang").await;
    place.linked("bare", "li").await;

    let id = place.id("clerk").await;
    let state = move |version, state| {
        move |tx: &crate::store::Tx<'_>| set_state(tx, &console(), id, version, state, "")
    };
    place.at_console(state(1, AccountState::Locked)).await;
    let mut browser = place.browser();
    let shut = place.log_in(&mut browser, "chen").await;
    assert_eq!((shut.0, outcome(&shut)), (StatusCode::FORBIDDEN, "shut"));
    assert!(!is_in(&mut browser).await);
    let why = place.events("session.refuse").await;
    assert!(why.iter().any(|it| it["why"] == "shut"), "{why:?}");
    place.at_console(state(2, AccountState::Active)).await;
    assert_eq!(&*place.log_in(&mut browser, "chen").await.1, "/work");

    // Roles that rest do so whichever way somebody came.
    let id = place.id("finance").await;
    place
        .at_console(move |tx| {
            tx.execute(
                "UPDATE account SET roles_rest_since = ?1 WHERE id = ?2",
                params![tx.now(), id],
            )?;
            let (account, rows) = (("account", id.0), vec![("account", id.0)]);
            tx.event(crate::store::Event {
                actor: console().to_ref(),
                command: "account.reset_password",
                subject: account,
                detail: serde_json::json!({}),
                rows,
            });
            Ok(())
        })
        .await;
    place.city.pass(SignedDuration::from_secs(60));
    let mut browser = place.browser();
    let waiting = place.log_in(&mut browser, "wang").await;
    let code = Secret::derived("finance").code(step_at(place.city.clock.now()));
    assert_eq!(&*browser.give_code(&waiting.2, &code).await.1, "/account");
    assert_eq!(browser.get("/budgets").await.0, StatusCode::FORBIDDEN);
    assert!(browser.get(PATH).await.2.contains("解除关联"));

    // Who becomes an administrator comes by password; and none of them links.
    let id = place.id("bare").await;
    place
        .at_console(move |tx| {
            let all = Roles::from_iter([Role::AuditAdmin]);
            grant_roles(tx, &console(), id, 1, all)
        })
        .await;
    let shut = place.log_in(&mut place.browser(), "li").await;
    assert_eq!(outcome(&shut), "shut");
    let mut admin = place.browser();
    admin.log_in("security", PASSWORD).await;
    let page = admin.get(PATH).await.2;
    assert!(page.contains("管理员账号不关联") && !page.contains("value=\"link\""));
    let code = Secret::derived("security").code(step_at(place.city.clock.now()) + 1);
    let fields = [("action", "link"), ("totp", code.as_str())];
    let refused = post_with(&mut admin, PATH, &fields).await;
    assert_eq!(refused.0, StatusCode::FORBIDDEN, "{}", refused.2);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_person_is_linked_to_one_account() {
    let place = Place::new(|city| {
        clerk(city);
        city.account("second", &[Role::WindowClerk], "330302");
        city.account("third", &[Role::WindowClerk], "330302");
    })
    .await;
    place.linked("clerk", "chen").await;
    let mut second = place.browser();
    second.log_in("second", PASSWORD).await;
    let back = place.go_and_link(&mut second, "second", "chen").await;
    let taken = second.get(&back).await;
    assert_eq!(taken.0, StatusCode::CONFLICT);
    assert!(taken.2.contains("已经关联另一个账号") && !taken.2.contains("clerk"));
    // Nor is one account linked to two persons, however long ago the second way was begun.
    let back = place.go_and_link(&mut second, "second", "zhou").await;
    place.city.pass(SignedDuration::from_secs(1));
    let other = place
        .go_and_link(&mut second.clone_of(), "second", "wu")
        .await;
    let kept = second.clone_of();
    assert_eq!(second.get(&back).await.1, PATH, "{:?}", kept.cookies.len());
    let late = second.get(&other).await;
    assert_eq!(outcome(&late), "expired", "its cookie was the other's");

    // Two at once: the index has the last word, whoever looked first.
    let (a, b) = (place.id("second").await, place.id("third").await);
    let store = &place.city.store;
    let link = |account: AccountId, issuer: &'static str| {
        let actor = Actor {
            kind: ActorKind::Account(account),
            ..Actor::system("330302".parse().unwrap())
        };
        let subject = Subject {
            issuer: issuer.to_owned(),
            name: "both".to_owned(),
        };
        let now = place.city.clock.now();
        store.write(Command::new("test", now), move |tx| {
            identity::link(tx, &actor, &subject, None)
        })
    };
    for round in [
        "https://a.example",
        "https://b.example",
        "https://c.example",
    ] {
        let (first, other) = tokio::join!(link(a, round), link(b, round));
        let mut codes = [code(first), code(other)];
        codes.sort();
        assert_eq!(codes, ["Ok(())", "identity-taken"], "{round}");
        let (first, other) = tokio::join!(link(a, round), link(b, round));
        let mut codes = [code(first), code(other)];
        codes.sort();
        assert_eq!(codes, ["identity-linked", "identity-taken"], "{round}");
    }
}

/// Whatever gives an account a new password by another's hand ends its links: who came in by that
/// password would have left himself a door.
#[tokio::test(flavor = "multi_thread")]
async fn a_reset_ends_the_link_and_a_one_time_password_makes_none() {
    let place = Place::new(|city| {
        clerk(city);
        city.account("finance", &[Role::Finance], "330302");
    })
    .await;
    place.linked("clerk", "chen").await;
    let (id, hash) = (place.id("clerk").await, hashed());
    let fresh = hash.clone();
    place
        .at_console(move |tx| reset_password(tx, &console(), id, 1, &fresh))
        .await;
    let gone = place.log_in(&mut place.browser(), "chen").await;
    assert_eq!(outcome(&gone), "unlinked");
    let mut browser = place.browser();
    browser.log_in("clerk", PASSWORD).await;
    let page = browser.get(PATH).await.2;
    assert!(page.contains("先设置自己的密码"), "{page}");
    let fields = [("action", "link"), ("password", PASSWORD)];
    let refused = post_with(&mut browser, PATH, &fields).await;
    assert_eq!(refused.0, StatusCode::CONFLICT);

    place.linked("finance", "wang").await;
    let id = place.id("finance").await;
    place
        .at_console(move |tx| reset_factor(tx, &console(), id, 1))
        .await;
    let gone = place.log_in(&mut place.browser(), "wang").await;
    assert_eq!(outcome(&gone), "unlinked");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_window_and_a_sent_code_end_the_link_too() {
    let party = PartyId(uuid::Uuid::from_u128(7));
    let place = Place::new(move |city| {
        city.write(move |tx| {
            let new = super::NewAccount {
                party: Some(party),
                ..super::account("firm", &[Role::Applicant], "330302")
            };
            super::create_account(tx, &console(), &new)
        })
        .unwrap();
    })
    .await;
    let mut firm = place.browser();
    firm.log_in("firm", PASSWORD).await;
    prove_number(&place.app, &mut firm).await;
    let back = place.go_and_link(&mut firm, "firm", "lin").await;
    assert_eq!(firm.get(&back).await.1, PATH);
    assert_eq!(&*place.log_in(&mut place.browser(), "lin").await.1, "/my");
    let (id, hash) = (place.id("firm").await, hashed());
    place
        .at_console(move |tx| {
            let window = Actor {
                roles: Roles::from_iter([Role::WindowClerk]),
                ..console()
            };
            let said = Identified {
                reason: "忘记密码".to_owned(),
                seen: "营业执照".to_owned(),
            };
            reset_at_window(tx, &window, party, id, &said, &hash).map(drop)
        })
        .await;
    let gone = place.log_in(&mut place.browser(), "lin").await;
    assert_eq!(outcome(&gone), "unlinked");
}

/// A new key of look-up hashes finds the same people.
#[tokio::test(flavor = "multi_thread")]
async fn people_are_found_while_and_after_the_key_of_look_ups_changes() {
    let place = Place::new(clerk).await;
    place.linked("clerk", "chen").await;
    let (store, now) = (
        crate::store::Store::clone(&place.city.store),
        place.city.clock.now(),
    );
    let begin = store.clone();
    let step = move || begin.begin_lookups(now, &console().to_ref()).unwrap();
    tokio::task::spawn_blocking(step).await.unwrap();
    assert_eq!(
        &*place.log_in(&mut place.browser(), "chen").await.1,
        "/work"
    );
    let step = move || {
        let changed = crate::party::rehash_all(&store, now, &console()).unwrap();
        store.end_lookups(now, &console().to_ref()).unwrap();
        changed
    };
    assert_eq!(tokio::task::spawn_blocking(step).await.unwrap(), 1);
    assert_eq!(
        &*place.log_in(&mut place.browser(), "chen").await.1,
        "/work"
    );
}
