//! How an attempt ended, its log, and the lists of tasks that have ended or did not end well.

use mysql_async::Value;
use taskstore_core::{LogLine, Result, Status, clock, limits::LOG_LINES_MAX};

use crate::{
    convert::{level_code, status_code},
    session::{Session, values},
    sql::Sql,
};

/// How an attempt ended, when there is something to say.
pub(crate) struct Ending<'a> {
    pub(crate) task: i64,
    /// The turn that it was claimed at.
    pub(crate) turn: i64,
    pub(crate) status: Status,
    pub(crate) began: i64,
    pub(crate) ended: i64,
    /// Who ran it; `None`: nobody, it was canceled while it waited.
    pub(crate) owner: Option<&'a str>,
    pub(crate) output: Option<&'a str>,
    pub(crate) error: Option<&'a str>,
}

impl Ending<'_> {
    /// Its row, for `result_insert`.
    pub(crate) fn row(&self) -> Vec<Value> {
        values![
            self.task,
            self.turn,
            status_code(self.status),
            self.began,
            self.ended,
            self.owner,
            self.output,
            self.error,
        ]
    }
}

/// Lines of logs to store; of those that an attempt then has, the newest stay.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    rows: Vec<Vec<Value>>,
    full: Vec<(i64, i64)>,
}

impl Lines {
    pub(crate) fn add(&mut self, task: i64, turn: i64, lines: &[LogLine]) {
        self.rows.extend(lines.iter().map(|line| {
            let at = clock::to_micros(line.at);
            values![task, turn, line.n, at, level_code(line.level), line.text.as_str()]
        }));
        if lines.iter().any(|line| line.n >= LOG_LINES_MAX) {
            self.full.push((task, turn));
        }
    }

    pub(crate) async fn store(self, session: &mut Session<'_>) -> Result<()> {
        session.execute_many(Sql::LogInsert, self.rows).await?;
        if session.is_lent() {
            // A range is locked with the gap before it, in which a neighbour's lines may come.
            return Ok(());
        }
        for (task, turn) in self.full {
            let keep = values![task, turn, task, turn, LOG_LINES_MAX - 1];
            session.execute(Sql::LogTrim, keep).await?;
        }
        Ok(())
    }
}

/// Whether tasks of this status are listed aside.
pub(crate) const fn is_aside(status: Status) -> bool {
    matches!(status, Status::Failed | Status::Canceled | Status::Paused)
}
