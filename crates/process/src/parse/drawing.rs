//! Reads the diagram part: the first diagram's shapes and edges. Deliberately lenient: what
//! cannot be read is left out with a warning, because a drawing never decides anything.

use std::collections::BTreeMap;

use roxmltree::{Document, Node as Element};

use super::{Reader, is_bpmn_element, local_name};
use crate::diagram::{Bounds, Diagram, Edge, Point, Shape};
use crate::finding::ContentProblem;

const BPMN_DI: &str = "http://www.omg.org/spec/BPMN/20100524/DI";
const DC: &str = "http://www.omg.org/spec/DD/20100524/DC";
const DI: &str = "http://www.omg.org/spec/DD/20100524/DI";

/// Coordinates beyond this are nonsense, in the modeller's units.
const MAX_COORDINATE: f64 = 1_000_000.0;

pub(super) fn read(reader: &mut Reader<'_>, document: &Document<'_>) -> Diagram {
    let root = document.root_element();
    let Some(diagram) = root
        .children()
        .find(|child| is_in(*child, BPMN_DI, "BPMNDiagram"))
    else {
        return Diagram::default();
    };
    let elements = root
        .descendants()
        .filter(|element| is_bpmn_element(*element));
    let by_id: BTreeMap<&str, Element<'_, '_>> = elements
        .filter_map(|element| Some((element.attribute("id")?, element)))
        .collect();
    let mut shapes = Vec::new();
    let mut edges = Vec::new();
    for drawn in diagram.descendants() {
        let is_shape = is_in(drawn, BPMN_DI, "BPMNShape");
        if !is_shape && !is_in(drawn, BPMN_DI, "BPMNEdge") {
            continue;
        }
        let element = local_name(drawn.attribute("bpmnElement").unwrap_or_default());
        let known = by_id.get(element).copied();
        let read = if is_shape {
            read_shape(drawn, element, known).map(|shape| shapes.push(shape))
        } else {
            read_edge(drawn, element, known).map(|edge| edges.push(edge))
        };
        if read.is_none() {
            let problem = ContentProblem::BadShape {
                element: element.to_owned(),
            };
            reader.report_at(reader.place(drawn), Some(element), &problem);
        }
    }
    Diagram::new(shapes, edges)
}

fn read_shape(
    drawn: Element<'_, '_>,
    element: &str,
    known: Option<Element<'_, '_>>,
) -> Option<Shape> {
    Some(Shape {
        element: element.to_owned(),
        tag: tag_of(known),
        name: name_of(known),
        bounds: read_bounds(drawn)?,
        label: read_label(drawn),
    })
}

fn read_edge(
    drawn: Element<'_, '_>,
    element: &str,
    known: Option<Element<'_, '_>>,
) -> Option<Edge> {
    let bends = drawn
        .children()
        .filter(|child| is_in(*child, DI, "waypoint"));
    let waypoints: Option<Vec<Point>> = bends
        .map(|bend| {
            Some(Point {
                x: number(bend, "x")?,
                y: number(bend, "y")?,
            })
        })
        .collect();
    Some(Edge {
        element: element.to_owned(),
        tag: tag_of(known),
        name: name_of(known),
        waypoints: waypoints.filter(|points| points.len() >= 2)?,
        label: read_label(drawn),
    })
}

fn tag_of(known: Option<Element<'_, '_>>) -> String {
    known
        .map(|element| element.tag_name().name().to_owned())
        .unwrap_or_default()
}

/// The text drawn for an element: its name, or for an annotation what it says.
fn name_of(known: Option<Element<'_, '_>>) -> String {
    let Some(element) = known else {
        return String::new();
    };
    let text = element
        .children()
        .find(|child| super::is_bpmn(*child, "text"));
    match element.attribute("name") {
        Some(name) => name.to_owned(),
        None => text.map(super::text_of).unwrap_or_default(),
    }
}

fn read_label(drawn: Element<'_, '_>) -> Option<Bounds> {
    read_bounds(
        drawn
            .children()
            .find(|child| is_in(*child, BPMN_DI, "BPMNLabel"))?,
    )
}

fn read_bounds(around: Element<'_, '_>) -> Option<Bounds> {
    let bounds = around
        .children()
        .find(|child| is_in(*child, DC, "Bounds"))?;
    let read = Bounds {
        x: number(bounds, "x")?,
        y: number(bounds, "y")?,
        w: number(bounds, "width")?,
        h: number(bounds, "height")?,
    };
    (read.w >= 0.0 && read.h >= 0.0).then_some(read)
}

fn number(element: Element<'_, '_>, attribute: &str) -> Option<f64> {
    let value: f64 = element.attribute(attribute)?.trim().parse().ok()?;
    (value.abs() <= MAX_COORDINATE).then_some(value)
}

fn is_in(element: Element<'_, '_>, namespace: &str, tag: &str) -> bool {
    element.is_element()
        && element.tag_name().namespace() == Some(namespace)
        && element.tag_name().name() == tag
}
