//! Settle.

use taskstore_core::{
    Error, Result,
    backend::{Settle, Settled},
};

use crate::session::Session;

pub(crate) async fn settle(
    _: &Session,
    _: &Settle,
    _: u64,
) -> Result<(Settled, crate::wakeup::News)> {
    Err(Error::backend("not there yet"))
}
