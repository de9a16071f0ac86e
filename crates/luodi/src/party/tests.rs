//! Parties, their bank accounts and messages, each story on its own temporary store.

use axum::http::StatusCode;
use jiff::Timestamp;
use vocab::{BankAccountNumber, BankCode, CreditCode, IdNumber, Phone, RegionCode};

use super::bank_account::{BankAccountFilter, BankAccountState, NewBankAccount};
use super::*;
use crate::access::{Actor, ActorKind, Roles};
use crate::ids::{AccountId, BankAccountId, PartyId};
use crate::params;
use crate::refusal::{Error, Result};
use crate::store::testing::TemporaryStore;
use crate::store::{Command, Query, Store, Tx};
use crate::web::testing::{Browser, field, router};
use crate::web::{Clock, Posted};

const ID: &str = "11010519491231002X";
const PHONE: &str = "13812345678";
const ADDRESS: &str = "温州市鹿城区五马街道解放街100号";
const NUMBER: &str = "6222021203000001234";

fn now() -> Timestamp {
    "2026-11-23T01:00:00Z".parse().unwrap()
}

fn region(code: &str) -> RegionCode {
    code.parse().unwrap()
}

fn staff(number: u128, role: Role, of: &str) -> Actor {
    Actor {
        kind: ActorKind::Account(AccountId(uuid::Uuid::from_u128(number))),
        roles: Roles::from_iter([role]),
        ..Actor::system(region(of))
    }
}

fn window() -> Actor {
    staff(1, Role::WindowClerk, "330302")
}

fn enterprise(name: &str, head: &str, of: &str) -> NewParty {
    NewParty {
        kind: PartyKind::Enterprise,
        name: name.into(),
        credit_code: Some(CreditCode::from_first_17(head).unwrap()),
        id_number: None,
        phone: Some(Phone::parse(PHONE).unwrap()),
        address: Some(ADDRESS.into()),
        region: region(of),
        industry: None,
        legal_representative: Some("陈小明".into()),
        founded_on: None,
        demo: false,
    }
}

fn person() -> NewParty {
    NewParty {
        kind: PartyKind::Person,
        name: "王小明".into(),
        credit_code: None,
        id_number: Some(IdNumber::parse(ID).unwrap()),
        legal_representative: None,
        ..enterprise("x", "91330302MA2A1B2C3", "330302")
    }
}

struct City(TemporaryStore);

impl City {
    fn new() -> Self {
        Self(Store::open_temporary(now()).unwrap())
    }

    fn write<T: Send + 'static>(
        &self,
        f: impl Fn(&Tx<'_>) -> Result<T> + Send + Sync + 'static,
    ) -> Result<T> {
        self.0.write_blocking(Command::new("test", now()), f)
    }

    fn read<T>(&self, f: impl FnOnce(&dyn Query) -> Result<T>) -> Result<T> {
        self.0.read_blocking(|q| f(q))
    }

    fn register(&self, actor: Actor, new: NewParty) -> Result<PartyId> {
        self.write(move |tx| register(tx, &actor, &new))
    }

    fn events(&self, command: &str) -> Vec<String> {
        let sql = "SELECT detail FROM audit_event WHERE command = ?1 ORDER BY id";
        self.read(|q| Ok(q.rows(sql, params![command], |r| r.get(0))?))
            .unwrap()
    }
}

/// The rule of the first field, or the code of the refusal.
fn rule<T: std::fmt::Debug>(result: Result<T>) -> String {
    match result {
        Err(Error::Refused(refusal)) => refusal
            .fields
            .first()
            .map_or(refusal.code.to_owned(), |error| {
                format!("{} {}", error.field, error.rule)
            }),
        other => format!("{other:?}"),
    }
}

#[test]
fn what_is_personal_is_sealed_and_masked() {
    let city = City::new();
    let id = city.register(window(), person()).unwrap();
    let stored: Vec<Vec<u8>> = city
        .read(|q| {
            let sql = "SELECT id_number_sealed, phone_sealed, address_sealed, id_number_lookup \
                       FROM party WHERE id = ?1";
            Ok(q.row(sql, params![id], |r| {
                Ok(vec![r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?])
            })?)
        })
        .unwrap();
    for secret in [ID, PHONE, ADDRESS] {
        let bytes = secret.as_bytes();
        assert!(
            stored
                .iter()
                .all(|it| !it.windows(bytes.len()).any(|part| part == bytes)),
            "{secret}"
        );
    }
    let events = city.events("party.register").join("");
    assert!(
        !events.contains(ID) && !events.contains("王小明"),
        "{events}"
    );

    let masked = city.read(|q| Ok(personal(q, id)?.masked())).unwrap();
    assert_eq!(masked.id_number.as_deref(), Some("110105**********2X"));
    assert_eq!(masked.phone.as_deref(), Some("138****5678"));
    assert_eq!(masked.address.as_deref(), Some("温州市鹿城区五马街道****"));

    let look = |actor: Actor, reason: &'static str| {
        city.write(move |tx| Ok(unmask(tx, &actor, id, reason)?.id_number))
    };
    assert_eq!(rule(look(window(), "看看")), "reason reason");
    assert_eq!(
        rule(look(staff(2, Role::Leader, "330302"), "电话通知补正")),
        "unmask"
    );
    assert!(city.events("party.unmask").is_empty());
    assert_eq!(look(window(), "电话通知补正").unwrap().as_deref(), Some(ID));
    let events = city.events("party.unmask").join("");
    assert!(
        events.contains("电话通知补正") && !events.contains(ID),
        "{events}"
    );
}

#[test]
fn another_countys_staff_and_other_parties_see_nothing() {
    let city = City::new();
    let id = city
        .register(
            window(),
            enterprise("温州日出光伏有限公司", "91330302MA2A1B2C3", "330302"),
        )
        .unwrap();
    let applicant = |party| Actor {
        party: Some(party),
        ..staff(9, Role::Applicant, "330302")
    };
    let sees = |actor: Actor| city.read(|q| find(q, &actor, id).map(|p| p.name)).is_ok();
    let lists = |actor: Actor| {
        city.read(|q| count(q, &actor, &PartyFilter::default()))
            .unwrap()
    };
    for (actor, expected) in [
        (window(), true),
        (staff(3, Role::Finance, "330300"), true),
        (staff(3, Role::Finance, "330324"), false),
        (staff(4, Role::SystemAdmin, "330300"), false),
        (staff(4, Role::Editor, "330302"), false),
        (applicant(id), true),
        (applicant(PartyId(uuid::Uuid::nil())), false),
    ] {
        assert_eq!(sees(actor.clone()), expected, "{actor:?}");
        assert_eq!(lists(actor.clone()), u64::from(expected), "{actor:?}");
    }
    let other = staff(3, Role::Finance, "330324");
    assert_eq!(
        rule(city.read(|q| find(q, &other, id).map(|p| p.name))),
        "not-found"
    );
    let other = staff(5, Role::WindowClerk, "330324");
    assert_eq!(
        rule(city.write(move |tx| unmask(tx, &other, id, "电话通知补正"))),
        "not-found"
    );
}

#[test]
fn a_party_is_registered_once_by_the_window_of_its_region() {
    let city = City::new();
    let new = || enterprise("温州日出光伏有限公司", "91330302MA2A1B2C3", "330302");
    assert_eq!(
        rule(city.register(staff(3, Role::Finance, "330302"), new())),
        "register-at-window"
    );
    let elsewhere = staff(5, Role::WindowClerk, "330324");
    assert_eq!(
        rule(city.register(elsewhere, new())),
        "region region-outside"
    );
    let future = NewParty {
        founded_on: Some(jiff::civil::date(2027, 1, 1)),
        ..new()
    };
    assert_eq!(
        rule(city.register(window(), future)),
        "founded_on not-future"
    );
    let codeless = NewParty {
        credit_code: None,
        ..new()
    };
    assert_eq!(
        rule(city.register(window(), codeless)),
        "credit_code required"
    );
    let both = NewParty {
        id_number: Some(IdNumber::parse(ID).unwrap()),
        ..new()
    };
    assert_eq!(
        rule(city.register(window(), both)),
        "id_number not-for-enterprise"
    );
    city.register(window(), new()).unwrap();
    assert_eq!(
        rule(city.register(window(), new())),
        "credit_code registered"
    );
    city.register(window(), person()).unwrap();
    assert_eq!(
        rule(city.register(window(), person())),
        "id_number registered"
    );
}

#[test]
fn every_wrong_field_of_the_form_is_named_with_its_rule() {
    let typed = |pairs: &[(&str, &str)]| {
        let fields = pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        let (_, wrong) = form::read(
            &Posted::from_fields(fields),
            "330302".parse().unwrap(),
            jiff::civil::date(2026, 11, 23),
        );
        match wrong.in_order(&[]) {
            Ok(()) => "ok".to_owned(),
            Err(refusal) => {
                let rules = refusal
                    .fields
                    .iter()
                    .map(|f| format!("{} {}", f.field, f.rule));
                assert!(refusal.fields.iter().all(|f| f.message.chars().count() > 5));
                rules.collect::<Vec<_>>().join(", ")
            }
        }
    };
    let base = [
        ("kind", "enterprise"),
        ("name", "甲公司"),
        ("region", "330302"),
    ];
    let with = |more: &[(&'static str, &'static str)]| typed(&[&base, more].concat());
    assert_eq!(with(&[]), "ok");
    assert_eq!(
        with(&[("credit_code", "91440300708461136U")]),
        "credit_code credit-code-check-digit"
    );
    assert_eq!(
        with(&[("id_number", "110105194912310021")]),
        "id_number id-number-check-digit"
    );
    assert_eq!(with(&[("phone", "12812345678")]), "phone phone-shape");
    assert_eq!(
        with(&[("founded_on", "2023-02-30")]),
        "founded_on date-impossible"
    );
    assert_eq!(
        with(&[("credit_code", "1"), ("id_number", "2"), ("phone", "x")]),
        "credit_code credit-code-length, id_number id-number-length, phone phone-character"
    );
    assert_eq!(typed(&[]), "kind required, region required");
}

#[test]
fn lists_are_searched_by_name_and_code_and_persons_by_number() {
    let city = City::new();
    city.register(
        window(),
        enterprise("温州日出光伏有限公司", "91330302MA2A1B2C3", "330302"),
    )
    .unwrap();
    city.register(
        window(),
        enterprise("Ａbc 照明（温州）公司", "91330302MA2A1B2D4", "330302"),
    )
    .unwrap();
    let id = city.register(window(), person()).unwrap();
    let names = |text: &str, kind| {
        let filter = PartyFilter {
            text: text.into(),
            kind,
            order: Order::Name,
            ..Default::default()
        };
        let rows = city.read(|q| list(q, &window(), &filter, 50, 0)).unwrap();
        let total = city.read(|q| count(q, &window(), &filter)).unwrap();
        assert_eq!(total, rows.len() as u64);
        rows.len()
    };
    assert_eq!(names("", None), 3);
    assert_eq!(names("光伏", None), 1);
    assert_eq!(names("aBC", None), 1);
    assert_eq!(names("91330302ma2a1b2", None), 2);
    assert_eq!(names("91330302MA2A1B2C", None), 1);
    assert_eq!(names("%", None), 0);
    assert_eq!(names("", Some(PartyKind::Person)), 1);
    assert_eq!(names(ID, None), 0, "a number is no part of a name");

    let look = |actor: Actor| {
        let number = IdNumber::parse(ID).unwrap();
        city.write(move |tx| commands::look_up(tx, &actor, &number))
            .unwrap()
    };
    assert_eq!(look(window()), Some(id));
    assert_eq!(look(staff(5, Role::WindowClerk, "330324")), None);
    let events = city.events("party.look_up");
    assert_eq!(events.len(), 2);
    assert!(events.iter().all(|detail| !detail.contains(ID)));
}

fn account(holder: &str) -> NewBankAccount {
    NewBankAccount {
        holder_name: holder.into(),
        bank_name: "中国银行温州鹿城支行".into(),
        number: BankAccountNumber::parse(NUMBER).unwrap(),
        bank_code: BankCode::parse("104333000017").unwrap(),
        second: None,
    }
}

/// Neither the window nor the party itself gives a second account by a slip; who approves it reads
/// why, beside the one in use.
#[test]
fn a_second_account_is_confirmed_with_its_reason() {
    let city = City::new();
    let id = city.register(window(), person()).unwrap();
    let applicant = Actor {
        party: Some(id),
        ..staff(9, Role::Applicant, "330302")
    };
    let enter = |actor: &Actor, number: &str, second: Option<&str>| {
        let new = NewBankAccount {
            number: BankAccountNumber::parse(number).unwrap(),
            second: second.map(str::to_owned),
            ..account("王小明")
        };
        let actor = actor.clone();
        city.write(move |tx| bank_account::enter(tx, &actor, id, &new))
    };
    // The first needs no reason, and keeps none.
    let first = enter(&window(), NUMBER, Some("多写的原因")).unwrap();
    let why = |account| {
        city.read(|q| bank_account::find(q, &staff(3, Role::Finance, "330302"), account))
            .unwrap()
            .second_reason
    };
    assert_eq!(why(first), None);
    for state in ["entered", "approved"] {
        for actor in [&window(), &applicant] {
            let Err(Error::Refused(refusal)) = enter(actor, "6228480000000000017", None) else {
                panic!("{state}: a second account without a word")
            };
            let fields: Vec<(&str, &str)> = refusal
                .fields
                .iter()
                .map(|field| (field.field.as_str(), &*field.rule))
                .collect();
            assert_eq!(fields, [("second", "second-account")], "{state}");
            let said = &refusal.fields[0].message;
            assert!(
                said.contains("********1234") && !said.contains(NUMBER),
                "{said}"
            );
            let bare = enter(actor, "6228480000000000017", Some(" 换 "));
            assert_eq!(rule(bare), "second_reason required");
        }
        if state == "entered" {
            let finance = staff(3, Role::Finance, "330302");
            city.write(move |tx| bank_account::approve(tx, &finance, first, 1))
                .unwrap();
        }
    }
    let reason = "银行退回，原账户 6228480000000000017 已销户";
    let second = enter(&applicant, "6228480000000000018", Some(reason)).unwrap();
    assert_eq!(
        why(second).as_deref(),
        Some("银行退回，原账户 ****0017 已销户")
    );
    // What is no longer in use is no first one.
    for (account, version) in [(first, 2), (second, 1)] {
        let window = window();
        city.write(move |tx| bank_account::end(tx, &window, account, version))
            .unwrap();
    }
    enter(&window(), NUMBER, None).unwrap();
}

#[test]
fn nobody_enters_and_approves_the_same_bank_account() {
    let city = City::new();
    let id = city.register(window(), person()).unwrap();
    let enter = |actor: Actor, holder: &'static str| -> Result<BankAccountId> {
        city.write(move |tx| bank_account::enter(tx, &actor, id, &account(holder)))
    };
    let approve = |actor: Actor, account, version| {
        city.write(move |tx| bank_account::approve(tx, &actor, account, version))
    };
    let both = Actor {
        roles: Roles::from_iter([Role::WindowClerk, Role::Finance]),
        ..window()
    };
    let finance = || staff(3, Role::Finance, "330300");
    let approver = Actor {
        department: Some(crate::ids::DepartmentId(uuid::Uuid::nil())),
        ..staff(2, Role::Approver, "330302")
    };
    assert_eq!(rule(enter(window(), "王大明")), "holder_name holder-name");
    assert_eq!(rule(enter(finance(), "王小明")), "enter-bank-account");
    let first = enter(both.clone(), "王小明").unwrap();
    assert_eq!(rule(enter(window(), "王小明")), "number registered");
    assert_eq!(
        rule(city.read(|q| bank_account::for_payment(q, first).map(drop))),
        "bank-account-not-approved"
    );
    assert_eq!(rule(approve(both, first, 1)), "incompatible-duties");
    assert_eq!(
        rule(approve(staff(1, Role::Finance, "330302"), first, 1)),
        "incompatible-duties"
    );
    assert_eq!(rule(approve(approver, first, 1)), "finance-only");
    assert_eq!(
        rule(approve(staff(3, Role::Finance, "330324"), first, 1)),
        "not-found"
    );
    assert_eq!(rule(approve(finance(), first, 7)), "bank-account-changed");
    approve(finance(), first, 1).unwrap();
    assert_eq!(rule(approve(finance(), first, 2)), "bank-account-decided");

    let paid = city.read(|q| bank_account::for_payment(q, first)).unwrap();
    assert_eq!(
        (paid.number.as_str(), paid.holder_name.as_str()),
        (NUMBER, "王小明")
    );
    let approved = city.read(|q| bank_account::approved_of(q, id)).unwrap();
    assert_eq!(
        approved.first().map(|it| it.masked.as_str()),
        Some("********1234")
    );

    let applicant = Actor {
        party: Some(id),
        ..staff(9, Role::Applicant, "330302")
    };
    city.write(move |tx| bank_account::end(tx, &applicant, first, 2))
        .unwrap();
    assert!(
        city.read(|q| bank_account::approved_of(q, id))
            .unwrap()
            .is_empty()
    );
    enter(window(), "王小明").unwrap();
}

#[test]
fn a_refused_bank_account_says_why_and_the_party_is_told() {
    let city = City::new();
    let id = city.register(window(), person()).unwrap();
    let applicant = Actor {
        party: Some(id),
        ..staff(9, Role::Applicant, "330302")
    };
    let entering = applicant.clone();
    let account = city
        .write(move |tx| bank_account::enter(tx, &entering, id, &account("王小明")))
        .unwrap();
    let finance = || staff(3, Role::Finance, "330302");
    let refuse = |reason: &'static str| {
        city.write(move |tx| bank_account::refuse(tx, &finance(), account, 1, reason))
    };
    assert_eq!(rule(refuse(" ")), "reason reason");
    refuse("联行号与开户行不符，应为 6222021234567890123").unwrap();
    let filter = BankAccountFilter {
        state: Some(BankAccountState::Refused),
        text: "小明".into(),
    };
    let rows = city
        .read(|q| bank_account::list(q, &finance(), &filter, 10, 0))
        .unwrap();
    assert_eq!(
        rows.first().and_then(|row| row.reason.as_deref()),
        Some("联行号与开户行不符，应为 ****0123")
    );
    let messages = city.read(|q| recent_messages(q, &applicant, 5)).unwrap();
    assert!(
        messages
            .first()
            .is_some_and(|it| it.body.contains("联行号与开户行不符"))
    );
    assert_eq!(city.read(|q| unread(q, &applicant)).unwrap(), 1);
    assert!(
        city.read(|q| recent_messages(q, &finance(), 5))
            .unwrap()
            .is_empty()
    );

    let outbox: Vec<String> = city
        .read(|q| {
            Ok(q.rows(
                "SELECT payload FROM job WHERE kind = 'message.send'",
                params![],
                |r| r.get(0),
            )?)
        })
        .unwrap();
    assert_eq!(outbox.len(), 1);
    assert!(
        outbox
            .iter()
            .all(|payload| !payload.contains(PHONE) && !payload.contains("联行号"))
    );
    let sealed: Vec<u8> = city
        .read(|q| {
            Ok(
                q.row("SELECT account_sealed FROM bank_account", params![], |r| {
                    r.get(0)
                })?,
            )
        })
        .unwrap();
    assert!(
        !sealed
            .windows(NUMBER.len())
            .any(|part| part == NUMBER.as_bytes())
    );
}

#[test]
fn a_correction_keeps_what_it_leaves_out_and_a_new_name_stops_payment() {
    let city = City::new();
    let id = city.register(window(), person()).unwrap();
    let account = city
        .write(move |tx| bank_account::enter(tx, &window(), id, &account("王小明")))
        .unwrap();
    let finance = || staff(3, Role::Finance, "330302");
    city.write(move |tx| bank_account::approve(tx, &finance(), account, 1))
        .unwrap();
    let correct = |actor: Actor, version, name: &'static str| {
        let amendment = Amendment {
            name: name.into(),
            phone: Some(Phone::parse("0577-88001234").unwrap()),
            address: None,
            industry: None,
            legal_representative: None,
            founded_on: None,
        };
        city.write(move |tx| amend(tx, &actor, id, version, &amendment))
    };
    assert_eq!(rule(correct(finance(), 1, "王晓明")), "register-at-window");
    let elsewhere = staff(5, Role::WindowClerk, "330324");
    assert_eq!(rule(correct(elsewhere, 1, "王晓明")), "not-found");
    assert_eq!(rule(correct(window(), 2, "王晓明")), "party-changed");
    assert_eq!(rule(correct(window(), 1, " ")), "name required");
    correct(window(), 1, "王晓明").unwrap();
    let known = city.read(|q| personal(q, id)).unwrap();
    assert_eq!(known.phone.as_deref(), Some("0577-88001234"));
    assert_eq!(known.address.as_deref(), Some(ADDRESS));
    let paid = city.read(|q| bank_account::for_payment(q, account).map(drop));
    assert_eq!(rule(paid), "holder-name");
    let filter = PartyFilter {
        text: "晓".into(),
        ..Default::default()
    };
    assert_eq!(city.read(|q| count(q, &window(), &filter)).unwrap(), 1);
}

#[test]
fn the_window_opens_accounts_for_parties_of_its_region() {
    let city = City::new();
    let id = city.register(window(), person()).unwrap();
    let open = |actor: Actor, login: &'static str| {
        city.write(move |tx| open_account(tx, &actor, id, (login, "身份证原件"), "hash"))
    };
    assert_eq!(
        rule(open(staff(5, Role::WindowClerk, "330324"), "wang.xm")),
        "not-found"
    );
    assert_eq!(
        rule(open(staff(3, Role::Finance, "330302"), "wang.xm")),
        "not-this-administrator"
    );
    open(window(), "wang.xm").unwrap();
    assert_eq!(rule(open(window(), "wang.xm")), "login taken");
}

/// Opens accounts for the story's people; their names are their log-in names.
fn open_accounts(city: &City, people: &[(&'static str, Role, &'static str)]) {
    let hash = crate::account::password::hash_with_salt(PASSWORD, &[7; 16]).unwrap();
    for (login, role, of) in people.iter().copied() {
        let new = crate::account::NewAccount {
            login: login.into(),
            name: login.into(),
            password_hash: hash.clone(),
            one_time: false,
            roles: Roles::from_iter([role]),
            department: None,
            region: region(of),
            party: None,
            demo: Some(PASSWORD.into()),
        };
        let console = Actor::console("test", region("330300"));
        city.write(move |tx| {
            let id = crate::account::create_account(tx, &console, &new)?;
            if new.roles.any(Role::WITH_SECOND_FACTOR) {
                let secret = crate::account::totp::Secret::derived(&new.login);
                crate::account::enrol_demonstration(tx, &console, id, &secret)?;
            }
            Ok(())
        })
        .unwrap();
    }
}

const PASSWORD: &str = "blue-kettle-88";

#[tokio::test(flavor = "multi_thread")]
async fn from_the_window_to_an_approved_account_through_the_pages() {
    let city = tokio::task::spawn_blocking(|| {
        let city = City::new();
        open_accounts(
            &city,
            &[
                ("window", Role::WindowClerk, "330302"),
                ("finance", Role::Finance, "330302"),
                ("yongjia", Role::WindowClerk, "330324"),
            ],
        );
        city
    })
    .await
    .unwrap();
    let router = router(&city.0, &Clock::fixed(now()));
    let mut clerk = Browser::new(&router);
    clerk.log_in("window", PASSWORD).await;

    // A wrong check character keeps what was typed; the mended form registers.
    let (_, _, form) = clerk.get("/parties/new").await;
    let csrf = field(&form, "csrf");
    let register = |key: &'static str, code: &'static str| {
        [
            ("csrf", csrf.clone()),
            ("idempotency_key", key.to_owned()),
            ("kind", "enterprise".to_owned()),
            ("name", "温州日出光伏有限公司".to_owned()),
            ("credit_code", code.to_owned()),
            ("region", "330302".to_owned()),
            ("phone", PHONE.to_owned()),
            ("action", "register".to_owned()),
        ]
    };
    let (status, _, page) = clerk
        .post("/parties/new", &register("a", "91440300708461136U"))
        .await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        page.contains("id=\"error-credit_code\" data-rule=\"credit-code-check-digit\""),
        "{page}"
    );
    assert!(page.contains("温州日出光伏有限公司"));
    let (status, party, _) = clerk
        .post("/parties/new", &register("b", "91440300708461136T"))
        .await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    let (_, again, _) = clerk
        .post("/parties/new", &register("b", "91440300708461136T"))
        .await;
    assert_eq!(again, party, "posted twice, registered once");
    let (status, _, page) = clerk
        .post("/parties/new", &register("c", "91440300708461136T"))
        .await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        page.contains(&format!("href=\"{party}\"")),
        "a link to the registered one: {page}"
    );

    // Personal data: masked, shown once for a reason, masked again.
    assert!(!clerk.get(&party).await.2.contains(PHONE));
    let look = [
        ("csrf", csrf.clone()),
        ("idempotency_key", "d".into()),
        ("reason", "电话通知补正".into()),
    ];
    assert!(
        clerk
            .post(&format!("{party}/unmask"), &look)
            .await
            .2
            .contains(PHONE)
    );
    assert!(!clerk.get(&party).await.2.contains(PHONE));
    let mut other = Browser::new(&router);
    other.log_in("yongjia", PASSWORD).await;
    for path in ["", "/bank-accounts", "/amend"] {
        assert_eq!(
            other.get(&format!("{party}{path}")).await.0,
            StatusCode::NOT_FOUND,
            "{path}"
        );
    }
    assert_eq!(other.get("/bank-accounts").await.0, StatusCode::FORBIDDEN);

    // The window enters a bank account, finance approves it.
    let enter = [
        ("csrf", csrf.clone()),
        ("idempotency_key", "e".into()),
        ("holder_name", "温州日出光伏有限公司".into()),
        ("bank_name", "中国银行温州鹿城支行".into()),
        ("number", NUMBER.into()),
        ("bank_code", "104333000017".into()),
        ("action", "enter".to_owned()),
    ];
    let accounts = format!("{party}/bank-accounts");
    assert_eq!(clerk.post(&accounts, &enter).await.0, StatusCode::SEE_OTHER);
    let mut finance = Browser::new(&router);
    finance.log_in("finance", PASSWORD).await;
    let (_, _, waiting) = finance.get("/bank-accounts").await;
    assert!(
        waiting.contains("********1234") && !waiting.contains(NUMBER),
        "{waiting}"
    );
    let account = waiting
        .split("data-open href=\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap()
        .to_owned();
    let (_, _, page) = finance.get(&account).await;
    let approve = [
        ("csrf", field(&page, "csrf")),
        ("idempotency_key", field(&page, "idempotency_key")),
        ("version", field(&page, "version")),
        ("action", "approve".to_owned()),
    ];
    assert_eq!(
        finance.post(&account, &approve).await.0,
        StatusCode::SEE_OTHER
    );
    assert!(
        clerk
            .get(&accounts)
            .await
            .2
            .contains("data-state=\"approved\"")
    );
    for path in [
        "/parties",
        "/parties.xlsx",
        "/bank-accounts.xlsx?state=approved",
        "/bank-accounts?state=all",
    ] {
        assert_eq!(finance.get(path).await.0, StatusCode::OK, "{path}");
    }
}
