//! Puts tasks back that fell out of every place.

use std::fmt;

use super::Store;
use crate::{Result, RunnerId, TaskId, backend::Sweep, runner::look};

/// Looks at so many records or places in one call.
const LOOK_AT_MOST: u32 = 5_000;

impl Store {
    /// Looks at all of the store for what belongs nowhere, because somebody has written to its tables
    /// by hand, and mends it. Runners do the same, slowly, all the time; this is for whoever does not
    /// want to wait for them.
    ///
    /// A task that is active and in no place (its row of ready or its lease was deleted) goes back to
    /// its queue: not charged, and suspect, because nobody knows whether it ran. One whose parameters
    /// or definition are gone fails. A row that belongs to no task is dropped. All of it is told to
    /// the [error handler](Self::set_error_handler). A task that is where it should be is never
    /// touched.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// # use taskstore_core::{MemoryBackend, Store};
    /// # let store = Store::new(MemoryBackend::new());
    /// let report = store.sweep().await?;
    /// assert!(report.is_empty(), "{report}");
    /// # Ok::<(), taskstore_core::Error>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// What the database says. What was mended before stays so.
    pub async fn sweep(&self) -> Result<SweepReport> {
        let mut sweep = Sweep::new(RunnerId::new(), LOOK_AT_MOST);
        let mut report = SweepReport::default();
        loop {
            let found = look(self, &mut sweep).await?;
            report.put_back.extend(found.put_back);
            report.ended.extend(found.ended);
            report.dropped.extend(found.dropped);
            if sweep.after.is_none() {
                return Ok(report);
            }
        }
    }
}

/// What [`Store::sweep`] mended.
#[non_exhaustive]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SweepReport {
    /// Tasks that are queued again.
    pub put_back: Vec<TaskId>,
    /// Tasks that have ended: failed, because something that they cannot run without is gone; or
    /// canceled, because that had been asked for.
    pub ended: Vec<TaskId>,
    /// Rows that belonged to no task, in the words of the database.
    pub dropped: Vec<String>,
}

impl SweepReport {
    /// Whether there was nothing to mend.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.put_back.is_empty() && self.ended.is_empty() && self.dropped.is_empty()
    }
}

impl fmt::Display for SweepReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (back, ended, dropped) = (self.put_back.len(), self.ended.len(), self.dropped.len());
        write!(f, "{back} tasks put back, {ended} ended, {dropped} rows dropped")
    }
}
