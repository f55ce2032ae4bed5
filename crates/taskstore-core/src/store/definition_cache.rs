//! Definitions by their alias, and the ones that a producer saw a moment ago.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::Store;
use crate::{
    Alias, Definition, DefinitionId, DefinitionStatus, Error, Result,
    backend::{DefinitionKey, Expect},
    within::EnqueueIn,
};

/// How long an enqueue believes that an alias still means the same definition. The engine refuses a
/// definition that is deleted or canceled anyway, so a stale entry costs a look, never a wrong task.
const BELIEVED_FOR: Duration = Duration::from_secs(5);

/// How often a definition is looked for and made before somebody else's deletes win.
const TRIES: u32 = 3;

/// Active definitions by alias, so that an enqueue costs one statement.
#[derive(Default)]
pub(super) struct DefinitionCache {
    seen: Mutex<HashMap<Alias, (DefinitionId, Instant)>>,
}

impl DefinitionCache {
    pub(super) fn get(&self, alias: &Alias) -> Option<DefinitionId> {
        let (id, at) = *self.seen().get(alias)?;
        (at.elapsed() < BELIEVED_FOR).then_some(id)
    }

    pub(super) fn put(&self, definition: &Definition) {
        if definition.status == DefinitionStatus::Active {
            let alias = definition.alias.clone();
            self.seen().insert(alias, (definition.id, Instant::now()));
        }
    }

    pub(super) fn forget(&self, alias: &Alias) {
        self.seen().remove(alias);
    }

    /// Whatever alias it was seen under.
    pub(super) fn forget_definition(&self, id: DefinitionId) {
        self.seen().retain(|_, (seen, _)| *seen != id);
    }

    pub(super) fn forget_all(&self) {
        self.seen().clear();
    }

    fn seen(&self) -> MutexGuard<'_, HashMap<Alias, (DefinitionId, Instant)>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store {
    /// The live definition with this alias.
    pub(super) async fn definition_by_alias(&self, alias: &Alias) -> Result<Option<Definition>> {
        match self.backend().definition(&DefinitionKey::Alias(alias.clone())).await {
            Err(error @ Error::Backend { .. }) => {
                // Most likely there are no tables yet: that is worth saying.
                self.backend().check_schema().await?;
                Err(error)
            }
            found => found,
        }
    }

    /// The definition that new tasks of this alias belong to.
    pub(super) async fn definition_to_enqueue<P: EnqueueIn>(
        &self,
        place: &mut P,
        alias: &Alias,
    ) -> Result<DefinitionId> {
        let definition = place
            .definition(alias)
            .await?
            .ok_or_else(|| Error::not_found("task definition", alias))?;
        if definition.status == DefinitionStatus::Canceled {
            return Err(Error::invalid("task definition", format!("{alias} is canceled")));
        }
        self.inner.definitions.put(&definition);
        Ok(definition.id)
    }

    /// The live definition with the alias of this one, or else this one, stored. Whoever else makes
    /// it at the same time, all get the same.
    pub(super) async fn find_or_make_definition(&self, wanted: &Definition) -> Result<Definition> {
        let mut tries = TRIES;
        loop {
            if let Some(found) = self.definition_by_alias(&wanted.alias).await? {
                return Ok(found);
            }
            match self.backend().put_definition(wanted, Expect::Absent).await {
                Ok(()) => return Ok(wanted.clone()),
                Err(Error::AlreadyExists { .. }) if tries > 1 => tries -= 1,
                Err(error) => return Err(error),
            }
        }
    }
}
