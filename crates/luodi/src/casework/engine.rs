//! Carries a case on: one input to the process, and what follows from it.
//!
//! [`Run`] decides and writes nothing, so that a decision can be made before its turn; what it comes
//! to ([`Changed`]) is written in the command's transaction, if the case is still what was read. The
//! process itself is pure and knows nothing of rows.

use std::cell::OnceCell;
use std::collections::VecDeque;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use policy::feel::{self, Context};
use process::{ConditionError, Conditions, Effect, Flow, Input, Node, NodeIx, State, TimerSpec};
use serde_json::json;
use uuid::Uuid;
use vocab::Calendar;

use super::commands::Completion;
use super::queries::{CaseRow, TaskRow};
use super::{facts, measure, state};
use crate::access::Actor;
use crate::ids::TaskId;
use crate::item::Package;
use crate::params;
use crate::refusal::{Error, Refusal, Result};
use crate::store::{Event, Job, Query, Rewrite, Tx, Value, day_in_china};

/// The most inputs one command may cause: services answering services.
const MAX_INPUTS: usize = 100;

/// A case on its way: what was read of one moment, and what follows from the inputs so far.
pub(super) struct Run<'a> {
    pub(super) q: &'a dyn Query,
    /// When the command was asked for.
    pub(super) now: Timestamp,
    pub(super) package: &'a Arc<Package>,
    pub(super) case: CaseRow,
    /// The tasks that wait, and those this command ends or creates, oldest first.
    pub(super) tasks: Vec<TaskRow>,
    /// The outcome just given, for conditions and the policy; empty where there is none.
    pub(super) outcome: String,
    /// What they may ask about, once one of them asked.
    pub(super) context: OnceCell<Context>,
    effects: Vec<Written>,
    /// Why the amount is what it is, where it was computed in this command.
    explained: Option<String>,
    /// What the row held of the columns that are written only where they changed.
    stored: Vec<(&'static str, Value)>,
}

/// An effect of the process that is a row.
enum Written {
    /// A task that waits, with the duty it is; its id comes with its row.
    Task(Box<TaskRow>, String),
    /// The open task of an activity is taken back.
    Cancelled(u32),
    Timer(Job),
    /// The timer of this key is taken back.
    NoTimer(String),
}

/// What a run came to: the case as it is to be, and the rows that go with it.
pub(super) struct Changed {
    pub(super) case: CaseRow,
    effects: Vec<Written>,
    /// The row of the case.
    row: Rewrite,
}

/// Columns that stand in indexes or are wide: an unchanged one costs more than it tells.
fn written_if_changed(case: &CaseRow) -> Vec<(&'static str, Value)> {
    vec![
        ("state", case.state.as_str().into()),
        ("amount_fen", case.amount.into()),
        ("accepted_on", case.accepted_on.into()),
        ("due_on", case.due_on.into()),
        ("suspended", case.suspended.into()),
        ("ended_at", case.ended_at.into()),
    ]
}

impl<'a> Run<'a> {
    /// A case as it was loaded, with its tasks.
    pub(super) fn new(
        (q, now): (&'a dyn Query, Timestamp),
        package: &'a Arc<Package>,
        case: CaseRow,
        tasks: Vec<TaskRow>,
    ) -> Self {
        Self {
            q,
            now,
            package,
            stored: written_if_changed(&case),
            case,
            tasks,
            outcome: String::new(),
            context: OnceCell::new(),
            effects: Vec::new(),
            explained: None,
        }
    }

    /// What it came to.
    pub(super) fn changed(self) -> Changed {
        let case = self.case;
        let mut set: Vec<(&'static str, Value)> = vec![
            ("process_state", case.process_state.as_str().into()),
            ("version", (case.version + 1).into()),
        ];
        let now = written_if_changed(&case).into_iter().zip(&self.stored);
        set.extend(now.filter(|(is, was)| is != *was).map(|(is, _)| is));
        set.extend(self.explained.map(|it| ("explanation", it.into())));
        Changed {
            row: Rewrite::of(("casework", case.id.0), &case.known, &set),
            case,
            effects: self.effects,
        }
    }
}

impl Run<'_> {
    /// The day in China.
    pub(super) fn today(&self) -> Date {
        day_in_china(self.now)
    }

    /// Gives the process one input and carries out everything that follows.
    pub(super) fn advance(&mut self, input: Input) -> Result<()> {
        let mut inputs = VecDeque::from([input]);
        let mut state = self.stored_state()?;
        for _ in 0..MAX_INPUTS {
            let Some(input) = inputs.pop_front() else {
                self.case.process_state = serde_json::to_string(&state).map_err(corrupt)?;
                return Ok(());
            };
            let mut conditions = Feel {
                run: self,
                fault: None,
            };
            let step = process::step(&self.package.process, &state, input, &mut conditions);
            if let Some(fault) = conditions.fault {
                return Err(fault);
            }
            let step = step.map_err(|error| Refusal::conflict("process", error.message_zh()))?;
            state = step.state;
            for effect in step.effects {
                inputs.extend(self.carry_out(effect)?);
            }
        }
        Err(Refusal::conflict(
            "process-unbounded",
            "流程没有停下来等待办理，请联系事项管理员检查流程图。",
        )
        .into())
    }

    /// What conditions and the policy may ask about. Opening the form takes the party's key, and
    /// most conditions ask for the outcome alone.
    fn context(&self) -> Result<&Context> {
        if let Some(known) = self.context.get() {
            return Ok(known);
        }
        let Self {
            q, package, case, ..
        } = self;
        let context = facts::asked(*q, package, case, (&self.tasks, &self.outcome))?;
        Ok(self.context.get_or_init(|| context))
    }

    fn stored_state(&self) -> Result<State> {
        if self.case.process_state.is_empty() {
            return Ok(State::new());
        }
        serde_json::from_str(&self.case.process_state).map_err(corrupt)
    }

    fn node(&self, index: NodeIx) -> Result<&Node> {
        self.package
            .process
            .at(index)
            .ok_or_else(|| corrupt("a node of another process"))
    }

    fn carry_out(&mut self, effect: Effect) -> Result<Option<Input>> {
        match effect {
            Effect::CreateTask { activity, node } => self.create_task(activity.0, node)?,
            Effect::CancelTask { activity, .. } => self.cancel_task(activity.0),
            Effect::StartTimer { activity, spec, .. } => self.start_timer(activity.0, spec)?,
            Effect::CancelTimer { activity, .. } => {
                let key = timer_key(&self.case, activity.0);
                self.effects.push(Written::NoTimer(key));
            }
            Effect::CallService { activity, node } => {
                self.call(node)?;
                return Ok(Some(Input::ServiceDone { activity }));
            }
            Effect::EndReached { node } | Effect::Ended { node, .. } => self.reach_end(node)?,
            // Services answer at once, so none is ever waited for; other effects are new kinds.
            _ => {}
        }
        if let Effect::Ended { .. } = effect {
            self.case.ended_at = Some(self.now);
        }
        Ok(None)
    }

    fn create_task(&mut self, activity: u32, node: NodeIx) -> Result<()> {
        let node = self.node(node)?;
        let spec = self.package.item.tasks.get(&node.id);
        let spec = spec.ok_or_else(|| corrupt(format!("task {} is not in item.toml", node.id)))?;
        let task = TaskRow {
            id: TaskId(Uuid::nil()),
            case: self.case.id,
            activity,
            node: node.id.clone(),
            name: node.name.clone(),
            role: spec.role.clone(),
            state: "open".to_owned(),
            created_at: self.now,
            completed_at: None,
            completed_by: None,
            outcome: None,
            reason: None,
            data: None,
            version: 1,
            held_by: None,
            stand_in_for: None,
            known: None,
        };
        self.case.state.clone_from(&spec.state);
        let duty = spec.duty.clone();
        self.effects
            .push(Written::Task(Box::new(task.clone()), duty));
        self.tasks.push(task);
        Ok(())
    }

    fn cancel_task(&mut self, activity: u32) {
        let now = self.now;
        let open = self.tasks.iter_mut();
        for task in open.filter(|task| task.activity == activity && task.state == "open") {
            "cancelled".clone_into(&mut task.state);
            task.completed_at = Some(now);
        }
        self.effects.push(Written::Cancelled(activity));
    }

    /// Ends a task as an officer of this name says.
    pub(super) fn end_task(&mut self, by: &str, completion: &Completion) {
        let now = self.now;
        let mut tasks = self.tasks.iter_mut();
        if let Some(task) = tasks.find(|task| task.id == completion.task) {
            "done".clone_into(&mut task.state);
            task.completed_at = Some(now);
            task.completed_by = Some(by.to_owned());
            task.outcome = Some(completion.outcome.clone());
            task.reason = Some(completion.reason.trim().to_owned());
            task.data = Some(completion.values.to_json());
        }
    }

    fn start_timer(&mut self, activity: u32, spec: TimerSpec) -> Result<()> {
        let due_at = due_at(spec, self.now, self.today())?;
        self.effects.push(Written::Timer(Job {
            kind: "case.timer",
            key: Some(timer_key(&self.case, activity)),
            payload: json!({ "case": self.case.id, "activity": activity }),
            due_at,
        }));
        Ok(())
    }

    fn call(&mut self, node: NodeIx) -> Result<()> {
        let id = self.node(node)?.id.clone();
        let service = self.package.item.services.get(&id);
        let service =
            service.ok_or_else(|| corrupt(format!("service {id} is not in item.toml")))?;
        match service.kind.as_str() {
            "evaluate-policy" => self.evaluate(),
            // Entering the pool of proposed cases is the open task of role batch that follows.
            "propose" => self.propose(),
            other => Err(corrupt(format!("service kind {other}"))),
        }
    }

    /// Only what can be paid is proposed: a case without an amount would wait for ever.
    fn propose(&self) -> Result<()> {
        if self.case.amount.is_some_and(|amount| amount.0 > 0) {
            return Ok(());
        }
        Err(Refusal::conflict(
            "nothing-to-pay",
            "核定金额为 0.00 元，不能进入拟补名单。请核对电量等数据；确无应补金额的，请选择不予支持并写明理由。",
        )
        .into())
    }

    fn evaluate(&mut self) -> Result<()> {
        let policy = self.package.policy.as_ref();
        let policy = policy.ok_or_else(|| corrupt("the item names no policy"))?;
        let assessment = policy.assess(self.context()?)?;
        self.case.amount = Some(assessment.amount);
        self.explained = Some(assessment.explanation);
        Ok(())
    }

    fn reach_end(&mut self, node: NodeIx) -> Result<()> {
        let id = &self.node(node)?.id;
        if let Some(end) = self.package.item.ends.get(id) {
            self.case.state = end.state.clone();
        }
        Ok(())
    }
}

impl Changed {
    /// Writes the case, if it is still what was read: any change of a case names it in an event.
    /// Says whether it is; nothing is written where it is not.
    pub(super) fn save(&self, tx: &Tx<'_>, event: Uuid) -> Result<bool> {
        let case = &self.case;
        if !tx.rewrite(&self.row, event)? {
            return Ok(false);
        }
        if state::is_without_money(&case.state) {
            measure::leave_out(tx, case.id)?;
        }
        Ok(true)
    }

    /// Writes the tasks and timers, in the order of the effects, and gives the tasks.
    pub(super) fn carry_out(&self, tx: &Tx<'_>, event: Uuid) -> Result<Vec<TaskId>> {
        let mut touched = Vec::new();
        for effect in &self.effects {
            match effect {
                Written::Task(task, duty) => touched.push(insert_task(tx, event, task, duty)?),
                Written::Cancelled(activity) => {
                    let cancelled = tx.write_stamped(
                        "task",
                        event,
                        "UPDATE task SET state = 'cancelled', completed_at = ?3, \
                         version = version + 1, last_event = ?4 \
                         WHERE case_id = ?1 AND activity = ?2 AND state = 'open'",
                        params![self.case.id, *activity, tx.now(), event],
                    )?;
                    touched.extend(cancelled.into_iter().map(TaskId));
                }
                Written::Timer(job) => {
                    tx.enqueue_job(job)?;
                }
                Written::NoTimer(key) => {
                    tx.cancel_job("case.timer", key)?;
                }
            }
        }
        Ok(touched)
    }

    /// Writes all of it, for a command that read the case itself, and notes it.
    ///
    /// # Errors
    /// Refused where the case is not what was read.
    pub(super) fn write(
        &self,
        tx: &Tx<'_>,
        actor: &Actor,
        command: &'static str,
        detail: serde_json::Value,
    ) -> Result<()> {
        let event = tx.new_id();
        if !self.save(tx, event)? {
            return Err(changed_meanwhile());
        }
        let touched = self.carry_out(tx, event)?;
        self.note(tx, actor, (command, event), detail, &touched);
        Ok(())
    }

    /// Notes what the command did, with the case and the tasks it created, ended or took back.
    pub(super) fn note(
        &self,
        tx: &Tx<'_>,
        actor: &Actor,
        (command, event): (&'static str, Uuid),
        detail: serde_json::Value,
        touched: &[TaskId],
    ) {
        let case = ("casework", self.case.id.0);
        let tasks = touched.iter().map(|task| ("task", task.0));
        let noted = Event {
            actor: actor.to_ref(),
            command,
            subject: case,
            detail,
            rows: [case].into_iter().chain(tasks).collect(),
        };
        tx.event_as(event, noted);
    }
}

fn insert_task(tx: &Tx<'_>, event: Uuid, task: &TaskRow, duty: &str) -> Result<TaskId> {
    let id = tx.new_id();
    let columns = [
        ("id", id.into()),
        ("case_id", task.case.into()),
        ("activity", task.activity.into()),
        ("node", task.node.as_str().into()),
        ("name", task.name.as_str().into()),
        ("role", task.role.as_str().into()),
        ("duty", duty.into()),
        ("state", task.state.as_str().into()),
        ("created_at", task.created_at.into()),
        ("version", task.version.into()),
    ];
    Ok(TaskId(tx.insert_named("task", event, &columns)?))
}

/// Writes the end of a task as an officer says, if it is still what was read.
pub(super) fn write_end(
    tx: &Tx<'_>,
    event: Uuid,
    (actor, by): (&Actor, &str),
    (task, completion): (&TaskRow, &Completion),
    data: serde_json::Value,
) -> Result<bool> {
    let known = task.known.as_ref().ok_or_else(changed_meanwhile)?;
    let set = [
        ("state", "done".into()),
        ("completed_at", tx.now().into()),
        ("completed_by", actor.account_id().into()),
        ("completed_by_label", by.into()),
        ("outcome", completion.outcome.as_str().into()),
        ("reason", completion.reason.trim().into()),
        ("data", data.into()),
        ("version", (task.version + 1).into()),
    ];
    let change = Rewrite::of(("task", task.id.0), known, &set);
    Ok(tx.rewrite(&change, event)?)
}

/// Somebody else was faster.
pub(super) fn changed_meanwhile() -> Error {
    Refusal::conflict(
        "changed-meanwhile",
        "这个办件刚刚被其他人办理过。请刷新页面查看最新情况，再决定是否继续；您填写的内容在下面。",
    )
    .into()
}

/// The stored state, package and rows contradict each other: a fault, not the user's.
fn corrupt(what: impl std::fmt::Display) -> Error {
    Error::Store(crate::store::StoreError::Value(format!(
        "case and package disagree: {what}"
    )))
}

fn timer_key(case: &CaseRow, activity: u32) -> String {
    format!("{}:{activity}", case.id)
}

/// When a timer fires: working days end at 24:00 of the last of them.
pub(super) fn due_at(spec: TimerSpec, now: Timestamp, today: Date) -> Result<Timestamp> {
    let zone = jiff::tz::TimeZone::fixed(jiff::tz::offset(8));
    let at = match spec {
        TimerSpec::Instant(at) => Ok(at),
        TimerSpec::Date(civil) => zone.to_timestamp(civil),
        TimerSpec::Duration(length) => zone
            .to_datetime(now)
            .checked_add(
                jiff::Span::new()
                    .try_months(i64::from(length.months))
                    .and_then(|span| span.try_days(i64::from(length.days)))
                    .and_then(|span| {
                        span.try_seconds(i64::try_from(length.seconds).unwrap_or(i64::MAX))
                    })
                    .unwrap_or_default(),
            )
            .and_then(|civil| zone.to_timestamp(civil)),
        TimerSpec::WorkingDays(days) => {
            let last = Calendar::official().add_working_days(today, days).date;
            last.tomorrow()
                .and_then(|next| zone.to_timestamp(next.at(0, 0, 0, 0)))
        }
    };
    at.map_err(|error| corrupt(format!("timer: {error}")))
}

/// Conditions on flows, in FEEL, over the context of the case.
struct Feel<'a, 'r> {
    run: &'a Run<'r>,
    /// Why the context could not be had, which is no fault of the condition.
    fault: Option<Error>,
}

impl Conditions for Feel<'_, '_> {
    fn holds(&mut self, flow: &Flow) -> Result<bool, ConditionError> {
        let Some(text) = &flow.condition else {
            return Ok(true);
        };
        let wrong = |message: String| ConditionError { message };
        let condition = self.run.package.condition(text);
        let condition = condition.ok_or_else(|| wrong(format!("条件「{text}」无法识别")))?;
        let value = if condition.of_outcome {
            condition.evaluate(&facts::outcome(&self.run.outcome))
        } else {
            let context = self.run.context().map_err(|fault| {
                self.fault = Some(fault);
                wrong(String::new())
            })?;
            condition.evaluate(context)
        };
        match value {
            feel::Value::Bool(holds) => Ok(holds),
            _ => Err(wrong(format!("「{text}」没有得出是或否"))),
        }
    }
}
