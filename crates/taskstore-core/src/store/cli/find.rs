//! The handler that somebody means.

use std::sync::Arc;

use crate::{Alias, Error, Result, handler::Registered};

/// The handler with this alias, or a former one; or else the only one that is the same when case,
/// `-` and `_` make no difference, present aliases first.
pub(super) fn find(handlers: &[Arc<Registered>], alias: &str) -> Result<Arc<Registered>> {
    let exact = |handler: &Registered| {
        let mut all = std::iter::once(&handler.alias).chain(&handler.former_aliases);
        all.any(|other| other.as_str() == alias)
    };
    if let Some(handler) = handlers.iter().find(|handler| exact(handler)) {
        return Ok(Arc::clone(handler));
    }
    let wanted = unified(alias);
    let same = |other: &Alias| unified(other.as_str()) == wanted;
    let present = |handler: &Registered| same(&handler.alias);
    let former = |handler: &Registered| handler.former_aliases.iter().any(same);
    match only(handlers, alias, present)? {
        Some(handler) => Ok(handler),
        None => only(handlers, alias, former)?.ok_or_else(|| Error::not_found("handler", alias)),
    }
}

fn only(
    handlers: &[Arc<Registered>],
    alias: &str,
    fits: impl Fn(&Registered) -> bool,
) -> Result<Option<Arc<Registered>>> {
    let mut fitting = handlers.iter().filter(|handler| fits(handler));
    match (fitting.next(), fitting.next()) {
        (Some(one), Some(two)) => Err(Error::invalid(
            "alias",
            format!("{alias} may be {} or {}: say which", one.alias, two.alias),
        )),
        (found, _) => Ok(found.cloned()),
    }
}

fn unified(alias: &str) -> String {
    alias.chars().filter(|c| !matches!(c, '-' | '_')).flat_map(char::to_lowercase).collect()
}
