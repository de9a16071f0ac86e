//! Luodi (落地): from an investment project's lead to full production, and from a policy's text to
//! money. One binary; `docs/ARCHITECTURE.md` is the map.

pub mod access;
pub mod account;
pub mod article;
/// What packages are checked against, until the whole domain stands here.
pub mod casework {
    mod duty;
    pub mod state;

    pub use duty::{Duty, check_duty, record_duty};
}
pub mod form;
pub mod fund;
pub mod ids;
pub mod item;
pub mod party;
pub mod portal;
pub mod refusal;
pub mod router;
pub mod store;
pub mod web;
