//! What several tasks, or several calls about one lease, have to agree on.

use std::collections::{BTreeMap, BTreeSet};

use taskstore_core::TaskId;
use ulid::Ulid;

use super::history::{Answer, Asked, Became, Event, NO_ANSWER, Seen, What};

/// The rules that no single task can be judged by.
pub(super) fn check(history: &[Event]) -> Vec<String> {
    let mut violations = Vec::new();
    every_position_is_answered(history, &mut violations);
    claims_share_no_lease(history, &mut violations);
    beats_are_respected(history, &mut violations);
    keys_are_unique(history, &mut violations);
    violations
}

/// Tasks that are stored and were not over when they were last looked at, or never looked at.
pub(super) fn not_over(history: &[Event]) -> Vec<String> {
    let last = last_looks(history);
    let mut violations = Vec::new();
    for task in super::stored(history) {
        match last.get(&task) {
            Some(Some(seen)) if seen.status.has_ended() => {}
            Some(Some(seen)) => violations.push(format!(
                "task {task} is {} after everything was drained: it was lost on the way",
                seen.status
            )),
            Some(None) if may_be_purged(history, task) => {}
            Some(None) => violations.push(format!("task {task} was stored and is not there")),
            None => violations.push(format!("task {task} was not looked at in the end")),
        }
    }
    violations
}

fn may_be_purged(history: &[Event], task: TaskId) -> bool {
    history.iter().any(|event| match &event.what {
        What::Control { task: of, to: Asked::Purge, answer } => {
            *of == task && matches!(answer, Answer::Said(Became::Moved(..)) | Answer::Unknown(_))
        }
        _ => false,
    })
}

fn last_looks(history: &[Event]) -> BTreeMap<TaskId, Option<&Seen>> {
    let mut last: BTreeMap<TaskId, (u64, Option<&Seen>)> = BTreeMap::new();
    for event in history {
        if let What::Look { task, answer: Answer::Said(seen) } = &event.what {
            let entry = last.entry(*task).or_insert((event.started, None));
            if event.started >= entry.0 {
                *entry = (event.started, seen.as_ref());
            }
        }
    }
    last.into_iter().map(|(task, (_, seen))| (task, seen)).collect()
}

/// What returned has an answer for each position.
fn every_position_is_answered(history: &[Event], violations: &mut Vec<String>) {
    for event in history {
        if event.ended.is_some() && event.what.unknown() == Some(NO_ANSWER) {
            violations.push(format!("a call returned without an answer for {:?}", event.what));
        }
    }
}

/// A lease id claims once.
fn claims_share_no_lease(history: &[Event], violations: &mut Vec<String>) {
    let mut claims: BTreeMap<Ulid, u32> = BTreeMap::new();
    for event in history {
        if let What::Claim { lease, answer: Answer::Said(given) } = &event.what
            && !given.is_empty()
        {
            *claims.entry(*lease).or_default() += 1;
        }
    }
    for (lease, times) in claims.into_iter().filter(|&(_, times)| times > 1) {
        violations.push(format!("lease {lease} claimed {times} times"));
    }
}

/// A lease that beat after it was seen is left alone.
fn beats_are_respected(history: &[Event], violations: &mut Vec<String>) {
    let mut alive: BTreeMap<Ulid, Vec<u64>> = BTreeMap::new();
    for event in history {
        if let (What::Beat { lease, answer: Answer::Said(Some(true)) }, Some(ended)) =
            (&event.what, event.ended)
        {
            alive.entry(*lease).or_default().push(ended);
        }
    }
    for event in history {
        let What::TakeOver { seen, beat, answer: Answer::Said(Some(_)), .. } = &event.what else {
            continue;
        };
        let beats = alive.get(seen).map(Vec::as_slice).unwrap_or_default();
        let before = beats.iter().filter(|&&ended| ended < event.started).count() as u64;
        if before > *beat {
            violations.push(format!(
                "lease {seen} was taken over as seen at beat {beat}, but had beaten {before} times"
            ));
        }
    }
}

/// One live task per key, and who holds one back has that key.
fn keys_are_unique(history: &[Event], violations: &mut Vec<String>) {
    let mut by_key: BTreeMap<&str, BTreeSet<TaskId>> = BTreeMap::new();
    let mut key_of: BTreeMap<TaskId, &str> = BTreeMap::new();
    for event in history {
        if let What::Enqueue { task, key: Some(key), .. } = &event.what {
            by_key.entry(key).or_default().insert(*task);
            key_of.insert(*task, key);
        }
    }
    for event in history {
        let pair = match &event.what {
            What::Enqueue { task, answer: Answer::Said(Some(holder)), .. }
            | What::Control { task, answer: Answer::Said(Became::KeyHeldBy(holder)), .. } => {
                (task, holder)
            }
            _ => continue,
        };
        let key = key_of.get(pair.0);
        if key.is_none() || key != key_of.get(pair.1) || pair.0 == pair.1 {
            violations.push(format!(
                "task {} is said to be held back by {}, which does not share its key",
                pair.0, pair.1
            ));
        }
    }
    let looks = last_looks(history);
    let mut events: BTreeMap<TaskId, Vec<&Event>> = BTreeMap::new();
    for event in history {
        if let Some(task) = event.task().filter(|task| key_of.contains_key(task)) {
            events.entry(task).or_default().push(event);
        }
    }
    for (key, tasks) in by_key {
        let live: Vec<_> = tasks
            .iter()
            .filter(|task| {
                let seen = looks.get(task).copied().flatten();
                seen.is_some_and(|seen| !seen.status.has_ended())
            })
            .collect();
        if live.len() > 1 {
            violations.push(format!("the key {key} is held by {live:?} at the same time"));
        }
        let lives: Vec<_> = tasks.into_iter().map(|task| Life::of(task, &events)).collect();
        for (first, second) in lives.iter().flat_map(|a| lives.iter().map(move |b| (a, b))) {
            if first.task != second.task && first.shared_with(second) {
                violations.push(format!(
                    "the key {key} was given to task {} while task {} held it",
                    second.task, first.task
                ));
            }
        }
    }
}

/// When a task took its key, by being stored or requeued, and when it may have given it back.
struct Life {
    task: TaskId,
    taken: Vec<(u64, u64)>,
    /// What nobody knows the end of may have happened at any time.
    given_back: Vec<(u64, u64)>,
}

impl Life {
    fn of(task: TaskId, events: &BTreeMap<TaskId, Vec<&Event>>) -> Self {
        let mut life = Self { task, taken: Vec::new(), given_back: Vec::new() };
        let (mut asked, mut stored) = (u64::MAX, u64::MAX);
        for event in events.get(&task).into_iter().flatten() {
            let ended = event.ended.filter(|_| event.what.unknown().is_none()).unwrap_or(u64::MAX);
            match &event.what {
                What::Enqueue { answer, .. } => {
                    asked = asked.min(event.started);
                    if matches!(answer, Answer::Said(None)) {
                        stored = stored.min(ended);
                    }
                }
                What::Control {
                    to: Asked::Requeue,
                    answer: Answer::Said(Became::Moved(..)),
                    ..
                } => life.taken.push((event.started, ended)),
                _ if may_end(event) => life.given_back.push((event.started, ended)),
                _ => {}
            }
        }
        if stored < u64::MAX {
            life.taken.push((asked, stored));
        }
        life
    }

    /// Whether `second` took the key after this task had, and before it could have given it back.
    fn shared_with(&self, second: &Self) -> bool {
        second.taken.iter().any(|&(from, to)| {
            self.taken.iter().any(|&(taken_from, taken)| {
                taken < from
                    && !self.given_back.iter().any(|&(start, end)| end >= taken_from && start <= to)
            })
        })
    }
}

fn may_end(event: &Event) -> bool {
    match &event.what {
        // Whatever it was to be: what goes back to the queue may yield to a cancel request, and
        // the answer to one that is sent again is the status of that time.
        What::Settle { answer, .. } => !matches!(answer, Answer::Said(None) | Answer::Refused(_)),
        What::Control { to: Asked::Cancel(_) | Asked::Delete, answer, .. } => {
            matches!(answer, Answer::Said(Became::Moved(..)) | Answer::Unknown(_))
        }
        _ => false,
    }
}
