//! The cases of the DMN Technology Compatibility Kit that pass; the list may only grow.
//!
//! `cargo run -p policy --example tck -- DIR > crates/policy/tests/tck-passing.txt` makes it anew.

mod tck;

use std::collections::BTreeMap;
use std::path::Path;

const PASSING: &str = include_str!("tck-passing.txt");

#[test]
fn every_case_on_the_list_passes() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/dmn-tck");
    if !root.is_dir() {
        println!("skipped: {} is absent", root.display());
        return;
    }
    let outcomes: BTreeMap<String, String> =
        tck::run(&root).into_iter().map(|o| (o.id, o.why)).collect();
    let passed = outcomes.values().filter(|why| why.is_empty()).count();
    println!("{passed} of {} cases pass", outcomes.len());
    let failing: Vec<String> = PASSING
        .lines()
        .filter_map(|id| match outcomes.get(id) {
            Some(why) if why.is_empty() => None,
            Some(why) => Some(format!("{id}: {why}")),
            None => Some(format!("{id}: not in the kit")),
        })
        .collect();
    assert!(
        failing.is_empty(),
        "{} cases on the list fail:\n{}",
        failing.len(),
        failing.join("\n")
    );
}

#[test]
fn the_list_is_sorted_and_unique() {
    let lines: Vec<&str> = PASSING.lines().collect();
    assert!(lines.windows(2).all(|pair| pair[0] < pair[1]));
}
