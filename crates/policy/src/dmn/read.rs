//! Reading models: elements first, then their requirements, then their logic against what they
//! require.

use std::collections::BTreeMap;
use std::sync::Arc;

use roxmltree::{Document, Node as Element};

use super::boxed::Boxed;
use super::items::{read_items, resolve};
use super::model::{Body, Core, Drg, Model, Parsed, Seen};
use super::xml::{attribute, child, children, document, expression, place};
use crate::feel::tree::{Kind, Node};
use crate::feel::{FunctionType, Parameter, Scope, Type, TypeTable};
use crate::finding::{Code, Finding};

/// Most models read together.
const MAX_MODELS: usize = 100;

/// Reads one model without imports.
pub fn parse_model(xml: &str) -> Parsed {
    parse_models(xml, &[])
}

/// Reads a model and the models that it imports, found by their namespaces.
///
/// The model is given also where there are errors; what has an error evaluates to null.
pub fn parse_models(xml: &str, imports: &[&str]) -> Parsed {
    let mut findings = Vec::new();
    let main = match document(xml) {
        Ok(document) => document,
        Err(finding) => {
            return Parsed {
                model: None,
                findings: vec![finding],
            };
        }
    };
    let mut documents = vec![main];
    for text in imports.iter().take(MAX_MODELS) {
        match document(text) {
            Ok(document) => documents.push(document),
            Err(finding) => findings.push(finding),
        }
    }
    let mut reader = Reader {
        documents: &documents,
        elements: Vec::new(),
        by_id: BTreeMap::new(),
        sources: Vec::new(),
        types: Vec::new(),
        findings,
    };
    reader.read_types();
    reader.read_elements();
    reader.read_requirements();
    reader.read_logic();
    let findings = reader.findings;
    let core = Core::new(reader.elements, namespace_of(&documents, 0));
    let mut parsed = Parsed {
        model: None,
        findings,
    };
    parsed.findings.extend(core.cycles());
    parsed.model = Some(Model::new(core));
    parsed
}

fn namespace_of(documents: &[Document<'_>], index: usize) -> String {
    let root = documents.get(index).map(Document::root_element);
    root.and_then(|root| attribute(root, "namespace"))
        .unwrap_or("")
        .to_owned()
}

struct Reader<'d, 'i> {
    documents: &'d [Document<'i>],
    elements: Vec<Drg>,
    /// Elements by namespace and id.
    by_id: BTreeMap<(String, String), usize>,
    /// Document and XML of each element.
    sources: Vec<(usize, Element<'d, 'i>)>,
    /// Types that each document sees.
    types: Vec<Arc<TypeTable>>,
    findings: Vec<Finding>,
}

impl<'d, 'i> Reader<'d, 'i> {
    fn namespace(&self, document: usize) -> String {
        namespace_of(self.documents, document)
    }

    /// Imports of a document: name and index of the imported document.
    fn imports(&self, document: usize) -> Vec<(String, usize)> {
        let Some(root) = self.documents.get(document).map(Document::root_element) else {
            return Vec::new();
        };
        children(root, "import")
            .filter_map(|import| {
                let namespace = attribute(import, "namespace")?;
                let index = (0..self.documents.len()).find(|i| self.namespace(*i) == namespace)?;
                Some((attribute(import, "name").unwrap_or("").to_owned(), index))
            })
            .collect()
    }

    /// Types of imported models first, so that qualified names resolve.
    fn read_types(&mut self) {
        self.types = self
            .documents
            .iter()
            .map(|_| Arc::new(TypeTable::new()))
            .collect();
        let mut order = Vec::new();
        for document in 0..self.documents.len() {
            self.order_of_types(document, &mut order, &mut Vec::new());
        }
        for document in order {
            let mut imported = TypeTable::new();
            for (name, index) in self.imports(document) {
                let Some(types) = self.types.get(index) else {
                    continue;
                };
                for (own, ty) in types.iter().filter(|(own, _)| !own.contains('.')) {
                    let qualified = if name.is_empty() {
                        own.clone()
                    } else {
                        Arc::from(format!("{name}.{own}"))
                    };
                    imported.insert(qualified, ty.clone());
                }
            }
            if let Some(root) = self.documents.get(document).map(Document::root_element) {
                let types = read_items(root, imported, &mut self.findings);
                if let Some(slot) = self.types.get_mut(document) {
                    *slot = Arc::new(types);
                }
            }
        }
    }

    fn order_of_types(&self, document: usize, order: &mut Vec<usize>, open: &mut Vec<usize>) {
        if order.contains(&document) || open.contains(&document) {
            return;
        }
        open.push(document);
        for (_, index) in self.imports(document) {
            self.order_of_types(index, order, open);
        }
        open.pop();
        order.push(document);
    }

    fn read_elements(&mut self) {
        for (index, document) in self.documents.iter().enumerate() {
            for element in super::xml::elements(document.root_element()) {
                let body = match element.tag_name().name() {
                    "inputData" => Body::Input,
                    "decision" => Body::Decision { logic: None },
                    "businessKnowledgeModel" => Body::Knowledge { function: None },
                    "decisionService" => Body::Service {
                        inputs: Vec::new(),
                        outputs: Vec::new(),
                    },
                    _ => continue,
                };
                self.read_element(index, element, body);
            }
        }
    }

    fn read_element(&mut self, document: usize, element: Element<'d, 'i>, body: Body) {
        let variable = child(element, "variable");
        let name = variable
            .and_then(|v| attribute(v, "name"))
            .or(attribute(element, "name"))
            .unwrap_or("");
        let own = attribute(element, "name").unwrap_or(name);
        let types = self.types.get(document).cloned().unwrap_or_default();
        let reference = variable.and_then(|v| attribute(v, "typeRef"));
        let ty = resolve(reference, &types).unwrap_or_else(|| {
            let (line, column) = place(element);
            self.findings.push(Finding::error(
                Code::UnknownType,
                own,
                line,
                column,
                reference.unwrap_or(""),
            ));
            Type::Any
        });
        let index = self.elements.len();
        if let Some(id) = attribute(element, "id") {
            let key = (self.namespace(document), id.to_owned());
            if self.by_id.insert(key, index).is_some() {
                let (line, column) = place(element);
                self.findings
                    .push(Finding::error(Code::Duplicate, own, line, column, id));
            }
        }
        self.elements.push(Drg {
            name: Arc::from(own),
            variable: Arc::from(name),
            namespace: self.namespace(document),
            ty,
            requires: Vec::new(),
            sees: Vec::new(),
            body,
        });
        self.sources.push((document, element));
    }

    /// The element that an `href` means.
    fn referenced(
        &mut self,
        document: usize,
        element: Element<'_, '_>,
        owner: &str,
    ) -> Option<usize> {
        let href = attribute(element, "href")?;
        let (namespace, id) = href.rsplit_once('#').unwrap_or(("", href));
        let namespace = if namespace.is_empty() {
            self.namespace(document)
        } else {
            namespace.to_owned()
        };
        let found = self.by_id.get(&(namespace, id.to_owned())).copied();
        if found.is_none() {
            let (line, column) = place(element);
            self.findings.push(Finding::error(
                Code::UnknownReference,
                owner,
                line,
                column,
                href,
            ));
        }
        found
    }

    fn read_requirements(&mut self) {
        for index in 0..self.sources.len() {
            let Some((document, element)) = self.sources.get(index).copied() else {
                continue;
            };
            if element.tag_name().name() == "decisionService" {
                self.read_service(index, document, element);
                continue;
            }
            let owner = attribute(element, "name").unwrap_or("").to_owned();
            let mut requires = Vec::new();
            let kinds = [
                (
                    "informationRequirement",
                    ["requiredInput", "requiredDecision"],
                ),
                (
                    "knowledgeRequirement",
                    ["requiredKnowledge", "requiredKnowledge"],
                ),
            ];
            for (kind, names) in kinds {
                for requirement in children(element, kind) {
                    let target = names.into_iter().find_map(|name| child(requirement, name));
                    requires.extend(target.and_then(|t| self.referenced(document, t, &owner)));
                }
            }
            requires.dedup();
            let sees = self.seen(document, &requires);
            if let Some(drg) = self.elements.get_mut(index) {
                drg.sees = sees;
                drg.requires = requires;
            }
        }
    }

    fn read_service(&mut self, index: usize, document: usize, element: Element<'d, 'i>) {
        let owner = attribute(element, "name").unwrap_or("").to_owned();
        let mut of = |name: &'static str| -> Vec<usize> {
            children(element, name)
                .filter_map(|e| self.referenced(document, e, &owner))
                .collect()
        };
        let outputs = of("outputDecision");
        // The standard's order of parameters: input data, then input decisions.
        let mut inputs = of("inputData");
        inputs.extend(of("inputDecision"));
        if let Some(drg) = self.elements.get_mut(index) {
            drg.body = Body::Service { inputs, outputs };
        }
    }

    /// The names that an element sees: of its own model plainly, of imported models by the import.
    fn seen(&self, document: usize, requires: &[usize]) -> Vec<(Arc<str>, Seen)> {
        let imports = self.imports(document);
        let mut plain: Vec<(Arc<str>, Seen)> = Vec::new();
        let mut qualified: BTreeMap<String, Vec<(Arc<str>, usize)>> = BTreeMap::new();
        for required in requires {
            let Some(drg) = self.elements.get(*required) else {
                continue;
            };
            let source = self.sources.get(*required).map_or(document, |(d, _)| *d);
            let import = imports
                .iter()
                .find(|(_, index)| *index == source)
                .filter(|_| source != document);
            match import {
                Some((name, _)) if !name.is_empty() => {
                    qualified
                        .entry(name.clone())
                        .or_default()
                        .push((drg.variable.clone(), *required));
                }
                _ => plain.push((drg.variable.clone(), Seen::Element(*required))),
            }
        }
        let imported = qualified
            .into_iter()
            .map(|(name, members)| (Arc::from(name), Seen::Import(members.into())));
        plain.into_iter().chain(imported).collect()
    }

    fn read_logic(&mut self) {
        // Business knowledge models first: their parameters type the calls in decisions.
        for knowledge in [true, false] {
            for index in 0..self.sources.len() {
                let Some((document, element)) = self.sources.get(index).copied() else {
                    continue;
                };
                match element.tag_name().name() {
                    "businessKnowledgeModel" if knowledge => {
                        self.read_knowledge(index, document, element)
                    }
                    "decision" if !knowledge => self.read_decision(index, document, element),
                    _ => {}
                }
            }
        }
    }

    fn scope(&self, index: usize, document: usize) -> Scope {
        let types = self.types.get(document).cloned().unwrap_or_default();
        let sees = self
            .elements
            .get(index)
            .map(|drg| drg.sees.as_slice())
            .unwrap_or_default();
        sees.iter()
            .fold(Scope::new().with_types(types), |scope, (name, seen)| {
                scope.with_typed(name, self.type_of_seen(seen))
            })
    }

    fn type_of_seen(&self, seen: &Seen) -> Type {
        match seen {
            Seen::Element(index) => self
                .elements
                .get(*index)
                .map_or(Type::Any, |drg| self.type_of_drg(drg)),
            Seen::Import(members) => Type::Context(
                members
                    .iter()
                    .map(|(name, index)| {
                        (
                            name.clone(),
                            self.elements
                                .get(*index)
                                .map_or(Type::Any, |drg| self.type_of_drg(drg)),
                        )
                    })
                    .collect(),
            ),
        }
    }

    fn type_of_drg(&self, drg: &Drg) -> Type {
        match &drg.body {
            Body::Input | Body::Decision { .. } => drg.ty.clone(),
            Body::Knowledge { function } => {
                function.as_ref().map_or(Type::Any, |node| node.ty.clone())
            }
            Body::Service { inputs, .. } => {
                let parameters = inputs
                    .iter()
                    .filter_map(|i| self.elements.get(*i))
                    .map(|d| d.ty.clone())
                    .collect();
                let result = match drg.ty.base() {
                    Type::Function(function) => function.result.clone(),
                    _ => drg.ty.clone(),
                };
                Type::Function(Arc::new(FunctionType { parameters, result }))
            }
        }
    }

    fn read_decision(&mut self, index: usize, document: usize, element: Element<'d, 'i>) {
        let scope = self.scope(index, document);
        let name = self
            .elements
            .get(index)
            .map(|drg| drg.name.to_string())
            .unwrap_or_default();
        let Some(source) = expression(element) else {
            let (line, column) = place(element);
            self.findings
                .push(Finding::error(Code::NoLogic, &name, line, column, "").warning());
            return;
        };
        let mut boxed = Boxed {
            element: name,
            findings: &mut self.findings,
            nesting: 0,
        };
        let node = boxed.read(source, &scope);
        if let Some(drg) = self.elements.get_mut(index) {
            drg.body = Body::Decision { logic: Some(node) };
        }
    }

    fn read_knowledge(&mut self, index: usize, document: usize, element: Element<'d, 'i>) {
        let scope = self.scope(index, document);
        let Some(drg) = self.elements.get(index) else {
            return;
        };
        let (name, declared) = (drg.name.to_string(), drg.ty.clone());
        let Some(logic) = child(element, "encapsulatedLogic") else {
            let (line, column) = place(element);
            self.findings
                .push(Finding::error(Code::NoLogic, &name, line, column, ""));
            return;
        };
        let mut boxed = Boxed {
            element: name.clone(),
            findings: &mut self.findings,
            nesting: 0,
        };
        let function = boxed.function(logic, &scope, &name);
        let function = with_declared(function, &declared);
        if let Some(drg) = self.elements.get_mut(index) {
            drg.body = Body::Knowledge {
                function: Some(function),
            };
        }
    }
}

/// A function whose variable declares its type or that of its result.
fn with_declared(function: Node, declared: &Type) -> Node {
    let Node {
        kind:
            Kind::Lambda {
                name,
                parameters,
                body,
                result,
            },
        ty,
        at,
        ..
    } = function
    else {
        return function;
    };
    let (own, wanted): (Vec<Type>, Type) = match declared.base() {
        Type::Function(function) => (function.parameters.clone(), function.result.clone()),
        _ => (Vec::new(), declared.clone()),
    };
    let result = if matches!(result, Type::Any) {
        wanted
    } else {
        result
    };
    let parameters: Arc<[Parameter]> = parameters
        .iter()
        .enumerate()
        .map(|(index, parameter)| match (&parameter.ty, own.get(index)) {
            (Type::Any, Some(ty)) => Parameter {
                name: parameter.name.clone(),
                ty: ty.clone(),
            },
            _ => parameter.clone(),
        })
        .collect();
    let ty = match &ty {
        Type::Function(function) if !matches!(result, Type::Any) => {
            Type::Function(Arc::new(FunctionType {
                parameters: function.parameters.clone(),
                result: result.clone(),
            }))
        }
        _ => ty,
    };
    let at = usize::try_from(at).unwrap_or(0);
    Node::new(
        Kind::Lambda {
            name,
            parameters,
            body,
            result,
        },
        ty,
        at,
    )
}
