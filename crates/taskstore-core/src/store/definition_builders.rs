//! Making, changing and listing definitions: builders that are awaited.

use std::{
    future::{Future, IntoFuture},
    pin::Pin,
};

use super::{Definitions, definitions::live};
use crate::{
    Alias, Definition, Error, Result,
    backend::{Cursor, DefinitionQuery, Expect, Page},
    limits::PAGE_MAX,
};

/// Definitions on a page where nobody says otherwise.
const PAGE: u32 = 100;

type Answer<T> = Pin<Box<dyn Future<Output = Result<T>> + Send>>;

/// A definition to make; stored when it is awaited, and not before. Awaiting gives it, active.
///
/// # Errors
/// Nothing is stored when it fails with [`Invalid`](Error::Invalid), which names what cannot be:
/// `alias`, `title` (above 255 characters), `description`, `memo` (above 64 KiB, or with a NUL).
/// [`AlreadyExists`](Error::AlreadyExists): there is a live one with this alias.
#[derive(Debug)]
#[must_use = "nothing is made until it is awaited"]
pub struct CreateDefinition {
    definitions: Definitions,
    wanted: Result<Definition>,
}

impl CreateDefinition {
    pub(super) fn new(definitions: Definitions, alias: &str) -> Self {
        Self { definitions, wanted: Alias::new(alias).map(Definition::new) }
    }

    /// A short name for people: at most 255 characters.
    pub fn title(self, title: impl Into<String>) -> Self {
        self.with(|wanted| wanted.title = title.into())
    }

    /// What it does: at most 64 KiB.
    pub fn description(self, description: impl Into<String>) -> Self {
        self.with(|wanted| wanted.description = description.into())
    }

    /// Notes of whoever operates it: at most 64 KiB.
    pub fn memo(self, memo: impl Into<String>) -> Self {
        self.with(|wanted| wanted.memo = memo.into())
    }

    fn with(mut self, set: impl FnOnce(&mut Definition)) -> Self {
        if let Ok(wanted) = &mut self.wanted {
            set(wanted);
        }
        self
    }

    async fn create(self) -> Result<Definition> {
        let wanted = self.wanted?;
        wanted.check()?;
        self.definitions.store().backend().put_definition(&wanted, Expect::Absent).await?;
        Ok(wanted)
    }
}

impl IntoFuture for CreateDefinition {
    type Output = Result<Definition>;
    type IntoFuture = Answer<Definition>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.create())
    }
}

/// What to change about a definition; changed when it is awaited, and not before. What is not named
/// stays. Awaiting gives it as it is then, to be changed further.
///
/// The change is made only if the definition is still as it was when it was read: what somebody
/// else changed meanwhile is never overwritten.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// # use taskstore_core::{Error, MemoryBackend, Store};
/// # let store = Store::new(MemoryBackend::new());
/// let read = store.definitions().create("mail").await?;
/// let renamed = store.definitions().update(&read).alias("email.send").await?;
///
/// let late = store.definitions().update(&read).title("Mail").await;
/// assert!(matches!(late, Err(Error::Changed { .. })));
/// store.definitions().update(&renamed).title("Mail").await?;
/// # Ok::<(), taskstore_core::Error>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`Changed`](Error::Changed): somebody changed it since it was read.
/// [`NotFound`](Error::NotFound): it was soft-deleted when it was read, or is deleted for good.
/// [`AlreadyExists`](Error::AlreadyExists): another live one has the new alias.
/// [`Invalid`](Error::Invalid) names what cannot be: `alias`, `title`, `description`, `memo`; or
/// `update` itself when nothing is to change. Then nothing has changed.
#[derive(Debug)]
#[must_use = "nothing is changed until it is awaited"]
pub struct UpdateDefinition {
    definitions: Definitions,
    definition: Definition,
    alias: Option<Result<Alias>>,
    named: bool,
}

impl UpdateDefinition {
    pub(super) const fn new(definitions: Definitions, definition: Definition) -> Self {
        Self { definitions, definition, alias: None, named: false }
    }

    /// What it is enqueued by from then on. Its tasks come along; see [`Definitions`].
    pub fn alias(mut self, alias: impl AsRef<str>) -> Self {
        self.alias = Some(Alias::new(alias.as_ref()));
        self
    }

    /// A short name for people: at most 255 characters.
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.definition.title = title.into();
        self.named = true;
        self
    }

    /// What it does: at most 64 KiB.
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.definition.description = description.into();
        self.named = true;
        self
    }

    /// Notes of whoever operates it: at most 64 KiB.
    pub fn memo(mut self, memo: impl Into<String>) -> Self {
        self.definition.memo = memo.into();
        self.named = true;
        self
    }

    async fn update(self) -> Result<Definition> {
        let mut definition = self.definition;
        if self.alias.is_none() && !self.named {
            return Err(Error::invalid(
                "update",
                "say what to change: an alias, a title, a description or a memo",
            ));
        }
        if let Some(alias) = self.alias {
            definition.alias = alias?;
        }
        definition.check()?;
        live(&definition)?;
        self.definitions.put(definition).await
    }
}

impl IntoFuture for UpdateDefinition {
    type Output = Result<Definition>;
    type IntoFuture = Answer<Definition>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.update())
    }
}

/// A page of definitions, in the order in which they were made; read when it is awaited.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// # use taskstore_core::{MemoryBackend, Store};
/// # let store = Store::new(MemoryBackend::new());
/// # for n in 0..3 { store.definitions().create(format!("work.{n}")).await?; }
/// let mut aliases = Vec::new();
/// let mut page = store.definitions().list().limit(2).await?;
/// loop {
///     aliases.extend(page.items.iter().map(|definition| definition.alias.to_string()));
///     let Some(next) = page.next else { break };
///     page = store.definitions().list().limit(2).after(next).await?;
/// }
/// assert_eq!(aliases, ["work.0", "work.1", "work.2"]);
/// # Ok::<(), taskstore_core::Error>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`Invalid`](Error::Invalid): `limit` is not between 1 and 1,000, or `cursor` does not come from a
/// page of definitions.
#[derive(Debug)]
#[must_use = "nothing is read until it is awaited"]
pub struct ListDefinitions {
    definitions: Definitions,
    query: DefinitionQuery,
}

impl ListDefinitions {
    pub(super) const fn new(definitions: Definitions) -> Self {
        Self { definitions, query: DefinitionQuery::new(PAGE) }
    }

    /// Also soft-deleted ones, which have a `deleted_at`.
    pub const fn with_deleted(mut self) -> Self {
        self.query.with_deleted = true;
        self
    }

    /// The page after this one.
    pub fn after(mut self, next: Cursor) -> Self {
        self.query.after = Some(next);
        self
    }

    /// At most so many: 1 to 1,000, by default 100.
    pub const fn limit(mut self, definitions: u32) -> Self {
        self.query.limit = definitions;
        self
    }

    async fn list(self) -> Result<Page<Definition>> {
        let limit = self.query.limit;
        if !(1..=PAGE_MAX).contains(&limit) {
            return Err(Error::invalid(
                "limit",
                format!("{limit} is not between 1 and {PAGE_MAX}"),
            ));
        }
        self.definitions.store().backend().definitions(&self.query).await
    }
}

impl IntoFuture for ListDefinitions {
    type Output = Result<Page<Definition>>;
    type IntoFuture = Answer<Page<Definition>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.list())
    }
}
