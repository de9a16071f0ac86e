//! What an answered correction changed: the old value beside the new one, and papers replaced.

use jiff::Timestamp;

use super::queries::CaseRow;
use crate::attachment::Attachment;
use crate::form::{How, Row, Values};
use crate::item::Package;
use crate::params;
use crate::refusal::Result;
use crate::store::{Query, StoreError};

/// A correction with what its answer changed.
#[derive(Clone, Debug)]
pub(super) struct Correction {
    /// `wrong` or `incomplete`.
    pub(super) kind: String,
    /// What was asked.
    pub(super) asked: String,
    /// When.
    pub(super) asked_at: Timestamp,
    /// What the applicant said to it.
    pub(super) answer: Option<String>,
    /// When he answered.
    pub(super) answered_at: Option<Timestamp>,
    /// The form before and after the answer; none before that, and for answers older than this
    /// record.
    forms: Option<(Values, Values)>,
}

/// One value that a correction changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    /// What the value is called.
    pub(super) label: String,
    /// How it was shown; empty where there was none.
    pub(super) before: String,
    /// How it is shown now; empty where there is none.
    pub(super) after: String,
}

/// The corrections of a case, the latest first. `current` is the form as it is.
pub(super) fn corrections(
    q: &dyn Query,
    package: &Package,
    case: &CaseRow,
    current: &Values,
) -> Result<Vec<Correction>> {
    let rows = q.rows(
        "SELECT kind, asked, asked_at, answer, answered_at, form_before FROM correction \
         WHERE case_id = ?1 ORDER BY asked_at DESC, id DESC",
        params![case.id],
        |row| {
            let one = Correction {
                kind: row.get(0)?,
                asked: row.get(1)?,
                asked_at: row.get(2)?,
                answer: row.get(3)?,
                answered_at: row.get(4)?,
                forms: None,
            };
            Ok((one, row.get::<Option<String>>(5)?))
        },
    )?;
    let mut after = current.clone();
    let mut found = Vec::with_capacity(rows.len());
    for (mut one, before) in rows {
        if let Some(before) = before {
            let sealed: serde_json::Value = serde_json::from_str(&before)
                .map_err(|error| StoreError::Value(format!("correction.form_before: {error}")))?;
            let before = package
                .form
                .open(&sealed, &|sealed| q.open(case.party.0, sealed))?;
            one.forms = Some((before.clone(), std::mem::replace(&mut after, before)));
        }
        found.push(one);
    }
    Ok(found)
}

impl Correction {
    /// The values changed, in the order of the form. A personal value is shown as `how` says, also
    /// where only what is hidden changed.
    pub(super) fn changes(&self, package: &Package, how: How) -> Vec<Change> {
        let Some((before, after)) = &self.forms else {
            return Vec::new();
        };
        let rows = |values: &Values, how: How| -> Vec<Row> {
            let sections = package.form.view(values, how).into_iter();
            sections.flat_map(|section| section.rows).collect()
        };
        let (old, new) = (rows(before, How::Plain), rows(after, How::Plain));
        let (old_shown, new_shown) = (rows(before, how), rows(after, how));
        let text = |rows: &[Row], key: &str| {
            let row = rows.iter().find(|row| row.key == key);
            row.map_or_else(String::new, |row| {
                format!("{} {}", row.text, row.unit).trim().to_owned()
            })
        };
        let gone = old
            .iter()
            .filter(|row| new.iter().all(|other| other.key != row.key));
        new.iter()
            .chain(gone)
            .filter(|row| text(&old, &row.key) != text(&new, &row.key))
            .map(|row| Change {
                label: row.label.clone(),
                before: text(&old_shown, &row.key),
                after: text(&new_shown, &row.key),
            })
            .collect()
    }

    /// The papers that came with the answer.
    pub(super) fn papers<'a>(
        &self,
        files: impl Iterator<Item = &'a Attachment>,
    ) -> Vec<&'a Attachment> {
        let Some(answered_at) = self.answered_at else {
            return Vec::new();
        };
        let came = files
            .filter(|file| file.uploaded_at > self.asked_at && file.uploaded_at <= answered_at);
        came.collect()
    }
}
