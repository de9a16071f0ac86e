//! What a batch costs the writer: statements for each entry, and the time it is held.

use std::time::Instant;

use super::money::Story;
use super::*;

/// A budget that any of these batches fits in, and `count` cases that wait, with their accounts.
fn story(count: usize) -> Story {
    let story = Story::new();
    for number in 0..count {
        let name = format!("第{number}公司");
        story.case(&name, Fen(10));
        story.account(&name);
    }
    story
}

/// Statements and milliseconds of one step.
fn cost(story: &mut Story, step: impl FnOnce(&mut Story)) -> (u64, u128) {
    let before = story.city.store.stats().statements;
    let began = Instant::now();
    step(story);
    let took = began.elapsed().as_millis();
    (story.city.store.stats().statements - before, took)
}

const STEPS: [&str; 5] = ["batch", "notice", "finalise", "send", "reply"];

/// What each step costs with so many entries; the reply pays them all.
fn costs(count: usize) -> Vec<(u64, u128)> {
    let mut story = story(count);
    let paid: Vec<String> = (0..count)
        .map(|number| format!("第{number}公司=成功"))
        .collect();
    let paid: Vec<&str> = paid.iter().map(String::as_str).collect();
    let play = |step: &&str| {
        cost(&mut story, |story| match *step {
            "reply" => story.play(&[&["reply"], paid.as_slice()].concat()).unwrap(),
            step => story.play(&[step]).unwrap(),
        })
    };
    STEPS.iter().map(play).collect()
}

/// A further entry costs no more than what its case needs, its stamps, and the questions before it
/// is paid; its rows of the list, the file and the ledger are written with those of the others.
#[test]
fn an_entry_costs_few_statements() {
    let (few, many) = (costs(20), costs(40));
    for (at, most) in [("batch", 2), ("finalise", 17), ("send", 10), ("reply", 21)] {
        let place = STEPS.iter().position(|step| *step == at).unwrap();
        let each = (many[place].0 - few[place].0) / 20;
        assert!(each <= most, "{at}: {each} statements for an entry");
    }
}

/// `cargo nextest run -p luodi --run-ignored only -E 'test(what_a_full_batch_costs)' --no-capture`
#[test]
#[ignore = "measures"]
fn what_a_full_batch_costs() {
    for (step, (statements, took)) in STEPS.iter().zip(costs(MOST_ENTRIES)) {
        let each = statements as f64 / MOST_ENTRIES as f64;
        println!("{step} of {MOST_ENTRIES}: {statements} statements, {each:.1} each, {took} ms");
    }
}
