//! How much else the machine had to do, to tell how far the figures can be trusted.

use std::time::{Duration, Instant};

use crate::meter;

/// A look at the machine when a run begins.
pub(crate) struct Others {
    began: Instant,
    busy: Option<Duration>,
}

impl Others {
    pub(crate) fn begin() -> Self {
        Self { began: Instant::now(), busy: busy_without_us() }
    }

    /// How many cores were busy with something else since then, on average.
    pub(crate) fn end(&self) -> Option<f64> {
        let busy = busy_without_us()?.saturating_sub(self.busy?);
        Some(busy.as_secs_f64() / self.began.elapsed().as_secs_f64())
    }
}

fn busy_without_us() -> Option<Duration> {
    Some(meter::cpu_of_machine()?.saturating_sub(meter::cpu_with_children()?))
}
