//! A model: its elements, and their evaluation along the requirements.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::trace::{Evaluation, StepKind, StepTrace};
use crate::feel::tree::{Kind, Node};
use crate::feel::{
    Context, Env, EvalOptions, Evaluated, Function, Parameter, ServiceFunction, Type, Value, coerce,
};
use crate::finding::{Code, Fault, Finding};

/// Deepest nesting of decision services that call each other.
const MAX_SERVICES: usize = 16;

/// A model that was read, and everything found on the way.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// The model, unless the file is none.
    pub model: Option<Model>,
    /// Errors and warnings with their places.
    pub findings: Vec<Finding>,
}

/// A DMN model; cloning shares.
#[derive(Clone, Debug)]
pub struct Model(Arc<Core>);

/// An input of a model.
#[derive(Clone, Debug)]
pub struct InputData {
    /// Name.
    pub name: String,
    /// Declared type.
    pub ty: Type,
}

/// The elements of one or more models, requirements resolved to positions.
#[derive(Debug)]
pub(crate) struct Core {
    elements: Vec<Drg>,
    /// Elements of the main model by name, decisions before others.
    by_name: BTreeMap<Arc<str>, usize>,
    main: String,
}

/// An element of the requirements graph.
#[derive(Debug)]
pub(crate) struct Drg {
    pub(crate) name: Arc<str>,
    /// Name of its variable, as others see it.
    pub(crate) variable: Arc<str>,
    pub(crate) namespace: String,
    pub(crate) ty: Type,
    pub(crate) requires: Vec<usize>,
    /// The frame of its logic, in order.
    pub(crate) sees: Vec<(Arc<str>, Seen)>,
    pub(crate) body: Body,
}

/// What a name in the frame stands for.
#[derive(Debug)]
pub(crate) enum Seen {
    Element(usize),
    /// An imported model: its required elements by name.
    Import(Arc<[(Arc<str>, usize)]>),
}

/// What an element is.
#[derive(Debug)]
pub(crate) enum Body {
    Input,
    Decision {
        logic: Option<Node>,
    },
    Knowledge {
        function: Option<Node>,
    },
    Service {
        inputs: Vec<usize>,
        outputs: Vec<usize>,
    },
}

/// Values of elements within one evaluation.
struct Memo<'i> {
    values: Vec<Progress>,
    input: Option<&'i Context>,
}

/// How far an element has come.
#[derive(Clone)]
enum Progress {
    Fresh,
    /// Waiting for what it requires.
    Open,
    Done(Value),
}

impl Model {
    pub(crate) fn new(core: Core) -> Model {
        Model(Arc::new(core))
    }

    /// Names of the decisions of the main model, in the order of the file.
    pub fn decisions(&self) -> Vec<String> {
        let main = self
            .0
            .elements
            .iter()
            .filter(|drg| drg.namespace == self.0.main);
        main.filter(|drg| matches!(drg.body, Body::Decision { .. }))
            .map(|drg| drg.name.to_string())
            .collect()
    }

    /// Inputs of the main model, in the order of the file.
    pub fn input_data(&self) -> Vec<InputData> {
        let main = self
            .0
            .elements
            .iter()
            .filter(|drg| drg.namespace == self.0.main);
        main.filter(|drg| matches!(drg.body, Body::Input))
            .map(|drg| InputData {
                name: drg.name.to_string(),
                ty: drg.ty.clone(),
            })
            .collect()
    }

    /// Evaluates a decision (or a decision service or business knowledge model) for its inputs by
    /// name. An input that is not given is null; so is a decision that the model does not have.
    pub fn evaluate(&self, decision: &str, input: &Context) -> Evaluation {
        self.evaluate_with(decision, input, &EvalOptions::default())
    }

    /// The same with a current moment, or with the rules that were not met.
    pub fn evaluate_with(
        &self,
        decision: &str,
        input: &Context,
        options: &EvalOptions,
    ) -> Evaluation {
        let mut env = Env::new(options, Some(&*self.0));
        let value = self.run(&mut env, decision, input);
        Evaluation {
            value,
            steps: env.trace,
            nulls: env.nulls,
        }
    }

    /// The value alone, without a trace: for many inputs in a row.
    pub fn value(&self, decision: &str, input: &Context, options: &EvalOptions) -> Evaluated {
        let mut env = Env::new(options, Some(&*self.0));
        env.tracing = false;
        let value = self.run(&mut env, decision, input);
        Evaluated {
            value,
            nulls: env.nulls,
        }
    }

    fn run(&self, env: &mut Env<'_>, decision: &str, input: &Context) -> Value {
        match self.0.by_name.get(decision) {
            Some(index) => self.0.invoke(env, *index, input),
            None => env.null(0, Fault::new(Code::UnknownName, decision)),
        }
    }
}

impl Core {
    pub(crate) fn new(elements: Vec<Drg>, main: String) -> Core {
        let mut by_name = BTreeMap::new();
        for wanted in [true, false] {
            for (index, drg) in elements.iter().enumerate() {
                let decides = matches!(drg.body, Body::Decision { .. });
                if decides == wanted && drg.namespace == main {
                    by_name.entry(drg.name.clone()).or_insert(index);
                }
            }
        }
        Core {
            elements,
            by_name,
            main,
        }
    }

    /// A finding for each element that requires itself.
    pub(crate) fn cycles(&self) -> Vec<Finding> {
        let mut state = vec![0u8; self.elements.len()];
        let mut findings = Vec::new();
        for start in 0..self.elements.len() {
            let mut path: Vec<(usize, usize)> = vec![(start, 0)];
            while let Some((at, next)) = path.pop() {
                let seen = state.get(at).copied().unwrap_or(2);
                if seen == 2 {
                    continue;
                }
                let required = self
                    .elements
                    .get(at)
                    .and_then(|drg| drg.requires.get(next))
                    .copied();
                if let Some(slot) = state.get_mut(at) {
                    *slot = if required.is_some() { 1 } else { 2 };
                }
                let Some(required) = required else { continue };
                path.push((at, next + 1));
                match state.get(required) {
                    Some(0) => path.push((required, 0)),
                    Some(1) => {
                        let name = self.elements.get(required).map_or("", |drg| &*drg.name);
                        findings.push(Finding::error(Code::Cycle, name, 0, 0, name));
                    }
                    _ => {}
                }
            }
        }
        findings
    }

    fn memo<'i>(&self, input: Option<&'i Context>) -> Memo<'i> {
        Memo {
            values: vec![Progress::Fresh; self.elements.len()],
            input,
        }
    }

    /// Evaluates an element for inputs by name.
    fn invoke(&self, env: &mut Env<'_>, index: usize, input: &Context) -> Value {
        let mut memo = self.memo(Some(input));
        match self.elements.get(index).map(|drg| &drg.body) {
            Some(Body::Service { inputs, outputs }) => {
                let result = self.bind_by_name(env, &mut memo, inputs, input);
                match result {
                    Ok(()) => self.service_result(env, &mut memo, index, outputs),
                    Err(fault) => env.null(0, fault),
                }
            }
            Some(Body::Knowledge { .. }) => {
                let Value::Function(function) = self.settle(env, &mut memo, index) else {
                    return Value::Null;
                };
                let Function::Closure(closure) = &function else {
                    return Value::Null;
                };
                let arguments = closure
                    .parameters
                    .iter()
                    .map(|p| input.get(&p.name).cloned().unwrap_or(Value::Null))
                    .collect();
                env.call(&function, arguments)
                    .unwrap_or_else(|fault| env.null(0, fault))
            }
            _ => self.settle(env, &mut memo, index),
        }
    }

    fn bind_by_name(
        &self,
        env: &mut Env<'_>,
        memo: &mut Memo<'_>,
        inputs: &[usize],
        given: &Context,
    ) -> Result<(), Fault> {
        for index in inputs {
            let Some(drg) = self.elements.get(*index) else {
                continue;
            };
            let value = given
                .get(&drg.variable)
                .or(given.get(&drg.name))
                .cloned()
                .unwrap_or(Value::Null);
            let value = coerce(env, value, &drg.ty)?;
            memo.set(*index, value);
        }
        Ok(())
    }

    fn service_result(
        &self,
        env: &mut Env<'_>,
        memo: &mut Memo<'_>,
        service: usize,
        outputs: &[usize],
    ) -> Value {
        let value = if let [single] = outputs {
            self.settle(env, memo, *single)
        } else {
            let mut context = Context::new();
            for output in outputs {
                let value = self.settle(env, memo, *output);
                let name = self
                    .elements
                    .get(*output)
                    .map(|drg| drg.variable.clone())
                    .unwrap_or_default();
                context.insert(name, value);
            }
            Value::Context(context)
        };
        let ty = match self.elements.get(service).map(|drg| drg.ty.base().clone()) {
            Some(Type::Function(function)) => function.result.clone(),
            Some(ty) => self.elements.get(service).map_or(ty, |drg| drg.ty.clone()),
            None => Type::Any,
        };
        coerce(env, value, &ty).unwrap_or_else(|fault| env.null(0, fault))
    }

    /// The value of an element, requirements first. No recursion: chains may be long.
    fn settle(&self, env: &mut Env<'_>, memo: &mut Memo<'_>, target: usize) -> Value {
        let mut path = vec![target];
        while let Some(index) = path.last().copied() {
            if memo.get(index).is_some() {
                path.pop();
                continue;
            }
            let Some(drg) = self.elements.get(index) else {
                return Value::Null;
            };
            memo.open(index);
            let waiting = drg
                .requires
                .iter()
                .copied()
                .find(|required| memo.get(*required).is_none());
            match waiting {
                Some(required) if memo.is_open(required) => {
                    env.element = drg.name.clone();
                    let value = env.null(0, Fault::new(Code::Cycle, &*drg.name));
                    memo.set(required, value);
                }
                Some(required) => path.push(required),
                None => {
                    let value = self.compute(env, memo, index, drg);
                    memo.set(index, value);
                    path.pop();
                }
            }
        }
        memo.get(target).cloned().unwrap_or(Value::Null)
    }

    fn compute(&self, env: &mut Env<'_>, memo: &Memo<'_>, index: usize, drg: &Drg) -> Value {
        let outer = std::mem::replace(&mut env.element, drg.name.clone());
        let value = match &drg.body {
            Body::Input => self.input(env, memo, drg),
            Body::Decision { logic } => self.decide(env, memo, drg, logic.as_ref()),
            Body::Knowledge {
                function: Some(node),
            } => {
                let frame = self.frame(memo, drg);
                env.in_frame(frame, |env| env.eval(node))
            }
            Body::Knowledge { function: None } => {
                env.null(0, Fault::new(Code::NoLogic, &*drg.name))
            }
            Body::Service { inputs, .. } => {
                let parameter = |index: &usize| {
                    let drg = self.elements.get(*index)?;
                    Some(Parameter {
                        name: drg.variable.clone(),
                        ty: drg.ty.clone(),
                    })
                };
                Value::Function(Function::Service(Arc::new(ServiceFunction {
                    name: drg.name.clone(),
                    element: index,
                    parameters: inputs.iter().filter_map(parameter).collect(),
                })))
            }
        };
        env.element = outer;
        value
    }

    fn input(&self, env: &mut Env<'_>, memo: &Memo<'_>, drg: &Drg) -> Value {
        let given = memo
            .input
            .and_then(|input| input.get(&drg.variable).or_else(|| input.get(&drg.name)));
        match given {
            Some(value) => {
                coerce(env, value.clone(), &drg.ty).unwrap_or_else(|fault| env.null(0, fault))
            }
            None => env.null(0, Fault::new(Code::MissingInput, &*drg.name)),
        }
    }

    fn frame(&self, memo: &Memo<'_>, drg: &Drg) -> Vec<Value> {
        let value = |index: usize| memo.get(index).cloned().unwrap_or(Value::Null);
        drg.sees
            .iter()
            .map(|(_, seen)| match seen {
                Seen::Element(index) => value(*index),
                Seen::Import(members) => Value::Context(
                    members
                        .iter()
                        .map(|(name, index)| (name.clone(), value(*index)))
                        .collect(),
                ),
            })
            .collect()
    }

    fn decide(&self, env: &mut Env<'_>, memo: &Memo<'_>, drg: &Drg, logic: Option<&Node>) -> Value {
        let frame = self.frame(memo, drg);
        if !env.tracing {
            return self.logic(env, drg, logic, frame);
        }
        let inputs: Vec<(String, Value)> = drg
            .sees
            .iter()
            .zip(&frame)
            .filter(|(_, value)| !matches!(value, Value::Function(_)))
            .map(|((name, _), value)| (name.to_string(), value.clone()))
            .collect();
        let outer_rules = std::mem::take(&mut env.rules);
        let value = self.logic(env, drg, logic, frame);
        let rules = std::mem::replace(&mut env.rules, outer_rules);
        let (matched_rules, other_rules) = rules.into_iter().partition(|rule| rule.met);
        env.trace.push(StepTrace {
            decision: drg.name.to_string(),
            kind: if logic.is_some_and(is_table) {
                StepKind::Table
            } else {
                StepKind::Expression
            },
            inputs,
            matched_rules,
            other_rules,
            value: value.clone(),
        });
        value
    }

    fn logic(
        &self,
        env: &mut Env<'_>,
        drg: &Drg,
        logic: Option<&Node>,
        frame: Vec<Value>,
    ) -> Value {
        let value = match logic {
            Some(node) => env.in_frame(frame, |env| env.eval(node)),
            None => env.null(0, Fault::new(Code::NoLogic, &*drg.name)),
        };
        coerce(env, value, &drg.ty).unwrap_or_else(|fault| env.null(0, fault))
    }
}

fn is_table(node: &Node) -> bool {
    match &node.kind {
        Kind::Table(_) => true,
        Kind::Coerce(inner, _) => is_table(inner),
        _ => false,
    }
}

impl Memo<'_> {
    fn get(&self, index: usize) -> Option<&Value> {
        match self.values.get(index) {
            Some(Progress::Done(value)) => Some(value),
            _ => None,
        }
    }

    fn set(&mut self, index: usize, value: Value) {
        if let Some(slot) = self.values.get_mut(index) {
            *slot = Progress::Done(value);
        }
    }

    fn open(&mut self, index: usize) {
        if let Some(slot) = self.values.get_mut(index) {
            *slot = Progress::Open;
        }
    }

    fn is_open(&self, index: usize) -> bool {
        matches!(self.values.get(index), Some(Progress::Open))
    }
}

impl Env<'_> {
    /// Calls a decision service of the model with arguments in the order of its inputs.
    pub(crate) fn call_service(
        &mut self,
        element: usize,
        arguments: Vec<Value>,
    ) -> Result<Value, Fault> {
        let Some(core) = self.model else {
            return Err(Fault::new(Code::NotAFunction, ""));
        };
        let Some(Body::Service { inputs, outputs }) =
            core.elements.get(element).map(|drg| &drg.body)
        else {
            return Err(Fault::new(Code::NotAFunction, ""));
        };
        if self.services >= MAX_SERVICES {
            return Err(Fault::new(Code::Limit, "decision service"));
        }
        self.services += 1;
        let mut memo = core.memo(None);
        for (index, value) in inputs.iter().zip(arguments) {
            memo.set(*index, value);
        }
        let value = core.service_result(self, &mut memo, element, outputs);
        self.services -= 1;
        Ok(value)
    }
}
