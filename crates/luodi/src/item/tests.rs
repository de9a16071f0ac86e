//! Publishing, offering and reading items through the store; the public pages; and what the
//! embedded package says of one case.

use ::policy::feel::{Context, Value};
use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use http_body_util::BodyExt;
use jiff::Timestamp;
use jiff::civil::{Date, date};
use tower::ServiceExt;
use vocab::{Fen, RegionCode};

use super::*;
use crate::access::{Actor, ActorKind, Role};
use crate::account::{NewDepartment, Sessions, create_department};
use crate::form::Values;
use crate::ids::{AccountId, DepartmentId, ItemId};
use crate::refusal::{Error, Result};
use crate::store::testing::TemporaryStore;
use crate::store::{Command, Store, Tx};
use crate::web::{App, Attempts, Clock, Lang, Site, is_chinese, mount};

const TODAY: Date = date(2026, 11, 23);

fn now() -> Timestamp {
    "2026-11-23T01:00:00Z".parse().unwrap()
}

fn region(code: &str) -> RegionCode {
    RegionCode::parse(code).unwrap()
}

fn console() -> Actor {
    Actor::console("test", region("330300"))
}

fn pv() -> Prepared {
    let (_, files) = seeds()
        .into_iter()
        .find(|(name, _)| name == "pv-subsidy")
        .unwrap();
    let (prepared, findings) = prepare(&files);
    prepared.unwrap_or_else(|| panic!("{findings:#?}"))
}

/// The embedded package speaks English on every line of its guide, and says nothing in vain.
#[test]
fn the_embedded_package_is_told_in_english() {
    let package = pv().package;
    let lang = Lang::EN;
    let item = package.item.told(lang);
    let mut told = vec![
        item.name,
        item.summary,
        item.kind,
        item.authority,
        item.fees,
    ];
    told.extend(item.audience.into_iter().chain(item.conditions));
    let materials = item.materials.into_iter();
    told.extend(materials.flat_map(|it| [it.name, it.source, it.note]));
    let procedures = item.procedures.into_iter();
    told.extend(procedures.flat_map(|it| [it.name, it.note]));
    let stages = package.stages();
    told.extend(stages.iter().map(|stage| package.item.tell(stage, lang)));
    let drawing = diagram::drawing(&package.process, |text| package.item.tell(text, lang));
    told.push(format!("{drawing:?}"));
    for text in told {
        assert!(!is_chinese(&text), "{text}");
    }

    let city = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../city");
    let read = |file: &str| std::fs::read_to_string(city.join(file)).unwrap();
    let own = read("items/pv-subsidy/item.toml");
    let texts = [
        own.split_once("[en]").unwrap().0.to_owned(),
        read("items/pv-subsidy/process.bpmn"),
        read("items/pv-subsidy/documents/guide.txt"),
        read("policies/pv-subsidy/policy.toml"),
    ];
    for text in package.item.english.keys() {
        assert!(texts.iter().any(|it| it.contains(text)), "{text}");
    }
}

struct City {
    store: TemporaryStore,
    department: DepartmentId,
}

impl City {
    fn new() -> Self {
        let store = Store::open_temporary(now()).unwrap();
        let new = NewDepartment {
            code: "YJFG".into(),
            name: "永嘉县发改局".into(),
            region: region("330324"),
            paper_word: "永发改".into(),
        };
        let command = Command::new("test", now());
        let department =
            store.write_blocking(command, move |tx| create_department(tx, &console(), &new));
        Self {
            department: department.unwrap(),
            store,
        }
    }

    fn write<T: Send + 'static>(
        &self,
        f: impl Fn(&Tx<'_>) -> Result<T> + Send + Sync + 'static,
    ) -> Result<T> {
        self.store.write_blocking(Command::new("test", now()), f)
    }

    fn publish(&self, prepared: Prepared) -> Published {
        self.write(move |tx| publish(tx, &console(), &prepared))
            .unwrap()
    }

    fn offer(&self, opens: Option<Date>, closes: Option<Date>) -> Result<ItemId> {
        let department = self.department;
        self.write(move |tx| {
            offer(
                tx,
                &console(),
                "pv-subsidy",
                region("330324"),
                department,
                opens,
                closes,
            )
        })
    }

    fn open(&self, id: ItemId, today: Date) -> Result<OpenItem> {
        self.store
            .read_blocking(move |q| open_item(&**q, id, today))
    }

    fn app(&self) -> Router {
        let site = Site {
            city: "温州市".into(),
            region: region("330300"),
            demo: true,
            secure: false,
            data: self.store.dir().to_owned(),
            gateway: Vec::new(),
            password_days: 0,
        };
        let app = App {
            store: Store::clone(&self.store),
            clock: Clock::fixed(now()),
            site: std::sync::Arc::new(site),
            sessions: std::sync::Arc::new(Sessions),
            attempts: std::sync::Arc::new(Attempts::default()),
            provider: None,
        };
        mount(&app, crate::router::routes())
    }

    fn get(&self, path: &str) -> (StatusCode, String) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(async {
            let answer = self.app().oneshot(request).await.unwrap();
            let status = answer.status();
            let body = answer.into_body().collect().await.unwrap().to_bytes();
            (status, String::from_utf8_lossy(&body).into_owned())
        })
    }
}

fn code<T: std::fmt::Debug>(result: Result<T>) -> &'static str {
    match result {
        Err(Error::Refused(refusal)) => refusal.code,
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn the_same_version_again_changes_nothing() {
    let city = City::new();
    let first = city.publish(pv());
    assert!(first.new);
    assert_eq!(
        city.publish(pv()),
        Published {
            new: false,
            ..first.clone()
        }
    );
    let found = city
        .store
        .read_blocking(|q| versions(&**q, "pv-subsidy"))
        .unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(
        (found[0].0.as_str(), found[0].2.as_str()),
        (first.hash.as_str(), "console:test")
    );
}

#[test]
fn a_stored_version_reads_back_as_itself() {
    let city = City::new();
    let hash = city.publish(pv()).hash;
    let (own, policy) = city
        .store
        .read_blocking(|q| export(&**q, "pv-subsidy"))
        .unwrap()
        .split();
    assert_eq!(own.hash(Some(&policy.unwrap().hash(None))), hash);
    let loaded = city
        .store
        .read_blocking(move |q| load(&**q, &hash))
        .unwrap();
    assert_eq!(loaded.item.code, "pv-subsidy");
    assert!(loaded.policy.is_some());
}

#[test]
fn an_item_is_open_between_its_days() {
    let city = City::new();
    assert_eq!(code(city.offer(None, None)), "not-found");
    city.publish(pv());
    let backwards = city.offer(Some(date(2026, 12, 2)), Some(date(2026, 12, 1)));
    assert_eq!(code(backwards), "invalid-fields");
    let id = city
        .offer(Some(date(2026, 11, 1)), Some(date(2026, 11, 30)))
        .unwrap();
    assert_eq!(code(city.open(id, date(2026, 10, 31))), "item-closed");
    assert_eq!(
        city.open(id, date(2026, 11, 1)).unwrap().department,
        city.department
    );
    assert!(city.open(id, date(2026, 11, 30)).is_ok());
    assert_eq!(code(city.open(id, date(2026, 12, 1))), "item-closed");
    assert_eq!(city.offer(None, None).unwrap(), id, "one offer a region");
    assert!(city.open(id, date(2030, 1, 1)).is_ok());
    let version = city.open(id, TODAY).unwrap().version;
    assert_eq!(
        code(city.write(move |tx| close(tx, &console(), id, version - 1))),
        "item-changed"
    );
    city.write(move |tx| close(tx, &console(), id, version))
        .unwrap();
    assert_eq!(code(city.open(id, TODAY)), "item-closed");
    let nobody = ItemId(uuid::Uuid::from_u128(1));
    assert_eq!(code(city.open(nobody, TODAY)), "not-found");
}

#[test]
fn offers_go_over_to_a_new_version() {
    let city = City::new();
    let old = city.publish(pv()).hash;
    let id = city.offer(None, None).unwrap();
    let (_, files) = seeds()
        .into_iter()
        .find(|(name, _)| name == "pv-subsidy")
        .unwrap();
    let mut changed = files.clone();
    let text = files
        .text("item.toml")
        .unwrap()
        .replace("\"承诺时限\" = 20", "\"承诺时限\" = 15");
    changed.insert("item.toml", text);
    let new = city.publish(prepare(&changed).0.unwrap()).hash;
    assert_ne!(old, new);
    assert_eq!(
        city.open(id, TODAY).unwrap().hash,
        old,
        "publishing alone offers nothing"
    );
    let wanted = new.clone();
    let adopted = city
        .write(move |tx| adopt(tx, &console(), "pv-subsidy", &wanted))
        .unwrap();
    assert_eq!(adopted, 1);
    assert_eq!(city.open(id, TODAY).unwrap().hash, new);
    let kept = city.store.read_blocking(move |q| load(&**q, &old)).unwrap();
    assert_eq!(
        kept.item.promised_working_days, 20,
        "cases of the old version keep it"
    );
}

#[test]
fn only_the_console_and_the_system_administrator_publish() {
    let city = City::new();
    let account = |role: Role| Actor {
        kind: ActorKind::Account(AccountId(uuid::Uuid::from_u128(9))),
        roles: [role].into_iter().collect(),
        ..Actor::system(region("330300"))
    };
    let try_as = |role: Role| {
        let (actor, prepared) = (account(role), pv());
        city.write(move |tx| publish(tx, &actor, &prepared))
    };
    assert_eq!(code(try_as(Role::Approver)), "item-publish");
    assert!(try_as(Role::SystemAdmin).unwrap().new);
}

#[test]
fn the_public_finds_an_item_and_its_guide() {
    let city = City::new();
    let (status, empty) = city.get("/items");
    assert!(status.is_success() && empty.contains("还没有开放申报的事项"));
    city.publish(pv());
    let id = city.offer(None, Some(date(2026, 11, 25))).unwrap();
    let (_, list) = city.get("/items");
    assert!(
        list.contains("分布式光伏发电补贴") && list.contains("还有 2 天"),
        "{list}"
    );
    for (query, found) in [
        ("q=光伏", true),
        ("q=技改", false),
        ("region=330324", true),
        ("region=330302", false),
        ("open=1", true),
        ("q=%E8%87%AA%E7%84%B6%E4%BA%BA&sort=due", true),
        ("page=9", false),
    ] {
        let query: String = form_urlencoded::parse(query.as_bytes())
            .map(|(name, value)| format!("{name}={}", crate::web::percent(&value)))
            .collect::<Vec<_>>()
            .join("&");
        let (status, page) = city.get(&format!("/items?{query}"));
        assert_eq!(
            (
                status,
                page.contains("/items/{id}".replace("{id}", &id.to_string()).as_str())
            ),
            (StatusCode::OK, found),
            "{query}"
        );
    }
    let (status, guide) = city.get(&format!("/items/{id}"));
    assert_eq!(status, StatusCode::OK);
    for part in [
        "备案通知书",
        "永嘉县发改局",
        "示范值",
        r#"<data class="num" value="0.30">"#,
        "2016 年文件第三条第二款",
        "<svg",
        ">受理</li><li lang=\"zh-CN\">初审</li><li lang=\"zh-CN\">现场核查</li>",
        &format!("/items/{id}/apply"),
    ] {
        assert!(guide.contains(part), "{part} is missing in {guide}");
    }
    assert!(!guide.contains("style=") && !guide.contains("<script>"));
    let (_, english) = city.get(&format!("/items/{id}?lang=en"));
    assert!(english.contains("Papers") && english.contains("2 days left"));
    assert_eq!(city.get("/items/nonsense").0, StatusCode::NOT_FOUND);
    assert_eq!(city.get("/items.xlsx?q=x").0, StatusCode::OK);
}

fn values() -> Values {
    let pairs = [
        ("applicant_kind", "person"),
        ("contact_name", "王小明"),
        ("contact_phone", "13812345678"),
        ("project_name", "屋顶光伏"),
        ("filing_number", "2408-330324-04-01-123456"),
        ("filed_kw", "5.20"),
        ("grid_connected_on", "2016-06-30"),
        ("site_address", "永嘉县上塘镇一号"),
        ("quarter", "2026Q3"),
        ("meter_no", "33001234567"),
        ("generated_kwh", "1250.5"),
        ("declaration", "true"),
    ];
    let posted: Vec<(String, String)> = pairs
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect();
    let slots = [
        "filing_notice",
        "grid_acceptance",
        "meter_reading",
        "identity_card",
    ];
    pv().package.form.read(&posted, &slots, TODAY).unwrap()
}

#[test]
fn a_package_says_what_a_case_is() {
    let package = pv().package;
    let values = values();
    assert_eq!(package.title(&values), "屋顶光伏 5.20 kW");
    assert_eq!(package.period(&values), "2026Q3");
    assert_eq!(
        package.claim_key(&values).unwrap(),
        "meter_no=33001234567|quarter=2026Q3"
    );
    assert_eq!(
        package.stages(),
        ["受理", "初审", "现场核查", "审批", "公示", "兑付"]
    );
    let slots: Vec<String> = package
        .required_slots(&values)
        .into_iter()
        .map(|(key, _)| key)
        .collect();
    assert_eq!(
        slots,
        [
            "filing_notice",
            "grid_acceptance",
            "meter_reading",
            "identity_card"
        ]
    );
    let indexed = package.indexed(&values);
    assert!(indexed.contains(&("filed_kw", Some("5.2".into()), Some(5.2))));
    assert!(indexed.contains(&("meter_no", Some("33001234567".into()), None)));
    let summary: Vec<String> = package
        .notice_summary(&values)
        .iter()
        .map(|row| row.text.clone())
        .collect();
    assert_eq!(summary, ["5.20", "2016-06-30", "1,250.50"]);
}

#[test]
fn the_amount_is_explained() {
    let package = pv().package;
    let policy = package.policy.as_ref().unwrap();
    let assessed = policy
        .assess(&package.form.feel_context(&values()))
        .unwrap();
    assert_eq!(assessed.amount, Fen(37_515));
    let text = assessed.explanation.to_string();
    for part in [
        "375.15",
        "2013 年文件第四条：自然人项目",
        "half-up 0.01",
        "\"demo\":true",
    ] {
        assert!(text.contains(part), "{part} is missing in {text}");
    }
    let empty = package.form.feel_context(&Values::new());
    assert_eq!(code(policy.assess(&empty)), "policy-no-amount");
}

#[test]
fn checks_point_out_and_never_refuse() {
    let package = pv().package;
    let check = |changes: &[(&str, &str)], mean: Option<i64>, expected: &[&str]| {
        let mut values = values();
        for (key, value) in changes {
            values.set(*key, *value);
        }
        let mut context = package.form.feel_context(&values);
        if let Some(mean) = mean {
            context.insert("district_mean", Value::from(mean));
        }
        let said: Vec<String> = package
            .remarks(&context)
            .into_iter()
            .map(|remark| remark.sentence)
            .collect();
        assert_eq!(said.len(), expected.len(), "{said:?}");
        for (sentence, part) in said.iter().zip(expected) {
            assert!(sentence.contains(part), "{sentence} lacks {part}");
        }
    };
    check(&[], None, &[]);
    check(&[], Some(240), &[]);
    check(&[], Some(180), &["高于同区县同期均值 34%"]);
    check(&[], Some(500), &["低于同区县同期均值 52%"]);
    check(
        &[("grid_connected_on", "2026-07-02")],
        None,
        &["只算并网以后"],
    );
    let mut context = Context::new();
    context.insert("measured_kw", Value::from(3));
    context.insert("filed_kw", Value::from(5));
    let remarks = package.remarks(&context);
    assert_eq!(
        remarks.first().map(|remark| remark.check.as_str()),
        Some("measured-against-filed")
    );
}

#[test]
fn a_folder_goes_in_and_out_unchanged() {
    let city = City::new();
    let folder = tempfile::tempdir().unwrap();
    let seed = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../city/items/pv-subsidy");
    let report = publish_folder(&city.store, now(), &console(), &seed).unwrap();
    assert!(report.ok && report.published, "{report:?}");
    let out = folder.path().join("out");
    export_folder(&city.store, "pv-subsidy", &out).unwrap();
    let again = check_folder(&out);
    assert_eq!(
        (again.ok, again.hash.as_str()),
        (true, report.hash.as_str())
    );
    assert_eq!(
        code(export_folder(&city.store, "pv-subsidy", &out)),
        "folder-occupied"
    );
    assert_eq!(
        code(export_folder(
            &city.store,
            "nothing",
            &folder.path().join("x")
        )),
        "not-found"
    );
    let missing = check_folder(&folder.path().join("missing"));
    assert!(
        !missing.ok && missing.to_string().contains("无法读取"),
        "{missing}"
    );
    assert!(again.to_string().contains("pv-subsidy 没有问题"));
}

/// Walks the embedded process: each step completes the waiting task with an outcome, or fires its
/// timer where the outcome is `expired`. `expected` is what waits at last, or the ends reached.
fn check_walk(measured_kw: &str, steps: &[(&str, &str)], expected: &str) {
    struct Feel(Context);
    impl process::Conditions for Feel {
        fn holds(
            &mut self,
            flow: &process::Flow,
        ) -> std::result::Result<bool, process::ConditionError> {
            let text = flow.condition.as_deref().unwrap_or("true");
            let names = self.0.iter().map(|(name, _)| name);
            let scope = names.fold(::policy::feel::Scope::new(), |scope, name| scope.with(name));
            let read = ::policy::parse_expression(text, &scope).expect("a checked condition");
            Ok(read.evaluate(&self.0).value == Value::from(true))
        }
    }
    let package = pv().package;
    let definition = &package.process;
    let node = |index| definition.at(index).unwrap().id.as_str();
    let mut data = package.form.feel_context(&values());
    data.insert(
        "measured_kw",
        ::policy::feel::Number::parse(measured_kw).unwrap(),
    );
    let mut state = process::State::new();
    let mut ends: Vec<String> = Vec::new();
    let mut inputs = vec![process::Input::Start];
    let mut steps = steps.iter();
    while let Some(input) = inputs.pop() {
        let step = process::step(definition, &state, input, &mut Feel(data.clone())).unwrap();
        state = step.state;
        for effect in step.effects {
            match effect {
                process::Effect::CallService { activity, .. } => {
                    inputs.push(process::Input::ServiceDone { activity });
                }
                process::Effect::Ended { node: end, .. } => ends.push(node(end).to_owned()),
                _ => {}
            }
        }
        if inputs.is_empty()
            && let Some((task, outcome)) = steps.next()
        {
            let timer = if *outcome == "expired" {
                format!("{task}_expired")
            } else {
                (*task).to_owned()
            };
            let waits = state
                .waiting()
                .iter()
                .find(|waiting| node(waiting.node) == timer);
            let activity = waits.unwrap_or_else(|| panic!("{task} does not wait")).id;
            data.insert("outcome", *outcome);
            inputs.push(if *outcome == "expired" {
                process::Input::TimerFired { activity }
            } else {
                process::Input::Complete { activity }
            });
        }
    }
    let waiting = state
        .waiting()
        .iter()
        .map(|waiting| node(waiting.node))
        .filter(|id| !id.ends_with("_expired"));
    let left: Vec<&str> = waiting.chain(ends.iter().map(String::as_str)).collect();
    assert_eq!(left.join(" "), expected, "{steps:?}");
}

/// The steps before a decision, and before the list.
const EXAMINED: &[(&str, &str)] = &[("accept", "accept"), ("examine", "pass")];
const APPROVED: &[(&str, &str)] = &[
    ("accept", "accept"),
    ("examine", "pass"),
    ("inspect", "pass"),
    ("decide", "approve"),
];

#[test]
fn a_case_walks_to_an_end_before_it_is_examined() {
    let accept = ("accept", "accept");
    check_walk("5.2", &[], "accept");
    check_walk("5.2", &[("accept", "refuse")], "refused");
    let asked = ("accept", "correct");
    check_walk("5.2", &[asked, ("supplement", "submit")], "accept");
    check_walk(
        "5.2",
        &[asked, ("supplement", "expired")],
        "closed_before_acceptance",
    );
    let asked = ("examine", "correct");
    check_walk("5.2", &[accept, asked, ("correct", "submit")], "examine");
    check_walk(
        "5.2",
        &[accept, asked, ("correct", "expired")],
        "closed_examining",
    );
    check_walk("5.2", &[accept, ("examine", "reject")], "rejected");
}

#[test]
fn a_case_walks_from_inspection_to_a_decision() {
    let check = |kw: &str, more: &[(&str, &str)], expected: &str| {
        check_walk(kw, &[EXAMINED, more].concat(), expected);
    };
    let passed = ("inspect", "pass");
    check("5.2", &[], "inspect");
    check("5.46", &[passed], "decide");
    check("5.47", &[passed], "correct_filing");
    check("5.47", &[passed, ("correct_filing", "submit")], "examine");
    let asked = ("inspect", "correct");
    check(
        "5.2",
        &[asked, ("correct_filing", "expired")],
        "closed_inspecting",
    );
    check("5.2", &[("inspect", "reject")], "rejected_on_site");
    check("5.2", &[passed, ("decide", "return")], "examine");
    check(
        "5.2",
        &[passed, ("decide", "reject")],
        "rejected_by_decision",
    );
}

#[test]
fn an_approved_case_walks_to_money_or_off_the_list() {
    let check = |more: &[(&str, &str)], expected: &str| {
        check_walk("5.2", &[APPROVED, more].concat(), expected);
    };
    check(&[], "notice");
    check(&[("notice", "removed")], "removed");
    check(&[("notice", "final")], "pay");
    check(&[("notice", "final"), ("pay", "paid")], "paid");
}
