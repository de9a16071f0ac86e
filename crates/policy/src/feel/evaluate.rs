//! Evaluation of the tree: one stack, slots resolved beforehand, null with a recorded reason.
//!
//! Depth, steps and the number of reasons are bounded, so that no input can exhaust the program.

use std::sync::Arc;

use super::arithmetic;
use super::coerce::{coerce, instance_of};
use super::compare::{equal, order};
use super::function::{Closure, Function};
use super::list::{Extent, List};
use super::properties::property;
use super::range::{Range, RangeKind};
use super::time::DateTime;
use super::tree::{Arithmetic, Comparison, Kind, Node, Test, UnaryTests};
use super::types::Type;
use super::value::Value;
use crate::dmn::Core;
use crate::dmn::{MatchedRule, StepTrace};
use crate::finding::{Code, Fault, Reason};

/// Deepest recursion of evaluation.
const MAX_DEPTH: usize = 300;
/// Most nodes evaluated and items visited in one evaluation.
const MAX_STEPS: u64 = 4_000_000;
/// Most reasons kept.
const MAX_REASONS: usize = 100;
/// Longest list that an operation makes.
pub(crate) const MAX_ITEMS: usize = 1_000_000;
/// Longest text that an operation makes, in bytes.
pub(crate) const MAX_TEXT: usize = 4_000_000;

/// What an evaluation is given besides its input.
#[derive(Clone, Debug, Default)]
pub struct EvalOptions {
    /// The moment that `now()` and `today()` give; they are null without it.
    pub now: Option<DateTime>,
    /// Whether the rules that were not met are traced as well, with each cell.
    pub explain: bool,
}

/// The state of one evaluation.
pub(crate) struct Env<'m> {
    stack: Vec<Value>,
    base: usize,
    depth: usize,
    steps: u64,
    pub(crate) options: &'m EvalOptions,
    pub(crate) model: Option<&'m Core>,
    pub(crate) nulls: Vec<Reason>,
    /// The element that reasons are about.
    pub(crate) element: Arc<str>,
    /// Rules of the tables evaluated for the current decision.
    pub(crate) rules: Vec<MatchedRule>,
    /// Decisions evaluated so far.
    pub(crate) trace: Vec<StepTrace>,
    /// Whether rules and decisions are traced.
    pub(crate) tracing: bool,
    /// How many decision services are under evaluation within each other.
    pub(crate) services: usize,
}

impl<'m> Env<'m> {
    pub(crate) fn new(options: &'m EvalOptions, model: Option<&'m Core>) -> Self {
        Env {
            stack: Vec::new(),
            base: 0,
            depth: 0,
            steps: 0,
            options,
            model,
            nulls: Vec::new(),
            element: Arc::from(""),
            rules: Vec::new(),
            trace: Vec::new(),
            tracing: true,
            services: 0,
        }
    }

    /// Runs `work` in a frame of its own that begins with `values`.
    pub(crate) fn in_frame<T>(
        &mut self,
        values: impl IntoIterator<Item = Value>,
        work: impl FnOnce(&mut Self) -> T,
    ) -> T {
        let outer = std::mem::replace(&mut self.base, self.stack.len());
        self.stack.extend(values);
        let result = work(self);
        self.stack.truncate(self.base);
        self.base = outer;
        result
    }

    /// Runs `work` with one more value on the stack.
    pub(crate) fn with<T>(&mut self, value: Value, work: impl FnOnce(&mut Self) -> T) -> T {
        let height = self.stack.len();
        self.stack.push(value);
        let result = work(self);
        self.stack.truncate(height);
        result
    }

    /// Replaces the value that lies so far below the top of the stack.
    pub(crate) fn set_below(&mut self, below: usize, value: Value) {
        let height = self.stack.len();
        if let Some(slot) = height
            .checked_sub(below + 1)
            .and_then(|at| self.stack.get_mut(at))
        {
            *slot = value;
        }
    }

    /// Counts work; false when the evaluation has used up its steps.
    pub(crate) fn charge(&mut self, steps: usize) -> bool {
        self.steps = self.steps.saturating_add(steps as u64);
        self.steps <= MAX_STEPS
    }

    /// Counts work.
    ///
    /// # Errors
    /// When the evaluation has used up its steps.
    pub(crate) fn spend(&mut self, steps: usize) -> Result<(), Fault> {
        if self.charge(steps) {
            Ok(())
        } else {
            Err(Fault::new(Code::Limit, ""))
        }
    }

    /// Null with its reason.
    pub(crate) fn null(&mut self, at: u32, fault: Fault) -> Value {
        if self.nulls.len() < MAX_REASONS {
            let element = self.element.to_string();
            self.nulls.push(Reason {
                code: fault.code,
                detail: fault.detail,
                element,
                offset: at,
            });
        }
        Value::Null
    }

    fn checked(&mut self, node: &Node, result: Result<Value, Fault>) -> Value {
        match result {
            Ok(value) if value.extent().fits() => value,
            Ok(_) => self.beyond(node),
            Err(fault) => self.null(node.at, fault),
        }
    }

    fn beyond(&mut self, node: &Node) -> Value {
        self.null(node.at, Fault::new(Code::Limit, ""))
    }

    fn slot(&self, slot: usize) -> Value {
        self.stack
            .get(self.base + slot)
            .cloned()
            .unwrap_or(Value::Null)
    }

    /// Evaluates a node.
    pub(crate) fn eval(&mut self, node: &Node) -> Value {
        match &node.kind {
            Kind::Const(value) => value.clone(),
            Kind::Slot(slot) => self.slot(*slot),
            _ => {
                if self.depth >= MAX_DEPTH || !self.charge(1) {
                    return self.beyond(node);
                }
                self.depth += 1;
                let result = self.eval_inner(node);
                self.depth -= 1;
                self.checked(node, result)
            }
        }
    }

    /// Sends each kind to its own function, which keeps the frames of deep recursion small.
    fn eval_inner(&mut self, node: &Node) -> Result<Value, Fault> {
        match &node.kind {
            Kind::Const(value) => Ok(value.clone()),
            Kind::Slot(slot) => Ok(self.slot(*slot)),
            Kind::Arithmetic(operator, left, right) => self.eval_arithmetic(*operator, left, right),
            Kind::Compare(operator, left, right) => self.eval_compare(*operator, left, right),
            Kind::And(left, right) => Ok(self.connect(left, right, false)),
            Kind::Or(left, right) => Ok(self.connect(left, right, true)),
            Kind::If {
                condition,
                then,
                otherwise,
            } => self.eval_if(condition, then, otherwise),
            Kind::Path { of, name } => self.eval_path(of, name),
            Kind::Member {
                slot,
                name,
                otherwise,
            } => self.member(*slot, name, otherwise.as_deref()),
            Kind::Table(table) => table.evaluate(self),
            Kind::Call {
                function,
                arguments,
            } => self.eval_call(function, arguments),
            Kind::Negate(operand) => self.eval_negate(operand),
            Kind::Coerce(inner, ty) => self.eval_coerce(inner, ty),
            Kind::Between { value, low, high } => self.eval_between(value, low, high),
            Kind::In { value, tests } => self.eval_in(value, tests),
            Kind::Range {
                start,
                start_included,
                end,
                end_included,
            } => self.eval_range((start, *start_included), (end, *end_included)),
            Kind::HalfRange {
                kind,
                included,
                end,
            } => self.eval_half_range(*kind, *included, end),
            Kind::List(items) => Ok(self.eval_list(items)),
            Kind::Context { entries, result } => Ok(self.eval_context(entries, result.as_deref())),
            Kind::Filter { list, test } => self.eval_filter(list, test),
            Kind::For {
                iterations,
                uses_partial,
                body,
            } => self.eval_for(iterations, *uses_partial, body),
            Kind::Quantified {
                every,
                iterations,
                test,
            } => self.eval_quantified(*every, iterations, test),
            Kind::Lambda { .. } => self.eval_lambda(node),
            Kind::InstanceOf(value, ty) => Ok(self.eval_instance(value, ty)),
            Kind::Broken(code, detail) => Err(Fault::new(*code, &**detail)),
        }
    }

    fn eval_arithmetic(
        &mut self,
        operator: Arithmetic,
        left: &Node,
        right: &Node,
    ) -> Result<Value, Fault> {
        let left = self.eval(left);
        let right = self.eval(right);
        arithmetic::apply(operator, &left, &right)
    }

    fn eval_compare(
        &mut self,
        operator: Comparison,
        left: &Node,
        right: &Node,
    ) -> Result<Value, Fault> {
        let left = self.eval(left);
        let right = self.eval(right);
        self.spend(left.extent().weight.min(right.extent().weight) as usize)?;
        compare(operator, &left, &right)
    }

    fn eval_if(&mut self, condition: &Node, then: &Node, otherwise: &Node) -> Result<Value, Fault> {
        match self.eval(condition) {
            Value::Bool(true) => Ok(self.eval(then)),
            Value::Bool(false) | Value::Null => Ok(self.eval(otherwise)),
            other => Err(Fault::new(Code::WrongType, format!("if {}", other.kind()))),
        }
    }

    fn eval_path(&mut self, of: &Node, name: &str) -> Result<Value, Fault> {
        let value = self.eval(of);
        path(&value, name)
    }

    fn eval_negate(&mut self, operand: &Node) -> Result<Value, Fault> {
        let operand = self.eval(operand);
        arithmetic::negate(&operand)
    }

    fn eval_coerce(&mut self, inner: &Node, ty: &Type) -> Result<Value, Fault> {
        let value = self.eval(inner);
        coerce(self, value, ty)
    }

    fn eval_between(&mut self, value: &Node, low: &Node, high: &Node) -> Result<Value, Fault> {
        let value = self.eval(value);
        let low = self.eval(low);
        let high = self.eval(high);
        between(&value, &low, &high)
    }

    fn eval_in(&mut self, value: &Node, tests: &[Test]) -> Result<Value, Fault> {
        let value = self.eval(value);
        match self.any_met(&value, tests) {
            Some(met) => Ok(Value::Bool(met)),
            None => Err(Fault::new(Code::WrongType, format!("{} in", value.kind()))),
        }
    }

    fn eval_range(&mut self, start: (&Node, bool), end: (&Node, bool)) -> Result<Value, Fault> {
        let lower = self.eval(start.0);
        let upper = self.eval(end.0);
        make_range(lower, start.1, upper, end.1)
    }

    fn eval_half_range(
        &mut self,
        kind: RangeKind,
        included: bool,
        end: &Node,
    ) -> Result<Value, Fault> {
        let end = self.eval(end);
        Ok(half_range(kind, included, end))
    }

    fn eval_list(&mut self, items: &[Node]) -> Value {
        let items: Vec<Value> = items.iter().map(|item| self.eval(item)).collect();
        Value::from(items)
    }

    fn eval_lambda(&mut self, node: &Node) -> Result<Value, Fault> {
        let Kind::Lambda {
            name,
            parameters,
            body,
            result,
        } = &node.kind
        else {
            return Err(Fault::new(Code::NotAFunction, ""));
        };
        let captured = self.stack.get(self.base..).unwrap_or_default().to_vec();
        Ok(Value::Function(Function::Closure(Arc::new(Closure {
            name: name.clone(),
            parameters: parameters.clone(),
            body: body.clone(),
            extent: Extent::around(&captured),
            captured,
            result: result.clone(),
        }))))
    }

    fn eval_instance(&mut self, value: &Node, ty: &Type) -> Value {
        let value = self.eval(value);
        Value::Bool(instance_of(&value, ty))
    }

    /// Three-valued `and` (`decides` false) and `or` (`decides` true); what is no truth value is null.
    fn connect(&mut self, left: &Node, right: &Node, decides: bool) -> Value {
        let first = self.eval(left).as_bool();
        if first == Some(decides) {
            return Value::Bool(decides);
        }
        let second = self.eval(right).as_bool();
        if second == Some(decides) {
            return Value::Bool(decides);
        }
        if first.is_some() && second.is_some() {
            Value::Bool(!decides)
        } else {
            Value::Null
        }
    }

    fn member(
        &mut self,
        slot: usize,
        name: &str,
        otherwise: Option<&Node>,
    ) -> Result<Value, Fault> {
        if let Value::Context(context) = self.slot(slot)
            && let Some(value) = context.get(name)
        {
            return Ok(value.clone());
        }
        match otherwise {
            Some(node) => Ok(self.eval(node)),
            None => Err(Fault::new(Code::NoSuchEntry, name)),
        }
    }

    fn eval_context(&mut self, entries: &[(Arc<str>, Node)], result: Option<&Node>) -> Value {
        let height = self.stack.len();
        for (_, node) in entries {
            let value = self.eval(node);
            self.stack.push(value);
        }
        let value = match result {
            Some(node) => self.eval(node),
            None => {
                let values = self.stack.get(height..).unwrap_or_default().iter().cloned();
                let names = entries.iter().map(|(name, _)| name.clone());
                Value::Context(names.zip(values).collect())
            }
        };
        self.stack.truncate(height);
        value
    }

    fn eval_filter(&mut self, list: &Node, test: &Node) -> Result<Value, Fault> {
        let list = match self.eval(list) {
            Value::Null => return Ok(Value::Null),
            Value::List(items) => items,
            single => List::from(vec![single]),
        };
        let first = list.first().cloned().unwrap_or(Value::Null);
        let decided = self.with(first, |env| env.eval(test));
        if let Value::Number(position) = decided {
            return item_at(&list, position.to_i64());
        }
        let mut kept = Vec::new();
        for (index, item) in list.iter().enumerate() {
            self.spend(1)?;
            let met = if index == 0 {
                decided.clone()
            } else {
                self.with(item.clone(), |env| env.eval(test))
            };
            match met {
                Value::Bool(true) => kept.push(item.clone()),
                Value::Bool(false) | Value::Null => {}
                other => return Err(Fault::new(Code::WrongType, format!("[{}]", other.kind()))),
            }
        }
        Ok(Value::from(kept))
    }

    // Unary tests.

    /// Whether a value meets unary tests; `None` where that cannot be said.
    pub(crate) fn meets_tests(&mut self, value: &Value, tests: &UnaryTests) -> Option<bool> {
        if tests.any {
            return Some(true);
        }
        let met = self.with(value.clone(), |env| env.any_met(value, &tests.tests));
        if tests.negated {
            met.map(|met| !met)
        } else {
            met
        }
    }

    /// Three-valued disjunction over tests.
    fn any_met(&mut self, value: &Value, tests: &[Test]) -> Option<bool> {
        let mut unknown = false;
        for test in tests {
            match self.meets(value, test) {
                Some(true) => return Some(true),
                Some(false) => {}
                None => unknown = true,
            }
        }
        if unknown { None } else { Some(false) }
    }

    fn meets(&mut self, value: &Value, test: &Test) -> Option<bool> {
        let tested = self.eval(test.node());
        match test {
            Test::Compare(operator, _) => compare(*operator, value, &tested).ok()?.as_bool(),
            Test::Condition(_) => tested.as_bool(),
            Test::Value(_) => meets_value(value, &tested),
        }
    }
}

/// Whether a value equals another, is in a list or lies in a range.
pub(crate) fn meets_value(value: &Value, tested: &Value) -> Option<bool> {
    match tested {
        Value::Range(range) if !matches!(value, Value::Range(_)) => range.includes(value),
        Value::List(items) => {
            if matches!(value, Value::List(_)) && equal(value, tested) == Some(true) {
                return Some(true);
            }
            let met = items.iter().any(|item| match item {
                Value::Range(range) if !matches!(value, Value::Range(_)) => {
                    range.includes(value) == Some(true)
                }
                item => equal(value, item) == Some(true),
            });
            Some(met)
        }
        _ => equal(value, tested),
    }
}

pub(crate) fn compare(operator: Comparison, left: &Value, right: &Value) -> Result<Value, Fault> {
    let fault = || {
        Fault::new(
            Code::WrongType,
            format!("{} ~ {}", left.kind(), right.kind()),
        )
    };
    let ordered = || order(left, right).ok_or_else(fault);
    Ok(Value::Bool(match operator {
        Comparison::Equal => equal(left, right).ok_or_else(fault)?,
        Comparison::NotEqual => !equal(left, right).ok_or_else(fault)?,
        Comparison::Less => ordered()?.is_lt(),
        Comparison::LessOrEqual => ordered()?.is_le() || equal(left, right) == Some(true),
        Comparison::Greater => ordered()?.is_gt(),
        Comparison::GreaterOrEqual => ordered()?.is_ge() || equal(left, right) == Some(true),
    }))
}

fn between(value: &Value, low: &Value, high: &Value) -> Result<Value, Fault> {
    let fault = || Fault::new(Code::WrongType, format!("{} between", value.kind()));
    let above = order(value, low).ok_or_else(fault)?.is_ge();
    let below = order(value, high).ok_or_else(fault)?.is_le();
    Ok(Value::Bool(above && below))
}

fn make_range(
    start: Value,
    start_included: bool,
    end: Value,
    end_included: bool,
) -> Result<Value, Fault> {
    let fits = start.is_null() || end.is_null() || order(&start, &end).is_some();
    if !fits {
        return Err(Fault::new(
            Code::WrongType,
            format!("{}..{}", start.kind(), end.kind()),
        ));
    }
    Ok(Value::Range(Arc::new(Range::ends(
        start,
        start_included,
        end,
        end_included,
    ))))
}

fn half_range(kind: RangeKind, included: bool, end: Value) -> Value {
    let (start, end) = match kind {
        RangeKind::Below => (Value::Null, end),
        RangeKind::Above => (end, Value::Null),
        RangeKind::Equal | RangeKind::NotEqual | RangeKind::Ends => (end.clone(), end),
    };
    let (start_included, end_included) = match kind {
        RangeKind::Below => (false, included),
        RangeKind::Above => (included, false),
        RangeKind::Equal | RangeKind::NotEqual | RangeKind::Ends => (included, included),
    };
    Value::Range(Arc::new(Range {
        kind,
        start,
        start_included,
        end,
        end_included,
    }))
}

/// The item at a position from 1, or from the end for a negative one.
pub(crate) fn item_at(list: &[Value], position: Option<i64>) -> Result<Value, Fault> {
    let fault = || Fault::new(Code::OutOfRange, "[]");
    let position = position.ok_or_else(fault)?;
    let length = i64::try_from(list.len()).map_err(|_| fault())?;
    let index = if position > 0 {
        position - 1
    } else {
        length + position
    };
    if position == 0 {
        return Err(fault());
    }
    usize::try_from(index)
        .ok()
        .and_then(|index| list.get(index))
        .cloned()
        .ok_or_else(fault)
}

fn path(value: &Value, name: &str) -> Result<Value, Fault> {
    match value {
        Value::Context(context) => context
            .get(name)
            .cloned()
            .ok_or_else(|| Fault::new(Code::NoSuchEntry, name)),
        Value::List(items) => Ok(Value::list(
            items
                .iter()
                .map(|item| path(item, name).unwrap_or(Value::Null)),
        )),
        other => property(other, name),
    }
}
