//! Several runners and watchers against the memory backend, on a virtual clock and from a seed: no
//! runtime, no sleeping. Requests and replies are lost, processes crash and pause, the store goes
//! away, people cancel; then the faults end, and everything must.
//!
//! The [`Ledger`](ledger::Ledger) judges: nothing is lost, no living runner's task runs twice, no
//! attempt is charged that did not start, and a stop returns only when everything is saved.

mod ledger;
mod process;
mod world;

use std::collections::BTreeMap;

use world::World;

/// Seeds in each run of the tests; more with `TASKSTORE_SIMULATIONS`, one with `TASKSTORE_SEED`.
const SEEDS: u64 = 400;

fn seeds() -> std::ops::Range<u64> {
    let number = |name| std::env::var(name).ok().and_then(|text: String| text.parse::<u64>().ok());
    match (number("TASKSTORE_SEED"), number("TASKSTORE_SIMULATIONS")) {
        (Some(seed), _) => seed..seed + 1,
        (None, count) => 0..count.unwrap_or(SEEDS),
    }
}

#[test]
fn whatever_fails_everything_ends_once_and_nothing_is_charged_that_did_not_start() {
    let seeds = seeds();
    let trace = seeds.end - seeds.start == 1;
    let mut faults: BTreeMap<&'static str, u64> = BTreeMap::new();
    for seed in seeds {
        let world = World::run(seed, trace);
        for (fault, count) in &world.faults {
            *faults.entry(fault).or_default() += count;
        }
        assert!(
            world.ledger.violations.is_empty(),
            "TASKSTORE_SEED={seed} shows every step:\n{}",
            world.ledger.violations.join("\n"),
        );
    }
    println!("what happened: {faults:#?}");
    if !trace {
        for fault in [
            "crash",
            "pause",
            "outage",
            "request lost",
            "reply lost",
            "cancel",
            "poison",
            "stop",
            "take-over",
            "sweep",
        ] {
            assert!(faults.contains_key(fault), "{fault} never happened: it proves nothing of it");
        }
    }
}
