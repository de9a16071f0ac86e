//! What a table holds of one party, and what becomes of it when the party is erased: each domain
//! names its own tables column by column, and both the copy of a party's data and its erasure are
//! made from that.
//!
//! Owns no table and knows no domain. It lacks who may ask, and when (`personal`).

use jiff::Timestamp;
use jiff::tz::Offset;
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;
use vocab::Fen;

use crate::form::{has_sealed, map_sealed};
use crate::ids::PartyId;
use crate::refusal::Result;
use crate::store::{Query, Row, StoreError, Tx, Value};

/// What stands where personal data were.
pub const ERASED: &str = "已依法删除";

/// What a column holds, for the copy of a party's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text as it stands, a code or a day.
    Text,
    /// A count, or a yes (1) and no (0).
    Count,
    /// A measured figure.
    Figure,
    /// Money in fen.
    Money,
    /// An instant.
    Moment,
    /// The id of a row.
    Id,
    /// A JSON document; sealed values in it are opened.
    Document,
    /// A text sealed under the party's key.
    Sealed,
    /// Of no use to the party: versions, hashes, names of files on the disk.
    Inner,
}

/// What becomes of a column when its party is erased.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It stays: it is not personal, or the party is told why it has to stay.
    Stays,
    /// The name of the party: a natural person's is replaced.
    Name,
    /// A text somebody wrote: a natural person's name in it is replaced.
    Written,
    /// A text that is replaced as a whole where there is one.
    Replaced,
    /// A document: its sealed values are replaced, and a natural person's name in the others.
    Unsealed,
    /// It becomes null.
    Gone,
    /// Bytes that may not be null: none are left.
    NoBytes,
    /// A text that may not be null: nothing is left of it.
    NoText,
}

/// A column of a table.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What it is called.
    pub zh: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// What becomes of it.
    pub fate: Fate,
}

/// A column that stays.
pub const fn stays(name: &'static str, zh: &'static str, kind: Kind) -> Column {
    column(name, zh, kind, Fate::Stays)
}

/// A column with its fate.
pub const fn column(name: &'static str, zh: &'static str, kind: Kind, fate: Fate) -> Column {
    Column {
        name,
        zh,
        kind,
        fate,
    }
}

/// A column the party has no use for.
pub const fn inner(name: &'static str, fate: Fate) -> Column {
    column(name, "", Kind::Inner, fate)
}

/// The rows of one table that are about a party.
#[derive(Clone, Copy, Debug)]
pub struct Source {
    /// The table.
    pub table: &'static str,
    /// What its rows are called.
    pub title: &'static str,
    /// Which rows `t` of the table: a condition, with the party as `?1`.
    pub rows: &'static str,
    /// The columns that name a row.
    pub key: &'static [&'static str],
    /// Its rows are bound to the log: those that change are named by the event.
    pub bound: bool,
    /// Every column of the table but `last_event`.
    pub columns: &'static [Column],
}

/// Rows of one table, opened.
#[derive(Clone, Debug)]
pub struct Part {
    /// The table.
    pub table: &'static str,
    /// What its rows are called.
    pub title: &'static str,
    /// Columns given.
    pub columns: Vec<Column>,
    /// The rows: values by column, nulls left out.
    pub rows: Vec<Map<String, Json>>,
}

impl Source {
    fn select(&self, wanted: impl Iterator<Item = &'static str>) -> String {
        let columns: Vec<String> = wanted.map(|name| format!("t.{name}")).collect();
        format!(
            "SELECT {} FROM {} t WHERE {} ORDER BY t.{}",
            columns.join(", "),
            self.table,
            self.rows,
            self.key.join(", t.")
        )
    }

    /// The rows of a party, opened.
    ///
    /// # Errors
    /// A fault of the store.
    pub fn read(&self, q: &dyn Query, party: PartyId) -> Result<Part> {
        let given: Vec<&Column> = self
            .columns
            .iter()
            .filter(|column| column.kind != Kind::Inner)
            .collect();
        let mut part = Part {
            table: self.table,
            title: self.title,
            columns: given.iter().map(|it| **it).collect(),
            rows: Vec::new(),
        };
        if given.is_empty() {
            return Ok(part);
        }
        let sql = self.select(given.iter().map(|column| column.name));
        // Sealed values are opened after the statement, which holds the row.
        let raw = q.rows(&sql, [Value::from(party)], |row| {
            let cells = given.iter().enumerate();
            let read = cells.map(|(at, column)| cell(row, at, column.kind));
            read.collect::<Result<Vec<Option<Cell>>, StoreError>>()
        })?;
        for cells in raw {
            let mut values = Map::new();
            for (column, cell) in given.iter().zip(cells) {
                if let Some(value) = cell.map(|cell| cell.open(q, party)).transpose()? {
                    values.insert(column.name.to_owned(), value);
                }
            }
            part.rows.push(values);
        }
        Ok(part)
    }

    /// The names the party has had in these rows.
    ///
    /// # Errors
    /// A fault of the store.
    pub fn names(&self, q: &dyn Query, party: PartyId) -> Result<Vec<String>> {
        let given = self.columns.iter();
        let given = given.filter(|it| it.fate == Fate::Name && it.kind != Kind::Inner);
        let mut names = Vec::new();
        for column in given {
            let sql = format!(
                "SELECT DISTINCT t.{} FROM {} t WHERE {}",
                column.name, self.table, self.rows
            );
            let found = q.rows(&sql, [Value::from(party)], |r| r.get::<Option<String>>(0))?;
            names.extend(found.into_iter().flatten());
        }
        Ok(names)
    }

    /// Takes the personal data of a party out of its rows, and gives the bound rows it changed.
    ///
    /// # Errors
    /// A fault of the store.
    pub fn erase(&self, tx: &Tx<'_>, of: &Erased) -> Result<Vec<(&'static str, Uuid)>> {
        let touched: Vec<&Column> = self
            .columns
            .iter()
            .filter(|column| column.fate != Fate::Stays)
            .collect();
        if touched.is_empty() {
            return Ok(Vec::new());
        }
        let names = touched.iter().map(|column| column.name);
        let sql = self.select(self.key.iter().copied().chain(names));
        let keys = self.key.len();
        let found = tx.rows(&sql, [Value::from(of.party)], |row| {
            let key = (0..keys).map(|at| plain(row, at));
            let key = key.collect::<Result<Vec<Value>, StoreError>>()?;
            let old = (keys..keys + touched.len()).map(|at| plain(row, at));
            Ok((key, old.collect::<Result<Vec<Value>, StoreError>>()?))
        })?;
        let mut changed = Vec::new();
        for (key, old) in found {
            if !self.rewrite(tx, of, &touched, &key, old)? {
                continue;
            }
            if self.bound {
                changed.extend(id_of(&key).map(|id| (self.table, id)));
            } else if let Some(owner) = self.owner(tx, &key) {
                tx.part(self.table, owner);
            }
        }
        Ok(changed)
    }

    /// Whose rows this one is bound together with, where the table is bound so.
    fn owner(&self, tx: &Tx<'_>, key: &[Value]) -> Option<Uuid> {
        let column = tx.owner_column(self.table)?;
        let at = self.key.iter().position(|name| *name == column)?;
        key.get(at).and_then(uuid_of)
    }

    /// Writes one row without the personal data; says whether anything changed.
    fn rewrite(
        &self,
        tx: &Tx<'_>,
        of: &Erased,
        touched: &[&Column],
        key: &[Value],
        old: Vec<Value>,
    ) -> Result<bool> {
        let (mut sets, mut values) = (Vec::new(), Vec::new());
        for (column, old) in touched.iter().zip(old) {
            let new = of.rewritten(column.fate, &old)?;
            if new != old {
                values.push(new);
                sets.push(format!("{} = ?{}", column.name, values.len()));
            }
        }
        if sets.is_empty() {
            return Ok(false);
        }
        let mut wheres = Vec::new();
        for (name, value) in self.key.iter().zip(key) {
            values.push(value.clone());
            wheres.push(format!("{name} = ?{}", values.len()));
        }
        let sql = format!(
            "UPDATE {} SET {} WHERE {}",
            self.table,
            sets.join(", "),
            wheres.join(" AND ")
        );
        tx.execute(&sql, values)?;
        Ok(true)
    }
}

/// The rows of several tables.
///
/// # Errors
/// A fault of the store.
pub fn read_all(q: &dyn Query, party: PartyId, sources: &[Source]) -> Result<Vec<Part>> {
    sources.iter().map(|source| source.read(q, party)).collect()
}

/// Takes the personal data of a party out of several tables, and gives the bound rows it changed.
///
/// # Errors
/// A fault of the store.
pub fn erase_all(
    tx: &Tx<'_>,
    of: &Erased,
    sources: &[Source],
) -> Result<Vec<(&'static str, Uuid)>> {
    let mut changed = Vec::new();
    for source in sources {
        changed.extend(source.erase(tx, of)?);
    }
    Ok(changed)
}

/// The names a party has had in the rows of several tables, the longest first, each once.
///
/// # Errors
/// A fault of the store.
pub fn names_in(q: &dyn Query, party: PartyId, sources: &[Source]) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for source in sources {
        names.extend(source.names(q, party)?);
    }
    names.retain(|name| !name.is_empty() && name != ERASED);
    names.sort_by_key(|name| (std::cmp::Reverse(name.chars().count()), name.clone()));
    names.dedup();
    Ok(names)
}

/// Whose data are erased.
#[derive(Clone, Debug)]
pub struct Erased {
    /// The party.
    pub party: PartyId,
    /// The names of a natural person, which are personal data; an enterprise's are not.
    pub names: Vec<String>,
}

impl Erased {
    /// What a value becomes.
    fn rewritten(&self, fate: Fate, old: &Value) -> Result<Value, StoreError> {
        let text = || Value::Text(ERASED.to_owned());
        Ok(match (fate, old) {
            (Fate::NoBytes, _) => Value::Blob(Vec::new()),
            (Fate::NoText, _) => Value::Text(String::new()),
            (Fate::Stays, _) | (_, Value::Null) => old.clone(),
            (Fate::Gone, _) => Value::Null,
            (Fate::Name, _) if self.names.is_empty() => old.clone(),
            (Fate::Name | Fate::Replaced, _) => text(),
            (Fate::Written, Value::Text(old)) => Value::Text(self.without_name(old)),
            (Fate::Unsealed, Value::Text(old)) => {
                let document: Json = serde_json::from_str(old)
                    .map_err(|error| StoreError::Value(format!("document: {error}")))?;
                let new = self.in_document(&document);
                // What does not change keeps its spelling.
                if new == document {
                    Value::Text(old.clone())
                } else {
                    Value::from(new)
                }
            }
            (Fate::Written | Fate::Unsealed, _) => old.clone(),
        })
    }

    fn without_name(&self, text: &str) -> String {
        let mut text = text.to_owned();
        // One character in a text may be anything.
        let names = self.names.iter().filter(|name| name.chars().count() > 1);
        for name in names {
            text = text.replace(name.as_str(), ERASED);
        }
        text
    }

    fn in_document(&self, document: &Json) -> Json {
        let replaced: Result<Json, std::convert::Infallible> =
            map_sealed(document, &mut |_| Ok(Json::from(ERASED)));
        let replaced = replaced.unwrap_or(Json::Null);
        self.in_texts(replaced)
    }

    fn in_texts(&self, value: Json) -> Json {
        match value {
            Json::String(text) => Json::String(self.without_name(&text)),
            Json::Array(items) => items.into_iter().map(|item| self.in_texts(item)).collect(),
            Json::Object(map) => map
                .into_iter()
                .map(|(key, value)| (key, self.in_texts(value)))
                .collect(),
            other => other,
        }
    }
}

/// Why a party cannot be erased yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hindrance {
    /// What hinders it, in Chinese.
    pub what: String,
    /// The last day on which it does; none where somebody has to end it.
    pub until: Option<jiff::civil::Date>,
    /// Where it can be seen; empty where there is no page.
    pub href: String,
}

/// A cell as it was read, its sealed values not opened yet.
enum Cell {
    Plain(Json),
    Document(Json),
    Sealed(Vec<u8>),
}

impl Cell {
    fn open(self, q: &dyn Query, party: PartyId) -> Result<Json, StoreError> {
        Ok(match self {
            Self::Plain(value) => value,
            Self::Document(value) if !has_sealed(&value) => value,
            Self::Document(value) => map_sealed(&value, &mut |bytes| {
                let text = q.open(party.0, bytes)?;
                Ok::<_, StoreError>(serde_json::from_str(&text).unwrap_or(Json::String(text)))
            })?,
            Self::Sealed(bytes) if bytes.is_empty() => Json::from(ERASED),
            Self::Sealed(bytes) => {
                let text = q.open(party.0, &bytes)?;
                serde_json::from_str::<Map<String, Json>>(&text)
                    .map_or(Json::String(text), Json::Object)
            }
        })
    }
}

fn cell(row: &Row<'_>, at: usize, kind: Kind) -> Result<Option<Cell>, StoreError> {
    let plain = |value: Json| Cell::Plain(value);
    Ok(match kind {
        Kind::Text => row.get::<Option<String>>(at)?.map(|it| plain(it.into())),
        Kind::Count => row.get::<Option<i64>>(at)?.map(|it| plain(it.into())),
        Kind::Figure => row.get::<Option<f64>>(at)?.map(|it| plain(it.into())),
        Kind::Money => {
            let fen: Option<i64> = row.get(at)?;
            fen.map(|fen| plain(Fen(fen).yuan_plain().into()))
        }
        Kind::Moment => {
            let at: Option<Timestamp> = row.get(at)?;
            at.map(|at| plain(Offset::constant(8).to_datetime(at).to_string().into()))
        }
        Kind::Id => {
            let id: Option<Uuid> = row.get(at)?;
            id.map(|id| plain(id.simple().to_string().into()))
        }
        Kind::Document => {
            // A document that does not exist yet may be an empty text.
            let text: Option<String> = row.get(at)?;
            let text = text.filter(|text| !text.is_empty());
            text.map(|text| Cell::Document(serde_json::from_str(&text).unwrap_or(json!(text))))
        }
        Kind::Sealed => row.get::<Option<Vec<u8>>>(at)?.map(Cell::Sealed),
        Kind::Inner => None,
    })
}

/// A value as the store has it: text, bytes or null; columns to be erased hold nothing else.
fn plain(row: &Row<'_>, at: usize) -> Result<Value, StoreError> {
    if let Ok(text) = row.get::<Option<String>>(at) {
        return Ok(text.map_or(Value::Null, Value::Text));
    }
    row.get::<Option<Vec<u8>>>(at)
        .map(|bytes| bytes.map_or(Value::Null, Value::Blob))
}

fn id_of(key: &[Value]) -> Option<Uuid> {
    match key {
        [id] => uuid_of(id),
        _ => None,
    }
}

fn uuid_of(value: &Value) -> Option<Uuid> {
    match value {
        Value::Blob(bytes) => Uuid::from_slice(bytes).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn erased(names: &[&str]) -> Erased {
        Erased {
            party: PartyId(Uuid::nil()),
            names: names.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    #[track_caller]
    fn check(of: &Erased, fate: Fate, old: &str, new: &str) {
        let rewritten = of.rewritten(fate, &Value::from(old)).unwrap();
        assert_eq!(rewritten, Value::from(new), "{fate:?}");
    }

    #[test]
    fn a_persons_name_goes_and_an_enterprises_stays() {
        let (person, enterprise) = (erased(&["王小明"]), erased(&[]));
        check(&person, Fate::Name, "王小明", ERASED);
        check(&enterprise, Fate::Name, "某某有限公司", "某某有限公司");
        check(
            &person,
            Fate::Written,
            "列入王小明，一号",
            "列入已依法删除，一号",
        );
        check(
            &enterprise,
            Fate::Written,
            "列入某某，一号",
            "列入某某，一号",
        );
        check(&enterprise, Fate::Replaced, "陈立人", ERASED);
        check(&person, Fate::Stays, "王小明", "王小明");
        check(&person, Fate::NoText, "ab01", "");
        assert_eq!(
            person.rewritten(Fate::Replaced, &Value::Null).unwrap(),
            Value::Null
        );
    }

    #[test]
    fn sealed_values_of_a_document_go_and_its_shape_stays() {
        let document = json!({
            "phone": { "sealed": "AAAA" }, "kw": "12.5", "who": "王小明（户主）",
            "meters": [{ "address": { "sealed": "BBBB" }, "no": "1" }],
        });
        let Value::Text(new) = erased(&["王小明"])
            .rewritten(Fate::Unsealed, &Value::from(&document))
            .unwrap()
        else {
            panic!("a text")
        };
        let new: Json = serde_json::from_str(&new).unwrap();
        let expected = json!({
            "phone": ERASED, "kw": "12.5", "who": "已依法删除（户主）",
            "meters": [{ "address": ERASED, "no": "1" }],
        });
        assert_eq!(new, expected);
    }
}
