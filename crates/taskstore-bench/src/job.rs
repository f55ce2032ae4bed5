//! The work of the measured tasks: almost none.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use serde::{Deserialize, Serialize};
use taskstore::{TaskContext, TaskHandler, TaskResult};
use tokio::sync::Notify;

use crate::Result;

/// What a task is given: its number, and something to make it as large as it has to be.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Job {
    /// From 0.
    pub(crate) id: u64,
    #[serde(default, skip_serializing_if = "String::is_empty", skip_deserializing)]
    pad: String,
}

impl Job {
    /// About so many bytes as JSON, and at least what its number needs.
    pub(crate) fn sized(id: u64, bytes: usize) -> Self {
        const FRAME: usize = r#"{"id":123456,"pad":""}"#.len();
        Self { id, pad: "x".repeat(bytes.saturating_sub(FRAME)) }
    }
}

/// Which jobs have run.
#[derive(Debug)]
pub(crate) struct Seen {
    bits: Vec<AtomicU64>,
    tasks: u64,
    once: AtomicU64,
    again: AtomicU64,
    all: Notify,
}

impl Seen {
    /// Of the jobs 0 to `tasks` - 1.
    pub(crate) fn none_of(tasks: u64) -> Result<Arc<Self>> {
        let words = usize::try_from(tasks.div_ceil(64))?;
        Ok(Arc::new(Self {
            bits: (0..words).map(|_| AtomicU64::new(0)).collect(),
            tasks,
            once: AtomicU64::new(0),
            again: AtomicU64::new(0),
            all: Notify::new(),
        }))
    }

    /// # Errors
    /// There is no such job.
    pub(crate) fn saw(&self, id: u64) -> io::Result<()> {
        let word = usize::try_from(id / 64).ok().and_then(|word| self.bits.get(word));
        let word = word.ok_or_else(|| io::Error::other(format!("there is no job {id}")))?;
        let bit = 1 << (id % 64);
        if word.fetch_or(bit, Ordering::Relaxed) & bit != 0 {
            self.again.fetch_add(1, Ordering::Relaxed);
        } else if self.once.fetch_add(1, Ordering::Relaxed) + 1 == self.tasks {
            self.all.notify_one();
        }
        Ok(())
    }

    /// Waits until each has run once.
    pub(crate) async fn all(&self) {
        if self.tasks > 0 {
            self.all.notified().await;
        }
    }

    pub(crate) fn duplicates(&self) -> u64 {
        self.again.load(Ordering::Relaxed)
    }

    /// How many times any has run.
    pub(crate) fn runs(&self) -> u64 {
        self.once.load(Ordering::Relaxed) + self.duplicates()
    }

    /// Which have run, a bit for each.
    pub(crate) fn words(&self) -> Vec<u64> {
        self.bits.iter().map(|word| word.load(Ordering::Relaxed)).collect()
    }
}

/// The handler that only counts.
#[derive(Debug)]
pub(crate) struct Count(pub(crate) Arc<Seen>);

impl TaskHandler for Count {
    const ALIAS: &'static str = "bench.count";
    type Params = Job;
    type Output = ();

    async fn run(&self, _ctx: TaskContext, job: Job) -> TaskResult<()> {
        Ok(self.0.saw(job.id)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_have_the_size_that_was_asked_for() {
        let bytes = |size| serde_json::to_string(&Job::sized(123_456, size)).unwrap().len();
        assert_eq!([bytes(10), bytes(1_000), bytes(10_000)], [13, 1_000, 10_000]);
        let job: Job = serde_json::from_str(r#"{"id":7,"pad":"xx"}"#).unwrap();
        assert_eq!(job.id, 7);
    }

    #[tokio::test]
    async fn a_job_that_runs_twice_is_a_duplicate_and_no_other() {
        let seen = Seen::none_of(65).unwrap();
        for id in 0..64 {
            seen.saw(id).unwrap();
        }
        seen.saw(3).unwrap();
        seen.saw(64).unwrap();
        seen.all().await;
        assert_eq!(seen.duplicates(), 1);
        assert!(seen.saw(128).is_err());
    }
}
