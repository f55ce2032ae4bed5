//! Sweep.

use taskstore_core::{
    Error, Result,
    backend::{Sweep, Swept},
};

use crate::session::Session;

pub(crate) async fn sweep(_: &Session, _: &Sweep) -> Result<Swept> {
    Err(Error::backend("not there yet"))
}
