//! Few numbers from many.

use serde::{Deserialize, Serialize};

/// What several rounds gave.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// The one in the middle; between the two in the middle if there is no such one.
    pub median: f64,
    /// The least.
    pub min: f64,
    /// The most.
    pub max: f64,
}

impl Spread {
    /// Of these values; `None` of none, or when one of them is not a number.
    #[must_use]
    pub fn of(values: &[f64]) -> Option<Self> {
        let sorted = sorted(values)?;
        let high = *sorted.get(sorted.len() / 2)?;
        let low = *sorted.get((sorted.len() - 1) / 2)?;
        Some(Self { median: low + (high - low) / 2.0, min: *sorted.first()?, max: *sorted.last()? })
    }
}

/// The least value that `percent` of all values do not exceed (the nearest rank), 0 to 100; `None`
/// of no values, or when one of them is not a number.
#[must_use]
pub fn percentile(values: &[f64], percent: u8) -> Option<f64> {
    let sorted = sorted(values)?;
    let rank = (sorted.len() * usize::from(percent.min(100))).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied()
}

fn sorted(values: &[f64]) -> Option<Vec<f64>> {
    if values.iter().any(|value| value.is_nan()) {
        return None;
    }
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    Some(sorted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_one_in_the_middle_whatever_the_order() {
        let spread = Spread::of(&[9.0, -1.0, 4.0]).unwrap();
        assert_eq!(spread, Spread { median: 4.0, min: -1.0, max: 9.0 });
    }

    #[test]
    fn the_median_of_an_even_number_lies_between_the_two_in_the_middle() {
        assert_eq!(Spread::of(&[4.0, 1.0, 100.0, 2.0]).unwrap().median, 3.0);
    }

    #[test]
    fn one_value_is_all_there_is() {
        let spread = Spread::of(&[7.5]).unwrap();
        assert_eq!(spread, Spread { median: 7.5, min: 7.5, max: 7.5 });
        assert_eq!([0, 50, 99, 100].map(|p| percentile(&[7.5], p)), [Some(7.5); 4]);
    }

    #[test]
    fn nothing_comes_of_nothing_nor_of_what_is_not_a_number() {
        assert_eq!(Spread::of(&[]), None);
        assert_eq!(Spread::of(&[1.0, f64::NAN]), None);
        assert_eq!(percentile(&[], 50), None);
        assert_eq!(percentile(&[f64::NAN], 50), None);
    }

    #[test]
    fn percentiles_are_nearest_ranks() {
        let hundred: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        assert_eq!(percentile(&hundred, 50), Some(50.0));
        assert_eq!(percentile(&hundred, 99), Some(99.0));
        assert_eq!(percentile(&hundred, 100), Some(100.0));
        assert_eq!(percentile(&hundred, 0), Some(1.0));

        let ten: Vec<f64> = (1..=10).map(f64::from).collect();
        assert_eq!(percentile(&ten, 99), Some(10.0), "the worst of ten is not hidden");
        assert_eq!(percentile(&ten, 50), Some(5.0));
        assert_eq!(percentile(&ten, 200), Some(10.0), "more than all is all");
    }
}
