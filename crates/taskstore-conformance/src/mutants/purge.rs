//! Mistakes in purging.

use taskstore_core::{
    Result, Status,
    backend::{Control, Move, Outcome},
};

use super::{Mutant, bugged::Bugged};

impl Bugged {
    pub(super) async fn purge_bugged(&self, mut request: Control) -> Result<Vec<Outcome>> {
        match self.mutant {
            Mutant::GuardIgnored => request.from = Status::ALL.to_vec(),
            Mutant::PurgeOfRunning => request.from.push(Status::Running),
            Mutant::PurgeIgnoresAge => request.to = Move::Purge { before: None },
            Mutant::PurgeHidesOnly => request.to = Move::Delete,
            Mutant::PurgeLeavesLog => {
                for &id in &request.ids {
                    let lines = self.inner.log(id, 0, u32::MAX).await?;
                    self.memo().logs.insert(id, lines);
                }
            }
            Mutant::PurgeMissesDeleted => return self.purge_shown(&request).await,
            _ => {}
        }
        self.inner.control(&request).await
    }

    async fn purge_shown(&self, request: &Control) -> Result<Vec<Outcome>> {
        let mut outcomes = Vec::new();
        for &id in &request.ids {
            let mut one = request.clone();
            one.ids = vec![id];
            let task = self.inner.task(id).await?;
            let hidden = task.is_some_and(|task| task.deleted_at.is_some());
            let answer = if hidden { Vec::new() } else { self.inner.control(&one).await? };
            outcomes.push(answer.into_iter().next().unwrap_or(Outcome::Missing));
        }
        Ok(outcomes)
    }
}
