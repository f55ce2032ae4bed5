//! How long a failed task waits before it runs again.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use crate::limits::DELAY_MAX;

/// Attempts that a task gets where neither the task nor its handler says otherwise: 20. With the
/// default backoff the last one comes about 6.5 days after the first, so that an outage over a
/// weekend loses nothing.
pub const MAX_ATTEMPTS: u32 = 20;

/// The wait after a failed attempt, by the number of the attempt (from 1).
///
/// Every wait is varied by up to a tenth either way, so that tasks that failed together do not
/// come back together, and is at least one second ([`Backoff::Fixed`] and [`Backoff::Custom`] are
/// taken as they are).
///
/// ```
/// use std::time::Duration;
/// # use taskstore_core as taskstore;
/// use taskstore::Backoff;
///
/// assert_eq!(Backoff::default().delay(2, 0.5), Duration::from_secs(16));
/// let quick = Backoff::exponential(Duration::from_secs(1), Duration::from_secs(60));
/// assert_eq!(quick.delay(3, 0.5), Duration::from_secs(4));
/// ```
#[non_exhaustive]
#[derive(Clone, Default)]
pub enum Backoff {
    /// attempt⁴ seconds: 1 s, 16 s, 81 s, 4 min, … 1.5 days after the 19th.
    #[default]
    Polynomial,
    /// `first`, doubled each time, at most `most`.
    Exponential {
        /// The wait after the first attempt.
        first: Duration,
        /// The longest wait.
        most: Duration,
    },
    /// `step` × attempt, at most `most`.
    Linear {
        /// The wait after the first attempt, and what each further attempt adds.
        step: Duration,
        /// The longest wait.
        most: Duration,
    },
    /// Always the same, not varied.
    Fixed(Duration),
    /// As the function says for the number of the attempt, not varied; as by default if it panics.
    Custom(Arc<dyn Fn(u32) -> Duration + Send + Sync>),
}

impl Backoff {
    /// `first`, doubled each time, at most `most`.
    #[must_use]
    pub fn exponential(first: Duration, most: Duration) -> Self {
        Self::Exponential { first, most }
    }

    /// `step` × attempt, at most `most`.
    #[must_use]
    pub fn linear(step: Duration, most: Duration) -> Self {
        Self::Linear { step, most }
    }

    /// Always the same.
    #[must_use]
    pub fn fixed(delay: Duration) -> Self {
        Self::Fixed(delay)
    }

    /// As a function of the number of the attempt that failed, from 1.
    pub fn custom(delay: impl Fn(u32) -> Duration + Send + Sync + 'static) -> Self {
        Self::Custom(Arc::new(delay))
    }

    /// The wait after attempt number `attempt` failed. `chance` in `0.0..1.0` decides how it is
    /// varied: 0.5 not at all.
    #[must_use]
    pub fn delay(&self, attempt: u32, chance: f64) -> Duration {
        let attempt = attempt.max(1);
        let exact = match self {
            Self::Polynomial => seconds(f64::from(attempt).powi(4)),
            Self::Exponential { first, most } => {
                let doublings = i32::try_from(attempt - 1).unwrap_or(i32::MAX);
                seconds(first.as_secs_f64() * 2f64.powi(doublings)).min(*most)
            }
            Self::Linear { step, most } => {
                seconds(step.as_secs_f64() * f64::from(attempt)).min(*most)
            }
            Self::Fixed(delay) => return (*delay).min(DELAY_MAX),
            Self::Custom(delay) => {
                // It is asked while a future is dropped, too, where a panic would end the process.
                let delay = AssertUnwindSafe(|| delay(attempt));
                return catch_unwind(delay).map_or_else(
                    |_| Self::default().delay(attempt, chance),
                    |delay| delay.min(DELAY_MAX),
                );
            }
        };
        let varied = seconds(exact.as_secs_f64() * (0.9 + 0.2 * chance.clamp(0.0, 1.0)));
        varied.max(Duration::from_secs(1)).min(DELAY_MAX)
    }
}

impl fmt::Debug for Backoff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Polynomial => f.write_str("Polynomial"),
            Self::Exponential { first, most } => write!(f, "Exponential({first:?}..{most:?})"),
            Self::Linear { step, most } => write!(f, "Linear({step:?}..{most:?})"),
            Self::Fixed(delay) => write!(f, "Fixed({delay:?})"),
            Self::Custom(_) => f.write_str("Custom(..)"),
        }
    }
}

/// A random number for [`Backoff::delay`].
pub(crate) fn chance() -> f64 {
    fastrand::f64()
}

/// Whole microseconds, at most [`DELAY_MAX`].
fn seconds(seconds: f64) -> Duration {
    let most = DELAY_MAX.as_secs_f64();
    let micros = (seconds.clamp(0.0, most) * 1e6).round();
    // The clamp keeps it far below 2^53, where every whole number is exact.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped above")]
    Duration::from_micros(micros as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_outlasts_a_weekend() {
        let total: Duration = (1..MAX_ATTEMPTS).map(|n| Backoff::default().delay(n, 0.5)).sum();
        let days = total.as_secs_f64() / 86_400.0;
        assert!((6.0..7.0).contains(&days), "{days} days");
    }

    #[test]
    fn waits_vary_by_a_tenth_and_are_at_least_a_second() {
        let backoff = Backoff::default();
        assert_eq!(backoff.delay(1, 0.0), Duration::from_secs(1));
        assert_eq!(backoff.delay(2, 0.0), Duration::from_secs_f64(14.4));
        assert_eq!(backoff.delay(2, 1.0), Duration::from_secs_f64(17.6));
    }

    #[test]
    fn no_attempt_number_overflows() {
        for backoff in [
            Backoff::default(),
            Backoff::exponential(Duration::from_secs(1), Duration::MAX),
            Backoff::linear(Duration::MAX, Duration::MAX),
            Backoff::fixed(Duration::MAX),
            Backoff::custom(|_| Duration::MAX),
        ] {
            assert!(backoff.delay(u32::MAX, 1.0) <= DELAY_MAX, "{backoff:?}");
            assert!(backoff.delay(0, 0.0) <= DELAY_MAX, "{backoff:?}");
        }
    }

    #[test]
    fn a_function_that_panics_gives_way_to_the_default() {
        let backoff = Backoff::custom(|_| panic!("no table for it"));
        assert_eq!(backoff.delay(2, 0.5), Backoff::default().delay(2, 0.5));
    }

    #[test]
    fn fixed_and_custom_are_taken_as_they_are() {
        assert_eq!(
            Backoff::fixed(Duration::from_millis(5)).delay(9, 0.0),
            Duration::from_millis(5)
        );
        assert_eq!(
            Backoff::custom(|n| Duration::from_secs(n.into())).delay(7, 1.0),
            Duration::from_secs(7)
        );
    }
}
