//! The search for an order of what was asked about one task that explains every answer.
//!
//! Calls overlap, so that nobody can say in which order the store did them; but a call that had
//! returned before another was made came first, and a reply that was lost may have come at any time
//! after its call, or never. If no such order explains the answers, a promise was broken.

use std::collections::HashSet;

use super::one_task::{OneTask, Step};

/// Something asked about one task.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) started: u64,
    /// `None`: it may also never have happened.
    pub(super) ended: Option<u64>,
    pub(super) step: Step,
    /// Where it stands in the whole history.
    pub(super) event: usize,
}

/// How far the best order came.
#[derive(Debug)]
pub(super) struct Unexplained {
    /// The task there.
    pub(super) state: OneTask,
    /// The events that could come next, none of which fits.
    pub(super) next: Vec<usize>,
    /// The search ended before it had tried everything, so that this proves nothing yet.
    pub(super) gave_up: bool,
}

/// So many states are looked at before the search gives up.
const STATES_MAX: usize = 400_000;

/// Finds an order, or says where the best one ends.
pub(super) fn explain(calls: &mut [Call]) -> Option<Unexplained> {
    calls.sort_by_key(|call| call.started);
    let start = OneTask::nowhere();
    let stuck = Unexplained { state: start.clone(), next: Vec::new(), gave_up: false };
    let start = Node { state: start, done: vec![false; calls.len()], from: 0 };
    let purges = calls.iter().any(|call| call.step.purges());
    let mut search = Search { calls, purges, seen: HashSet::new(), best: None, stuck };
    let mut open = vec![start];
    while let Some(node) = open.pop() {
        match search.expand(node, &mut open) {
            Verdict::Explained => return None,
            Verdict::GoOn => {}
        }
        if search.seen.len() > STATES_MAX {
            search.stuck.gave_up = true;
            break;
        }
    }
    Some(search.stuck)
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Node {
    state: OneTask,
    done: Vec<bool>,
    /// Everything before it is done.
    from: usize,
}

enum Verdict {
    Explained,
    GoOn,
}

struct Search<'a> {
    calls: &'a [Call],
    /// Whether the task may have been purged.
    purges: bool,
    seen: HashSet<Node>,
    best: Option<usize>,
    stuck: Unexplained,
}

impl<'a> Search<'a> {
    fn expand(&mut self, mut node: Node, open: &mut Vec<Node>) -> Verdict {
        self.take_what_changes_nothing(&mut node);
        let candidates = self.candidates(&node);
        if candidates.iter().all(|&(_, call)| call.ended.is_none()) && self.is_done(&node) {
            return Verdict::Explained;
        }
        let mut next = Vec::new();
        for &(index, call) in &candidates {
            // What may never have happened need not have happened without effect.
            if let Some(state) = node.state.step(&call.step)
                && (state != node.state || call.ended.is_some())
            {
                let mut done = node.done.clone();
                mark(&mut done, index);
                next.push(Node { state, done, from: node.from });
            }
        }
        let came = node.done.iter().filter(|&&done| done).count();
        if self.best.is_none_or(|best| came > best) {
            self.best = Some(came);
            self.stuck.next = candidates.iter().map(|(_, call)| call.event).collect();
            self.stuck.state = node.state;
        }
        // The earliest call is tried first: it is the likeliest to have come first.
        for node in next.into_iter().rev() {
            if self.seen.insert(node.clone()) {
                open.push(node);
            }
        }
        Verdict::GoOn
    }

    /// Calls that fit, and neither now nor later change the task, need not be tried in other orders.
    fn take_what_changes_nothing(&self, node: &mut Node) {
        loop {
            let idle: Vec<usize> = self
                .candidates(node)
                .into_iter()
                .filter(|(_, call)| {
                    call.ended.is_some()
                        && call.step.is_idle_for_good(self.purges)
                        && node.state.step(&call.step).as_ref() == Some(&node.state)
                })
                .map(|(index, _)| index)
                .collect();
            if idle.is_empty() {
                return;
            }
            for index in idle {
                mark(&mut node.done, index);
            }
            while node.done.get(node.from) == Some(&true) {
                node.from += 1;
            }
        }
    }

    /// The calls that may come next: made before any other that is left had returned.
    fn candidates(&self, node: &Node) -> Vec<(usize, &'a Call)> {
        let calls = self.calls;
        let left = || {
            calls
                .iter()
                .zip(&node.done)
                .enumerate()
                .skip(node.from)
                .filter(|(_, (_, done))| !**done)
                .map(|(index, (call, _))| (index, call))
        };
        let mut first_end = u64::MAX;
        for (_, call) in left() {
            if call.started > first_end {
                break;
            }
            first_end = first_end.min(call.ended.unwrap_or(u64::MAX));
        }
        left().take_while(|(_, call)| call.started <= first_end).collect()
    }

    fn is_done(&self, node: &Node) -> bool {
        self.calls.iter().zip(&node.done).all(|(call, done)| *done || call.ended.is_none())
    }
}

fn mark(done: &mut [bool], index: usize) {
    if let Some(done) = done.get_mut(index) {
        *done = true;
    }
}
