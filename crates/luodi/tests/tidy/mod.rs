//! The house rules, read off the sources: who imports whom, whose tables are whose, how long
//! things are, and what no template may hold.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

fn files(folder: &Path, ending: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                if !path.ends_with("target") && !path.ends_with("node_modules") {
                    open.push(path);
                }
            } else if path.extension().is_some_and(|end| end == ending) {
                let text = std::fs::read_to_string(&path).unwrap();
                found.push((path, text));
            }
        }
    }
    found.sort();
    found
}

fn short(path: &Path) -> String {
    path.strip_prefix(root())
        .unwrap_or(path)
        .display()
        .to_string()
}

/// The top folder or file of a source of the application: its domain.
fn domain(path: &Path) -> Option<String> {
    let inside = path.strip_prefix(root().join("crates/luodi/src")).ok()?;
    let first = inside.components().next()?.as_os_str().to_str()?;
    Some(first.trim_end_matches(".rs").to_owned())
}

/// Whether a source holds tests only.
fn is_test(path: &Path) -> bool {
    short(path).contains("tests") || short(path).contains("/benches/")
}

/// Edges between the crates of the workspace, from the manifests, and between the domains of the
/// application, from their `crate::` paths.
fn edges() -> BTreeSet<String> {
    let mut edges = BTreeSet::new();
    let crates = ["vocab", "process", "policy", "ledger", "luodi"];
    for name in crates {
        let manifest = root().join("crates").join(name).join("Cargo.toml");
        let manifest: toml::Table = std::fs::read_to_string(manifest).unwrap().parse().unwrap();
        let Some(dependencies) = manifest.get("dependencies").and_then(|d| d.as_table()) else {
            continue;
        };
        for other in crates
            .iter()
            .filter(|other| dependencies.contains_key(**other))
        {
            edges.insert(format!("{name} -> {other}"));
        }
    }
    let sources = files(&root().join("crates/luodi/src"), "rs");
    let domains: BTreeSet<String> = sources
        .iter()
        .filter_map(|(path, _)| domain(path))
        .collect();
    for (path, text) in &sources {
        let Some(from) = domain(path).filter(|_| !is_test(path)) else {
            continue;
        };
        for piece in text.split("crate::").skip(1) {
            let named = piece
                .split(|c: char| !c.is_alphanumeric() && c != '_')
                .next()
                .unwrap_or("");
            let group = piece
                .strip_prefix('{')
                .and_then(|rest| rest.split('}').next());
            let names: Vec<&str> = match group {
                Some(list) => list
                    .split(',')
                    .map(|n| n.trim().split("::").next().unwrap_or(""))
                    .collect(),
                None => vec![named],
            };
            for to in names {
                if to != from && domains.contains(to) {
                    edges.insert(format!("luodi/{from} -> {to}"));
                }
            }
        }
    }
    edges
}

#[test]
fn dependency_edges_are_the_ones_agreed_on() {
    let file = root().join("crates/luodi/tests/tidy/edges.txt");
    let agreed: BTreeSet<String> = std::fs::read_to_string(&file)
        .unwrap()
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::to_owned)
        .collect();
    let real = edges();
    let new: Vec<_> = real.difference(&agreed).collect();
    let gone: Vec<_> = agreed.difference(&real).collect();
    assert!(
        new.is_empty() && gone.is_empty(),
        "{}: new edges {new:#?}, edges that are gone {gone:#?}",
        short(&file)
    );
}

#[test]
fn the_lower_crates_know_only_vocab() {
    for edge in edges().iter().filter(|edge| !edge.starts_with("luodi")) {
        assert!(edge.ends_with("-> vocab"), "{edge}");
    }
}

/// Which domain owns a table. Whoever else wants its rows asks the owner.
fn owner(table: &str) -> Option<&'static str> {
    Some(match table {
        "audit_event" | "idempotency" | "job" | "data_key" | "meta" | "schema_migration" => "store",
        "department" | "account" | "account_role" | "account_leave" | "session"
        | "second_factor" | "recovery_code" | "known_device" | "password_past" | "contact"
        | "sent_code" | "account_identity" => "account",
        "party" | "bank_account" | "message" => "party",
        "policy_version" | "item_version" | "item" => "item",
        "casework" | "case_claim" | "case_value" | "case_measure" | "task" | "suspension"
        | "correction" | "inspection" | "case_duty" | "draft" => "casework",
        "attachment" => "attachment",
        "budget_line" | "ledger_entry" | "posting" | "ledger_balance" | "batch" | "batch_entry"
        | "payment_file" | "payment" => "fund",
        "notice" | "notice_entry" | "objection" => "notice",
        "data_export" | "erasure" => "personal",
        "number_series" => "number",
        "article" => "article",
        "city" => "city",
        _ => return None,
    })
}

#[test]
fn nobody_touches_the_tables_of_another_domain() {
    let mut wrong = Vec::new();
    for (path, text) in files(&root().join("crates/luodi/src"), "rs") {
        let Some(domain) = domain(&path).filter(|_| !is_test(&path)) else {
            continue;
        };
        let text = text.split("#[cfg(test)]").next().unwrap_or_default();
        let words: Vec<&str> = text
            .split(|c: char| !c.is_alphanumeric() && c != '_')
            .collect();
        let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
        for pair in words.windows(2) {
            if !matches!(pair[0], "FROM" | "JOIN" | "INTO" | "UPDATE") {
                continue;
            }
            if let Some(owner) = owner(pair[1])
                && owner != domain
            {
                wrong.push(format!(
                    "{}: {} {} belongs to {owner}",
                    short(&path),
                    pair[0],
                    pair[1]
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn files_and_functions_stay_readable() {
    let mut long = Vec::new();
    for (path, text) in files(&root().join("crates"), "rs") {
        let lines: Vec<&str> = text.lines().collect();
        if lines.len() > 800 {
            long.push(format!("{}: {} lines", short(&path), lines.len()));
        }
        if is_test(&path) {
            continue;
        }
        long.extend(
            long_functions(&lines)
                .into_iter()
                .map(|what| format!("{}:{what}", short(&path))),
        );
    }
    assert!(long.is_empty(), "split these where it hurts: {long:#?}");
}

/// Functions over 70 lines outside tests, by indentation as rustfmt writes it.
fn long_functions(lines: &[&str]) -> Vec<String> {
    let mut long = Vec::new();
    let mut tests_from = usize::MAX;
    for (number, line) in lines.iter().enumerate() {
        let trimmed = line.trim_start();
        if trimmed.starts_with("#[cfg(test)]")
            && lines.get(number + 1).is_some_and(|l| l.contains("mod "))
        {
            tests_from = number;
        }
        let starts = [
            "fn ",
            "pub fn ",
            "pub(super) fn ",
            "pub(crate) fn ",
            "async fn ",
            "pub async fn ",
            "const fn ",
            "pub const fn ",
        ];
        if number > tests_from || !starts.iter().any(|start| trimmed.starts_with(start)) {
            continue;
        }
        let indent = line.len() - trimmed.len();
        let end = lines[number..].iter().position(|line| {
            line.starts_with(&format!("{}}}", " ".repeat(indent))) && line.trim() == "}"
        });
        // A function of a trait without a body ends in a semicolon before any brace.
        let opens = lines[number..].iter().position(|line| line.contains('{'));
        let stops = lines[number..]
            .iter()
            .position(|line| line.trim_end().ends_with(';'));
        if stops.is_some_and(|stops| opens.is_none_or(|opens| stops < opens)) {
            continue;
        }
        if let Some(length) = end.filter(|length| *length > 70) {
            long.push(format!("{}: {length} lines: {trimmed}", number + 1));
        }
    }
    long
}

#[test]
fn every_source_opens_with_what_it_owns() {
    let silent: Vec<String> = files(&root().join("crates"), "rs")
        .into_iter()
        .filter(|(_, text)| !text.starts_with("//!"))
        .map(|(path, _)| short(&path))
        .collect();
    assert!(
        silent.is_empty(),
        "these files open without `//!`: {silent:#?}"
    );
}

#[test]
fn templates_hold_no_inline_script_or_style() {
    let mut wrong = Vec::new();
    for (path, text) in files(&root().join("crates/luodi/templates"), "html") {
        for (number, line) in text.lines().enumerate() {
            let lower = line.to_ascii_lowercase();
            let inline = lower.contains(" style=")
                || lower.contains("<style")
                || (lower.contains("<script") && !lower.contains("src="))
                || [
                    " onclick=",
                    " onload=",
                    " onsubmit=",
                    " onchange=",
                    "javascript:",
                ]
                .iter()
                .any(|handler| lower.contains(handler));
            if inline {
                wrong.push(format!("{}:{}: {}", short(&path), number + 1, line.trim()));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "the content security policy forbids these: {wrong:#?}"
    );
}

#[test]
fn every_form_that_posts_carries_token_and_key() {
    let mut wrong = Vec::new();
    for (path, text) in files(&root().join("crates/luodi/templates"), "html") {
        for form in text.split("<form").skip(1) {
            let form = form.split("</form>").next().unwrap_or_default();
            let guarded = form.contains("guard(page)")
                || (form.contains("name=\"csrf\"") && form.contains("name=\"idempotency_key\""));
            if form.contains("method=\"post\"") && !guarded {
                wrong.push(format!(
                    "{}: <form{}",
                    short(&path),
                    form.lines().next().unwrap_or("")
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_engine_specific_sql() {
    let forbidden = [
        "ON CONFLICT",
        "AUTOINCREMENT",
        "INSERT OR",
        "SELECT *",
        "ILIKE",
        "json_extract",
        "strftime(",
    ];
    let mut wrong = BTreeMap::new();
    for (path, text) in files(&root().join("crates/luodi/src"), "rs") {
        if path.ends_with("store/sqlite.rs")
            || path.ends_with("store/postgres.rs")
            || path.ends_with("store/session.rs")
            || short(&path).contains("store/tests")
            || short(&path).contains("store/migrate")
        {
            continue;
        }
        let code: String = text
            .split("#[cfg(test)]")
            .next()
            .unwrap_or_default()
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .collect();
        for word in forbidden
            .iter()
            .filter(|word| code.contains(**word) && !code.contains(&format!(".{word}")))
        {
            wrong.insert(short(&path), *word);
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
