//! Mistakes planted in the statements themselves, on real files: the suite must notice each. What any
//! engine could get wrong is planted in `taskstore-conformance`; here is what only SQL can. That the suite
//! notices nothing without a mistake is the test `conformance`.

#![cfg(debug_assertions)]

#[path = "common/harness.rs"]
mod harness;

use std::{path::Path, sync::Arc};

use harness::Sqlite;
use taskstore_conformance::mutants::notice_each;

taskstore_conformance::sql_mutants! {
    "queue_paused": "paused<>0" => "paused<0", "A claim takes from a paused queue." ["pause"];
    "claim_ready": "r.priority,r.run_at,r.task LIMIT" => "r.run_at,r.priority,r.task LIMIT",
        "A claim goes by time before priority." ["claim"];
    "claim_ready_except": "NOT IN" => "IN", "A claim takes just what it was to pass by." ["claim"];
    "lease_count_down": "open=open-?2" => "open=open",
        "The count of a lease's open tasks is not lowered." ["settle" "lease"];
    "settle_plain": "turn=turn+1" => "turn=turn", "A success leaves the turn as it was."
        ["settle" "lease"];
    "settle_plain": " AND cancel_at IS NULL" => "", "A success does not clear a cancel request."
        ["cancel"];
    "settle_plain": " AND key_hash IS NULL" => "", "A success does not free its unique key."
        ["unique"];
    "settle": "attempts=attempts+?3" => "attempts=attempts+1", "A refunded attempt is counted."
        ["retry" "settle"];
    "settle": "suspect=?4" => "suspect=suspect", "What a settlement says of a suspect is forgotten."
        ["isolate" "retry" "lease" "settle"];
    "settle": "cancel_at=NULL,last_lease=?9" => "cancel_at=NULL",
        "Which lease settled a task back to its queue is not stored." ["settle" "retry"];
    "lease_tasks": " AND t.turn=e.value" => "", "A lease still holds what has left it." ["lease" "isolate"];
    "lease_at_beat": " AND beat=?2" => "", "A take-over does not look whether the lease has beaten."
        ["lease"];
    "late_leases": " OR beat_at>?1" => "", "A lease whose last beat lies in the future is not late."
        ["lease"];
    "beat": "beat=beat+1,beat_at=?2" => "beat_at=?2", "A beat is not counted." ["lease"];
    "isolate": "turn=turn+1" => "turn=turn", "An isolation leaves the turn as it was." ["isolate"];
    "promote_insert": "WHERE run_at<=?1" => "WHERE run_at<=?1+60000000",
        "A promotion comes a minute early." ["promote" "enqueue"];
    "control_status": "turn=turn+1" => "turn=turn",
        "A cancel or a pause of what waits leaves the turn as it was." ["pause" "cancel"];
    "control_requeue": "attempts=0" => "attempts=attempts", "A requeue keeps the attempts."
        ["control"];
    "control_request": "coalesce(cancel_at,?2)" => "?2",
        "A second cancel request overwrites the time of the first." ["cancel"];
    "unique_delete": " AND task=?2" => "", "The end of a task frees the key of another." ["unique"];
    "definition_by_alias": " AND deleted_at IS NULL" => "", "A deleted definition is found by its alias."
        ["definition"];
    "sweep_records": "q.status=0" => "q.status=2", "A sweep looks at the wrong records." ["sweep"];
    "sweep_ready": "q.seq IS NULL THEN 1" => "q.seq IS NULL THEN 0",
        "A sweep leaves rows of ready that have no record." ["sweep"];
    "sweep_task": " AND t.status=0" => " AND t.status=9", "A sweep finds nothing under the lock." ["sweep"];
    "task_holder": "=?2" => ">=0", "A sweep takes for held what has left its lease." ["sweep"];
    "0002_plain_sql": "SELECT RAISE(IGNORE) FROM task_queue WHERE id=upper(NEW.id);" => "SELECT 1;",
        "Plain SQL that is sent again fails." ["plain"];
    "0002_plain_sql": "AND status<>0)" => "AND status>2)",
        "Plain SQL enqueues tasks of a canceled definition." ["plain"];
    "0002_plain_sql": "NOT json_valid(NEW.parameters)" => "0", "Plain SQL enqueues what is no JSON."
        ["plain"];
    "0002_plain_sql": "AND run_at<=created_at" => "", "Plain SQL enqueues delayed tasks twice." ["plain"];
    "0002_plain_sql": "NEW.delay<0" => "NEW.delay<-99999", "Plain SQL takes a negative delay." ["plain"];
    "0002_plain_sql": "||substr(x.a,1+(x.ms&31),1)" => "||substr(x.a,32-(x.ms&31),1)", "Ids that plain SQL makes do not sort." ["plain"];
    "enqueue_plain": "expires_in,expires_at" => "expires_at,expires_in",
        "The statement for other drivers takes a time for a length." ["within"];
    "enqueue_plain": "id,alias" => "unique_key,alias",
        "The statement for other drivers forgets the id." ["within"];
}

#[test]
fn every_mistake_is_in_a_file() {
    for mutant in MUTANTS {
        assert!(mutant.is_in_a_file(env!("CARGO_MANIFEST_DIR")), "{mutant:?}");
    }
}

#[test]
fn every_mistake_is_noticed() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/mutants_sql_sqlite.md");
    notice_each(&page, "SQLite", MUTANTS, |patch| Arc::new(Sqlite::patched(patch)));
}
