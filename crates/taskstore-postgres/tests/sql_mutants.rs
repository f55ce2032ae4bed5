//! Mistakes planted in the statements themselves, on a server: the suite must notice each. What any engine
//! could get wrong is planted in `taskstore-conformance`; here is what only SQL can. That the suite notices
//! nothing without a mistake is the test `conformance`.

#![cfg(debug_assertions)]
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "common/harness.rs"]
mod harness;

use std::{
    fmt::Write as _,
    fs,
    path::PathBuf,
    process::ExitCode,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use harness::{Patch, Postgres};
use libtest_mimic::{Arguments, Completion, Trial};
use taskstore_conformance::{Case, Harness, cases, try_case};

/// So many cases are named of those that notice a mistake.
const ENOUGH: usize = 3;
/// A mistake that makes a case hang is noticed then.
const DEADLINE: Duration = Duration::from_secs(30);

/// One statement with a mistake.
#[derive(Clone, Copy)]
struct Mutant {
    what: &'static str,
    file: &'static str,
    right: &'static str,
    wrong: &'static str,
    /// The nouns of the cases to ask.
    nouns: &'static [&'static str],
    patch: Patch,
}

macro_rules! mutants {
    ($($file:literal: $right:literal => $wrong:literal, $what:literal [$($noun:literal)+];)+) => {
        const MUTANTS: &[Mutant] = &[$(Mutant {
            what: $what,
            file: $file,
            right: $right,
            wrong: $wrong,
            nouns: &[$($noun),+],
            patch: |name, text| (name == $file).then(|| text.replacen($right, $wrong, 1)),
        }),+];
    };
}

mutants! {
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

/// The cases of these nouns that do not depend on chance.
fn cases_of(nouns: &[&str]) -> Vec<Case> {
    let noun = |case: &Case| case.name.split("::").next().unwrap_or_default();
    nouns
        .iter()
        .flat_map(|wanted| cases().into_iter().filter(move |case| noun(case) == *wanted))
        .collect()
}

fn hunt(mutant: &Mutant) -> Vec<&'static str> {
    let harness: Arc<dyn Harness> = Arc::new(Postgres::from_env().unwrap().patched(mutant.patch));
    let fails = |case: &Case| try_case(Arc::clone(&harness), *case, DEADLINE).is_err();
    // The page names some; that one notices is enough for everybody else.
    let enough = if writes() { ENOUGH } else { 1 };
    cases_of(mutant.nouns).iter().filter(|case| fails(case)).map(|c| c.name).take(enough).collect()
}

/// Whether the page is to be written.
fn writes() -> bool {
    std::env::var_os("TASKSTORE_WRITE_DOCS").is_some()
}

fn every_mistake_is_in_a_file() {
    for Mutant { file, right, wrong, nouns, .. } in MUTANTS {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let statement = folder.join("sql").join(format!("{file}.sql"));
        let migration = folder.join("migrations").join(format!("{file}.sql"));
        let text = fs::read_to_string(statement).or_else(|_| fs::read_to_string(migration));
        assert!(text.unwrap().contains(right), "{file} has no {right:?} to make {wrong:?} of");
        assert!(!cases_of(nouns).is_empty());
    }
}

fn every_mistake_is_noticed() {
    let next = AtomicUsize::new(0);
    let caught = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(mutant) = MUTANTS.get(number) else { return };
                    let by = hunt(mutant);
                    caught.lock().unwrap().push((number, mutant, by));
                }
            });
        }
    });
    let mut caught = caught.into_inner().unwrap();
    caught.sort_by_key(|(number, ..)| *number);
    let missed: Vec<_> =
        caught.iter().filter(|(.., by)| by.is_empty()).map(|(_, mutant, _)| mutant.what).collect();
    assert!(missed.is_empty(), "the suite notices none of {missed:#?}");
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/mutants_sql_postgres.md");
    if writes() {
        fs::write(&path, page_of(&caught)).unwrap();
    }
    let is = fs::read_to_string(&path).unwrap_or_default();
    let old = "docs/mutants_sql_postgres.md is out of date: run `cargo xtask docs`";
    assert_eq!(is.matches("\n| ").count(), 1 + MUTANTS.len(), "{old}");
    for (_, Mutant { what, file, .. }, by) in &caught {
        let row = format!("| {what} | `{file}` | `{}`", by[0]);
        assert!(is.contains(&row), "{old}: {row}");
    }
}

/// The page that shows them.
fn page_of(caught: &[(usize, &Mutant, Vec<&'static str>)]) -> String {
    let mut page = String::from(
        "# Bugs planted in PostgreSQL's SQL\n\n\
         <!-- Made by `cargo xtask docs`; do not edit. -->\n\n\
         Each test run that has a server plants these mistakes, one at a time, in the statements of PostgreSQL, and fails \
         when\nthe suite lets one of them pass. The cases named are the first that notice, at most three of them. \
         Those planted\nin SQLite's are in [mutants_sql.md](mutants_sql.md), those that any engine could make in \
         [mutants.md](mutants.md).\n\n\
         | planted bug | in | noticed by |\n|---|---|---|\n",
    );
    for (_, mutant, by) in caught {
        let by: Vec<_> = by.iter().map(|case| format!("`{case}`")).collect();
        writeln!(page, "| {} | `{}` | {} |", mutant.what, mutant.file, by.join("<br>")).unwrap();
    }
    page
}
