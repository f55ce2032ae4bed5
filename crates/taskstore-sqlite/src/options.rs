//! How a store is opened.

use std::path::{Path, PathBuf};

use taskstore_core::{Error, Result};

use crate::sql::Patch;

/// Most characters of a prefix.
const PREFIX_CHARS_MAX: usize = 20;

/// How a store is opened. Every setting has a default that fits.
///
/// ```
/// # use taskstore_sqlite::{SqliteOptions, Synchronous};
/// let options = SqliteOptions::new("tasks.db").synchronous(Synchronous::Normal).prefix("app_")?;
/// let same = SqliteOptions::from_url("sqlite://tasks.db?synchronous=normal&prefix=app_")?;
/// assert_eq!(options.path(), same.path());
/// # Ok::<(), taskstore_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct SqliteOptions {
    pub(crate) path: PathBuf,
    pub(crate) synchronous: Synchronous,
    pub(crate) readers: u32,
    pub(crate) prefix: String,
    pub(crate) wakeup: Wakeup,
    pub(crate) patch: Option<Patch>,
}

/// When a commit counts as done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Synchronous {
    /// When it is on the disk: it outlives a loss of power. The default.
    #[default]
    Full,
    /// When the operating system has it: it outlives a crash of the process, but a loss of power may
    /// take the last commits. The file stays sound.
    Normal,
}

impl Synchronous {
    pub(crate) const fn as_sql(self) -> &'static str {
        match self {
            Self::Full => "FULL",
            Self::Normal => "NORMAL",
        }
    }
}

/// How a runner that waits hears of work that another process has stored. Work of the same process
/// is heard of at once in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wakeup {
    /// By inotify where there is one, else by polling. The default.
    #[default]
    Auto,
    /// By a look at the file's version every 25 ms while somebody waits: for file systems on which
    /// inotify hears nothing.
    Poll,
    /// Not at all: when its own wait has ended.
    Off,
}

impl SqliteOptions {
    /// The store in this file, which is made if it is not there. Its folder must exist.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            synchronous: Synchronous::default(),
            readers: 4,
            prefix: String::new(),
            wakeup: Wakeup::default(),
            patch: None,
        }
    }

    /// The store that a URL names: `sqlite://tasks.db` (relative), `sqlite:///var/lib/tasks.db`
    /// (absolute), with `%20` for a space and so on, and after a `?` any of `synchronous=full` or
    /// `normal`, `readers=4`, `prefix=app_`, `wakeup=auto`, `poll` or `off`.
    ///
    /// # Errors
    /// [`Error::Invalid`] that names `url`: another scheme, no path, or a parameter that is unknown
    /// or has a value that it cannot have.
    pub fn from_url(url: &str) -> Result<Self> {
        crate::url::parse(url)
    }

    /// When a commit counts as done; [`Synchronous::Full`] by default.
    #[must_use]
    pub const fn synchronous(mut self, synchronous: Synchronous) -> Self {
        self.synchronous = synchronous;
        self
    }

    /// How many connections read at the same time, 1 to 64; 4 by default. Made when needed.
    ///
    /// # Errors
    /// [`Error::Invalid`] that names `readers`.
    pub fn readers(mut self, readers: u32) -> Result<Self> {
        if !(1..=64).contains(&readers) {
            return Err(Error::invalid("readers", format!("{readers} is not between 1 and 64")));
        }
        self.readers = readers;
        Ok(self)
    }

    /// What goes before the name of every table, index and view, so that several stores share a
    /// file: lower-case letters, digits and `_`, a letter first, at most 20. None by default.
    ///
    /// # Errors
    /// [`Error::Invalid`] that names `prefix`.
    pub fn prefix(mut self, prefix: &str) -> Result<Self> {
        check_prefix(prefix)?;
        prefix.clone_into(&mut self.prefix);
        Ok(self)
    }

    /// How work of other processes is heard of; [`Wakeup::Auto`] by default.
    #[must_use]
    pub const fn wakeup(mut self, wakeup: Wakeup) -> Self {
        self.wakeup = wakeup;
        self
    }

    /// Plants a bug: the text to run instead of that of a file, by the file's name. For tests of the
    /// tests alone, and not there in a release build.
    #[doc(hidden)]
    #[cfg(debug_assertions)]
    #[must_use]
    pub fn patch_sql(mut self, patch: fn(name: &str, text: &str) -> Option<String>) -> Self {
        self.patch = Some(patch);
        self
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn check_prefix(prefix: &str) -> Result<()> {
    let fits = prefix.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if prefix.is_empty() {
        return Ok(());
    }
    if !fits || !prefix.starts_with(|c: char| c.is_ascii_lowercase()) {
        return Err(Error::invalid(
            "prefix",
            "it may have lower-case letters, digits and _, and begins with a letter",
        ));
    }
    if prefix.len() > PREFIX_CHARS_MAX {
        return Err(Error::invalid(
            "prefix",
            format!("it is longer than {PREFIX_CHARS_MAX} characters"),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_a_short_lower_case_name() {
        for good in ["", "a", "app_", "a1_b2", &"p".repeat(20)] {
            assert!(SqliteOptions::new("x").prefix(good).is_ok(), "{good:?}");
        }
        for bad in ["1a", "_a", "App", "a-b", "a b", "a;", "ä", "a\"", &"p".repeat(21)] {
            let error = SqliteOptions::new("x").prefix(bad).unwrap_err();
            assert!(matches!(error, Error::Invalid { field: "prefix", .. }), "{bad:?}");
        }
    }
}
