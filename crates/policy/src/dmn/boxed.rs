//! Boxed expressions to the one typed tree.
//!
//! What cannot be read becomes a node that is null with its reason; the finding says where it stands.

use std::sync::Arc;

use roxmltree::Node as Element;

use super::items::resolve;
use super::table::{HitPolicy, Input, Output, Rule, Table};
use super::xml::{attribute, child, children, elements, expression, expression_text, place, text};
use crate::feel::parser::{self, Placed, Read, to_findings, to_warnings};
use crate::feel::tree::{Arguments, Domain, Iteration, Kind, Node};
use crate::feel::{FunctionType, Parameter, Scope, Type, UnaryTests, Value};
use crate::finding::{Code, Finding};

/// Deepest nesting of boxed expressions.
const MAX_NESTING: usize = 40;
/// Most cells of a table.
const MAX_CELLS: usize = 1_000_000;

/// Reads the expressions of one element.
pub(crate) struct Boxed<'f> {
    /// Name of the element, for findings.
    pub(crate) element: String,
    pub(crate) findings: &'f mut Vec<Finding>,
    pub(crate) nesting: usize,
}

impl Boxed<'_> {
    /// An expression, brought to the type that it declares.
    pub(crate) fn read(&mut self, element: Element<'_, '_>, scope: &Scope) -> Node {
        if self.nesting >= MAX_NESTING {
            return self.broken(Code::TooLarge, element, "");
        }
        self.nesting += 1;
        let node = self.read_kind(element, scope);
        self.nesting -= 1;
        let declared = self.type_of(element, scope);
        match (&node.kind, declared) {
            // A function's declared type is that of its result or of the function itself.
            (Kind::Lambda { .. }, _) | (_, Type::Any) => node,
            (_, ty) => Node::new(Kind::Coerce(Box::new(node), ty.clone()), ty, 0),
        }
    }

    fn read_kind(&mut self, element: Element<'_, '_>, scope: &Scope) -> Node {
        match element.tag_name().name() {
            "literalExpression" => self.literal(element, scope),
            "decisionTable" => self.table(element, scope),
            "context" => self.context(element, scope),
            "invocation" => self.invocation(element, scope),
            "functionDefinition" => self.function(element, scope, ""),
            "list" => self.list(element, scope),
            "relation" => self.relation(element, scope),
            "conditional" => self.conditional(element, scope),
            "filter" => self.filter(element, scope),
            "for" => self.iteration(element, scope),
            "some" | "every" => self.quantified(element, scope),
            other => self.broken(Code::NotDmn, element, other),
        }
    }

    /// The expression inside an element, null where there is none.
    fn inner(
        &mut self,
        of: Option<Element<'_, '_>>,
        scope: &Scope,
        outer: Element<'_, '_>,
    ) -> Node {
        match of.and_then(expression) {
            Some(element) => self.read(element, scope),
            None => self.broken(Code::NoLogic, outer, outer.tag_name().name()),
        }
    }

    fn type_of(&mut self, element: Element<'_, '_>, scope: &Scope) -> Type {
        let reference = attribute(element, "typeRef");
        resolve(reference, &scope.types).unwrap_or_else(|| {
            self.find(Code::UnknownType, element, reference.unwrap_or(""));
            Type::Any
        })
    }

    fn find(&mut self, code: Code, element: Element<'_, '_>, detail: &str) {
        let (line, column) = place(element);
        self.findings
            .push(Finding::error(code, &self.element, line, column, detail));
    }

    fn broken(&mut self, code: Code, element: Element<'_, '_>, detail: &str) -> Node {
        self.find(code, element, detail);
        Node::new(Kind::Broken(code, Arc::from(detail)), Type::Any, 0)
    }

    fn faults(&mut self, faults: Vec<Placed>, text: &str, start: Element<'_, '_>) -> Node {
        let (code, detail) = faults
            .first()
            .map_or((Code::Syntax, Arc::from("")), |(_, fault)| {
                (fault.code, Arc::from(fault.detail.as_str()))
            });
        self.findings
            .extend(to_findings(faults, text, &self.element, place(start)));
        Node::new(Kind::Broken(code, detail), Type::Any, 0)
    }

    /// What was read; its warnings become findings.
    fn kept<T>(&mut self, read: Read<T>, text: &str, start: Element<'_, '_>) -> T {
        if !read.warnings.is_empty() {
            self.findings.extend(to_warnings(
                read.warnings,
                text,
                &self.element,
                place(start),
            ));
        }
        read.value
    }

    fn literal(&mut self, element: Element<'_, '_>, scope: &Scope) -> Node {
        let language = attribute(element, "expressionLanguage").unwrap_or("feel");
        if !language.to_lowercase().contains("feel") {
            return self.broken(Code::ExternalFunction, element, language);
        }
        let Some((text, start)) =
            expression_text(element).filter(|(text, _)| !text.trim().is_empty())
        else {
            return self.broken(Code::NoLogic, element, "literalExpression");
        };
        match parser::expression(&text, scope) {
            Ok(read) => self.kept(read, &text, start),
            Err(faults) => self.faults(faults, &text, start),
        }
    }

    fn tests(
        &mut self,
        element: Element<'_, '_>,
        scope: &Scope,
        tested: &Type,
    ) -> Result<UnaryTests, Node> {
        let (text, start) = expression_text(element).unwrap_or((String::new(), element));
        match parser::unary_tests(&text, scope, tested) {
            Ok(read) => Ok(self.kept(read, &text, start)),
            Err(faults) => Err(self.faults(faults, &text, start)),
        }
    }

    fn context(&mut self, element: Element<'_, '_>, scope: &Scope) -> Node {
        let mut inner = scope.clone();
        let mut entries = Vec::new();
        let mut result = None;
        for entry in children(element, "contextEntry") {
            let variable = child(entry, "variable");
            let name = variable.and_then(|v| attribute(v, "name"));
            let inside = name.map_or_else(
                || self.element.clone(),
                |name| format!("{}.{name}", self.element),
            );
            let own = std::mem::replace(&mut self.element, inside);
            let value = match expression(entry) {
                Some(element) if element.tag_name().name() == "functionDefinition" => {
                    self.function(element, &inner, name.unwrap_or(""))
                }
                _ => self.inner(Some(entry), &inner, entry),
            };
            self.element = own;
            let Some(name) = name else {
                result = Some(Box::new(value));
                break;
            };
            let value = self.declared(value, variable, scope);
            inner = inner.with_typed(name, value.ty.clone());
            entries.push((Arc::from(name), value));
        }
        let types: Vec<(Arc<str>, Type)> = entries
            .iter()
            .map(|(n, v): &(Arc<str>, Node)| (n.clone(), v.ty.clone()))
            .collect();
        let ty = result
            .as_ref()
            .map_or(Type::Context(types.into()), |node| node.ty.clone());
        Node::new(Kind::Context { entries, result }, ty, 0)
    }

    /// A value brought to the type of its variable, where that is no function type.
    fn declared(&mut self, value: Node, variable: Option<Element<'_, '_>>, scope: &Scope) -> Node {
        let ty = variable.map_or(Type::Any, |v| self.type_of(v, scope));
        if matches!(ty, Type::Any) || matches!(value.kind, Kind::Lambda { .. }) {
            return value;
        }
        Node::new(Kind::Coerce(Box::new(value), ty.clone()), ty, 0)
    }

    fn invocation(&mut self, element: Element<'_, '_>, scope: &Scope) -> Node {
        let function = self.inner(Some(element), scope, element);
        let mut named = Vec::new();
        for binding in children(element, "binding") {
            let Some(parameter) = child(binding, "parameter") else {
                continue;
            };
            let name = attribute(parameter, "name").unwrap_or("");
            let value = match expression(binding) {
                Some(element) => self.read(element, scope),
                None => Node::constant(Value::Null, Type::Null, 0),
            };
            named.push((
                Arc::from(name),
                self.declared(value, Some(parameter), scope),
            ));
        }
        let ty = match function.ty.base() {
            Type::Function(function) => function.result.clone(),
            _ => Type::Any,
        };
        let arguments = if named.is_empty() {
            Arguments::Positional(Vec::new())
        } else {
            Arguments::Named(named)
        };
        Node::new(
            Kind::Call {
                function: Box::new(function),
                arguments,
            },
            ty,
            0,
        )
    }

    /// A function definition, also the logic of a business knowledge model.
    pub(crate) fn function(&mut self, element: Element<'_, '_>, scope: &Scope, name: &str) -> Node {
        if let Some(kind) = attribute(element, "kind").filter(|kind| *kind != "FEEL") {
            return self.broken(Code::ExternalFunction, element, kind);
        }
        let mut inner = scope.clone();
        let mut parameters = Vec::new();
        for parameter in children(element, "formalParameter") {
            let name = attribute(parameter, "name").unwrap_or("");
            let ty = self.type_of(parameter, scope);
            inner = inner.with_typed(name, ty.clone());
            parameters.push(Parameter {
                name: Arc::from(name),
                ty,
            });
        }
        let body = self.inner(Some(element), &inner, element);
        let declared = match self.type_of(element, scope) {
            ty if matches!(ty.base(), Type::Function(_)) => Type::Any,
            ty => ty,
        };
        let ty = Type::Function(Arc::new(FunctionType {
            parameters: parameters.iter().map(|p| p.ty.clone()).collect(),
            result: if matches!(declared, Type::Any) {
                body.ty.clone()
            } else {
                declared.clone()
            },
        }));
        let kind = Kind::Lambda {
            name: Arc::from(name),
            parameters: parameters.into(),
            body: Arc::new(body),
            result: declared,
        };
        Node::new(kind, ty, 0)
    }

    fn list(&mut self, element: Element<'_, '_>, scope: &Scope) -> Node {
        let mut items = Vec::new();
        for item in elements(element)
            .filter(|e| !matches!(e.tag_name().name(), "description" | "extensionElements"))
        {
            items.push(self.read(item, scope));
        }
        let item = items
            .iter()
            .skip(1)
            .fold(items.first().map(|n| n.ty.clone()), |ty, node| {
                ty.map(|t| t.join(&node.ty))
            });
        Node::new(
            Kind::List(items),
            Type::List(Arc::new(item.unwrap_or_default())),
            0,
        )
    }

    fn relation(&mut self, element: Element<'_, '_>, scope: &Scope) -> Node {
        let columns: Vec<Arc<str>> = children(element, "column")
            .map(|column| Arc::from(attribute(column, "name").unwrap_or("")))
            .collect();
        let mut rows = Vec::new();
        for row in children(element, "row") {
            let mut cells = Vec::new();
            for cell in elements(row) {
                cells.push(self.read(cell, scope));
            }
            // The cells of a row do not see each other, so they are no context's entries.
            let types: Vec<(Arc<str>, Type)> = columns
                .iter()
                .cloned()
                .zip(cells.iter().map(|c| c.ty.clone()))
                .collect();
            let entries = columns.iter().cloned().zip(cells).collect();
            rows.push(Node::new(
                Kind::Context {
                    entries,
                    result: None,
                },
                Type::Context(types.into()),
                0,
            ));
        }
        let row = rows
            .iter()
            .skip(1)
            .fold(rows.first().map(|n| n.ty.clone()), |ty, node| {
                ty.map(|t| t.join(&node.ty))
            });
        Node::new(
            Kind::List(rows),
            Type::List(Arc::new(row.unwrap_or_default())),
            0,
        )
    }

    fn conditional(&mut self, element: Element<'_, '_>, scope: &Scope) -> Node {
        let condition = Box::new(self.inner(child(element, "if"), scope, element));
        let then = Box::new(self.inner(child(element, "then"), scope, element));
        let otherwise = Box::new(self.inner(child(element, "else"), scope, element));
        let ty = then.ty.join(&otherwise.ty);
        Node::new(
            Kind::If {
                condition,
                then,
                otherwise,
            },
            ty,
            0,
        )
    }

    fn filter(&mut self, element: Element<'_, '_>, scope: &Scope) -> Node {
        let list = self.inner(child(element, "in"), scope, element);
        let inner = scope.clone().with_item(list.ty.item().clone());
        let test = self.inner(child(element, "match"), &inner, element);
        let ty = if matches!(test.ty, Type::Number) {
            list.ty.item().clone()
        } else {
            Type::List(Arc::new(list.ty.item().clone()))
        };
        Node::new(
            Kind::Filter {
                list: Box::new(list),
                test: Box::new(test),
            },
            ty,
            0,
        )
    }

    fn iteration(&mut self, element: Element<'_, '_>, scope: &Scope) -> Node {
        let (iterations, inner) = self.variable(element, &scope.clone().with("partial"));
        let uses_partial =
            child(element, "return").is_some_and(|body| text(body).contains("partial"));
        let body = self.inner(child(element, "return"), &inner, element);
        let ty = Type::List(Arc::new(body.ty.clone()));
        Node::new(
            Kind::For {
                iterations,
                uses_partial,
                body: Box::new(body),
            },
            ty,
            0,
        )
    }

    fn quantified(&mut self, element: Element<'_, '_>, scope: &Scope) -> Node {
        let (iterations, inner) = self.variable(element, scope);
        let test = self.inner(child(element, "satisfies"), &inner, element);
        let every = element.tag_name().name() == "every";
        Node::new(
            Kind::Quantified {
                every,
                iterations,
                test: Box::new(test),
            },
            Type::Bool,
            0,
        )
    }

    /// The one variable of a boxed iteration and the scope that sees it.
    fn variable(&mut self, element: Element<'_, '_>, scope: &Scope) -> (Vec<Iteration>, Scope) {
        let domain = self.inner(child(element, "in"), scope, element);
        let ty = if matches!(domain.ty.base(), Type::Range(_)) {
            Type::Any
        } else {
            domain.ty.item().clone()
        };
        let name = attribute(element, "iteratorVariable").unwrap_or("");
        (
            vec![Iteration {
                domain: Domain::Values(domain),
            }],
            scope.clone().with_typed(name, ty),
        )
    }

    // Decision tables.

    fn table(&mut self, element: Element<'_, '_>, scope: &Scope) -> Node {
        let Some(hit) = hit_policy(element) else {
            let policy = attribute(element, "hitPolicy").unwrap_or("");
            return self.broken(Code::BadTable, element, policy);
        };
        let inputs: Vec<Input> = children(element, "input")
            .map(|input| self.input(input, scope))
            .collect();
        let outputs: Vec<Output> = self.outputs(element, scope);
        let annotations = children(element, "annotation")
            .map(|annotation| attribute(annotation, "name").unwrap_or("").to_owned())
            .collect();
        let count = children(element, "rule").count();
        if count.saturating_mul(inputs.len() + outputs.len()) > MAX_CELLS || outputs.is_empty() {
            return self.broken(Code::BadTable, element, "decisionTable");
        }
        let own = self.element.clone();
        let mut rules = Vec::with_capacity(count);
        for (index, row) in children(element, "rule").enumerate() {
            self.element = format!("{own}[{}]", index + 1);
            match self.rule(row, scope, &inputs, outputs.len()) {
                Ok(rule) => rules.push(rule),
                Err(broken) => {
                    self.element = own;
                    return broken;
                }
            }
        }
        self.element = own;
        let ty = table_type(hit, &outputs);
        Node::new(
            Kind::Table(Arc::new(Table {
                hit,
                inputs,
                outputs,
                annotations,
                rules,
            })),
            ty,
            0,
        )
    }

    fn input(&mut self, element: Element<'_, '_>, scope: &Scope) -> Input {
        let expression = child(element, "inputExpression");
        let source = expression
            .and_then(expression_text)
            .map(|(text, _)| text.trim().to_owned());
        let ty = expression.map_or(Type::Any, |e| self.type_of(e, scope));
        let node = match expression {
            Some(expression) => self.literal(expression, scope),
            None => self.broken(Code::BadTable, element, "inputExpression"),
        };
        let known = if matches!(ty, Type::Any) {
            node.ty.clone()
        } else {
            ty.clone()
        };
        let allowed =
            child(element, "inputValues").and_then(|values| self.tests(values, scope, &known).ok());
        let label = attribute(element, "label")
            .map(str::to_owned)
            .or(source)
            .unwrap_or_default();
        Input {
            label,
            node,
            ty,
            allowed: allowed.filter(|a| !a.any).map(Arc::new),
        }
    }

    fn outputs(&mut self, table: Element<'_, '_>, scope: &Scope) -> Vec<Output> {
        let elements: Vec<Element<'_, '_>> = children(table, "output").collect();
        let single = elements.len() == 1;
        let mut outputs = Vec::new();
        for element in elements {
            let name = attribute(element, "name")
                .or(attribute(element, "label"))
                .unwrap_or("");
            let mut ty = self.type_of(element, scope);
            if single && matches!(ty, Type::Any) && hit_is_single(table) {
                ty = self.type_of(table, scope);
            }
            let allowed = child(element, "outputValues")
                .and_then(|values| self.tests(values, scope, &ty).ok());
            let default =
                child(element, "defaultOutputEntry").map(|entry| self.literal(entry, scope));
            let allowed = allowed.filter(|a| !a.any).map(Arc::new);
            outputs.push(Output {
                name: Arc::from(name),
                ty,
                allowed,
                default,
            });
        }
        outputs
    }

    fn rule(
        &mut self,
        row: Element<'_, '_>,
        scope: &Scope,
        inputs: &[Input],
        outputs: usize,
    ) -> Result<Rule, Node> {
        let mut tests = Vec::with_capacity(inputs.len());
        let mut broken = None;
        let mut columns = inputs.iter();
        for cell in children(row, "inputEntry") {
            let Some(input) = columns.next() else {
                return Err(self.broken(Code::BadTable, row, "inputEntry"));
            };
            let known = if matches!(input.ty, Type::Any) {
                &input.node.ty
            } else {
                &input.ty
            };
            match self.tests(cell, scope, known) {
                Ok(read) => tests.push(read),
                Err(node) => broken = Some(node),
            }
        }
        let mut entries = Vec::with_capacity(outputs);
        for cell in children(row, "outputEntry") {
            entries.push(self.literal(cell, scope));
        }
        if let Some(broken) = broken {
            return Err(broken);
        }
        if tests.len() != inputs.len() || entries.len() != outputs {
            return Err(self.broken(Code::BadTable, row, "rule"));
        }
        let annotations = children(row, "annotationEntry")
            .map(|entry| {
                child(entry, "text")
                    .map(text)
                    .unwrap_or_default()
                    .trim()
                    .to_owned()
            })
            .collect();
        let id = attribute(row, "id").unwrap_or("").to_owned();
        Ok(Rule {
            id,
            tests,
            outputs: entries,
            annotations,
        })
    }
}

fn hit_is_single(table: Element<'_, '_>) -> bool {
    !matches!(
        attribute(table, "hitPolicy"),
        Some("COLLECT" | "RULE ORDER" | "OUTPUT ORDER")
    )
}

fn hit_policy(element: Element<'_, '_>) -> Option<HitPolicy> {
    Some(match attribute(element, "hitPolicy").unwrap_or("UNIQUE") {
        "UNIQUE" => HitPolicy::Unique,
        "ANY" => HitPolicy::Any,
        "PRIORITY" => HitPolicy::Priority,
        "FIRST" => HitPolicy::First,
        "RULE ORDER" => HitPolicy::RuleOrder,
        "OUTPUT ORDER" => HitPolicy::OutputOrder,
        "COLLECT" => match attribute(element, "aggregation") {
            None => HitPolicy::Collect,
            Some("SUM") => HitPolicy::CollectSum,
            Some("COUNT") => HitPolicy::CollectCount,
            Some("MIN") => HitPolicy::CollectMin,
            Some("MAX") => HitPolicy::CollectMax,
            Some(_) => return None,
        },
        _ => return None,
    })
}

fn table_type(hit: HitPolicy, outputs: &[Output]) -> Type {
    let row = match outputs {
        [single] => single.ty.clone(),
        several => Type::Context(
            several
                .iter()
                .map(|o| (o.name.clone(), o.ty.clone()))
                .collect(),
        ),
    };
    match hit {
        HitPolicy::Unique | HitPolicy::Any | HitPolicy::Priority | HitPolicy::First => row,
        HitPolicy::RuleOrder | HitPolicy::OutputOrder | HitPolicy::Collect => {
            Type::List(Arc::new(row))
        }
        HitPolicy::CollectSum | HitPolicy::CollectCount => Type::Number,
        HitPolicy::CollectMin | HitPolicy::CollectMax => row,
    }
}
