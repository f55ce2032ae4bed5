//! Mistakes in lists and counts.

use taskstore_core::{
    Result, Status, Task, TaskId,
    backend::{Counted, Page, TaskFilter, TaskQuery},
};

use super::{Mutant, bugged::Bugged};

impl Bugged {
    pub(super) async fn tasks_bugged(&self, query: &TaskQuery) -> Result<Page<Task>> {
        let mut query = query.clone();
        query.filter = self.bug_filter(&query.filter);
        let before = query.after.as_ref().and_then(|at| self.memo().pages.get(&at.0).cloned());
        let mut page = match self.inner.tasks(&query).await {
            Err(_) if self.is(Mutant::CursorIgnored) && query.after.is_some() => {
                query.after = None;
                self.inner.tasks(&query).await?
            }
            answer => answer?,
        };
        if self.is(Mutant::PageRepeatsLast) {
            page.items.splice(0..0, before);
            if let (Some(next), Some(last)) = (&page.next, page.items.last()) {
                self.memo().pages.insert(next.0.clone(), last.clone());
            }
        }
        Ok(page)
    }

    pub(super) async fn task_ids_bugged(&self, query: &TaskQuery) -> Result<Page<TaskId>> {
        let mut query = query.clone();
        query.filter = self.bug_filter(&query.filter);
        if self.is(Mutant::IdsRepeatLast) {
            // The page begins one task too early: with the last of the page before.
            let last = query.after.as_ref().and_then(|at| self.memo().id_pages.get(&at.0).copied());
            let mut page = self.inner.task_ids(&query).await?;
            page.items.splice(0..0, last);
            if let (Some(next), Some(last)) = (&page.next, page.items.last()) {
                self.memo().id_pages.insert(next.0.clone(), *last);
            }
            return Ok(page);
        }
        self.inner.task_ids(&query).await
    }

    pub(super) async fn count_bugged(&self, filter: &TaskFilter, at_most: u64) -> Result<Counted> {
        let at_most = if self.is(Mutant::CountUncapped) { u64::MAX } else { at_most };
        self.inner.count(&self.bug_filter(filter), at_most).await
    }

    fn bug_filter(&self, filter: &TaskFilter) -> TaskFilter {
        let mut bugged = filter.clone();
        match (self.mutant, &mut bugged.statuses) {
            (Mutant::StatusAsRecorded, Some(statuses)) if statuses.contains(&Status::Queued) => {
                statuses.push(Status::Running);
            }
            (Mutant::DeletedListed, _) => bugged.with_deleted = true,
            (Mutant::FilterForgotten, statuses) => {
                let statuses = statuses.take();
                bugged = TaskFilter::default();
                bugged.statuses = statuses;
                bugged.with_deleted = filter.with_deleted;
            }
            _ => {}
        }
        bugged
    }
}
