//! What a command answers when it does not do what was asked: a refusal that says what to do next,
//! or a fault of the store. HTTP appears in neither; `web::error` translates at the edge.

use std::borrow::Cow;

use uuid::Uuid;

use crate::store::{EventFilter, Query, StoreError, Tx, Written, written};

/// Why a refusal came about; decides the HTTP status at the edge and the exit code of the CLI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The input breaks a rule; the user can mend it.
    Invalid,
    /// The actor may not do this.
    Forbidden,
    /// There is no such thing, or the actor may not know of it.
    NotFound,
    /// Somebody else was faster, or the thing is no longer in the state the page showed.
    Conflict,
    /// Too many attempts; try again later.
    TooMany,
    /// More was sent than is read.
    TooLarge,
}

/// One field that breaks one rule.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct FieldError {
    /// The key of the field as posted; dots lead into groups.
    pub field: String,
    /// The rule broken: stable kebab-case code, e.g. `required`, `id-number-check-character`.
    pub rule: Cow<'static, str>,
    /// What is wrong and what to do, in Chinese.
    pub message: String,
}

/// The fields at fault of one form, from whoever reads it and whoever knows its rules, to be told
/// all at once. A field bears its first fault only: a rule may be asked about a stand-in for what
/// could not be read, and adds nothing there.
#[derive(Clone, Debug, Default)]
pub struct Refusals(Vec<FieldError>);

impl Refusals {
    /// A field breaks a rule.
    pub fn add(
        &mut self,
        field: &str,
        rule: impl Into<Cow<'static, str>>,
        message: impl Into<String>,
    ) {
        if !self.has(field) {
            self.0.push(FieldError {
                field: field.to_owned(),
                rule: rule.into(),
                message: message.into(),
            });
        }
    }

    /// Whether a field is at fault already.
    pub fn has(&self, field: &str) -> bool {
        self.0.iter().any(|error| error.field == field)
    }

    /// Whether no field is at fault.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Everything that is wrong, in the order of the form.
    ///
    /// # Errors
    /// Refused where a field is at fault.
    pub fn in_order(mut self, form: &[&str]) -> Result<(), Refusal> {
        if self.0.is_empty() {
            return Ok(());
        }
        let place = |error: &FieldError| form.iter().position(|field| *field == error.field);
        self.0
            .sort_by_key(|error| place(error).unwrap_or(usize::MAX));
        Err(Refusal::fields(self.0))
    }
}

/// A command that was not carried out. Nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Refusal {
    /// What sort of refusal.
    pub kind: Kind,
    /// Stable code, never renamed; listed in `docs/refusals.md`.
    pub code: &'static str,
    /// What happened and what to do next, in Chinese.
    pub message: String,
    /// The fields at fault, in the order of the form.
    pub fields: Vec<FieldError>,
    /// A path of this site where what was done before can be seen; empty where there is none.
    pub see: String,
    /// After how many seconds it may go better; 0 where waiting alone does not help.
    pub wait_seconds: u32,
}

impl Refusal {
    pub(crate) fn new(kind: Kind, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            kind,
            code,
            message: message.into(),
            fields: Vec::new(),
            see: String::new(),
            wait_seconds: 0,
        }
    }

    /// The input breaks a rule that concerns no single field.
    pub fn invalid(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Kind::Invalid, code, message)
    }

    /// The actor may not do this.
    pub fn forbidden(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Kind::Forbidden, code, message)
    }

    /// There is no such thing for this actor.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(Kind::NotFound, "not-found", message)
    }

    /// The thing has changed since the page was shown.
    pub fn conflict(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Kind::Conflict, code, message)
    }

    /// Too many attempts.
    pub fn too_many(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Kind::TooMany, code, message)
    }

    /// One field breaks one rule.
    pub fn field(
        field: impl Into<String>,
        rule: impl Into<Cow<'static, str>>,
        message: impl Into<String>,
    ) -> Self {
        let message = message.into();
        let mut refusal = Self::new(Kind::Invalid, "invalid-fields", message.clone());
        refusal.fields.push(FieldError {
            field: field.into(),
            rule: rule.into(),
            message,
        });
        refusal
    }

    /// Several fields break rules. Must not be empty.
    pub fn fields(fields: Vec<FieldError>) -> Self {
        debug_assert!(!fields.is_empty(), "a refusal by fields names at least one");
        let message = match fields.as_slice() {
            [one] => one.message.clone(),
            many => format!("有 {} 处需要改正，改好后再提交。", many.len()),
        };
        Self {
            kind: Kind::Invalid,
            code: "invalid-fields",
            message,
            fields,
            see: String::new(),
            wait_seconds: 0,
        }
    }
}

/// A refusal, or a fault of the store.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The command was not carried out; the user can act on it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The store could not do it; the user can only try again.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What commands and queries of the domains return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Refuses to rely on rows that somebody changed behind the program's back: the event of the command
/// would vouch for them.
///
/// # Errors
/// Refused where one is; what the engine reports.
pub fn need_untouched(tx: &Tx<'_>, table: &'static str, ids: &[Uuid]) -> Result<()> {
    let touched = tx.touched(table, ids)?;
    touched
        .first()
        .map_or(Ok(()), |id| Err(touched_row(table, *id).into()))
}

/// As [`need_untouched`], for the rows of a table that belong to one owner.
///
/// # Errors
/// As [`need_untouched`].
pub fn need_untouched_part(tx: &Tx<'_>, table: &'static str, owner: (&str, Uuid)) -> Result<()> {
    match tx.part_touched(table, owner)? {
        true => Err(touched_row(table, owner.1).into()),
        false => Ok(()),
    }
}

/// The last event of a command about a row: who was faster, and when.
///
/// # Errors
/// What the engine reports.
pub fn last_of(
    q: &dyn Query,
    command: &str,
    (table, id): (&'static str, Uuid),
) -> Result<Option<Written>, StoreError> {
    let mut filter = EventFilter::new("1 = 1".to_owned(), Vec::new());
    filter.commands = vec![command.to_owned()];
    filter.subjects = Some((vec![table], vec![id]));
    Ok(written(q, &filter, 1, 0)?.into_iter().next())
}

/// The refusal of a row that is not as its event says; the process's log tells it, too.
pub fn touched_row(table: &str, id: Uuid) -> Refusal {
    tracing::error!(%table, %id, "refused: a row is not as its event says: {table} {id}");
    let message = format!(
        "数据（{table} {}）与日志不符，可能有人在数据库里直接改动过。没有办理；请告诉系统管理员运行 luodi audit verify 核对。",
        id.simple()
    );
    Refusal::conflict("row-touched", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_bears_its_first_fault_in_the_order_of_the_form() {
        let mut wrong = Refusals::default();
        assert!(wrong.clone().in_order(&[]).is_ok());
        wrong.add("amount", "range", "大于零");
        wrong.add("name", "required", "填写名称");
        wrong.add("amount", "over-budget", "超出预算");
        let refusal = wrong.in_order(&["name", "amount"]).unwrap_err();
        let rules: Vec<&str> = refusal.fields.iter().map(|f| f.rule.as_ref()).collect();
        assert_eq!(rules, ["required", "range"]);
        assert!(refusal.message.contains("2 处"));
    }
}
