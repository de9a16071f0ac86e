//! What stands in the schema and no migration made: triggers, views, rules, tables. They could change
//! rows while commands run, or show other rows than there are.

use std::collections::BTreeSet;

use super::StoreError;
use super::migrate::{self, Migration};
use super::session::Session;

/// Tables that only tests have.
#[cfg(test)]
const OF_TESTS: &[&str] = &["bank_account", "bank_holder", "numbered"];
#[cfg(not(test))]
const OF_TESTS: &[&str] = &[];

/// The foreign parts of the schema, each as its kind and its name.
///
/// # Errors
/// What the engine reports.
pub(super) fn foreign(
    session: Session<'_>,
    all: &[Migration],
) -> Result<Vec<(String, String)>, StoreError> {
    let mut own: BTreeSet<&str> = OF_TESTS.iter().copied().collect();
    own.insert("schema_migration");
    own.extend(all.iter().flat_map(|it| migrate::tables_made(&it.sql)));
    let mut found = Vec::new();
    session.query(session.parts_sql(), &[], &mut |row| {
        let (kind, name): (String, String) = (row.get(0)?, row.get(1)?);
        if kind != "table" || !own.contains(name.as_str()) {
            found.push((kind, name));
        }
        Ok(())
    })?;
    found.sort();
    Ok(found)
}

/// What they are called in Chinese.
pub(super) fn word(kind: &str) -> &'static str {
    match kind {
        "table" => "表",
        "view" => "视图",
        "trigger" => "触发器",
        "rule" => "规则",
        "policy" => "行级策略",
        _ => "对象",
    }
}

/// Refuses a schema with foreign parts.
///
/// # Errors
/// [`StoreError::Migration`] names them.
pub(super) fn refuse_foreign(session: Session<'_>, all: &[Migration]) -> Result<(), StoreError> {
    let found = foreign(session, all)?;
    if found.is_empty() {
        return Ok(());
    }
    let named: Vec<String> = found
        .iter()
        .map(|(kind, name)| format!("{} {name}", word(kind)))
        .collect();
    Err(StoreError::Migration(format!(
        "数据库里有不属于本系统的{}。它们能在背后改动数据：请查明是谁建的，移到另一个数据库或删除后再启动",
        named.join("、")
    )))
}
