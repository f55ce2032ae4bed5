//! The baseline: the queue that everybody writes first. One table; one transaction takes a row, the
//! work is done, a second one marks it as done; one at a time. On the same driver, with the same
//! durability, in its own file.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use rusqlite::{Connection, OptionalExtension as _, Statement, params};

use super::{micros, watched};
use crate::{
    Figure, Part, Result, Sample,
    job::{Job, Seen},
    meter,
    part::Stage,
    place::{Durability, Place},
};

/// More than can be done in a second.
const ROWS_PER_SECOND: f64 = 20_000.0;

const TABLE: &str = "
    CREATE TABLE job (
        id INTEGER PRIMARY KEY,
        status TEXT NOT NULL,
        payload TEXT NOT NULL,
        started_at TEXT,
        ended_at TEXT
    );
    CREATE INDEX job_by_status ON job (status, id);";
const INSERT: &str = "INSERT INTO job (id, status, payload) VALUES (?1, 'queued', ?2)";
const TAKE: &str = "SELECT id, payload FROM job WHERE status = 'queued' ORDER BY id LIMIT 1";
const START: &str = "UPDATE job SET status = 'running', started_at = datetime('now') WHERE id = ?1";
const END: &str = "UPDATE job SET status = 'done', ended_at = datetime('now') WHERE id = ?1";

pub(crate) async fn measure(stage: &Stage, place: &Place, lasts: Duration) -> Result<Sample> {
    let (path, durability) = (place.path(), place.durability());
    let rows = (lasts.as_secs_f64() * ROWS_PER_SECOND).ceil() as u64;
    let () = stage.play(&Part::NaiveFill { path: path.into(), durability, rows }).await?;
    let part = Part::Naive { path: path.into(), durability, rows, lasts };
    let (sample, written) = watched(stage, place, &part).await?;
    Ok(sample
        .with_per_task(Figure::LogBytesPerTask, written.bytes as f64)
        .with_per_task(Figure::CommitsPerTask, written.commits as f64))
}

/// Makes the table, and leaves an empty log behind.
pub(crate) fn fill(path: &Path, durability: Durability, rows: u64) -> Result<()> {
    let connection = open(path, durability)?;
    connection.execute_batch(TABLE)?;
    connection.execute_batch("BEGIN IMMEDIATE")?;
    let mut insert = connection.prepare(INSERT)?;
    for id in 0..rows {
        let payload = serde_json::to_string(&Job::sized(id, 0))?;
        insert.execute(params![id as i64, payload])?;
    }
    connection.execute_batch("COMMIT")?;
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    Ok(())
}

/// Runs one row after another until the time is over or there are no more.
pub(crate) fn part(
    path: &Path,
    durability: Durability,
    rows: u64,
    lasts: Duration,
) -> Result<Sample> {
    let seen = Seen::none_of(rows)?;
    let connection = open(path, durability)?;
    let mut queue = Queue::new(&connection)?;

    let cpu_before = meter::cpu();
    let began = Instant::now();
    let mut tasks = 0;
    while began.elapsed() < lasts
        && let Some((id, payload)) = queue.take()?
    {
        let job: Job = serde_json::from_str(&payload)?;
        seen.saw(job.id)?;
        queue.end.execute([id])?;
        tasks += 1;
    }
    let took = began.elapsed();

    let cpu = meter::cpu().zip(cpu_before).map(|(after, before)| micros(after - before));
    Ok(Sample::new(tasks)
        .with(Figure::TasksPerSecond, tasks as f64 / took.as_secs_f64())
        .with_per_task(Figure::CpuMicrosPerTask, cpu)
        .with(Figure::PeakMegabytes, meter::peak_megabytes())
        .with(Figure::Duplicates, seen.duplicates() as f64))
}

fn open(path: &Path, durability: Durability) -> Result<Connection> {
    let connection = Connection::open(path)?;
    connection.query_row("PRAGMA journal_mode=WAL", [], |_| Ok(()))?;
    connection.execute_batch(&format!("PRAGMA synchronous={}", durability.as_sql()))?;
    Ok(connection)
}

/// The statements, parsed once, so that the baseline is no worse than it has to be.
struct Queue<'c> {
    begin: Statement<'c>,
    take: Statement<'c>,
    start: Statement<'c>,
    commit: Statement<'c>,
    end: Statement<'c>,
}

impl<'c> Queue<'c> {
    fn new(connection: &'c Connection) -> rusqlite::Result<Self> {
        Ok(Self {
            begin: connection.prepare("BEGIN IMMEDIATE")?,
            take: connection.prepare(TAKE)?,
            start: connection.prepare(START)?,
            commit: connection.prepare("COMMIT")?,
            end: connection.prepare(END)?,
        })
    }

    fn take(&mut self) -> rusqlite::Result<Option<(i64, String)>> {
        self.begin.execute([])?;
        let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
        let taken: Option<(i64, String)> = self.take.query_row([], row).optional()?;
        if let Some((id, _)) = &taken {
            self.start.execute([id])?;
        }
        self.commit.execute([])?;
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_runs_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("naive.db");
        fill(&path, Durability::Normal, 30).unwrap();
        let sample = part(&path, Durability::Normal, 30, Duration::from_secs(60)).unwrap();
        assert_eq!(sample.tasks, 30);
        assert_eq!(sample.figures.get(&Figure::Duplicates), Some(&0.0));
        let again = part(&path, Durability::Normal, 30, Duration::from_secs(60)).unwrap();
        assert_eq!(again.tasks, 0);
    }
}
