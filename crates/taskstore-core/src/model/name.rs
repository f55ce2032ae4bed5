//! Names that people type, checked when they are made.

use std::{fmt, str::FromStr, sync::Arc};

use crate::{
    Error, Result,
    limits::{ALIAS_CHARS_MAX, QUEUE_CHARS_MAX},
};

/// Visible ASCII, so that every engine compares it the same way, byte by byte.
pub(super) fn check(field: &'static str, name: &str, chars_max: usize) -> Result<()> {
    if name.is_empty() {
        return Err(Error::invalid(field, "it is empty"));
    }
    if name.len() > chars_max {
        return Err(Error::invalid(field, format!("it is longer than {chars_max} characters")));
    }
    if let Some(bad) = name.chars().find(|c| !c.is_ascii_graphic()) {
        return Err(Error::invalid(field, format!("{bad:?} is not a visible ASCII character")));
    }
    Ok(())
}

macro_rules! name {
    ($name:ident) => {
        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self> {
                Self::new(text)
            }
        }

        impl TryFrom<&str> for $name {
            type Error = Error;

            fn try_from(text: &str) -> Result<Self> {
                Self::new(text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }
    };
}

/// A name that tasks wait under: 1 to 64 visible ASCII characters. Cheap to clone.
///
/// ```
/// # use taskstore_core::QueueName;
/// assert_eq!(QueueName::new("mail").unwrap().as_str(), "mail");
/// assert_eq!(QueueName::new("").unwrap(), QueueName::default());
/// assert_eq!(QueueName::new("two words").unwrap_err().to_string(),
///     "queue is not valid: ' ' is not a visible ASCII character");
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct QueueName(Arc<str>);

impl QueueName {
    /// Checks the name. An empty one means the queue `default`.
    ///
    /// # Errors
    /// [`Error::Invalid`] for anything but 1 to 64 visible ASCII characters.
    pub fn new(name: &str) -> Result<Self> {
        if name.is_empty() {
            return Ok(Self::default());
        }
        check("queue", name, QUEUE_CHARS_MAX)?;
        Ok(Self(name.into()))
    }
}

impl Default for QueueName {
    fn default() -> Self {
        Self("default".into())
    }
}

name!(QueueName);

/// The unique name of a kind of work: 1 to 128 visible ASCII characters. Cheap to clone.
///
/// ```
/// # use taskstore_core::Alias;
/// assert_eq!(Alias::new("email.send").unwrap().as_str(), "email.send");
/// assert!(Alias::new("").is_err());
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Alias(Arc<str>);

impl Alias {
    /// Checks the alias.
    ///
    /// # Errors
    /// [`Error::Invalid`] for anything but 1 to 128 visible ASCII characters.
    pub fn new(alias: &str) -> Result<Self> {
        check("alias", alias, ALIAS_CHARS_MAX)?;
        Ok(Self(alias.into()))
    }
}

name!(Alias);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_at_their_limit_pass_and_one_more_does_not() {
        assert!(QueueName::new(&"q".repeat(64)).is_ok());
        assert!(QueueName::new(&"q".repeat(65)).is_err());
        assert!(Alias::new(&"a".repeat(128)).is_ok());
        assert!(Alias::new(&"a".repeat(129)).is_err());
    }

    #[test]
    fn hostile_names_are_refused() {
        for name in [" ", "a\0b", "a\nb", "ä", "🦀", "a b"] {
            assert!(QueueName::new(name).is_err(), "{name:?}");
            assert!(Alias::new(name).is_err(), "{name:?}");
        }
        assert!(Alias::new("'; DROP TABLE task_queue; --").is_err(), "it has spaces");
        assert!(Alias::new("';DROP/**/TABLE").is_ok(), "values are bound, so quotes are harmless");
    }
}
