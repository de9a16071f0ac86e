//! What a check of a package has to say: each finding with file, element and line, so that the
//! author finds the place.

use serde::Serialize;

pub use crate::form::Severity;

/// Something found in a package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Whether the package is refused for it.
    pub severity: Severity,
    /// The file.
    pub file: String,
    /// The element: an id, key or path in the file; may be empty.
    pub element: String,
    /// Line in the file from 1; 0 where it has none.
    pub line: u32,
    /// Stable code.
    pub code: String,
    /// What is wrong and what to do, in Chinese.
    pub message: String,
}

/// Everything found in a package.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Findings(pub Vec<Finding>);

impl Findings {
    /// Whether the package can be published.
    pub fn ok(&self) -> bool {
        !self
            .0
            .iter()
            .any(|finding| finding.severity == Severity::Error)
    }

    /// Adds an error.
    pub(super) fn error(
        &mut self,
        file: &str,
        element: &str,
        code: &str,
        message: impl Into<String>,
    ) {
        self.add(Severity::Error, file, element, 0, code, message);
    }

    /// Adds a finding.
    pub(super) fn add(
        &mut self,
        severity: Severity,
        file: &str,
        element: &str,
        line: u32,
        code: &str,
        message: impl Into<String>,
    ) {
        self.0.push(Finding {
            severity,
            file: file.to_owned(),
            element: element.to_owned(),
            line,
            code: code.to_owned(),
            message: message.into(),
        });
    }
}
