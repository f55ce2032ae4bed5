//! Texts as the parameters that a handler wants.

use std::collections::{BTreeMap, btree_map::Entry};

use serde_json::value::{RawValue, to_raw_value};

use crate::{
    Error, Result,
    handler::Misfit,
    limits::{self, PARAMETERS_BYTES_MAX},
};

type Fields = BTreeMap<String, Box<RawValue>>;

/// An object of texts; a field whose text does not fit is read as JSON instead. Where the type does
/// not say which field it is, all are, and where there are none, null is tried.
pub(super) fn fit(
    args: &BTreeMap<String, String>,
    fits: impl Fn(&RawValue) -> Result<(), Misfit>,
) -> Result<Box<RawValue>> {
    let texts = args.iter().map(|(key, text)| Ok((key.clone(), json(text)?)));
    let mut fields: Fields = texts.collect::<Result<_>>()?;
    let object = json(&fields)?;
    limits::check_bytes("args", object.get().len(), PARAMETERS_BYTES_MAX)?;
    // Each round reads one more field as JSON, or is the last one.
    let misfit = loop {
        let object = json(&fields)?;
        match fits(&object) {
            Ok(()) => return Ok(object),
            Err(misfit) => {
                let field = misfit.field.as_deref();
                if !field.is_some_and(|field| read_as_json(&mut fields, field)) {
                    break misfit;
                }
            }
        }
    };
    let whole = if args.is_empty() {
        json(&())?
    } else {
        args.keys().for_each(|key| {
            read_as_json(&mut fields, key);
        });
        json(&fields)?
    };
    if misfit.field.is_none() && fits(&whole).is_ok() {
        return Ok(whole);
    }
    Err(Error::invalid("args", misfit.reason))
}

/// Replaces a text by the JSON that it is; false where it is none, or was replaced before.
fn read_as_json(fields: &mut Fields, field: &str) -> bool {
    let Entry::Occupied(mut entry) = fields.entry(field.to_owned()) else { return false };
    let Ok(text) = serde_json::from_str::<String>(entry.get().get()) else { return false };
    match serde_json::from_str::<Box<RawValue>>(text.trim()) {
        Ok(value) if !value.get().starts_with('"') => {
            entry.insert(value);
            true
        }
        _ => false,
    }
}

fn json(value: &(impl serde::Serialize + ?Sized)) -> Result<Box<RawValue>> {
    to_raw_value(value).map_err(|error| Error::invalid("args", error.to_string()))
}
