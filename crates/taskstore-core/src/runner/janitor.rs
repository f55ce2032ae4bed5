//! Purges what is over by the store's retention while a runner runs: one janitor for each store and
//! process, however many runners. Decides nothing: the policy is in `retention`, the work in
//! `store::retention`.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use crate::{
    retry,
    store::{Manner, Purged, Store},
};

/// Between two rounds, give or take a tenth, so that processes that started together part.
const ROUND_EVERY: Duration = Duration::from_secs(5 * 60);
/// The first round, at the latest: a program that has just started has better things to do.
const FIRST_WITHIN: Duration = Duration::from_secs(30);
/// Then everything is looked at again: what was restored, or saved long after its end, lies behind
/// where the walks have come to.
const AFRESH_EVERY: Duration = Duration::from_secs(24 * 60 * 60);

/// The janitor of a store, and how many runners it works for.
#[derive(Debug, Default)]
pub(crate) struct Janitor {
    at_work: Mutex<(usize, Option<AbortOnDropHandle<()>>)>,
}

/// A runner that has the janitor work until this is dropped.
pub(super) struct OnDuty {
    store: Store,
}

/// Has the janitor of the store work, if there is anything for it to do.
pub(super) fn on_duty(store: &Store) -> Option<OnDuty> {
    if store.retention().walks().is_empty() {
        return None;
    }
    let mut at_work = store.janitor().at_work.lock().unwrap_or_else(PoisonError::into_inner);
    at_work.0 += 1;
    if at_work.1.is_none() {
        at_work.1 = Some(AbortOnDropHandle::new(tokio::spawn(work(store.clone()))));
    }
    Some(OnDuty { store: store.clone() })
}

impl Drop for OnDuty {
    fn drop(&mut self) {
        let mut at_work =
            self.store.janitor().at_work.lock().unwrap_or_else(PoisonError::into_inner);
        at_work.0 = at_work.0.saturating_sub(1);
        if at_work.0 == 0 {
            at_work.1 = None;
        }
    }
}

/// Works until it is dropped. What is half-way then is done whole by the store, or not at all.
async fn work(store: Store) {
    let mut walks = store.retention().walks();
    let mut afresh_at = Instant::now() + AFRESH_EVERY;
    tokio::time::sleep(FIRST_WITHIN.mul_f64(retry::chance())).await;
    loop {
        let (began, mut purged) = (Instant::now(), Purged::default());
        let done = store.purge_what_is_over(&mut walks, Manner::BESIDE, &mut purged).await;
        if purged.total() > 0 {
            tracing::info!(
                success = purged.success,
                failed = purged.failed,
                canceled = purged.canceled,
                soft_deleted = purged.soft_deleted,
                took = ?began.elapsed(),
                "retention: what is over was purged"
            );
        }
        if let Err(error) = done {
            tracing::warn!(%error, "retention: not everything that is over could be purged yet");
        }
        if Instant::now() >= afresh_at {
            walks = store.retention().walks();
            afresh_at = Instant::now() + AFRESH_EVERY;
        }
        tokio::time::sleep(ROUND_EVERY.mul_f64(0.9 + 0.2 * retry::chance())).await;
    }
}
