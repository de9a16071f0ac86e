//! Casework (办件): one service item at one version, and a process state.
//!
//! Owns the tables `casework`, `task`, `suspension`, `correction`, `inspection`, `case_duty`,
//! `case_claim`, `case_value`, `case_measure` and `draft`. What a procedure looks like is data of the item; this
//! domain carries out the effects of `process::step` in the command's transaction. It lacks money
//! (see `fund`) and publication (see `notice`): their commands end the tasks of role `batch`.

pub mod api;
mod apply;
mod changes;
mod clock;
mod commands;
mod complete_pages;
mod correct_pages;
mod correction;
pub mod dossier;
mod draft;
mod duty;
mod engine;
mod facts;
mod figures;
mod held;
mod jobs;
mod measure;
mod my;
pub mod named;
mod on_behalf;
mod path;
mod queries;
mod show;
pub mod state;
mod submit;
mod suspension;
mod why;
mod work;

pub use clock::{ClockView, case_clock, left_view};
pub use commands::{
    Completed, Completion, Decision, complete_by_batch, complete_decided, complete_task,
    decide_ahead, withdraw,
};
pub use correction::answer_correction;
pub use draft::drafts_waiting;
pub use duty::{Duty, check_duty, record_duty};
pub use figures::{CaseFigures, Counted, figures};
pub use jobs::work_timer;
pub use queries::{
    CaseRow, ListedCase, ProposedCase, TaskRow, approved, count_all, entered, find_case,
    is_running, of_party, open_task, proposed_cases,
};
pub use submit::{Seen, Submission, numbers, submit, submit_with};
pub use suspension::{await_answer, enter_notice, resume, suspend};
pub use work::{ListQuery, worklist};

use crate::web::Route;

/// The routes of this domain.
pub fn routes() -> Vec<Route> {
    let mut routes = apply::routes();
    routes.extend(on_behalf::routes());
    routes.extend(show::routes());
    routes.extend(complete_pages::routes());
    routes.extend(held::routes());
    routes.extend(correct_pages::routes());
    routes.extend(work::routes());
    routes.extend(my::routes());
    routes.extend(api::routes());
    routes
}
