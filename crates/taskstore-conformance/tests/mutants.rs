//! Every planted bug is noticed: a suite that has never failed proves nothing.

#[path = "support/memory.rs"]
mod memory;
#[path = "support/pages.rs"]
mod pages;

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use taskstore_conformance::{
    Case, Damage, Harness, Need, async_trait, cases,
    mutants::{Mutant, hunt, page},
};
use taskstore_core::Backend;

/// So many cases are named of those that notice a bug.
const ENOUGH: usize = 3;

/// The cases that make sense in memory and do not depend on chance, so that the page does not either.
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
    let cases = certain_cases();
    let harness: Arc<dyn Harness> = Arc::new(Quick);
    let next = AtomicUsize::new(0);
    let caught = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(mutant) = Mutant::ALL.get(number) else { return };
                    let by = hunt(&harness, *mutant, &cases, ENOUGH);
                    caught.lock().unwrap().push((number, *mutant, by));
                }
            });
        }
    });
    let mut caught = caught.into_inner().unwrap();
    caught.sort_by_key(|(number, ..)| *number);
    let caught: Vec<_> = caught.into_iter().map(|(_, mutant, by)| (mutant, by)).collect();
    let missed: Vec<_> =
        caught.iter().filter(|(_, by)| by.is_empty()).map(|(mutant, _)| mutant).collect();
    assert!(missed.is_empty(), "the suite notices none of {missed:?}");
    pages::keep_page("docs/mutants.md", &page(&caught));
}
