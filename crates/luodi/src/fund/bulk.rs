//! Many rows in few statements, for commands that touch every entry of a batch: the writer of the
//! whole installation waits for them.

use crate::refusal::Result;
use crate::store::{Tx, Value};

/// Rows of one statement.
const ROWS: usize = 100;

/// Inserts rows of `columns` into a table.
///
/// # Errors
/// The store's own.
pub(super) fn insert<const N: usize>(
    tx: &Tx<'_>,
    (table, columns): (&str, &str),
    rows: Vec<[Value; N]>,
) -> Result<()> {
    let mut rows = rows.into_iter().peekable();
    while rows.peek().is_some() {
        let values: Vec<Value> = rows.by_ref().take(ROWS).flatten().collect();
        let places: Vec<String> = (0..values.len() / N)
            .map(|row| places(row * N, N))
            .collect();
        let sql = format!(
            "INSERT INTO {table} ({columns}) VALUES {}",
            places.join(", ")
        );
        tx.execute(&sql, values)?;
    }
    Ok(())
}

/// `(?1, ?2)`, after `from` other places.
fn places(from: usize, count: usize) -> String {
    let places: Vec<String> = (from + 1..=from + count)
        .map(|place| format!("?{place}"))
        .collect();
    format!("({})", places.join(", "))
}

/// Runs an update for pairs of id and version; `condition` is the same for each pair and the values
/// before them have the first places. Gives how many rows it changed.
///
/// # Errors
/// The store's own.
pub(super) fn update(
    tx: &Tx<'_>,
    set: &str,
    before: &[Value],
    rows: &[(uuid::Uuid, i64)],
) -> Result<u64> {
    let mut changed = 0;
    for chunk in rows.chunks(ROWS) {
        let mut values = before.to_vec();
        let mut pairs = Vec::with_capacity(chunk.len());
        for (id, version) in chunk {
            let place = values.len();
            pairs.push(format!(
                "(id = ?{} AND version = ?{})",
                place + 1,
                place + 2
            ));
            values.extend([Value::from(*id), Value::from(*version)]);
        }
        let sql = format!("UPDATE {set} WHERE {}", pairs.join(" OR "));
        changed += tx.execute(&sql, values)?;
    }
    Ok(changed)
}
