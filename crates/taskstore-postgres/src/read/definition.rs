//! Definitions.

use taskstore_core::{
    Definition, Error, Result,
    backend::{DefinitionKey, DefinitionQuery, Page},
};

use crate::session::Session;

pub(crate) async fn definition(_: &Session, _: &DefinitionKey) -> Result<Option<Definition>> {
    Err(Error::backend("not there yet"))
}

pub(crate) async fn definitions(_: &Session, _: &DefinitionQuery) -> Result<Page<Definition>> {
    Err(Error::backend("not there yet"))
}
