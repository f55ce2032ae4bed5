//! `cargo xtask docs`: writes the parts of the documentation that are made from code.
//!
//! The tests that check these parts write them when they are told to, so that what is written and
//! what is checked cannot differ.

use crate::{
    Result, matrix,
    servers::Servers,
    step::{Steps, Tests, cargo},
};

/// The tests that own a page or a part of one, each with its package.
const PAGES: [(&str, &str); 6] = [
    ("taskstore-tests", "lifecycle_page"),
    ("taskstore-conformance", "promises"),
    ("taskstore-conformance", "mutants"),
    ("taskstore-sqlite", "sql_mutants"),
    ("taskstore-postgres", "sql_mutants"),
    ("taskstore-mysql", "sql_mutants"),
];

/// Writes all of them; whether that worked.
pub(crate) fn run() -> Result<bool> {
    matrix::write_page()?;
    let servers = Servers::for_workspace()?;
    let mut steps = Steps::default();
    for (package, page) in PAGES {
        steps.command(
            page,
            Tests::Some,
            servers
                .tell(&mut cargo(&["test", "--package", package, "--locked", "--test", page]))
                .env("TASKSTORE_WRITE_DOCS", "1"),
        )?;
    }
    Ok(steps.all_well())
}
