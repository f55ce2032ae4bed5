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
mod purge;
mod query;
mod queue;
mod settle;
mod sweep;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use taskstore_core::Backend;

use self::bugged::Bugged;
pub use self::list::Mutant;
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

/// The page that shows which cases caught which mutant: a Markdown table.
#[must_use]
pub fn page(caught: &[(Mutant, Vec<&'static str>)]) -> String {
    let mut page = String::from(
        "# Planted bugs\n\n\
         <!-- Made by `cargo xtask docs`; do not edit. -->\n\n\
         Each test run plants these mistakes, one at a time, in the store that lives in memory, and \
         fails when the suite\nlets one of them pass. The cases named are the first that notice, at \
         most three of them.\n\n\
         | planted bug | noticed by |\n|---|---|\n",
    );
    for (mutant, cases) in caught {
        let cases: Vec<_> = cases.iter().map(|case| format!("`{case}`")).collect();
        page.push_str(&format!("| {} | {} |\n", mutant.what(), cases.join("<br>")));
    }
    page
}
