//! Promote.

use taskstore_core::{
    Error, Result,
    backend::{Promote, Promoted},
};

use crate::session::Session;

pub(crate) async fn promote(_: &Session, _: &Promote) -> Result<(Promoted, crate::wakeup::News)> {
    Err(Error::backend("not there yet"))
}
