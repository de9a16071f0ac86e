//! The drawing of a process for a page: boxes, lines and wrapped texts, ready for an SVG made of
//! attributes only. Deliberately lacks any layout: places come from the model's own drawing.

use process::{Bounds, Definition, Point};

/// Chinese characters in one line of a box: its width in units over the size of a letter.
const BOX_LINE: usize = 8;
/// Height of a line of text, in units.
const LINE: f64 = 16.0;

/// The drawing of a process.
#[derive(Clone, Debug, PartialEq)]
pub struct Drawing {
    /// Width of the whole, in units.
    pub width: f64,
    /// Height of the whole, in units.
    pub height: f64,
    /// Boxes, circles and diamonds.
    pub nodes: Vec<DrawnNode>,
    /// Lines.
    pub lines: Vec<DrawnLine>,
}

/// One shape.
#[derive(Clone, Debug, PartialEq)]
pub struct DrawnNode {
    /// `task`, `service`, `gateway`, `start`, `end` or `timer`.
    pub kind: &'static str,
    /// The box around it.
    pub bounds: Bounds,
    /// The corners of a diamond as SVG points; empty for others.
    pub points: String,
    /// Middle and radius of a circle.
    pub middle: (f64, f64, f64),
    /// Its text, line by line.
    pub text: Vec<DrawnText>,
}

/// One flow.
#[derive(Clone, Debug, PartialEq)]
pub struct DrawnLine {
    /// Its corners as SVG points.
    pub points: String,
    /// The arrow's head as SVG points.
    pub head: String,
    /// Its text, line by line.
    pub text: Vec<DrawnText>,
}

/// A line of text, centred.
#[derive(Clone, Debug, PartialEq)]
pub struct DrawnText {
    /// Middle of the line.
    pub x: f64,
    /// Base of the line.
    pub y: f64,
    /// The text.
    pub text: String,
}

/// The drawing of a process, its texts as `tell` says them; none where the model has none.
pub fn drawing(process: &Definition, tell: impl Fn(&str) -> String) -> Option<Drawing> {
    let diagram = process.diagram();
    if diagram.shapes.is_empty() {
        return None;
    }
    let nodes = diagram.shapes.iter().filter_map(|shape| {
        let kind = match shape.tag.as_str() {
            "userTask" | "manualTask" | "task" => "task",
            "serviceTask" | "businessRuleTask" => "service",
            tag if tag.ends_with("Gateway") => "gateway",
            "startEvent" => "start",
            "endEvent" => "end",
            "boundaryEvent" | "intermediateCatchEvent" => "timer",
            _ => return None,
        };
        let inside = matches!(kind, "task" | "service");
        let text = match shape.label {
            Some(label) if !inside => written(&tell(&shape.name), label, 12),
            _ if inside => written(&tell(&shape.name), shape.bounds, BOX_LINE),
            _ => Vec::new(),
        };
        let b = shape.bounds;
        let middle = (b.x + b.w / 2.0, b.y + b.h / 2.0, b.w / 2.0);
        let points = if kind == "gateway" {
            diamond(b)
        } else {
            String::new()
        };
        Some(DrawnNode {
            kind,
            bounds: b,
            points,
            middle,
            text,
        })
    });
    let lines = diagram
        .edges
        .iter()
        .filter(|edge| edge.tag == "sequenceFlow")
        .map(|edge| DrawnLine {
            points: points(&edge.waypoints),
            head: head(&edge.waypoints),
            text: edge
                .label
                .map_or_else(Vec::new, |label| written(&tell(&edge.name), label, 12)),
        });
    let lines = lines.collect();
    Some(Drawing {
        width: diagram.width,
        height: diagram.height,
        nodes: nodes.collect(),
        lines,
    })
}

fn diamond(b: Bounds) -> String {
    let (cx, cy) = (b.x + b.w / 2.0, b.y + b.h / 2.0);
    format!(
        "{cx},{} {},{cy} {cx},{} {},{cy}",
        b.y,
        b.x + b.w,
        b.y + b.h,
        b.x
    )
}

fn points(waypoints: &[Point]) -> String {
    let corners: Vec<String> = waypoints
        .iter()
        .map(|point| format!("{},{}", point.x, point.y))
        .collect();
    corners.join(" ")
}

/// A small triangle at the end of a line.
fn head(waypoints: &[Point]) -> String {
    let [.., before, end] = waypoints else {
        return String::new();
    };
    let (dx, dy) = (end.x - before.x, end.y - before.y);
    let length = dx.hypot(dy).max(0.001);
    let (ux, uy) = (dx / length, dy / length);
    let (bx, by) = (end.x - 9.0 * ux, end.y - 9.0 * uy);
    format!(
        "{:.1},{:.1} {:.1},{:.1} {:.1},{:.1}",
        end.x,
        end.y,
        bx - 4.0 * uy,
        by + 4.0 * ux,
        bx + 4.0 * uy,
        by - 4.0 * ux
    )
}

/// A text in lines of at most `width` Chinese characters, or of as many whole words as fill them.
fn broken(text: &str, width: usize) -> Vec<String> {
    if text.is_ascii() {
        let mut lines: Vec<String> = Vec::new();
        for word in text.split_whitespace() {
            match lines.last_mut() {
                Some(line) if line.len() + 1 + word.len() <= width * 7 / 4 => {
                    line.push(' ');
                    line.push_str(word);
                }
                _ => lines.push(word.to_owned()),
            }
        }
        return lines;
    }
    let characters: Vec<char> = text.chars().collect();
    // Lines of equal length read better than a full one and a rest.
    let lines = characters.len().div_ceil(width);
    let each = characters.len().div_ceil(lines);
    characters
        .chunks(each)
        .map(|part| part.iter().collect())
        .collect()
}

/// A text in the middle of a box, broken into lines.
fn written(text: &str, bounds: Bounds, width: usize) -> Vec<DrawnText> {
    let parts = broken(text, width);
    let x = bounds.x + bounds.w / 2.0;
    let top = bounds.y + bounds.h / 2.0 - LINE * (parts.len() as f64 - 1.0) / 2.0;
    let line = |(at, text)| DrawnText {
        x,
        y: top + LINE * at as f64 + 4.5,
        text,
    };
    parts.into_iter().enumerate().map(line).collect()
}
