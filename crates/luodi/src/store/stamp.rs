//! Rows that a command stamped in the statement that wrote them, so that its event need not write
//! them once more.
//!
//! A digest is worth something only while nothing else touches its row: every further change of the
//! table forgets what is known of it, and the event then reads and stamps the row itself. Deliberately
//! lacks the encoding of a row (`audit::bound`).

use uuid::Uuid;

use super::StoreError;
use super::audit::bound::{Shape, digest};
use super::read::Row;

/// Any event of the command.
pub(super) const ANY: Uuid = Uuid::nil();

/// A row as the command left it.
struct Stamp {
    table: &'static str,
    row: Uuid,
    event: Uuid,
    digest: String,
    /// Where the row belongs, if that is known, too.
    region: Option<String>,
}

/// What a command stamped so far.
#[derive(Default)]
pub(super) struct Stamps {
    stamps: Vec<Stamp>,
    /// The tables that statements changed of whose rows nothing is known, one for each change; an
    /// empty name is any.
    changes: Vec<String>,
}

impl Stamps {
    /// Notes a row that the statement of a shape gave back, and gives its id.
    pub(super) fn note(
        &mut self,
        (table, shape): (&'static str, &Shape),
        event: Uuid,
        row: &Row<'_>,
    ) -> Result<Uuid, StoreError> {
        let of = row.get::<Option<Uuid>>(shape.columns.len())?;
        if of != Some(event) {
            return Err(StoreError::Statement(format!(
                "a row of {table} was written without its last_event"
            )));
        }
        let id = row.get(shape.id)?;
        self.keep(Stamp {
            table,
            row: id,
            event,
            digest: digest(&shape.bytes(row)?),
            region: None,
        });
        Ok(id)
    }

    /// Notes a row that is its own owner, whichever event of the command comes to name it.
    pub(super) fn note_own(
        &mut self,
        (table, shape): (&'static str, &Shape),
        row: &Row<'_>,
    ) -> Result<Uuid, StoreError> {
        let (id, digest) = shape.own(row)?;
        self.keep(Stamp {
            table,
            row: id,
            event: ANY,
            digest,
            region: None,
        });
        Ok(id)
    }

    /// Notes a digest that the command made itself, or forgets the one there was; a nil event stands
    /// for any.
    pub(super) fn note_known(
        &mut self,
        (table, row): (&'static str, Uuid),
        event: Uuid,
        digest: Option<String>,
        region: Option<String>,
    ) {
        self.stamps
            .retain(|stamp| stamp.row != row || stamp.table != table);
        self.stamps.extend(digest.map(|digest| Stamp {
            table,
            row,
            event,
            digest,
            region,
        }));
    }

    /// Written twice, a row is as the second statement left it.
    fn keep(&mut self, new: Stamp) {
        self.stamps
            .retain(|stamp| stamp.row != new.row || stamp.table != new.table);
        self.stamps.push(new);
    }

    /// The digest of a row as `event` left it, where that is known.
    pub(super) fn digest_of(&self, table: &str, row: Uuid, event: Uuid) -> Option<String> {
        let same = |stamp: &&Stamp| {
            stamp.row == row && [event, ANY].contains(&stamp.event) && stamp.table == table
        };
        self.stamps
            .iter()
            .find(same)
            .map(|stamp| stamp.digest.clone())
    }

    /// The region of a row as the command knows it.
    pub(super) fn region_of(&self, table: &str, row: Uuid) -> Option<String> {
        let mut of_it = self
            .stamps
            .iter()
            .filter(|it| it.row == row && it.table == table);
        of_it.find_map(|stamp| stamp.region.clone())
    }

    /// Forgets what a statement may change, and says what that is.
    pub(super) fn before<'a>(&mut self, sql: &'a str) -> Changed<'a> {
        let changed = changed_table(sql);
        match changed {
            Changed::Nothing => {}
            Changed::Table(name) => {
                self.stamps.retain(|stamp| stamp.table != name);
                self.changed(name);
            }
            Changed::Anything => {
                self.stamps.clear();
                self.changed("");
            }
        }
        changed
    }

    /// Notes that a table was changed otherwise than the command knows.
    pub(super) fn changed(&mut self, table: &str) {
        self.changes.push(table.to_owned());
    }

    /// How often a table may have been changed so.
    pub(super) fn changes(&self, table: &str) -> usize {
        let of_it = |name: &&String| name.is_empty() || *name == table;
        self.changes.iter().filter(of_it).count()
    }
}

/// What a statement may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Changed<'a> {
    Nothing,
    Table(&'a str),
    Anything,
}

fn changed_table(sql: &str) -> Changed<'_> {
    let mut words = sql.split_ascii_whitespace();
    let table = match words.next() {
        Some("SELECT") => return Changed::Nothing,
        Some("UPDATE") => words.next(),
        Some("INSERT") => words
            .next()
            .filter(|word| *word == "INTO")
            .and(words.next()),
        Some("DELETE") => words
            .next()
            .filter(|word| *word == "FROM")
            .and(words.next()),
        _ => None,
    };
    let plain = |name: &&str| {
        name.bytes()
            .all(|it| it.is_ascii_alphanumeric() || it == b'_')
    };
    table
        .filter(plain)
        .map_or(Changed::Anything, Changed::Table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(sql: &str, wanted: Changed<'_>) {
        assert_eq!(changed_table(sql), wanted, "{sql}");
    }

    #[test]
    fn statements_name_what_they_change() {
        check("SELECT id FROM task", Changed::Nothing);
        check("UPDATE task SET state = ?1", Changed::Table("task"));
        check("INSERT INTO task (id) VALUES (?1)", Changed::Table("task"));
        check("DELETE FROM job WHERE id = ?1", Changed::Table("job"));
    }

    #[test]
    fn what_is_not_understood_may_change_anything() {
        check(
            "WITH x AS (SELECT 1) UPDATE task SET state = 'open'",
            Changed::Anything,
        );
        check(
            "INSERT OR IGNORE INTO task (id) VALUES (?1)",
            Changed::Anything,
        );
        check("UPDATE \"task\" SET state = 'open'", Changed::Anything);
        check("update task set state = 'open'", Changed::Anything);
        check("UPDATE", Changed::Anything);
    }
}
