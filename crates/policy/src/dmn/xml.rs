//! The XML of a model: local names, attributes, texts with their places.
//!
//! DTDs and entities are refused by the reader, so there are no bombs; size and depth are bounded.

use roxmltree::{Document, Node as Element, ParsingOptions};

use crate::finding::{Code, Finding};

/// Longest model text in bytes.
const MAX_XML: usize = 32 * 1024 * 1024;
/// Most nodes of a model.
const MAX_NODES: u32 = 2_000_000;
/// Namespaces of the versions that are understood: DMN 1.1 to 1.6.
const NAMESPACES: [&str; 6] = [
    "http://www.omg.org/spec/DMN/20151101/dmn.xsd",
    "http://www.omg.org/spec/DMN/20180521/MODEL/",
    "https://www.omg.org/spec/DMN/20191111/MODEL/",
    "https://www.omg.org/spec/DMN/20211108/MODEL/",
    "https://www.omg.org/spec/DMN/20230324/MODEL/",
    "https://www.omg.org/spec/DMN/20240513/MODEL/",
];

/// Reads the document.
pub(crate) fn document(xml: &str) -> Result<Document<'_>, Finding> {
    if xml.len() > MAX_XML {
        return Err(Finding::error(
            Code::TooLarge,
            "",
            1,
            1,
            &format!("{} bytes", xml.len()),
        ));
    }
    let options = ParsingOptions {
        allow_dtd: false,
        nodes_limit: MAX_NODES,
        ..ParsingOptions::default()
    };
    let document = Document::parse_with_options(xml, options).map_err(|error| {
        let pos = error.pos();
        Finding::error(Code::Xml, "", pos.row, pos.col, &error.to_string())
    })?;
    let root = document.root_element();
    let namespace = root.tag_name().namespace().unwrap_or("");
    let dmn =
        NAMESPACES.contains(&namespace) || namespace.starts_with("https://www.omg.org/spec/DMN/");
    if root.tag_name().name() != "definitions" || !dmn {
        let detail = format!("{} {namespace}", root.tag_name().name());
        return Err(Finding::error(Code::NotDmn, "", 1, 1, &detail));
    }
    Ok(document)
}

/// Child elements of the model's own namespace with a local name.
pub(crate) fn children<'a, 'i>(
    of: Element<'a, 'i>,
    name: &'static str,
) -> impl Iterator<Item = Element<'a, 'i>> {
    elements(of).filter(move |child| child.tag_name().name() == name)
}

/// Child elements of the model's own namespace.
pub(crate) fn elements<'a, 'i>(of: Element<'a, 'i>) -> impl Iterator<Item = Element<'a, 'i>> {
    let namespace = of.tag_name().namespace();
    of.children()
        .filter(move |child| child.is_element() && child.tag_name().namespace() == namespace)
}

/// The first such child.
pub(crate) fn child<'a, 'i>(of: Element<'a, 'i>, name: &'static str) -> Option<Element<'a, 'i>> {
    children(of, name).next()
}

/// The first child that is an expression.
pub(crate) fn expression<'a, 'i>(of: Element<'a, 'i>) -> Option<Element<'a, 'i>> {
    const EXPRESSIONS: [&str; 13] = [
        "literalExpression",
        "decisionTable",
        "context",
        "invocation",
        "functionDefinition",
        "list",
        "relation",
        "conditional",
        "filter",
        "for",
        "some",
        "every",
        "unaryTests",
    ];
    elements(of).find(|child| EXPRESSIONS.contains(&child.tag_name().name()))
}

/// All text inside an element.
pub(crate) fn text(of: Element<'_, '_>) -> String {
    of.descendants()
        .filter(|n| n.is_text())
        .filter_map(|n| n.text())
        .collect()
}

/// The text of the child `text` and the node where it begins; its place is looked up only for a
/// finding, because that walks the whole file.
pub(crate) fn expression_text<'a, 'i>(of: Element<'a, 'i>) -> Option<(String, Element<'a, 'i>)> {
    let element = child(of, "text")?;
    let start = element
        .descendants()
        .find(|n| n.is_text())
        .unwrap_or(element);
    Some((text(element), start))
}

/// Line and column of an element.
pub(crate) fn place(of: Element<'_, '_>) -> (u32, u32) {
    let pos = of.document().text_pos_at(of.range().start);
    (pos.row, pos.col)
}

/// An attribute without its surrounding space.
pub(crate) fn attribute<'a>(of: Element<'a, '_>, name: &str) -> Option<&'a str> {
    of.attribute(name)
        .map(str::trim)
        .filter(|value| !value.is_empty())
}
