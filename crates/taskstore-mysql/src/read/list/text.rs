//! A statement that is being composed.

use mysql_async::Value;

/// Fragments, and the values that are bound to their question marks. A fragment is part of the
/// program, so nothing that a caller says can become one.
#[derive(Debug, Default)]
pub(super) struct Text {
    pub(super) sql: String,
    pub(super) values: Vec<Value>,
}

impl Text {
    /// Adds a fragment, and a value for each of its question marks.
    pub(super) fn add(&mut self, fragment: &'static str, values: impl IntoIterator<Item = Value>) {
        self.sql.push_str(fragment);
        self.values.extend(values);
    }
}
