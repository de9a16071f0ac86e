//! The log's words, masks and questions, on events written by hand and on a store of its own.

use std::cell::Cell;

use serde_json::{Value, json};
use uuid::Uuid;

use super::fields::{Fact, told};
use super::*;
use crate::access::Roles;
use crate::account::{NewAccount, create_account};
use crate::party::{NewParty, PartyKind, register};
use crate::refusal::Result;
use crate::store::testing::TemporaryStore;
use crate::store::{Command, DataKey, EventFilter, Keys, Known, Owned, Row, Store, Tx};

fn event(command: &str, table: &str, subject: Uuid, detail: &Value) -> Written {
    Written {
        id: Uuid::nil(),
        at: jiff::Timestamp::UNIX_EPOCH,
        actor_id: None,
        actor: "system".into(),
        command: command.into(),
        subject_table: table.into(),
        subject_id: subject,
        detail: detail.to_string(),
        number: None,
    }
}

fn facts(command: &str, detail: Value) -> Vec<Fact> {
    told(
        &event(command, "casework", Uuid::nil(), &detail),
        &Names::default(),
    )
    .0
}

fn check(command: &str, detail: Value, wanted: &[&str]) {
    let lines: Vec<String> = facts(command, detail).iter().map(Fact::line).collect();
    assert_eq!(lines, wanted, "{command}");
}

#[test]
fn facts_are_told_in_words() {
    check(
        "case.complete_task",
        json!({ "amount_fen": 1_430_050, "outcome": "approve", "state": "proposed", "task": "decide" }),
        &[
            "环节：审批",
            "结果：同意",
            "状态：拟补名单",
            "金额：14,300.50 元",
        ],
    );
    check(
        "budget.adjust",
        json!({ "difference_fen": -5 }),
        &["调整金额：-0.05 元"],
    );
    check(
        "case.suspend",
        json!({ "cause": "notice", "on": "2026-09-03" }),
        &["事由：公示", "日期：2026-09-03"],
    );
    check(
        "payment.download",
        json!({ "at": "2026-11-23T02:00:00Z" }),
        &["时间：2026-11-23 10:00"],
    );
    check(
        "account.grant",
        json!({ "after": ["finance", "leader"], "before": [] }),
        &["更改后：财政、领导", "更改前：无"],
    );
    check(
        "department.amend",
        json!({ "after": { "name": "甲局" }, "before": { "name": "乙局" } }),
        &["更改后 · 名称：甲局", "更改前 · 名称：乙局"],
    );
    check(
        "objection.submit",
        json!({ "anonymous": true, "kind": "person" }),
        &["异议人：个人", "匿名：是"],
    );
    check(
        "account.set_state",
        json!({ "state": "locked" }),
        &["状态：已锁定"],
    );
    check(
        "account.create",
        json!({ "party": null, "region": "330324" }),
        &["区域：永嘉县"],
    );
    check(
        "policy.publish",
        json!({ "hash": "sha256:d101bf05736a67e60bf07e96f52783a5", "name": "pv-subsidy" }),
        &["名称：pv-subsidy", "版本摘要：d101bf05736a…"],
    );
    check(
        "list.export",
        json!({ "list": "办件", "rows": 12 }),
        &["名单：办件", "导出：12 条"],
    );
}

/// What stands for a name that was erased is no name.
#[test]
fn the_placeholder_of_an_erased_name_is_not_masked() {
    check(
        "party.amend",
        json!({ "renamed": { "before": "王小明", "after": crate::dossier::ERASED } }),
        &["更名 · 更改后：已依法删除", "更名 · 更改前：王*明"],
    );
    assert_eq!(
        crate::party::masked_name("person", "已依法删除"),
        "已依法删除"
    );
}

#[test]
fn what_has_no_word_stands_as_it_is() {
    check(
        "case.dance",
        json!({ "steps": [1, 2], "state": "dancing" }),
        &["状态：dancing", "steps：1、2"],
    );
    let mut damaged = event("case.dance", "casework", Uuid::nil(), &json!({}));
    damaged.detail = "{".into();
    let (facts, _) = told(&damaged, &Names::default());
    assert_eq!(facts[0].text, "{");
}

#[test]
fn a_figure_is_found_by_its_fen_and_a_day_by_its_date() {
    let money = &facts("budget.create", json!({ "amount_fen": 300_000_000 }))[0];
    assert_eq!((money.figure.as_str(), money.unit), ("300000000", "元"));
    assert!(facts("notice.publish", json!({ "ends_on": "2026-09-14" }))[0].day);
}

#[test]
fn long_numbers_in_a_typed_text_are_cut_down() {
    let detail = json!({ "reason": "核对 330324199001011234 与 13800005678、138-0577-1234、６２２８ ４８０４ ０２５６，见 330324-2026-000004" });
    let (facts, record) = told(
        &event("case.reveal", "casework", Uuid::nil(), &detail),
        &Names::default(),
    );
    for text in [&facts[0].text, &record] {
        assert!(
            !["330324199001011234", "13800005678", "138-0577", "６２２８"]
                .iter()
                .any(|number| text.contains(number)),
            "{text}"
        );
        assert!(text.contains("330324-2026-000004"), "{text}");
    }
}

fn now() -> jiff::Timestamp {
    "2026-11-23T02:00:00Z".parse().unwrap()
}

fn write<T: Send + 'static>(
    store: &Store,
    f: impl Fn(&Tx<'_>) -> Result<T> + Send + Sync + 'static,
) -> T {
    store
        .write_blocking(Command::new("test", now()), f)
        .unwrap()
}

fn console() -> Actor {
    Actor::console("test", "330300".parse().unwrap())
}

fn party(store: &Store, kind: PartyKind, name: &str) -> Uuid {
    let person = kind == PartyKind::Person;
    let new = NewParty {
        kind,
        name: name.into(),
        credit_code: (!person).then(|| vocab::CreditCode::parse("91350100M000100Y43").unwrap()),
        id_number: person.then(|| vocab::IdNumber::parse("11010519491231002X").unwrap()),
        phone: None,
        address: None,
        region: "330324".parse().unwrap(),
        industry: None,
        legal_representative: None,
        founded_on: None,
        demo: true,
    };
    write(store, move |tx| register(tx, &console(), &new)).0
}

#[test]
fn a_natural_persons_names_are_masked_and_an_enterprises_are_not() {
    let store = Store::open_temporary(now()).unwrap();
    let person = party(&store, PartyKind::Person, "王小明");
    let enterprise = party(&store, PartyKind::Enterprise, "永嘉甲有限公司");
    let detail = json!({ "renamed": { "before": "王小明", "after": "王大明" } });
    let line = |subject: Uuid| {
        let event = event("party.amend", "party", subject, &detail);
        let names = store.read_blocking(|q| Names::ask(&**q, std::slice::from_ref(&event)));
        Line::new(event, &names.unwrap())
    };
    let of_person = line(person);
    let page = format!(
        "{} {:?} {}",
        of_person.subject, of_person.facts, of_person.record
    );
    assert!(
        !page.contains("王小明") && !page.contains("王大明"),
        "{page}"
    );
    assert!(of_person.subject.starts_with("王*"), "{page}");
    let of_enterprise = line(enterprise);
    assert_eq!(of_enterprise.subject, "永嘉甲有限公司");
    assert!(of_enterprise.record.contains("王小明"));
    // A party that nobody knows is masked: it may have been a person.
    assert!(!line(Uuid::from_u128(9)).record.contains("王小明"));
}

/// Counts the questions asked of a store.
struct Counted<'a>(&'a dyn Query, Cell<usize>);

impl Query for Counted<'_> {
    fn each(
        &self,
        sql: &str,
        params: &[crate::store::Value],
        visit: &mut dyn FnMut(&Row<'_>) -> std::result::Result<(), StoreError>,
    ) -> std::result::Result<(), StoreError> {
        self.1.set(self.1.get() + 1);
        self.0.each(sql, params, visit)
    }

    fn keys(&self) -> &Keys {
        self.0.keys()
    }

    fn data_key(&self, owner: Uuid) -> std::result::Result<DataKey, StoreError> {
        self.0.data_key(owner)
    }

    fn known(
        &self,
        table: &'static str,
        condition: &str,
        values: &[crate::store::Value],
    ) -> std::result::Result<Vec<Known>, StoreError> {
        self.0.known(table, condition, values)
    }

    fn owned(&self, table: &'static str, owner: Uuid) -> std::result::Result<Owned, StoreError> {
        self.0.owned(table, owner)
    }
}

fn open_accounts(store: &TemporaryStore, logins: std::ops::Range<usize>) {
    for n in logins {
        let new = NewAccount {
            login: format!("clerk{n}"),
            name: format!("第 {n} 位同志"),
            password_hash: "x".into(),
            one_time: false,
            roles: Roles::default(),
            department: None,
            region: "330324".parse().unwrap(),
            party: None,
            demo: None,
        };
        write(store, move |tx| create_account(tx, &console(), &new));
    }
}

#[test]
fn names_are_asked_once_for_a_noun_however_many_events() {
    let store = Store::open_temporary(now()).unwrap();
    let questions = || {
        let everything = EventFilter::new("1 = 1".into(), Vec::new());
        let read = store.read_blocking(|q| {
            let events = written(&**q, &everything, 50, 0)?;
            let counted = Counted(&**q, Cell::new(0));
            let names = Names::ask(&counted, &events)?;
            let lines: Vec<Line> = events
                .into_iter()
                .map(|event| Line::new(event, &names))
                .collect();
            Ok::<_, StoreError>((lines, counted.1.get()))
        });
        read.unwrap()
    };
    open_accounts(&store, 0..1);
    let (_, of_one) = questions();
    open_accounts(&store, 1..30);
    let (lines, of_thirty) = questions();
    assert_eq!((lines.len(), of_thirty), (30, of_one));
    let last = lines
        .iter()
        .find(|line| line.subject == "第 29 位同志（clerk29）");
    assert_eq!(last.map(|line| line.actor.as_str()), Some("控制台（test）"));
}

#[test]
fn events_lead_to_public_pages_only() {
    let about = |table: &str| {
        Line::new(
            event("case.timer", table, Uuid::nil(), &json!({})),
            &Names::default(),
        )
    };
    let case = about("casework");
    assert_eq!(
        (case.command.as_str(), case.table.as_str()),
        ("到期自动处理", "办件")
    );
    assert_eq!((case.href.as_str(), case.actor.as_str()), ("", "系统"));
    assert!(about("notice").href.starts_with("/notices/0000"));
}

#[test]
fn every_command_can_be_chosen_once() {
    let kinds = kinds("");
    let chosen: Vec<&str> = kinds
        .iter()
        .flat_map(|(_, all)| all)
        .map(|c| c.value.as_str())
        .collect();
    for (name, _) in words::COMMANDS {
        assert_eq!(
            chosen.iter().filter(|code| *code == name).count(),
            1,
            "{name}"
        );
    }
    for code in chosen {
        assert!(!words::commands_of(code).is_empty(), "{code}");
        for command in words::commands_of(code) {
            assert_ne!(
                words::command(command),
                command,
                "{code} asks for {command}"
            );
        }
    }
}

#[test]
fn every_noun_can_be_asked_about_and_looked_for_on_either_engine() {
    let store = Store::open_temporary(now()).unwrap();
    let enterprise = party(&store, PartyKind::Enterprise, "永嘉甲有限公司");
    open_accounts(&store, 0..1);
    let events: Vec<Written> = words::TABLES
        .iter()
        .map(|(table, _)| {
            event(
                "objection.submit",
                table,
                enterprise,
                &json!({ "entry": enterprise }),
            )
        })
        .chain([
            event(
                "case.open_file",
                "party",
                enterprise,
                &json!({ "attachment": enterprise }),
            ),
            event(
                "batch.hold_entry",
                "party",
                enterprise,
                &json!({ "entry": enterprise }),
            ),
        ])
        .collect();
    let names = store.read_blocking(|q| Names::ask(&**q, &events)).unwrap();
    let name = names
        .of(Noun::Party, enterprise)
        .map(|name| name.text.as_str());
    assert_eq!(name, Some("永嘉甲有限公司"));
    assert!(names.of(Noun::Casework, enterprise).is_none());
    let count = |asked: Asked| {
        let wanted = asked.read().unwrap();
        let read = store.read_blocking(|q| page_of(&**q, &console(), &wanted, 50, 0));
        read.unwrap().1
    };
    let number = |text: &str| Asked {
        number: text.into(),
        ..Asked::default()
    };
    let person = |text: &str| Asked {
        person: text.into(),
        ..Asked::default()
    };
    assert_eq!(count(number("永嘉甲有限公司")), 1);
    assert_eq!(count(number("91350100M000100Y43")), 1);
    assert_eq!(count(number("第 0 位同志")), 1);
    assert_eq!(count(number("永发改公示[2026]1号")), 0);
    assert_eq!(count(person("console:test")), 2);
    assert_eq!(count(person("clerk0")), 0);
}
