//! What one measurement of one case gave.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::stats::percentile;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Figure {
    /// Tasks per second.
    TasksPerSecond,
    /// CPU time of the measured process, user and system, in microseconds per task.
    CpuMicrosPerTask,
    /// CPU time of the server, in microseconds per task.
    ServerMicrosPerTask,
    /// Bytes that went into the log that makes commits durable, per task.
    LogBytesPerTask,
    /// Of these, whole pages, per task.
    PageImagesPerTask,
    /// Bytes that went into the log that replicas read, per task.
    BinlogBytesPerTask,
    /// Transactions per task.
    CommitsPerTask,
    /// Statements per task.
    StatementsPerTask,
    /// Updates that no index had to hear of, in percent.
    HotPercent,
    /// Versions of rows that nobody can see and that still take room in the end, per task.
    DeadRowsPerTask,
    /// Transactions that were rolled back because they waited for one another.
    Deadlocks,
    /// The most memory that the measured process had resident, in MB (of 1,000,000 bytes).
    PeakMegabytes,
    /// Tasks that ran more than once.
    Duplicates,
    /// Tasks that the runner took ahead and gave back before they ran.
    GivenBack,
    /// Half took no longer, in milliseconds.
    P50Millis,
    /// 99 of 100 took no longer, in milliseconds.
    P99Millis,
    /// CPU time of the measured process, in percent of one core.
    CpuPercent,
    /// CPU time of the server, in percent of one core.
    ServerPercent,
    /// Transactions per second.
    CommitsPerSecond,
    /// Statements per second.
    StatementsPerSecond,
}

impl Figure {
    /// The heading of its column.
    #[must_use]
    pub const fn heading(self) -> &'static str {
        match self {
            Self::TasksPerSecond => "tasks/s",
            Self::CpuMicrosPerTask => "CPU µs/task",
            Self::ServerMicrosPerTask => "server CPU µs/task",
            Self::LogBytesPerTask => "log B/task",
            Self::PageImagesPerTask => "page images/task",
            Self::BinlogBytesPerTask => "binlog B/task",
            Self::CommitsPerTask => "commits/task",
            Self::StatementsPerTask => "statements/task",
            Self::HotPercent => "HOT %",
            Self::DeadRowsPerTask => "dead rows/task",
            Self::Deadlocks => "deadlocks",
            Self::PeakMegabytes => "peak MB",
            Self::Duplicates => "run twice",
            Self::GivenBack => "given back",
            Self::P50Millis => "p50 ms",
            Self::P99Millis => "p99 ms",
            Self::CpuPercent => "CPU % of a core",
            Self::ServerPercent => "server CPU % of a core",
            Self::CommitsPerSecond => "commits/s",
            Self::StatementsPerSecond => "statements/s",
        }
    }
}

/// The database's part of what a case costs, in a table of its own.
const OF_DATABASE: [Figure; 9] = [
    Figure::ServerMicrosPerTask,
    Figure::LogBytesPerTask,
    Figure::PageImagesPerTask,
    Figure::BinlogBytesPerTask,
    Figure::CommitsPerTask,
    Figure::StatementsPerTask,
    Figure::HotPercent,
    Figure::DeadRowsPerTask,
    Figure::Deadlocks,
];

impl Figure {
    /// Whether it says what the database did, and not what the measured process did.
    pub(crate) fn is_of_database(self) -> bool {
        OF_DATABASE.contains(&self)
    }
}

/// What one measurement of one case gave. What could not be measured on this system is not there.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// How many tasks it dealt with.
    pub tasks: u64,
    /// What was measured.
    pub figures: BTreeMap<Figure, f64>,
}

impl Sample {
    pub(crate) fn new(tasks: u64) -> Self {
        Self { tasks, figures: BTreeMap::new() }
    }

    pub(crate) fn with(mut self, figure: Figure, value: impl Into<Option<f64>>) -> Self {
        if let Some(value) = value.into() {
            self.figures.insert(figure, value);
        }
        self
    }

    /// The total as a share of each task.
    pub(crate) fn with_per_task(self, figure: Figure, total: impl Into<Option<f64>>) -> Self {
        let tasks = self.tasks;
        let share = total.into().filter(|_| tasks > 0).map(|total| total / tasks as f64);
        self.with(figure, share)
    }

    /// Half and nearly all of these times, in milliseconds.
    pub(crate) fn with_times(self, millis: &[f64]) -> Self {
        self.with(Figure::P50Millis, percentile(millis, 50))
            .with(Figure::P99Millis, percentile(millis, 99))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_outlives_its_way_through_json() {
        let sample = Sample::new(4)
            .with(Figure::TasksPerSecond, 1.5)
            .with(Figure::PeakMegabytes, None)
            .with_per_task(Figure::LogBytesPerTask, 10.0);
        assert_eq!(sample.figures.get(&Figure::LogBytesPerTask), Some(&2.5));
        assert_eq!(sample.figures.len(), 2, "what is not known is not there");
        let json = serde_json::to_string(&sample).unwrap();
        assert_eq!(serde_json::from_str::<Sample>(&json).unwrap(), sample);
    }

    #[test]
    fn no_tasks_have_no_share() {
        let sample = Sample::new(0).with_per_task(Figure::CpuMicrosPerTask, 10.0);
        assert!(sample.figures.is_empty());
    }
}
