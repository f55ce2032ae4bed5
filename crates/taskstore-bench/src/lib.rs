//! Measures taskstore: how fast tasks go in and out, how soon one is picked up, and what that costs.
//!
//! Machines are noisy, so everything is measured in rounds: each round measures every case once,
//! what is reported is the median with the least and the most, and ratios are made within a round.
//! Each case is measured in a process of its own, so that its CPU time and its memory are its own.
//!
//! Architecture invariant: nothing here is used by another crate, and no figure is typed by a person.

mod bench;
mod engine;
mod job;
mod machine;
mod meter;
mod part;
mod plan;
mod report;
mod sample;
mod stats;
mod workload;

pub use bench::{Progress, run};
pub use engine::{Place, without_password};
pub use part::{Part, play};
pub use plan::{Case, Plan, Size};
pub use report::{Found, Line, Ratio, Report};
pub use sample::{Figure, Sample};
pub use stats::{Spread, percentile};

/// Whatever goes wrong ends the run, with the reason.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// The result of measuring.
pub type Result<T, E = Error> = std::result::Result<T, E>;
