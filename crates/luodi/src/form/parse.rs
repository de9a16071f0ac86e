//! Reads a form-js schema into a [`Form`], with a finding at every place that cannot be carried
//! out: nothing of a schema is dropped in silence that would change what a visitor may enter.

mod field;
mod options;

use std::collections::BTreeSet;

use policy::feel::Scope;
use serde::Serialize;
use serde_json::Value;

use super::model::{Field, FieldKind, Form, Section};

/// The largest schema, in bytes.
const MAX_BYTES: usize = 256 * 1024;
/// The most components of a form, rows included.
const MAX_COMPONENTS: usize = 300;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing; the form can be used.
    Warning,
    /// The form is refused.
    Error,
}

/// Something found in a schema.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// Where in the document, such as `components[2].validate.min`.
    pub path: String,
    /// Key of the field concerned; empty where there is none.
    pub field: String,
    /// Stable code, such as `form-unknown-component`.
    pub code: &'static str,
    /// What is wrong and what to do, in Chinese.
    pub message: String,
}

/// A form and what was found while reading it. The form is there where no finding is an error.
#[derive(Clone, Debug, Default)]
pub struct Parsed {
    /// The form, where it can be used.
    pub form: Option<Form>,
    /// What was found, in the order of the document.
    pub findings: Vec<Finding>,
}

/// Reads a form-js schema.
pub fn parse(json: &str) -> Parsed {
    let mut reader = Reader::default();
    let form = reader.document(json);
    let refused = reader
        .findings
        .iter()
        .any(|finding| finding.severity == Severity::Error);
    Parsed {
        form: form.filter(|_| !refused),
        findings: reader.findings,
    }
}

/// What reading needs besides the document.
#[derive(Default)]
struct Reader {
    findings: Vec<Finding>,
    components: usize,
    scope: Scope,
}

/// A place in the document.
#[derive(Clone, Debug, Default)]
struct Path(String);

impl Path {
    fn key(&self, key: &str) -> Path {
        if self.0.is_empty() {
            Path(key.to_owned())
        } else {
            Path(format!("{}.{key}", self.0))
        }
    }

    fn index(&self, index: usize) -> Path {
        Path(format!("{}[{index}]", self.0))
    }
}

impl Reader {
    fn error(&mut self, path: &Path, field: &str, code: &'static str, message: impl Into<String>) {
        self.add(Severity::Error, path, field, code, message.into());
    }

    fn add(
        &mut self,
        severity: Severity,
        path: &Path,
        field: &str,
        code: &'static str,
        message: String,
    ) {
        let (path, field) = (path.0.clone(), field.to_owned());
        self.findings.push(Finding {
            severity,
            path,
            field,
            code,
            message,
        });
    }

    fn document(&mut self, json: &str) -> Option<Form> {
        let root = Path::default();
        if json.len() > MAX_BYTES {
            self.error(
                &root,
                "",
                "form-too-large",
                format!("表单文件超过 {MAX_BYTES} 字节，请拆分。"),
            );
            return None;
        }
        let document: Value = match serde_json::from_str(json) {
            Ok(document) => document,
            Err(error) => {
                let at = format!("第 {} 行第 {} 列", error.line(), error.column());
                self.error(
                    &root,
                    "",
                    "form-not-json",
                    format!("文件不是有效的 JSON（{at}），请用设计器重新导出。"),
                );
                return None;
            }
        };
        let Some(components) = document.get("components").and_then(Value::as_array) else {
            self.error(
                &root.key("components"),
                "",
                "form-no-components",
                "没有 components，这不是 form-js 表单。",
            );
            return None;
        };
        self.scope = scope_of(components);
        let sections = self.sections(components, &root.key("components"));
        let id = document
            .get("id")
            .and_then(Value::as_str)
            .unwrap_or("form")
            .to_owned();
        let form = Form { id, sections };
        self.check_keys(&form);
        if form.fields().next().is_none() {
            self.error(
                &root.key("components"),
                "",
                "form-empty",
                "表单没有任何字段，请至少添加一个。",
            );
        }
        Some(form)
    }

    /// Fields outside a group gather in untitled sections between the groups.
    fn sections(&mut self, components: &[Value], path: &Path) -> Vec<Section> {
        let mut sections: Vec<Section> = Vec::new();
        let mut loose = Section::default();
        for (index, component) in components.iter().enumerate() {
            let path = path.index(index);
            if component.get("type").and_then(Value::as_str) == Some("group") {
                if !loose.fields.is_empty() {
                    sections.push(std::mem::take(&mut loose));
                }
                sections.extend(self.group(component, &path));
            } else {
                loose
                    .fields
                    .extend(self.field(component, &path, field::Place::Form));
            }
        }
        if !loose.fields.is_empty() {
            sections.push(loose);
        }
        sections
    }

    fn group(&mut self, component: &Value, path: &Path) -> Option<Section> {
        if !self.count(path) {
            return None;
        }
        if component
            .get("path")
            .and_then(Value::as_str)
            .is_some_and(|path| !path.is_empty())
        {
            let message = "分组不能带 path，字段的 key 在整张表单内唯一即可；请删除 path。";
            self.error(&path.key("path"), "", "form-group-path", message);
        }
        let inner = path.key("components");
        let children = component.get("components").and_then(Value::as_array);
        let mut fields = Vec::new();
        for (index, child) in children.into_iter().flatten().enumerate() {
            fields.extend(self.field(child, &inner.index(index), field::Place::Group));
        }
        Some(Section {
            title: self.plain(component, "label", path),
            hint: self.plain(component, "description", path),
            hide: self.hide(component, path),
            fields,
        })
    }

    /// Counts one component; false where there are too many, said once.
    fn count(&mut self, path: &Path) -> bool {
        self.components += 1;
        if self.components == MAX_COMPONENTS + 1 {
            self.error(
                path,
                "",
                "form-too-many-components",
                format!("组件超过 {MAX_COMPONENTS} 个，请拆分表单。"),
            );
        }
        self.components <= MAX_COMPONENTS
    }

    /// A text of the schema that is shown as it stands; expressions in its place are refused.
    fn plain(&mut self, component: &Value, name: &str, path: &Path) -> String {
        let text = component
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .trim();
        if text.starts_with('=') || text.contains("{{") {
            let message = format!("{name} 不能写表达式或模板，请写固定文字。");
            self.error(&path.key(name), "", "form-expression-text", message);
        }
        text.to_owned()
    }

    /// The condition under which a component is hidden.
    fn hide(&mut self, component: &Value, path: &Path) -> Option<policy::Expression> {
        let text = component.pointer("/conditional/hide")?;
        let path = path.key("conditional.hide");
        self.expression("隐藏条件", text.as_str().unwrap_or_default(), "", &path)
    }

    /// A condition over the fields, written `=` and FEEL.
    fn expression(
        &mut self,
        what: &str,
        text: &str,
        key: &str,
        path: &Path,
    ) -> Option<policy::Expression> {
        let Some(source) = text.trim().strip_prefix('=') else {
            let message = format!("{what}应以 = 开头，后接 FEEL 表达式。");
            self.error(path, key, "form-condition", message);
            return None;
        };
        match policy::parse_expression(source.trim(), &self.scope) {
            Ok(expression) => Some(expression),
            Err(findings) => {
                let why: Vec<&str> = findings
                    .iter()
                    .map(|finding| finding.message_zh.as_str())
                    .collect();
                let message = format!("{what}无法识别：{}", why.join("；"));
                self.error(path, key, "form-condition", message);
                None
            }
        }
    }

    fn check_keys(&mut self, form: &Form) {
        let mut names = BTreeSet::new();
        for field in form.fields() {
            self.check_unique(&mut names, field);
            if let FieldKind::List { fields, .. } = &field.kind {
                let mut inner = BTreeSet::new();
                for field in fields {
                    self.check_unique(&mut inner, field);
                }
            }
        }
    }

    /// Keys and labels are names of expressions, so no two fields may share one.
    fn check_unique(&mut self, names: &mut BTreeSet<String>, field: &Field) {
        if field.key.is_empty() {
            return;
        }
        for name in [&field.key, &field.label] {
            let repeats = !name.is_empty() && !names.insert(name.clone());
            if repeats && (name == &field.key || field.key != field.label) {
                let message = format!("“{name}”已用于另一个字段，请改为不同的 key 和标签。");
                self.error(&Path::default(), &field.key, "form-duplicate-name", message);
            }
        }
    }
}

/// The names conditions may use: keys and labels of all fields outside lists.
fn scope_of(components: &[Value]) -> Scope {
    let mut scope = Scope::new();
    let groups = components
        .iter()
        .filter_map(|component| component.get("components"));
    let inner = groups.filter_map(Value::as_array).flatten();
    for component in components.iter().chain(inner).take(MAX_COMPONENTS) {
        for name in ["key", "label"] {
            match component.get(name).and_then(Value::as_str).map(str::trim) {
                Some(name) if !name.is_empty() => scope = scope.with(name),
                _ => {}
            }
        }
    }
    scope
}
