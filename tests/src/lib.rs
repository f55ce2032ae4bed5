//! What no crate can test alone. The tests are in `tests/`; here is what they share, and the programs
//! on the project's pages, which are compiled as documentation tests.

pub mod faulty;
pub mod ledger;

/// The README's.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
