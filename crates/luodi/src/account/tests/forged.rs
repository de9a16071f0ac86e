//! Somebody who can write the database and has no keys tries what an account, its roles, its second
//! factor and its codes rest on.

use jiff::SignedDuration;
use uuid::Uuid;

use super::super::contact::Contact;
use super::super::sent_code::{self, Browser, Purpose};
use super::super::session::{self, Entry, Secrets, Why};
use super::super::totp::{Secret, step_at};
use super::super::{commands, confirm_roles, rest, whole};
use super::{City, code, console, hashed};
use crate::access::{Actor, Role};
use crate::account::{
    AccountState, create_account, grant_roles, reset_factor, reset_password, set_state,
};
use crate::gateway::Channel;
use crate::ids::AccountId;
use crate::params;
use crate::refusal::Result;
use crate::store::testing::FORCE;
use crate::store::{Command, StoreError, Value};

const TOUCHED: &str = "row-touched";

impl City {
    /// Writes the database behind the program's back.
    fn forge(&self, sql: &'static str, values: impl Into<Vec<Value>>) {
        let (command, values) = (Command::new(FORCE, self.clock.now()), values.into());
        let written: std::result::Result<u64, StoreError> = self
            .store
            .write_blocking(command, move |tx| tx.execute(sql, &values));
        assert!(written.unwrap() > 0, "{sql}");
    }

    /// Logs in with a right password, and with a code where one is shown; gives the token.
    fn enter(&self, id: AccountId, hash: &str, proof: Option<String>) -> Result<String> {
        let entry = Entry {
            secrets: Secrets::fresh(None),
            previous: None,
            address: "203.0.113.9".into(),
            agent: String::new(),
            proof,
            basis: session::Basis::Password,
            strong: false,
        };
        let (token, hash) = (entry.secrets.token.clone(), hash.to_owned());
        self.write(move |tx| session::open(tx, id, &hash, &entry).map(drop))?;
        Ok(token)
    }

    /// The roles of an open session; none where it has ended.
    fn roles_in(&self, token: &str) -> Option<Vec<Role>> {
        let (hash, now) = (session::token_hash(token), self.clock.now());
        let found = self
            .store
            .read_blocking(|q| session::alive(q, hash, now, None));
        let found = found.unwrap();
        found.map(|(session, _)| session.actor.roles.iter().collect())
    }

    fn is_row_touched(&self, id: AccountId) -> bool {
        self.write(move |tx| whole::is_row_touched(tx, id)).unwrap()
    }

    fn altered(&self) -> Vec<&'static str> {
        let found = self.store.read_blocking(|q| whole::altered(&**q));
        found
            .unwrap()
            .into_iter()
            .map(|(table, ..)| table)
            .collect()
    }

    fn system(&self) -> Actor {
        let id = self.account("system", &[Role::SystemAdmin], "330300");
        self.actor(id, &[Role::SystemAdmin], "330300")
    }

    fn security(&self) -> Actor {
        let id = self.account("security", &[Role::SecurityAdmin], "330300");
        self.actor(id, &[Role::SecurityAdmin], "330300")
    }
}

#[test]
fn what_is_written_beside_an_open_session_ends_it() {
    let city = City::new();
    let department = city.department("鹿科", "330302");
    let id = city.account("clerk", &[Role::WindowClerk], "330302");
    let token = city.enter(id, &hashed(), None).unwrap();
    let own = Some(vec![Role::WindowClerk]);
    assert_eq!(city.roles_in(&token), own);
    let of = |value: Value| vec![id.into(), value];
    let at = |text: &str| of(text.to_owned().into());
    let nothing = || of(Value::Null);
    let set = [
        (
            "UPDATE account SET region_code = ?2 WHERE id = ?1",
            at("330300"),
            at("330302"),
        ),
        (
            "UPDATE account SET department_id = ?2 WHERE id = ?1",
            of(department.into()),
            nothing(),
        ),
        (
            "UPDATE account SET party_id = ?2 WHERE id = ?1",
            of(Uuid::from_u128(7).into()),
            nothing(),
        ),
        (
            "UPDATE account SET roles_rest_since = ?2 WHERE id = ?1",
            of(5.into()),
            nothing(),
        ),
        (
            "UPDATE account SET one_time_until = ?2 WHERE id = ?1",
            of(5.into()),
            nothing(),
        ),
        (
            "UPDATE account SET login = ?2 WHERE id = ?1",
            at("finance"),
            at("clerk"),
        ),
        (
            "UPDATE account SET name = ?2 WHERE id = ?1",
            at("别人"),
            at("clerk 同志"),
        ),
        (
            "UPDATE account_role SET role = ?2 WHERE account_id = ?1",
            at("finance"),
            at("window_clerk"),
        ),
    ];
    for (sql, forged, back) in set {
        city.forge(sql, forged);
        assert_eq!(city.roles_in(&token), None, "{sql}");
        city.forge(sql, back);
        assert_eq!(city.roles_in(&token), own, "{sql}");
    }
    let further = "INSERT INTO account_role (account_id, role) VALUES (?1, ?2)";
    city.forge(further, at("finance"));
    assert_eq!(city.roles_in(&token), None);
    assert_eq!(city.altered(), ["account_role"]);
}

/// An honest change in a session marks it anew.
#[test]
fn a_new_password_goes_on_in_its_session() {
    let city = City::new();
    let id = city.account("clerk", &[Role::WindowClerk], "330302");
    let token = city.enter(id, &hashed(), None).unwrap();
    let actor = city.actor(id, &[Role::WindowClerk], "330302");
    let going_on = Secrets::fresh(None);
    let (old, secrets) = (token.clone(), going_on.clone());
    city.pass(SignedDuration::from_secs(60));
    let changed = city.write(move |tx| {
        let session = Some((old.as_str(), &secrets));
        commands::change_password(tx, &actor, &hashed(), "another hash", session)
    });
    changed.unwrap();
    assert_eq!(city.roles_in(&token), None);
    let now = city.roles_in(&going_on.token);
    assert_eq!(now, Some(vec![Role::WindowClerk]));
}

#[test]
fn a_wrong_password_vouches_for_no_forged_row() {
    let city = City::new();
    let id = city.account("clerk", &[Role::WindowClerk], "330302");
    city.enter(id, &hashed(), None).unwrap();
    let forge = |hash: &str| {
        let sql = "UPDATE account SET password_hash = ?2 WHERE id = ?1";
        city.forge(sql, [id.into(), hash.to_owned().into()]);
    };
    forge("the hash of another");
    for why in [Why::Password, Why::OldPassword, Why::Code, Why::Shut] {
        city.write(move |tx| session::refuse(tx, id, why, "203.0.113.9"))
            .unwrap();
        assert!(city.is_row_touched(id), "{why:?}");
    }
    let entered = city.enter(id, "the hash of another", None);
    assert_eq!(code(entered), TOUCHED);
    let sql = "SELECT failed_logins FROM account";
    let counted = city
        .store
        .read_blocking(|q| q.row(sql, params![], |r| r.get(0)));
    let counted: std::result::Result<i64, StoreError> = counted;
    assert_eq!(counted.unwrap(), 3, "guesses count all the same");
}

#[test]
fn no_command_vouches_for_a_forged_account() {
    let city = City::new();
    let (system, security) = (city.system(), city.security());
    let id = city.account("finance", &[Role::Finance], "330302");
    let own = city.actor(id, &[Role::Finance], "330302");
    let sql = "UPDATE account SET name = ?2 WHERE id = ?1";
    city.forge(sql, [id.into(), "别人".to_owned().into()]);
    let by = system.clone();
    let done = city.write(move |tx| reset_password(tx, &by, id, 1, "x"));
    assert_eq!(code(done), TOUCHED);
    let by = system.clone();
    assert_eq!(
        code(city.write(move |tx| reset_factor(tx, &by, id, 1))),
        TOUCHED
    );
    let by = system.clone();
    let done = city.write(move |tx| set_state(tx, &by, id, 1, AccountState::Active, ""));
    assert_eq!(code(done), TOUCHED);
    let roles = [Role::Reviewer].into_iter().collect();
    let done = city.write(move |tx| grant_roles(tx, &console(), id, 1, roles));
    assert_ne!(code(done), "Ok(())");
    let done = city.write(move |tx| commands::change_password(tx, &own, &hashed(), "x", None));
    assert_eq!(code(done), TOUCHED);
    let rests = "UPDATE account SET roles_rest_since = ?2 WHERE id = ?1";
    city.forge(rests, [id.into(), 5.into()]);
    let done = city.write(move |tx| confirm_roles(tx, &security, id, 1));
    assert_eq!(code(done), TOUCHED);
    // It can be locked, whatever somebody wrote, and stays found.
    city.write(move |tx| set_state(tx, &system, id, 1, AccountState::Locked, ""))
        .unwrap();
    assert!(city.is_row_touched(id));
}

/// The events that name the roles are put aside for a while, so that a search does not find them.
#[test]
fn roles_are_compared_whatever_the_log_seems_to_hold() {
    let city = City::new();
    let id = city.account("clerk", &[Role::WindowClerk], "330302");
    city.enter(id, &hashed(), None).unwrap();
    let aside = "UPDATE audit_event SET subject_table = ?2 WHERE subject_id = ?1";
    let table = |name: &str| [id.into(), name.to_owned().into()];
    let role = "INSERT INTO account_role (account_id, role) VALUES (?1, ?2)";
    city.forge(aside, table("nothing"));
    assert_eq!(code(city.enter(id, &hashed(), None)), TOUCHED);
    city.forge(role, table("reviewer"));
    assert_eq!(code(city.enter(id, &hashed(), None)), TOUCHED);
    city.forge(
        "UPDATE account SET roles = ?2 WHERE id = ?1",
        table("reviewer window_clerk"),
    );
    assert_eq!(code(city.enter(id, &hashed(), None)), TOUCHED);
    city.forge(
        "UPDATE account SET roles = ?2 WHERE id = ?1",
        table("window_clerk"),
    );
    city.forge(
        "DELETE FROM account_role WHERE account_id = ?1 AND role = ?2",
        table("reviewer"),
    );
    city.forge(aside, table("account"));
    city.enter(id, &hashed(), None).unwrap();
}

/// An older event that named more roles is found where those after it are put aside; the row of the
/// account knows better.
#[test]
fn roles_that_were_taken_do_not_come_back() {
    let city = City::new();
    let id = city.account("clerk", &[Role::WindowClerk], "330302");
    let roles = [Role::InvestmentOfficer].into_iter().collect();
    city.write(move |tx| grant_roles(tx, &console(), id, 1, roles))
        .unwrap();
    let aside = "UPDATE audit_event SET subject_table = 'nothing' \
                 WHERE subject_id = ?1 AND command = 'account.grant'";
    city.forge(aside, [id.into()]);
    let back = "UPDATE account_role SET role = 'window_clerk' WHERE account_id = ?1";
    city.forge(back, [id.into()]);
    assert_eq!(code(city.enter(id, &hashed(), None)), TOUCHED);
}

#[test]
fn a_second_factor_is_compared_at_log_in() {
    let city = City::new();
    let id = city.account("finance", &[Role::Finance], "330302");
    let proof = |city: &City| Some(Secret::derived("finance").code(step_at(city.clock.now())));
    assert_eq!(city.altered(), Vec::<&str>::new());
    let state = "UPDATE second_factor SET state = ?2 WHERE account_id = ?1";
    let to = |state: &str| [id.into(), state.to_owned().into()];
    city.forge(state, to("ended"));
    assert_eq!(code(city.enter(id, &hashed(), None)), TOUCHED);
    assert_eq!(city.altered(), ["second_factor"]);
    let (secret, own) = (
        Secret::derived("mine"),
        city.actor(id, &[Role::Finance], "330302"),
    );
    let begun = city.write(move |tx| super::super::factor::begin_factor(tx, &own, &secret, ""));
    assert_eq!(code(begun), TOUCHED);
    city.forge(state, to("active"));
    city.enter(id, &hashed(), proof(&city)).unwrap();
    // A further one, as if it had been bound.
    let further = "INSERT INTO second_factor (id, account_id, state, secret_sealed, last_step, created_at) \
                   SELECT ?2, account_id, 'active', secret_sealed, 0, created_at \
                   FROM second_factor WHERE account_id = ?1";
    let other = Uuid::from_u128(9);
    city.forge(further, [id.into(), other.into()]);
    city.pass(SignedDuration::from_secs(60));
    assert_eq!(code(city.enter(id, &hashed(), proof(&city))), TOUCHED);
    assert_eq!(city.altered(), ["second_factor"]);
    // None at all: the row of the account says that there was one.
    city.forge(
        "DELETE FROM second_factor WHERE account_id = ?1",
        [id.into()],
    );
    assert_eq!(code(city.enter(id, &hashed(), None)), TOUCHED);
}

fn browser(secret: &str) -> Browser {
    Browser {
        secret: secret.to_owned(),
        device: None,
        spent: Vec::new(),
    }
}

/// A proved contact of an account; what it is nobody asks here.
fn contact_of(city: &City, account: AccountId, id: u128) -> Contact {
    let sql = "INSERT INTO contact (id, account_id, channel, value_sealed, state, created_at) \
               VALUES (?1, ?2, 'sms', ?3, 'verified', 1)";
    let id = Uuid::from_u128(id);
    let blank = Value::Blob(vec![0; 60]);
    city.forge(sql, [id.into(), account.into(), blank.clone()]);
    let Value::Blob(sealed) = blank else {
        unreachable!()
    };
    Contact {
        id,
        channel: Channel::Sms,
        sealed,
        verified: true,
    }
}

#[test]
fn a_code_is_good_for_what_it_was_sent_for_only() {
    let city = City::new();
    let mine = city.account("enterprise", &[Role::WindowClerk], "330302");
    let theirs = city.account("handler", &[Role::WindowClerk], "330302");
    let contact_of = |account, id| contact_of(&city, account, id);
    let (own, other) = (contact_of(mine, 1), contact_of(theirs, 2));
    let sent = own.clone();
    city.write(move |tx| {
        let code = ("12345678", Some(&browser("mine")));
        sent_code::send(tx, mine, &sent, Purpose::Reset, code)
    })
    .unwrap();
    let tried = |account: AccountId, purpose: Purpose, from: &'static str| {
        let found = city.write(move |tx| {
            sent_code::check(tx, account, purpose, ("12345678", Some(&browser(from))))
        });
        found.unwrap()
    };
    let right = Some(own.id);
    assert_eq!(tried(mine, Purpose::Reset, "mine"), right);
    let set = |sql: &'static str, value: Value| city.forge(sql, [value]);
    let account = "UPDATE sent_code SET account_id = ?1, failures = 0";
    set(account, theirs.into());
    assert_eq!(tried(theirs, Purpose::Reset, "mine"), None);
    set(account, mine.into());
    let purpose = "UPDATE sent_code SET purpose = ?1, failures = 0";
    set(purpose, "contact".to_owned().into());
    assert_eq!(tried(mine, Purpose::Contact, "mine"), None);
    set(purpose, "reset".to_owned().into());
    let contact = "UPDATE sent_code SET contact_id = ?1, failures = 0";
    set(contact, other.id.into());
    assert_eq!(tried(mine, Purpose::Reset, "mine"), None);
    set(contact, own.id.into());
    let later = "UPDATE sent_code SET good_until = good_until + ?1, failures = 0";
    set(later, 60_000.into());
    assert_eq!(tried(mine, Purpose::Reset, "mine"), None);
    set(later, (-60_000).into());
    assert_eq!(tried(mine, Purpose::Reset, "mine"), right);
    // A browser of the writer's own, whose hash he has seen beside another code.
    city.write(move |tx| {
        let code = ("87654321", Some(&browser("other")));
        sent_code::send(tx, theirs, &other, Purpose::Reset, code)
    })
    .unwrap();
    let exchanged = "UPDATE sent_code SET browser = (SELECT c.browser FROM sent_code c \
                     WHERE c.account_id <> sent_code.account_id), failures = 0 WHERE account_id = ?1";
    city.forge(exchanged, [mine.into()]);
    assert_eq!(tried(mine, Purpose::Reset, "other"), None);
}

/// Five an hour for strangers, ten in a day.
#[test]
fn codes_have_a_bound_for_the_day() {
    let city = City::new();
    let id = city.account("clerk", &[Role::WindowClerk], "330302");
    let contact = contact_of(&city, id, 1);
    let mut sent = Vec::new();
    for _ in 0..5 {
        for _ in 0..6 {
            let contact = contact.clone();
            let done = city.write(move |tx| {
                let code = ("12345678", Some(&browser("stranger")));
                sent_code::send(tx, id, &contact, Purpose::Reset, code)
            });
            sent.push(code(done) == "Ok(())");
        }
        city.pass(SignedDuration::from_hours(6));
    }
    // At 0 and 6 o'clock; at 24 those of the first hour are a day old.
    let count = |hour: usize| sent[hour * 6..][..6].iter().filter(|it| **it).count();
    assert_eq!([0, 1, 2, 3, 4].map(count), [5, 5, 0, 0, 5]);
}

/// A clerk is reset, keeps the password, and is promoted in good faith later.
#[test]
fn what_a_reset_lays_to_rest_outlasts_a_promotion() {
    let city = City::new();
    let (system, security) = (city.system(), city.security());
    let new = super::account("clerk", &[Role::WindowClerk], "330302");
    let id = city
        .write(move |tx| create_account(tx, &console(), &new))
        .unwrap();
    let by = system.clone();
    city.write(move |tx| reset_password(tx, &by, id, 1, "one-time hash"))
        .unwrap();
    let own = city.actor(id, &[Role::WindowClerk], "330302");
    let changing = own.clone();
    city.write(move |tx| {
        commands::change_password(tx, &changing, "one-time hash", &hashed(), None)
    })
    .unwrap();
    // What needs no second factor goes on as before.
    let token = city.enter(id, &hashed(), None).unwrap();
    assert_eq!(city.roles_in(&token), Some(vec![Role::WindowClerk]));
    let version = 3;
    let (by, roles) = (security.clone(), [Role::Finance].into_iter().collect());
    city.write(move |tx| grant_roles(tx, &by, id, version, roles))
        .unwrap();
    // Whoever has the password binds an app of his own.
    let secret = Secret::derived("an app of his own");
    let typed = secret.code(step_at(city.clock.now()));
    city.write(move |tx| {
        super::super::factor::begin_factor(tx, &own, &secret, "")?;
        super::super::factor::confirm_factor(tx, &own, &typed, &[], None)
    })
    .unwrap();
    city.pass(SignedDuration::from_secs(60));
    let secret = Secret::derived("an app of his own");
    let proof = Some(secret.code(step_at(city.clock.now())));
    let token = city.enter(id, &hashed(), proof).unwrap();
    assert_eq!(city.roles_in(&token), Some(Vec::new()));
    let resting = || {
        city.store
            .read_blocking(|q| rest::is_resting(q, id))
            .unwrap()
    };
    assert!(resting());
    city.write(move |tx| confirm_roles(tx, &security, id, version + 1))
        .unwrap();
    assert!(!resting());
}
