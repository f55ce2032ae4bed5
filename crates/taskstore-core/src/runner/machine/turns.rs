//! Whose turn it is among queues that share by weight.
//!
//! Each queue has a virtual time, which goes on by 1 / weight with each task that it gives; who is
//! furthest behind is next. So over many claims each queue that has work gives by its weight. One
//! that had none is brought up to the others, so that it saves up no claim on what it did not need.
//! No chance in it: the same history gives the same turns.

use std::{cmp::Reverse, collections::BinaryHeap};

/// A queue's virtual time.
pub(super) type Turn = u64;

/// What a task of weight 1 costs.
const WHOLE: Turn = 1_000_000;

/// What a task of a queue of this weight costs.
pub(super) fn cost(weight: u32) -> Turn {
    WHOLE / Turn::from(weight.max(1))
}

/// A queue that may give.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    pub(super) turn: Turn,
    pub(super) weight: u32,
    /// At most so many.
    pub(super) at_most: usize,
}

/// How many of `wanted` tasks each gives, by position, if all of them have enough.
pub(super) fn share_out(wanted: usize, candidates: &[Candidate]) -> Vec<usize> {
    if let [only] = candidates {
        return vec![only.at_most.min(wanted)];
    }
    let mut shares = vec![0; candidates.len()];
    let mut line: BinaryHeap<_> = candidates
        .iter()
        .enumerate()
        .filter(|(_, candidate)| candidate.at_most > 0)
        .map(|(place, candidate)| Reverse((candidate.turn, place)))
        .collect();
    for _ in 0..wanted {
        let Some(Reverse((turn, place))) = line.pop() else { break };
        let (Some(share), Some(candidate)) = (shares.get_mut(place), candidates.get(place)) else {
            break;
        };
        *share += 1;
        if *share < candidate.at_most {
            line.push(Reverse((turn.saturating_add(cost(candidate.weight)), place)));
        }
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn of(turn: Turn, weight: u32) -> Candidate {
        Candidate { turn, weight, at_most: usize::MAX }
    }

    #[test]
    fn shares_are_by_weight() {
        assert_eq!(share_out(100, &[of(0, 3), of(0, 1)]), [75, 25]);
        assert_eq!(share_out(6, &[of(0, 1), of(0, 1), of(0, 1)]), [2, 2, 2]);
        assert_eq!(share_out(0, &[of(0, 1)]), [0]);
        assert_eq!(share_out(5, &[]), Vec::<usize>::new());
    }

    #[test]
    fn who_is_behind_comes_first() {
        assert_eq!(share_out(1, &[of(10, 1), of(0, 1)]), [0, 1]);
        assert_eq!(share_out(5, &[of(3 * WHOLE, 1), of(0, 1)]), [1, 4]);
    }

    #[test]
    fn what_one_may_not_give_goes_to_the_others() {
        let few = Candidate { at_most: 2, ..of(0, 100) };
        assert_eq!(share_out(10, &[few, of(0, 1)]), [2, 8]);
        assert_eq!(share_out(10, &[Candidate { at_most: 0, ..few }, few]), [0, 2]);
    }
}
