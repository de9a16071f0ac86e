//! The three administrators try whatever the routes let them: seeded walks over their actions, each
//! alone and in the two pairs that must not be able to make a right together. Only the system and the
//! security administrator together can: one knows passwords, the other grants roles.

use std::collections::{BTreeMap, BTreeSet};

use axum::http::{Method, StatusCode};
use luodi::access::{Actor, Role, Rule};
use luodi::refusal::Error;
use luodi::store::Command;
use luodi::web::Route;
use luodi::{account, params, router};

use super::foreign::make_rows;
use crate::support::{Answer, TestCity, Visitor};

/// Sequences of a city, cities of a walk, steps of a sequence.
const SEQUENCES: usize = 12;
const CITIES: u64 = 6;
const STEPS: usize = 8;

/// What no administrator may find.
const CASEWORK: &[(&str, &str)] = &[
    ("/cases", ""),
    ("/parties", ""),
    ("/batches", ""),
    ("/budgets", ""),
    ("/payments", ""),
    ("/cases/{}", "SELECT id FROM casework ORDER BY id"),
    ("/api/cases/{}", "SELECT id FROM casework ORDER BY id"),
    ("/parties/{}", "SELECT id FROM party ORDER BY id"),
    ("/batches/{}", "SELECT id FROM batch ORDER BY id"),
    ("/drafts/{}", "SELECT id FROM draft ORDER BY id"),
    ("/objections/{}", "SELECT id FROM objection ORDER BY id"),
    (
        "/bank-accounts/{}",
        "SELECT id FROM bank_account ORDER BY id",
    ),
];

/// Tables that no act of an administrator changes.
const UNTOUCHED: &[&str] = &[
    "article",
    "attachment",
    "bank_account",
    "batch",
    "batch_entry",
    "budget_line",
    "case_duty",
    "casework",
    "correction",
    "draft",
    "erasure",
    "item",
    "ledger_entry",
    "message",
    "notice",
    "objection",
    "party",
    "payment",
    "payment_file",
    "posting",
    "task",
];

const ADMINISTRATORS: &[&str] = &["system", "security", "audit"];

/// A small generator, so that a seed says everything.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % sides
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.roll(from.len())]
    }
}

/// What an account may do now: its roles, where it may log in and they do not rest; and where it is.
type Rights = BTreeMap<String, BTreeSet<String>>;

/// Roles in use: those that need a second factor only under a condition.
fn held(condition: &str) -> String {
    let guarded = Role::WITH_SECOND_FACTOR.iter();
    let guarded: Vec<String> = guarded.map(|it| format!("'{}'", it.code())).collect();
    format!(
        "SELECT a.login || ' ' || r.role FROM account a JOIN account_role r ON r.account_id = a.id \
         WHERE a.state = 'active' AND (r.role NOT IN ({}) OR {condition})",
        guarded.join(", ")
    )
}

/// What whoever knows the password of an account may do with it, once he has bound a second factor
/// of his own where none is bound.
async fn by_password(city: &TestCity, login: &str) -> BTreeSet<String> {
    let sql = held(
        "a.roles_rest_since IS NULL AND NOT EXISTS (SELECT 1 FROM second_factor f \
         WHERE f.account_id = a.id AND f.state = 'active')",
    );
    let lines = city.texts(&sql).await.into_iter();
    let of = lines.filter_map(|line| {
        let (of, role) = line.split_once(' ')?;
        (of == login).then(|| role.to_owned())
    });
    of.collect()
}

async fn rights(city: &TestCity) -> Rights {
    let mut rights = Rights::new();
    let held = held("a.roles_rest_since IS NULL");
    let place = "SELECT login || ' ' || region_code || CASE WHEN department_id IS NULL THEN '' ELSE ' of a department' END FROM account";
    for sql in [held.as_str(), place] {
        for line in city.texts(sql).await {
            let (login, right) = line.split_once(' ').unwrap();
            let of = rights.entry(login.to_owned()).or_default();
            of.insert(right.to_owned());
        }
    }
    rights
}

fn needs_factor(right: &str) -> bool {
    Role::from_code(right).is_some_and(|role| Role::WITH_SECOND_FACTOR.contains(&role))
}

struct Walk<'a> {
    city: &'a TestCity,
    team: Vec<(&'static str, Visitor<'a>)>,
    dice: Dice,
    accounts: Vec<String>,
    urls: Vec<String>,
    /// Accounts whose password a member of the team has seen.
    known: BTreeSet<String>,
    at_first: Rights,
    taken: Vec<String>,
}

/// Where forms are posted that only say who one is.
const OF_SESSIONS: &[&str] = &[
    "/login",
    "/logout",
    "/login/forgot",
    "/login/reset",
    "/login/provider",
    "/api/session",
    "/account",
    "/account/sessions",
    "/account/identity",
    "/objections/follow",
    "/notices/{id}/objections/new",
];

impl Walk<'_> {
    /// An address with ids: of accounts, leaves and departments where it names such, else of cases
    /// and whatever else there is.
    async fn address(&mut self, path: &str) -> String {
        let table = match path {
            path if path.starts_with("/accounts/{") => "account",
            path if path.starts_with("/leaves/{") => "account_leave",
            path if path.starts_with("/departments/{") => "department",
            path if path.starts_with("/parties/{") => "party",
            path if path.starts_with("/drafts/{") => "draft",
            _ => "casework",
        };
        let ids = match table {
            "account" => self.accounts.clone(),
            table => {
                self.city
                    .ids(&format!("SELECT id FROM {table} ORDER BY id LIMIT 20"))
                    .await
            }
        };
        let task = "SELECT id FROM task WHERE state = 'open' ORDER BY id LIMIT 20";
        let second = self.city.ids(task).await;
        let mut out = String::new();
        for (number, part) in path.split('{').enumerate() {
            match part.split_once('}') {
                None => out.push_str(part),
                Some((_, rest)) => {
                    let from = if number == 1 { &ids } else { &second };
                    let id: &String = self.dice.pick(from);
                    out.push_str(id);
                    out.push_str(rest);
                }
            }
        }
        out
    }

    /// Plausible values for every field an administrator's form has.
    async fn fields(&mut self, path: &str) -> Vec<(String, String)> {
        let id = path.rsplit('/').next().unwrap_or_default().to_owned();
        let table = match path {
            path if path.starts_with("/leaves/") => "account_leave",
            path if path.starts_with("/departments/") => "department",
            _ => "account",
        };
        let version = if id.len() == 32 {
            let sql = format!("SELECT CAST(version AS TEXT) FROM {table} WHERE id = X'{id}'");
            self.city.texts(&sql).await.pop()
        } else {
            None
        };
        let of_accounts = [
            "grant_roles",
            "grant_roles",
            "grant_roles",
            "grant_roles",
            "lock",
            "unlock",
            "reset_password",
            "reset_factor",
            "confirm_roles",
        ];
        let others = [
            "lock",
            "unlock",
            "grant_roles",
            "grant_roles",
            "grant_roles",
            "reset_password",
            "reset_factor",
            "confirm_roles",
            "change",
            "end",
            "take",
            "submit",
            "approve",
            "begin",
        ];
        let action = match table {
            "account" => (*self.dice.pick(&of_accounts)).to_owned(),
            _ => (*self.dice.pick(&others)).to_owned(),
        };
        let days = ["2026-11-23", "2026-11-24", "2026-11-30", "2026-12-05"];
        let departments = self.city.ids("SELECT id FROM department ORDER BY id").await;
        let name = format!("walker-{}", self.dice.roll(1_000_000));
        let mut fields = vec![
            ("version", version.unwrap_or_else(|| "1".to_owned())),
            ("action", action),
            ("account", self.dice.pick(&self.accounts.clone()).clone()),
            ("stand_in", self.dice.pick(&self.accounts.clone()).clone()),
            ("kind", "holiday".to_owned()),
            ("first_day", (*self.dice.pick(&days)).to_owned()),
            ("last_day", (*self.dice.pick(&days)).to_owned()),
            ("login", name.clone()),
            ("name", "新来的人".to_owned()),
            (
                "region",
                (*self.dice.pick(&["330300", "330324"])).to_owned(),
            ),
            ("code", name.to_uppercase()),
            ("paper_word", "永发改".to_owned()),
            ("reason", "试一试看".to_owned()),
            // Their own, which the first second factor asks for.
            ("password", "luodi-demo-2026".to_owned()),
            ("why", "试一试".to_owned()),
        ];
        if self.dice.roll(2) == 0 {
            fields.push(("department", self.dice.pick(&departments).clone()));
        }
        for _ in 0..=self.dice.roll(3) / 2 {
            fields.push(("roles", self.dice.pick(Role::ALL).code().to_owned()));
        }
        let fields = fields.into_iter();
        fields
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }

    /// The security administrator, who knows nothing of it, promotes somebody of the office in good
    /// faith; he did not open the account a moment ago.
    async fn promote(&mut self) {
        let at_first = self.at_first.keys().cloned().collect::<Vec<_>>();
        let login = self.dice.pick(&at_first).clone();
        if ADMINISTRATORS.contains(&login.as_str()) {
            return;
        }
        let role = *self.dice.pick(&[Role::Finance, Role::Approver]);
        let wanted = login.clone();
        let command = Command::new("account.grant", self.city.clock.now());
        let granted = self.city.app.store.write(command, move |tx| {
            let actor = Actor::console("security", "330300".parse().unwrap());
            let id = account::find_login(tx, &wanted)?.unwrap();
            let sql = "SELECT version FROM account WHERE id = ?1";
            let version = tx.row(sql, params![id], |row| row.get(0))?;
            account::grant_roles(tx, &actor, id, version, [role].into_iter().collect())
        });
        let granted: Result<(), Error> = granted.await;
        let said = granted.map_or("refused", |()| "granted");
        self.taken
            .push(format!("in good faith {login} {}: {said}", role.code()));
    }

    async fn step(&mut self) {
        let trusting = !self.team.iter().any(|(login, _)| *login == "security");
        if trusting && self.dice.roll(4) == 0 {
            self.promote().await;
        }
        let who = self.dice.roll(self.team.len());
        let role = match self.team[who].0 {
            "system" => Role::SystemAdmin,
            "security" => Role::SecurityAdmin,
            _ => Role::AuditAdmin,
        };
        let routes: Vec<Route> = router::routes()
            .into_iter()
            .filter(|it| it.method == Method::POST && !OF_SESSIONS.contains(&it.path))
            .collect();
        // Most steps go where the rule admits; the rest tries every door.
        let own = |it: &&Route| matches!(it.rule, Rule::Staff(roles) if roles.contains(&role));
        let own: Vec<&Route> = routes.iter().filter(own).collect();
        let path = if own.is_empty() || self.dice.roll(5) == 0 {
            self.dice.pick(&routes).path
        } else {
            self.dice.pick(&own).path
        };
        let address = self.address(path).await;
        let fields = self.fields(&address).await;
        let (login, answer) = self.post(who, &address, &fields).await;
        let said: Vec<String> = fields.iter().map(|(n, v)| format!("{n}={v}")).collect();
        let step = format!(
            "{login} POST {address} {} → {}",
            said.join("&"),
            answer.status
        );
        self.taken.push(step);
        self.learn(&address, &fields, &answer).await;
    }

    async fn post(
        &mut self,
        who: usize,
        address: &str,
        fields: &[(String, String)],
    ) -> (&'static str, Answer) {
        let (login, visitor) = &mut self.team[who];
        let page = visitor.get("/account").await;
        if page.status != StatusCode::OK {
            // His session has ended, as after other roles: he tries without one.
            return (login, page);
        }
        let pairs: Vec<(&str, &str)> = fields
            .iter()
            .map(|(n, v)| (n.as_str(), v.as_str()))
            .collect();
        (login, visitor.post_from(&page, address, &pairs).await)
    }

    /// Whoever was shown a one-time password knows it.
    async fn learn(&mut self, address: &str, fields: &[(String, String)], answer: &Answer) {
        if answer.status != StatusCode::OK || !answer.says("id=\"one-time-password\"") {
            return;
        }
        let login = if address == "/accounts/new" {
            fields
                .iter()
                .find(|(name, _)| name == "login")
                .unwrap()
                .1
                .clone()
        } else {
            let id = address.rsplit('/').next().unwrap();
            let sql = format!("SELECT login FROM account WHERE id = X'{id}'");
            self.city.texts(&sql).await.remove(0)
        };
        // Who knew it before by right of being the owner has lost it.
        self.known.insert(login);
        self.accounts = self.city.ids(OBJECTS).await;
    }

    /// What must hold after each step.
    async fn look(&mut self) {
        let now = rights(self.city).await;
        let team = self.team.iter().map(|(login, _)| (*login).to_owned());
        for login in team.chain(self.known.iter().cloned()) {
            let mut had = self.at_first.get(&login).cloned().unwrap_or_default();
            let mut has = now.get(&login).cloned().unwrap_or_default();
            if self.known.contains(&login) {
                // What the owner proves by more than a password is not his who knows the password.
                had.retain(|right| !needs_factor(right));
                has = by_password(self.city, &login).await;
            }
            let is_right = |right: &&String| Role::from_code(right).is_some();
            let more: Vec<&String> = has.difference(&had).filter(is_right).collect();
            assert!(
                more.is_empty(),
                "{login} got {more:?}:\n{}",
                self.taken.join("\n")
            );
            if let Some(first) = self.at_first.get(&login) {
                let has = now.get(&login).cloned().unwrap_or_default();
                let place = |rights: &BTreeSet<String>| -> Vec<String> {
                    let places = rights.iter().filter(|right| !is_right(right));
                    places.cloned().collect()
                };
                assert_eq!(
                    place(&has),
                    place(first),
                    "{login}:\n{}",
                    self.taken.join("\n")
                );
            }
        }
        let (urls, taken) = (self.urls.clone(), self.taken.join("\n"));
        // One address a step for each: over a walk all of them many times.
        for (login, visitor) in &mut self.team {
            let url = self.dice.pick(&urls);
            let answer = visitor.get(url).await;
            let shut = matches!(
                answer.status,
                StatusCode::FORBIDDEN
                    | StatusCode::NOT_FOUND
                    | StatusCode::SEE_OTHER
                    | StatusCode::UNAUTHORIZED
            );
            let away = answer.location.starts_with("/login") || answer.location.is_empty();
            assert!(shut && away, "{login} reads {url}:\n{taken}");
        }
    }
}

/// Whom the walks are about: the three, a target, an accomplice, and who was opened meanwhile.
const OBJECTS: &str = "SELECT id FROM account WHERE login IN ('system', 'security', 'audit', \
     'handler3-yj', 'approver-yj', 'window-yj', 'enterprise-yj') OR login LIKE 'walker-%' ORDER BY login";

async fn walk(seed: u64, team: &[&'static str]) {
    let mut done = 0;
    for round in 0..CITIES {
        let city = TestCity::open();
        make_rows(&city).await;
        let mut urls = Vec::new();
        for (url, sql) in CASEWORK {
            match *sql {
                "" => urls.push((*url).to_owned()),
                sql => urls.push(url.replace("{}", &city.id(sql).await)),
            }
        }
        let mut members = Vec::new();
        for login in team {
            members.push((*login, city.log_in(login).await));
        }
        let before = city.state().await.only(UNTOUCHED);
        let mut events = 0;
        let mut walk = Walk {
            at_first: rights(&city).await,
            accounts: city.ids(OBJECTS).await,
            city: &city,
            team: members,
            dice: Dice(seed * 1_000 + round + 1),
            urls,
            known: BTreeSet::new(),
            taken: Vec::new(),
        };
        for sequence in 0..SEQUENCES {
            walk.taken
                .push(format!("seed {seed}, city {round}, sequence {sequence}:"));
            for _ in 0..STEPS {
                walk.step().await;
                walk.look().await;
                let now = city.number("SELECT COUNT(*) FROM audit_event").await;
                assert!(now >= events, "the log shrank:\n{}", walk.taken.join("\n"));
                events = now;
            }
            let after = city.state().await.only(UNTOUCHED);
            assert_eq!(after, before, "{}", walk.taken.join("\n"));
        }
        let went = |step: &&String| step.ends_with("303 See Other") || step.ends_with("200 OK");
        done += walk.taken.iter().filter(went).count();
    }
    // The audit administrator has no form that goes through.
    assert!(
        team == ["audit"] || done >= 20,
        "the walk does nothing: {done}"
    );
}

#[tokio::test]
async fn the_system_administrator_alone_makes_no_right() {
    walk(1, &["system"]).await;
}

#[tokio::test]
async fn the_security_administrator_alone_makes_no_right() {
    walk(2, &["security"]).await;
}

#[tokio::test]
async fn the_audit_administrator_alone_makes_no_right() {
    walk(3, &["audit"]).await;
}

#[tokio::test]
async fn system_and_audit_make_no_right_together() {
    walk(4, &["system", "audit"]).await;
}

#[tokio::test]
async fn security_and_audit_make_no_right_together() {
    walk(5, &["security", "audit"]).await;
}
