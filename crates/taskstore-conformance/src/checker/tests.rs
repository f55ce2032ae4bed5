//! Each rule catches a history that breaks it, and lets through what only looks like it.

use taskstore_core::{Status, TaskId};
use ulid::Ulid;

use super::{
    Answer::{Said, Unknown},
    *,
};

const QUEUED: Status = Status::Queued;
const SUCCESS: Status = Status::Success;

/// A history in which one thing follows the other, if nothing else is said.
#[derive(Default)]
struct Story {
    events: Vec<Event>,
    clock: u64,
}

fn task(n: u128) -> TaskId {
    TaskId::from(Ulid(n))
}

fn lease(n: u128) -> Ulid {
    Ulid(1000 + n)
}

fn held(by: u128, turn: u32) -> Held {
    Held { task: task(1), lease: lease(by), turn }
}

fn given(by: u128, turn: u32, attempts: u32, suspect: bool) -> Given {
    Given { held: held(by, turn), attempts, suspect }
}

fn end(status: Status) -> To {
    To::End(status, None)
}

fn back(counted: bool, suspect: bool) -> To {
    To::Back { counted, suspect, error: None }
}

fn seen(status: Status, attempts: u32) -> Seen {
    Seen { status, attempts, suspect: false, cancel_requested: false, deleted: false }
}

impl Story {
    fn new() -> Self {
        Self::default()
    }

    /// A story that begins with task 1 stored and claimed under lease 1.
    fn claimed() -> Self {
        Self::new().stored(1).claim(1, given(1, 0, 0, false))
    }

    fn then(mut self, what: What) -> Self {
        self.clock += 10;
        let (started, ended) = (self.clock, Some(self.clock + 5));
        self.events.push(Event { by: 0, started, ended, what });
        self
    }

    /// The last event began together with the one before it.
    fn meanwhile(mut self) -> Self {
        let [.., before, last] = self.events.as_mut_slice() else { panic!("two events") };
        last.started = before.started;
        self
    }

    fn stored(self, n: u128) -> Self {
        self.then(What::Enqueue { task: task(n), key: None, answer: Said(None) })
    }

    fn keyed(self, n: u128, key: &str, held_by: Option<u128>) -> Self {
        let answer = Said(held_by.map(task));
        self.then(What::Enqueue { task: task(n), key: Some(key.into()), answer })
    }

    fn claim(self, by: u128, given: Given) -> Self {
        self.then(What::Claim { lease: lease(by), answer: Said(vec![given]) })
    }

    fn settle(self, held: Held, to: To, answer: Option<Status>) -> Self {
        self.then(What::Settle { held, to, answer: Said(answer) })
    }

    fn isolate(self, held: Held, apart: u128, answer: Option<Held>) -> Self {
        self.then(What::Isolate { held, apart: lease(apart), answer: Said(answer) })
    }

    fn take_over(self, from: u128, to: u128, beat: u64, alone: bool, tasks: Vec<Given>) -> Self {
        let answer = Said(Some(Taken { alone, tasks }));
        self.then(What::TakeOver { seen: lease(from), beat, lease: lease(to), answer })
    }

    fn control(self, to: Asked, answer: Became) -> Self {
        self.then(What::Control { task: task(1), to, answer: Said(answer) })
    }

    fn look(self, seen: Option<Seen>) -> Self {
        self.then(What::Look { task: task(1), answer: Said(seen) })
    }

    fn attempts(self, ended: Vec<Ended>) -> Self {
        self.then(What::Attempts { task: task(1), answer: Said(ended) })
    }

    #[track_caller]
    fn is_good(&self) {
        check(&self.events, false).unwrap_or_else(|violations| panic!("{}", violations.join("\n")));
    }

    /// Caught, in a text that says this.
    #[track_caller]
    fn is_caught(&self, saying: &str) {
        let violations = check(&self.events, false).expect_err("a bad history passed");
        assert!(violations.iter().any(|text| text.contains(saying)), "{violations:#?}");
    }
}

const NO_ORDER: &str = "there is no order";

#[test]
fn a_whole_life_passes() {
    Story::claimed()
        .settle(held(1, 0), back(true, true), Some(QUEUED))
        .settle(held(1, 0), back(true, true), Some(QUEUED))
        .claim(2, given(2, 1, 1, true))
        .isolate(held(2, 1), 3, Some(held(3, 2)))
        .isolate(held(2, 1), 3, Some(held(3, 2)))
        .take_over(3, 4, 0, true, vec![given(4, 2, 1, true)])
        .settle(held(3, 2), end(SUCCESS), None)
        .settle(held(4, 2), back(false, false), Some(QUEUED))
        .control(Asked::Pause, Became::Moved(QUEUED, Status::Paused))
        .control(Asked::Resume, Became::Moved(Status::Paused, QUEUED))
        .claim(5, given(5, 5, 1, false))
        .control(Asked::Cancel("no".into()), Became::Requested)
        .settle(held(5, 5), back(false, false), Some(Status::Canceled))
        .control(Asked::Requeue, Became::Moved(Status::Canceled, QUEUED))
        .claim(6, given(6, 7, 0, false))
        .settle(held(6, 7), end(SUCCESS), Some(SUCCESS))
        .look(Some(seen(SUCCESS, 1)))
        .attempts(vec![Ended { turn: 7, status: SUCCESS, text: None }])
        .is_good();
}

#[test]
fn a_turn_that_is_claimed_twice_is_caught() {
    Story::claimed().claim(2, given(2, 0, 0, false)).is_caught(NO_ORDER);
}

#[test]
fn a_turn_that_is_settled_twice_is_caught() {
    Story::claimed()
        .take_over(1, 2, 0, false, vec![given(2, 0, 0, false)])
        .settle(held(2, 0), end(SUCCESS), Some(SUCCESS))
        .settle(held(1, 0), end(SUCCESS), Some(SUCCESS))
        .is_caught(NO_ORDER);
}

#[test]
fn a_settlement_under_a_lease_that_was_taken_over_is_caught() {
    let story = Story::claimed().take_over(1, 2, 0, false, vec![given(2, 0, 0, false)]);
    story.settle(held(1, 0), end(SUCCESS), Some(SUCCESS)).is_caught(NO_ORDER);
}

#[test]
fn a_settlement_of_the_holder_that_is_refused_is_caught() {
    Story::claimed().settle(held(1, 0), end(SUCCESS), None).is_caught(NO_ORDER);
}

#[test]
fn a_settlement_sent_again_must_be_answered_as_the_first_time() {
    let settled = || Story::claimed().settle(held(1, 0), end(SUCCESS), Some(SUCCESS));
    settled().settle(held(1, 0), end(Status::Failed), Some(SUCCESS)).is_good();
    settled().settle(held(1, 0), end(SUCCESS), None).is_caught(NO_ORDER);
    settled().settle(held(1, 0), end(Status::Failed), Some(Status::Failed)).is_caught(NO_ORDER);
}

#[test]
fn an_attempt_that_is_charged_or_refunded_wrongly_is_caught() {
    let went_back = |counted, attempts| {
        Story::claimed()
            .settle(held(1, 0), back(counted, false), Some(QUEUED))
            .claim(2, given(2, 1, attempts, false))
    };
    went_back(true, 1).is_good();
    went_back(false, 0).is_good();
    went_back(true, 0).is_caught(NO_ORDER);
    went_back(false, 1).is_caught(NO_ORDER);
}

#[test]
fn attempts_that_a_requeue_does_not_reset_are_caught() {
    let requeued = |attempts| {
        Story::claimed()
            .settle(held(1, 0), end(Status::Failed), Some(Status::Failed))
            .control(Asked::Requeue, Became::Moved(Status::Failed, QUEUED))
            .claim(2, given(2, 2, attempts, false))
    };
    requeued(0).is_good();
    requeued(1).is_caught(NO_ORDER);
}

#[test]
fn a_turn_that_stands_still_is_caught() {
    Story::claimed()
        .settle(held(1, 0), back(true, false), Some(QUEUED))
        .claim(2, given(2, 0, 1, false))
        .is_caught(NO_ORDER);
}

#[test]
fn suspicion_that_is_forgotten_is_caught() {
    Story::claimed()
        .settle(held(1, 0), back(false, true), Some(QUEUED))
        .claim(2, given(2, 1, 0, false))
        .is_caught(NO_ORDER);
}

#[test]
fn a_task_that_goes_back_in_spite_of_a_cancel_request_is_caught() {
    Story::claimed()
        .control(Asked::Cancel("no".into()), Became::Requested)
        .settle(held(1, 0), back(true, false), Some(QUEUED))
        .is_caught(NO_ORDER);
}

#[test]
fn a_cancel_request_may_have_been_for_the_next_claim() {
    let cancel = || Asked::Cancel("no".into());
    let mut story = Story::claimed()
        .control(cancel(), Became::Requested)
        .settle(held(1, 0), end(SUCCESS), Some(SUCCESS))
        .control(cancel(), Became::Requested)
        .meanwhile()
        .control(Asked::Requeue, Became::Moved(SUCCESS, QUEUED))
        .claim(2, given(2, 2, 0, false))
        .settle(held(2, 2), back(false, false), Some(Status::Canceled));
    story.is_caught(NO_ORDER);
    // It overlaps with all that came between.
    story.events[4].ended = story.events[6].ended;
    story.is_good();
}

#[test]
fn an_enqueue_sent_again_must_say_stored() {
    Story::new().keyed(1, "k", None).keyed(1, "k", Some(2)).keyed(2, "k", None).is_caught(NO_ORDER);
}

#[test]
fn an_isolation_must_answer_with_the_next_turn_and_again_when_sent_again() {
    Story::claimed().isolate(held(1, 0), 2, Some(held(2, 0))).is_caught(NO_ORDER);
    let isolated = || Story::claimed().isolate(held(1, 0), 2, Some(held(2, 1)));
    isolated().isolate(held(1, 0), 2, None).is_caught(NO_ORDER);
    isolated().settle(held(1, 0), end(SUCCESS), Some(SUCCESS)).is_caught(NO_ORDER);
}

#[test]
fn a_take_over_must_find_exactly_what_is_left() {
    Story::claimed().take_over(1, 2, 0, false, vec![]).is_caught(NO_ORDER);
    Story::claimed()
        .settle(held(1, 0), end(SUCCESS), Some(SUCCESS))
        .take_over(1, 2, 0, false, vec![given(2, 0, 0, false)])
        .is_caught(NO_ORDER);
}

#[test]
fn a_take_over_that_forgets_who_was_alone_is_caught() {
    Story::claimed()
        .isolate(held(1, 0), 2, Some(held(2, 1)))
        .take_over(2, 3, 0, false, vec![given(3, 1, 0, false)])
        .is_caught(NO_ORDER);
}

#[test]
fn a_take_over_of_a_lease_that_beat_meanwhile_is_caught() {
    let beaten =
        |seen| {
            Story::claimed()
                .then(What::Beat { lease: lease(1), answer: Said(Some(true)) })
                .take_over(1, 2, seen, false, vec![given(2, 0, 0, false)])
        };
    beaten(1).is_good();
    beaten(0).is_caught("had beaten 1 times");
}

#[test]
fn a_lease_that_claims_twice_is_caught() {
    Story::claimed()
        .settle(held(1, 0), back(false, false), Some(QUEUED))
        .claim(1, given(1, 1, 0, false))
        .is_caught("claimed 2 times");
}

#[test]
fn a_claim_after_a_pause_has_returned_is_caught_and_one_during_it_is_not() {
    let paused = Became::Moved(QUEUED, Status::Paused);
    let story = Story::new().stored(1).control(Asked::Pause, paused);
    story.claim(1, given(1, 0, 0, false)).is_caught(NO_ORDER);
    let story = Story::new().stored(1).claim(1, given(1, 0, 0, false));
    story.control(Asked::Pause, Became::Refused(QUEUED)).is_caught(NO_ORDER);
    let story = Story::new().stored(1).claim(1, given(1, 0, 0, false));
    story.control(Asked::Pause, Became::Refused(Status::Running)).meanwhile().is_good();
}

#[test]
fn a_move_that_the_lifecycle_does_not_have_is_caught() {
    Story::new()
        .stored(1)
        .control(Asked::Resume, Became::Moved(QUEUED, QUEUED))
        .is_caught(NO_ORDER);
}

#[test]
fn a_change_to_a_hidden_task_is_caught() {
    let deleted =
        || Story::new().stored(1).control(Asked::Delete, Became::Moved(QUEUED, Status::Canceled));
    deleted().control(Asked::Requeue, Became::Missing).is_good();
    deleted().control(Asked::Requeue, Became::Moved(Status::Canceled, QUEUED)).is_caught(NO_ORDER);
}

#[test]
fn a_recall_that_shows_what_another_holds_is_caught() {
    let recalled = |tasks: Vec<Given>| {
        Story::claimed()
            .take_over(1, 2, 0, false, vec![given(2, 0, 0, false)])
            .then(What::Recall { lease: lease(1), answer: Said(tasks) })
    };
    recalled(vec![]).is_good();
    recalled(vec![given(1, 0, 0, false)]).is_caught(NO_ORDER);
}

#[test]
fn a_report_of_who_does_not_hold_is_caught() {
    Story::claimed()
        .settle(held(1, 0), end(SUCCESS), Some(SUCCESS))
        .then(What::Report { held: held(1, 0), answer: Said(Some(Status::Running)) })
        .is_caught(NO_ORDER);
}

#[test]
fn a_task_that_looks_other_than_it_is_is_caught() {
    for wrong in [
        None,
        Some(seen(QUEUED, 0)),
        Some(seen(Status::Running, 0)),
        Some(Seen { suspect: true, ..seen(Status::Running, 1) }),
        Some(Seen { cancel_requested: true, ..seen(Status::Running, 1) }),
        Some(Seen { deleted: true, ..seen(Status::Running, 1) }),
    ] {
        Story::claimed().look(wrong).is_caught(NO_ORDER);
    }
    Story::claimed().look(Some(seen(Status::Running, 1))).is_good();
}

#[test]
fn an_error_that_is_missing_from_the_attempts_is_caught() {
    let failed = |ended| {
        let to = To::End(Status::Failed, Some("broken".into()));
        Story::claimed().settle(held(1, 0), to, Some(Status::Failed)).attempts(ended)
    };
    let text = Some("broken".to_owned());
    failed(vec![Ended { turn: 0, status: Status::Failed, text }]).is_good();
    failed(vec![]).is_caught(NO_ORDER);
}

#[test]
fn two_live_tasks_with_one_key_are_caught() {
    Story::new().keyed(1, "k", None).keyed(2, "k", None).is_caught("while task");
    Story::new()
        .keyed(1, "k", None)
        .control(Asked::Cancel(String::new()), Became::Moved(QUEUED, Status::Canceled))
        .keyed(2, "k", None)
        .is_good();
    Story::new()
        .keyed(1, "k", None)
        .keyed(2, "k", None)
        .meanwhile()
        .look(Some(seen(QUEUED, 0)))
        .then(What::Look { task: task(2), answer: Said(Some(seen(QUEUED, 0))) })
        .is_caught("at the same time");
}

#[test]
fn a_requeue_that_does_not_take_its_key_is_caught() {
    Story::new()
        .keyed(1, "k", None)
        .control(Asked::Cancel(String::new()), Became::Moved(QUEUED, Status::Canceled))
        .control(Asked::Requeue, Became::Moved(Status::Canceled, QUEUED))
        .keyed(2, "k", None)
        .is_caught("while task");
}

#[test]
fn a_task_held_back_by_one_with_another_key_is_caught() {
    Story::new().keyed(1, "k", None).keyed(2, "other", Some(1)).is_caught("does not share its key");
    Story::new().keyed(1, "k", None).keyed(2, "k", Some(1)).is_good();
}

#[test]
fn a_position_without_an_answer_is_caught() {
    let answer = Unknown(history::NO_ANSWER.into());
    Story::new()
        .then(What::Enqueue { task: task(1), key: None, answer })
        .is_caught("without an answer");
}

#[test]
fn a_task_that_is_not_over_after_a_drain_is_caught() {
    let drained = |story: Story| check(&story.events, true);
    drained(Story::claimed().look(Some(seen(Status::Running, 1)))).expect_err("it still runs");
    drained(Story::claimed()).expect_err("nobody looked");
    let over = Story::claimed().settle(held(1, 0), end(SUCCESS), Some(SUCCESS));
    drained(over.look(Some(seen(SUCCESS, 1)))).expect("it is over");
}

#[test]
fn a_lost_reply_may_mean_yes_or_no_but_not_both() {
    let unsure = || {
        let answer = Unknown("away".into());
        Story::claimed().then(What::Settle { held: held(1, 0), to: end(SUCCESS), answer })
    };
    unsure().look(Some(seen(SUCCESS, 1))).is_good();
    unsure().look(Some(seen(Status::Running, 1))).is_good();
    // It may also happen after it was given up.
    unsure().look(Some(seen(Status::Running, 1))).look(Some(seen(SUCCESS, 1))).is_good();
    unsure().look(Some(seen(SUCCESS, 1))).look(Some(seen(Status::Running, 1))).is_caught(NO_ORDER);
    unsure().look(Some(seen(Status::Failed, 1))).is_caught(NO_ORDER);
}

#[test]
fn a_claim_whose_reply_was_lost_is_found_by_its_take_over() {
    let unsure = What::Claim { lease: lease(1), answer: Unknown("away".into()) };
    let take_over = |story: Story| story.take_over(1, 2, 0, false, vec![given(2, 0, 0, false)]);
    take_over(Story::new().stored(1).then(unsure)).is_good();
    take_over(Story::new().stored(1)).is_caught(NO_ORDER);
}

#[test]
fn a_history_goes_through_a_file_unchanged() {
    let events = Story::claimed().settle(held(1, 0), end(SUCCESS), Some(SUCCESS)).events;
    let text = serde_json::to_string(&events).unwrap();
    assert_eq!(serde_json::from_str::<Vec<Event>>(&text).unwrap(), events);
}
