//! The `sql/` folders of the engines: one statement a file, the same names on every engine.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use crate::Result;

/// Names that one engine has and another rightly lacks: the crate that lacks it, and the file. One lock
/// serves a SQLite file, so a call there is many small statements; a server wants a round trip a call,
/// so there it is few large ones, and locks that SQLite has no need of.
const EXCEPTIONS: &[(&str, &str)] = &[
    ("taskstore-sqlite", "beat_find.sql"),
    ("taskstore-sqlite", "beat_lock.sql"),
    ("taskstore-sqlite", "cancel_delete.sql"),
    ("taskstore-sqlite", "cancel_insert.sql"),
    ("taskstore-sqlite", "channel.sql"),
    ("taskstore-sqlite", "claim_tasks.sql"),
    ("taskstore-sqlite", "control_later.sql"),
    ("taskstore-sqlite", "control_ready.sql"),
    ("taskstore-sqlite", "control_write.sql"),
    ("taskstore-sqlite", "definition_for_requeue.sql"),
    ("taskstore-sqlite", "definition_lock.sql"),
    ("taskstore-sqlite", "definition_patience.sql"),
    ("taskstore-sqlite", "definitions_for_enqueue.sql"),
    ("taskstore-sqlite", "deleted_count.sql"),
    ("taskstore-sqlite", "deleted_delete.sql"),
    ("taskstore-sqlite", "deleted_insert.sql"),
    ("taskstore-sqlite", "ended_delete.sql"),
    ("taskstore-sqlite", "ended_insert.sql"),
    ("taskstore-sqlite", "enqueue.sql"),
    ("taskstore-sqlite", "enqueue_existing.sql"),
    ("taskstore-sqlite", "enqueued_delete.sql"),
    ("taskstore-sqlite", "enqueued_lock.sql"),
    ("taskstore-sqlite", "home.sql"),
    ("taskstore-sqlite", "identity.sql"),
    ("taskstore-sqlite", "isolated_before.sql"),
    ("taskstore-sqlite", "late_leases_free.sql"),
    ("taskstore-sqlite", "later_lock.sql"),
    ("taskstore-sqlite", "lease_lock.sql"),
    ("taskstore-sqlite", "lease_lock_free.sql"),
    ("taskstore-sqlite", "lease_lock_list.sql"),
    ("taskstore-sqlite", "lend.sql"),
    ("taskstore-sqlite", "notify.sql"),
    ("taskstore-sqlite", "now.sql"),
    ("taskstore-sqlite", "promote_read.sql"),
    ("taskstore-sqlite", "queues_stopped.sql"),
    ("taskstore-sqlite", "ready_lock.sql"),
    ("taskstore-sqlite", "record_lock.sql"),
    ("taskstore-sqlite", "server.sql"),
    ("taskstore-sqlite", "session_pid.sql"),
    ("taskstore-sqlite", "settled_before.sql"),
    ("taskstore-sqlite", "sweep_adopt.sql"),
    ("taskstore-sqlite", "sweep_lists.sql"),
    ("taskstore-sqlite", "sweep_lock.sql"),
    ("taskstore-sqlite", "task_seqs.sql"),
    ("taskstore-sqlite", "unique_heal.sql"),
    ("taskstore-sqlite", "unique_held.sql"),
    ("taskstore-sqlite", "unique_holders.sql"),
    ("taskstore-sqlite", "unique_lock.sql"),
    ("taskstore-sqlite", "within_begin.sql"),
    ("taskstore-postgres", "attempts_record.sql"),
    ("taskstore-postgres", "beat_find.sql"),
    ("taskstore-postgres", "beat_lock.sql"),
    ("taskstore-postgres", "cancel_delete.sql"),
    ("taskstore-postgres", "cancel_insert.sql"),
    ("taskstore-postgres", "claim_delete.sql"),
    ("taskstore-postgres", "claim_ready_except.sql"),
    ("taskstore-postgres", "claim_tasks.sql"),
    ("taskstore-postgres", "control_write.sql"),
    ("taskstore-postgres", "data_version.sql"),
    ("taskstore-postgres", "definition_for_requeue.sql"),
    ("taskstore-postgres", "definitions_for_enqueue.sql"),
    ("taskstore-postgres", "deleted_count.sql"),
    ("taskstore-postgres", "deleted_delete.sql"),
    ("taskstore-postgres", "deleted_insert.sql"),
    ("taskstore-postgres", "enqueue_plain.sql"),
    ("taskstore-postgres", "enqueue_record.sql"),
    ("taskstore-postgres", "enqueued_delete.sql"),
    ("taskstore-postgres", "enqueued_lock.sql"),
    ("taskstore-postgres", "identity.sql"),
    ("taskstore-postgres", "late_leases_free.sql"),
    ("taskstore-postgres", "later_lock.sql"),
    ("taskstore-postgres", "lease_count_down.sql"),
    ("taskstore-postgres", "lease_lock.sql"),
    ("taskstore-postgres", "lease_lock_free.sql"),
    ("taskstore-postgres", "lease_lock_list.sql"),
    ("taskstore-postgres", "lease_pairs.sql"),
    ("taskstore-postgres", "lease_tasks_delete.sql"),
    ("taskstore-postgres", "lease_tasks_insert.sql"),
    ("taskstore-postgres", "lend.sql"),
    ("taskstore-postgres", "lock_first.sql"),
    ("taskstore-postgres", "payload_insert.sql"),
    ("taskstore-postgres", "place_of.sql"),
    ("taskstore-postgres", "promote_delete.sql"),
    ("taskstore-postgres", "promote_read.sql"),
    ("taskstore-postgres", "queue_has_work.sql"),
    ("taskstore-postgres", "queue_paused.sql"),
    ("taskstore-postgres", "queues_stopped.sql"),
    ("taskstore-postgres", "ready_lock.sql"),
    ("taskstore-postgres", "record_lock.sql"),
    ("taskstore-postgres", "server.sql"),
    ("taskstore-postgres", "settle_plain.sql"),
    ("taskstore-postgres", "settle_read.sql"),
    ("taskstore-postgres", "sweep_lists.sql"),
    ("taskstore-postgres", "task_holder.sql"),
    ("taskstore-postgres", "task_seq.sql"),
    ("taskstore-postgres", "task_seqs.sql"),
    ("taskstore-postgres", "unique_held.sql"),
    ("taskstore-postgres", "unique_holders.sql"),
    ("taskstore-postgres", "unique_lock.sql"),
    ("taskstore-mysql", "channel.sql"),
    ("taskstore-mysql", "control_hide.sql"),
    ("taskstore-mysql", "control_later.sql"),
    ("taskstore-mysql", "control_ready.sql"),
    ("taskstore-mysql", "control_request.sql"),
    ("taskstore-mysql", "control_requeue.sql"),
    ("taskstore-mysql", "control_reschedule.sql"),
    ("taskstore-mysql", "control_status.sql"),
    ("taskstore-mysql", "data_version.sql"),
    ("taskstore-mysql", "definition_patience.sql"),
    ("taskstore-mysql", "enqueue.sql"),
    ("taskstore-mysql", "enqueue_existing.sql"),
    ("taskstore-mysql", "enqueue_plain.sql"),
    ("taskstore-mysql", "home.sql"),
    ("taskstore-mysql", "isolated_before.sql"),
    ("taskstore-mysql", "lease_at_beat.sql"),
    ("taskstore-mysql", "lease_lists_prune.sql"),
    ("taskstore-mysql", "lock_first.sql"),
    ("taskstore-mysql", "notify.sql"),
    ("taskstore-mysql", "place_of.sql"),
    ("taskstore-mysql", "promote_insert.sql"),
    ("taskstore-mysql", "queue_has_work.sql"),
    ("taskstore-mysql", "session_pid.sql"),
    ("taskstore-mysql", "settle_plain.sql"),
    ("taskstore-mysql", "settled_before.sql"),
    ("taskstore-mysql", "sweep_adopt.sql"),
    ("taskstore-mysql", "sweep_lock.sql"),
    ("taskstore-mysql", "task_holder.sql"),
    ("taskstore-mysql", "task_seq.sql"),
    ("taskstore-mysql", "unique_heal.sql"),
    ("taskstore-mysql", "unique_holder.sql"),
    ("taskstore-mysql", "within_begin.sql"),
];

/// What is wrong with the SQL files below `crates`.
pub(crate) fn problems(crates: &Path) -> Result<Vec<String>> {
    let mut problems = Vec::new();
    let mut engines = BTreeMap::new();
    for entry in fs::read_dir(crates)? {
        let folder = entry?.path();
        let sql = folder.join("sql");
        if sql.is_dir() {
            let engine = name_of(&folder);
            let mut names = BTreeSet::new();
            collect(&sql, "", &mut names, &mut problems)?;
            if names.is_empty() {
                problems.push(format!("{engine}/sql holds no file"));
            }
            engines.insert(engine, names);
        }
    }
    problems.extend(differences(&engines));
    Ok(problems)
}

/// Names below a folder, relative to it.
fn collect(
    folder: &Path,
    prefix: &str,
    names: &mut BTreeSet<String>,
    problems: &mut Vec<String>,
) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = format!("{prefix}{}", name_of(&path));
        if path.is_dir() {
            collect(&path, &format!("{name}/"), names, problems)?;
            continue;
        }
        if !well_named(&name_of(&path)) {
            problems.push(format!("{}: not a name like claim_batch.sql", path.display()));
        }
        if !fs::read_to_string(&path)?.starts_with("-- ") {
            problems.push(format!("{}: it must open with a comment", path.display()));
        }
        names.insert(name);
    }
    Ok(())
}

fn well_named(name: &str) -> bool {
    name.strip_suffix(".sql").is_some_and(|stem| {
        !stem.is_empty()
            && stem.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    })
}

/// Files that one engine has and another has not.
fn differences(engines: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    let all: BTreeSet<&String> = engines.values().flatten().collect();
    let mut problems = Vec::new();
    for (engine, names) in engines {
        for name in &all {
            let excepted = EXCEPTIONS.contains(&(engine.as_str(), name.as_str()));
            if !names.contains(*name) && !excepted {
                problems.push(format!("{engine}/sql/{name} is missing, other engines have it"));
            }
        }
    }
    problems
}

fn name_of(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_one_engine_lacks_is_named_and_so_are_bad_names_and_missing_comments() {
        let house = tempfile::tempdir().unwrap();
        let put = |file: &str, text: &str| {
            let path = house.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        put("one/sql/claim.sql", "-- Claims.\nSELECT 1;");
        put("one/sql/migrations/0001_initial.sql", "-- Tables.\nSELECT 1;");
        put("two/sql/claim.sql", "SELECT 1;");
        put("two/sql/Bad-Name.sql", "-- x\n");
        put("three/src/lib.rs", "");

        let problems = problems(house.path()).unwrap().join("\n");
        for expected in [
            "two/sql/migrations/0001_initial.sql is missing",
            "one/sql/Bad-Name.sql is missing",
            "Bad-Name.sql: not a name like",
            "two/sql/claim.sql: it must open with a comment",
        ] {
            assert!(problems.contains(expected), "{expected} in {problems}");
        }
        assert_eq!(problems.lines().count(), 4, "{problems}");
    }
}
