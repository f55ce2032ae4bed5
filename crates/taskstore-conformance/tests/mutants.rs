//! Every planted bug is noticed: a suite that has never failed proves nothing.

#[path = "support/memory.rs"]
mod memory;

use std::{path::Path, sync::Arc, time::Duration};

use taskstore_conformance::{
    Case, Damage, Harness, Need, async_trait, cases,
    mutants::{Mutant, hunt, notice_all},
};
use taskstore_core::Backend;

/// The cases that make sense in memory and do not depend on chance.
fn certain_cases() -> Vec<Case> {
    let chance = ["race::", "random::"];
    cases()
        .into_iter()
        .filter(|case| matches!(case.needs, Need::Nothing | Need::NotifiesInProcess | Need::Damage))
        .filter(|case| !chance.iter().any(|noun| case.name.starts_with(noun)))
        .collect()
}

/// The store in memory, under deadlines that fit it.
struct Quick;

#[async_trait]
impl Harness for Quick {
    async fn open(&self, store: &str) -> Arc<dyn Backend> {
        memory::Memory.open(store).await
    }

    fn can_damage(&self) -> bool {
        memory::Memory.can_damage()
    }

    async fn damage(&self, store: &str, backend: &Arc<dyn Backend>, damage: Damage) {
        memory::Memory.damage(store, backend, damage).await;
    }

    fn deadline(&self) -> Duration {
        Duration::from_secs(20)
    }
}

#[test]
fn without_a_bug_nothing_is_noticed() {
    let harness: Arc<dyn Harness> = Arc::new(Quick);
    let noticed = hunt(&harness, Mutant::None, &certain_cases(), usize::MAX);
    assert!(noticed.is_empty(), "the decorator itself is at fault in {noticed:?}");
}

#[test]
fn every_planted_bug_is_noticed() {
    let harness: Arc<dyn Harness> = Arc::new(Quick);
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/mutants.md");
    notice_all(&page, &harness, &certain_cases());
}
