//! What running tasks have to say meanwhile.

use taskstore_core::{
    Result, Status,
    backend::{Fate, Report},
};

use super::{
    lease::{LeaseRow, pairs_of},
    record::Record,
    result::Lines,
};
use crate::{
    convert::{json_list, progress_columns, seqs_of},
    session::{Session, values},
    sql::Sql,
};

/// Stores progress and log lines where the fence holds.
pub(crate) async fn report(session: &mut Session<'_>, reports: &[Report]) -> Result<Vec<Fate>> {
    let leases = LeaseRow::lock_all(session, reports.iter().map(|r| r.lease.batch)).await?;
    if leases.is_empty() {
        return Ok(vec![Fate::Lost; reports.len()]);
    }
    let pairs = pairs_of(session, &leases).await?;
    let seqs = seqs_of(session, reports.iter().map(|r| r.lease.task)).await?;
    let records = Record::lock_all(session, seqs.values().copied()).await?;
    let mut progress = std::collections::BTreeMap::new();
    let mut lines = Lines::default();
    let mut fates = Vec::with_capacity(reports.len());
    for report in reports {
        let turn = i64::from(report.lease.turn);
        let holds =
            seqs.get(&report.lease.task).and_then(|seq| records.get(seq)).filter(|record| {
                record.status == 0
                    && record.turn == turn
                    && pairs.contains(&(report.lease.batch, record.seq, turn))
            });
        let Some(record) = holds else {
            fates.push(Fate::Lost);
            continue;
        };
        if report.progress.is_some() {
            progress.insert(record.seq, progress_columns(report.progress));
        }
        lines.add(record.seq, turn, &report.log);
        fates.push(Fate::Applied { status: Status::Running });
    }
    if !progress.is_empty() {
        let now = session.now(None).await?;
        let rows = progress.iter().map(|(seq, (done, total))| format!("[{seq},{done},{total}]"));
        let list = json_list(rows);
        session.execute(Sql::ProgressUpdate, values![list, now]).await?;
    }
    lines.store(session).await?;
    Ok(fates)
}
