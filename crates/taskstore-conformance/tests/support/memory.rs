//! The harness of the store that lives in memory.

use std::sync::Arc;

use taskstore_conformance::{Damage, Harness, async_trait};
use taskstore_core::{Backend, Lose, MemoryBackend};

pub(crate) struct Memory;

#[async_trait]
impl Harness for Memory {
    async fn open(&self, _store: &str) -> Arc<dyn Backend> {
        Arc::new(MemoryBackend::new())
    }

    fn can_damage(&self) -> bool {
        true
    }

    async fn damage(&self, _store: &str, backend: &Arc<dyn Backend>, damage: Damage) {
        let memory = backend.as_any().downcast_ref::<MemoryBackend>();
        let lose = match damage {
            Damage::Place(task) => Lose::Place(task),
            Damage::Lease(lease) => Lose::Lease(lease),
            Damage::Record(task) => Lose::Record(task),
            Damage::Definition(definition) => Lose::Definition(definition),
            Damage::Parameters(_) => unreachable!("they are in the record"),
        };
        match memory {
            Some(memory) => memory.lose(lose),
            None => unreachable!("this harness opens no other store"),
        }
    }
}
