//! Tasks whose time has come.

use taskstore_core::{
    Result,
    backend::{Promote, Promoted},
};

use crate::{
    convert::{json_list, until},
    read::next_due,
    session::{Session, values},
    sql::Sql,
    wakeup::News,
};

/// Moves due tasks from later to ready, the earliest first.
pub(crate) async fn promote(session: &mut Session<'_>, request: &Promote) -> Result<Promoted> {
    let now = session.now(request.now).await?;
    let read = |row: &crate::session::Row| {
        let queue: String = row.get(0)?;
        let (priority, run_at) = (row.get::<i64>(1)?, row.get::<i64>(2)?);
        let (task, definition) = (row.get::<i64>(3)?, row.get::<i64>(4)?);
        Ok(((run_at, task), values![queue, priority, run_at, task, definition]))
    };
    let due = session.all(Sql::PromoteRead, values![now, request.limit], read).await?;
    let moved = due.len();
    if moved > 0 {
        let list = json_list(due.iter().map(|((run_at, task), _)| format!("[{run_at},{task}]")));
        let rows = due.into_iter().map(|(_, row)| row).collect();
        session.execute_many(Sql::ReadyInsert, rows).await?;
        session.execute(Sql::PromoteDelete, values![list]).await?;
        session.tell(News::promoted);
    }
    let due_in = next_due(session).await?.map(|due| until(due, now));
    Ok(Promoted { moved: u32::try_from(moved).unwrap_or(u32::MAX), due_in })
}
