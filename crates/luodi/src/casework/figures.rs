//! Counts and sums of cases for those who look at the whole: by state, and red lights. Every
//! figure is that of a list which the same filter shows.

use jiff::civil::Date;
use vocab::{Fen, RegionCode};

use super::queries::{CaseFilter, count_by_state, count_cases};
use crate::access::Actor;
use crate::store::{Query, StoreError};

/// Cases counted, with the sum of their amounts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// How many.
    pub count: u64,
    /// The amounts computed so far, added up.
    pub amount: Fen,
}

/// The cases of a region at one moment.
#[derive(Clone, Debug, Default)]
pub struct CaseFigures {
    /// Not ended.
    pub running: Counted,
    /// Of these, due today or over.
    pub red: Counted,
    /// All, by state, in the order a case goes through them; states without cases are left out.
    pub by_state: Vec<(&'static str, Counted)>,
}

/// The cases the actor may see in a region and what lies in it.
///
/// # Errors
/// A fault of the store.
pub fn figures(
    q: &dyn Query,
    actor: &Actor,
    region: RegionCode,
    today: Date,
) -> Result<CaseFigures, StoreError> {
    let all = CaseFilter {
        region: region.to_string(),
        ..CaseFilter::default()
    };
    let running = CaseFilter {
        ended: Some(false),
        ..all.clone()
    };
    let red = CaseFilter {
        due_by: Some(today),
        ..running.clone()
    };
    let counted = |filter: &CaseFilter| {
        let (count, amount) = count_cases(q, actor, filter)?;
        Ok::<_, StoreError>(Counted { count, amount })
    };
    let known = count_by_state(q, actor, &all)?;
    let mut by_state = Vec::new();
    for (state, _) in super::state::all() {
        if known.iter().any(|(found, ..)| found == state) {
            let of_state = CaseFilter {
                state: state.to_owned(),
                ..all.clone()
            };
            by_state.push((state, counted(&of_state)?));
        }
    }
    Ok(CaseFigures {
        running: counted(&running)?,
        red: counted(&red)?,
        by_state,
    })
}
