//! Item definitions: named types with components, collections and allowed values.

use std::collections::BTreeMap;
use std::sync::Arc;

use roxmltree::Node as Element;

use super::xml::{attribute, child, children, expression_text, place, text};
use crate::feel::parser::{to_findings, to_warnings, unary_tests};
use crate::feel::{DefinedType, FunctionType, Scope, Type, TypeTable, UnaryTests};
use crate::finding::{Code, Finding};

/// Deepest nesting of components and references.
const MAX_NESTING: usize = 60;

/// Reads the item definitions of a model; `imported` are those of its imports by qualified name.
pub(crate) fn read_items(
    definitions: Element<'_, '_>,
    imported: TypeTable,
    findings: &mut Vec<Finding>,
) -> TypeTable {
    let by_name: BTreeMap<&str, Element<'_, '_>> = children(definitions, "itemDefinition")
        .filter_map(|item| Some((attribute(item, "name")?, item)))
        .collect();
    let mut reader = Reader {
        by_name,
        types: imported,
        open: Vec::new(),
        findings,
    };
    let names: Vec<&str> = reader.by_name.keys().copied().collect();
    for name in names {
        reader.named(name);
    }
    reader.types
}

/// The type of a `typeRef`.
pub(crate) fn resolve(reference: Option<&str>, types: &TypeTable) -> Option<Type> {
    let Some(name) = reference else {
        return Some(Type::Any);
    };
    let bare = name.strip_prefix("feel:").unwrap_or(name);
    types.get(bare).cloned().or_else(|| Type::builtin(bare))
}

struct Reader<'d, 'a, 'i> {
    by_name: BTreeMap<&'d str, Element<'a, 'i>>,
    types: TypeTable,
    open: Vec<String>,
    findings: &'d mut Vec<Finding>,
}

impl Reader<'_, '_, '_> {
    fn named(&mut self, name: &str) -> Option<Type> {
        let bare = name.strip_prefix("feel:").unwrap_or(name);
        if let Some(ty) = self.types.get(bare) {
            return Some(ty.clone());
        }
        let Some(element) = self.by_name.get(bare).copied() else {
            return Type::builtin(bare);
        };
        if self.open.iter().any(|open| open == bare) || self.open.len() > MAX_NESTING {
            self.find(Code::Cycle, element, bare);
            return Some(Type::Any);
        }
        self.open.push(bare.to_owned());
        let ty = self.definition(element, bare, 0);
        self.open.pop();
        self.types.insert(Arc::from(bare), ty.clone());
        Some(ty)
    }

    fn definition(&mut self, element: Element<'_, '_>, name: &str, nesting: usize) -> Type {
        if nesting > MAX_NESTING {
            self.find(Code::TooLarge, element, name);
            return Type::Any;
        }
        let base = self.base(element, name, nesting);
        let allowed = self.tests(element, "allowedValues", name, &base);
        let constrained = |base: Type, allowed: Option<Arc<UnaryTests>>| match allowed {
            None => base,
            allowed => Type::Defined(Arc::new(DefinedType {
                name: Arc::from(name),
                base,
                allowed,
            })),
        };
        let item = constrained(base, allowed);
        let ty = if attribute(element, "isCollection") == Some("true") {
            Type::List(Arc::new(item))
        } else {
            item
        };
        let constraint = self.tests(element, "typeConstraint", name, &ty);
        if constraint.is_none() && matches!(&ty, Type::Defined(defined) if &*defined.name == name) {
            return ty;
        }
        Type::Defined(Arc::new(DefinedType {
            name: Arc::from(name),
            base: ty,
            allowed: constraint,
        }))
    }

    fn base(&mut self, element: Element<'_, '_>, name: &str, nesting: usize) -> Type {
        let components: Vec<Element<'_, '_>> = children(element, "itemComponent").collect();
        if !components.is_empty() {
            let entries: Vec<(Arc<str>, Type)> = components
                .into_iter()
                .filter_map(|component| {
                    let own = attribute(component, "name")?;
                    Some((Arc::from(own), self.definition(component, own, nesting + 1)))
                })
                .collect();
            return Type::Context(entries.into());
        }
        if let Some(function) = child(element, "functionItem") {
            return self.function(function);
        }
        let reference = child(element, "typeRef").map(text);
        match reference
            .as_deref()
            .map(str::trim)
            .filter(|r| !r.is_empty())
        {
            None => Type::Any,
            Some(reference) => self.named(reference).unwrap_or_else(|| {
                self.find(Code::UnknownType, element, &format!("{name}: {reference}"));
                Type::Any
            }),
        }
    }

    fn function(&mut self, element: Element<'_, '_>) -> Type {
        let of = |reader: &mut Self, reference: Option<&str>| {
            reference
                .and_then(|name| reader.named(name))
                .unwrap_or_default()
        };
        let result = of(self, attribute(element, "outputTypeRef"));
        let parameters = children(element, "parameters")
            .map(|p| of(self, attribute(p, "typeRef")))
            .collect();
        Type::Function(Arc::new(FunctionType { parameters, result }))
    }

    fn tests(
        &mut self,
        element: Element<'_, '_>,
        which: &'static str,
        name: &str,
        tested: &Type,
    ) -> Option<Arc<UnaryTests>> {
        let (text, start) = expression_text(child(element, which)?)?;
        match unary_tests(&text, &Scope::new(), tested) {
            Ok(read) => {
                if !read.warnings.is_empty() {
                    self.findings
                        .extend(to_warnings(read.warnings, &text, name, place(start)));
                }
                (!read.value.any).then(|| Arc::new(read.value))
            }
            Err(faults) => {
                self.findings
                    .extend(to_findings(faults, &text, name, place(start)));
                None
            }
        }
    }

    fn find(&mut self, code: Code, element: Element<'_, '_>, detail: &str) {
        let (line, column) = place(element);
        self.findings
            .push(Finding::error(code, detail, line, column, detail));
    }
}
