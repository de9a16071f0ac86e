//! Cases met by bad input, double clicks, races, ended sessions and people who may not.

mod apply;
mod compare;
mod correction;
mod cost;
mod drafts;
mod duty;
mod held;
mod once;
mod race;
mod session;
mod task_form;
