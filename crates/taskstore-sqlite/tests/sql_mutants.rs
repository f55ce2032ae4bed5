//! Mistakes planted in the statements themselves, on real files: the suite must notice each. What any
//! engine could get wrong is planted in `taskstore-conformance`; here is what only SQL can. That the suite
//! notices nothing without a mistake is the test `conformance`.

#![cfg(debug_assertions)]

#[path = "common/harness.rs"]
mod harness;

use std::{
    fmt::Write as _,
    fs,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use harness::{Patch, Sqlite};
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

/// The cases of these nouns that do not depend on chance.
fn cases_of(nouns: &[&str]) -> Vec<Case> {
    let noun = |case: &Case| case.name.split("::").next().unwrap_or_default();
    nouns
        .iter()
        .flat_map(|wanted| cases().into_iter().filter(move |case| noun(case) == *wanted))
        .collect()
}

fn hunt(mutant: &Mutant) -> Vec<&'static str> {
    let harness: Arc<dyn Harness> = Arc::new(Sqlite::patched(mutant.patch));
    let fails = |case: &Case| try_case(Arc::clone(&harness), *case, DEADLINE).is_err();
    cases_of(mutant.nouns).iter().filter(|case| fails(case)).map(|c| c.name).take(ENOUGH).collect()
}

#[test]
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

#[test]
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
    let mut page = String::from(
        "# Bugs planted in SQL\n\n\
         <!-- Made by `cargo xtask docs`; do not edit. -->\n\n\
         Each test run plants these mistakes, one at a time, in the statements of SQLite, and fails when the \
         suite lets one\nof them pass on a file. The cases named are the first that notice, at most three of \
         them. Mistakes that any engine could\nmake are in [mutants.md](mutants.md).\n\n\
         | planted bug | in | noticed by |\n|---|---|---|\n",
    );
    for (_, mutant, by) in &caught {
        let by: Vec<_> = by.iter().map(|case| format!("`{case}`")).collect();
        writeln!(page, "| {} | `{}` | {} |", mutant.what, mutant.file, by.join("<br>")).unwrap();
    }
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/mutants_sql.md");
    if std::env::var_os("TASKSTORE_WRITE_DOCS").is_some() {
        fs::write(&path, &page).unwrap();
    }
    let is = fs::read_to_string(&path).unwrap_or_default();
    assert!(is == page, "docs/mutants_sql.md is out of date: run `cargo xtask docs`");
}
