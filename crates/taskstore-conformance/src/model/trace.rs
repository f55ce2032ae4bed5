//! What was asked and answered, with short names instead of ids, so that a person can follow it.

use std::fmt::{Debug, Write as _};

use taskstore_core::{Error, Result};

/// The requests so far, and what things are called.
#[derive(Debug, Default)]
pub(super) struct Trace {
    names: Vec<(String, String)>,
    lines: Vec<String>,
}

impl Trace {
    /// Calls this id `kind` and a number.
    pub(super) fn name(&mut self, kind: char, id: &impl ToString) {
        let id = id.to_string();
        if self.names.iter().all(|(known, _)| *known != id) {
            let number = self.names.iter().filter(|(_, name)| name.starts_with(kind)).count();
            self.names.push((id, format!("{kind}{number}")));
        }
    }

    fn short(&self, text: &str) -> String {
        let mut short = text.to_owned();
        for (id, name) in &self.names {
            short = short.replace(id, name);
        }
        short
    }

    /// Both were asked this, and answered so.
    ///
    /// # Errors
    /// All that was asked, when the answers differ.
    pub(super) fn compare<T: Debug>(
        &mut self,
        asked: &str,
        expected: &Result<T>,
        found: &Result<T>,
    ) -> Result<(), String> {
        let (expected, found) = (answer(expected), answer(found));
        if expected == found {
            let line = format!("{asked}\n      -> {expected}");
            self.lines.push(self.short(&line));
            return Ok(());
        }
        let mut text = "the stores differ.\n".to_owned();
        for line in &self.lines {
            let _ = writeln!(text, "    {line}");
        }
        let _ = writeln!(text, "    {}", self.short(asked));
        let _ = writeln!(text, "      in memory -> {}", self.short(&expected));
        let _ = writeln!(text, "      here      -> {}", self.short(&found));
        Err(text)
    }
}

/// Errors are alike when a caller would act alike.
fn answer<T: Debug>(answer: &Result<T>) -> String {
    match answer {
        Ok(value) => format!("{value:?}"),
        Err(Error::NotFound { what, .. }) => format!("error: {what} not found"),
        Err(Error::AlreadyExists { what, .. }) => format!("error: {what} exists already"),
        Err(Error::Invalid { field, .. }) => format!("error: {field} not valid"),
        Err(error) => format!("error: {error}"),
    }
}
