//! Mistakes on the way from enqueue to claim.

use std::time::Duration;

use taskstore_core::{
    Error, LeaseId, Result, RunnerId, Status, TaskId,
    backend::{
        Claim, Claimed, Enqueue, Enqueued, Known, LeasedTask, NewTask, Promote, Promoted, When,
    },
    clock,
};

use super::{Mutant, bugged::Bugged};

impl Bugged {
    pub(super) async fn enqueue_bugged(&self, request: &Enqueue<'_>) -> Result<Vec<Enqueued>> {
        let mut tasks = request.tasks.to_vec();
        let again: Vec<bool> = {
            let mut memo = self.memo();
            memo.queues.extend(tasks.iter().map(|task| task.queue.clone()));
            let again = tasks.iter().map(|task| memo.enqueued.contains(&task.id)).collect();
            memo.enqueued.extend(tasks.iter().map(|task| task.id));
            again
        };
        for (task, again) in tasks.iter_mut().zip(&again) {
            if self.is(Mutant::DelayIgnored) && matches!(task.when, When::After(_)) {
                task.when = When::Now;
            }
            if self.is(Mutant::TimeoutForgotten) {
                task.timeout = None;
            }
            if self.is(Mutant::EnqueueAgainStoresTwice) && *again {
                (task.id, task.unique) = (TaskId::new(), None);
            }
        }
        if self.is(Mutant::KeyNeverFreed) {
            return self.enqueue_under_old_keys(&tasks, request).await;
        }
        let mut answers = self.inner.enqueue(&with(request, &tasks)).await;
        if self.is(Mutant::EnqueueHalf) && answers.is_err() {
            for task in &tasks {
                // The good ones are stored, the bad one is refused again.
                let _ = self.inner.enqueue(&with(request, std::slice::from_ref(task))).await;
            }
        }
        for ((answer, task), again) in answers.iter_mut().flatten().zip(&mut tasks).zip(again) {
            if self.is(Mutant::EnqueueAgainIsDuplicate) && again && task.unique.is_some() {
                *answer = Enqueued::Duplicate(task.id);
            }
            if let Enqueued::Duplicate(holder) = *answer
                && self.is(Mutant::KeyFreedAtClaim)
                && self.status(holder).await? == Some(Status::Running)
            {
                task.unique = None;
                self.inner.enqueue(&with(request, std::slice::from_ref(task))).await?;
                *answer = Enqueued::Stored;
            }
        }
        answers
    }

    async fn enqueue_under_old_keys(
        &self,
        tasks: &[NewTask],
        request: &Enqueue<'_>,
    ) -> Result<Vec<Enqueued>> {
        let held: Vec<Option<TaskId>> = {
            let memo = self.memo();
            let first = |task: &NewTask| memo.keys.get(&task.unique?).copied();
            tasks.iter().map(|task| first(task).filter(|first| *first != task.id)).collect()
        };
        let free: Vec<NewTask> = tasks
            .iter()
            .zip(&held)
            .filter(|(_, held)| held.is_none())
            .map(|(task, _)| task.clone())
            .collect();
        let stored = self.inner.enqueue(&with(request, &free)).await?;
        for (task, answer) in free.iter().zip(&stored) {
            if let (Some(key), Enqueued::Stored) = (task.unique, answer) {
                self.memo().keys.insert(key, task.id);
            }
        }
        let mut stored = stored.into_iter();
        let answer = |held: Option<TaskId>| held.map(Enqueued::Duplicate).or_else(|| stored.next());
        Ok(held.into_iter().filter_map(answer).collect())
    }

    pub(super) async fn claim_bugged(&self, claim: &Claim) -> Result<Claimed> {
        let claim = self.bug_claim(claim);
        let mut claimed = self.inner.claim(&claim).await;
        if self.is(Mutant::LeaseIdUsedTwice) && matches!(claimed, Err(Error::AlreadyExists { .. }))
        {
            let mut fresh = claim.clone();
            fresh.lease = LeaseId::new();
            claimed = self.inner.claim(&fresh).await;
        }
        let mut claimed = claimed?;
        self.bug_claimed(&claim, &mut claimed);
        Ok(claimed)
    }

    /// The mistakes in what a claim asks for.
    pub(super) fn bug_claim(&self, claim: &Claim) -> Claim {
        let mut claim = claim.clone();
        match self.mutant {
            Mutant::QueueOrderIgnored => claim.queues.reverse(),
            Mutant::ShareIgnored => {
                claim.queues.iter_mut().for_each(|share| share.at_most = claim.at_most);
            }
            Mutant::QueueNamedAgainGivesNothing => {
                let mut named = std::collections::HashSet::new();
                claim.queues.retain(|share| named.insert(share.queue.clone()));
            }
            Mutant::BytesIgnored => claim.bytes_max = usize::MAX,
            Mutant::KnownIgnored => claim.known = Known::All,
            _ => {}
        }
        claim
    }

    /// The mistakes in what a claim answers.
    pub(super) fn bug_claimed(&self, claim: &Claim, claimed: &mut Claimed) {
        let now = claim.now.unwrap_or_else(clock::now);
        match self.mutant {
            Mutant::ClaimOrderBroken => claimed.tasks.reverse(),
            Mutant::DueInForgotten => claimed.due_in = None,
            Mutant::ClaimTimeWrong => {
                claimed.at = claimed.at.map(|at| clock::add(at, Duration::from_secs(60)));
            }
            Mutant::TaskClaimedTwice if claimed.tasks.len() < claim.at_most as usize => {
                let newest = self.memo().newest.clone();
                claimed.tasks.extend(newest.map(|mut task| {
                    task.lease.batch = claim.lease;
                    task
                }));
            }
            _ => {}
        }
        self.bug_terms(&mut claimed.tasks);
        self.memo().old_at.insert(claim.lease, clock::add(now, claim.lease_for));
        self.memo().held(&claimed.tasks);
        self.show_attempts(&mut claimed.tasks);
    }

    /// The mistakes in what a claim says of the terms.
    fn bug_terms(&self, tasks: &mut [LeasedTask]) {
        let mut memo = self.memo();
        for task in tasks {
            let first = memo.start_by.get(&task.lease.task).copied();
            match self.mutant {
                Mutant::ExpiryForgotten => task.start_by = None,
                Mutant::ExpiryFromClaim => {
                    if let Some(start_by) = &mut task.start_by {
                        start_by.within = start_by.within.max(Duration::from_secs(10));
                    }
                }
                Mutant::ExpiryOfBegun if task.attempts > 0 => {
                    task.start_by = task.start_by.or(first);
                }
                Mutant::ExpirySurvivesRequeue if task.attempts == 0 => {
                    task.start_by = task.start_by.or(first);
                }
                _ => {}
            }
            if let Some(start_by) = task.start_by {
                memo.start_by.entry(task.lease.task).or_insert(start_by);
            }
        }
    }

    pub(super) async fn promote_bugged(&self, request: &Promote) -> Result<Promoted> {
        let mut request = *request;
        if self.is(Mutant::PromoteTooEarly) {
            let now = request.now.unwrap_or_else(clock::now);
            request.now = Some(clock::add(now, Duration::from_secs(3_600)));
        }
        let promoted = self.inner.promote(&request).await?;
        if self.is(Mutant::PromoteDropsTask) && promoted.moved > 0 {
            let queues: Vec<_> = self.memo().queues.iter().cloned().collect();
            // Nobody ever hears of this lease, as if the row had gone.
            self.inner.claim(&Claim::new(RunnerId::new(), queues, 1)).await?;
        }
        Ok(promoted)
    }
}

/// The same request for other tasks.
fn with<'a>(request: &Enqueue<'_>, tasks: &'a [NewTask]) -> Enqueue<'a> {
    let other = Enqueue::new(tasks);
    request.now.map_or(other, |now| other.at(now))
}
