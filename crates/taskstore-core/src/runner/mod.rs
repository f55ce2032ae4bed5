//! The runner: claims tasks, runs their handlers, and saves how they ended.

mod machine;
mod summary;

pub use summary::Summary;
