//! The options of a select, radio or checklist: a fixed list in the schema, or the quarters that
//! are over, which no schema can list for ever. Nothing else is looked up.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Path, Reader};
use crate::form::model::Choice;

/// The `valuesKey` of a select whose options are the latest quarters that are over.
pub(super) const PAST_QUARTERS: &str = "past_quarters";

/// The most options of one field.
const MAX_OPTIONS: usize = 500;

impl Reader {
    pub(super) fn options(&mut self, component: &Value, key: &str, path: &Path) -> Vec<Choice> {
        for name in ["valuesKey", "valuesExpression"] {
            if component.get(name).is_some() {
                let message = format!(
                    "{name} 不支持，请在 values 中写明固定选项；申报季度的下拉框可写 \"valuesKey\": \"{PAST_QUARTERS}\"。"
                );
                self.error(&path.key(name), key, "form-options", message);
            }
        }
        let path = path.key("values");
        let values = component.get("values").and_then(Value::as_array);
        let mut options = Vec::new();
        let mut seen = BTreeSet::new();
        for (index, value) in values.into_iter().flatten().take(MAX_OPTIONS).enumerate() {
            let code = value
                .get("value")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .trim();
            let label = value
                .get("label")
                .and_then(Value::as_str)
                .unwrap_or(code)
                .trim();
            if code.is_empty() || !seen.insert(code.to_owned()) {
                let message = format!("选项值“{code}”为空或重复，请改为唯一的值。");
                self.error(&path.index(index), key, "form-options", message);
            }
            options.push(Choice {
                value: code.to_owned(),
                label: label.to_owned(),
            });
        }
        if options.is_empty() {
            self.error(
                &path,
                key,
                "form-options",
                "没有任何选项，请在 values 中写明。",
            );
        }
        options
    }
}
