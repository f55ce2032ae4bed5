//! `cargo xtask docs`: writes the parts of the documentation that are made from code.
//!
//! The tests that check these parts write them when they are told to, so that what is written and
//! what is checked cannot differ.

use crate::{
    Result,
    step::{Steps, Tests, cargo},
};

/// The tests that own a part of a page.
const PAGES: [&str; 1] = ["lifecycle_page"];

/// Writes all of them; whether that worked.
pub(crate) fn run() -> Result<bool> {
    let mut steps = Steps::default();
    for page in PAGES {
        steps.command(
            page,
            Tests::Some,
            cargo(&["test", "--package", "taskstore-tests", "--locked", "--test", page])
                .env("TASKSTORE_WRITE_DOCS", "1"),
        )?;
    }
    Ok(steps.all_well())
}
