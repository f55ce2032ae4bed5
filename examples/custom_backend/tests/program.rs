//! What no suite can see from within: a whole program on this store, and one that is killed.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::HashSet,
    env,
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
};

use serde_json::value::RawValue;
use taskstore_core::{
    Alias, Backend, Definition, QueueName, RunnerId, Status, TaskId,
    backend::{
        Claim, Enqueue, Enqueued, Expect, Fate, Migrate, NewTask, Settle, Settlement, Transition,
    },
};
use taskstore_custom_backend::RedbBackend;

#[test]
fn the_quickstart_runs_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let mut program = Command::new(env!("CARGO_BIN_EXE_taskstore-custom-backend"));
    let output = program.current_dir(folder.path()).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("4 succeeded, 1 failed"), "{said}");
    assert!(said.contains("\"cat.png in 3 sizes\""), "{said}");
}

/// Names the file for the process that is going to be killed.
const VICTIM: &str = "TASKSTORE_VICTIM";

#[test]
fn a_kill_loses_nothing_that_was_acknowledged() {
    if let Some(file) = env::var_os(VICTIM) {
        return work_until_killed(Path::new(&file));
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tasks.redb");
    for _ in 0..3 {
        let (stored, ended) = kill_one(&file, 120);
        assert!(stored.len() + ended.len() >= 120);
        runtime().block_on(check(&file, &stored, &ended));
    }
}

/// Runs a victim until it has said so many things, and kills it in the middle of its work.
fn kill_one(file: &Path, lines: usize) -> (HashSet<TaskId>, HashSet<TaskId>) {
    let name = "a_kill_loses_nothing_that_was_acknowledged";
    let mut victim = Command::new(env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(VICTIM, file)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(victim.stdout.take().unwrap()).lines();
    let (mut stored, mut ended) = (HashSet::new(), HashSet::new());
    let mut hear = |line: std::io::Result<String>| {
        let line = line.unwrap();
        let (what, id) = line.split_once(' ')?;
        match what {
            "stored" => stored.insert(id.parse().unwrap()),
            "ended" => ended.insert(id.parse().unwrap()),
            _ => return None,
        };
        Some(())
    };
    let heard = said.by_ref().filter_map(&mut hear).take(lines).count();
    assert_eq!(heard, lines, "the victim ended by itself");
    victim.kill().unwrap(); // SIGKILL, where there is one
    victim.wait().unwrap();
    // What it said before it died counts, too; but for a line that was cut.
    let rest: Vec<_> = said.collect();
    rest.into_iter().filter(|line| line.as_ref().is_ok_and(|l| l.len() > 30)).for_each(|line| {
        hear(line);
    });
    (stored, ended)
}

async fn check(file: &Path, stored: &HashSet<TaskId>, ended: &HashSet<TaskId>) {
    let backend = RedbBackend::open(file).await.unwrap();
    backend.check_schema().await.unwrap();
    for &id in stored {
        assert!(backend.task(id).await.unwrap().is_some(), "{id} was stored, and is lost");
    }
    for &id in ended {
        let task = backend.task(id).await.unwrap().unwrap();
        assert_eq!(task.status, Status::Success, "{id} had ended");
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap()
}

/// Enqueues and settles, and says so as soon as the store has.
fn work_until_killed(file: &Path) {
    runtime().block_on(async {
        let backend = RedbBackend::open(file).await.unwrap();
        backend.migrate(&Migrate::up()).await.unwrap();
        let definition = Definition::new(Alias::new("victim").unwrap());
        // It is there from the second victim on, under the id of the first.
        let key = taskstore_core::backend::DefinitionKey::Alias(definition.alias.clone());
        let definition = match backend.definition(&key).await.unwrap() {
            Some(definition) => definition,
            None => {
                backend.put_definition(&definition, Expect::Absent).await.unwrap();
                definition
            }
        };
        let produce = async {
            loop {
                let task = NewTask::new(definition.id, RawValue::from_string("1".into()).unwrap());
                let stored = backend.enqueue(&Enqueue::new(std::slice::from_ref(&task))).await;
                assert_eq!(stored.unwrap(), [Enqueued::Stored]);
                println!("stored {}", task.id);
            }
        };
        let run = async {
            let runner = RunnerId::new();
            loop {
                let claim = Claim::new(runner, [QueueName::default()], 10);
                let tasks = backend.claim(&claim).await.unwrap().tasks;
                let success = || Transition::Success { output: None };
                let ends = tasks.iter().map(|task| Settlement::new(task.lease, success()));
                let settled = backend.settle(&Settle::new(ends.collect())).await.unwrap();
                for (task, fate) in tasks.iter().zip(settled.fates) {
                    assert_eq!(fate, Fate::Applied { status: Status::Success });
                    println!("ended {}", task.lease.task);
                }
            }
        };
        tokio::join!(produce, run);
    });
}
