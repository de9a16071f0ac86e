//! One component of a schema: its key, its checks, what it says about personal data.

use jiff::civil::Date;
use policy::feel::Number;
use regex::RegexBuilder;
use serde_json::{Map, Value};

use super::options::PAST_QUARTERS;
use super::{Path, Reader, Severity};
use crate::form::check::{CodeRule, DateRule};
use crate::form::model::{Class, Demand, Field, FieldKind, TextCheck};
use crate::form::personal::looks_personal;

/// Where a component stands: what may stand inside what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// At the top.
    Form,
    /// In a group.
    Group,
    /// In a row of a list.
    Row,
}

/// The most rows of a list.
const MAX_ROWS: usize = 50;
/// The largest compiled pattern, in bytes.
const PATTERN_BYTES: usize = 256 * 1024;
/// Keys that would stand in the way of FEEL's words and functions, and of what every case has.
const RESERVED: &[&str] = &[
    "if",
    "then",
    "else",
    "for",
    "in",
    "return",
    "some",
    "every",
    "satisfies",
    "and",
    "or",
    "between",
    "instance",
    "of",
    "not",
    "null",
    "true",
    "false",
    "function",
    "external",
    "item",
    "date",
    "time",
    "duration",
    "number",
    "string",
    "count",
    "sum",
    "min",
    "max",
    "mean",
    "all",
    "any",
    "abs",
    "floor",
    "ceiling",
    "round",
    "decimal",
    "contains",
    "matches",
    "replace",
    "split",
    "now",
    "today",
    "outcome",
];
/// Keys of `validate` that are carried out.
const VALIDATE: &[&str] = &[
    "required",
    "minLength",
    "maxLength",
    "min",
    "max",
    "pattern",
    "patternErrorMessage",
    "validationType",
];
/// Keys of `properties` in our namespace.
const PROPERTIES: &[&str] = &[
    "luodi.class",
    "luodi.rule",
    "luodi.unit",
    "luodi.short",
    "luodi.prefill",
    "luodi.pattern_hint",
    "luodi.max_rows",
    "luodi.earliest",
    "luodi.condition",
    "luodi.condition_message",
];

impl Reader {
    /// One component as a field; `None` where it cannot be read, with findings.
    pub(super) fn field(&mut self, component: &Value, path: &Path, place: Place) -> Option<Field> {
        if !self.count(path) {
            return None;
        }
        let kind = component
            .get("type")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let key = self.key(component, kind, path);
        let kind = self.kind(component, kind, &key, path, place)?;
        self.known(component, "validate", VALIDATE, &key, path);
        self.known_properties(component, &key, path);
        let field = Field {
            label: self.plain(component, "label", path),
            hint: self.plain(component, "description", path),
            required: self.flag(
                component.pointer("/validate/required"),
                &key,
                &path.key("validate.required"),
            ),
            readonly: self.flag(component.get("readonly"), &key, &path.key("readonly")),
            class: self.class(component, &key, path),
            unit: unit(component),
            short: property(component, "luodi.short")
                .unwrap_or_default()
                .to_owned(),
            prefill: property(component, "luodi.prefill").map(str::to_owned),
            hide: self.hide(component, path),
            demand: self.demand(component, &key, path, place),
            kind,
            key,
        };
        if field.label.is_empty() && !matches!(field.kind, FieldKind::Paragraph { .. }) {
            self.error(
                &path.key("label"),
                &field.key,
                "form-label-missing",
                "字段没有标签，请写明要填什么。",
            );
        }
        self.check_personal(component, &field, path);
        Some(field)
    }

    fn key(&mut self, component: &Value, kind: &str, path: &Path) -> String {
        if matches!(kind, "text" | "group") {
            return String::new();
        }
        let name = if kind == "dynamiclist" { "path" } else { "key" };
        let key = component
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .trim()
            .to_owned();
        let mut characters = key.chars();
        let well = characters.next().is_some_and(|c| c.is_ascii_lowercase())
            && characters.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
            && key.len() <= 64;
        if !well {
            let message = format!(
                "{name}“{key}”应以小写字母开头，只用小写字母、数字和下划线，不超过 64 个字符。"
            );
            self.error(&path.key(name), &key, "form-key", message);
        }
        if RESERVED.contains(&key.as_str()) {
            let message = format!("{name}“{key}”是 FEEL 表达式的保留字或函数名，请换一个。");
            self.error(&path.key(name), &key, "form-key-reserved", message);
        }
        key
    }

    fn kind(
        &mut self,
        component: &Value,
        kind: &str,
        key: &str,
        path: &Path,
        place: Place,
    ) -> Option<FieldKind> {
        match (kind, place) {
            ("textfield" | "textarea", _) => {
                let check = self.text_check(component, key, path);
                Some(FieldKind::Text {
                    long: kind == "textarea",
                    check,
                })
            }
            ("number", _) => Some(self.number(component, key, path)),
            ("datetime", _) => self.date(component, key, path),
            ("select" | "radio", _) => {
                let rule = self.code_rule(component, key, path);
                let past_quarters = kind == "select"
                    && rule == Some(CodeRule::Quarter)
                    && component.get("values").is_none()
                    && component.get("valuesKey").and_then(Value::as_str) == Some(PAST_QUARTERS);
                let options = if past_quarters {
                    Vec::new()
                } else {
                    self.options(component, key, path)
                };
                Some(FieldKind::Choice {
                    options,
                    radio: kind == "radio",
                    rule,
                })
            }
            ("checklist", _) => Some(FieldKind::Checklist {
                options: self.options(component, key, path),
            }),
            ("checkbox", _) => Some(FieldKind::Checkbox),
            ("text", _) => {
                let text = self.plain(component, "text", path);
                Some(FieldKind::Paragraph { text })
            }
            ("filepicker", Place::Form | Place::Group) => Some(file(component)),
            ("dynamiclist", Place::Form | Place::Group) => Some(self.list(component, path)),
            ("group", _) => {
                self.error(
                    path,
                    key,
                    "form-nesting",
                    "分组不能放在分组或列表里面，请移到表单最外层。",
                );
                None
            }
            ("filepicker" | "dynamiclist", Place::Row) => {
                self.error(
                    path,
                    key,
                    "form-nesting",
                    format!("列表的行内不能放 {kind}，请移到列表外面。"),
                );
                None
            }
            _ => {
                let allowed = "textfield、textarea、number、datetime、select、radio、checkbox、checklist、group、dynamiclist、filepicker、text";
                let message = format!("不支持组件“{kind}”。可用：{allowed}。");
                self.error(&path.key("type"), key, "form-unknown-component", message);
                None
            }
        }
    }

    fn text_check(&mut self, component: &Value, key: &str, path: &Path) -> TextCheck {
        let mut rule = self.code_rule(component, key, path);
        let path = path.key("validate");
        if let Some(kind) = component
            .pointer("/validate/validationType")
            .and_then(Value::as_str)
        {
            match kind {
                "email" => rule = rule.or(Some(CodeRule::Email)),
                "phone" => rule = rule.or(Some(CodeRule::Phone)),
                "" | "custom" => {}
                other => {
                    let message =
                        format!("validationType“{other}”不支持，可用 email、phone、custom。");
                    self.error(&path.key("validationType"), key, "form-validate", message);
                }
            }
        }
        let hint = component
            .pointer("/validate/patternErrorMessage")
            .and_then(Value::as_str);
        TextCheck {
            min_length: self.length(component, "minLength", key, &path),
            max_length: self.length(component, "maxLength", key, &path),
            pattern: self.pattern(component, key, &path),
            pattern_hint: hint
                .or_else(|| property(component, "luodi.pattern_hint"))
                .unwrap_or_default()
                .to_owned(),
            rule,
        }
    }

    fn length(&mut self, component: &Value, name: &str, key: &str, path: &Path) -> Option<usize> {
        let value = component.get("validate")?.get(name)?;
        let length = value
            .as_u64()
            .and_then(|length| usize::try_from(length).ok());
        if length.is_none() {
            self.error(
                &path.key(name),
                key,
                "form-validate",
                format!("{name} 应为不小于 0 的整数。"),
            );
        }
        length.map(|length| length.min(20_000))
    }

    fn pattern(&mut self, component: &Value, key: &str, path: &Path) -> Option<regex::Regex> {
        let source = component
            .pointer("/validate/pattern")?
            .as_str()
            .filter(|text| !text.is_empty())?;
        let compiled = RegexBuilder::new(source).size_limit(PATTERN_BYTES).build();
        if compiled.is_err() {
            let message =
                format!("pattern“{source}”不是可用的正则表达式（不支持环视和反向引用）。");
            self.error(&path.key("pattern"), key, "form-validate", message);
        }
        compiled.ok()
    }

    fn number(&mut self, component: &Value, key: &str, path: &Path) -> FieldKind {
        let decimals = component
            .get("decimalDigits")
            .filter(|value| !value.is_null());
        let digits = decimals
            .and_then(Value::as_u64)
            .and_then(|n| u32::try_from(n).ok());
        if decimals.is_some() && digits.is_none_or(|digits| digits > 12) {
            self.error(
                &path.key("decimalDigits"),
                key,
                "form-validate",
                "decimalDigits 应为 0 至 12 的整数。",
            );
        }
        let min = self.bound(component, "min", key, path);
        let max = self.bound(component, "max", key, path);
        if let (Some(low), Some(high)) = (min, max)
            && low > high
        {
            self.error(
                &path.key("validate.max"),
                key,
                "form-validate",
                "max 小于 min，没有数能满足。",
            );
        }
        FieldKind::Number {
            decimals: digits,
            min,
            max,
        }
    }

    /// A bound as an exact decimal: the text of the JSON number, never its binary neighbour.
    fn bound(&mut self, component: &Value, name: &str, key: &str, path: &Path) -> Option<Number> {
        let value = component
            .get("validate")?
            .get(name)
            .filter(|value| !value.is_null())?;
        let number = match value {
            Value::Number(number) => Number::parse(&number.to_string()),
            Value::String(text) => Number::parse(text),
            _ => None,
        };
        if number.is_none() {
            self.error(
                &path.key("validate").key(name),
                key,
                "form-validate",
                format!("{name} 应为数字。"),
            );
        }
        number
    }

    fn date(&mut self, component: &Value, key: &str, path: &Path) -> Option<FieldKind> {
        let subtype = component
            .get("subtype")
            .and_then(Value::as_str)
            .unwrap_or("date");
        if subtype != "date" {
            let message = format!("日期组件的 subtype“{subtype}”不支持，只能用 date。");
            self.error(&path.key("subtype"), key, "form-date-subtype", message);
            return None;
        }
        let code = property(component, "luodi.rule");
        let rule = code.and_then(DateRule::from_code);
        if let (Some(code), None) = (code, rule) {
            let message = format!("luodi.rule“{code}”不适用于日期，可用 not_future、not_past。");
            self.error(&path.key("properties"), key, "form-rule", message);
        }
        let ahead = component.get("disallowPassedDates");
        let rule = match ahead.and_then(Value::as_bool) {
            Some(true) => Some(DateRule::NotPast),
            _ => rule,
        };
        let earliest = self.earliest(component, key, path);
        Some(FieldKind::Date { rule, earliest })
    }

    fn earliest(&mut self, component: &Value, key: &str, path: &Path) -> Option<Date> {
        let text = property(component, "luodi.earliest")?;
        let day = text.parse().ok();
        if day.is_none() {
            let message = format!("luodi.earliest“{text}”应为 2009-01-01 这样的日期。");
            self.error(&path.key("properties"), key, "form-earliest", message);
        }
        day
    }

    /// What the value must fulfil together with others: a condition and its message, both or none.
    fn demand(
        &mut self,
        component: &Value,
        key: &str,
        path: &Path,
        place: Place,
    ) -> Option<Demand> {
        let condition = property(component, "luodi.condition");
        let message = property(component, "luodi.condition_message");
        let path = path.key("properties");
        if condition.is_none() && message.is_none() {
            return None;
        }
        let (Some(condition), Some(message)) = (condition, message) else {
            let message = "luodi.condition 和 luodi.condition_message 须同时写明。";
            self.error(&path, key, "form-demand", message);
            return None;
        };
        if place == Place::Row {
            let message = "列表中的字段不能带 luodi.condition，请写在列表以外的字段上。";
            self.error(&path, key, "form-demand", message);
            return None;
        }
        let holds = self.expression("luodi.condition ", condition, key, &path)?;
        let message = message.trim_end_matches('。').to_owned();
        Some(Demand { holds, message })
    }

    fn list(&mut self, component: &Value, path: &Path) -> FieldKind {
        let inner = path.key("components");
        let children = component.get("components").and_then(Value::as_array);
        let mut fields = Vec::new();
        for (index, child) in children.into_iter().flatten().enumerate() {
            fields.extend(self.field(child, &inner.index(index), Place::Row));
        }
        if fields.is_empty() {
            self.error(
                &inner,
                "",
                "form-list-empty",
                "列表没有任何字段，请至少添加一个。",
            );
        }
        let rows = component
            .get("defaultRepetitions")
            .and_then(Value::as_u64)
            .unwrap_or(1);
        let max = property(component, "luodi.max_rows").and_then(|text| text.parse().ok());
        let max_rows = max.unwrap_or(MAX_ROWS).clamp(1, MAX_ROWS);
        let rows = usize::try_from(rows).unwrap_or(1).clamp(1, max_rows);
        FieldKind::List {
            fields,
            rows,
            max_rows,
        }
    }

    fn code_rule(&mut self, component: &Value, key: &str, path: &Path) -> Option<CodeRule> {
        let code = property(component, "luodi.rule")?;
        let rule = CodeRule::from_code(code);
        if rule.is_none() {
            let known: Vec<&str> = CodeRule::codes().collect();
            let message = format!("luodi.rule“{code}”没有此规则，可用：{}。", known.join("、"));
            self.error(&path.key("properties"), key, "form-rule", message);
        }
        rule
    }

    fn class(&mut self, component: &Value, key: &str, path: &Path) -> Option<Class> {
        let code = property(component, "luodi.class")?;
        let class = Class::from_code(code);
        if class.is_none() {
            let known = Class::ALL.map(Class::code).join("、");
            let message = format!("luodi.class“{code}”没有此类别，可用：{known}。");
            self.error(&path.key("properties"), key, "form-class", message);
        }
        class
    }

    /// Personal data must say so: by its rule, its label or its key.
    fn check_personal(&mut self, component: &Value, field: &Field, path: &Path) {
        let holds_data = !matches!(
            field.kind,
            FieldKind::File { .. }
                | FieldKind::Paragraph { .. }
                | FieldKind::List { .. }
                | FieldKind::Checkbox
        );
        if !holds_data || field.class.is_some() {
            return;
        }
        let by_rule = match property(component, "luodi.rule").and_then(CodeRule::from_code) {
            Some(CodeRule::IdNumber) => Some(Class::IdNumber),
            Some(CodeRule::BankAccount) => Some(Class::BankAccount),
            Some(CodeRule::Phone) => Some(Class::Phone),
            _ => None,
        };
        let by_type = component
            .pointer("/validate/validationType")
            .and_then(Value::as_str);
        let by_type = (by_type == Some("phone")).then_some(Class::Phone);
        let looks = by_rule
            .or(by_type)
            .or_else(|| looks_personal(&field.key, &field.label));
        if let Some(class) = looks {
            let message = format!(
                "“{}”看起来是个人信息，请在 properties 中注明 luodi.class（例如 {}），或改换名称。",
                field.label,
                class.code()
            );
            self.error(
                &path.key("properties"),
                &field.key,
                "form-personal-unmarked",
                message,
            );
        }
    }

    fn flag(&mut self, value: Option<&Value>, key: &str, path: &Path) -> bool {
        match value {
            None | Some(Value::Null) => false,
            Some(Value::Bool(flag)) => *flag,
            Some(_) => {
                self.error(path, key, "form-flag", "此处只能是 true 或 false。");
                false
            }
        }
    }

    /// Checks that would be promised on the drawing board but not carried out are refused.
    fn known(&mut self, component: &Value, name: &str, allowed: &[&str], key: &str, path: &Path) {
        let map = component.get(name).and_then(Value::as_object);
        for unknown in map
            .into_iter()
            .flat_map(Map::keys)
            .filter(|k| !allowed.contains(&k.as_str()))
        {
            let message = format!("{name}.{unknown} 不支持，可用：{}。", allowed.join("、"));
            self.error(&path.key(name).key(unknown), key, "form-validate", message);
        }
    }

    fn known_properties(&mut self, component: &Value, key: &str, path: &Path) {
        let map = component.get("properties").and_then(Value::as_object);
        for unknown in map.into_iter().flat_map(Map::keys) {
            if unknown.starts_with("luodi.") && !PROPERTIES.contains(&unknown.as_str()) {
                let message = format!("没有属性“{unknown}”，可用：{}。", PROPERTIES.join("、"));
                self.error(&path.key("properties"), key, "form-property", message);
            } else if !unknown.starts_with("luodi.") {
                let message = format!("属性“{unknown}”不属于 luodi，不起作用。");
                self.add(
                    Severity::Warning,
                    &path.key("properties"),
                    key,
                    "form-property-ignored",
                    message,
                );
            }
        }
    }
}

/// One of the component's custom properties.
pub(super) fn property<'a>(component: &'a Value, name: &str) -> Option<&'a str> {
    let text = component.get("properties")?.get(name)?.as_str()?.trim();
    (!text.is_empty()).then_some(text)
}

fn unit(component: &Value) -> String {
    let suffix = component
        .pointer("/appearance/suffixAdorner")
        .and_then(Value::as_str);
    property(component, "luodi.unit")
        .or(suffix)
        .unwrap_or_default()
        .to_owned()
}

fn file(component: &Value) -> FieldKind {
    let accept = component
        .get("accept")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let types = accept
        .split(',')
        .map(|kind| kind.trim().trim_start_matches('.').to_ascii_lowercase())
        .filter(|kind| !kind.is_empty())
        .collect();
    let multiple = component
        .get("multiple")
        .and_then(Value::as_bool)
        .unwrap_or(false);
    FieldKind::File { types, multiple }
}
