//! Accounts, sessions and the doors, each story on its own temporary store.

mod factor;
mod flood;
mod forged;
mod late;
mod owner;
mod provider;
mod reset;
mod rest;
mod sessions;

use axum::Router;
use axum::http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use vocab::RegionCode;

use super::totp::Secret;
use super::*;
use crate::access::{Actor, ActorKind};
use crate::ids::{AccountId, DepartmentId, PartyId};
use crate::refusal::{Error, Kind};
use crate::store::testing::TemporaryStore;
use crate::store::{Command, Store, Tx};
use crate::web::Clock;
use crate::web::testing::{Browser, field, router};

const PASSWORD: &str = "blue-kettle-88";

fn start() -> Timestamp {
    "2026-11-23T01:00:00Z".parse().unwrap()
}

fn region(code: &str) -> RegionCode {
    code.parse().unwrap()
}

fn console() -> Actor {
    Actor::console("test", region("330300"))
}

/// One hash for all: hashing is slow on purpose.
fn hashed() -> String {
    password::hash_with_salt(PASSWORD, &[7; 16]).unwrap()
}

struct City {
    store: TemporaryStore,
    clock: Clock,
}

impl City {
    fn new() -> Self {
        let store = Store::open_temporary(start()).unwrap();
        Self {
            store,
            clock: Clock::fixed(start()),
        }
    }

    /// A city prepared on a thread of its own: an asynchronous test must not wait on its thread.
    async fn with(prepare: impl FnOnce(&Self) + Send + 'static) -> Self {
        let made = tokio::task::spawn_blocking(move || {
            let city = Self::new();
            prepare(&city);
            city
        });
        made.await.unwrap()
    }

    fn write<T: Send + 'static>(
        &self,
        f: impl Fn(&Tx<'_>) -> crate::refusal::Result<T> + Send + Sync + 'static,
    ) -> crate::refusal::Result<T> {
        self.store
            .write_blocking(Command::new("test", self.clock.now()), f)
    }

    fn department(&self, code: &str, of: &str) -> DepartmentId {
        let new = NewDepartment {
            code: code.into(),
            name: format!("{code}局"),
            region: region(of),
            paper_word: "鹿科".into(),
        };
        self.write(move |tx| create_department(tx, &console(), &new))
            .unwrap()
    }

    /// Opens an account; one that needs a second factor has one, which the pages show as those of a
    /// demonstration do.
    fn account(&self, login: &str, roles: &[Role], of: &str) -> AccountId {
        let mut new = account(login, roles, of);
        let with_factor = new.roles.any(Role::WITH_SECOND_FACTOR);
        new.demo = with_factor.then(|| PASSWORD.to_owned());
        self.write(move |tx| {
            let id = create_account(tx, &console(), &new)?;
            if with_factor {
                enrol_demonstration(tx, &console(), id, &Secret::derived(&new.login))?;
            }
            Ok(id)
        })
        .unwrap()
    }

    fn actor(&self, id: AccountId, roles: &[Role], of: &str) -> Actor {
        Actor {
            kind: ActorKind::Account(id),
            roles: roles.iter().copied().collect(),
            ..Actor::system(region(of))
        }
    }

    fn app(&self) -> Router {
        router(&self.store, &self.clock)
    }

    fn pass(&self, time: SignedDuration) {
        self.clock.set(self.clock.now() + time);
    }
}

fn account(login: &str, roles: &[Role], of: &str) -> NewAccount {
    NewAccount {
        login: login.into(),
        name: format!("{login} 同志"),
        password_hash: hashed(),
        one_time: false,
        roles: roles.iter().copied().collect(),
        department: None,
        region: region(of),
        party: None,
        demo: None,
    }
}

fn code<T: std::fmt::Debug>(result: crate::refusal::Result<T>) -> String {
    match result {
        Err(Error::Refused(refusal)) => refusal
            .fields
            .first()
            .map_or(refusal.code.to_owned(), |f| f.rule.clone().into_owned()),
        other => format!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_begins_rests_and_ends() {
    let city = City::with(|city| {
        city.account("window", &[Role::WindowClerk], "330302");
    })
    .await;
    let router = city.app();
    let mut browser = Browser::new(&router);
    assert_eq!(browser.get("/account").await.1, "/login?next=/account");
    let (status, location, _) = browser.log_in("Window", PASSWORD).await;
    assert_eq!(
        (status, location.as_str()),
        (StatusCode::SEE_OTHER, "/work")
    );
    assert_eq!(browser.get("/account").await.0, StatusCode::OK);

    // Every request within the half hour keeps it alive.
    city.pass(SignedDuration::from_mins(29));
    assert_eq!(browser.get("/account").await.0, StatusCode::OK);
    city.pass(SignedDuration::from_mins(29));
    assert_eq!(browser.get("/account").await.0, StatusCode::OK);
    city.pass(SignedDuration::from_mins(31));
    assert_eq!(browser.get("/account").await.0, StatusCode::SEE_OTHER);

    // Twelve hours are the end, whatever is asked.
    browser.log_in("window", PASSWORD).await;
    for _ in 0..28 {
        city.pass(SignedDuration::from_mins(25));
        assert_eq!(browser.get("/account").await.0, StatusCode::OK);
    }
    city.pass(SignedDuration::from_mins(21));
    assert_eq!(browser.get("/account").await.0, StatusCode::SEE_OTHER);

    // Log-out ends it on the server too.
    browser.log_in("window", PASSWORD).await;
    let (_, _, page) = browser.get("/account").await;
    let kept = browser.cookies.clone();
    let (csrf, key) = (field(&page, "csrf"), field(&page, "idempotency_key"));
    let (status, _, _) = browser
        .post("/logout", &[("csrf", &csrf), ("idempotency_key", &key)])
        .await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    browser.cookies = kept;
    assert_eq!(browser.get("/account").await.0, StatusCode::SEE_OTHER);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_waits_after_wrong_passwords_and_others_do_not() {
    let city = City::with(|city| {
        city.account("first", &[Role::WindowClerk], "330302");
        city.account("second", &[Role::WindowClerk], "330302");
    })
    .await;
    let router = city.app();
    let mut browser = Browser::new(&router);
    let (status, _, unknown) = browser.log_in("nobody", "some-password").await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(unknown.contains("登录名或密码不正确"), "{unknown}");
    for _ in 0..5 {
        let (status, _, page) = browser.log_in("first", "wrong-password").await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(page.contains("登录名或密码不正确"));
    }
    let refused = browser.log_in("first", PASSWORD).await;
    assert_eq!(
        refused.0,
        StatusCode::TOO_MANY_REQUESTS,
        "from here it waits, even with the right password"
    );
    assert!(
        !refused.2.contains(PASSWORD),
        "a password is never shown again"
    );
    assert_eq!(
        browser.log_in("second", PASSWORD).await.0,
        StatusCode::SEE_OTHER
    );
    city.pass(SignedDuration::from_secs(61));
    assert_eq!(
        browser.log_in("first", PASSWORD).await.0,
        StatusCode::SEE_OTHER
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_form_is_refused() {
    let city = City::with(|city| {
        city.account("window", &[Role::WindowClerk], "330302");
    })
    .await;
    let router = city.app();
    let mut browser = Browser::new(&router);
    browser.log_in("window", PASSWORD).await;
    let fields = [
        ("idempotency_key", "k"),
        ("new_password", "anything-else-9"),
        ("note", "写了很久"),
    ];
    let (status, _, page) = browser.post("/account", &fields).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(
        page.contains("写了很久") && !page.contains("anything-else-9"),
        "{page}"
    );
    assert_eq!(
        browser.get("/account").await.0,
        StatusCode::OK,
        "nothing changed"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_of_another_site_is_neither_done_nor_kept() {
    let city = City::with(|city| {
        city.account("admin", &[Role::SystemAdmin], "330300");
    })
    .await;
    let router = city.app();
    let mut browser = Browser::new(&router);
    let typed = [("login", "new.clerk"), ("action", "create")];
    let (status, _, page) = browser.post_as("cross-site", "/accounts/new", &typed).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(
        page.contains("别的网站") && !page.contains("new.clerk"),
        "{page}"
    );
    // A client that does not say where from is asked to log in, and nothing is kept either.
    let (status, location, _) = browser.post_as("none", "/accounts/new", &typed).await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    assert!(location.starts_with("/login"), "{location}");
    browser.log_in("admin", PASSWORD).await;
    let (_, _, form) = browser.get("/accounts/new").await;
    let csrf = field(&form, "csrf");
    let typed = [("csrf", csrf.as_str()), ("login", "new.clerk")];
    let (status, _, _) = browser.post_as("cross-site", "/accounts/new", &typed).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "even with the right token");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_form_is_taken_up_again() {
    let city = City::with(|city| {
        city.account("admin", &[Role::SystemAdmin], "330300");
    })
    .await;
    let router = city.app();
    let mut browser = Browser::new(&router);
    browser.log_in("admin", PASSWORD).await;
    let (_, _, form) = browser.get("/accounts/new").await;
    let (csrf, key) = (field(&form, "csrf"), field(&form, "idempotency_key"));
    city.pass(SignedDuration::from_hours(1));
    let typed = [
        ("csrf", csrf.as_str()),
        ("idempotency_key", &key),
        ("login", "new.clerk"),
        ("name", "陈 <b>小</b> 明"),
        ("region", "330302"),
        ("action", "create"),
    ];
    let (status, _, again) = browser.post("/accounts/new", &typed).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert_eq!(field(&again, "resume.login"), "new.clerk");
    assert!(!again.contains(&key), "the key is not carried on");

    let stranger = field(&again, "csrf");
    let entering = [
        ("csrf", stranger.as_str()),
        ("idempotency_key", "k2"),
        ("login", "admin"),
        ("password", PASSWORD),
        ("resume_path", "/accounts/new"),
        ("resume.login", "new.clerk"),
        ("resume.name", "陈 <b>小</b> 明"),
        ("resume.region", "330302"),
        ("resume.action", "create"),
    ];
    let (status, _, second) = browser.post("/login", &entering).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(field(&second, "resume.login"), "new.clerk");
    let (status, _, ready) = browser.give_code(&second, &shown_code(&second)).await;
    assert_eq!(status, StatusCode::OK);
    assert!(
        ready.contains("继续提交") && ready.contains("action=\"/accounts/new\""),
        "{ready}"
    );
    assert!(
        ready.contains("new.clerk") && !ready.contains("<b>小"),
        "shown, and as text"
    );

    let (csrf, key) = (field(&ready, "csrf"), field(&ready, "idempotency_key"));
    let resumed = [
        ("csrf", csrf.as_str()),
        ("idempotency_key", &key),
        ("login", "new.clerk"),
        ("name", "陈小明"),
        ("region", "330302"),
        ("action", "create"),
    ];
    let (status, _, done) = browser.post("/accounts/new", &resumed).await;
    assert_eq!(status, StatusCode::OK);
    assert!(done.contains("one-time-password"), "{done}");
    let (_, _, twice) = browser.post("/accounts/new", &resumed).await;
    assert!(
        !twice.contains("one-time-password"),
        "the password is shown once"
    );

    // A path that takes no form leads home instead.
    let mut other = Browser::new(&router);
    let (_, _, page) = other.get("/login").await;
    let csrf = field(&page, "csrf");
    let entering = [
        ("csrf", csrf.as_str()),
        ("idempotency_key", "k3"),
        ("login", "admin"),
        ("password", PASSWORD),
        ("resume_path", "//elsewhere.example/x"),
        ("resume.a", "b"),
    ];
    let (_, _, second) = other.post("/login", &entering).await;
    let entered = other.give_code(&second, &shown_code(&second)).await;
    assert_eq!(entered.1, "/work");
}

/// The code that the second page shows of a demonstration's account.
fn shown_code(page: &str) -> String {
    let (_, rest) = page
        .split_once("data-code=\"")
        .unwrap_or_else(|| panic!("no code in {page}"));
    rest.split('"').next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_one_time_password_opens_nothing_but_ones_own_account() {
    let city = City::with(|city| {
        let new = NewAccount {
            one_time: true,
            ..account("admin", &[Role::SystemAdmin], "330300")
        };
        city.write(move |tx| create_account(tx, &console(), &new))
            .unwrap();
    })
    .await;
    let router = city.app();
    let mut browser = Browser::new(&router);
    assert_eq!(browser.log_in("admin", PASSWORD).await.1, "/account");
    assert_eq!(browser.get("/accounts").await.0, StatusCode::FORBIDDEN);
    let (_, _, page) = browser.get("/account").await;
    let csrf = field(&page, "csrf");
    let change = |new: &'static str, again: &'static str| {
        [
            ("csrf", csrf.clone()),
            ("idempotency_key", "k".into()),
            ("old_password", PASSWORD.to_owned()),
            ("new_password", new.to_owned()),
            ("new_password_again", again.to_owned()),
        ]
    };
    for (new, again, rule) in [
        ("short", "short", "password-short"),
        ("password123", "password123", "password-common"),
        (PASSWORD, PASSWORD, "password-same"),
        ("green-kettle-99", "green-kettle-98", "password-again"),
    ] {
        let fields = change(new, again);
        let fields: Vec<(&str, &str)> = fields.iter().map(|(k, v)| (*k, v.as_str())).collect();
        let (status, _, page) = browser.post("/account", &fields).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(
            page.contains(&format!("data-rule=\"{rule}\"")),
            "{rule}: {page}"
        );
    }
    let fields = change("green-kettle-99", "green-kettle-99");
    let fields: Vec<(&str, &str)> = fields.iter().map(|(k, v)| (*k, v.as_str())).collect();
    assert_eq!(
        browser.post("/account", &fields).await.0,
        StatusCode::SEE_OTHER
    );
    // His role needs a second factor besides.
    assert_eq!(browser.get("/accounts").await.0, StatusCode::FORBIDDEN);
    let (secret, codes) = factor::bind(&city, &mut browser, "green-kettle-99").await;
    assert_eq!(codes.len(), 10);
    assert_eq!(browser.get("/accounts").await.0, StatusCode::OK);
    let mut late = Browser::new(&router);
    assert_eq!(
        late.log_in("admin", PASSWORD).await.0,
        StatusCode::UNPROCESSABLE_ENTITY
    );
    let (status, _, second) = late.log_in("admin", "green-kettle-99").await;
    assert_eq!(status, StatusCode::OK);
    let step = totp::step_at(city.clock.now());
    let used = late.give_code(&second, &secret.code(step)).await;
    assert_eq!(
        used.0,
        StatusCode::UNPROCESSABLE_ENTITY,
        "it confirmed the binding"
    );
    let next = late.give_code(&used.2, &secret.code(step + 1)).await;
    assert_eq!(next.1, "/work");
}

#[test]
fn administrators_are_apart() {
    let city = City::new();
    let system = city.account("system", &[Role::SystemAdmin], "330300");
    let security = city.account("security", &[Role::SecurityAdmin], "330300");
    let clerk = city.account("clerk", &[Role::WindowClerk], "330302");
    let of = |id, role: Role| city.actor(id, &[role], "330300");
    let (sys, sec) = (
        of(system, Role::SystemAdmin),
        of(security, Role::SecurityAdmin),
    );
    let grant = |actor: &Actor, id, roles: &[Role]| {
        let (actor, roles) = (actor.clone(), roles.iter().copied().collect::<Roles>());
        let version = city
            .store
            .read_blocking(|q| show(q, &console(), id))
            .unwrap()
            .version;
        city.write(move |tx| grant_roles(tx, &actor, id, version, roles))
    };
    assert_eq!(
        code(grant(&sys, clerk, &[Role::Finance])),
        "not-this-administrator"
    );
    assert_eq!(
        code(grant(&sec, security, &[Role::SystemAdmin])),
        "own-account"
    );
    assert_eq!(
        code(grant(&sec, clerk, &[Role::SystemAdmin, Role::Finance])),
        "roles-administrator-alone"
    );
    assert_eq!(
        code(grant(&sec, clerk, &[Role::Applicant])),
        "roles-applicant-alone"
    );
    assert_eq!(
        code(grant(&sec, clerk, &[Role::Approver])),
        "roles-need-department"
    );
    grant(&sec, clerk, &[Role::Finance]).unwrap();
    grant(&sec, clerk, &[]).unwrap();

    let elsewhere = city.actor(system, &[Role::SystemAdmin], "330324");
    let lock = |actor: &Actor, id, version| {
        let actor = actor.clone();
        city.write(move |tx| set_state(tx, &actor, id, version, AccountState::Locked, ""))
    };
    assert_eq!(code(lock(&elsewhere, clerk, 3)), "not-found");
    assert_eq!(code(lock(&sec, clerk, 3)), "not-this-administrator");
    assert_eq!(code(lock(&sys, system, 1)), "own-account");
    assert_eq!(code(lock(&sys, clerk, 1)), "account-changed");
    lock(&sys, clerk, 3).unwrap();

    let (actor, hash) = (sys.clone(), hashed());
    let reset = city.write(move |tx| reset_password(tx, &actor, security, 1, &hash));
    assert_eq!(code(reset), "administrators-apart");
    let (actor, new) = (
        sys.clone(),
        account("own.clerk", &[Role::Finance], "330302"),
    );
    assert_eq!(
        code(city.write(move |tx| create_account(tx, &actor, &new))),
        "account-roles-apart"
    );
}

#[test]
fn a_new_account_is_checked() {
    let city = City::new();
    let lucheng = city.department("LCKJ", "330302");
    city.account("taken", &[Role::WindowClerk], "330302");
    let check = |change: fn(&mut NewAccount), department: Option<DepartmentId>| {
        let mut new = NewAccount {
            department,
            ..account("fresh", &[Role::WindowClerk], "330302")
        };
        change(&mut new);
        code(city.write(move |tx| create_account(tx, &console(), &new)))
    };
    assert_eq!(check(|a| a.login = "Taken".into(), None), "taken");
    assert_eq!(check(|a| a.login = "a b".into(), None), "login-shape");
    assert_eq!(check(|a| a.name = " ".into(), None), "required");
    assert_eq!(
        check(|a| a.region = region("330324"), Some(lucheng)),
        "department-region"
    );
    assert_eq!(
        check(|a| a.roles = [Role::Approver].into_iter().collect(), None),
        "roles-need-department"
    );
    let party = |a: &mut NewAccount| a.party = Some(PartyId(uuid::Uuid::nil()));
    assert_eq!(check(party, None), "roles-applicant-alone");
    let twice = NewDepartment {
        code: "LCKJ".into(),
        name: "又一个".into(),
        region: region("330302"),
        paper_word: "又一".into(),
    };
    assert_eq!(
        code(city.write(move |tx| create_department(tx, &console(), &twice))),
        "taken"
    );
}

#[test]
fn three_administrators_are_opened_once_and_never_in_a_demonstration() {
    let three = prepare_administrators().unwrap();
    let city = City::new();
    let init = |city: &City| {
        let three = three.clone();
        city.write(move |tx| admin_init(tx, &console(), region("330300"), &three))
    };
    init(&city).unwrap();
    assert_eq!(code(init(&city)), "administrators-exist");
    let filter = AccountFilter::default();
    assert_eq!(
        city.store
            .read_blocking(|q| count(q, &console(), &filter))
            .unwrap(),
        3
    );

    let demo = City::new();
    let new = NewAccount {
        demo: Some("demo-password-1".into()),
        ..account("d", &[Role::Leader], "330300")
    };
    let new = NewAccount {
        login: "demo.leader".into(),
        ..new
    };
    demo.write(move |tx| create_account(tx, &console(), &new))
        .unwrap();
    assert_eq!(code(init(&demo)), "demonstration");
    let listed = demo.store.read_blocking(|q| demo_accounts(q)).unwrap();
    assert_eq!(
        listed.first().map(|a| a.password.as_str()),
        Some("demo-password-1")
    );
}

#[test]
fn a_list_shows_the_administrators_region_only() {
    let city = City::new();
    city.account("lucheng", &[Role::WindowClerk], "330302");
    city.account("yongjia", &[Role::Finance], "330324");
    let admin = city.account("admin", &[Role::SystemAdmin], "330302");
    let logins = |actor: &Actor, filter: AccountFilter| {
        let rows = city
            .store
            .read_blocking(|q| list(q, actor, &filter, 50, 0))
            .unwrap();
        rows.into_iter().map(|row| row.login).collect::<Vec<_>>()
    };
    let county = city.actor(admin, &[Role::SystemAdmin], "330302");
    let whole = city.actor(admin, &[Role::SecurityAdmin], "330300");
    let clerk = city.actor(admin, &[Role::WindowClerk], "330300");
    assert_eq!(
        logins(&county, AccountFilter::default()),
        ["admin", "lucheng"]
    );
    assert_eq!(
        logins(&whole, AccountFilter::default()),
        ["admin", "lucheng", "yongjia"]
    );
    assert!(logins(&clerk, AccountFilter::default()).is_empty());
    let text = AccountFilter {
        text: "YONG".into(),
        ..Default::default()
    };
    assert_eq!(logins(&whole, text), ["yongjia"]);
    let like = AccountFilter {
        text: "%".into(),
        ..Default::default()
    };
    assert!(logins(&whole, like).is_empty());
    let role = AccountFilter {
        role: Some(Role::Finance),
        ..Default::default()
    };
    assert_eq!(logins(&whole, role), ["yongjia"]);
    let refused = city
        .store
        .read_blocking(|q| show(q, &clerk, admin).map(|row| row.login));
    match refused {
        Err(Error::Refused(refusal)) => assert_eq!(refusal.kind, Kind::NotFound),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_told_in_the_frame_of_its_visitor() {
    let city = City::with(|city| {
        city.account("admin", &[Role::SystemAdmin], "330300");
    })
    .await;
    let router = city.app();
    let mut browser = Browser::new(&router);
    browser.log_in("admin", PASSWORD).await;
    let (_, _, form) = browser.get("/accounts/new").await;
    let csrf = field(&form, "csrf");
    // An account that does not exist and a form without its version: refused deep inside, where
    // nothing is known of the visitor.
    let fields = [
        ("csrf", csrf.as_str()),
        ("idempotency_key", "frame"),
        ("action", "lock"),
    ];
    let path = "/accounts/00000000-0000-0000-0000-000000000001";
    let (status, _, page) = browser.post(path, &fields).await;
    assert!(status.is_client_error(), "{status} {page}");
    assert!(page.contains("href=\"/accounts\""), "the menu: {page}");
    assert!(
        page.contains("data-user=") && page.contains("/logout"),
        "{page}"
    );
}
