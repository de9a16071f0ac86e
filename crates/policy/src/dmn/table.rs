//! Decision tables: all hit policies and aggregations.

use std::sync::Arc;

use super::trace::{CellTrace, MatchedRule};
use crate::feel::tree::{Node, UnaryTests};
use crate::feel::{Env, Number, Type, Value, coerce, equal, order};
use crate::finding::{Code, Fault};

/// How the results of met rules become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HitPolicy {
    Unique,
    Any,
    Priority,
    First,
    RuleOrder,
    OutputOrder,
    Collect,
    CollectSum,
    CollectCount,
    CollectMin,
    CollectMax,
}

/// A decision table.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) hit: HitPolicy,
    pub(crate) inputs: Vec<Input>,
    pub(crate) outputs: Vec<Output>,
    pub(crate) annotations: Vec<String>,
    pub(crate) rules: Vec<Rule>,
}

/// An input column.
#[derive(Debug)]
pub(crate) struct Input {
    pub(crate) label: String,
    pub(crate) node: Node,
    pub(crate) ty: Type,
    pub(crate) allowed: Option<Arc<UnaryTests>>,
}

/// An output column.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) name: Arc<str>,
    pub(crate) ty: Type,
    /// Allowed values, which order the results under PRIORITY and OUTPUT ORDER.
    pub(crate) allowed: Option<Arc<UnaryTests>>,
    pub(crate) default: Option<Node>,
}

/// A row.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) id: String,
    pub(crate) tests: Vec<UnaryTests>,
    pub(crate) outputs: Vec<Node>,
    pub(crate) annotations: Vec<String>,
}

/// A met rule with its outputs.
struct Hit {
    rule: usize,
    outputs: Vec<Value>,
}

impl Table {
    /// The table's value; the rules are added to the trace of the evaluation.
    pub(crate) fn evaluate(&self, env: &mut Env<'_>) -> Result<Value, Fault> {
        let inputs = self.input_values(env)?;
        let met = self.met_rules(env, &inputs)?;
        if met.is_empty() {
            return self.default(env);
        }
        let mut hits = Vec::with_capacity(met.len());
        for rule in met {
            hits.push(Hit {
                rule,
                outputs: self.outputs_of(env, rule)?,
            });
        }
        let (value, counted) = self.combine(env, hits)?;
        if env.tracing {
            for rule in counted {
                let trace = self.trace(rule, &inputs, None);
                env.rules.push(trace);
            }
        }
        Ok(value)
    }

    fn input_values(&self, env: &mut Env<'_>) -> Result<Vec<Value>, Fault> {
        let mut values = Vec::with_capacity(self.inputs.len());
        for input in &self.inputs {
            let value = env.eval(&input.node);
            let value = coerce(env, value, &input.ty)?;
            if let Some(allowed) = &input.allowed
                && !value.is_null()
                && env.meets_tests(&value, allowed) == Some(false)
            {
                return Err(Fault::new(
                    Code::NotAllowed,
                    format!("{} = {value}", input.label),
                ));
            }
            values.push(value);
        }
        Ok(values)
    }

    fn met_rules(&self, env: &mut Env<'_>, inputs: &[Value]) -> Result<Vec<usize>, Fault> {
        let mut met = Vec::new();
        for (index, rule) in self.rules.iter().enumerate() {
            env.spend(1)?;
            let all = rule
                .tests
                .iter()
                .zip(inputs)
                .all(|(tests, value)| env.meets_tests(value, tests) == Some(true));
            if all {
                met.push(index);
                if self.hit == HitPolicy::First && !(env.tracing && env.options.explain) {
                    break;
                }
            } else if env.tracing && env.options.explain {
                let cells: Vec<Option<bool>> = rule
                    .tests
                    .iter()
                    .zip(inputs)
                    .map(|(tests, value)| env.meets_tests(value, tests))
                    .collect();
                let trace = self.trace(index, inputs, Some(&cells));
                env.rules.push(trace);
            }
        }
        if self.hit == HitPolicy::First {
            met.truncate(1);
        }
        Ok(met)
    }

    /// The trace of a rule; `cells` where it was not met.
    fn trace(&self, index: usize, inputs: &[Value], cells: Option<&[Option<bool>]>) -> MatchedRule {
        let rule = self.rules.get(index);
        let tests = rule.map(|r| r.tests.as_slice()).unwrap_or_default();
        let columns = self.inputs.iter().zip(tests).zip(inputs).enumerate();
        let texts = rule.map(|r| r.annotations.as_slice()).unwrap_or_default();
        let names = self
            .annotations
            .iter()
            .map(String::as_str)
            .chain(std::iter::repeat(""));
        MatchedRule {
            index: index + 1,
            id: rule.map(|r| r.id.clone()).unwrap_or_default(),
            met: cells.is_none(),
            annotations: names
                .zip(texts)
                .map(|(name, text)| (name.to_owned(), text.clone()))
                .collect(),
            cells: columns
                .map(|(at, ((input, tests), value))| CellTrace {
                    input: input.label.clone(),
                    test: tests.text.to_string(),
                    value: value.clone(),
                    met: cells.map_or(Some(true), |cells| cells.get(at).copied().flatten()),
                })
                .collect(),
        }
    }

    fn outputs_of(&self, env: &mut Env<'_>, rule: usize) -> Result<Vec<Value>, Fault> {
        let nodes = self
            .rules
            .get(rule)
            .map(|r| r.outputs.as_slice())
            .unwrap_or_default();
        let mut values = Vec::with_capacity(nodes.len());
        for (node, output) in nodes.iter().zip(&self.outputs) {
            let value = env.eval(node);
            values.push(coerce(env, value, &output.ty)?);
        }
        Ok(values)
    }

    /// One value for one output, a context for several.
    fn assembled(&self, mut outputs: Vec<Value>) -> Value {
        if self.outputs.len() == 1 {
            return outputs.pop().unwrap_or(Value::Null);
        }
        let names = self.outputs.iter().map(|output| output.name.clone());
        Value::Context(names.zip(outputs).collect())
    }

    /// What holds where no rule is met.
    fn default(&self, env: &mut Env<'_>) -> Result<Value, Fault> {
        if self.outputs.iter().all(|output| output.default.is_none()) {
            return Err(Fault::new(Code::NoRule, ""));
        }
        let defaults: Vec<Value> = self
            .outputs
            .iter()
            .map(|output| {
                output
                    .default
                    .as_ref()
                    .map_or(Value::Null, |node| env.eval(node))
            })
            .collect();
        Ok(self.assembled(defaults))
    }

    /// The result of the hits and which rules count.
    fn combine(&self, env: &mut Env<'_>, mut hits: Vec<Hit>) -> Result<(Value, Vec<usize>), Fault> {
        let numbers = |hits: &[Hit]| {
            hits.iter()
                .map(|h| (h.rule + 1).to_string())
                .collect::<Vec<_>>()
                .join(", ")
        };
        match self.hit {
            HitPolicy::Unique if hits.len() > 1 => {
                return Err(Fault::new(Code::SeveralRules, numbers(&hits)));
            }
            HitPolicy::Any => {
                let agree = hits.iter().all(|hit| {
                    hits.first().is_some_and(|first| {
                        first
                            .outputs
                            .iter()
                            .zip(&hit.outputs)
                            .all(|(a, b)| equal(a, b) == Some(true))
                    })
                });
                if !agree {
                    return Err(Fault::new(Code::DifferentResults, numbers(&hits)));
                }
            }
            HitPolicy::Priority | HitPolicy::OutputOrder => self.sort_by_priority(env, &mut hits),
            _ => {}
        }
        let rules: Vec<usize> = hits.iter().map(|hit| hit.rule).collect();
        let single = matches!(
            self.hit,
            HitPolicy::Unique | HitPolicy::Any | HitPolicy::First | HitPolicy::Priority
        );
        let mut results = hits.into_iter().map(|hit| self.assembled(hit.outputs));
        if single {
            let first = results.next().unwrap_or(Value::Null);
            let counted = if self.hit == HitPolicy::Any {
                rules
            } else {
                rules.into_iter().take(1).collect()
            };
            return Ok((first, counted));
        }
        let results: Vec<Value> = results.collect();
        Ok((self.aggregated(results)?, rules))
    }

    fn aggregated(&self, results: Vec<Value>) -> Result<Value, Fault> {
        let extreme = |least: bool, results: Vec<Value>| {
            results
                .into_iter()
                .try_fold(None, |best: Option<Value>, value| match best {
                    None => Ok(Some(value)),
                    Some(best) => {
                        let order = order(&value, &best).ok_or_else(|| {
                            Fault::new(
                                Code::WrongType,
                                format!("{} ~ {}", value.kind(), best.kind()),
                            )
                        })?;
                        Ok(Some(
                            if (least && order.is_lt()) || (!least && order.is_gt()) {
                                value
                            } else {
                                best
                            },
                        ))
                    }
                })
        };
        match self.hit {
            HitPolicy::CollectCount => Ok(Value::from(
                i64::try_from(results.len()).unwrap_or(i64::MAX),
            )),
            HitPolicy::CollectSum => {
                let sum = results.iter().try_fold(Number::ZERO, |sum, value| {
                    let number = value
                        .as_number()
                        .ok_or_else(|| Fault::new(Code::WrongType, value.kind()))?;
                    sum.checked_add(number)
                        .ok_or_else(|| Fault::new(Code::Overflow, "C+"))
                })?;
                Ok(Value::Number(sum))
            }
            HitPolicy::CollectMin => Ok(Value::from(extreme(true, results)?)),
            HitPolicy::CollectMax => Ok(Value::from(extreme(false, results)?)),
            _ => Ok(Value::from(results)),
        }
    }

    /// Sorts by the order of the outputs' allowed values, the first output first.
    fn sort_by_priority(&self, env: &mut Env<'_>, hits: &mut [Hit]) {
        let orders: Vec<Vec<Value>> = self
            .outputs
            .iter()
            .map(|output| allowed_order(env, output))
            .collect();
        let key = |hit: &Hit| -> Vec<usize> {
            let rank = |(order, value): (&Vec<Value>, &Value)| {
                order
                    .iter()
                    .position(|v| equal(v, value) == Some(true))
                    .unwrap_or(usize::MAX)
            };
            orders.iter().zip(&hit.outputs).map(rank).collect()
        };
        hits.sort_by_cached_key(key);
    }
}

fn allowed_order(env: &mut Env<'_>, output: &Output) -> Vec<Value> {
    let defined = match &output.ty {
        Type::Defined(defined) => defined.allowed.as_ref(),
        _ => None,
    };
    let Some(tests) = output.allowed.as_ref().or(defined) else {
        return Vec::new();
    };
    tests
        .tests
        .iter()
        .map(|test| env.eval(test.node()))
        .collect()
}
