//! The stress of the conformance suite by several processes on one file: random requests, crashed
//! holders, stale and repeated settlements, take-overs; one checker judges all histories together.

use std::{
    process::{Child, Command, Stdio},
    sync::Arc,
};

use taskstore_conformance::{
    checker::Event,
    stress::{Options, finish, prepare},
};
use taskstore_core::{Backend, backend::Migrate};
use taskstore_sqlite::{SqliteBackend, SqliteOptions};

/// Processes, and participants in each.
const PROCESSES: u32 = 3;
const EACH: u32 = 4;

fn history(child: Child) -> Vec<Event> {
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn several_processes_keep_the_promises_on_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stress.db");
    let backend: Arc<dyn Backend> =
        Arc::new(SqliteBackend::open(SqliteOptions::new(&path)).await.unwrap());
    backend.migrate(&Migrate::up()).await.unwrap();
    let seed = fastrand::u64(..);
    prepare(&*backend, seed).await.unwrap();

    let start = |process: u32| {
        let options = Options { workers: EACH, first: process * EACH, ..Options::new(seed) };
        Command::new(env!("CARGO_BIN_EXE_taskstore-test-stress"))
            .arg(&path)
            .arg(serde_json::to_string(&options).unwrap())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the process starts")
    };
    let running: Vec<Child> = (0..PROCESSES).map(start).collect();
    let waiting = running.into_iter().map(|child| tokio::task::spawn_blocking(|| history(child)));
    let mut events = Vec::new();
    for history in waiting.collect::<Vec<_>>() {
        events.extend(history.await.unwrap());
    }
    let tally =
        finish(backend, seed, events).await.unwrap_or_else(|all| panic!("{}", all.join("\n")));
    println!("{PROCESSES} processes, seed {seed}: {tally:?}");
    assert!(tally.least() > 0, "every kind of request was made: {tally:?}");
}
