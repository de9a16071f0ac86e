//! `for`, `some`, `every`: the variables run over lists and ranges, bounded by the steps of the
//! evaluation.

use super::evaluate::{Env, MAX_ITEMS};
use super::list::List;
use super::number::Number;
use super::range::{Range, RangeKind};
use super::tree::{Domain, Iteration, Node};
use super::value::Value;
use crate::finding::{Code, Fault};

impl Env<'_> {
    pub(crate) fn eval_for(
        &mut self,
        iterations: &[Iteration],
        uses_partial: bool,
        body: &Node,
    ) -> Result<Value, Fault> {
        let mut results = Vec::new();
        self.with(Value::Null, |env| {
            env.each(iterations, &mut |env| {
                if uses_partial {
                    env.spend(results.len())?;
                    env.set_below(iterations.len(), Value::list(results.iter().cloned()));
                }
                results.push(env.eval(body));
                if results.len() > MAX_ITEMS {
                    Err(Fault::new(Code::Limit, "for"))
                } else {
                    Ok(true)
                }
            })
        })?;
        Ok(Value::from(results))
    }

    pub(crate) fn eval_quantified(
        &mut self,
        every: bool,
        iterations: &[Iteration],
        test: &Node,
    ) -> Result<Value, Fault> {
        let mut unknown = false;
        let mut decided = false;
        self.each(iterations, &mut |env| {
            match env.eval(test) {
                Value::Bool(met) => decided |= met != every,
                Value::Null => unknown = true,
                other => {
                    return Err(Fault::new(
                        Code::WrongType,
                        format!("satisfies {}", other.kind()),
                    ));
                }
            }
            Ok(!decided)
        })?;
        Ok(if decided {
            Value::Bool(!every)
        } else if unknown {
            Value::Null
        } else {
            Value::Bool(every)
        })
    }

    /// Runs `work` for each combination, the last variable fastest, while it says to go on.
    fn each(
        &mut self,
        iterations: &[Iteration],
        work: &mut dyn FnMut(&mut Self) -> Result<bool, Fault>,
    ) -> Result<bool, Fault> {
        let Some((iteration, rest)) = iterations.split_first() else {
            self.spend(1)?;
            return work(self);
        };
        match self.run_of(&iteration.domain)? {
            Run::Items(items) => {
                for item in items.iter() {
                    self.spend(1)?;
                    if !self.with(item.clone(), |env| env.each(rest, work))? {
                        return Ok(false);
                    }
                }
            }
            Run::Steps { from, to, make } => {
                let down = to < from;
                let mut at = from;
                loop {
                    self.spend(1)?;
                    if !self.with(make(at), |env| env.each(rest, work))? {
                        return Ok(false);
                    }
                    if at == to {
                        break;
                    }
                    at += if down { -1 } else { 1 };
                }
            }
        }
        Ok(true)
    }

    fn run_of(&mut self, domain: &Domain) -> Result<Run, Fault> {
        match domain {
            Domain::Steps(from, to) => {
                let (from, to) = (self.eval(from), self.eval(to));
                steps(&from, &to)
            }
            Domain::Values(node) => match self.eval(node) {
                Value::List(items) => Ok(Run::Items(items)),
                Value::Range(range) => steps_of_range(&range),
                Value::Null => Err(Fault::new(Code::NullOperand, "in")),
                single => Ok(Run::Items(List::from(vec![single]))),
            },
        }
    }
}

/// What a variable runs over.
enum Run {
    Items(List),
    Steps {
        from: i64,
        to: i64,
        make: fn(i64) -> Value,
    },
}

fn number(at: i64) -> Value {
    Value::Number(Number::from(at))
}

fn date(at: i64) -> Value {
    super::date::Date::from_days_since_epoch(at).map_or(Value::Null, Value::Date)
}

fn steps(from: &Value, to: &Value) -> Result<Run, Fault> {
    let fault = || Fault::new(Code::WrongType, format!("{}..{}", from.kind(), to.kind()));
    match (from, to) {
        (Value::Number(from), Value::Number(to)) => Ok(Run::Steps {
            from: from.to_i64().ok_or_else(fault)?,
            to: to.to_i64().ok_or_else(fault)?,
            make: number,
        }),
        (Value::Date(from), Value::Date(to)) => Ok(Run::Steps {
            from: from.days_since_epoch(),
            to: to.days_since_epoch(),
            make: date,
        }),
        _ => Err(fault()),
    }
}

/// A range as a domain runs upwards over its whole numbers or days.
fn steps_of_range(range: &Range) -> Result<Run, Fault> {
    let fault = || Fault::new(Code::OutOfRange, range.to_string());
    if range.kind != RangeKind::Ends {
        return Err(fault());
    }
    match steps(&range.start, &range.end)? {
        Run::Steps { from, to, make } if from <= to => {
            let from = if range.start_included { from } else { from + 1 };
            let to = if range.end_included { to } else { to - 1 };
            if from > to {
                Ok(Run::Items(List::from(Vec::new())))
            } else {
                Ok(Run::Steps { from, to, make })
            }
        }
        _ => Err(fault()),
    }
}
