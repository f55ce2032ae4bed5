//! The runner over the memory backend: what users see of it.

mod common;
mod modes;
mod outcomes;
mod stopping;
