//! From BPMN XML to a definition: find the process, read its elements (`elements`), their
//! extensions (`extensions`) and the drawing (`drawing`), then check and link the whole
//! (`link`). Reading never stops at the first problem; a definition comes out only when no
//! finding is an error, the drawing always.
//!
//! Deliberately lacks recursion (elements may nest as deep as the XML reader's node limit lets
//! them) and any knowledge of what roles, forms or conditions mean.

mod draft;
mod drawing;
mod elements;
mod events;
mod extensions;
mod link;

use roxmltree::{Document, Node as Element, ParsingOptions};

use crate::diagram::Diagram;
use crate::finding::{DocumentProblem, ElementProblem, Finding, Problem, Severity};
use crate::model::Definition;
use draft::Draft;

/// Namespace of Luodi's own attributes in BPMN files; any prefix may stand for it.
pub const LUODI_NAMESPACE: &str = "https://luodi.dev/bpmn";

const BPMN: &str = "http://www.omg.org/spec/BPMN/20100524/MODEL";

const MAX_BYTES: usize = 2 << 20;
const MAX_XML_NODES: u32 = 200_000;
/// The XML reader's cost grows with the square of these two.
const MAX_NAMESPACE_DECLARATIONS: usize = 1_000;
const MAX_ATTRIBUTES: usize = 5_000;
const MAX_NODES: usize = 2_000;
const MAX_FLOWS: usize = 4_000;
const MAX_FINDINGS: usize = 200;

/// Declarations beside the process that mean nothing unless an element uses them; an element that
/// could is refused where it stands.
const DECLARATIONS: &[&str] = &[
    "category",
    "correlationProperty",
    "dataStore",
    "documentation",
    "endPoint",
    "error",
    "escalation",
    "extension",
    "extensionElements",
    "import",
    "interface",
    "itemDefinition",
    "message",
    "partnerEntity",
    "partnerRole",
    "relationship",
    "resource",
    "signal",
];

/// What reading a file gave.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Parsed {
    /// The process, unless a finding is an error.
    pub definition: Option<Definition>,
    /// The drawing, also of what cannot be executed.
    pub diagram: Diagram,
    /// What was found, in the order of the file; at most 200.
    pub findings: Vec<Finding>,
}

/// Reads a BPMN 2.0 file.
///
/// Accepts any namespace prefixes; keeps and ignores other vendors' extension elements. Whatever
/// the engine cannot execute becomes a finding that names it.
#[must_use]
pub fn parse(xml: &str) -> Parsed {
    let mut reader = Reader::new(xml);
    let options = ParsingOptions {
        nodes_limit: MAX_XML_NODES,
        ..ParsingOptions::default()
    };
    let read = match too_large(xml) {
        Some(problem) => Err((problem, (1, 1))),
        None => Document::parse_with_options(xml, options).map_err(|error| {
            let why = error.to_string();
            (
                DocumentProblem::NotXml { why },
                (error.pos().row, error.pos().col),
            )
        }),
    };
    let (definition, diagram) = match &read {
        Ok(document) => read_document(&mut reader, document),
        Err((problem, place)) => {
            reader.report_at(*place, None, problem);
            (None, Diagram::default())
        }
    };
    let mut findings = reader.findings;
    findings.sort_by_key(|finding| (finding.line, finding.column));
    Parsed {
        definition,
        diagram,
        findings,
    }
}

fn too_large(xml: &str) -> Option<DocumentProblem> {
    let attributes = xml.split('<').map(|tag| tag.matches('=').count()).max();
    let limits = [
        (xml.len(), MAX_BYTES, "字节", "bytes"),
        (
            xml.matches("xmlns").count(),
            MAX_NAMESPACE_DECLARATIONS,
            "命名空间声明",
            "namespace declarations",
        ),
        (
            attributes.unwrap_or(0),
            MAX_ATTRIBUTES,
            "单个元素的属性",
            "attributes of one element",
        ),
    ];
    let broken = limits.iter().find(|(found, limit, ..)| found > limit);
    broken.map(|&(_, limit, what_zh, what_en)| DocumentProblem::TooLarge {
        what_zh,
        what_en,
        limit,
    })
}

fn read_document(
    reader: &mut Reader<'_>,
    document: &Document<'_>,
) -> (Option<Definition>, Diagram) {
    let root = document.root_element();
    if !is_bpmn(root, "definitions") {
        let root_name = root.tag_name().name().to_owned();
        reader.report(root, &DocumentProblem::NotBpmn { root: root_name });
        return (None, Diagram::default());
    }
    for child in root.children().filter(|child| is_bpmn_element(*child)) {
        let tag = child.tag_name().name();
        if !matches!(tag, "process" | "collaboration") && !DECLARATIONS.contains(&tag) {
            let allowed = "process, collaboration";
            reader.report(
                child,
                &ElementProblem::Unsupported {
                    tag: tag.to_owned(),
                    allowed,
                },
            );
        }
    }
    let diagram = drawing::read(reader, document);
    let Some(process) = the_process(reader, root) else {
        return (None, diagram);
    };
    let mut draft = elements::read_process(reader, process);
    name_from_pool(reader, root, &mut draft);
    let definition = link::link(reader, draft, &diagram);
    let refused = reader.has_errors;
    (definition.filter(|_| !refused), diagram)
}

fn the_process<'a, 'x>(reader: &mut Reader<'_>, root: Element<'a, 'x>) -> Option<Element<'a, 'x>> {
    let processes: Vec<_> = root
        .children()
        .filter(|child| is_bpmn(*child, "process"))
        .collect();
    match processes.as_slice() {
        [] => {
            reader.report(root, &DocumentProblem::NoProcess);
            None
        }
        [process] => Some(*process),
        [first, second, ..] => {
            let named = processes
                .iter()
                .map(|process| id_of(*process).unwrap_or_default());
            let processes = named.map(str::to_owned).collect();
            reader.report(*second, &DocumentProblem::SeveralProcesses { processes });
            Some(*first)
        }
    }
}

/// A process drawn in a pool is named by the pool; messages between pools are only drawn.
fn name_from_pool(reader: &mut Reader<'_>, root: Element<'_, '_>, draft: &mut Draft) {
    let pools = root
        .children()
        .filter(|child| is_bpmn(*child, "collaboration"));
    for child in pools.flat_map(|pool| pool.children()) {
        if is_bpmn(child, "messageFlow") {
            let tag = "messageFlow".to_owned();
            reader.report(child, &ElementProblem::Ignored { tag });
        }
        let ours = child.attribute("processRef").map(local_name) == Some(&draft.id);
        if is_bpmn(child, "participant") && ours && draft.name.is_empty() {
            draft.name = child.attribute("name").unwrap_or_default().to_owned();
        }
    }
}

/// Collects findings while reading.
struct Reader<'x> {
    lines: Lines<'x>,
    findings: Vec<Finding>,
    has_errors: bool,
}

/// Line and column, both from 1.
type Place = (u32, u32);

impl<'x> Reader<'x> {
    fn new(xml: &'x str) -> Reader<'x> {
        Reader {
            lines: Lines::new(xml),
            findings: Vec::new(),
            has_errors: false,
        }
    }

    fn place(&self, element: Element<'_, '_>) -> Place {
        self.lines.place(element.range().start)
    }

    fn report(&mut self, element: Element<'_, '_>, problem: &impl Problem) {
        self.report_at(self.place(element), id_of(element), problem);
    }

    fn report_at(&mut self, (line, column): Place, id: Option<&str>, problem: &impl Problem) {
        let found = problem.describe();
        self.has_errors |= found.severity == Severity::Error;
        // A refused model must say at least one error, so errors may go past the limit by one.
        let first_error = found.severity == Severity::Error
            && self
                .findings
                .iter()
                .all(|known| known.severity != Severity::Error);
        if self.findings.len() < MAX_FINDINGS || first_error {
            self.findings.push(Finding {
                severity: found.severity,
                code: found.code,
                element: id.map(str::to_owned),
                line,
                column,
                message_zh: found.zh,
                message_en: found.en,
            });
        }
    }
}

/// Where lines begin, so that finding a position costs a binary search.
struct Lines<'x> {
    text: &'x str,
    starts: Vec<usize>,
}

impl<'x> Lines<'x> {
    fn new(text: &'x str) -> Lines<'x> {
        let after = text.match_indices('\n').map(|(place, _)| place + 1);
        Lines {
            text,
            starts: std::iter::once(0).chain(after).collect(),
        }
    }

    fn place(&self, offset: usize) -> Place {
        let line = self.starts.partition_point(|start| *start <= offset);
        let start = self.starts.get(line.wrapping_sub(1)).copied().unwrap_or(0);
        let before = self.text.get(start..offset).unwrap_or_default();
        (line as u32, before.chars().count() as u32 + 1)
    }
}

fn is_bpmn_element(element: Element<'_, '_>) -> bool {
    element.is_element() && element.tag_name().namespace() == Some(BPMN)
}

fn is_bpmn(element: Element<'_, '_>, tag: &str) -> bool {
    is_bpmn_element(element) && element.tag_name().name() == tag
}

fn id_of<'a>(element: Element<'a, '_>) -> Option<&'a str> {
    element
        .attribute("id")
        .map(str::trim)
        .filter(|id| !id.is_empty())
}

/// References are qualified names: `tns:task` and `task` mean the same element of this file.
fn local_name(reference: &str) -> &str {
    let reference = reference.trim();
    reference
        .split_once(':')
        .map_or(reference, |(_, local)| local)
}

/// The text directly inside an element, trimmed.
fn text_of(element: Element<'_, '_>) -> String {
    let texts = element.children().filter(|child| child.is_text());
    let joined: String = texts.filter_map(|child| child.text()).collect();
    joined.trim().to_owned()
}

#[cfg(test)]
mod tests;
