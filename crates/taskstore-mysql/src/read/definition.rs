//! Definitions.

use taskstore_core::{
    Definition, Error, Result,
    backend::{DefinitionKey, DefinitionQuery, Page},
};

use crate::session::Session;

pub(crate) async fn definition(
    _session: &mut Session,
    _key: &DefinitionKey,
) -> Result<Option<Definition>> {
    Err(Error::backend("not built yet"))
}

pub(crate) async fn definitions(
    _session: &mut Session,
    _query: &DefinitionQuery,
) -> Result<Page<Definition>> {
    Err(Error::backend("not built yet"))
}
