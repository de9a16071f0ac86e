//! A form (表单) of a service item: read from a form-js schema, rendered without script, checked on
//! the server, shown as a record, sealed for the store and handed to expressions.
//!
//! Deliberately lacks the store, files and the clock: sealing is a closure, today is handed in,
//! and a file field only knows which of its slots hold a file.

mod check;
mod feel;
mod flatten;
mod model;
mod parse;
mod personal;
mod read;
mod render;
mod seal;
mod values;
mod view;

#[cfg(test)]
mod tests;

pub use check::{CodeRule, DateRule};
pub use feel::{feel_value, number_value};
pub use flatten::flatten;
pub use model::{Choice, Class, Demand, Field, FieldKind, Form, Section, TextCheck};
pub use parse::{Finding, Parsed, Severity, parse};
pub use personal::looks_personal;
pub use read::{ADD_ROW, REMOVE_ROW};
pub use render::{Attachment, Errors};
pub use seal::{has_sealed, map_sealed, open_value};
pub use values::Values;
pub use view::{How, Row, ViewSection, grouped};
