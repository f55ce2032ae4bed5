//! Which handlers a store has, by definition.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use super::Registered;
use crate::{Alias, DefinitionId, Error, Result, runner::Gathers};

/// The handlers of a store: at most one for an alias, and for a definition.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    inside: RwLock<Inside>,
}

#[derive(Debug, Default)]
struct Inside {
    /// Also the former ones, and those of a registration that is still under way.
    aliases: HashSet<Alias>,
    handlers: HashMap<DefinitionId, Arc<Registered>>,
}

impl Registry {
    /// The handler of a definition, also by the definition of a former alias.
    pub(crate) fn handler(&self, definition: DefinitionId) -> Option<Arc<Registered>> {
        self.read().handlers.get(&definition).cloned()
    }

    /// Which definitions' tasks are started together.
    pub(crate) fn gathers(&self) -> Gathers {
        let inside = self.read();
        let gathers =
            inside.handlers.iter().filter_map(|(&id, handler)| Some((id, handler.gather()?)));
        Arc::new(gathers.collect())
    }

    /// Every definition that has a handler.
    pub(crate) fn definitions(&self) -> Vec<DefinitionId> {
        self.read().handlers.keys().copied().collect()
    }

    /// Every handler once, by alias.
    pub(crate) fn handlers(&self) -> Vec<Arc<Registered>> {
        let mut handlers: Vec<_> = self.read().handlers.values().cloned().collect();
        handlers.sort_by(|a, b| a.alias.cmp(&b.alias));
        handlers.dedup_by(|a, b| a.alias == b.alias);
        handlers
    }

    /// Keeps these aliases for one handler until it is filled in; dropping the reservation gives
    /// them back.
    ///
    /// # Errors
    /// [`AlreadyExists`](Error::AlreadyExists): one of them is taken, or comes twice.
    pub(crate) fn reserve(&self, aliases: Vec<Alias>) -> Result<Reservation<'_>> {
        let mut inside = self.write();
        let mut seen = HashSet::new();
        for alias in &aliases {
            if inside.aliases.contains(alias) || !seen.insert(alias) {
                return Err(Error::already_exists("handler", alias));
            }
        }
        inside.aliases.extend(aliases.iter().cloned());
        drop(inside);
        Ok(Reservation { registry: self, aliases })
    }

    fn read(&self) -> RwLockReadGuard<'_, Inside> {
        self.inside.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Inside> {
        self.inside.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Aliases that are kept for a handler whose definitions are being looked up.
pub(crate) struct Reservation<'a> {
    registry: &'a Registry,
    aliases: Vec<Alias>,
}

impl Reservation<'_> {
    /// Puts the handler in, for all of these definitions at once.
    pub(crate) fn fill(mut self, handler: Registered, definitions: &[DefinitionId]) {
        self.aliases.clear();
        let handler = Arc::new(handler);
        let mut inside = self.registry.write();
        inside.handlers.extend(definitions.iter().map(|&id| (id, Arc::clone(&handler))));
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        if !self.aliases.is_empty() {
            let mut inside = self.registry.write();
            for alias in &self.aliases {
                inside.aliases.remove(alias);
            }
        }
    }
}
