//! Tasks on their way to a runner.

use taskstore_core::{
    Error, LeaseId, Result,
    backend::{Claim, Claimed, LeasedTask},
};

use crate::session::Session;

pub(crate) async fn claim(
    _: &Session,
    _: &Claim,
    _: u64,
) -> Result<(Claimed, crate::wakeup::News)> {
    Err(Error::backend("not there yet"))
}

pub(crate) async fn recall(_: &Session, _: LeaseId) -> Result<Vec<LeasedTask>> {
    Err(Error::backend("not there yet"))
}
