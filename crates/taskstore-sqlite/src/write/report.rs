//! What running tasks have to say meanwhile.

use taskstore_core::{
    Result, Status,
    backend::{Fate, Report},
};

use super::{lease::LeaseRow, result::store_log};
use crate::{convert::progress_columns, session::Session, sql::Sql};

/// Stores progress and log lines where the fence holds.
pub(crate) fn report(session: &Session<'_>, reports: &[Report], now: i64) -> Result<Vec<Fate>> {
    reports.iter().map(|report| store(session, report, now)).collect()
}

fn store(session: &Session<'_>, report: &Report, now: i64) -> Result<Fate> {
    let lease = report.lease;
    if LeaseRow::find(session, lease.batch)?.is_none() {
        return Ok(Fate::Lost);
    }
    let Some(seq) = session.listed(lease)? else { return Ok(Fate::Lost) };
    let fence = session.statements.first(Sql::SettleRead, [seq], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, String>(9)?))
    })?;
    if fence != Some((lease.turn.into(), 0, lease.task.to_string())) {
        return Ok(Fate::Lost);
    }
    if report.progress.is_some() {
        let (done, total) = progress_columns(report.progress);
        session.execute(Sql::ProgressUpdate, (seq, done, total, now))?;
    }
    store_log(session, seq, lease.turn.into(), &report.log)?;
    Ok(Fate::Applied { status: Status::Running })
}
