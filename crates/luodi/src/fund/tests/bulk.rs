//! What a batch costs the writer: statements for each entry.

use super::money::Story;
use super::*;

/// `count` cases that wait, with their accounts, all within the budget.
fn story(count: usize) -> Story {
    let story = Story::new();
    for number in 0..count {
        let name = format!("第{number}公司");
        story.case(&name, Fen(10));
        story.account(&name);
    }
    story
}

const STEPS: [&str; 5] = ["batch", "notice", "finalise", "send", "reply"];

/// The statements of each step with so many entries; the reply pays them all.
fn costs(count: usize) -> Vec<u64> {
    let mut story = story(count);
    let paid: Vec<String> = (0..count)
        .map(|number| format!("第{number}公司=成功"))
        .collect();
    let paid: Vec<&str> = paid.iter().map(String::as_str).collect();
    let mut cost = |step: &&str| {
        let before = story.city.store.stats().statements;
        match *step {
            "reply" => story.play(&[&["reply"], paid.as_slice()].concat()).unwrap(),
            step => story.play(&[step]).unwrap(),
        }
        story.city.store.stats().statements - before
    };
    STEPS.iter().map(&mut cost).collect()
}

/// A further entry costs no more than what its case needs, its stamps and the digest of its
/// postings, and the questions before it is paid; its rows of the list, the file and the ledger are written with those of the others.
#[test]
fn an_entry_costs_few_statements() {
    let (few, many) = (costs(20), costs(40));
    for (at, most) in [("batch", 3), ("finalise", 11), ("send", 12), ("reply", 15)] {
        let place = STEPS.iter().position(|step| *step == at).unwrap();
        let each = (many[place] - few[place]) / 20;

        assert!(each <= most, "{at}: {each} statements for an entry");
    }
}
