//! What a program sends as JSON, as the fields a page would have posted: a list of codes is a field
//! posted several times, a row of a list has its number in the name (`members.0.name`).

use serde_json::{Map, Value};

/// The fields that stand for these values, in their order. Null stands for no field.
pub fn flatten(values: &Map<String, Value>) -> Vec<(String, String)> {
    let mut fields = Vec::new();
    for (key, value) in values {
        add(&mut fields, key, value);
    }
    fields
}

fn add(fields: &mut Vec<(String, String)>, name: &str, value: &Value) {
    match value {
        Value::Null => {}
        Value::Bool(ticked) => fields.push((name.to_owned(), ticked.to_string())),
        Value::Number(number) => fields.push((name.to_owned(), number.to_string())),
        Value::String(text) => fields.push((name.to_owned(), text.clone())),
        Value::Array(list) => {
            for (index, inner) in list.iter().enumerate() {
                match inner {
                    Value::Object(_) => add(fields, &format!("{name}.{index}"), inner),
                    plain => add(fields, name, plain),
                }
            }
        }
        Value::Object(inner) => {
            for (key, value) in inner {
                add(fields, &format!("{name}.{key}"), value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_become_fields() {
        let values = json!({
            "name": "屋顶", "kw": 12.5, "sure": true, "none": null,
            "kinds": ["a", "b"], "members": [{ "name": "一" }, { "name": "二", "age": 3 }],
        });
        let fields = flatten(values.as_object().unwrap());
        let mut shown: Vec<String> = fields.iter().map(|(n, v)| format!("{n}={v}")).collect();
        shown.sort();
        let expected = [
            "kinds=a",
            "kinds=b",
            "kw=12.5",
            "members.0.name=一",
            "members.1.age=3",
            "members.1.name=二",
            "name=屋顶",
            "sure=true",
        ];
        assert_eq!(shown, expected);
    }
}
