//! What may be asked, without ids: small numbers that choose among what there is when it is asked.

use proptest::{collection::vec, option, prelude::*};

/// Chooses among what there is, the newest first.
pub(super) type Pick = u8;

/// One request.
#[derive(Clone, Debug)]
pub(super) enum Op {
    Advance { millis: u32 },
    Enqueue { tasks: Vec<NewOrAgain> },
    Promote { limit: u8 },
    Claim(ClaimSpec),
    ClaimInUse { lease: Pick },
    Recall { lease: Pick },
    Settle { settlements: Vec<SettleSpec>, then: Option<ClaimSpec> },
    SettleAgain { which: Pick },
    Isolate { held: Vec<Pick> },
    IsolateAgain { which: Pick },
    Report { reports: Vec<SaySpec> },
    Beat { leases: Vec<Pick> },
    TakeOver { leases: Vec<(Pick, bool)> },
    TakeOverAgain { which: Pick },
    Control { tasks: Vec<Pick>, to: MoveSpec },
    PauseQueue { queue: u8, paused: bool },
    CancelDefinition { definition: u8, canceled: bool },
    Look { task: Pick },
}

#[derive(Clone, Debug)]
pub(super) enum NewOrAgain {
    New(TaskSpec),
    Again(Pick),
}

#[derive(Clone, Debug)]
pub(super) struct TaskSpec {
    pub(super) definition: u8,
    pub(super) queue: u8,
    pub(super) priority: i8,
    pub(super) when: WhenSpec,
    pub(super) max_attempts: Option<u8>,
    pub(super) key: Option<u8>,
    pub(super) bytes: u8,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum WhenSpec {
    Now,
    After(u16),
    At(i16),
}

#[derive(Clone, Debug)]
pub(super) struct ClaimSpec {
    pub(super) queues: Vec<(u8, u8)>,
    pub(super) at_most: u8,
    pub(super) known: u8,
    pub(super) bytes_max: Option<u8>,
}

#[derive(Clone, Debug)]
pub(super) struct SettleSpec {
    pub(super) say: SaySpec,
    pub(super) to: ToSpec,
    pub(super) run: Option<(u16, u16)>,
}

/// What is said under a lease.
#[derive(Clone, Debug)]
pub(super) struct SaySpec {
    pub(super) held: Pick,
    pub(super) progress: Option<u8>,
    pub(super) lines: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum ToSpec {
    Success { output: bool },
    Failed,
    Canceled { counted: bool },
    Back { after: Option<u16>, counted: bool, suspect: bool, error: bool },
}

#[derive(Clone, Debug)]
pub(super) enum MoveSpec {
    Cancel,
    Pause,
    Resume,
    Requeue { parameters: Option<u8> },
    Reschedule { when: Option<WhenSpec>, priority: Option<i8>, queue: Option<u8> },
    Delete,
    Restore,
    Purge,
}

pub(super) fn any() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (0..3_000_u32).prop_map(|millis| Op::Advance { millis }),
        10 => vec(new_or_again(), 1..5).prop_map(|tasks| Op::Enqueue { tasks }),
        5 => (0..6_u8).prop_map(|limit| Op::Promote { limit }),
        10 => claim().prop_map(Op::Claim),
        1 => pick().prop_map(|lease| Op::ClaimInUse { lease }),
        3 => pick().prop_map(|lease| Op::Recall { lease }),
        12 => (vec(settle(), 1..4), option::weighted(0.3, claim()))
            .prop_map(|(settlements, then)| Op::Settle { settlements, then }),
        3 => pick().prop_map(|which| Op::SettleAgain { which }),
        4 => vec(pick(), 1..4).prop_map(|held| Op::Isolate { held }),
        2 => pick().prop_map(|which| Op::IsolateAgain { which }),
        3 => vec(say(), 1..3).prop_map(|reports| Op::Report { reports }),
        3 => vec(pick(), 1..4).prop_map(|leases| Op::Beat { leases }),
        4 => vec((pick(), proptest::bool::weighted(0.8)), 1..3)
            .prop_map(|leases| Op::TakeOver { leases }),
        2 => pick().prop_map(|which| Op::TakeOverAgain { which }),
        12 => (vec(pick(), 1..4), a_move()).prop_map(|(tasks, to)| Op::Control { tasks, to }),
        2 => (0..3_u8, any_bool()).prop_map(|(queue, paused)| Op::PauseQueue { queue, paused }),
        2 => (0..3_u8, any_bool()).prop_map(|(definition, canceled)| {
            Op::CancelDefinition { definition, canceled }
        }),
        3 => pick().prop_map(|task| Op::Look { task }),
    ]
}

fn any_bool() -> impl Strategy<Value = bool> {
    proptest::bool::ANY
}

/// What is new is asked about most.
fn pick() -> impl Strategy<Value = Pick> {
    prop_oneof![3 => 0..4_u8, 1 => 0..40_u8]
}

fn new_or_again() -> impl Strategy<Value = NewOrAgain> {
    prop_oneof![
        6 => new_task().prop_map(NewOrAgain::New),
        1 => pick().prop_map(NewOrAgain::Again),
    ]
}

fn new_task() -> impl Strategy<Value = TaskSpec> {
    (
        // The fourth is not there.
        prop_oneof![30 => 0..3_u8, 1 => Just(3)],
        0..3_u8,
        -1..2_i8,
        when(),
        option::weighted(0.2, 1..4_u8),
        option::weighted(0.3, 0..3_u8),
        0..30_u8,
    )
        .prop_map(|(definition, queue, priority, when, max_attempts, key, bytes)| TaskSpec {
            definition,
            queue,
            priority,
            when,
            max_attempts,
            key,
            bytes,
        })
}

fn when() -> impl Strategy<Value = WhenSpec> {
    prop_oneof![
        4 => Just(WhenSpec::Now),
        1 => (0..2_000_u16).prop_map(WhenSpec::After),
        1 => (-2_000..2_000_i16).prop_map(WhenSpec::At),
    ]
}

fn claim() -> impl Strategy<Value = ClaimSpec> {
    (vec((0..3_u8, 0..5_u8), 1..4), 0..7_u8, 0..5_u8, option::weighted(0.2, 0..60_u8)).prop_map(
        |(queues, at_most, known, bytes_max)| ClaimSpec { queues, at_most, known, bytes_max },
    )
}

fn say() -> impl Strategy<Value = SaySpec> {
    (pick(), option::of(0..100_u8), vec(0..6_u8, 0..3))
        .prop_map(|(held, progress, lines)| SaySpec { held, progress, lines })
}

fn settle() -> impl Strategy<Value = SettleSpec> {
    (say(), to(), option::of((0..500_u16, 0..500_u16))).prop_map(|(say, to, run)| SettleSpec {
        say,
        to,
        run,
    })
}

fn to() -> impl Strategy<Value = ToSpec> {
    prop_oneof![
        2 => any_bool().prop_map(|output| ToSpec::Success { output }),
        1 => Just(ToSpec::Failed),
        1 => any_bool().prop_map(|counted| ToSpec::Canceled { counted }),
        4 => (option::of(0..2_000_u16), any_bool(), any_bool(), any_bool()).prop_map(
            |(after, counted, suspect, error)| ToSpec::Back { after, counted, suspect, error }
        ),
    ]
}

fn a_move() -> impl Strategy<Value = MoveSpec> {
    prop_oneof![
        2 => Just(MoveSpec::Cancel),
        1 => Just(MoveSpec::Pause),
        2 => Just(MoveSpec::Resume),
        2 => option::weighted(0.3, 0..30_u8)
            .prop_map(|parameters| MoveSpec::Requeue { parameters }),
        2 => (option::of(when()), option::of(-1..2_i8), option::of(0..3_u8)).prop_map(
            |(when, priority, queue)| MoveSpec::Reschedule { when, priority, queue }
        ),
        1 => Just(MoveSpec::Delete),
        1 => Just(MoveSpec::Restore),
        1 => Just(MoveSpec::Purge),
    ]
}
