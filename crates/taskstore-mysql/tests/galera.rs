//! A cluster whose nodes all take writes: three handles on three nodes, two of which have a clock that
//! is wrong by most of an hour. `cargo xtask matrix mariadb-galera` starts one and runs this.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and tells its figures"
)]

mod common;
#[path = "common/retries.rs"]
mod retries;

use std::{
    collections::{BTreeMap, HashMap},
    process::ExitCode,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use common::Mysql;
use mysql_async::prelude::Queryable;
use taskstore_conformance::stress::{self, Options};
use taskstore_core::{
    Alias, Backend, Definition, DefinitionId, QueueName, RunError, RunnerId, Status, Store,
    TaskContext, TaskId, TaskKey,
    backend::{
        Claim, Enqueue, Expect, Migrate, NewTask, QueueSettings, Settle, Settlement, Transition,
    },
};
use taskstore_mysql::MysqlBackend;

/// Names the nodes, with commas between their URLs.
const NODES: &str = "TASKSTORE_TEST_GALERA_URLS";

fn main() -> ExitCode {
    if std::env::var_os(NODES).is_none() {
        return common::ignore("TASKSTORE_TEST_GALERA_URLS names no nodes");
    }
    retries::count();
    // One after the other, so that each counts its own retries.
    common::run_one_by_one(vec![
        ("what_one_node_took_the_others_see_at_once", || {
            common::block_on(what_one_node_took_the_others_see_at_once());
        }),
        ("nodes_that_migrate_at_once_make_the_tables_once", || {
            common::block_on(nodes_that_migrate_at_once_make_the_tables_once());
        }),
        ("every_promise_is_kept_under_stress", || {
            common::block_on(every_promise_is_kept_under_stress());
        }),
        ("six_runners_on_three_nodes_run_every_task_once", || {
            common::block_on(six_runners_on_three_nodes_run_every_task_once());
        }),
    ])
}

/// The nodes, in a database of one test.
struct Cluster {
    nodes: Vec<Mysql>,
    name: &'static str,
}

impl Cluster {
    async fn new(name: &'static str) -> Self {
        let urls = std::env::var(NODES).unwrap();
        let nodes: Vec<_> = urls.split(',').map(Mysql::at).collect();
        assert_eq!(nodes.len(), 3, "{urls}");
        nodes[0].make_database(name).await;
        let cluster = Self { nodes, name };
        for node in 0..3 {
            cluster.wait_for(node).await;
        }
        cluster
    }

    /// Until a node has what was made through another.
    async fn wait_for(&self, node: usize) {
        let began = Instant::now();
        let options = self.nodes[node].options(self.name);
        while let Err(error) = MysqlBackend::open(options.clone()).await {
            assert!(began.elapsed() < Duration::from_secs(60), "node {node}: {error}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn open(&self, node: usize) -> MysqlBackend {
        MysqlBackend::open(self.nodes[node % 3].options(self.name)).await.unwrap()
    }

    /// Handles, in turn on each node, to migrated tables.
    async fn handles(&self, count: usize) -> Vec<Arc<dyn Backend>> {
        self.open(0).await.migrate(&Migrate::up()).await.unwrap();
        let mut handles: Vec<Arc<dyn Backend>> = Vec::new();
        for node in 0..count {
            handles.push(Arc::new(self.open(node).await));
        }
        handles
    }
}

async fn definition(backend: &dyn Backend) -> DefinitionId {
    let definition = Definition::new(Alias::new("email.send").unwrap());
    backend.put_definition(&definition, Expect::Absent).await.unwrap();
    definition.id
}

/// Without waiting for what was committed elsewhere this fails within a few rounds.
async fn what_one_node_took_the_others_see_at_once() {
    let cluster = Cluster::new("causal").await;
    let nodes = cluster.handles(3).await;
    let definition = definition(&*nodes[0]).await;
    let runner = RunnerId::new();
    for round in 0..60 {
        let [a, b, c] = [0, 1, 2].map(|node| &nodes[(round + node) % 3]);
        let task = NewTask::new(definition, common::json("{}"));
        a.enqueue(&Enqueue::new(std::slice::from_ref(&task))).await.unwrap();
        let name = QueueName::default();
        b.put_queue(&QueueSettings { name: name.clone(), paused: true }).await.unwrap();
        let claim = |at: &Arc<dyn Backend>| {
            let at = Arc::clone(at);
            let claim = Claim::new(runner, [QueueName::default()], 5);
            async move { (claim.lease, at.claim(&claim).await.unwrap().tasks) }
        };
        assert!(claim(c).await.1.is_empty(), "round {round}: the queue is paused");
        b.put_queue(&QueueSettings { name, paused: false }).await.unwrap();
        let (lease, tasks) = claim(c).await;
        assert_eq!(tasks.len(), 1, "round {round}");
        assert_eq!(a.recall(lease).await.unwrap().len(), 1, "round {round}");
        let beaten = b.heartbeat().await.unwrap().beat(&[lease]).await.unwrap();
        assert_eq!(beaten.leases, [taskstore_core::backend::Pulse::Alive], "round {round}");
        let settle = Settle::new(vec![Settlement::new(
            tasks[0].lease,
            Transition::Success { output: None },
        )]);
        let first = a.settle(&settle).await.unwrap().fates;
        let again = b.settle(&settle).await.unwrap().fates;
        assert_eq!(first, again, "round {round}: sent again through another node");
        let task = c.task(task.id).await.unwrap().unwrap();
        assert_eq!(task.status, Status::Success, "round {round}");
    }
}

async fn nodes_that_migrate_at_once_make_the_tables_once() {
    for round in 0..5 {
        let cluster = Cluster::new("migrations").await;
        let handles = [cluster.open(0).await, cluster.open(1).await, cluster.open(2).await];
        let up = Migrate::up();
        let [a, b, c] = [0, 1, 2].map(|node: usize| handles[node].migrate(&up));
        let (a, b, c) = tokio::join!(a, b, c);
        for (node, report) in [a, b, c].into_iter().enumerate() {
            report.unwrap_or_else(|error| panic!("round {round}, node {node}: {error}"));
        }
        for (node, handle) in handles.iter().enumerate() {
            handle.check_schema().await.unwrap();
            assert!(handle.capabilities().plain_sql, "round {round}, node {node}");
        }
        definition(&handles[0]).await;
        let insert = "INSERT INTO task_enqueue(alias,parameters) VALUES('email.send','{}')";
        for node in &cluster.nodes {
            let mut person = node.person(cluster.name).await;
            person.query_drop("SET wsrep_sync_wait=15").await.unwrap();
            person.query_drop(insert).await.unwrap();
            person.disconnect().await.unwrap();
        }
        let claim = Claim::new(RunnerId::new(), [QueueName::default()], 5);
        assert_eq!(handles[1].claim(&claim).await.unwrap().tasks.len(), 3, "round {round}");
    }
}

fn seed() -> u64 {
    let seed = std::env::var("TASKSTORE_SEED").ok().map(|seed| seed.parse().unwrap());
    seed.unwrap_or_else(|| {
        u64::from(std::process::id()) << 20 | u64::from(taskstore_core::clock::now().microsecond())
    })
}

async fn every_promise_is_kept_under_stress() {
    let cluster = Cluster::new("stress").await;
    let handles = cluster.handles(6).await;
    let seed = seed();
    retries::take();
    let mut options = Options::new(seed);
    options.workers = 6;
    if std::env::var_os("TASKSTORE_STRESS_SECONDS").is_none() {
        options.lasts = Duration::from_secs(20);
    }
    let tally = stress::run(&handles, options)
        .await
        .unwrap_or_else(|violations| panic!("seed {seed}:\n{}", violations.join("\n")));
    println!(
        "figures: stress, seed {seed}: {tally:?}, done anew (code, at COMMIT): {:?}",
        retries::take()
    );
    assert!(tally.settled > 0 && tally.taken_over > 0, "seed {seed}: {tally:?}");
}

const TASKS: usize = 6_000;

/// Tasks that run for as many milliseconds as their parameters say.
struct Count;

impl TaskKey for Count {
    const KEY: &'static str = "count";
    type Args = u64;
}

/// What the handlers of all runners wrote down: who ran which task, as which attempt.
type Ledger = Arc<Mutex<HashMap<TaskId, Vec<(usize, u32)>>>>;

async fn six_runners_on_three_nodes_run_every_task_once() {
    let cluster = Cluster::new("runners").await;
    let handles = cluster.handles(6).await;
    retries::take();
    let ledger = Ledger::default();
    let troubles: Arc<Mutex<BTreeMap<String, usize>>> = Arc::default();
    let lost = Arc::new(AtomicUsize::new(0));
    let mut stores = Vec::new();
    for (number, handle) in handles.into_iter().enumerate() {
        let store = Store::from(handle);
        let (told, gone) = (Arc::clone(&troubles), Arc::clone(&lost));
        store.set_error_handler(move |_, _, error| {
            if matches!(error, RunError::LeaseLost) {
                gone.fetch_add(1, Ordering::Relaxed);
            }
            *told.lock().unwrap().entry(error.to_string()).or_default() += 1;
        });
        let book = Arc::clone(&ledger);
        store
            .register_fn(Count::KEY, move |ctx: TaskContext, millis: u64| {
                let entry = (number, ctx.attempt());
                book.lock().unwrap().entry(ctx.id()).or_default().push(entry);
                async move {
                    tokio::time::sleep(Duration::from_millis(millis)).await;
                    Ok(())
                }
            })
            .await
            .unwrap();
        stores.push(store);
    }
    let mut ids = Vec::new();
    for (batch, store) in (0..TASKS / 100).zip(stores.iter().cycle()) {
        if batch % 10 == 0 {
            // Most come in batches; some one by one, while everybody claims.
            for millis in (0..4).cycle().take(100) {
                ids.push(store.enqueue::<Count>(millis).queue("work").await.unwrap());
            }
        } else {
            let many = (0..4).cycle().take(100);
            ids.extend(store.enqueue_many::<Count>(many).queue("work").await.unwrap());
        }
        if batch == 10 {
            for store in &stores {
                store.runner().queue("work").concurrency(10).start().await.unwrap();
            }
        }
    }
    let began = Instant::now();
    for (place, id) in ids.iter().enumerate() {
        let store = &stores[place % 6];
        while !store.tasks().get(*id).await.unwrap().status.has_ended() {
            assert!(began.elapsed() < Duration::from_secs(300), "{troubles:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    let took = began.elapsed();
    for store in &stores {
        store.stop().await;
    }
    let book = ledger.lock().unwrap().clone();
    let mut by_runner = [0_usize; 6];
    let mut reruns = Vec::new();
    for (&task, runs) in &book {
        runs.iter().for_each(|&(runner, _)| by_runner[runner] += 1);
        if runs.len() > 1 {
            reruns.push((task, runs.clone()));
        }
    }
    println!(
        "figures: {} tasks by six runners {by_runner:?}, {:?} after the last enqueue; reruns {}, leases lost {}, troubles {:?}, done anew (code, at COMMIT): {:?}",
        ids.len(),
        took,
        reruns.len(),
        lost.load(Ordering::Relaxed),
        troubles.lock().unwrap(),
        retries::take(),
    );
    assert_eq!(book.len(), ids.len(), "each task ran");
    assert!(reruns.is_empty(), "{reruns:?}");
    for &id in &ids {
        let task = stores[0].tasks().get(id).await.unwrap();
        assert_eq!((task.status, task.attempts), (Status::Success, 1), "{task:?}");
    }
    let nodes = by_runner.iter().filter(|&&runs| runs > 0).count();
    assert!(nodes > 3, "the work was shared: {by_runner:?}");
}
