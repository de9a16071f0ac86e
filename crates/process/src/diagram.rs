//! The drawn part of a model as a read model for templates: boxes and lines, moved so that the
//! drawing begins at the origin. Deliberately lacks any layout of its own and any SVG.

/// Room left around the drawing, in the modeller's units (pixels at 100 %).
const MARGIN: f64 = 10.0;

/// A place on the drawing.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Point {
    /// Units to the right of the left edge.
    pub x: f64,
    /// Units below the upper edge.
    pub y: f64,
}

/// A rectangle on the drawing.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Bounds {
    /// Left edge.
    pub x: f64,
    /// Upper edge.
    pub y: f64,
    /// Width, not negative.
    pub w: f64,
    /// Height, not negative.
    pub h: f64,
}

/// A box: a node, pool, lane, annotation, also one that cannot be executed.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Shape {
    /// Id of the element it shows.
    pub element: String,
    /// BPMN name of that element's type, e.g. `userTask`; empty when the element is unknown.
    pub tag: String,
    /// Text to write on it; may be empty.
    pub name: String,
    /// Where it is.
    pub bounds: Bounds,
    /// Where its text is, when the modeller placed it apart.
    pub label: Option<Bounds>,
}

/// A line: a sequence flow, association or message flow.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Edge {
    /// Id of the element it shows.
    pub element: String,
    /// BPMN name of that element's type, e.g. `sequenceFlow`; empty when the element is unknown.
    pub tag: String,
    /// Text to write on it; may be empty.
    pub name: String,
    /// Its corners, two or more.
    pub waypoints: Vec<Point>,
    /// Where its text is, when the modeller placed it.
    pub label: Option<Bounds>,
}

/// The drawing of one model. Empty when the file has none.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Diagram {
    /// Width of the whole, margin included; 0 when empty.
    pub width: f64,
    /// Height of the whole, margin included; 0 when empty.
    pub height: f64,
    /// Boxes, in the order in which they are painted.
    pub shapes: Vec<Shape>,
    /// Lines.
    pub edges: Vec<Edge>,
}

impl Diagram {
    /// Builds the drawing and moves it to the origin.
    pub(crate) fn new(shapes: Vec<Shape>, edges: Vec<Edge>) -> Diagram {
        let mut diagram = Diagram {
            width: 0.0,
            height: 0.0,
            shapes,
            edges,
        };
        if let Some((least, most)) = diagram.extent() {
            diagram.width = most.x - least.x + 2.0 * MARGIN;
            diagram.height = most.y - least.y + 2.0 * MARGIN;
            diagram.shift(MARGIN - least.x, MARGIN - least.y);
        }
        diagram
    }

    /// The box of an element.
    #[must_use]
    pub fn shape(&self, element: &str) -> Option<&Shape> {
        self.shapes.iter().find(|shape| shape.element == element)
    }

    fn rectangles(&self) -> impl Iterator<Item = &Bounds> {
        let boxes = self
            .shapes
            .iter()
            .flat_map(|shape| std::iter::once(&shape.bounds).chain(&shape.label));
        boxes.chain(self.edges.iter().filter_map(|edge| edge.label.as_ref()))
    }

    fn extent(&self) -> Option<(Point, Point)> {
        let corners = self.rectangles().flat_map(|b| {
            let (x, y) = (b.x + b.w, b.y + b.h);
            [Point { x: b.x, y: b.y }, Point { x, y }]
        });
        let bends = self
            .edges
            .iter()
            .flat_map(|edge| edge.waypoints.iter().copied());
        corners.chain(bends).fold(None, |extent, p| match extent {
            None => Some((p, p)),
            Some((least, most)) => Some((
                Point {
                    x: least.x.min(p.x),
                    y: least.y.min(p.y),
                },
                Point {
                    x: most.x.max(p.x),
                    y: most.y.max(p.y),
                },
            )),
        })
    }

    fn shift(&mut self, dx: f64, dy: f64) {
        let move_rectangle = |bounds: &mut Bounds| {
            bounds.x += dx;
            bounds.y += dy;
        };
        for shape in &mut self.shapes {
            move_rectangle(&mut shape.bounds);
            shape.label.as_mut().map(move_rectangle);
        }
        for edge in &mut self.edges {
            edge.label.as_mut().map(move_rectangle);
            for point in &mut edge.waypoints {
                point.x += dx;
                point.y += dy;
            }
        }
    }
}
