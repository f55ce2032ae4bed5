//! The promises, noun by noun.

use super::Promise;

macro_rules! promises {
    ($($id:literal: $says:literal;)+) => {
        /// Every promise, in the order of the page.
        pub const PROMISES: &[Promise] = &[$(Promise { id: $id, says: $says }),+];
    };
}

promises! {
    "task.one_place": "A task is always in exactly one place: ready, later, leased, paused or done. \
        None is lost, and none is there twice.";

    "answers.by_position": "A call about many tasks answers by position, one fate per item.";
    "errors.whole": "What a call that returns an error asked for happened whole or not at all.";
    "time.engine": "Where no time is passed the engine reads its own clock, once per transaction, \
        and durations are added to that.";
    "turn.when": "The turn goes up by one at every end of a claim, at isolate, and when a waiting \
        task is canceled, paused, resumed or requeued; never at claim, promote, take-over, heartbeat, \
        report or a cancel request.";
    "harness.fresh": "Two stores know nothing of each other.";
    "shared.one_store": "All handles to a shared store, in any process, see and guard the same tasks.";

    "fence.lease": "Only the lease under which a task is leased gives the right to settle it; owner, \
        attempts and clocks give none.";
    "fence.turn": "A lease gives no right to a task that left it and came back at another turn.";
    "fence.active": "A task that waits or has ended cannot be settled.";
    "fence.one_settlement": "At most one settlement is accepted per task and turn, by its present \
        holder.";

    "schema.check": "A migrated store fits this code, and a store without tables says so.";
    "schema.again": "Migrating again finds nothing to do.";
    "schema.at_once": "Migrations that run at once are safe: each step is done once.";
    "schema.down": "Migrating down drops everything that the project made.";
    "schema.dry_run": "A dry run changes nothing, and names what would be done, with its SQL.";

    "definition.whole": "A definition is stored whole and found by its id, or alive by its alias.";
    "definition.absent": "A definition stored as absent is refused when its id is there.";
    "definition.alias": "An alias is unique, byte by byte, among the definitions that are not deleted.";
    "definition.unchanged": "A change to a definition that was changed meanwhile is refused, and \
        overwrites nothing.";
    "definition.pages": "Definitions are listed in the order of their ids, page by page, soft-deleted \
        ones only if asked for; a cursor that no page gave is refused.";
    "definition.delete": "A definition is deleted for good only while no task of it is queued, running \
        or paused; what has ended stays and shows its alias, and cannot be requeued.";

    "enqueue.stored": "A task is stored with all that it was given, and is ready when it is due.";
    "enqueue.later": "A delayed task is queued, and not claimed before its time.";
    "enqueue.past": "A task whose time has passed is ready at once.";
    "enqueue.again": "A task that is sent again answers as the first time and changes nothing, \
        whatever became of it meanwhile.";
    "enqueue.whole": "A request that fails stores nothing, and takes no key.";
    "enqueue.definition": "A task of an unknown, deleted or canceled definition is refused.";
    "enqueue.duplicate": "A task whose key is held is not stored, and the answer names the holder.";

    "sweep.finds": "A sweep finds every active task that is in no place, and gives it to who sweeps, \
        under a lease.";
    "sweep.fenced": "Whoever held a task before a sweep found it can no longer settle it.";
    "sweep.healthy": "A sweep touches no task that is where it should be.";
    "sweep.drops": "A sweep drops places that no task waits in, and says so.";
    "sweep.missing": "A task whose parameters or definition are gone stops nobody: claims and take-overs \
        go on, and a sweep finds it.";
    "sweep.pages": "A sweep looks at a bounded number of tasks at a time, and at all of them in the end.";
    "sweep.put_back": "Runners and `store.sweep()` put back what a sweep finds, uncharged and suspect, \
        and say so loudly; what can never run fails.";

    "plain.stored": "A task enqueued by plain SQL is stored with all that it was given, like any other, \
        under an id that is a ULID of its time unless one was given.";
    "plain.order": "Tasks enqueued by plain SQL are claimed, and their ids sort, in their order.";
    "plain.checked": "What plain SQL may not enqueue is refused with a word that names the column, and \
        nothing of it is written.";
    "plain.transaction": "Plain SQL enqueues inside the transaction of whoever writes it.";
    "plain.again": "A task that plain SQL sends again changes nothing, whatever became of it.";
    "plain.unique": "A unique key of plain SQL holds back what a program enqueues under it, or is \
        refused.";

    "within.together": "A task that is enqueued in a transaction of the caller's is there if that \
        commits, and only then.";
    "within.same": "It is a task like any other, with all that its enqueue was given.";
    "within.sql": "The statement for other drivers enqueues the same task, and refuses nothing less.";
    "within.checked": "What the store refuses is refused within a transaction in the same words; nothing \
        of it is stored, and the transaction can go on.";
    "within.ours": "A connection without a transaction, or to another file or database, is refused.";
    "within.unique": "A unique key is held from the commit on, and free after a rollback; a duplicate names \
        the live task.";
    "within.again": "An enqueue that is sent again, in whatever transaction, is one task.";
    "within.many": "Many tasks are enqueued within a transaction all, or none.";
    "within.notice": "A notice sent after the commit wakes a waiting runner at once; without it the task is \
        found by polling.";

    "complete.together": "What a handler does in its transaction and that its task is a success are \
        committed together, with the output, the log and the attempt.";
    "complete.rolled_back": "After a rollback the handler's result decides, as ever.";
    "complete.unknown": "Where nobody knows whether it has committed, or the handler fails afterwards, a \
        success that was committed stands, once.";
    "complete.once": "A run whose task was completed cannot complete it again.";
    "complete.fenced": "A lost lease makes a completion an error, and nothing of it is committed.";
    "complete.neighbours": "Tasks of the same lease end as if nothing were.";
    "complete.open": "Where rows are locked one by one, a transaction that completes a task and stays open \
        costs no other task its lease.";
    "complete.checked": "An output that cannot be is refused, and the transaction can go on.";
    "complete.direct": "A run without a queue has nothing to complete.";
    "complete.crash": "A process that is killed anywhere between the effect and the end of its task has \
        done the effect once in the end.";

    "unique.held": "One live task (queued, running or paused) holds a unique key.";
    "unique.freed": "Every end of a task frees its key, and only its own.";
    "unique.requeue": "A requeue takes the key again; when it is held, the holder is named and nothing \
        changes.";

    "claim.order": "Tasks are claimed by priority (a lower number first), then by time, then in the \
        order of enqueue.";
    "claim.at_most": "A claim takes as many as it asks for where there are so many, and never more.";
    "claim.queues": "Queues are served strictly in the order of the request, each up to its share; one \
        that is named again gives from where it had stopped.";
    "claim.known": "A claim takes only tasks of definitions that its runner knows, and what it does \
        not know hides nothing behind it.";
    "claim.definition": "Tasks of a canceled definition wait until it is active.";
    "claim.bytes": "A claim stops before its bytes are too many, but takes one task however large.";
    "claim.once": "A task that is claimed is claimed by nobody else until it comes back.";
    "claim.lease_once": "Two claims never succeed under one lease id.";
    "claim.empty": "A claim that takes nothing leaves no lease.";
    "claim.carries": "A claim carries all that a handler needs.";
    "claim.changes_nothing": "A claim changes neither the turn nor the attempts.";
    "claim.clock": "What is ready is due: a clock that steps back hides nothing.";
    "claim.due_in": "A claim that comes back short says in how long the next task of any queue becomes \
        due.";
    "claim.at": "A claim says when it took its tasks, by the clock that stamped them.";
    "claim.recall": "A recall names what is leased under a lease right now, in claim order.";

    "promote.due": "A promotion moves what is due, each task once, and nothing else.";
    "promote.earliest": "A promotion moves the earliest first, and no more than asked for.";
    "promote.due_in": "A promotion says in how long the next task becomes due.";
    "promote.changes_nothing": "A promotion leaves the record alone.";

    "settle.applied": "A settlement under a held lease is applied, and says which status the task has.";
    "settle.again": "A settlement that is sent again answers the same and writes nothing.";
    "settle.one_lost": "One lost position does not fail the batch.";
    "settle.over": "A task that has ended is not claimed again.";
    "settle.times": "A task's times are its handler's own, not its batch's.";
    "settle.says": "Progress and log lines that come with a settlement are kept.";
    "settle.then_claim": "A settle with a claim does both, the settlements first, or neither.";

    "retry.after": "A task that is to run again later waits exactly so long.";
    "retry.as_before": "A release keeps the task's time, and with it its place in line.";
    "retry.counted": "A counted attempt counts once.";
    "retry.refunded": "A refunded attempt does not count.";

    "suspect.kept": "A task that was lost with its holder is marked suspect, and its next holder is \
        told.";
    "suspect.cleared": "A task is suspect no longer when it has ended or came back innocent.";

    "terms.start_by": "A claim says by when a task must begin and in how long that is, by the engine's \
        own clock; a task that was given no such time has none.";
    "terms.begun": "A task whose handler has begun once need not begin by any time, and one that was \
        given back unstarted still must.";
    "terms.requeue": "A task that somebody asks for again does not expire.";
    "terms.discarded": "A task that is discarded unstarted ends canceled, with the reason, its key freed \
        and no attempt charged.";
    "terms.timeout": "A task's own time-out is kept, and its holder is told.";

    "lease.holds": "A lease that nobody has taken over holds, however late.";
    "lease.open": "A lease lives until its last task is settled, and no longer; the engine counts.";

    "beat.alive": "A beat keeps a lease alive.";
    "beat.lost": "A beat of a lease that was taken over, or has nothing left to settle, is answered as \
        lost.";
    "beat.counts": "A beat adds one, so that a watcher sees it.";

    "late.names": "Every lease without a beat for long is named as late, also when a clock stepped \
        back.";

    "take_over.fences": "A take-over ends all rights of the former holder.";
    "take_over.holder": "A take-over gives the taker all rights, under a lease id of its own.";
    "take_over.guard": "A lease is replaced only at the beat that was seen, and only once.";
    "take_over.again": "A take-over that is sent again answers with the same tasks.";
    "take_over.rest": "A take-over moves what is not settled yet, and nothing else.";
    "take_over.alone": "A take-over says whether the task was isolated, also the next time.";
    "take_over.changes_nothing": "A take-over changes neither turns, attempts nor statuses.";

    "isolate.moves": "An isolated task has a lease of its own, and its former batch goes on without \
        it.";
    "isolate.fences": "An isolated task cannot be settled under its former lease.";
    "isolate.keeps": "An isolation keeps the holder, the time of the claim, the attempts, the key and a \
        cancel request.";
    "isolate.again": "An isolation that is sent again answers with the same lease.";
    "isolate.guard": "Only the holder can isolate a task.";

    "cancel.waiting": "A waiting or paused task that is canceled is over at once, without an attempt.";
    "cancel.requested": "A running task that is canceled stays with its holder, who is asked.";
    "cancel.heard": "A beat hears every cancel request for what is leased under its leases.";
    "cancel.yields": "What would go back to the queue ends canceled when that was requested.";
    "cancel.end_stands": "A success and a final failure stand, whatever was requested.";
    "cancel.cleared": "A cancel request ends with the claim that it was made in.";

    "pause.task": "A paused task is not claimed, and is otherwise as it was.";
    "pause.queue": "Once the pause of a queue has returned, no claim that starts afterwards takes from \
        it; its running tasks go on.";

    "resume.task": "A resumed task has the time that it had.";

    "control.guard": "A move is made only from the statuses that it is allowed from.";
    "control.refused": "A move that the lifecycle does not allow is refused with the status, and \
        changes nothing.";
    "control.missing": "A task that is not there or soft-deleted is missing for every move but a \
        restore and a purge.";
    "control.only_what_it_means": "A move touches only what it means to.";

    "requeue.afresh": "A requeue runs an ended task again under its id, its attempts reset, its history \
        kept.";
    "requeue.parameters": "A requeue keeps the parameters or replaces them.";

    "reschedule.when": "A waiting task can be given another time.";
    "reschedule.priority": "A waiting task can be given another priority.";
    "reschedule.queue": "A waiting task can be moved to another queue.";

    "delete.waiting": "A waiting task that is soft-deleted is canceled and hidden.";
    "delete.running": "A running task that is soft-deleted is hidden, and its holder is asked to end \
        it.";
    "delete.ended": "An ended task that is soft-deleted is hidden as it is.";

    "restore.shown": "A restored task is shown again as it is.";

    "purge.gone": "A purged task is gone for good with all that was stored of it, and nothing of any \
        other; its id and its key are as if it had never been.";
    "purge.ended": "Only what has ended is purged, soft-deleted or not.";
    "purge.before": "A purge of what ended before a time leaves what ended, or was soft-deleted, later.";

    "report.progress": "Progress is shown while a task runs, and kept.";
    "report.line_once": "A log line that is sent again is kept once.";
    "report.newest": "Of one attempt the newest 1,000 lines are kept.";
    "report.fenced": "Only the holder of a task can report on it.";

    "look.task": "A task is shown with all that it was given.";
    "look.attempts_count": "Attempts are shown as people count: a running task is on its own.";
    "look.attempts": "The attempts that had something to say are listed, the oldest first.";
    "look.last_error": "The newest error of any attempt, or the reason of a cancel, is shown.";
    "look.output": "The output is that of the settlement that ended the task.";
    "look.held_by": "Who holds a task since when, and was last heard of when, is shown.";
    "look.log": "The log is read in order, page by page, over all attempts.";

    "query.status": "A list by status shows the tasks that have it at that moment, also the derived ones.";
    "query.filter": "Each filter of a list narrows it, and nothing else does.";
    "query.deleted": "Soft-deleted tasks are listed and counted only when asked for.";
    "query.order": "A list is in the order asked for: by enqueue, as claims would take, or by completion.";
    "query.pages": "A task that stays where it is comes exactly once, whatever happens between the pages.";
    "query.ids": "A page of ids names the tasks of the list in its order, up to 10,000 of them.";
    "query.whole": "A task of a list is as when it is looked at by itself.";
    "query.refused": "A cursor that nobody made or of another order, a limit and a range out of bounds \
        are refused, and named.";
    "count.exact": "A count is exact when it says so.";
    "count.capped": "A count goes no further than it was asked to, and says that there are more.";

    "queue.listed": "Every queue with a task that has not ended, or with settings, is listed, and no \
        other.";
    "queue.counts": "A queue's tasks are counted by what they wait for at that moment.";
    "queue.capped": "A queue is counted as far as its share, and says where there are more.";
    "queue.oldest": "The age of the oldest ready task is found at whatever priority, and is never \
        negative.";
    "queue.pages": "Queues are listed by name, page by page, each once.";
    "queue.one": "A queue that is looked at by itself is as in the list, also when there is nothing in it.";
    "queue.refused": "A cursor that nobody made and a limit out of bounds are refused, and named.";

    "work.found": "The queues that have something ready and are not paused are named, each once.";
    "work.matching": "Only queues that match one of the patterns are named.";
    "work.due_in": "It is said in how long the next task of any queue becomes due.";

    "bulk.all": "A bulk action makes the move of every task that matches, also of one that becomes due \
        meanwhile, and of no other.";
    "bulk.once": "It visits each task once at most, and ends whatever becomes of the tasks meanwhile.";
    "bulk.counts": "It tells what moved, what was asked and what was refused and why; a status that \
        moved on is a refusal.";
    "bulk.goes_on": "Stopped half-way it says how far it came, nothing is half done, and saying it again \
        goes on with the rest.";
    "bulk.asked": "A bulk action that names nothing is refused.";

    "wake.deadline": "A wait for work ends at its deadline.";
    "wake.heard": "A wait ends when something is put into ready for one of its queues.";
    "wake.matching": "A wait for a pattern hears of every queue that matches, also of one that was never \
        used before.";
    "wake.resumed": "A wait ends when one of its queues is resumed.";
    "wake.later": "A wait ends by the time of a task that becomes due before its deadline.";
    "wake.dropped": "A wait that is dropped harms nobody.";
    "wake.across": "A wait hears of work that other processes enqueued.";
    "wake.polling": "Polling alone finds all work.";

    "input.text": "Texts come out as they went in, whatever they hold.";
    "input.json": "Nobody reformats or rounds JSON.";
    "input.names": "Names are compared byte by byte, and are only names.";
    "input.limits": "Values at their limits are kept whole.";

    "lifecycle.table": "What is not in the table of the lifecycle is not allowed.";
    "lifecycle.attempts": "The last attempt fails for good, and a permanent failure is never tried \
        again.";
    "lifecycle.lost": "A shared lease that is lost costs no attempt; one lost alone counts as a failure \
        that names its reason.";

    "retention.kept": "A task is kept after its end for as long as is said of its status and queue, and \
        purged afterwards; of what nothing is said is kept for ever.";
    "retention.live": "No retention touches what waits, runs or is paused.";
    "retention.deleted": "Soft-deleted tasks are kept for a time of their own, from their deletion on.";
    "retention.runners": "While a runner runs, one janitor of its process purges what is over; an outage \
        only delays it.";
    "retention.idle": "A retention with nothing to do asks a few times an hour, and looks at nothing \
        twice.";
    "retention.refused": "A retention that cannot be is refused before the store is opened.";

    "watcher.dead": "A lease is dead when its watcher saw the same beat for its whole length on its own \
        clock, and a lease that beats never dies.";
    "watcher.gap": "A gap in the reads, a failed read or a refused take-over starts the watch anew.";
    "watcher.soon": "A crash is noticed within one and a half lengths of the lease.";

    "runner.serial": "A serial runner runs one task at a time, in order.";
    "runner.concurrency": "A runner runs as many at the same time as it was told, and never more.";
    "runner.queues": "A runner serves its queues strictly in the order named, unless one of them has a \
        weight.";
    "runner.weights": "By weight, each queue that has work gets its share over many claims, none starves, \
        and one without work leaves its share to the others and saves up nothing.";
    "runner.limits": "No more tasks of a queue run at the same time in a runner than the queue's own \
        limit, and what is held of a full queue keeps no other work out.";
    "runner.patterns": "A runner serves every queue that matches, also one that appears later, which it \
        hears of at once in the same process.";
    "runner.resumes": "A queue that is resumed is served at once.";
    "runner.idle": "An idle runner asks the store once a poll, however many queues it serves.";
    "runner.once": "The same queue is not served twice on one store at the same time, by name or by \
        pattern.";
    "runner.wakes": "A task that is enqueued while the runner sleeps is picked up at once.";
    "runner.due": "A delayed task runs when it is due and not before.";
    "runner.retries": "A failed task is retried until it succeeds or has failed too often.";
    "runner.expires": "A task that no handler began in time is discarded unrun, and what has begun once \
        never is.";
    "runner.timeout": "A task's own time-out wins over its handler's.";
    "runner.batches": "Tasks of a handler that takes many at once run together, as many as there are and \
        it takes, in one slot.";
    "runner.batch_ends": "Each task of a batch ends by its own answer; what ends the whole run is the \
        end of each, and what does not fit or runs alone is no harm to its neighbours.";
    "runner.batch_cancel": "A cancel, a lost lease and a stop reach each task of a batch by itself.";
    "runner.snooze": "A snooze puts a task off for as long as its handler says, and costs no attempt.";
    "runner.retry_in": "A failure that names a delay is tried again after exactly that.";
    "runner.permanent": "A permanent failure fails its task at once, whatever attempts are left.";
    "runner.cancel_inside": "A handler can cancel its own task, with a reason.";
    "runner.former_alias": "A renamed handler runs the tasks that wait under its former aliases.";
    "runner.told": "A handler is told everything about its run, and all that it says is kept.";
    "runner.failures": "Panics, time-outs and parameters that do not fit are failures, and are told; \
        no runner dies of them.";
    "runner.unknown": "A task of an unknown alias stays queued, without an attempt, for a runner that \
        knows it.";
    "runner.cancel": "A cancel reaches a running task, which ends canceled.";
    "runner.says": "What a handler says is stored while it runs.";
    "runner.stop": "A stop lets running tasks finish and gives back the rest at once; stopping twice is \
        stopping once.";
    "runner.deadline": "After the deadline tokens fire, and after the grace futures are dropped and \
        their tasks go back.";
    "runner.named": "A stop names what it could not drop, and saves it when it ends.";
    "runner.saved": "A stop returns when every status is saved.";
    "runner.drain": "A run once ends when nothing is due and everything is saved.";
    "runner.recalls": "A claim whose reply was lost is recalled and never sent again.";
    "runner.repeats": "A batch of results whose reply was lost is sent again as it was.";
    "runner.keeps": "A result is kept however long the store is away, and its lease is kept alive until \
        then.";
    "runner.bisects": "One bad value harms only its own task.";
    "runner.isolates": "A suspect is isolated before it runs, and suspects run one at a time.";
    "runner.guilty": "A task that kills its process fails after its attempts; its neighbours lose none.";
    "runner.fleet": "No kill and no stop of a process loses a task, runs a living worker's task twice, or \
        charges an attempt that did not start.";
    "runner.beats": "Handlers that block or burn every thread lose no lease.";
    "runner.elsewhere": "A long transaction elsewhere costs no living runner its lease.";
    "runner.silent": "Nothing starts that was not heard of for the length of its lease.";
    "runner.lost": "What waits under a lost lease is forgotten; what runs under it is told.";
    "runner.never_two": "A task that came back waits until its former run in the same runner has ended.";
    "runner.never_hoards": "Slow tasks are not claimed ahead, and what waits too long goes back.";
    "runner.hints": "A hint during a claim that comes back empty is not lost.";
    "runner.backs_off": "A store that is away is asked ever less often, and loudly.";

    "runner.impatient": "After the signal that stops it a program is ended at once by the next Ctrl-C, and not \
        by the first.";

    "middleware.order": "Middleware is around every run of every kind of handler, the first that was \
        added outermost.";
    "middleware.sees": "Middleware sees how a run ended, also a panic and a time-out, and what it \
        returns is how the attempt ended.";
    "middleware.panic": "A panic in a middleware is a failure of its task, and no runner dies of it.";
    "middleware.limits": "A handler's time-out holds for the handler alone; a limit of a middleware drops \
        what is within, and what cannot be dropped is waited for.";
    "middleware.dropped": "A stop that drops a run drops its middleware too.";

    "trace.follows": "A task is followed by its id from the span that enqueued it to the span of each \
        attempt, and what happens in an attempt is told within its span.";

    "metrics.ends": "Every task is counted when it is enqueued, begins, and ends, by what it came to.";
    "metrics.holds": "Gauges show what runs and what is held, and fall back to nothing.";
    "metrics.wait": "A wait is measured from the time that a task was due, by the store's clock.";
    "metrics.trouble": "Claims, failed calls, and leases that are lost and taken over are counted.";
}
