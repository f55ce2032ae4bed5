//! What nobody thought of: random requests one after another, and random requests at once.
//!
//! Each run draws a seed and a failure names it; `TASKSTORE_SEED` plays it again, and
//! `TASKSTORE_MODEL_CASES` and `TASKSTORE_STRESS_SECONDS` make the runs longer.

use std::{str::FromStr, sync::Arc, time::Duration};

use crate::{
    Context, model,
    stress::{self, Options, Tally},
};

cases! { "random":
    given_any_requests_when_one_follows_the_other_then_it_answers_as_the_store_in_memory
        ["fence.one_settlement" "settle.applied" "settle.again" "isolate.guard" "take_over.guard"
        "control.guard" "claim.once" "unique.held" "enqueue.again"];
    given_any_requests_at_once_when_all_is_over_then_the_promises_explain_every_answer
        ["task.one_place" "claim.once" "fence.one_settlement" "settle.again" "take_over.fences"
        "take_over.guard" "isolate.guard" "cancel.yields" "unique.held" "enqueue.again"];
    given_any_requests_through_several_handles_when_all_is_over_then_the_promises_explain_them
        needs Shared
        ["shared.one_store" "task.one_place" "claim.once" "fence.one_settlement"
        "take_over.fences"];
}

/// What a longer run needs beyond the deadline of a case.
pub(crate) fn more_time() -> Duration {
    let seconds: u64 = variable("TASKSTORE_STRESS_SECONDS").unwrap_or_default();
    let cases: u64 = variable("TASKSTORE_MODEL_CASES").unwrap_or_default();
    // Draining and judging take longer than the stress itself on a busy machine.
    Duration::from_secs(10 * seconds + cases)
}

fn seed() -> u64 {
    variable("TASKSTORE_SEED").unwrap_or_else(|| fastrand::u64(..))
}

fn variable<T: FromStr>(name: &str) -> Option<T> {
    let text = std::env::var(name).ok()?;
    let Ok(value) = text.parse() else { panic!("{name} is {text:?}, which is not a number") };
    Some(value)
}

async fn given_any_requests_when_one_follows_the_other_then_it_answers_as_the_store_in_memory(
    context: &Context,
) {
    let harness = context.harness();
    let open = move || {
        let harness = Arc::clone(&harness);
        async move { Arc::clone(Context::open(harness).await.backend()) }
    };
    let cases = variable("TASKSTORE_MODEL_CASES").unwrap_or(40);
    if let Err(difference) = model::run(open, cases, seed()).await {
        panic!("{difference}");
    }
}

async fn given_any_requests_at_once_when_all_is_over_then_the_promises_explain_every_answer(
    context: &Context,
) {
    stressed(context, 1).await;
}

async fn given_any_requests_through_several_handles_when_all_is_over_then_the_promises_explain_them(
    context: &Context,
) {
    stressed(context, 3).await;
}

/// So often a store that is slow is stressed, until something of every kind has happened.
const ROUNDS_MAX: u64 = 5;

/// No violation, and something of every kind happened: a stress that did nothing proves nothing.
async fn stressed(context: &Context, handles: usize) {
    let (first, mut whole) = (seed(), Tally::default());
    for round in 0..ROUNDS_MAX {
        let fresh = context.another().await;
        let mut all = vec![Arc::clone(fresh.backend())];
        while all.len() < handles {
            all.push(fresh.reopen().await);
        }
        match stress::run(&all, Options::new(first.wrapping_add(round))).await {
            Ok(tally) => whole.add(&tally),
            Err(violations) => panic!("{}", violations.join("\n")),
        }
        if whole.least() > 0 {
            return;
        }
    }
    panic!("the stress did not do everything: {whole:?}");
}
