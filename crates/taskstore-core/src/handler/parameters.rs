//! A task's parameters by name, for handlers that do not want a type for them.

use std::{collections::HashMap, sync::OnceLock};

use serde_json::value::RawValue;

/// Parameters as JSON; taken apart only when somebody asks for one by name.
pub(super) struct Parameters {
    json: Box<RawValue>,
    fields: OnceLock<HashMap<String, Box<RawValue>>>,
}

impl Parameters {
    pub(super) const fn new(json: Box<RawValue>) -> Self {
        Self { json, fields: OnceLock::new() }
    }

    /// All of them, as they were enqueued.
    pub(super) fn json(&self) -> &RawValue {
        &self.json
    }

    /// The string form of a field; `None` if it is not there, or null.
    pub(super) fn get(&self, name: &str) -> Option<String> {
        self.field(name).and_then(text)
    }

    /// A field as a list: an array's items, or the parts of a text between `;`.
    pub(super) fn list(&self, name: &str) -> Vec<String> {
        let Some(value) = self.field(name) else { return Vec::new() };
        if let Ok(items) = serde_json::from_str::<Vec<Box<RawValue>>>(value.get()) {
            return items.iter().filter_map(|item| text(item)).collect();
        }
        match text(value) {
            Some(text) if !text.is_empty() => text.split(';').map(str::to_owned).collect(),
            _ => Vec::new(),
        }
    }

    fn field(&self, name: &str) -> Option<&RawValue> {
        // Parameters that are no object have no fields.
        let fields =
            self.fields.get_or_init(|| serde_json::from_str(self.json.get()).unwrap_or_default());
        fields.get(name).map(|value| &**value)
    }
}

/// A string without its quotes, anything else as it was typed.
fn text(value: &RawValue) -> Option<String> {
    match value.get() {
        "null" => None,
        quoted if quoted.starts_with('"') => serde_json::from_str(quoted).ok(),
        other => Some(other.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters(json: &str) -> Parameters {
        Parameters::new(RawValue::from_string(json.into()).unwrap())
    }

    #[test]
    fn a_field_has_the_form_that_a_person_would_type() {
        let p = parameters(
            r#"{"s":"a \"b\"","n":12345678901234567890,"f":1.50,"b":true,"o":{"x":1},"z":null}"#,
        );
        for (name, expected) in [
            ("s", Some("a \"b\"")),
            ("n", Some("12345678901234567890")),
            ("f", Some("1.50")),
            ("b", Some("true")),
            ("o", Some(r#"{"x":1}"#)),
            ("z", None),
            ("absent", None),
        ] {
            assert_eq!(p.get(name).as_deref(), expected, "{name}");
        }
    }

    #[test]
    fn a_list_is_split_at_semicolons_or_is_an_array() {
        let p = parameters(r#"{"s":"a;b c;","a":["x",1,null],"one":7,"empty":"","z":null}"#);
        for (name, expected) in [
            ("s", &["a", "b c", ""][..]),
            ("a", &["x", "1"]),
            ("one", &["7"]),
            ("empty", &[]),
            ("z", &[]),
            ("absent", &[]),
        ] {
            assert_eq!(p.list(name), expected, "{name}");
        }
    }

    #[test]
    fn parameters_that_are_no_object_have_no_fields() {
        for json in ["null", "[1,2]", "\"text\"", "3"] {
            assert_eq!(parameters(json).get("s"), None, "{json}");
            assert!(parameters(json).list("s").is_empty(), "{json}");
        }
    }
}
