//! Takes over what dead runners held: reads late leases for the [`Watcher`], replaces those that it
//! calls dead, and settles their tasks as the lifecycle says. Decides nothing itself.

use std::time::Duration;

use tokio::time::Instant;

use super::{
    keeper::{call_limit, deadline},
    put_back,
};
use crate::{
    LeaseId, RunnerId,
    backend::{LateLease, Settlement, TakeOver, TakenOver},
    lifecycle::Ending,
    store::Store,
    telemetry,
    watcher::Watcher,
};

/// Most leases looked at in one read.
const LATE_MAX: u32 = 1_000;

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
        telemetry::taken_over(1);
        if let Err(error) = put_back::settle(store, limit, &taken.tasks, settlements).await {
            tracing::warn!(%error, "tasks of a dead runner could not be put back yet");
        }
    }
}

fn settlements(store: &Store, taken: &TakenOver) -> Vec<Settlement> {
    let ending = || Ending::LeaseLost { alone: taken.alone };
    taken.tasks.iter().map(|task| put_back::settlement(store, task, ending())).collect()
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;
    use crate::{
        Backend as _, Error, MemoryBackend, QueueName,
        backend::{Claim, Isolate},
    };

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_for_a_task_that_fails_with_its_runner_hears_of_it() {
        let backend = MemoryBackend::new();
        let store = Store::new(backend.clone());
        store.register_fn("kills", |_, ()| async { Ok(()) }).await.unwrap();
        let id = store.enqueue_by_alias("", "kills", ()).max_attempts(1).await.unwrap();
        let runner = RunnerId::new();
        let claim = Claim::new(runner, [QueueName::default()], 1);
        let task = backend.claim(&claim).await.unwrap().tasks.remove(0);
        let alone = LeaseId::new();
        backend.isolate(&Isolate::new(vec![(task.lease, alone)])).await.unwrap();

        let mut waiting = Box::pin(store.wait_for(id, Duration::from_secs(60)));
        assert!((&mut waiting).now_or_never().is_none(), "it runs");
        let dead = LateLease { lease: alone, beat: 0, lease_for: claim.lease_for };
        take_over(&store, runner, Duration::from_secs(1), vec![dead]).await;
        let ended = waiting.now_or_never().expect("it was told, and looks again");
        assert!(matches!(ended, Err(Error::Failed { task, .. }) if task == id), "{ended:?}");
    }
}
