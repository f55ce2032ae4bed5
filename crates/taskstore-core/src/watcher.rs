//! The lease watcher: decides that a lease is dead, as a pure state machine.
//!
//! A lease is dead when the watcher has seen the same beat for the lease's whole length on its own
//! monotonic clock, in reads without a gap. No clock is compared with another's, so a database
//! outage, a failover to a skewed clock or a paused watcher never costs a living runner its tasks.
//! The watcher reads no clock and no database itself; `runner::watch` does that for it.

use std::{collections::HashMap, time::Duration};

use crate::{LeaseId, backend::LateLease};

/// Time since the watcher began, on its own monotonic clock.
pub(crate) type Moment = Duration;

/// The shortest time between two reads.
const PAUSE_MIN: Duration = Duration::from_millis(20);
/// The longest: leases that are not in sight yet may be much shorter than this runner's.
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// What one lease showed when it was first seen at its present beat.
#[derive(Clone, Copy, Debug)]
struct Sighting {
    beat: u64,
    since: Moment,
    lease_for: Duration,
}

/// Watches late leases through a series of reads.
#[derive(Debug)]
pub(crate) struct Watcher {
    /// How long the leases of this runner live.
    lease_for: Duration,
    seen: HashMap<LeaseId, Sighting>,
    /// When the last successful read began.
    last_read: Option<Moment>,
}

impl Watcher {
    pub(crate) fn new(lease_for: Duration) -> Self {
        Self { lease_for, seen: HashMap::new(), last_read: None }
    }

    /// How long to wait at `now` for the next read: an eighth of the shortest lease in sight, so
    /// that an ordinary delay never makes a gap, 2 s at most, and no longer than until a lease may be
    /// dead.
    pub(crate) fn pause(&self, now: Moment) -> Duration {
        let ripe = self.seen.values().map(|s| (s.since + s.lease_for).saturating_sub(now)).min();
        let shortest = self.seen.values().map(|s| s.lease_for).min();
        let regular = shortest.map_or(self.lease_for, |shortest| shortest.min(self.lease_for)) / 8;
        let regular = regular.min(PAUSE_MAX);
        ripe.map_or(regular, |ripe| ripe.min(regular)).max(PAUSE_MIN)
    }

    /// Takes in a read that began at `began` and ended at `ended`; says which leases are dead.
    ///
    /// A dead lease is reported once and then watched anew: if its take-over is refused, because it
    /// beat meanwhile or somebody held its row, its whole length has to pass again.
    pub(crate) fn read(
        &mut self,
        began: Moment,
        ended: Moment,
        late: &[LateLease],
    ) -> Vec<LateLease> {
        let since_last = self.last_read.replace(began).map(|last| ended.saturating_sub(last));
        let mut seen = HashMap::with_capacity(late.len());
        let mut dead = Vec::new();
        for lease in late {
            // A gap: whatever was not watched for half its length may have beaten and gone back to
            // an old state with a restored database, or could not have beaten at all.
            let gap = since_last.is_none_or(|since| since > lease.lease_for / 2);
            let before = self.seen.get(&lease.lease).filter(|s| s.beat == lease.beat && !gap);
            let since = before.map_or(ended, |sighting| sighting.since);
            if began.saturating_sub(since) >= lease.lease_for {
                dead.push(*lease);
            } else {
                seen.insert(
                    lease.lease,
                    Sighting { beat: lease.beat, since, lease_for: lease.lease_for },
                );
            }
        }
        self.seen = seen;
        dead
    }

    /// A read failed: nothing is known of the time since the last one that did not.
    pub(crate) fn failed(&mut self) {
        self.seen.clear();
        self.last_read = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LENGTH: Duration = Duration::from_secs(4);

    fn at(millis: u64) -> Moment {
        Duration::from_millis(millis)
    }

    fn late(lease: LeaseId, beat: u64) -> LateLease {
        LateLease { lease, beat, lease_for: LENGTH }
    }

    /// Reads every second; says at which second the lease was called dead.
    fn dies_at(reads: impl IntoIterator<Item = (u64, u64)>) -> Option<u64> {
        let lease = LeaseId::new();
        let mut watcher = Watcher::new(LENGTH);
        reads.into_iter().find_map(|(millis, beat)| {
            let dead = watcher.read(at(millis), at(millis + 1), &[late(lease, beat)]);
            (!dead.is_empty()).then_some(millis)
        })
    }

    #[test]
    fn a_lease_is_dead_after_its_whole_length_without_a_beat() {
        assert_eq!(dies_at((0..10).map(|s| (s * 1_000, 7))), Some(5_000));
    }

    #[test]
    fn a_lease_that_beats_never_dies() {
        assert_eq!(dies_at((0..100).map(|s| (s * 1_000, s / 3))), None);
    }

    #[test]
    fn a_gap_in_the_reads_starts_the_watch_anew() {
        let reads = [0, 1_000, 2_000, 3_000, 5_100, 6_100, 7_100, 8_100, 9_100, 10_100];
        assert_eq!(dies_at(reads.map(|ms| (ms, 7))), Some(10_100), "5,100 is too long after 3,000");
    }

    #[test]
    fn a_slow_read_is_a_gap() {
        let lease = LeaseId::new();
        let mut watcher = Watcher::new(LENGTH);
        for second in 0..4 {
            assert!(
                watcher
                    .read(at(second * 1_000), at(second * 1_000 + 1), &[late(lease, 7)])
                    .is_empty()
            );
        }
        // It began in time, but waited for the lock for so long that a beat may have had to wait too.
        assert!(watcher.read(at(4_000), at(5_500), &[late(lease, 7)]).is_empty());
        assert!(watcher.read(at(6_500), at(6_501), &[late(lease, 7)]).is_empty());
    }

    #[test]
    fn a_failed_read_starts_the_watch_anew() {
        let lease = LeaseId::new();
        let mut watcher = Watcher::new(LENGTH);
        for second in 0..4 {
            watcher.read(at(second * 1_000), at(second * 1_000), &[late(lease, 7)]);
        }
        watcher.failed();
        assert!(watcher.read(at(4_500), at(4_500), &[late(lease, 7)]).is_empty());
    }

    #[test]
    fn a_lease_that_was_out_of_sight_is_watched_anew() {
        let lease = LeaseId::new();
        let mut watcher = Watcher::new(LENGTH);
        for second in [0, 1, 2] {
            watcher.read(at(second * 1_000), at(second * 1_000), &[late(lease, 7)]);
        }
        watcher.read(at(3_000), at(3_000), &[]);
        for second in [4, 5, 6, 7] {
            assert!(
                watcher.read(at(second * 1_000), at(second * 1_000), &[late(lease, 7)]).is_empty()
            );
        }
        assert_eq!(watcher.read(at(8_000), at(8_000), &[late(lease, 7)]).len(), 1);
    }

    #[test]
    fn a_refused_take_over_starts_the_watch_anew() {
        let reads: Vec<_> = (0..12).map(|s| s * 1_000).collect();
        let lease = LeaseId::new();
        let mut watcher = Watcher::new(LENGTH);
        let dead: Vec<_> = reads
            .into_iter()
            .filter(|&ms| !watcher.read(at(ms), at(ms), &[late(lease, 7)]).is_empty())
            .collect();
        assert_eq!(dead, [4_000, 9_000]);
    }

    #[test]
    fn reads_come_as_often_as_the_shortest_lease_in_sight_needs() {
        let mut watcher = Watcher::new(Duration::from_secs(16));
        assert_eq!(watcher.pause(at(0)), Duration::from_secs(2));
        watcher.read(at(0), at(0), &[late(LeaseId::new(), 0)]);
        assert_eq!(watcher.pause(at(0)), Duration::from_millis(500));
        assert_eq!(watcher.pause(at(3_900)), Duration::from_millis(100), "it is ripe at 4,000");
        watcher.read(at(1_000), at(1_000), &[]);
        assert_eq!(watcher.pause(at(1_000)), Duration::from_secs(2));
    }

    #[test]
    fn a_runner_with_a_long_lease_sees_the_death_of_one_with_a_short_lease_in_time() {
        let length = Duration::from_secs(15);
        let lease = LateLease { lease: LeaseId::new(), beat: 7, lease_for: length };
        let mut watcher = Watcher::new(Duration::from_secs(86_400));
        let mut now = watcher.pause(at(0));
        loop {
            let late = if now * 3 >= length { vec![lease] } else { vec![] };
            if !watcher.read(now, now, &late).is_empty() {
                break;
            }
            now += watcher.pause(now);
        }
        assert!(now <= length * 3 / 2 + Duration::from_secs(2), "{now:?}");
    }

    #[test]
    fn a_crash_is_seen_within_one_and_a_half_lengths() {
        let lease = LeaseId::new();
        for offset in 0..500 {
            let mut watcher = Watcher::new(LENGTH);
            // The last beat is at 0; an engine names the lease when a third of its length is over.
            let mut now = at(offset);
            let dead_at = loop {
                let late = if now * 3 >= LENGTH { vec![late(lease, 7)] } else { vec![] };
                if !watcher.read(now, now + at(1), &late).is_empty() {
                    break now;
                }
                now += at(1) + watcher.pause(now + at(1));
            };
            assert!(dead_at <= LENGTH * 3 / 2, "{dead_at:?}");
        }
    }
}
