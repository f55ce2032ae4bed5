//! Ids are ULIDs made by the caller, so that a request whose reply was lost can be sent again.

use std::{fmt, str::FromStr, sync::Mutex, time::SystemTime};

use serde::{Deserialize, Serialize};
use ulid::{Generator, Ulid};

use crate::{Error, clock};

/// The next ULID: later than every one that this process made before, so that tasks enqueued one
/// after another are claimed in that order.
fn next() -> Ulid {
    static GENERATOR: Mutex<Generator> = Mutex::new(Generator::new());
    let mut generator = GENERATOR.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let now = SystemTime::from(clock::now());
    // The 80 random bits can only run out after 2^79 ids within one millisecond.
    generator.generate_from_datetime(now).unwrap_or_else(|_| Ulid::from_datetime(now))
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Ulid);

        impl $name {
            /// One that was never used before, and sorts after all that this process made before.
            #[must_use]
            #[expect(clippy::new_without_default, reason = "two defaults would differ")]
            pub fn new() -> Self {
                Self(next())
            }

            /// The ULID inside.
            #[must_use]
            pub const fn ulid(self) -> Ulid {
                self.0
            }
        }

        impl From<Ulid> for $name {
            fn from(ulid: Ulid) -> Self {
                Self(ulid)
            }
        }

        /// As a store whose keys are numbers or 16 bytes (`to_be_bytes`) keeps it; sorts as the id does.
        impl From<$name> for u128 {
            fn from(id: $name) -> Self {
                id.0.0
            }
        }

        impl From<u128> for $name {
            fn from(number: u128) -> Self {
                Self(Ulid(number))
            }
        }

        impl FromStr for $name {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self, Error> {
                Ulid::from_string(text)
                    .map(Self)
                    .map_err(|error| Error::invalid($what, format!("{text:?} is not a ULID ({error})")))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

id!(
    /// Names a task.
    ///
    /// ```
    /// # use taskstore_core::TaskId;
    /// let id = TaskId::new();
    /// assert_eq!(id.to_string().parse::<TaskId>().unwrap(), id);
    /// assert!("nonsense".parse::<TaskId>().is_err());
    /// ```
    TaskId,
    "task id"
);
id!(
    /// Names a task definition.
    DefinitionId,
    "definition id"
);
id!(
    /// Names one start of a runner; never used again.
    RunnerId,
    "runner id"
);
id!(
    /// Names the lease of one claim; never claims twice.
    LeaseId,
    "lease id"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_one_process_only_grow() {
        let ids: Vec<_> = (0..10_000).map(|_| TaskId::new()).collect();
        assert!(ids.is_sorted_by(|a, b| a < b));
    }
}
