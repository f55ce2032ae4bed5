//! What people look at.

use time::UtcDateTime;

use crate::{Alias, DefinitionId};

/// How a definition is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DefinitionKey {
    /// By its id.
    Id(DefinitionId),
    /// By its alias, among those that are not deleted.
    Alias(Alias),
}

/// What the caller believes of a definition that it stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// It is not there.
    Absent,
    /// It is as it was at that time.
    Unchanged {
        /// Its `updated_at` when it was read.
        updated_at: UtcDateTime,
    },
}

/// Which definitions to list.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub struct DefinitionQuery {
    /// Also soft-deleted ones.
    pub with_deleted: bool,
    /// From where the last page ended.
    pub after: Option<Cursor>,
    /// At most so many.
    pub limit: u32,
}

impl DefinitionQuery {
    /// The first page of the live ones.
    #[must_use]
    pub const fn new(limit: u32) -> Self {
        Self { with_deleted: false, after: None, limit }
    }

    /// The page after this cursor.
    #[must_use]
    pub fn after(mut self, cursor: Cursor) -> Self {
        self.after = Some(cursor);
        self
    }
}

/// Where a page ended. Opaque: made by an engine, given back to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor(pub String);

/// Some of many.
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// In the order that was asked for.
    pub items: Vec<T>,
    /// Where to go on; `None`: this was the last page.
    pub next: Option<Cursor>,
}
