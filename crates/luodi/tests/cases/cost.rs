//! What a completion costs: the statements of the whole command, audit event, deadline and the
//! answer under its key included. Each costs the one thread that writes a few microseconds, so that
//! one more is a decision.

use luodi::access::{Actor, ActorKind, Role};
use luodi::account;
use luodi::casework::{self, Completion, Decision};
use luodi::form::Values;
use luodi::ids::CaseId;
use luodi::refusal::Error;
use luodi::store::{Command, IdempotencyKey};

use super::race::waiting;
use crate::support::{TestCity, morning};

const COUNTY: &str = "330382";

/// Whoever holds the role in the county, the second of them where there are several.
async fn officer(city: &TestCity, role: Role, number: usize) -> Actor {
    let read = city.app.store.read(move |q| {
        let q = &**q;
        let accounts = account::demo_accounts(q)?;
        let mut holders = accounts
            .into_iter()
            .filter(|one| one.region.to_string() == COUNTY && one.roles.has(role));
        let of = holders.nth(number).unwrap();
        let departments = account::departments(q, of.region)?;
        let department = departments.iter().find(|one| one.name == of.department);
        Ok::<_, Error>(Actor {
            kind: ActorKind::Account(of.id),
            login: of.login.clone(),
            name: of.name.clone(),
            roles: of.roles,
            department: department.map(|one| one.id),
            department_name: of.department.clone(),
            region: of.region,
            party: None,
        })
    });
    read.await.unwrap()
}

/// Statements of one completion of a task at this node, decided in its turn, and before it.
async fn statements(node: &str, role: Role, outcome: &str) -> [u64; 2] {
    let mut found = [0, 0];
    for (ahead, found) in [false, true].into_iter().zip(&mut found) {
        let city = TestCity::open();
        let (case, _) = waiting(&city, node, COUNTY).await;
        let (actor, completion) = completion(&city, &case, (node, role, outcome)).await;
        let store = &city.app.store;
        let key = format!("cost-{ahead}");
        let command = Command::new("case.complete_task", morning()).once(IdempotencyKey {
            key,
            scope: "test".to_owned(),
            digest: [0; 32],
        });
        let decision = match ahead {
            true => decided(&city, &actor, &completion).await,
            false => None,
        };
        assert_eq!(decision.is_some(), ahead);
        let before = store.stats().statements;
        let done = store.write_once(command, move |tx| {
            casework::complete_decided(tx, &actor, &completion, decision.as_ref())
        });
        done.await.unwrap();
        *found = store.stats().statements - before;
    }
    found
}

async fn decided(city: &TestCity, actor: &Actor, completion: &Completion) -> Option<Decision> {
    let (actor, completion) = (actor.clone(), completion.clone());
    let store = &city.app.store;
    let decided = store.read(move |q| casework::decide_ahead(&**q, morning(), &actor, &completion));
    decided.await.unwrap()
}

/// What an officer says who completes the open task of a case well.
async fn completion(
    city: &TestCity,
    case: &str,
    (node, role, outcome): (&str, Role, &str),
) -> (Actor, Completion) {
    let case: CaseId = case_id(case);
    let store = &city.app.store;
    let open = store.read(move |q| casework::open_task(&**q, case));
    let open = open.await.unwrap();
    let mut values = Values::new();
    if node == "inspect" {
        values.set("inspected_on", "2026-11-23");
        values.set("measured_kw", "1");
        values.set("findings", "一致");
    }
    let second = officer(city, Role::CaseHandler, 1).await.account_id();
    let completion = Completion {
        case,
        task: open.id,
        version: open.version,
        outcome: outcome.to_owned(),
        reason: "齐全".to_owned(),
        correction: String::new(),
        values,
        second_officer: (node == "inspect").then_some(second),
    };
    (officer(city, role, 0).await, completion)
}

/// An id as SQLite writes it: 32 hexadecimal digits.
fn case_id(hex: &str) -> CaseId {
    CaseId(uuid::Uuid::parse_str(hex).unwrap())
}

#[tokio::test]
async fn a_completion_costs_no_more_statements_than_decided() {
    let asked = [
        ("accept", Role::WindowClerk, "accept"),
        ("examine", Role::CaseHandler, "pass"),
        ("inspect", Role::CaseHandler, "pass"),
        ("decide", Role::Approver, "approve"),
    ];
    // One more where the applicant has proved how he wants to be told.
    let decided = [[16, 9], [12, 7], [17, 11], [15, 9]];
    // A server looks first whether the key is taken.
    let looks = u64::from(std::env::var_os("LUODI_TEST_POSTGRES").is_some());
    for ((node, role, outcome), most) in asked.into_iter().zip(decided) {
        let found = statements(node, role, outcome).await;
        for (found, most) in found.into_iter().zip(most) {
            let most = most + looks;
            assert!(found <= most, "{node}: {found} statements");
            assert!(
                found + 1 >= most,
                "{node}: {found} statements, hold it there"
            );
        }
    }
}

#[tokio::test]
async fn a_decision_made_before_its_turn_gives_way_to_what_happened_since() {
    let city = TestCity::open();
    let (case, _) = waiting(&city, "accept", COUNTY).await;
    let (clerk, completion) =
        completion(&city, &case, ("accept", Role::WindowClerk, "accept")).await;
    let id = completion.case;
    let decision = decided(&city, &clerk, &completion).await;
    let store = &city.app.store;
    // Without a new version of the case, yet what a decision reads of it.
    let actor = clerk.clone();
    let stopped = store.write(Command::new("test", morning()), move |tx| {
        let cause = vocab::Cause::Notice;
        casework::suspend(tx, &actor, id, cause, tx.today(), "试")
    });
    stopped.await.unwrap();
    let (actor, again) = (clerk.clone(), completion.clone());
    let done = store.write(Command::new("case.complete_task", morning()), move |tx| {
        casework::complete_decided(tx, &actor, &completion, decision.as_ref())
    });
    done.await.unwrap();
    let found = store.read(move |q| casework::find_case(&**q, &Actor::system(clerk.region), id));
    let found = found.await.unwrap();
    assert!(found.suspended && found.accepted_on.is_some());
    // And who comes too late with a decision learns who was faster.
    let decision = decided(&city, &officer(&city, Role::WindowClerk, 0).await, &again).await;
    assert!(decision.is_none());
}
