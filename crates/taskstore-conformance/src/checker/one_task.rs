//! What a single task may do, in its smallest form: the promises as a state and its steps. A step
//! says what the store must have answered from this state; anything else is not explained by it.

use taskstore_core::Status;
use ulid::Ulid;

use super::history::{Asked, Became, Ended, Given, Held, Seen, To};

/// Where a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Place {
    /// Not stored.
    Nowhere,
    /// Ready or later.
    Waiting,
    /// In this lease.
    Held { lease: Ulid, alone: bool },
    /// Aside.
    Paused,
    /// At an end.
    Over(Status),
}

/// A task as the promises have it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct OneTask {
    pub(super) place: Place,
    pub(super) turn: u32,
    pub(super) attempts: u32,
    pub(super) suspect: bool,
    pub(super) cancel: bool,
    pub(super) deleted: bool,
    pub(super) settled_by: Option<Ulid>,
    pub(super) ended: Vec<Ended>,
}

/// What was asked about this task, and what the answer means for it.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// Stored, or held back.
    Enqueue {
        stored: bool,
    },
    /// Claimed; `None`: nobody knows as what.
    Claim {
        lease: Ulid,
        given: Option<Given>,
    },
    /// What the lease holds of this task.
    Recall {
        lease: Ulid,
        given: Option<Given>,
    },
    Settle {
        held: Held,
        to: To,
        applied: Option<Option<Status>>,
    },
    Report {
        held: Held,
        applied: Option<Status>,
    },
    Isolate {
        held: Held,
        apart: Ulid,
        isolated: Option<bool>,
    },
    /// Replaced. `found`: `None`: nobody knows; `Some(None)`: without this task.
    TakeOver {
        seen: Ulid,
        lease: Ulid,
        found: Option<Option<(Given, bool)>>,
    },
    Control {
        to: Asked,
        became: Option<Became>,
    },
    Look(Option<Seen>),
    Attempts(Vec<Ended>),
}

impl Step {
    /// Whether it can never change the task again, once it fits and leaves it as it is. A cancel
    /// request can: it changes nothing while another is open, and the next claim's state later. So can
    /// an enqueue sent again, where a purge may have come before it.
    pub(super) const fn is_idle_for_good(&self, purges: bool) -> bool {
        match self {
            Self::Control { to: Asked::Cancel(_), became: Some(Became::Requested) } => false,
            Self::Enqueue { .. } => !purges,
            _ => true,
        }
    }

    pub(super) const fn purges(&self) -> bool {
        matches!(self, Self::Control { to: Asked::Purge, became: None | Some(Became::Moved(..)) })
    }
}

impl OneTask {
    pub(super) const fn nowhere() -> Self {
        Self {
            place: Place::Nowhere,
            turn: 0,
            attempts: 0,
            suspect: false,
            cancel: false,
            deleted: false,
            settled_by: None,
            ended: Vec::new(),
        }
    }

    /// The task after the step; `None`: from here, the store must have answered otherwise.
    pub(super) fn step(&self, step: &Step) -> Option<Self> {
        match step {
            Step::Enqueue { stored } => self.enqueue(*stored),
            Step::Claim { lease, given } => self.claim(*lease, given.as_ref()),
            Step::Recall { lease, given } => self.recall(*lease, given.as_ref()),
            Step::Settle { held, to, applied } => self.settle(*held, to, *applied),
            Step::Report { held, applied } => {
                let expected = self.is_held(*held).then_some(Status::Running);
                (*applied == expected).then(|| self.clone())
            }
            Step::Isolate { held, apart, isolated } => self.isolate(*held, *apart, *isolated),
            Step::TakeOver { seen, lease, found } => self.take_over(*seen, *lease, found.as_ref()),
            Step::Control { to, became } => {
                let (after, expected) = self.control(to, *became);
                became.is_none_or(|became| became == expected).then_some(after)
            }
            Step::Look(seen) => (*seen == self.seen()).then(|| self.clone()),
            Step::Attempts(ended) => (*ended == self.attempts()).then(|| self.clone()),
        }
    }

    pub(super) fn status(&self) -> Option<Status> {
        match self.place {
            Place::Nowhere => None,
            Place::Waiting => Some(Status::Queued),
            Place::Held { .. } => Some(Status::Running),
            Place::Paused => Some(Status::Paused),
            Place::Over(status) => Some(status),
        }
    }

    fn in_lease(&self, id: Ulid) -> bool {
        matches!(self.place, Place::Held { lease, .. } if lease == id)
    }

    fn is_held(&self, held: Held) -> bool {
        self.in_lease(held.lease) && self.turn == held.turn
    }

    fn fits(&self, given: &Given) -> bool {
        given.held.turn == self.turn
            && given.attempts == self.attempts
            && given.suspect == self.suspect
    }

    fn enqueue(&self, stored: bool) -> Option<Self> {
        match self.place {
            Place::Nowhere if stored => Some(Self { place: Place::Waiting, ..self.clone() }),
            Place::Nowhere => Some(self.clone()),
            // Its id is there: whatever became of it, it is stored.
            _ => stored.then(|| self.clone()),
        }
    }

    fn claim(&self, lease: Ulid, given: Option<&Given>) -> Option<Self> {
        let fits = given.is_none_or(|given| self.fits(given));
        (self.place == Place::Waiting && fits)
            .then(|| Self { place: Place::Held { lease, alone: false }, ..self.clone() })
    }

    fn recall(&self, lease: Ulid, given: Option<&Given>) -> Option<Self> {
        let fits = match given {
            Some(given) => self.in_lease(lease) && self.fits(given),
            None => !self.in_lease(lease),
        };
        fits.then(|| self.clone())
    }

    fn settle(&self, held: Held, to: &To, applied: Option<Option<Status>>) -> Option<Self> {
        let (after, expected) = if self.is_held(held) {
            let after = self.settled(held, to);
            let status = after.status();
            (after, status)
        } else if held.turn.checked_add(1) == Some(self.turn) && self.settled_by == Some(held.lease)
        {
            (self.clone(), self.status())
        } else {
            (self.clone(), None)
        };
        applied.is_none_or(|applied| applied == expected).then_some(after)
    }

    fn settled(&self, held: Held, to: &To) -> Self {
        let (place, counted, suspect, text) = match to {
            To::End(status, text) => (Place::Over(*status), true, false, text.as_ref()),
            To::Discarded(text) => (Place::Over(Status::Canceled), false, false, Some(text)),
            To::Back { counted, error, .. } if self.cancel || self.deleted => {
                (Place::Over(Status::Canceled), *counted, false, error.as_ref())
            }
            To::Back { counted, suspect, error } => {
                (Place::Waiting, *counted, *suspect, error.as_ref())
            }
        };
        let mut after = Self {
            place,
            turn: self.turn + 1,
            attempts: self.attempts + u32::from(counted),
            suspect,
            cancel: false,
            settled_by: Some(held.lease),
            ..self.clone()
        };
        if let (Some(_), Some(status)) = (text, after.status()) {
            after.ended.push(Ended { turn: self.turn, status, text: text.cloned() });
        }
        after
    }

    fn isolate(&self, held: Held, apart: Ulid, isolated: Option<bool>) -> Option<Self> {
        let again = self.in_lease(apart) && held.turn.checked_add(1) == Some(self.turn);
        let (after, expected) = if again {
            (self.clone(), true)
        } else if self.is_held(held) {
            let place = Place::Held { lease: apart, alone: true };
            (Self { place, turn: self.turn + 1, ..self.clone() }, true)
        } else {
            (self.clone(), false)
        };
        isolated.is_none_or(|isolated| isolated == expected).then_some(after)
    }

    fn take_over(
        &self,
        seen: Ulid,
        lease: Ulid,
        found: Option<&Option<(Given, bool)>>,
    ) -> Option<Self> {
        let (was_here, alone) = match self.place {
            Place::Held { lease: here, alone } => (here == seen || here == lease, alone),
            _ => (false, false),
        };
        match found {
            Some(Some((given, said_alone))) if was_here => {
                if !self.fits(given) || *said_alone != alone {
                    return None;
                }
            }
            Some(Some(_)) => return None,
            Some(None) => return (!was_here).then(|| self.clone()),
            None if was_here => {}
            None => return Some(self.clone()),
        }
        Some(Self { place: Place::Held { lease, alone }, ..self.clone() })
    }

    /// The task after a move, and what must have been said; `became` only chooses between answers
    /// that depend on other tasks.
    fn control(&self, to: &Asked, became: Option<Became>) -> (Self, Became) {
        let stay = || self.clone();
        let Some(from) = self.status() else { return (stay(), Became::Missing) };
        if self.deleted != (*to == Asked::Restore) && *to != Asked::Purge {
            return (stay(), Became::Missing);
        }
        let moved = |place: Place, to: Status| {
            (Self { place, turn: self.turn + 1, ..self.clone() }, Became::Moved(from, to))
        };
        let waits = matches!(from, Status::Queued | Status::Paused);
        match to {
            Asked::Purge if from.has_ended() => (Self::nowhere(), Became::Moved(from, from)),
            Asked::Restore => (Self { deleted: false, ..stay() }, Became::Moved(from, from)),
            Asked::Cancel(_) | Asked::Delete => {
                let (mut after, became) = if from == Status::Running {
                    (Self { cancel: true, ..stay() }, Became::Requested)
                } else if waits {
                    let (after, became) = moved(Place::Over(Status::Canceled), Status::Canceled);
                    (Self { suspect: false, ..after }, became)
                } else if *to == Asked::Delete {
                    (stay(), Became::Moved(from, from))
                } else {
                    return (stay(), Became::Refused(from));
                };
                after.deleted = *to == Asked::Delete;
                (after, became)
            }
            Asked::Pause if from == Status::Queued => moved(Place::Paused, Status::Paused),
            Asked::Resume if from == Status::Paused => moved(Place::Waiting, Status::Queued),
            Asked::Reschedule if waits => (stay(), Became::Moved(from, from)),
            Asked::Requeue if from.has_ended() => match became {
                // Whether the key was free is judged across tasks.
                Some(held @ Became::KeyHeldBy(_)) => (stay(), held),
                _ => {
                    let (after, became) = moved(Place::Waiting, Status::Queued);
                    (Self { attempts: 0, suspect: false, ..after }, became)
                }
            },
            _ => (stay(), Became::Refused(from)),
        }
    }

    fn seen(&self) -> Option<Seen> {
        let status = self.status()?;
        Some(Seen {
            status,
            attempts: self.attempts + u32::from(status == Status::Running),
            suspect: self.suspect,
            cancel_requested: self.cancel,
            deleted: self.deleted,
        })
    }

    /// What has something to say, and a success that has not.
    fn attempts(&self) -> Vec<Ended> {
        let mut ended = self.ended.clone();
        if let (Place::Over(Status::Success), Some(turn)) = (self.place, self.turn.checked_sub(1))
            && ended.last().is_none_or(|last| last.turn != turn)
        {
            ended.push(Ended { turn, status: Status::Success, text: None });
        }
        ended
    }
}
