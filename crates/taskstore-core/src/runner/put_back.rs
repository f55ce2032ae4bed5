//! What becomes of tasks that nobody holds any more, as the lifecycle says.

use std::time::Duration;

use super::keeper::deadline;
use crate::{
    Result,
    backend::{Fate, LeasedTask, Settle, Settlement},
    lifecycle::{Ending, Policy, Standing},
    retry,
    store::Store,
};

/// Most tasks settled in one request.
const BATCH_MAX: usize = 1_000;

/// The end of an attempt that this process did not run.
pub(super) fn settlement(store: &Store, task: &LeasedTask, ending: Ending) -> Settlement {
    let handler = store.registry().handler(task.definition);
    // A task whose handler is not known here is judged by the defaults.
    let max_attempts = task.max_attempts.unwrap_or_else(|| {
        handler.as_ref().map_or(retry::MAX_ATTEMPTS, |handler| handler.max_attempts)
    });
    let backoff = handler.map_or_else(Default::default, |handler| handler.backoff.clone());
    let standing =
        Standing { suspect: task.suspect, ..Standing::running(task.attempts, max_attempts) };
    let policy = Policy { backoff: &backoff, chance: retry::chance() };
    Settlement::new(task.lease, ending.settle(&standing, policy))
}

/// Settles these tasks, a batch at a time; answers by position. Whoever waits for one that has ended is told.
pub(super) async fn settle(
    store: &Store,
    limit: Duration,
    tasks: &[LeasedTask],
    mut all: Vec<Settlement>,
) -> Result<Vec<Fate>> {
    let mut fates = Vec::with_capacity(all.len());
    while !all.is_empty() {
        let rest = all.split_off(all.len().min(BATCH_MAX));
        let request = Settle::new(all);
        let settled = store.backend().settle(&request);
        let settled = deadline(limit, "putting tasks back", settled).await?;
        store.meters().put_back(tasks, store, &request, &settled);
        store.tell_settled(&request, &settled);
        fates.extend(settled.fates);
        all = rest;
    }
    Ok(fates)
}
