//! A real city begins: administrators, departments, people, an item that can be applied for; all of
//! it on the server that runs.

use luodi::account::totp::{self, Secret};
use luodi::web::Clock;
use serde_json::json;

use super::{Luodi, json_of};
use crate::support::http::{Client, Reply, Server};

/// The package of the repository.
const PACKAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../city/items/pv-subsidy");

/// Posts a form of a page.
fn post(client: &mut Client, page: &Reply, path: &str, fields: &[(&str, &str)]) -> Reply {
    let csrf = page.between("name=\"csrf\" value=\"", "\"");
    let key = page.between("name=\"idempotency_key\" value=\"", "\"");
    let mut all = vec![("csrf", csrf), ("idempotency_key", key)];
    all.extend_from_slice(fields);
    client.post(path, &all).unwrap()
}

/// Logs in with a one-time password, sets an own one, and binds an app.
fn begin(client: &mut Client, user: &str, once: &str) {
    client.log_in(user, once).unwrap();
    let page = client.get("/account").unwrap();
    let own = format!("{user} 的山水 2026");
    let fields = [
        ("old_password", once),
        ("new_password", &own),
        ("new_password_again", &own),
    ];
    let changed = post(client, &page, "/account", &fields);
    assert_eq!(changed.status, 303, "{user}: {}", changed.body);
    // Whoever administers logs in with a second factor from now on.
    let path = changed.location;
    assert_eq!(path, "/account/second-factor");
    let refused = client.get("/accounts").unwrap();
    assert_eq!(refused.status, 403);
    let page = client.get(&path).unwrap();
    let begun = post(
        client,
        &page,
        &path,
        &[("action", "begin"), ("password", &own)],
    );
    assert_eq!(begun.status, 303, "{user}: {}", begun.body);
    let page = client.get(&path).unwrap();
    let secret = page.between("<code id=\"secret\">", "<").replace(' ', "");
    let secret = Secret::from_base32(&secret).unwrap();
    let code = secret.code(totp::step_at(Clock::system().now()));
    let fields = [("action", "confirm"), ("totp", code.as_str())];
    let bound = post(client, &page, &path, &fields);
    assert_eq!(bound.status, 200, "{user}: {}", bound.body);
    assert_eq!(bound.body.matches("data-recovery").count(), 10);
}

/// A department the system administrator enters.
fn enter_department(system: &mut Client) {
    let page = system.get("/departments/new").unwrap();
    let wrong = [
        ("code", ""),
        ("name", ""),
        ("region", "330324"),
        ("paper_word", "YJ"),
    ];
    let refused = post(system, &page, "/departments/new", &wrong);
    assert_eq!(refused.status, 422);
    for (field, rule) in [
        ("code", "required"),
        ("name", "required"),
        ("paper_word", "paper-word"),
    ] {
        let mark = format!("id=\"error-{field}\" data-rule=\"{rule}\"");
        assert!(refused.body.contains(&mark), "{mark}: {}", refused.body);
    }
    let good = [
        ("code", "YJFG"),
        ("name", "永嘉县发展和改革局"),
        ("region", "330324"),
        ("paper_word", "永发改"),
    ];
    let entered = post(system, &refused, "/departments/new", &good);
    assert_eq!(entered.status, 303, "{}", entered.body);
    let list = system.get("/departments").unwrap();
    assert!(list.body.contains("永发改"));
    let form = system.get("/departments/new").unwrap();
    let taken = post(system, &form, "/departments/new", &good);
    for field in ["code", "paper_word"] {
        let mark = format!("id=\"error-{field}\" data-rule=\"taken\"");
        assert!(taken.body.contains(&mark), "{mark}");
    }
}

#[test]
fn a_city_begins_with_three_passwords() {
    let city = Luodi::empty();
    let made = json_of(&city.run(&["admin", "init", "--city", "温州市", "--json"]));
    let accounts = made["accounts"].as_array().unwrap().clone();
    let password = |role: &str| {
        let found = accounts.iter().find(|one| one["role"] == json!(role));
        let found = found.unwrap_or_else(|| panic!("{role} in {made}"));
        (
            found["user"].as_str().unwrap().to_owned(),
            found["password"].as_str().unwrap().to_owned(),
        )
    };
    let server = Server::start(&city.ground().environment(), &[]);
    let mut system = Client::new(server.address);
    let (user, once) = password("system_admin");
    begin(&mut system, &user, &once);
    enter_department(&mut system);

    // An item is published and opened from the console of the same machine.
    let unknown = ["item", "offer", "pv-subsidy", "--region", "330324"];
    let closed = city.exits(1, &[&unknown[..], &["--department", "YJFG"]].concat());
    assert!(closed.contains("请先发布"), "{closed}");
    city.exits(0, &["item", "publish", PACKAGE]);
    let why = city.exits(1, &[&unknown[..], &["--department", "YQFG"]].concat());
    assert!(why.contains("YQFG"), "{why}");
    let elsewhere = ["item", "offer", "pv-subsidy", "--region", "330382"];
    let why = city.exits(1, &[&elsewhere[..], &["--department", "YJFG"]].concat());
    assert!(why.contains("不在该区域"), "{why}");
    city.exits(0, &[&unknown[..], &["--department", "YJFG"]].concat());
    let mut stranger = Client::new(server.address);
    let items = stranger.get("/items").unwrap();
    assert!(items.body.contains("分布式光伏发电补贴"), "{}", items.body);

    // People of the department: opened by one administrator, given their roles by another.
    let page = system.get("/accounts/new").unwrap();
    let department = page.body.split("永嘉县发展和改革局").next().unwrap();
    let department = department.rsplit_once("<option value=\"").unwrap().1;
    let department = department.split_once('"').unwrap().0.to_owned();
    let fields = [
        ("login", "li.ming"),
        ("name", "李明（测试）"),
        ("region", "330324"),
        ("department", department.as_str()),
    ];
    let opened = post(&mut system, &page, "/accounts/new", &fields);
    assert_eq!(opened.status, 200, "{}", opened.body);
    let list = system.get("/accounts?q=li.ming").unwrap();
    let account = list.between("data-open href=\"", "\"").to_owned();
    let mut security = Client::new(server.address);
    let (user, once) = password("security_admin");
    begin(&mut security, &user, &once);
    let page = security.get(&account).unwrap();
    let version = page.between("name=\"version\" value=\"", "\"").to_owned();
    let fields = [
        ("version", version.as_str()),
        ("action", "grant_roles"),
        ("roles", "case_handler"),
    ];
    let granted = post(&mut security, &page, &account, &fields);
    assert_eq!(granted.status, 303, "{}", granted.body);

    // The offer ends, and the item cannot be applied for any more.
    city.exits(0, &["item", "close", "pv-subsidy", "--region", "330324"]);
    city.exits(1, &["item", "close", "pv-subsidy", "--region", "330324"]);
    city.exits(0, &["ledger", "verify"]);
}
