//! Definitions, as people look at them and control them.

use super::{CreateDefinition, ListDefinitions, Store, UpdateDefinition};
use crate::{
    Alias, Definition, DefinitionId, DefinitionStatus, Error, Result,
    backend::{DefinitionKey, Expect},
    clock,
};

/// How often a change is made again because somebody else's came first.
const TRIES: u32 = 10;

/// Looks at task definitions, and controls them; made by [`Store::definitions`].
///
/// Tasks belong to a definition, not to its alias. So a definition that gets another alias takes
/// its tasks along: in a program that runs, the handler goes on with them; after a restart the one
/// that is registered under the new alias does, or one that names it among its
/// [former aliases](crate::TaskHandler::FORMER_ALIASES). New tasks are enqueued under the new alias
/// only.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// use taskstore_core::{DefinitionStatus, MemoryBackend, Store};
///
/// let store = Store::new(MemoryBackend::new());
/// let definitions = store.definitions();
/// let report = definitions.create("report.build").title("Monthly report").await?;
///
/// let report = definitions.update(&report).memo("Ask Ada").await?;
/// assert_eq!(definitions.cancel(report.id).await?.status, DefinitionStatus::Canceled);
/// assert_eq!(
///     store.enqueue_by_alias("", "report.build", ()).await.unwrap_err().to_string(),
///     "task definition is not valid: report.build is canceled",
/// );
/// definitions.activate(report.id).await?;
/// store.enqueue_by_alias("", "report.build", ()).await?;
/// # Ok::<(), taskstore_core::Error>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Of everything that changes a definition: [`NotFound`](Error::NotFound): there is no such
/// `task definition`, or it is soft-deleted, or, for a restore, it is not. Or what the database
/// says. Then nothing has changed.
#[derive(Clone, Debug)]
pub struct Definitions {
    store: Store,
}

impl Definitions {
    pub(super) const fn new(store: Store) -> Self {
        Self { store }
    }

    /// Makes a definition, when the builder is awaited. A handler that is
    /// [registered](Store::register) makes its own, so this is for kinds of work that other
    /// programs do.
    pub fn create(&self, alias: impl AsRef<str>) -> CreateDefinition {
        CreateDefinition::new(self.clone(), alias.as_ref())
    }

    /// The definition as it stands; also a soft-deleted one, which has a `deleted_at`.
    ///
    /// # Errors
    /// [`NotFound`](Error::NotFound): there is no such `task definition`, or it was deleted for
    /// good.
    pub async fn get(&self, id: DefinitionId) -> Result<Definition> {
        let found = self.store.backend().definition(&DefinitionKey::Id(id)).await?;
        found.ok_or_else(|| Error::not_found("task definition", &id))
    }

    /// The definition with this alias; `None` where there is none, or a soft-deleted one only.
    ///
    /// # Errors
    /// [`Invalid`](Error::Invalid): this cannot be an `alias`.
    pub async fn find_by_alias(&self, alias: impl AsRef<str>) -> Result<Option<Definition>> {
        self.store.definition_by_alias(&Alias::new(alias.as_ref())?).await
    }

    /// A page of definitions, in the order in which they were made, when the builder is awaited.
    pub fn list(&self) -> ListDefinitions {
        ListDefinitions::new(self.clone())
    }

    /// Changes the texts and the alias of a definition, when the builder is awaited, if it is still
    /// as it was when this one was read.
    pub fn update(&self, definition: &Definition) -> UpdateDefinition {
        UpdateDefinition::new(self.clone(), definition.clone())
    }

    /// Lets its tasks wait, and refuses new ones, until it is activated. What runs goes on. Fine for
    /// one that is canceled.
    ///
    /// # Errors
    /// See [`Definitions`].
    pub async fn cancel(&self, id: DefinitionId) -> Result<Definition> {
        self.set_status(id, DefinitionStatus::Canceled).await
    }

    /// Lets its tasks run, and takes new ones. Fine for one that is active.
    ///
    /// # Errors
    /// See [`Definitions`].
    pub async fn activate(&self, id: DefinitionId) -> Result<Definition> {
        self.set_status(id, DefinitionStatus::Active).await
    }

    /// Hides a definition, refuses new tasks, and frees its alias for another one. Tasks that are
    /// there stay: a program that has a handler for it goes on with them until it restarts, and
    /// registers the handler for the alias anew.
    ///
    /// # Errors
    /// See [`Definitions`].
    pub async fn soft_delete(&self, id: DefinitionId) -> Result<Definition> {
        self.change(id, |definition| {
            live(definition)?;
            definition.deleted_at = Some(clock::now());
            Ok(true)
        })
        .await
    }

    /// Shows a soft-deleted definition again, as it is.
    ///
    /// # Errors
    /// See [`Definitions`]; and [`AlreadyExists`](Error::AlreadyExists): another one has its alias
    /// by now.
    pub async fn restore(&self, id: DefinitionId) -> Result<Definition> {
        self.change(id, |definition| match definition.deleted_at.take() {
            Some(_) => Ok(true),
            None => Err(missing(definition)),
        })
        .await
    }

    /// Deletes a definition for good, whether it is soft-deleted or not. Its tasks that have ended
    /// stay, and still show its alias; they cannot be requeued.
    ///
    /// # Errors
    /// [`InUse`](Error::InUse): tasks of it are queued, running or paused, perhaps soft-deleted
    /// ones whose runner has not ended them yet. [`NotFound`](Error::NotFound): there is no such
    /// `task definition`; so also when the request is sent again after an error that may pass.
    pub async fn delete(&self, id: DefinitionId) -> Result<()> {
        self.store.backend().delete_definition(id).await?;
        self.store.definition_cache().forget_definition(id);
        Ok(())
    }

    async fn set_status(&self, id: DefinitionId, status: DefinitionStatus) -> Result<Definition> {
        self.change(id, |definition| {
            live(definition)?;
            let changes = definition.status != status;
            definition.status = status;
            Ok(changes)
        })
        .await
    }

    /// Reads it, changes what is to change and nothing else, and stores it; again when somebody
    /// else's change came between. `change` says whether there is anything to store.
    async fn change(
        &self,
        id: DefinitionId,
        change: impl Fn(&mut Definition) -> Result<bool>,
    ) -> Result<Definition> {
        let mut tries = TRIES;
        loop {
            let mut definition = self.get(id).await?;
            if !change(&mut definition)? {
                return Ok(definition);
            }
            match self.put(definition).await {
                Err(Error::Changed { .. }) if tries > 1 => tries -= 1,
                stored => return stored,
            }
        }
    }

    /// Stores a definition that was changed since it was read, if it is there as it was read.
    pub(super) async fn put(&self, mut definition: Definition) -> Result<Definition> {
        let updated_at = definition.updated_at;
        // Later than before, also where clocks differ: it is the guard of the next change.
        definition.updated_at =
            clock::now().max(clock::add(updated_at, std::time::Duration::from_micros(1)));
        let id = definition.id;
        match self
            .store
            .backend()
            .put_definition(&definition, Expect::Unchanged { updated_at })
            .await
        {
            Ok(()) => {
                self.store.definition_cache().forget_definition(id);
                Ok(definition)
            }
            Err(Error::NotFound { .. }) => {
                self.get(id).await?;
                Err(Error::changed("task definition", &id))
            }
            Err(error) => Err(error),
        }
    }

    /// The store that it controls.
    pub(super) const fn store(&self) -> &Store {
        &self.store
    }
}

/// Refuses a soft-deleted one.
pub(super) fn live(definition: &Definition) -> Result<()> {
    if definition.deleted_at.is_some() { Err(missing(definition)) } else { Ok(()) }
}

fn missing(definition: &Definition) -> Error {
    Error::not_found("task definition", &definition.id)
}
