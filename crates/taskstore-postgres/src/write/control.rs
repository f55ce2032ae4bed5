//! Control.

use taskstore_core::{
    Error, Result,
    backend::{Control, Outcome},
};

use crate::session::Session;

pub(crate) async fn control(
    _: &Session,
    _: &Control,
) -> Result<(Vec<Outcome>, crate::wakeup::News)> {
    Err(Error::backend("not there yet"))
}
