//! A kind of work.

use time::UtcDateTime;

use super::{Alias, DefinitionId};
use crate::{
    Error, Result, clock,
    limits::{self, DESCRIPTION_BYTES_MAX, TITLE_CHARS_MAX},
};

/// A kind of work, under an alias that is unique among the definitions that are not deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// Its id.
    pub id: DefinitionId,
    /// What it is enqueued by.
    pub alias: Alias,
    /// A short name for people; may be empty.
    pub title: String,
    /// What it does; may be empty.
    pub description: String,
    /// Notes of whoever operates it; may be empty.
    pub memo: String,
    /// Whether its tasks are claimed.
    pub status: DefinitionStatus,
    /// When it was made.
    pub created_at: UtcDateTime,
    /// When it was last changed.
    pub updated_at: UtcDateTime,
    /// When it was soft-deleted.
    pub deleted_at: Option<UtcDateTime>,
}

/// Whether the tasks of a definition are claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DefinitionStatus {
    /// They are.
    Active,
    /// They are not, and new ones are refused.
    Canceled,
}

impl Definition {
    /// An active one with a new id and no texts.
    #[must_use]
    pub fn new(alias: Alias) -> Self {
        let now = clock::now();
        Self {
            id: DefinitionId::new(),
            alias,
            title: String::new(),
            description: String::new(),
            memo: String::new(),
            status: DefinitionStatus::Active,
            created_at: now,
            updated_at: now,
            deleted_at: None,
        }
    }

    /// Checks the lengths of its texts.
    ///
    /// # Errors
    /// [`Error::Invalid`] that names the field: a title above 255 characters, a description or memo
    /// above 64 KiB, or a NUL in one of them.
    pub fn check(&self) -> Result<()> {
        if self.title.chars().count() > TITLE_CHARS_MAX {
            return Err(Error::invalid(
                "title",
                format!("it is longer than {TITLE_CHARS_MAX} characters"),
            ));
        }
        limits::check_text("title", &self.title, 4 * TITLE_CHARS_MAX)?;
        limits::check_text("description", &self.description, DESCRIPTION_BYTES_MAX)?;
        limits::check_text("memo", &self.memo, DESCRIPTION_BYTES_MAX)
    }
}
