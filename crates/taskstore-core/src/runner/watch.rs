//! Takes over what dead runners held: reads late leases for the [`Watcher`], replaces those that it
//! calls dead, and settles their tasks as the lifecycle says. Decides nothing itself.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::keeper::{call_limit, deadline};
use crate::{
    Backend, LeaseId, Result, RunnerId,
    backend::{LateLease, Settle, Settlement, TakeOver, TakenOver},
    lifecycle::{Ending, Policy, Standing},
    retry,
    store::Store,
    watcher::Watcher,
};

/// Most leases looked at in one read.
const LATE_MAX: u32 = 1_000;
/// Most tasks settled in one request.
const BATCH_MAX: usize = 1_000;

/// Watches until it is dropped.
pub(super) async fn watch(store: Store, runner: RunnerId, lease_for: Duration) {
    let mut watcher = Watcher::new(lease_for);
    let (began, limit) = (Instant::now(), call_limit(lease_for));
    loop {
        tokio::time::sleep(watcher.pause(began.elapsed())).await;
        let read_began = began.elapsed();
        let backend = store.backend();
        match deadline(limit, "reading late leases", backend.late_leases(LATE_MAX)).await {
            Ok(late) => {
                let dead = watcher.read(read_began, began.elapsed(), &late);
                if !dead.is_empty() {
                    take_over(&store, runner, limit, dead).await;
                }
            }
            Err(error) => {
                tracing::debug!(%error, "late leases could not be read");
                watcher.failed();
            }
        }
    }
}

/// Whatever fails here is taken over again by this watcher or another.
async fn take_over(store: &Store, runner: RunnerId, limit: Duration, dead: Vec<LateLease>) {
    let request =
        TakeOver::new(runner, dead.into_iter().map(|late| (late, LeaseId::new())).collect());
    let backend = store.backend();
    let taken = match deadline(limit, "taking leases over", backend.take_over(&request)).await {
        Ok(taken) => taken,
        Err(error) => return tracing::warn!(%error, "dead leases could not be taken over"),
    };
    for taken in taken.into_iter().flatten().filter(|taken| !taken.tasks.is_empty()) {
        tracing::warn!(from = %taken.from, tasks = taken.tasks.len(), alone = taken.alone, "a runner died; its tasks go back");
        let settlements = settlements(store, &taken);
        if let Err(error) = settle(backend, limit, settlements).await {
            tracing::warn!(%error, "tasks of a dead runner could not be put back yet");
        }
    }
}

fn settlements(store: &Store, taken: &TakenOver) -> Vec<Settlement> {
    let ending = |task: &crate::backend::LeasedTask| {
        let handler = store.registry().handler(task.definition);
        // A task whose handler is not known here is judged by the defaults.
        let max_attempts = task.max_attempts.unwrap_or_else(|| {
            handler.as_ref().map_or(retry::MAX_ATTEMPTS, |handler| handler.max_attempts)
        });
        let backoff = handler.map_or_else(Default::default, |handler| handler.backoff.clone());
        let standing =
            Standing { suspect: task.suspect, ..Standing::running(task.attempts, max_attempts) };
        let policy = Policy { backoff: &backoff, chance: retry::chance() };
        Settlement::new(
            task.lease,
            Ending::LeaseLost { alone: taken.alone }.settle(&standing, policy),
        )
    };
    taken.tasks.iter().map(ending).collect()
}

async fn settle(
    backend: &Arc<dyn Backend>,
    limit: Duration,
    mut all: Vec<Settlement>,
) -> Result<()> {
    while !all.is_empty() {
        let rest = all.split_off(all.len().min(BATCH_MAX));
        deadline(limit, "putting tasks back", backend.settle(&Settle::new(all))).await?;
        all = rest;
    }
    Ok(())
}
