//! Numbers without gaps within a series: papers by department, year and kind. The row of the
//! series is the last lock a command takes.

use std::collections::BTreeMap;

use crate::params;
use crate::store::{Query, StoreError, Tx};

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

/// The last number of each series.
pub type Last = BTreeMap<String, i64>;

/// The last number of each series that papers bear: `sql` gives their numbers as text, `read` tells
/// series and number of one. A text that is no such number counts for nothing.
///
/// # Errors
/// A fault of the store.
pub fn borne(
    q: &dyn Query,
    sql: &str,
    read: impl Fn(&str) -> Option<(String, i64)>,
) -> Result<Last, StoreError> {
    let mut last = Last::new();
    q.each(sql, &[], &mut |row| {
        if let Some((series, number)) = read(&row.get::<String>(0)?) {
            let last = last.entry(series).or_insert(number);
            *last = number.max(*last);
        }
        Ok(())
    })?;
    Ok(last)
}

/// Reads a number such as `PC330324-2026-012`: its parts are region, year and number.
#[must_use]
pub fn dashed(kind: &str, prefix: &str, text: &str) -> Option<(String, i64)> {
    let mut parts = text.strip_prefix(prefix)?.splitn(3, '-');
    let (region, year, number) = (parts.next()?, parts.next()?, parts.next()?);
    Some((format!("{kind} {region} {year}"), number.parse().ok()?))
}

/// A series, its last number as kept, and the last that papers bear.
pub type Differing = (String, Option<i64>, Option<i64>);

/// The series whose last number is not the last that papers bear.
///
/// # Errors
/// A fault of the store.
pub fn altered(q: &dyn Query, borne: &Last) -> Result<Vec<Differing>, StoreError> {
    let sql = "SELECT series, last_number FROM number_series";
    let kept: Last = q
        .rows(sql, params![], |row| Ok((row.get(0)?, row.get(1)?)))?
        .into_iter()
        .collect();
    let mut all: Vec<&String> = kept.keys().chain(borne.keys()).collect();
    all.sort_unstable();
    all.dedup();
    let both = all.into_iter().map(|series| {
        (
            series.clone(),
            kept.get(series).copied(),
            borne.get(series).copied(),
        )
    });
    Ok(both.filter(|(_, kept, borne)| kept != borne).collect())
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::store::testing::TemporaryStore;
    use crate::store::{Command, Store};

    /// Two servers, where the engine has several, and callers of which every third is refused after
    /// he had taken a number.
    #[test]
    fn numbers_have_no_gaps_whoever_takes_them() {
        let store = TemporaryStore::open(Timestamp::UNIX_EPOCH).unwrap();
        let options = store.options();
        let second = if options.database.is_some() {
            Store::open(store.dir(), &options).unwrap()
        } else {
            Store::clone(&store)
        };
        let take = |store: &Store, refused: bool| {
            store.write_blocking(Command::new("take", Timestamp::UNIX_EPOCH), move |tx| {
                let number = next(tx, "永发改公示 2026")?;
                if refused {
                    return Err(StoreError::NotFound("refused".into()));
                }
                Ok(number)
            })
        };
        let mut taken: Vec<i64> = std::thread::scope(|scope| {
            let callers: Vec<_> = (0..6)
                .map(|caller| {
                    let store = if caller % 2 == 0 { &*store } else { &second };
                    let numbers = move || {
                        let all = (0..12).map(|n| take(store, n % 3 == 0));
                        all.filter_map(Result::ok).collect::<Vec<i64>>()
                    };
                    scope.spawn(numbers)
                })
                .collect();
            callers
                .into_iter()
                .flat_map(|it| it.join().unwrap())
                .collect()
        });
        taken.sort_unstable();
        assert_eq!(taken, (1..=6 * 8).collect::<Vec<i64>>());
        second.shutdown();
    }
}
