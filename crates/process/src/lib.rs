//! BPMN 2.0 for service items: read a model, and move a case through it.
//!
//! [`parse`] turns BPMN XML into a [`Definition`] and a list of [`Finding`]s; [`step`] takes one
//! input, moves the tokens until only people, services and timers can act, and says what the
//! caller has to do as a list of [`Effect`]s. Underneath lies one token game, [`enabled`] and
//! [`fire()`]: `step` chooses among its transitions by the conditions of the case, and anything
//! that explores a model explores the same relation with the conditions left open.
//!
//! Deliberately lacks: a clock, randomness, files, the evaluation of conditions (the caller
//! answers through [`Conditions`]), the meaning of roles, forms and policies (they are kept as
//! attributes), and calendars (a [`TimerSpec`] says what to wait for, the caller when that is).
//!
//! ```
//! # struct Never;
//! # impl process::Conditions for Never {
//! #     fn holds(&mut self, _: &process::Flow) -> Result<bool, process::ConditionError> { Ok(false) }
//! # }
//! let parsed = process::parse(
//!     r#"<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL">
//!          <process id="greeting">
//!            <startEvent id="begin"/> <userTask id="greet"/> <endEvent id="done"/>
//!            <sequenceFlow id="f1" sourceRef="begin" targetRef="greet"/>
//!            <sequenceFlow id="f2" sourceRef="greet" targetRef="done"/>
//!          </process>
//!        </definitions>"#,
//! );
//! let definition = parsed.definition.ok_or("not executable")?;
//! let started = process::step(
//!     &definition,
//!     &process::State::new(),
//!     process::Input::Start,
//!     &mut Never,
//! )?;
//! let task = started.state.waiting().first().ok_or("no task")?;
//! assert_eq!(definition.at(task.node).map(|node| node.id.as_str()), Some("greet"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![deny(missing_docs)]

mod diagram;
mod error;
mod finding;
mod game;
mod inclusive;
mod model;
mod outline;
mod parse;
mod state;
mod step;
mod timer;

#[cfg(test)]
mod history;
#[cfg(test)]
mod notation;
#[cfg(test)]
mod properties;

pub use diagram::{Bounds, Diagram, Edge, Point, Shape};
pub use error::{ConditionError, StepError};
pub use finding::{Finding, Severity};
pub use game::{Action, Choice, Effect, Step, Transition, enabled, fire};
pub use model::{Definition, Flow, FlowIx, Node, NodeIx, NodeKind, Split};
pub use outline::Stage;
pub use parse::{LUODI_NAMESPACE, Parsed, parse};
pub use state::{ActivityId, Phase, STATE_VERSION, State, Waiting};
pub use step::{Conditions, Input, step};
pub use timer::{IsoDuration, TimerSpec};
