//! Runs the cases of the DMN Technology Compatibility Kit through the public interface.
//!
//! Shared by the test that guards the list of passing cases and the example that makes the list.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test's tool"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use policy::feel::{Context, Date, DateTime, DaysDuration, MonthsDuration, Number, Time, Value};
use policy::{EvalOptions, Model, parse_models};
use roxmltree::{Document, Node};

/// One case and whether it passed.
pub(crate) struct Outcome {
    /// `level/folder/testfile#case`, made unique by a counter where an id is repeated.
    pub(crate) id: String,
    /// Why it failed, empty where it passed.
    pub(crate) why: String,
}

/// Largest difference of numbers that counts as equal, as in the kit's own runner.
const TOLERANCE: &str = "0.00000001";

/// Runs every case below a folder that holds the compliance levels.
pub(crate) fn run(root: &Path) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    for level in ["compliance-level-2", "compliance-level-3"] {
        for folder in sorted(&root.join(level)) {
            for file in sorted(&folder).into_iter().filter(|f| is_test(f)) {
                run_file(level, &folder, &file, &mut outcomes);
            }
        }
    }
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for outcome in &mut outcomes {
        let count = seen.entry(outcome.id.clone()).or_insert(0);
        *count += 1;
        if *count > 1 {
            outcome.id = format!("{}~{count}", outcome.id);
        }
    }
    outcomes
}

fn sorted(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn is_test(file: &Path) -> bool {
    let name = file.file_name().unwrap().to_string_lossy();
    name.ends_with(".xml") && name.contains("-test-")
}

fn run_file(level: &str, folder: &Path, file: &Path, outcomes: &mut Vec<Outcome>) {
    let text = std::fs::read_to_string(file).unwrap();
    let document = Document::parse(&text).unwrap();
    let root = document.root_element();
    let wanted = child(root, "modelName")
        .and_then(|n| n.text())
        .unwrap_or("")
        .trim()
        .to_owned();
    let models: Vec<PathBuf> = sorted(folder)
        .into_iter()
        .filter(|f| f.extension().is_some_and(|e| e == "dmn"))
        .collect();
    let main = models
        .iter()
        .find(|f| f.file_name().unwrap().to_string_lossy() == wanted)
        .or(models.first());
    let model = main.and_then(|main| {
        let xml = std::fs::read_to_string(main).unwrap();
        let others: Vec<String> = models
            .iter()
            .filter(|f| *f != main)
            .map(|f| std::fs::read_to_string(f).unwrap())
            .collect();
        parse_models(&xml, &others.iter().map(String::as_str).collect::<Vec<_>>()).model
    });
    let folder = folder.file_name().unwrap().to_string_lossy().into_owned();
    let stem = file.file_stem().unwrap().to_string_lossy().into_owned();
    for case in root
        .children()
        .filter(|n| n.has_tag_name((root.tag_name().namespace().unwrap(), "testCase")))
    {
        let id = format!(
            "{level}/{folder}/{stem}#{}",
            case.attribute("id").unwrap_or("")
        );
        let why = match &model {
            Some(model) => run_case(model, case),
            None => "the model cannot be read".to_owned(),
        };
        outcomes.push(Outcome { id, why });
    }
}

fn run_case(model: &Model, case: Node<'_, '_>) -> String {
    let mut input = Context::new();
    for node in children(case, "inputNode") {
        input.insert(node.attribute("name").unwrap_or(""), read(node));
    }
    let options = EvalOptions {
        now: DateTime::parse("2024-05-17T10:20:30.123@Asia/Shanghai"),
        explain: false,
    };
    let invocable = case.attribute("invocableName");
    let mut failures = Vec::new();
    for result in children(case, "resultNode") {
        let name = result.attribute("name").unwrap_or("");
        let expected = child(result, "expected").map_or(Value::Null, read);
        let service = case.attribute("type") == Some("decisionService");
        let evaluation = model.evaluate_with(
            invocable.filter(|_| service).unwrap_or(name),
            &input,
            &options,
        );
        let mut actual = evaluation.value;
        // A service with several outputs gives a context of them.
        if service && let Some(part) = actual.as_context().and_then(|c| c.get(name)).cloned() {
            actual = part;
        }
        if !same(&expected, &actual) {
            let reason = evaluation
                .nulls
                .first()
                .map(|r| format!(" ({})", r.en()))
                .unwrap_or_default();
            failures.push(format!(
                "{name}: {expected} expected, {actual} given{reason}"
            ));
        }
    }
    failures.join("; ")
}

fn same(expected: &Value, actual: &Value) -> bool {
    match (expected, actual) {
        (Value::Number(a), Value::Number(b)) => {
            let tolerance = Number::parse(TOLERANCE).unwrap();
            a == b
                || a.checked_sub(*b)
                    .is_some_and(|difference| difference.abs() <= tolerance)
        }
        (Value::List(a), Value::List(b)) => {
            a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| same(a, b))
        }
        (Value::Context(a), Value::Context(b)) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(name, value)| b.get(name).is_some_and(|other| same(value, other)))
        }
        // A range is written as a context of its properties.
        (Value::Context(a), Value::Range(range)) => {
            let own = [
                ("start included", Value::Bool(range.start_included)),
                ("start", range.start.clone()),
                ("end", range.end.clone()),
                ("end included", Value::Bool(range.end_included)),
            ];
            a.iter()
                .all(|(name, value)| own.iter().any(|(n, v)| *n == &**name && same(value, v)))
        }
        (Value::Time(a), Value::Time(b)) => a == b,
        (Value::DateTime(a), Value::DateTime(b)) => a == b,
        (a, b) => a == b,
    }
}

/// A value as the kit writes it.
fn read(of: Node<'_, '_>) -> Value {
    if let Some(value) = child(of, "value") {
        return if is_nil(value) {
            Value::Null
        } else {
            read_simple(value)
        };
    }
    if let Some(list) = child(of, "list") {
        return if is_nil(list) {
            Value::Null
        } else {
            Value::list(children(list, "item").map(read))
        };
    }
    let components: Vec<_> = children(of, "component").collect();
    if components.is_empty() {
        return Value::Null;
    }
    let entry = |component: Node<'_, '_>| {
        let value = if is_nil(component) {
            Value::Null
        } else {
            read(component)
        };
        (component.attribute("name").unwrap_or("").to_owned(), value)
    };
    Value::Context(components.into_iter().map(entry).collect())
}

fn read_simple(value: Node<'_, '_>) -> Value {
    let xsi = "http://www.w3.org/2001/XMLSchema-instance";
    let ty = value.attribute((xsi, "type")).unwrap_or("");
    let ty = ty.rsplit_once(':').map_or(ty, |(_, local)| local);
    let text: String = value
        .descendants()
        .filter(|n| n.is_text())
        .filter_map(|n| n.text())
        .collect();
    let trimmed = text.trim();
    let typed = match ty {
        "boolean" => trimmed.parse().ok().map(Value::Bool),
        "decimal" | "double" | "integer" | "int" | "float" | "long" => {
            Number::parse(trimmed).map(Value::Number)
        }
        "date" => Date::parse(trimmed).map(Value::Date),
        "time" => Time::parse(trimmed).map(Value::Time),
        "dateTime" => DateTime::parse(trimmed).map(Value::DateTime),
        "duration" => DaysDuration::parse(trimmed)
            .map(Value::DaysDuration)
            .or_else(|| MonthsDuration::parse(trimmed).map(Value::MonthsDuration)),
        _ => Some(Value::from(text.as_str())),
    };
    typed.unwrap_or_else(|| Value::from(text.as_str()))
}

fn is_nil(node: Node<'_, '_>) -> bool {
    node.attribute(("http://www.w3.org/2001/XMLSchema-instance", "nil")) == Some("true")
}

fn children<'a, 'i>(of: Node<'a, 'i>, name: &'static str) -> impl Iterator<Item = Node<'a, 'i>> {
    of.children()
        .filter(move |n| n.is_element() && n.tag_name().name() == name)
}

fn child<'a, 'i>(of: Node<'a, 'i>, name: &'static str) -> Option<Node<'a, 'i>> {
    children(of, name).next()
}
