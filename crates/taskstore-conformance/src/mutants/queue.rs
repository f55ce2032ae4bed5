//! Mistakes in what is said of queues.

use taskstore_core::{
    Queue, QueuePattern, Result,
    backend::{Counted, FindWork, Page, QueueQuery, TaskFilter, TaskOrder, TaskQuery, WorkFound},
    clock,
};

use super::{Mutant, bugged::Bugged};

impl Bugged {
    pub(super) async fn queues_bugged(&self, query: &QueueQuery) -> Result<Page<Queue>> {
        let mut query = query.clone();
        if self.is(Mutant::QueuesCountedToTheEnd) {
            query.count_max = u64::MAX;
        }
        let mut page = match self.inner.queues(&query).await {
            Err(_) if self.is(Mutant::CursorIgnored) && query.after.is_some() => {
                query.after = None;
                self.inner.queues(&query).await?
            }
            answer => answer?,
        };
        let is_idle = |queue: &Queue| {
            let tasks = queue.tasks;
            let others = [tasks.ready, tasks.running, tasks.paused];
            !queue.paused && others.iter().all(|counted| counted.seen() == 0)
        };
        match self.mutant {
            Mutant::DelayedQueueHidden => page.items.retain(|queue| !is_idle(queue)),
            Mutant::CutCountIsExact => {
                for queue in &mut page.items {
                    for counted in [&mut queue.tasks.ready, &mut queue.tasks.delayed] {
                        *counted = Counted::Exactly(counted.seen());
                    }
                }
            }
            Mutant::PausedTasksAreDelayed => {
                for queue in &mut page.items {
                    let all = queue.tasks.delayed.seen() + queue.tasks.paused.seen();
                    queue.tasks.delayed = Counted::Exactly(all);
                    queue.tasks.paused = Counted::Exactly(0);
                }
            }
            Mutant::OldestIsTheFirst => {
                for queue in &mut page.items {
                    self.age_of_the_first(queue, &query).await?;
                }
            }
            _ => {}
        }
        Ok(page)
    }

    async fn age_of_the_first(&self, queue: &mut Queue, query: &QueueQuery) -> Result<()> {
        if queue.oldest_ready.is_none() {
            return Ok(());
        }
        let mut filter = TaskFilter::default();
        filter.queue = Some(queue.name.clone());
        let first = self.inner.tasks(&TaskQuery::new(filter, TaskOrder::ClaimOrder, 1)).await?;
        let now = query.now.unwrap_or_else(clock::now);
        let age = first.items.first().map(|task| now - task.run_at);
        queue.oldest_ready = age.map(|age| age.try_into().unwrap_or_default());
        Ok(())
    }

    pub(super) async fn find_work_bugged(&self, request: &FindWork) -> Result<WorkFound> {
        let mut request = request.clone();
        if self.is(Mutant::PatternForgotten) {
            request.among = vec![QueuePattern::all()];
        }
        let mut found = self.inner.find_work(&request).await?;
        if self.is(Mutant::PausedQueueHasWork) {
            let all = self.inner.queues(&QueueQuery::new(1_000)).await?.items;
            let paused =
                all.into_iter().filter(|queue| queue.paused && queue.tasks.ready.seen() > 0);
            found.queues.extend(paused.map(|queue| queue.name).filter(|name| request.wants(name)));
        }
        if self.is(Mutant::DueInForgotten) {
            found.due_in = None;
        }
        Ok(found)
    }
}
