//! What a completion costs: the statements of the whole command, audit event, deadline and the
//! answer under its key included. Each costs the one thread that writes a few microseconds, so that
//! one more is a decision.

use luodi::access::{Actor, ActorKind, Role};
use luodi::account;
use luodi::casework::{self, Completion};
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

/// Statements of one completion of a task at this node.
async fn statements(node: &str, role: Role, outcome: &str) -> u64 {
    let city = TestCity::open();
    let (case, _) = waiting(&city, node, COUNTY).await;
    let case: CaseId = case_id(&case);
    let store = &city.app.store;
    let open = store.read(move |q| casework::open_task(&**q, case));
    let open = open.await.unwrap();
    let mut values = Values::new();
    if node == "inspect" {
        values.set("inspected_on", "2026-11-23");
        values.set("measured_kw", "1");
        values.set("findings", "一致");
    }
    let second = officer(&city, Role::CaseHandler, 1).await.account_id();
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
    let actor = officer(&city, role, 0).await;
    let command = Command::new("case.complete_task", morning()).once(IdempotencyKey {
        key: "cost".to_owned(),
        scope: "test".to_owned(),
        digest: [0; 32],
    });
    let before = store.stats().statements;
    let done = store.write_once(command, move |tx| {
        casework::complete_task(tx, &actor, &completion)
    });
    done.await.unwrap();
    store.stats().statements - before
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
    let decided = [17, 13, 20, 16];
    for ((node, role, outcome), most) in asked.into_iter().zip(decided) {
        let found = statements(node, role, outcome).await;
        assert!(found <= most, "{node}: {found} statements");
        assert!(
            found + 1 >= most,
            "{node}: {found} statements, hold it there"
        );
    }
}
