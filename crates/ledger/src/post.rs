//! The one door into the ledger: a movement becomes a balanced entry or is refused.
//!
//! It lacks storage: the caller writes the entry and the new balances in one transaction.

use crate::balances::Balances;
use crate::entry::{Entry, EntryFault};
use crate::movement::{Movement, MovementKind};
use crate::refusal::Refusal;

/// The entry of a movement, if the balances allow it. The balances must hold every account of the lines
/// the movement touches. No place may fall below zero, hence nobody is ever promised more than the budget.
///
/// # Errors
/// What is missing, with the figures; nothing is posted then.
pub fn post(balances: &Balances, movement: Movement) -> Result<Entry, Refusal> {
    let reverses = match &movement {
        Movement::Reverse { of, .. } if of.kind() == MovementKind::Reverse => {
            return Err(Refusal::ReversalOfReversal);
        }
        Movement::CarryOver { from, to, .. } if from == to => return Err(Refusal::SameLine),
        Movement::Reverse { id, .. } => Some(*id),
        _ => None,
    };
    let postings = movement.postings().ok_or(Refusal::Overflow)?;
    let entry =
        Entry::from_stored(movement.kind(), reverses, postings).map_err(|fault| match fault {
            EntryFault::AmountNotPositive => Refusal::AmountNotPositive,
            // The table of movements gives balanced pairs; a sum that differs could only have overflowed.
            EntryFault::TooFewPostings | EntryFault::Unbalanced | EntryFault::ReversalMismatch => {
                Refusal::Overflow
            }
        })?;
    balances.check(entry.postings())?;
    Ok(entry)
}
