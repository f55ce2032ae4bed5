//! Tasks whose time has come.

use taskstore_core::{
    Error, Result,
    backend::{Promote, Promoted},
};

use crate::{
    convert::{small, stamp, until},
    error::Mapped,
    session::Session,
    sql::Sql,
    wakeup::News,
};

/// Moves due tasks from later to ready, the earliest first.
pub(crate) async fn promote(session: &Session, request: &Promote) -> Result<(Promoted, News)> {
    let row = session
        .first(Sql::PromoteInsert, &[&stamp(request.now), &small(request.limit)])
        .await?
        .ok_or_else(|| Error::backend("a promotion answered nothing"))?;
    let moved: i64 = row.try_get(0).mapped()?;
    let now: i64 = row.try_get(1).mapped()?;
    let next: Option<i64> = row.try_get(2).mapped()?;
    let mut news = News::default();
    if moved > 0 {
        news.any();
    }
    let moved = u32::try_from(moved).unwrap_or(u32::MAX);
    Ok((Promoted { moved, due_in: next.map(|due| until(due, now)) }, news))
}
