//! Carries a case on: one input to the process, then its effects as rows, in the command's
//! transaction. The process itself is pure and knows nothing of rows.

use std::collections::VecDeque;

use jiff::Timestamp;
use jiff::civil::Date;
use policy::feel::{Context, Scope, Value};
use process::{ConditionError, Conditions, Effect, Flow, Input, Node, NodeIx, State, TimerSpec};
use serde_json::json;
use vocab::Calendar;

use super::queries::CaseRow;
use super::{measure, state};
use crate::ids::TaskId;
use crate::item::Package;
use crate::params;
use crate::refusal::{Error, Refusal, Result};
use crate::store::{Job, Tx};

/// The most inputs one command may cause: services answering services.
const MAX_INPUTS: usize = 100;

/// A case on its way through one command. `save` writes what changed.
pub(super) struct Run<'a> {
    pub(super) tx: &'a Tx<'a>,
    pub(super) package: &'a Package,
    pub(super) case: CaseRow,
    pub(super) context: Context,
}

impl Run<'_> {
    /// Gives the process one input and carries out everything that follows.
    pub(super) fn advance(&mut self, input: Input) -> Result<()> {
        let mut inputs = VecDeque::from([input]);
        for _ in 0..MAX_INPUTS {
            let Some(input) = inputs.pop_front() else {
                return Ok(());
            };
            let state: State = self.stored_state()?;
            let mut conditions = Feel {
                context: &self.context,
            };
            let step = process::step(&self.package.process, &state, input, &mut conditions)
                .map_err(|error| Refusal::conflict("process", error.message_zh()))?;
            self.case.process_state = serde_json::to_string(&step.state).map_err(corrupt)?;
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
            Effect::CancelTask { activity, .. } => self.cancel_task(activity.0)?,
            Effect::StartTimer { activity, spec, .. } => self.start_timer(activity.0, spec)?,
            Effect::CancelTimer { activity, .. } => {
                self.tx
                    .cancel_job("case.timer", &timer_key(&self.case, activity.0))?;
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
            self.case.ended_at = Some(self.tx.now());
        }
        Ok(None)
    }

    fn create_task(&mut self, activity: u32, node: NodeIx) -> Result<()> {
        let node = self.node(node)?;
        let spec = self.package.item.tasks.get(&node.id);
        let spec = spec.ok_or_else(|| corrupt(format!("task {} is not in item.toml", node.id)))?;
        let (id, name) = (node.id.clone(), node.name.clone());
        let (role, duty, state) = (spec.role.clone(), spec.duty.clone(), spec.state.clone());
        self.tx.execute(
            "INSERT INTO task (id, case_id, activity, node, name, role, duty, state, created_at, version) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'open', ?8, 1)",
            params![
                TaskId(self.tx.new_id()), self.case.id, activity, id, name, role, duty, self.tx.now()
            ],
        )?;
        self.case.state = state;
        Ok(())
    }

    fn cancel_task(&self, activity: u32) -> Result<()> {
        self.tx.execute(
            "UPDATE task SET state = 'cancelled', completed_at = ?3, version = version + 1 \
             WHERE case_id = ?1 AND activity = ?2 AND state = 'open'",
            params![self.case.id, activity, self.tx.now()],
        )?;
        Ok(())
    }

    fn start_timer(&self, activity: u32, spec: TimerSpec) -> Result<()> {
        let due_at = due_at(spec, self.tx.now(), self.tx.today())?;
        self.tx.enqueue_job(&Job {
            kind: "case.timer",
            key: Some(timer_key(&self.case, activity)),
            payload: json!({ "case": self.case.id, "activity": activity }),
            due_at,
        })?;
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
        let assessment = policy.assess(&self.context)?;
        self.case.amount = Some(assessment.amount);
        self.case.explanation = Some(assessment.explanation);
        Ok(())
    }

    fn reach_end(&mut self, node: NodeIx) -> Result<()> {
        let id = &self.node(node)?.id;
        if let Some(end) = self.package.item.ends.get(id) {
            self.case.state = end.state.clone();
        }
        Ok(())
    }

    /// Writes what the inputs changed, if nobody else changed the case meanwhile.
    pub(super) fn save(&self) -> Result<()> {
        let case = &self.case;
        let saved = self.tx.execute(
            "UPDATE casework SET state = ?3, process_state = ?4, amount_fen = ?5, explanation = ?6, \
             ended_at = ?7, version = version + 1 WHERE id = ?1 AND version = ?2",
            params![
                case.id, case.version, &case.state, &case.process_state, case.amount,
                case.explanation.as_ref().map(serde_json::Value::to_string), case.ended_at
            ],
        )?;
        if saved != 1 {
            return Err(changed_meanwhile());
        }
        if state::is_without_money(&case.state) {
            measure::leave_out(self.tx, case.id)?;
        }
        Ok(())
    }
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
struct Feel<'a> {
    context: &'a Context,
}

impl Conditions for Feel<'_> {
    fn holds(&mut self, flow: &Flow) -> Result<bool, ConditionError> {
        let Some(text) = &flow.condition else {
            return Ok(true);
        };
        let wrong = |message: String| ConditionError { message };
        let scope = self
            .context
            .iter()
            .fold(Scope::new(), |scope, (name, _)| scope.with(name));
        let expression = policy::parse_expression(text, &scope).map_err(|findings| {
            wrong(
                findings
                    .first()
                    .map_or_else(|| text.clone(), |finding| finding.message_zh.clone()),
            )
        })?;
        match expression.evaluate(self.context).value {
            Value::Bool(holds) => Ok(holds),
            _ => Err(wrong(format!("「{text}」没有得出是或否"))),
        }
    }
}
