//! The end of a stress: nobody else is there, and everything must come to an end.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use taskstore_core::{
    Backend, LeaseId, Result, RunnerId, TaskId,
    backend::{
        Claim, Control, Lease, Move, Promote, QueueSettings, Settle, Settlement, TakeOver,
        Transition,
    },
    clock,
};

use super::world;
use crate::checker::Recorded;

/// Longer than any drain takes; what is not over then is for the checker to tell.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks at leases that are not late yet.
const PAUSE: Duration = Duration::from_millis(5);

/// Resumes all queues and tasks, takes over all leases, and lets every task succeed.
pub(super) async fn drain(recorded: &Recorded, tasks: &BTreeSet<TaskId>) -> Result<()> {
    let runner = RunnerId::new();
    for name in world::queues() {
        recorded.put_queue(&QueueSettings { name, paused: false }).await?;
    }
    let ids: Vec<_> = tasks.iter().copied().collect();
    for ids in ids.chunks(500) {
        recorded.control(&Control::new(ids.to_vec(), Move::Restore)).await?;
        recorded.control(&Control::new(ids.to_vec(), Move::Resume)).await?;
    }
    // What was to run in an hour is due tomorrow.
    let tomorrow = clock::add(clock::now(), Duration::from_secs(24 * 3600));
    let mut left = ids;
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        while recorded.promote(&Promote::new(500).at(tomorrow)).await?.moved > 0 {}
        let finished =
            finish_ready(recorded, runner).await? + finish_leased(recorded, runner).await?;
        if finished == 0 {
            if are_over(recorded.unrecorded(), &mut left).await? {
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
    Ok(())
}

async fn finish_ready(recorded: &Recorded, runner: RunnerId) -> Result<usize> {
    let mut finished = 0;
    loop {
        let claimed = recorded.claim(&Claim::new(runner, world::queues(), 100)).await?;
        if claimed.tasks.is_empty() {
            return Ok(finished);
        }
        finished += claimed.tasks.len();
        succeed(recorded, claimed.tasks.iter().map(|task| task.lease)).await?;
    }
}

async fn finish_leased(recorded: &Recorded, runner: RunnerId) -> Result<usize> {
    let late = recorded.late_leases(100).await?;
    let leases = late.into_iter().map(|late| (late, LeaseId::new())).collect();
    let taken = recorded.take_over(&TakeOver::new(runner, leases)).await?;
    let tasks: Vec<_> = taken.into_iter().flatten().flat_map(|taken| taken.tasks).collect();
    succeed(recorded, tasks.iter().map(|task| task.lease)).await?;
    Ok(tasks.len())
}

async fn succeed(recorded: &Recorded, leases: impl Iterator<Item = Lease>) -> Result<()> {
    let success = |lease| Settlement::new(lease, Transition::Success { output: None });
    let settlements: Vec<_> = leases.map(success).collect();
    if !settlements.is_empty() {
        recorded.settle(&Settle::new(settlements)).await?;
    }
    Ok(())
}

/// Forgets those that are over, which nobody changes any more, and says whether that was all.
async fn are_over(backend: &dyn Backend, left: &mut Vec<TaskId>) -> Result<bool> {
    while let Some(&task) = left.last() {
        if backend.task(task).await?.is_some_and(|task| !task.status.has_ended()) {
            return Ok(false);
        }
        left.pop();
    }
    Ok(true)
}
