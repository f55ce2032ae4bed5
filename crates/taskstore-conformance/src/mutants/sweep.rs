//! Mistakes about what belongs nowhere.

use taskstore_core::{
    LeaseId, Result,
    backend::{Isolate, Stray, Sweep, Swept},
};

use super::{Mutant, bugged::Bugged};

impl Bugged {
    pub(super) async fn sweep_bugged(&self, request: &Sweep) -> Result<Swept> {
        let mut passed = request.clone();
        if self.is(Mutant::SweepForgetsWhere) {
            passed.after = None;
        }
        let mut swept = self.inner.sweep(&passed).await?;
        match self.mutant {
            Mutant::SweepBlind => swept.strays.clear(),
            Mutant::SweepForgetsMissing => {
                swept.strays.iter_mut().for_each(|stray| stray.missing = None);
            }
            Mutant::SweepTakesHealthy => self.take_healthy(&mut swept).await?,
            _ => {}
        }
        for stray in &swept.strays {
            self.memo().held(std::slice::from_ref(&stray.task));
        }
        Ok(swept)
    }

    async fn take_healthy(&self, swept: &mut Swept) -> Result<()> {
        let newest = self.memo().newest.clone();
        let Some(mut task) = newest else { return Ok(()) };
        let taken = self.inner.isolate(&Isolate::new(vec![(task.lease, LeaseId::new())])).await?;
        if let Some(Some(lease)) = taken.first() {
            task.lease = *lease;
            swept.strays.push(Stray { task, missing: None });
        }
        Ok(())
    }
}
