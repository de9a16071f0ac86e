//! What is wrong with the log, for those who have to do something about it: on every page of the
//! system and of the audit administrator.
//!
//! It only tells what the store found; looking for it is the store's own work.

use uuid::Uuid;

use super::{App, Visit};
use crate::access::{Actor, Role};

/// Rows that are named; of more, the number is said.
const NAMED: usize = 5;

/// The log is not as it must be.
#[derive(Clone, Debug)]
pub struct Alarm {
    /// Why it is not carried on; empty where it is.
    pub trouble: String,
    /// Rows that are not as their events say, as far as looked at.
    pub touched: usize,
    /// The first of them, as `luodi audit verify` names them: table and id.
    pub named: Vec<(String, Uuid)>,
    /// The reader is who mends it; others tell him.
    pub mends: bool,
}

/// The alarm a visitor has to see; none where all is well or it is not his.
pub(super) fn alarm(app: &App, visit: &Visit) -> Option<Alarm> {
    let actor = visit.actor.as_ref().filter(|actor| concerns(actor))?;
    let trouble = app.store.log_trouble().unwrap_or_default();
    let touched = app.store.watched();
    (!trouble.is_empty() || !touched.is_empty()).then(|| Alarm {
        trouble,
        touched: touched.len(),
        named: touched.into_iter().take(NAMED).collect(),
        mends: actor.has(Role::SystemAdmin),
    })
}

fn concerns(actor: &Actor) -> bool {
    actor.has(Role::SystemAdmin) || actor.has(Role::AuditAdmin)
}
