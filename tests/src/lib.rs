//! What no crate can test alone. The tests are in `tests/`; here are the programs on the project's
//! pages, which are compiled as documentation tests.

/// The README's.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
