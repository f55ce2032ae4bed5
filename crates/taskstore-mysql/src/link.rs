//! What statements are sent over: a connection of the store's own, or one that a caller lends. Of the
//! driver only what both have.

use std::{future::Future, pin::Pin};

use driver::{Params, Row, prelude::Queryable};
use mysql_async as driver;

/// What a statement came to.
pub(crate) struct Answer {
    pub(crate) rows: Vec<Row>,
    /// How many rows it changed.
    pub(crate) changed: u64,
    /// The first key that it made.
    pub(crate) last_id: Option<u64>,
}

/// An answer on its way.
pub(crate) type Sent<'a, T> = Pin<Box<dyn Future<Output = driver::Result<T>> + Send + 'a>>;

/// What statements are sent over.
pub(crate) trait Link: Send {
    /// Runs a statement, prepared once for each connection.
    fn exec<'a>(&'a mut self, text: &'a str, params: Params) -> Sent<'a, Answer>;

    /// Runs statements that are not prepared, one after another; answers the rows of all.
    fn query<'a>(&'a mut self, text: &'a str) -> Sent<'a, Vec<Row>>;
}

impl<Q: Queryable> Link for Q {
    fn exec<'a>(&'a mut self, text: &'a str, params: Params) -> Sent<'a, Answer> {
        Box::pin(async move {
            let mut result = self.exec_iter(text, params).await?;
            let rows = result.collect().await?;
            let (changed, last_id) = (result.affected_rows(), result.last_insert_id());
            result.drop_result().await?;
            Ok(Answer { rows, changed, last_id })
        })
    }

    fn query<'a>(&'a mut self, text: &'a str) -> Sent<'a, Vec<Row>> {
        Box::pin(async move {
            let mut result = self.query_iter(text).await?;
            let mut rows = Vec::new();
            while !result.is_empty() {
                rows.extend(result.collect::<Row>().await?);
            }
            result.drop_result().await?;
            Ok(rows)
        })
    }
}
