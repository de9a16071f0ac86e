//! A larger procedure played from beginning to end, and a stored history of it that must replay
//! to the same bytes for ever: cases in a city are stored in this form.

use serde::{Deserialize, Serialize};

use crate::notation::{Holding, check_definition};
use crate::{Definition, Effect, Input, State, enabled, parse, step};

const MODEL: &str = include_str!("../testdata/green-roof.bpmn");
const HISTORY: &str = include_str!("../testdata/green-roof.history.json");

fn green_roof() -> Definition {
    let parsed = parse(MODEL);
    assert_eq!(parsed.findings, []);
    parsed.definition.unwrap()
}

#[test]
fn a_case_is_corrected_inspected_objected_to_and_paid() {
    check_definition(
        &green_roof(),
        "start => +accept#1 | accept#1
         accept [材料齐全 = false] => +correct#2 ~lapse#3@2 | correct#2 lapse#3
         correct => /lapse#3 +accept#4 | accept#4
         accept => +inspect#5 ~nudge#6@5 +review#7 | inspect#5 nudge#6 review#7
         nudge => !remind#8 | inspect#5 review#7 remind#8
         review => | inspect#5 remind#8 <f10>
         remind => .reminded | inspect#5 <f10>
         inspect => !amount#9 | amount#9
         amount => +decide#10 | decide#10
         decide [决定 = \"同意\"] => !publish#11 | publish#11
         publish => ~period#12 | period#12
         period [有异议 = true] => +verify#13 | verify#13
         verify => ~period#14 | period#14
         period => !pay#15 | pay#15
         pay => .paid over | ended",
    );
}

#[test]
fn a_case_lapses_is_refused_or_struck_off() {
    let definition = green_roof();
    check_definition(
        &definition,
        "start => +accept#1 | accept#1
         accept [材料齐全 = false] => +correct#2 ~lapse#3@2 | correct#2 lapse#3
         lapse => -correct#2 .lapsed over | ended",
    );
    let to_decision = "start => +accept#1 | accept#1
         accept => +inspect#2 ~nudge#3@2 +review#4 | inspect#2 nudge#3 review#4
         inspect => /nudge#3 | review#4 <f7>
         review => !amount#5 | amount#5
         amount => +decide#6 | decide#6";
    check_definition(
        &definition,
        &format!(
            "{to_decision}
             decide => +refuse#7 | refuse#7
             refuse => .refused over | ended"
        ),
    );
    check_definition(
        &definition,
        &format!(
            "{to_decision}
             decide [决定 = \"同意\"] => !publish#7 | publish#7
             publish => ~period#8 | period#8
             period [有异议 = true] => +verify#9 | verify#9
             verify [异议成立 = true] => .struck over! | ended"
        ),
    );
}

#[test]
fn the_outline_names_the_stages_in_flow_order() {
    let definition = green_roof();
    let stages = definition.outline().into_iter().map(|stage| {
        let nodes = stage
            .nodes
            .iter()
            .map(|node| definition.at(*node).unwrap().id.as_str());
        format!("{}: {}", stage.name, nodes.collect::<Vec<_>>().join(" "))
    });
    assert_eq!(
        stages.collect::<Vec<_>>(),
        [
            "受理: accept correct",
            "核查: inspect review",
            "审核: amount decide",
            "公示: publish verify",
            "兑付: pay",
            "办结: refuse",
        ]
    );
}

#[test]
fn every_node_is_drawn_where_the_modeller_put_it() {
    let definition = green_roof();
    let diagram = definition.diagram();
    assert_eq!((diagram.shapes.len(), diagram.edges.len()), (26, 26));
    for node in definition.nodes() {
        let shape = diagram.shape(&node.id).unwrap();
        let (right, lower) = (
            shape.bounds.x + shape.bounds.w,
            shape.bounds.y + shape.bounds.h,
        );
        assert!(
            shape.bounds.x >= 10.0 && right <= diagram.width - 10.0,
            "{shape:?}"
        );
        assert!(
            shape.bounds.y >= 10.0 && lower <= diagram.height - 10.0,
            "{shape:?}"
        );
        assert_eq!(shape.name, node.name);
    }
}

/// One stored step: what came in, which conditions held, and what was stored.
#[derive(Serialize, Deserialize)]
struct Entry {
    input: Input,
    held: Vec<String>,
    state: serde_json::Value,
    effects: Vec<Effect>,
}

#[test]
fn a_stored_history_replays_to_the_same_bytes() {
    let definition = green_roof();
    let stored: Vec<Entry> = serde_json::from_str(HISTORY).unwrap();
    let mut state = State::new();
    let mut replayed = String::from("[\n");
    for entry in &stored {
        let before = enabled(&definition, &state);
        assert!(!before.is_empty());
        let held = entry.held.iter().map(String::as_str).collect();
        let taken = step(&definition, &state, entry.input, &mut Holding(held)).unwrap();
        state = taken.state;
        let comma = if replayed.len() > 2 { ",\n" } else { "" };
        replayed += &format!(
            r#"{comma}{{"input":{},"held":{},"state":{},"effects":{}}}"#,
            serde_json::to_string(&entry.input).unwrap(),
            serde_json::to_string(&entry.held).unwrap(),
            serde_json::to_string(&state).unwrap(),
            serde_json::to_string(&taken.effects).unwrap(),
        );
        // What is stored can be taken up again by a later run.
        let stored_state: State = serde_json::from_value(entry.state.clone()).unwrap();
        assert_eq!(stored_state, state);
    }
    assert_eq!(replayed + "\n]\n", HISTORY);
    assert!(state.is_over());
}
