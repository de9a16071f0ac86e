//! Numbers without gaps within a series: papers by department, year and kind. The row of the
//! series is the last lock a command takes.

use crate::params;
use crate::store::{StoreError, Tx};

/// Takes the next number of a series, from 1. A command that fails gives its number back.
///
/// # Errors
/// A fault of the store.
pub fn next(tx: &Tx, series: &str) -> Result<i64, StoreError> {
    let taken = tx.execute(
        "UPDATE number_series SET last_number = last_number + 1 WHERE series = ?1",
        params![series],
    )?;
    if taken == 0 {
        tx.execute(
            "INSERT INTO number_series (series, last_number) VALUES (?1, 1)",
            params![series],
        )?;
        return Ok(1);
    }
    tx.row(
        "SELECT last_number FROM number_series WHERE series = ?1",
        params![series],
        |row| row.get(0),
    )
}
