//! Sweeps the store, slowly: puts back what fell out of every place because somebody wrote to the
//! tables by hand, and says so loudly. Decides nothing itself.

use std::time::Duration;

use super::{
    keeper::{call_limit, deadline},
    put_back,
};
use crate::{
    LeaseId, Result, RunnerId,
    backend::{Fate, Missing, Stray, Sweep},
    lifecycle::{Ending, Retry},
    store::{RunError, Store, SweepReport},
};

/// Looks at so many records or places in one call.
const LOOK_AT_MOST: u32 = 5_000;
/// Between two looks of one sweep,
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// and between two sweeps.
const SWEEP_EVERY: Duration = Duration::from_secs(60);

/// Sweeps until it is dropped; of several runners of one store one does.
pub(super) async fn sweep_slowly(store: Store, runner: RunnerId, lease_for: Duration) {
    let _alone = store.sweeping().await;
    let mut sweep = Sweep::new(runner, LOOK_AT_MOST);
    sweep.lease_for = lease_for;
    loop {
        let pause = if sweep.after.is_some() { LOOK_EVERY } else { SWEEP_EVERY };
        tokio::time::sleep(pause).await;
        match look(&store, &mut sweep).await {
            Ok(report) if report.is_empty() => {}
            Ok(report) => tracing::error!(%report, "somebody has changed the tables by hand"),
            Err(error) => tracing::warn!(%error, "the sweep failed; it goes on"),
        }
    }
}

/// One look, and what follows from it. The sweep goes on from there with the next.
pub(crate) async fn look(store: &Store, sweep: &mut Sweep) -> Result<SweepReport> {
    let (backend, limit) = (store.backend(), call_limit(sweep.lease_for));
    sweep.lease = LeaseId::new();
    let swept = deadline(limit, "sweeping", backend.sweep(sweep)).await?;
    sweep.after = swept.next;
    for dropped in &swept.dropped {
        tracing::error!(row = %dropped, "a row that belonged to no task was dropped");
    }
    let mut report = SweepReport { dropped: swept.dropped, ..SweepReport::default() };
    let settlements = swept
        .strays
        .iter()
        .map(|stray| put_back::settlement(store, &stray.task, ending(stray)))
        .collect();
    let tasks: Vec<_> = swept.strays.into_iter().map(|stray| stray.task).collect();
    // What cannot be settled now is under a lease that nobody keeps alive: it is taken over.
    let fates = put_back::settle(store, limit, &tasks, settlements).await?;
    for (task, fate) in tasks.iter().zip(fates) {
        let Fate::Applied { status } = fate else { continue };
        let id = task.lease.task;
        store.report_error(&task.queue, Some(id), &RunError::Astray { status });
        if status.has_ended() {
            report.ended.push(id);
        } else {
            report.put_back.push(id);
        }
    }
    Ok(report)
}

/// A task that can never run fails; any other goes back.
fn ending(stray: &Stray) -> Ending {
    let gone = match stray.missing {
        None => return Ending::Astray,
        Some(Missing::Parameters) => "its parameters are gone from the store",
        Some(Missing::Definition) => "its definition is gone from the store",
    };
    Ending::Failed { retry: Retry::Never, error: gone.to_owned() }
}
