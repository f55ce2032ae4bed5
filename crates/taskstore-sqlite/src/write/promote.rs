//! Tasks whose time has come.

use taskstore_core::{Result, backend::Promoted};

use super::claim::next_due;
use crate::{convert::until, session::Session, sql::Sql};

/// Moves due tasks from later to ready, the earliest first.
pub(crate) fn promote(session: &Session<'_>, limit: u32, now: i64) -> Result<Promoted> {
    let moved = session.execute(Sql::PromoteInsert, (now, limit))?;
    if let Some(last) = moved.checked_sub(1) {
        session.execute(Sql::PromoteDelete, [i64::try_from(last).unwrap_or(i64::MAX)])?;
        session.tell(crate::wakeup::News::promoted);
    }
    let due_in = next_due(session)?.map(|due| until(due, now));
    Ok(Promoted { moved: u32::try_from(moved).unwrap_or(u32::MAX), due_in })
}
