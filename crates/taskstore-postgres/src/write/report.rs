//! Reports.

use taskstore_core::{
    Error, Result,
    backend::{Fate, Report},
};

use crate::session::Session;

pub(crate) async fn report(_: &Session, _: &[Report]) -> Result<Vec<Fate>> {
    Err(Error::backend("not there yet"))
}
