//! The mistakes, by name.

macro_rules! mutants {
    ($($mutant:ident: $what:literal;)+) => {
        /// One mistake that an engine could make.
        #[non_exhaustive]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Mutant {
            /// No mistake: the decorator by itself, which must not be noticed.
            None,
            $(#[doc = $what] $mutant,)+
        }

        impl Mutant {
            /// Every mistake.
            pub const ALL: &[Self] = &[$(Self::$mutant),+];

            /// The mistake in words.
            #[must_use]
            pub const fn what(self) -> &'static str {
                match self {
                    Self::None => "No mistake.",
                    $(Self::$mutant => $what,)+
                }
            }
        }
    };
}

mutants! {
    EnqueueAgainStoresTwice: "A request that is sent again stores its tasks a second time.";
    EnqueueAgainIsDuplicate: "A keyed task that is sent again is held back by itself.";
    EnqueueHalf: "A request that fails leaves the tasks that were good.";
    DelayIgnored: "A delayed task is ready at once.";
    KeyFreedAtClaim: "A unique key is freed when its task is claimed.";
    KeyNeverFreed: "A unique key is never freed.";
    ClaimOrderBroken: "A claim answers in the wrong order.";
    QueueOrderIgnored: "A claim serves the last queue first.";
    ShareIgnored: "A claim ignores what a queue may give at most.";
    BytesIgnored: "A claim ignores how many bytes it may carry.";
    KnownIgnored: "A claim takes tasks of definitions that the runner does not know.";
    PauseIgnored: "A claim takes from a paused queue.";
    LeaseIdUsedTwice: "Two claims succeed under one lease id.";
    TaskClaimedTwice: "A claim that comes back short hands out a task that another holds.";
    ClaimTimeWrong: "A claim tells another time than that by which it took the tasks.";
    DueInForgotten: "A claim does not say when the next task is due.";
    RecallForgets: "A recall finds nothing.";
    NoTurnCheck: "A settlement is not asked for its turn, only for a living lease.";
    ClockKillsLease: "A settlement is refused because its lease has grown old.";
    SettleAgainLost: "A settlement that is sent again is answered as lost.";
    OneLostLosesAll: "One lost position makes the whole batch lost.";
    AttemptCountedTwice: "A counted attempt counts twice.";
    AttemptNotRefunded: "A refunded attempt is counted.";
    RestOfLeaseLost: "The first settlement under a lease ends it for all its tasks.";
    LeaseLivesOn: "A lease lives on after its last settlement.";
    SuspectForgotten: "A task that was lost with its holder is not marked suspect.";
    RequeueDoesNotYield: "A task goes back to the queue although its cancel was requested.";
    EndYields: "A success yields to a cancel request.";
    ReleaseLosesPlace: "A released task goes to the end of the line.";
    ClaimBeforeSettle: "A settle with a claim claims first.";
    OutputDropped: "An output is not stored.";
    ReasonDropped: "The reason of a retry is not stored.";
    TakeOverKeepsLease: "A take-over keeps the id of the lease, so both holders settle under it.";
    SettleAfterTakeOver: "The former holder of a lease still settles after a take-over.";
    TakeOverIgnoresBeat: "A take-over does not look whether the lease beat meanwhile.";
    TakeOverAgainFails: "A take-over that is sent again is refused.";
    AloneForgotten: "A take-over does not say that the task was isolated.";
    AloneWhenSingle: "A take-over blames a task because it was the only one in its lease.";
    LateLeasesHidden: "Leases without a beat are not named.";
    BeatNotCounted: "A beat is answered but not counted.";
    IsolateAgainFails: "An isolation that is sent again is refused.";
    CancelUnheard: "A beat does not hear cancel requests.";
    CancelForgotten: "A cancel request is acknowledged and forgotten.";
    PromoteDropsTask: "A promotion drops a task on its way.";
    PromoteTooEarly: "A promotion moves tasks before their time.";
    GuardIgnored: "A move is made from any status.";
    RescheduleOverwrites: "A reschedule resets the priority that it was not to touch.";
    RequeueKeepsAttempts: "A requeue keeps the attempts of the time before.";
    PurgeLeavesLog: "A purge leaves the log of its task.";
    PurgeHidesOnly: "A purge only hides its task.";
    PurgeOfRunning: "A purge takes a running task from its holder.";
    PurgeMissesDeleted: "A purge finds no soft-deleted task.";
    PurgeIgnoresAge: "A purge does not look when its task ended.";
    ReportUnfenced: "A report of a former holder is accepted.";
    LineKeptTwice: "A log line that is sent again is kept twice.";
    ExpiryForgotten: "A claim does not say by when a task must begin.";
    ExpiryFromClaim: "When a task must begin counts from its claim, so that nothing is ever too late.";
    ExpiryOfBegun: "A task that has begun once must still begin in time.";
    ExpirySurvivesRequeue: "A task that is asked for again still expires.";
    DiscardCounted: "A task that is discarded unstarted is charged an attempt.";
    TimeoutForgotten: "A task's own time-out is not stored.";
    WakeUpLost: "A wait ends at its deadline only.";
    WakeUpByEnqueueOnly: "A wait hears of enqueued tasks, but not of tasks that come back.";
    DefinitionOverwritten: "A definition that was changed meanwhile is overwritten.";
    DefinitionDeletedInUse: "A definition is deleted although a task of it is paused.";
    StatusAsRecorded: "A list by status takes a running task for a queued one.";
    DeletedListed: "A list shows soft-deleted tasks.";
    FilterForgotten: "A list forgets all of its filter but the status.";
    PageRepeatsLast: "A page begins with the last task of the page before.";
    IdsRepeatLast: "A page of ids begins with the last task of the page before.";
    CursorIgnored: "A cursor that nobody made is taken for the first page.";
    CountUncapped: "A count goes on beyond what it was asked for.";
    QueueNamedAgainGivesNothing: "A queue that a claim names again gives nothing more.";
    DelayedQueueHidden: "A queue whose tasks are all delayed is not listed.";
    QueuesCountedToTheEnd: "A list of queues counts beyond its share.";
    CutCountIsExact: "A list of queues says that a count is exact although it was cut.";
    PausedTasksAreDelayed: "A list of queues counts paused tasks as delayed.";
    OldestIsTheFirst: "The oldest ready task is taken to be the first in line.";
    PausedQueueHasWork: "A paused queue is named as one that has work.";
    PatternForgotten: "Work is found in queues that were not asked for.";
    WakeUpByNameOnly: "A wait hears of queues that it names, but not of those that match a pattern.";
    SweepBlind: "A sweep does not say what it found.";
    SweepTakesHealthy: "A sweep takes a running task from its holder.";
    SweepForgetsWhere: "A sweep begins anew with every look.";
    SweepForgetsMissing: "A sweep does not say that a task can never run.";
    DownForgotten: "Migrating down leaves everything there.";
}
