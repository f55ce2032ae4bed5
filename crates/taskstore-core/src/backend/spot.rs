//! Where a task stands in a list, and the cursor that says so.
//!
//! A help for engines that number their tasks in the order of enqueue; an engine that does not may
//! write its cursors as it likes.

use super::{Cursor, TaskOrder};
use crate::{Error, Result};

/// A place in a list. Whatever the order of the list, the smaller spot comes first in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spot {
    /// What comes after all else of the list: 1 for tasks of the claim order that are not due yet.
    pub part: i64,
    /// The queue, where the list goes queue by queue.
    pub queue: String,
    /// What the list goes by, the most important first.
    pub by: [i64; 3],
}

impl Spot {
    const fn of(by: [i64; 3]) -> Self {
        Self { part: 0, queue: String::new(), by }
    }

    /// Before everything else.
    #[must_use]
    pub const fn start() -> Self {
        Self::of([i64::MIN; 3])
    }

    /// Newest first, by number.
    #[must_use]
    pub const fn newest(number: i64) -> Self {
        Self::of([number.saturating_neg(), 0, 0])
    }

    /// Oldest first, by number.
    #[must_use]
    pub const fn oldest(number: i64) -> Self {
        Self::of([number, 0, 0])
    }

    /// Last completed first, by the time in microseconds and by number.
    #[must_use]
    pub const fn completed(at: i64, number: i64) -> Self {
        Self::of([at.saturating_neg(), number.saturating_neg(), 0])
    }

    /// Last deleted first, by the time in microseconds and by number.
    #[must_use]
    pub const fn deleted(at: i64, number: i64) -> Self {
        Self::completed(at, number)
    }

    /// Ready, in claim order.
    #[must_use]
    pub const fn ready(queue: String, priority: i64, run_at: i64, number: i64) -> Self {
        Self { part: 0, queue, by: [priority, run_at, number] }
    }

    /// Not due yet, in claim order.
    #[must_use]
    pub const fn later(run_at: i64, number: i64) -> Self {
        Self { part: 1, queue: String::new(), by: [run_at, number, 0] }
    }

    /// The cursor of a page of this order that ends here.
    #[must_use]
    pub fn cursor(&self, order: TaskOrder) -> Cursor {
        let [a, b, c] = self.by;
        Cursor(format!("{}.{}.{a}.{b}.{c}.{}", letter(order), self.part, self.queue))
    }

    /// Where a page of this order ended.
    ///
    /// # Errors
    /// [`Invalid`](Error::Invalid) that names the `cursor`: it is no such cursor, or one of another
    /// order.
    pub fn read(cursor: &Cursor, order: TaskOrder) -> Result<Self> {
        let bad = || Error::invalid("cursor", "it was not made by this store for this order");
        // The queue comes last, because it may hold dots itself.
        let mut words = cursor.0.splitn(6, '.');
        let mut word = || words.next().ok_or_else(bad);
        if word()? != letter(order) {
            return Err(bad());
        }
        let mut number = || word()?.parse::<i64>().map_err(|_| bad());
        let (part, by) = (number()?, [number()?, number()?, number()?]);
        let spot = Self { part, queue: word()?.to_owned(), by };
        if spot.cursor(order) == *cursor { Ok(spot) } else { Err(bad()) }
    }
}

const fn letter(order: TaskOrder) -> &'static str {
    match order {
        TaskOrder::NewestFirst => "n",
        TaskOrder::OldestFirst => "o",
        TaskOrder::ClaimOrder => "c",
        TaskOrder::LastCompletedFirst => "l",
        TaskOrder::LastDeletedFirst => "d",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_says_where_its_page_ended() {
        for spot in [
            Spot::start(),
            Spot::ready("a.b-c.".to_owned(), -5, 170, 3),
            Spot::later(i64::MAX, 1),
            Spot::completed(i64::MIN, 7),
        ] {
            for order in TaskOrder::ALL {
                assert_eq!(Spot::read(&spot.cursor(order), order).unwrap(), spot);
            }
        }
    }

    #[test]
    fn a_cursor_that_is_garbage_or_of_another_order_is_refused() {
        let other = Spot::newest(1).cursor(TaskOrder::NewestFirst).0;
        let garbage = [
            "",
            ".",
            "o",
            "o.1.2",
            "o.0.1.2.x.",
            "o.0.1.2.99999999999999999999.",
            "o.+0.1.2.3.",
            "🦀",
        ];
        for text in garbage.into_iter().chain([other.as_str()]) {
            let error = Spot::read(&Cursor(text.to_owned()), TaskOrder::OldestFirst).unwrap_err();
            assert!(matches!(error, Error::Invalid { field: "cursor", .. }), "{text}: {error}");
        }
    }

    #[test]
    fn the_smaller_spot_comes_first() {
        assert!(Spot::newest(2) < Spot::newest(1) && Spot::oldest(1) < Spot::oldest(2));
        assert!(Spot::completed(2, 1) < Spot::completed(1, 2));
        assert!(Spot::completed(1, 2) < Spot::completed(1, 1));
        assert!(Spot::ready("z".to_owned(), 9, 9, 9) < Spot::later(0, 0));
        assert!(Spot::ready("a".to_owned(), 9, 9, 9) < Spot::ready("b".to_owned(), 0, 0, 0));
    }
}
