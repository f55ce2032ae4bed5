//! How an attempt ended, its log, and the lists of tasks that did not end well.

use taskstore_core::{LogLine, Result, Status, clock, limits::LOG_LINES_MAX};

use crate::{
    convert::{level_code, status_code},
    session::Session,
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
    pub(crate) fn store(&self, session: &Session<'_>) -> Result<()> {
        let row = (
            self.task,
            self.turn,
            status_code(self.status),
            self.began,
            self.ended,
            self.owner,
            self.output,
            self.error,
        );
        session.execute(Sql::ResultInsert, row).map(drop)
    }
}

/// Stores lines of an attempt's log; of those that it then has, the newest stay.
pub(crate) fn store_log(
    session: &Session<'_>,
    task: i64,
    turn: i64,
    lines: &[LogLine],
) -> Result<()> {
    for line in lines {
        let at = clock::to_micros(line.at);
        let row = (task, turn, line.n, at, level_code(line.level), &line.text);
        session.execute(Sql::LogInsert, row)?;
    }
    if lines.iter().any(|line| line.n >= LOG_LINES_MAX) {
        session.execute(Sql::LogTrim, (task, turn, LOG_LINES_MAX - 1))?;
    }
    Ok(())
}

/// Whether tasks of this status are listed aside.
const fn is_aside(status: Status) -> bool {
    matches!(status, Status::Failed | Status::Canceled | Status::Paused)
}

/// Lists the task under this status, if that is listed.
pub(crate) fn list_aside(session: &Session<'_>, status: Status, task: i64) -> Result<()> {
    if is_aside(status) {
        session.execute(Sql::AsideInsert, (status_code(status), task))?;
    }
    Ok(())
}

/// Takes the task off the list of this status, if that is listed.
pub(crate) fn unlist_aside(session: &Session<'_>, status: Status, task: i64) -> Result<()> {
    if is_aside(status) {
        session.execute(Sql::AsideDelete, (status_code(status), task))?;
    }
    Ok(())
}
