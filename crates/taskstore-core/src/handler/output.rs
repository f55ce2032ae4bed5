//! What a handler returns, as JSON that a store can keep.

use serde::Serialize;
use serde_json::value::RawValue;

use super::{TaskError, TaskResult};
use crate::limits::{self, OUTPUT_BYTES_MAX};

/// What a run came to: the output of a handler as JSON, or nothing.
///
/// What a handler returns becomes one by itself; a middleware makes its own to answer in place of
/// the handler.
///
/// ```
/// # use taskstore_core as taskstore;
/// use taskstore::TaskOutput;
///
/// let output = TaskOutput::json(&[1, 2]).unwrap();
/// assert_eq!(output.get().unwrap().get(), "[1,2]");
/// assert!(TaskOutput::json(&()).unwrap().get().is_none());
/// ```
#[derive(Clone, Debug, Default)]
pub struct TaskOutput(Option<Box<RawValue>>);

impl TaskOutput {
    /// Nothing, as of a handler that returns `()`.
    #[must_use]
    pub const fn none() -> Self {
        Self(None)
    }

    /// This, or nothing if it is null in JSON.
    ///
    /// # Errors
    /// A permanent [`TaskError`] for an output above 1 MiB, or one that cannot be JSON.
    pub fn json(output: &impl Serialize) -> TaskResult<Self> {
        to_json(output).map(Self)
    }

    /// The JSON, if there is any.
    #[must_use]
    pub fn get(&self) -> Option<&RawValue> {
        self.0.as_deref()
    }

    pub(crate) const fn of(json: Option<Box<RawValue>>) -> Self {
        Self(json)
    }

    pub(crate) fn into_json(self) -> Option<Box<RawValue>> {
        self.0
    }
}

/// The output as JSON; `None` for nothing at all: `()`, `None` and whatever else is null.
pub(super) fn to_json(output: &impl Serialize) -> TaskResult<Option<Box<RawValue>>> {
    let json = serde_json::value::to_raw_value(output)
        .map_err(|error| TaskError::permanent(format!("output is not valid: {error}")))?;
    limits::check_bytes("output", json.get().len(), OUTPUT_BYTES_MAX)
        .map_err(TaskError::permanent)?;
    Ok((json.get() != "null").then_some(json))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::lifecycle::{Ending, Retry};

    fn permanent(error: TaskError) -> String {
        let message = error.message().to_owned();
        assert!(matches!(error.into_ending(), Ending::Failed { retry: Retry::Never, .. }));
        message
    }

    #[test]
    fn nothing_is_no_output() {
        assert!(to_json(&()).unwrap().is_none());
        assert!(to_json(&None::<u8>).unwrap().is_none());
        assert_eq!(to_json(&0).unwrap().unwrap().get(), "0");
    }

    #[test]
    fn an_output_at_the_limit_passes_and_one_byte_more_fails_for_good() {
        let with_quotes = |bytes: usize| "x".repeat(bytes - 2);
        assert!(to_json(&with_quotes(OUTPUT_BYTES_MAX)).is_ok());
        assert_eq!(
            permanent(to_json(&with_quotes(OUTPUT_BYTES_MAX + 1)).unwrap_err()),
            "output is not valid: it has 1048577 bytes, at most 1048576 are allowed"
        );
    }

    #[test]
    fn what_json_cannot_hold_fails_for_good() {
        let odd = HashMap::from([((1, 2), 3)]);
        assert_eq!(
            permanent(to_json(&odd).unwrap_err()),
            "output is not valid: key must be a string"
        );
    }
}
