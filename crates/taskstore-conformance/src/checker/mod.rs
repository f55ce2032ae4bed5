//! The judge of everything that is random: what was asked of a store and what it answered, and
//! whether the promises explain it.
//!
//! [`Recorded`] wraps any backend and writes an [`Event`] for every position of every request.
//! [`look_at_all`] adds how each task stands at the end. [`check`] then looks, task by task, for an
//! order of what overlapped that a task which keeps the promises could have gone through
//! (`one_task`), and for what several tasks or leases have to agree on (`across`). A turn that was
//! settled twice, a settlement under a lease that was taken over, an attempt charged or refunded
//! wrongly, a task that was lost: none of them has such an order.
//!
//! It never panics and never stops at the first: violations are collected as texts, each with the
//! history of its task.

mod across;
mod explain;
mod history;
mod one_task;
mod record;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use taskstore_core::{Backend, TaskId};
use ulid::Ulid;

use self::{
    explain::{Call, Unexplained, explain},
    one_task::Step,
};
pub use self::{
    history::{Answer, Asked, Became, Ended, Event, Given, Held, Seen, Taken, To, What},
    record::Recorded,
};

/// Checks a whole history; `drained` says that in the end every task must be over.
///
/// # Errors
/// One text for each violation, with the history of its task.
pub fn check(history: &[Event], drained: bool) -> Result<(), Vec<String>> {
    let mut violations = across::check(history);
    if drained {
        violations.extend(across::not_over(history));
    }
    for (task, mut calls) in by_task(history) {
        if let Some(unexplained) = explain(&mut calls) {
            violations.push(describe(history, task, &calls, &unexplained));
        }
    }
    if violations.is_empty() { Ok(()) } else { Err(violations) }
}

/// Looks at every task that the history knows, so that the check compares it with the store.
///
/// # Errors
/// What the store said where it could not be read.
pub async fn look_at_all(recorded: &Recorded) -> taskstore_core::Result<()> {
    look_at(recorded, tasks(&recorded.history())).await
}

/// Looks at these tasks.
///
/// # Errors
/// What the store said where it could not be read.
pub async fn look_at(
    recorded: &Recorded,
    tasks: impl IntoIterator<Item = TaskId>,
) -> taskstore_core::Result<()> {
    for task in tasks {
        recorded.task(task).await?;
        recorded.attempts(task).await?;
    }
    Ok(())
}

/// Every task that was asked for.
#[must_use]
pub fn tasks(history: &[Event]) -> BTreeSet<TaskId> {
    history.iter().filter_map(Event::task).collect()
}

/// Every task that was answered to be stored.
#[must_use]
pub fn stored(history: &[Event]) -> BTreeSet<TaskId> {
    let stored = |event: &Event| match &event.what {
        What::Enqueue { task, answer: Answer::Said(None), .. } => Some(*task),
        _ => None,
    };
    history.iter().filter_map(stored).collect()
}

/// What was asked about each task. A lease belongs to every task that was ever under it.
fn by_task(history: &[Event]) -> BTreeMap<TaskId, Vec<Call>> {
    let under = tasks_by_lease(history);
    let nobody = BTreeSet::new();
    let mut calls: BTreeMap<TaskId, Vec<Call>> = BTreeMap::new();
    for (index, event) in history.iter().enumerate() {
        let mut add = |task: TaskId, step: Step, ended: Option<u64>| {
            let call = Call { started: event.started, ended, step, event: index };
            calls.entry(task).or_default().push(call);
        };
        let lease = |lease: &Ulid| under.get(lease).unwrap_or(&nobody);
        match &event.what {
            What::Claim { lease: id, answer: Answer::Unknown(_) } => {
                for &task in lease(id) {
                    add(task, Step::Claim { lease: *id, given: None }, None);
                }
            }
            What::Claim { lease, answer } => {
                for given in answer.said().into_iter().flatten() {
                    let step = Step::Claim { lease: *lease, given: Some(given.clone()) };
                    add(given.held.task, step, event.ended);
                }
            }
            What::Recall { lease: id, answer: Answer::Said(found) } => {
                for &task in lease(id) {
                    let given = found.iter().find(|given| given.held.task == task).cloned();
                    add(task, Step::Recall { lease: *id, given }, event.ended);
                }
            }
            What::TakeOver { seen, lease: id, answer, .. } => {
                let found = match answer {
                    Answer::Said(Some(taken)) => Some(taken),
                    Answer::Said(None) | Answer::Refused(_) => continue,
                    Answer::Unknown(_) => None,
                };
                for &task in lease(seen).union(lease(id)) {
                    let found = found.map(|taken| {
                        let given = taken.tasks.iter().find(|given| given.held.task == task);
                        given.map(|given| (given.clone(), taken.alone))
                    });
                    let ended = event.ended.filter(|_| found.is_some());
                    add(task, Step::TakeOver { seen: *seen, lease: *id, found }, ended);
                }
            }
            what => {
                if let (Some(task), Some((step, certain))) = (event.task(), step(what)) {
                    add(task, step, event.ended.filter(|_| certain));
                }
            }
        }
    }
    calls
}

/// What is about a single task, and whether it is known to have been answered.
fn step(what: &What) -> Option<(Step, bool)> {
    fn maybe<T: Clone>(answer: &Answer<T>) -> Option<Option<T>> {
        match answer {
            Answer::Said(said) => Some(Some(said.clone())),
            Answer::Refused(_) => None,
            Answer::Unknown(_) => Some(None),
        }
    }
    Some(match what {
        What::Enqueue { answer, .. } => {
            let held_back = maybe(answer)?;
            let stored = held_back.is_none_or(|holder| holder.is_none());
            (Step::Enqueue { stored }, held_back.is_some())
        }
        What::Settle { held, to, answer } => {
            let applied = maybe(answer)?;
            (Step::Settle { held: *held, to: to.clone(), applied }, applied.is_some())
        }
        What::Report { held, answer } => {
            (Step::Report { held: *held, applied: *answer.said()? }, true)
        }
        What::Isolate { held, apart, answer } => {
            let isolated = maybe(answer)?;
            let certain = isolated.is_some();
            // Another right than the one that was asked for is an answer that nothing explains.
            if let Some(Some(got)) = isolated
                && (got.task, got.lease, Some(got.turn))
                    != (held.task, *apart, held.turn.checked_add(1))
            {
                return Some((Step::Look(None), true));
            }
            let isolated = isolated.map(|isolated| isolated.is_some());
            (Step::Isolate { held: *held, apart: *apart, isolated }, certain)
        }
        What::Control { to, answer, .. } => {
            let became = maybe(answer)?;
            (Step::Control { to: to.clone(), became }, became.is_some())
        }
        What::Look { answer, .. } => (Step::Look(answer.said()?.clone()), true),
        What::Attempts { answer, .. } => (Step::Attempts(answer.said()?.clone()), true),
        What::Claim { .. } | What::Recall { .. } | What::Beat { .. } | What::TakeOver { .. } => {
            return None;
        }
    })
}

fn tasks_by_lease(history: &[Event]) -> BTreeMap<Ulid, BTreeSet<TaskId>> {
    let mut under: BTreeMap<Ulid, BTreeSet<TaskId>> = BTreeMap::new();
    let mut add = |lease: Ulid, task: TaskId| {
        under.entry(lease).or_default().insert(task);
    };
    for event in history {
        match &event.what {
            What::Claim { lease, answer } | What::Recall { lease, answer } => {
                for given in answer.said().into_iter().flatten() {
                    add(*lease, given.held.task);
                }
            }
            What::TakeOver { seen, lease, answer, .. } => {
                let taken = answer.said().and_then(Option::as_ref);
                for given in taken.into_iter().flat_map(|taken| &taken.tasks) {
                    add(*seen, given.held.task);
                    add(*lease, given.held.task);
                }
            }
            What::Isolate { held, apart, .. } => {
                add(held.lease, held.task);
                add(*apart, held.task);
            }
            What::Settle { held, .. } | What::Report { held, .. } => add(held.lease, held.task),
            _ => {}
        }
    }
    under
}

fn describe(history: &[Event], task: TaskId, calls: &[Call], at: &Unexplained) -> String {
    let verdict = if at.gave_up { "gave up looking for an order" } else { "there is no order" };
    let mut text = format!("task {task}: {verdict} of what was asked that explains every answer\n");
    let state = &at.state;
    let _ = writeln!(
        text,
        "  the best one comes to: {:?}, turn {}, attempts {}, suspect {}, cancel requested {}, deleted {}",
        state.place, state.turn, state.attempts, state.suspect, state.cancel, state.deleted,
    );
    text.push_str("  from there none of these fits:\n");
    for event in at.next.iter().filter_map(|&index| history.get(index)) {
        line(&mut text, event);
    }
    text.push_str("  its history:\n");
    let mut events: Vec<_> = calls.iter().map(|call| call.event).collect();
    events.dedup();
    for event in events.into_iter().filter_map(|index| history.get(index)) {
        line(&mut text, event);
    }
    text
}

fn line(text: &mut String, event: &Event) {
    let ended = event.ended.map_or_else(|| "?".to_owned(), |ended| ended.to_string());
    let _ = writeln!(text, "    #{} {}..{ended} {:?}", event.by, event.started, event.what);
}
