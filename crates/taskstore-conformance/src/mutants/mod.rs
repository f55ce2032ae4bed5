//! Planted bugs, for tests of the suite itself: a check that has never caught anything proves
//! nothing.
//!
//! Each [`Mutant`] is one mistake that an engine could make. [`hunt`] wraps the stores of a harness
//! so that they make it, and says which cases of the suite notice. Nothing here is of use outside
//! tests, and no engine's own code has a switch for its mistakes.

mod bugged;
mod enqueue;
mod lease;
mod list;
mod memo;
mod page;
mod purge;
mod query;
mod queue;
mod settle;
mod sql;
mod sweep;

use std::{path::Path, sync::Arc, time::Duration};

use async_trait::async_trait;
use taskstore_core::Backend;

use self::{
    bugged::Bugged,
    page::{Bug, keep},
};
pub use self::{
    list::Mutant,
    sql::{Patch, SqlMutant, notice_each},
};
use crate::{Case, Damage, Harness, PlainEnd, PlainRow, try_case};

/// The stores of another harness, with one mistake.
pub struct Planted {
    inner: Arc<dyn Harness>,
    mutant: Mutant,
}

impl Planted {
    /// Plants `mutant` in every store that `inner` opens.
    #[must_use]
    pub fn new(inner: Arc<dyn Harness>, mutant: Mutant) -> Self {
        Self { inner, mutant }
    }
}

#[async_trait]
impl Harness for Planted {
    async fn open(&self, store: &str) -> Arc<dyn Backend> {
        Arc::new(Bugged::new(self.inner.open(store).await, self.mutant))
    }

    async fn reopen(&self, store: &str) -> Option<Arc<dyn Backend>> {
        let backend = self.inner.reopen(store).await?;
        Some(Arc::new(Bugged::new(backend, self.mutant)))
    }

    async fn enqueue_plain(
        &self,
        store: &str,
        rows: &[PlainRow],
        end: PlainEnd,
    ) -> Result<(), String> {
        self.inner.enqueue_plain(store, rows, end).await
    }

    fn can_damage(&self) -> bool {
        self.inner.can_damage()
    }

    async fn damage(&self, store: &str, backend: &Arc<dyn Backend>, damage: Damage) {
        self.inner.damage(store, backend, damage).await;
    }

    fn deadline(&self) -> Duration {
        self.inner.deadline()
    }
}

/// The first `enough` of these cases, in their order, that fail on the stores of `harness` with the
/// mistake planted.
#[must_use]
pub fn hunt(
    harness: &Arc<dyn Harness>,
    mutant: Mutant,
    cases: &[Case],
    enough: usize,
) -> Vec<&'static str> {
    let planted: Arc<dyn Harness> = Arc::new(Planted::new(Arc::clone(harness), mutant));
    cases
        .iter()
        .filter(|case| try_case(Arc::clone(&planted), **case, planted.deadline()).is_err())
        .map(|case| case.name)
        .take(enough)
        .collect()
}

/// Tries that the page of the mutants is true: of the cases that it names for each, one fails at least on
/// the stores of `harness` with the mistake planted.
///
/// # Panics
/// If it is not.
pub fn notice_all(page: &Path, harness: &Arc<dyn Harness>, cases: &[Case]) {
    let bugs = Mutant::ALL.iter().map(|&mutant| Bug {
        row: format!("| {} | ", mutant.what()),
        cases: cases.to_vec(),
        notices: Box::new(move |case: &Case| !hunt(harness, mutant, &[*case], 1).is_empty()),
    });
    let head = "# Planted bugs\n\n\
         <!-- Made by `cargo xtask docs`; do not edit. -->\n\n\
         Each test run plants these mistakes, one at a time, in the store that lives in memory, and \
         fails when none of the\ncases named notices. They were the first that did, at most three of them.\n\n\
         | planted bug | noticed by |\n|---|---|\n";
    keep(page, head, &bugs.collect::<Vec<_>>());
}
