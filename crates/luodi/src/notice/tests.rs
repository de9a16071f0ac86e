//! Stories of notices and objections on a temporary store: who is held, who goes on, what is kept
//! secret, what is refused.

use std::sync::Arc;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use process::{ConditionError, Conditions, Effect, Flow, Input};
use serde_json::json;
use uuid::Uuid;
use vocab::{Fen, Phone, RegionCode};

use super::queries::LineState;
use super::*;
use crate::access::{Actor, ActorKind, Role};
use crate::account::{NewDepartment, create_department};
use crate::attachment;
use crate::casework::{Duty, record_duty};
use crate::fund::{self, NewBudget};
use crate::ids::{
    AccountId, BatchId, CaseId, DepartmentId, ItemId, NoticeEntryId, NoticeId, ObjectionId,
};
use crate::item::{self, Package};
use crate::params;
use crate::refusal::{Error, Result};
use crate::store::testing::TemporaryStore;
use crate::store::testing::event;
use crate::store::{Command, Query, Store, Tx};
use crate::web::Upload;

pub(super) fn region(code: &str) -> RegionCode {
    code.parse().unwrap()
}

/// Monday, 2026-11-23, nine o'clock in China.
pub(super) fn monday() -> Timestamp {
    "2026-11-23T01:00:00Z".parse().unwrap()
}

/// A city with one department in each of two counties and one batch of three beneficiaries:
/// an enterprise, 王小明 and 欧阳修.
pub(super) struct City {
    pub(super) store: TemporaryStore,
    pub(super) now: Timestamp,
    pub(super) department: DepartmentId,
    pub(super) other: DepartmentId,
    pub(super) batch: BatchId,
    pub(super) cases: [CaseId; 3],
}

impl City {
    pub(super) fn new() -> Self {
        let store = Store::open_temporary(monday()).unwrap();
        let fill = store.write_blocking(Command::new("test", monday()), fixture);
        let (department, other, batch, cases) = fill.unwrap();
        Self {
            store,
            now: monday(),
            department,
            other,
            batch,
            cases,
        }
    }

    pub(super) fn days(&mut self, days: i64) {
        self.now += SignedDuration::from_hours(24 * days);
    }

    pub(super) fn write<T: Send + 'static>(
        &self,
        f: impl Fn(&Tx<'_>) -> Result<T> + Send + Sync + 'static,
    ) -> Result<T> {
        self.store.write_blocking(Command::new("test", self.now), f)
    }

    fn read<T>(&self, f: impl FnOnce(&dyn Query) -> T) -> T {
        self.store
            .read_blocking(|q| Ok::<_, Error>(f(&**q)))
            .unwrap()
    }

    pub(super) fn reviewer(&self) -> Actor {
        actor(1, Role::Reviewer, self.department, "330324")
    }

    pub(super) fn publication(&self, ends_on: &str) -> Publication {
        let version = self.read(|q| {
            q.row(
                "SELECT version FROM batch WHERE id = ?1",
                params![self.batch],
                |r| r.get(0),
            )
            .unwrap()
        });
        Publication {
            batch: self.batch,
            version,
            title: "2026年第三季度光伏补贴拟补名单公示".into(),
            basis: "示范发改〔2016〕21号".into(),
            ends_on: ends_on.parse().unwrap(),
            channel: Channel {
                address: "永嘉县县前路1号".into(),
                phone: "0577-88000001".into(),
                mail: String::new(),
            },
        }
    }

    pub(super) fn publish(&self) -> Published {
        let (actor, new) = (self.reviewer(), self.publication("2026-11-30"));
        self.write(move |tx| publish(tx, &actor, &new)).unwrap()
    }

    pub(super) fn line(&self, notice: NoticeId, position: usize) -> NoticeEntryId {
        self.read(|q| queries::lines(q, notice).unwrap()[position].id)
    }

    fn object(&self, notice: NoticeId, position: usize) -> Result<(ObjectionId, String)> {
        let new = objection(notice, self.line(notice, position));
        let id = new.id;
        Ok((id, self.write(move |tx| object(tx, &new))?))
    }

    fn take_up(&self, id: ObjectionId) {
        let actor = self.reviewer();
        self.write(move |tx| take_up(tx, &actor, id, 1, ""))
            .unwrap();
    }

    fn answer(&self, id: ObjectionId, verdict: Verdict) -> Result<Answered> {
        let actor = self.reviewer();
        self.write(move |tx| {
            answer(
                tx,
                &actor,
                id,
                2,
                verdict,
                "已到现场核实",
                "经核实，容量与验收单一致",
            )
        })
    }

    fn end(&self, notice: NoticeId) -> Result<Ended> {
        let actor = self.reviewer();
        self.write(move |tx| {
            let version = queries::find(tx, notice)?.version;
            end(tx, &actor, notice, version)
        })
    }

    fn states(&self) -> Vec<String> {
        let sql = "SELECT CASE WHEN held_why IS NULL THEN state ELSE 'held' END FROM batch_entry \
                   WHERE batch_id = ?1 ORDER BY position";
        self.read(|q| q.rows(sql, params![self.batch], |r| r.get(0)).unwrap())
    }

    /// The states of the cases themselves.
    fn cases(&self) -> Vec<String> {
        let sql = "SELECT state FROM casework ORDER BY number";
        self.read(|q| q.rows(sql, params![], |r| r.get(0)).unwrap())
    }

    /// From when until when the clock of a case stood for the notice.
    fn stood(&self, case: usize) -> (Date, Option<Date>) {
        let sql = "SELECT suspended_on, resumed_on FROM suspension WHERE case_id = ?1";
        self.read(|q| {
            q.row(sql, params![self.cases[case]], |r| {
                Ok((r.get(0)?, r.get(1)?))
            })
            .unwrap()
        })
    }

    fn messages(&self) -> Vec<String> {
        let sql = "SELECT title FROM message ORDER BY id";
        self.read(|q| q.rows(sql, params![], |r| r.get(0)).unwrap())
    }
}

pub(super) fn actor(number: u128, role: Role, department: DepartmentId, of: &str) -> Actor {
    Actor {
        kind: ActorKind::Account(AccountId(Uuid::from_u128(number))),
        roles: [role].into_iter().collect(),
        department: Some(department),
        ..Actor::system(region(of))
    }
}

fn objection(notice: NoticeId, line: NoticeEntryId) -> NewObjection {
    NewObjection {
        id: ObjectionId(Uuid::from_bytes(crate::store::random())),
        notice,
        line,
        objector: Objector::Person {
            name: Some("李雷".into()),
        },
        phone: Some(Phone::parse("13812345678").unwrap()),
        statement: "这户的屋顶没有装光伏板，请核实。".into(),
        files: Vec::new(),
    }
}

fn code<T: std::fmt::Debug>(result: Result<T>) -> String {
    match result {
        Err(Error::Refused(refusal)) => refusal
            .fields
            .first()
            .map_or(refusal.code.to_owned(), |f| f.rule.clone().into_owned()),
        other => format!("{other:?}"),
    }
}

type Made = (DepartmentId, DepartmentId, BatchId, [CaseId; 3]);

/// The photovoltaic subsidy, offered by the department of 永嘉.
fn offer(tx: &Tx<'_>, department: DepartmentId) -> Result<(ItemId, Arc<Package>)> {
    let console = Actor::console("test", region("330300"));
    let mut seeds = item::seeds().into_iter();
    let (_, files) = seeds.find(|(name, _)| name == "pv-subsidy").unwrap();
    let prepared = item::prepare(&files).0.unwrap();
    let published = item::publish(tx, &console, &prepared)?;
    let county = region("330324");
    let item = item::offer(tx, &console, "pv-subsidy", county, department, None, None)?;
    Ok((item, item::load(tx, &published.hash)?))
}

fn fixture(tx: &Tx<'_>) -> Result<Made> {
    let console = Actor::console("test", region("330300"));
    let department = |code: &str, of: &str| {
        let new = NewDepartment {
            code: code.into(),
            name: format!("{code}局"),
            region: region(of),
            paper_word: code.into(),
        };
        create_department(tx, &console, &new)
    };
    let (own, other) = (
        department("永发改", "330324")?,
        department("乐发改", "330382")?,
    );
    let (item, package) = offer(tx, own)?;
    let budget = NewBudget {
        year: 2026,
        department: own,
        name: "分布式光伏发电补贴".into(),
        function_code: "2110699".into(),
        economic_code: "31204".into(),
        project: "绿色能源".into(),
        document_number: "财建1号".into(),
        amount: Fen(100_000_000),
    };
    let line = fund::create_budget(tx, &actor(20, Role::Finance, own, "330324"), &budget)?;
    let parties = [
        ("enterprise", "永嘉阳光新能源有限公司", 970_000),
        ("person", "王小明", 143_050),
        ("person", "欧阳修", 96_000),
    ];
    let mut cases = [CaseId(Uuid::nil()); 3];
    for (number, (slot, party)) in ["C1", "C2", "C3"]
        .into_iter()
        .zip(cases.iter_mut().zip(parties))
    {
        *slot = approved(tx, (item, own), &package, number, party)?;
    }
    let handler = actor(21, Role::CaseHandler, own, "330324");
    let batch = fund::create_batch(tx, &handler, item, "2026Q3", line)?;
    Ok((own, other, batch, cases))
}

/// Everything is approved and nothing needs a correction.
struct Smooth;

impl Conditions for Smooth {
    fn holds(&mut self, flow: &Flow) -> std::result::Result<bool, ConditionError> {
        let text = flow.condition.as_deref().unwrap_or_default();
        Ok(["\"accept\"", "\"pass\"", "\"approve\""]
            .iter()
            .any(|word| text.contains(word)))
    }
}

/// The process where the case waits for its batch, and the number of its task.
fn before_notice(package: &Package) -> (String, u32) {
    let (mut state, mut input) = (process::State::new(), Input::Start);
    for _ in 0..50 {
        let step = process::step(&package.process, &state, input, &mut Smooth).unwrap();
        state = step.state;
        let next = step.effects.iter().find_map(|effect| match effect {
            Effect::CreateTask { activity, node } => {
                let waits = package.process.at(*node).unwrap().id == "notice";
                Some((
                    Input::Complete {
                        activity: *activity,
                    },
                    waits.then_some(activity.0),
                ))
            }
            Effect::CallService { activity, .. } => Some((
                Input::ServiceDone {
                    activity: *activity,
                },
                None,
            )),
            _ => None,
        });
        match next {
            Some((_, Some(task))) => return (serde_json::to_string(&state).unwrap(), task),
            Some((next, None)) => input = next,
            None => break,
        }
    }
    panic!("the process never came to the notice");
}

/// An approved case that waits for its batch, as the commands of its domain leave it.
fn approved(
    tx: &Tx<'_>,
    (item, department): (ItemId, DepartmentId),
    package: &Package,
    number: &str,
    (kind, name, fen): (&str, &str, i64),
) -> Result<CaseId> {
    let [party, case, task] = [(); 3].map(|()| tx.new_id());
    let (state, activity) = before_notice(package);
    let form =
        json!({ "filed_kw": "8", "grid_connected_on": "2016-11-03", "generated_kwh": "2400" });
    tx.execute(
        "INSERT INTO party (id, kind, name, name_folded, region_code, demo, version) \
         VALUES (?1, ?2, ?3, ?3, '330324', 0, 1)",
        params![party, kind, name],
    )?;
    tx.execute(
        "INSERT INTO casework (id, number, item_id, item_hash, region_code, department_id, party_id, \
         party_kind, party_name, item_name, title, channel, period, state, process_state, form, \
         form_version, submitted_by, submitted_at, accepted_on, limit_working_days, suspended, \
         amount_fen, demo, version) VALUES (?1, ?2, ?3, ?4, '330324', ?5, ?6, ?7, ?8, '光伏', \
         '屋顶光伏 8 kW', 'online', '2026Q3', 'proposed', ?9, ?10, 1, ?11, 0, '2026-11-02', 20, 0, \
         ?12, 0, 1)",
        params![
            case, number, item, &package.hash, department, party, kind, name, state, form, Uuid::nil(), fen
        ],
    )?;
    tx.execute(
        "INSERT INTO task (id, case_id, activity, node, name, role, duty, state, created_at, version) \
         VALUES (?1, ?2, ?3, 'notice', '公示', 'batch', '', 'open', 0, 1)",
        params![task, case, activity],
    )?;
    let rows = vec![("party", party), ("casework", case), ("task", task)];
    tx.event(crate::store::Event { rows, ..event() });
    Ok(CaseId(case))
}

fn date(text: &str) -> Date {
    text.parse().unwrap()
}

#[test]
fn a_notice_is_numbered_masked_and_stops_the_clocks() {
    let city = City::new();
    let published = city.publish();
    assert_eq!(published.number, "永发改公示〔2026〕1号");
    let lines = city.read(|q| queries::lines(q, published.id).unwrap());
    let names: Vec<&str> = lines.iter().map(|line| line.name.as_str()).collect();
    assert_eq!(names, ["永嘉阳光新能源有限公司", "王*明", "欧阳*"]);
    assert_eq!(city.states(), ["committed"; 3]);
    assert_eq!(city.cases(), ["noticed"; 3]);
    assert_eq!(city.stood(0), (date("2026-11-23"), None));
    let listed = city.read(|q| queries::open_for_home(q, 5).unwrap());
    assert_eq!(
        (
            listed.len(),
            listed[0].entries,
            listed[0].parties,
            listed[0].total.0
        ),
        (1, 3, 3, 1_209_050)
    );
    assert_eq!(
        city.read(|q| queries::of_region(q, region("330300"), 5).unwrap().len()),
        1
    );
    assert_eq!(
        city.read(|q| queries::of_region(q, region("330382"), 5).unwrap().len()),
        0
    );
    assert!(
        city.read(|q| queries::of_batch(q, city.batch).unwrap())
            .is_some()
    );
}

#[test]
fn a_notice_is_refused() {
    let city = City::new();
    let refused = |actor: Actor, new: Publication, expected: &str| {
        assert_eq!(
            code(city.write(move |tx| publish(tx, &actor, &new))),
            expected
        );
        assert_eq!(city.states(), ["committed"; 3]);
    };
    let good = city.publication("2026-11-30");
    refused(
        city.reviewer(),
        city.publication("2026-11-27"),
        "notice-period",
    );
    refused(
        city.reviewer(),
        city.publication("2027-11-27"),
        "notice-period-long",
    );
    let handler = actor(2, Role::CaseHandler, city.department, "330324");
    refused(handler, good.clone(), "notice-role");
    refused(
        actor(3, Role::Reviewer, city.other, "330382"),
        good.clone(),
        "not-found",
    );
    let phone = Channel {
        phone: "88".into(),
        ..good.channel.clone()
    };
    refused(
        city.reviewer(),
        Publication {
            channel: phone,
            ..good.clone()
        },
        "phone-shape",
    );
    refused(
        city.reviewer(),
        Publication {
            basis: " ".into(),
            ..good.clone()
        },
        "required",
    );
    refused(
        city.reviewer(),
        Publication { version: 9, ..good },
        "changed-meanwhile",
    );
    assert_eq!(
        city.publish().number,
        "永发改公示〔2026〕1号",
        "refused ones leave no gap"
    );
}

#[test]
fn an_objection_holds_only_its_beneficiary_and_a_dismissed_one_goes_on_after_the_end() {
    let mut city = City::new();
    let notice = city.publish().id;
    city.days(2);
    let (objection, receipt) = city.object(notice, 1).unwrap();
    assert_eq!(receipt.len(), 12);
    assert_eq!(city.states(), ["committed", "held", "committed"]);
    city.take_up(objection);
    city.days(6);
    let ended = city.end(notice).unwrap();
    assert_eq!((ended.finalised, ended.held), (2, 1));
    assert_eq!(city.states(), ["payable", "held", "payable"]);
    assert_eq!(city.cases(), ["paying", "disputed", "paying"]);
    assert_eq!(city.stood(0).1, Some(date("2026-11-30")));
    assert_eq!(city.stood(1).1, None, "the clock of the held one stands on");
    city.days(2);
    city.answer(objection, Verdict::Dismissed).unwrap();
    assert_eq!(city.states(), ["payable", "payable", "payable"]);
    assert_eq!(city.stood(1).1, Some(date("2026-12-03")));
    let followed = city.read(|q| desk_queries::follow(q, &receipt).unwrap().unwrap());
    assert_eq!(followed.state, ObjectionState::Dismissed);
    assert_eq!(followed.answer, "经核实，容量与验收单一致");
    assert!(
        city.messages()
            .iter()
            .any(|title| title.starts_with("异议不成立"))
    );
    let of_case = city.read(|q| objections_of_case(q, city.cases[1]).unwrap());
    assert_eq!((of_case.len(), of_case[0].id), (1, objection));
}

#[test]
fn an_upheld_objection_takes_its_beneficiary_off_the_list() {
    let mut city = City::new();
    let notice = city.publish().id;
    let (objection, _) = city.object(notice, 2).unwrap();
    city.take_up(objection);
    city.days(1);
    city.answer(objection, Verdict::Upheld).unwrap();
    assert_eq!(city.states(), ["committed", "committed", "removed"]);
    assert_eq!(city.stood(2).1, Some(date("2026-11-24")));
    assert_eq!(code(city.object(notice, 2)), "entry-removed");
    city.days(7);
    assert_eq!(city.end(notice).unwrap().finalised, 2);
    assert_eq!(city.states(), ["payable", "payable", "removed"]);
    let states = city.read(|q| {
        let notice = queries::find(q, notice).unwrap();
        queries::lines_with_states(q, &notice)
            .unwrap()
            .into_iter()
            .map(|(_, state)| state)
            .collect::<Vec<_>>()
    });
    assert_eq!(
        states,
        [LineState::Clear, LineState::Clear, LineState::Removed]
    );
}

#[test]
fn two_objections_hold_until_both_are_closed() {
    let city = City::new();
    let notice = city.publish().id;
    let (first, one) = city.object(notice, 0).unwrap();
    let (second, other) = city.object(notice, 0).unwrap();
    assert_ne!(one, other);
    city.take_up(first);
    city.take_up(second);
    city.answer(first, Verdict::Dismissed).unwrap();
    assert_eq!(city.states(), ["held", "committed", "committed"]);
    city.answer(second, Verdict::Dismissed).unwrap();
    assert_eq!(city.states(), ["committed"; 3]);
}

#[test]
fn after_one_is_upheld_the_other_is_still_answered() {
    let city = City::new();
    let notice = city.publish().id;
    let (first, _) = city.object(notice, 0).unwrap();
    let (second, _) = city.object(notice, 0).unwrap();
    city.take_up(first);
    city.take_up(second);
    city.answer(first, Verdict::Upheld).unwrap();
    city.answer(second, Verdict::Dismissed).unwrap();
    assert_eq!(city.states(), ["removed", "committed", "committed"]);
}

#[test]
fn the_job_ends_the_notice_at_midnight_and_not_before() {
    let mut city = City::new();
    let notice = city.publish().id;
    city.days(7);
    let work = |city: &City| city.write(move |tx| work_end(tx, &json!({ "notice": notice })));
    assert_eq!(code(city.end(notice)), "notice-running");
    assert_eq!(code(work(&city)), "notice-running");
    let due = "SELECT due_at FROM job WHERE kind = 'notice.end' AND state = 'open'";
    let due: Timestamp = city.read(|q| q.row(due, params![], |r| r.get(0)).unwrap());
    city.now = due;
    work(&city).unwrap();
    assert_eq!(city.states(), ["payable"; 3]);
    work(&city).unwrap();
    assert_eq!(code(city.end(notice)), "notice-changed");
    assert_eq!(
        code(city.write(|tx| work_end(tx, &json!({})))),
        "notice-payload"
    );
}

#[test]
fn by_hand_the_job_is_cancelled() {
    let mut city = City::new();
    let notice = city.publish().id;
    city.days(8);
    city.end(notice).unwrap();
    let open = "SELECT COUNT(*) FROM job WHERE kind = 'notice.end' AND state = 'open'";
    assert_eq!(
        city.read(|q| q.row(open, params![], |r| r.get::<i64>(0)).unwrap()),
        0
    );
}

#[test]
fn a_closed_notice_refuses_and_says_where_to_turn() {
    let mut city = City::new();
    let notice = city.publish().id;
    city.days(7);
    city.object(notice, 0).unwrap();
    city.days(1);
    let Err(Error::Refused(refusal)) = city.object(notice, 0) else {
        panic!("taken")
    };
    assert_eq!(refusal.code, "notice-closed");
    assert!(refusal.message.contains("永发改局") && refusal.message.contains("0577-88000001"));
}

#[test]
fn an_organisation_must_attach_a_sealed_document() {
    let city = City::new();
    let notice = city.publish().id;
    let organisation = Objector::Organisation {
        name: "永嘉县光伏协会".into(),
        person: "韩梅".into(),
    };
    let bare = NewObjection {
        objector: organisation,
        ..objection(notice, city.line(notice, 0))
    };
    let without = bare.clone();
    assert_eq!(
        code(city.write(move |tx| object(tx, &without))),
        "sealed-document"
    );
    let upload = Upload {
        field: "document".into(),
        file_name: "盖章.pdf".into(),
        bytes: b"%PDF-1.7\n".as_slice().into(),
    };
    let kept =
        attachment::keep(&city.store, city.now, bare.id.0, "document", &upload, &[]).unwrap();
    let id = bare.id;
    let sealed = NewObjection {
        files: vec![kept],
        ..bare
    };
    city.write(move |tx| object(tx, &sealed)).unwrap();
    let files =
        city.read(|q| attachment::of_subject(q, attachment::Subject::Objection(id)).unwrap());
    assert_eq!((files.len(), files[0].owner), (1, id.0));
    let (reviewer, file) = (city.reviewer(), files[0].id);
    let opened = city
        .write(move |tx| open_file(tx, &reviewer, id, file))
        .unwrap();
    assert_eq!(
        attachment::read(&city.store, &opened).unwrap(),
        b"%PDF-1.7\n"
    );
}

#[test]
fn names_and_statements_are_sealed_and_shown_with_a_reason_only() {
    let city = City::new();
    let notice = city.publish().id;
    let (id, receipt) = city.object(notice, 0).unwrap();
    let sql = "SELECT objector_name_sealed, contact_sealed, statement_sealed FROM objection WHERE id = ?1";
    let columns: [Vec<u8>; 3] = city.read(|q| {
        q.row(sql, params![id], |r| Ok([r.get(0)?, r.get(1)?, r.get(2)?]))
            .unwrap()
    });
    for (sealed, secret) in columns.iter().zip(["李雷", "13812345678", "屋顶"]) {
        assert!(
            !sealed
                .windows(secret.len())
                .any(|part| part == secret.as_bytes())
        );
    }
    let logged = "SELECT detail FROM audit_event WHERE command LIKE 'objection%'";
    let details: Vec<String> = city.read(|q| q.rows(logged, params![], |r| r.get(0)).unwrap());
    assert!(!details.concat().contains(&receipt) && !details.concat().contains("李雷"));

    let reviewer = city.reviewer();
    let seen = city.read(|q| {
        let objection = desk_queries::find(q, &reviewer, id).unwrap();
        assert_eq!(
            desk_queries::statement(q, &objection)
                .unwrap()
                .unwrap()
                .chars()
                .count(),
            16
        );
        desk_queries::contact(q, &objection).unwrap().masked(false)
    });
    assert_eq!(
        (seen.name.as_str(), seen.phone.as_str()),
        ("李*", "138****5678")
    );
    let asked = reviewer.clone();
    assert_eq!(
        code(city.write(move |tx| unmask(tx, &asked, id, " "))),
        "required"
    );
    let contact = city
        .write(move |tx| unmask(tx, &reviewer, id, "电话核实"))
        .unwrap();
    assert_eq!(
        (contact.name.as_str(), contact.phone.as_str()),
        ("李雷", "13812345678")
    );
    let unmasked = "SELECT COUNT(*) FROM audit_event WHERE command = 'objection.unmask'";
    assert_eq!(
        city.read(|q| q.row(unmasked, params![], |r| r.get::<i64>(0)).unwrap()),
        1
    );
}

#[test]
fn who_may_handle() {
    let city = City::new();
    let notice = city.publish().id;
    let (id, _) = city.object(notice, 0).unwrap();
    let handled = |actor: Actor| code(city.write(move |tx| take_up(tx, &actor, id, 1, "")));
    assert_eq!(
        handled(actor(4, Role::Reviewer, city.other, "330382")),
        "not-found"
    );
    assert_eq!(
        handled(actor(5, Role::Reviewer, city.other, "330324")),
        "not-found"
    );
    assert_eq!(
        handled(actor(6, Role::Approver, city.department, "330324")),
        "objection-role"
    );
    let examiner = actor(7, Role::CaseHandler, city.department, "330324");
    let (case, duty) = (city.cases[0], examiner.clone());
    // An actor of a department is staff: the program itself has no duties.
    city.write(move |tx| {
        tx.event(event());
        record_duty(tx, case, &duty, Duty::Examine)
    })
    .unwrap();
    assert_eq!(handled(examiner), "incompatible-duties");
    assert_eq!(
        handled(actor(8, Role::CaseHandler, city.department, "330324")),
        "Ok(())"
    );
    assert_eq!(
        handled(actor(9, Role::CaseHandler, city.department, "330324")),
        "objection-changed"
    );
}

#[test]
fn an_answer_needs_verification_a_reason_and_the_page_shown() {
    let city = City::new();
    let notice = city.publish().id;
    let (id, _) = city.object(notice, 0).unwrap();
    let reviewer = city.reviewer();
    let tried = |version: i64, note: &'static str, reason: &'static str| {
        let actor = reviewer.clone();
        code(city.write(move |tx| answer(tx, &actor, id, version, Verdict::Upheld, note, reason)))
    };
    assert_eq!(tried(1, "已核实", "不符合条件"), "objection-not-taken-up");
    city.take_up(id);
    assert_eq!(tried(1, "已核实", "不符合条件"), "objection-changed");
    assert_eq!(tried(2, "", "不符合条件"), "required");
    assert_eq!(tried(2, "已核实", " "), "required");
    assert_eq!(city.states(), ["held", "committed", "committed"]);
    let noting = reviewer.clone();
    city.write(move |tx| save_note(tx, &noting, id, 2, "已电话核实"))
        .unwrap();
    assert_eq!(tried(2, "已核实", "不符合条件"), "objection-changed");
    assert!(tried(3, "已核实", "不符合条件").starts_with("Ok"));
    assert_eq!(tried(4, "已核实", "不符合条件"), "objection-changed");
}

#[test]
fn a_notice_leaves_search_engines_after_its_retention() {
    let city = City::new();
    let id = city.publish().id;
    let notice = city.read(|q| queries::find(q, id).unwrap());
    assert_eq!(notice.days_left(date("2026-11-23")), Some(7));
    assert_eq!(notice.days_left(date("2026-11-30")), Some(0));
    assert_eq!(notice.days_left(date("2026-12-01")), None);
    assert!(!notice.is_hidden_from_search(date("2028-11-30")));
    assert!(notice.is_hidden_from_search(date("2028-12-01")));
}
