//! What running tasks have to say meanwhile.

use taskstore_core::{
    Result, Status,
    backend::{Fate, Report},
};

use super::settle::Lines;
use crate::{
    convert::{Uuid, progress_columns, small},
    error::Mapped,
    session::Session,
    sql::Sql,
};

/// Stores progress and log lines where the fence holds.
pub(crate) async fn report(session: &Session, reports: &[Report]) -> Result<Vec<Fate>> {
    let mut fates = vec![Fate::Lost; reports.len()];
    if reports.is_empty() {
        return Ok(fates);
    }
    let tasks: Vec<_> = reports.iter().map(|report| Uuid::of(report.lease.task.ulid())).collect();
    let leases: Vec<_> = reports.iter().map(|report| Uuid::of(report.lease.batch.ulid())).collect();
    let turns: Vec<_> = reports.iter().map(|report| small(report.lease.turn)).collect();
    let (done, total): (Vec<_>, Vec<_>) =
        reports.iter().map(|report| progress_columns(report.progress)).unzip();
    let has: Vec<_> = reports.iter().map(|report| report.progress.is_some()).collect();
    let now = None::<i64>;
    let fence: [crate::session::Param<'_>; 7] =
        [&now, &tasks, &leases, &turns, &done, &total, &has];
    let has_log = reports.iter().any(|report| !report.log.is_empty());
    let rows = session.together(has_log, &[(Sql::ProgressUpdate, &fence)], false).await?;
    let mut held = Vec::new();
    for row in rows.iter().flatten() {
        let index = usize::try_from(row.try_get::<_, i32>(0).mapped()? - 1).unwrap_or(usize::MAX);
        if let (Some(fate), Some(report)) = (fates.get_mut(index), reports.get(index)) {
            *fate = Fate::Applied { status: Status::Running };
            held.push((row.try_get(1).mapped()?, report.lease.turn, &report.log[..]));
        }
    }
    if has_log {
        let lines = Lines::of(held.into_iter());
        let steps = [(Sql::LogInsert, &lines.insert()[..]), (Sql::LogTrim, &lines.trim()[..])];
        session.together(false, &steps, true).await?;
    }
    Ok(fates)
}
