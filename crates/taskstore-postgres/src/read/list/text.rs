//! A statement that is being composed.

use super::value::Value;

/// Fragments, and the values that are bound to their question marks, which become `$1`, `$2` and so
/// on. A fragment is part of the program, so nothing that a caller says can become one.
#[derive(Debug, Default)]
pub(super) struct Text {
    pub(super) sql: String,
    pub(super) values: Vec<Value>,
}

impl Text {
    /// Adds a fragment, and a value for each of its question marks.
    pub(super) fn add(&mut self, fragment: &'static str, values: impl IntoIterator<Item = Value>) {
        let mut parts = fragment.split('?');
        self.sql.push_str(parts.next().unwrap_or_default());
        let mut values = values.into_iter();
        for part in parts {
            self.values.extend(values.next());
            self.sql.push('$');
            self.sql.push_str(&self.values.len().to_string());
            self.sql.push_str(part);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_numbered_through_all_fragments() {
        let mut text = Text::default();
        text.add("SELECT ?,", [Value::Int(7)]);
        text.add("1", []);
        text.add(" WHERE a<? AND b<?;", [Value::Int(8), Value::Int(9)]);
        assert_eq!(text.sql, "SELECT $1,1 WHERE a<$2 AND b<$3;");
        assert_eq!(text.values.len(), 3);
    }
}
