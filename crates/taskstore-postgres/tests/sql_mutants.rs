//! Mistakes planted in the statements themselves, on a server: the suite must notice each. What any engine
//! could get wrong is planted in `taskstore-conformance`; here is what only SQL can. That the suite notices
//! nothing without a mistake is the test `conformance`.

#![cfg(debug_assertions)]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "common/harness.rs"]
mod harness;

use std::{path::Path, process::ExitCode, sync::Arc};

use harness::Postgres;
use libtest_mimic::{Arguments, Completion, Trial};
use taskstore_conformance::mutants::notice_each;

taskstore_conformance::sql_mutants! {
    "claim_ready": "s.queue=q.name AND s.paused" => "s.queue=q.name AND NOT s.paused",
        "A claim takes from a paused queue." ["pause"];
    "claim_ready": "ORDER BY r.priority,r.run_at,r.task OFFSET" => "ORDER BY r.run_at,r.priority,r.task OFFSET",
        "A claim goes by time before priority." ["claim"];
    "claim_ready": "SELECT id FROM task_definition WHERE status<>0" => "SELECT id FROM task_definition WHERE status>2",
        "A claim takes tasks of a canceled definition." ["claim"];
    "claim_ready": "WHERE id<>ALL($10)" => "WHERE id=ANY($10)",
        "A claim takes just what it was to pass by." ["claim"];
    "claim_ready": "OFFSET q.skip" => "OFFSET 0", "A queue that is named again gives from its front." ["claim"];
    "settle": "SELECT x.lease,x.n,l.open FROM" => "SELECT x.lease,0 AS n,l.open FROM",
        "The count of a lease's open tasks is not lowered." ["settle" "lease"];
    "settle": "turn=t.turn+1" => "turn=t.turn", "A settlement leaves the turn as it was." ["settle" "lease"];
    "settle": "cancel_at=NULL" => "cancel_at=t.cancel_at", "A settlement does not clear a cancel request."
        ["cancel"];
    "settle": "uq AS (DELETE FROM task_unique WHERE" => "uq AS (DELETE FROM task_unique WHERE false AND",
        "The end of a task does not free its unique key." ["unique"];
    "settle": "attempts=t.attempts+w.inc" => "attempts=t.attempts+1", "A refunded attempt is counted."
        ["retry" "settle"];
    "settle": "suspect=w.sus AND" => "suspect=t.suspect AND",
        "What a settlement says of a suspect is forgotten." ["isolate" "retry" "lease" "settle"];
    "settle": "last_lease=w.lease" => "last_lease=t.last_lease",
        "Which lease settled a task is not stored." ["settle" "retry"];
    "settle": "(t.cancel_at IS NOT NULL OR t.deleted_at IS NOT NULL) THEN 4" => "false THEN 4",
        "A task whose cancel was requested goes back to its queue." ["cancel"];
    "settle": "AND ((w.lease,t.seq,w.turn) IN (SELECT lease,task,turn FROM b)) IS TRUE" => "",
        "Any lease may settle a task at its turn." ["settle" "isolate" "lease"];
    "settle": "deleted_at IS NOT NULL,completed_at,seq FROM fin" => "false,completed_at,seq FROM fin",
        "A task that was deleted while it ran is listed when it has ended." ["control" "query" "cancel" "purge"];
    "settled_before": " AND t.last_lease=u.lease" => "",
        "Any lease hears that it has settled what another has." ["settle" "lease"];
    "lease_tasks": " AND t.turn=x.turn" => "", "A lease still holds what has left it." ["lease" "isolate" "claim"];
    "late_leases": " OR t.beat_at>c.now" => "", "A lease whose last beat lies in the future is not late."
        ["lease"];
    "beat": "beat=beat+1,beat_at" => "beat_at", "A beat is not counted." ["lease"];
    "isolate": "turn=t.turn+1" => "turn=t.turn", "An isolation leaves the turn as it was." ["isolate"];
    "isolate": "claimed_at,1,true FROM fin" => "claimed_at,1,false FROM fin",
        "The loss of an isolated task does not count." ["isolate" "lease"];
    "promote_insert": "WHERE run_at<=(SELECT now FROM c)" => "WHERE run_at<=(SELECT now+60000000 FROM c)",
        "A promotion comes a minute early." ["promote" "enqueue"];
    "enqueue": "FROM a WHERE run_at<=(SELECT now FROM c)" => "FROM a WHERE run_at<=(SELECT now-1 FROM c)",
        "A task that is due now is in no place." ["enqueue" "claim"];
    "enqueue": " AND x.status=0" => "", "A task of a canceled definition is enqueued." ["enqueue"];
    "control_status": "turn=turn+1" => "turn=turn",
        "A cancel or a pause of what waits leaves the turn as it was." ["pause" "cancel"];
    "control_requeue": "attempts=0" => "attempts=attempts", "A requeue keeps the attempts." ["control"];
    "control_request": "COALESCE(cancel_at,$2::bigint)" => "$2::bigint",
        "A second cancel request overwrites the time of the first." ["cancel"];
    "ended_delete": "e.task=u.task" => "e.task<>u.task",
        "A requeued task is still listed among what has ended." ["control" "query" "purge"];
    "definition_by_alias": " AND deleted_at IS NULL" => " ORDER BY created_at", "A deleted definition is found by its alias."
        ["definition"];
    "definition_in_use": "a.status=5 AND" => "a.status=9 AND",
        "A definition is deleted that a paused task needs." ["definition"];
    "task_by_id": "AND x.turn=t.turn-1" => "AND x.turn=t.turn-2",
        "A task shows the output of another attempt." ["settle" "retry"];
    "attempts": " AND x.owner IS NOT NULL\nUNION" => "\nUNION",
        "What was canceled while it waited is shown as an attempt." ["cancel" "settle" "retry"];
    "log": "ORDER BY g.task,g.turn,g.n" => "ORDER BY g.task,g.turn DESC,g.n", "A log begins with its last attempt." ["report" "retry"];
    "queues_ready": "r.queue>$1" => "r.queue>=$1", "A list of queues shows the last of a page again." ["queue"];
    "queue_head": "min(run_at)" => "max(run_at)", "The oldest ready task is the newest head." ["queue"];
    "sweep_records": "q.status=0" => "q.status=2", "A sweep looks at the wrong records." ["sweep"];
    "sweep_ready": "q.seq IS NULL THEN 1" => "q.seq IS NULL THEN 0",
        "A sweep leaves rows of ready that have no record." ["sweep"];
    "sweep_task": " AND t.status=0" => " AND t.status=9", "A sweep finds nothing under the lock." ["sweep"];
    "settled_before": "t.turn=u.turn+1" => "t.turn=u.turn+2",
        "Whoever completes a task again hears of a lost lease." ["complete"];
    "home": "quote_ident(n.nspname)" => "'public'", "In a transaction of the caller's another schema is looked at."
        ["within"];
    "within_begin": "d.datname=current_database()" => "d.datname='template1'",
        "A transaction is taken for one in another database." ["within"];
    "enqueue_plain": "$11::text::numeric" => "$11::text::numeric*60",
        "The statement for other drivers takes seconds for minutes." ["within"];
    "enqueue_plain": "VALUES($1::text," => "VALUES(nullif($1::text,$1),", "The statement for other drivers forgets the id."
        ["within"];
    "enqueue_plain": "decode($12::text,'hex')" => "sha256(decode($12::text,'hex'))",
        "The statement for other drivers takes another unique key." ["within"];
    "0002_plain_sql": "WHERE id=made) THEN RETURN NULL" => "WHERE id=made) THEN RAISE unique_violation",
        "Plain SQL that is sent again fails." ["plain"];
    "0002_plain_sql": "of_alias.status<>0" => "of_alias.status>2",
        "Plain SQL enqueues tasks of a canceled definition." ["plain"];
    "0002_plain_sql": "PERFORM NEW.parameters::json;" => "", "Plain SQL enqueues what is no JSON." ["plain"];
    "0002_plain_sql": "NEW.delay<0" => "NEW.delay<-99999", "Plain SQL takes a negative delay." ["plain"];
    "0002_plain_sql": "int8send(26)" => "int8send(27)", "Plain SQL makes another hash of a unique key."
        ["plain"];
    "0002_plain_sql": "(number&33554431)::integer::bit(25)" => "(random()*33554431)::integer::bit(25)",
        "Ids that plain SQL makes within a millisecond do not sort." ["plain"];
}

fn main() -> ExitCode {
    let reason = "TASKSTORE_TEST_POSTGRES_URL names no server";
    let noticed = if Postgres::from_env().is_some() {
        Trial::test("every_mistake_is_noticed", || {
            every_mistake_is_noticed();
            Ok(())
        })
    } else {
        Trial::ignorable_test("every_mistake_is_noticed", move || {
            Ok(Completion::ignored_with(reason))
        })
        .with_kind(reason)
        .with_ignored_flag(true)
    };
    let in_a_file = Trial::test("every_mistake_is_in_a_file", || {
        every_mistake_is_in_a_file();
        Ok(())
    });
    libtest_mimic::run(&Arguments::from_args(), vec![in_a_file, noticed]).exit_code()
}

fn every_mistake_is_in_a_file() {
    for mutant in MUTANTS {
        assert!(mutant.is_in_a_file(env!("CARGO_MANIFEST_DIR")), "{mutant:?}");
    }
}

fn every_mistake_is_noticed() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/mutants_sql_postgres.md");
    let server = || Postgres::from_env().unwrap();
    notice_each(&page, "PostgreSQL", MUTANTS, |patch| Arc::new(server().patched(patch)));
}
