//! Servers that are set up as somebody needs them for something else.

use mysql_async::prelude::Queryable;
use taskstore_core::{
    Alias, Backend, Definition, Error, QueueName, RunnerId, Status, UniqueHash,
    backend::{
        Claim, Control, Counted, DefinitionQuery, Enqueue, Enqueued, Expect, Migrate, Move,
        NewTask, Promote, Pulse, QueueQuery, Settle, Settlement, TaskFilter, TaskOrder, TaskQuery,
        Transition, When,
    },
};
use taskstore_mysql::MysqlBackend;

use crate::{
    Test,
    common::{Mysql, Store, block_on, json},
    own::Own,
};

pub(crate) const TESTS: &[Test] = &[
    ("an_odd_server_does_what_any_other_does", || block_on(odd())),
    ("a_binary_log_of_statements_is_refused_with_what_to_set", || block_on(statements())),
    ("a_small_packet_cuts_statements_and_names_the_setting", || block_on(packets())),
    ("one_bad_value_of_many_harms_only_its_own_task", || block_on(bad_value())),
];

/// Everything at once that a server can be set to and must make no difference.
const ODD: &[&str] = &[
    "--default-time-zone=+05:30",
    "--character-set-server=latin1",
    "--collation-server=latin1_german2_ci",
    "--sql-mode=ANSI_QUOTES,NO_BACKSLASH_ESCAPES,PIPES_AS_CONCAT,NO_UNSIGNED_SUBTRACTION",
    "--lower-case-table-names=1",
    "--transaction-isolation=SERIALIZABLE",
    "--autocommit=0",
    "--completion-type=RELEASE",
    "--log-bin=log",
    "--binlog-format=MIXED",
    "--log-bin-trust-function-creators=1",
    "--default-storage-engine=MyISAM",
];

/// Those that are set only once it runs, or have another name on MariaDB than on MySQL.
async fn make_odder(server: &Own) {
    server.sql("SET GLOBAL sql_safe_updates=1").await;
    let mut person = mysql_async::Conn::from_url(server.url()).await.unwrap();
    let version: String = person.query_first("SELECT VERSION()").await.unwrap().unwrap();
    person.disconnect().await.unwrap();
    if version.contains("MariaDB") {
        server.sql("SET GLOBAL innodb_force_primary_key=1; SET GLOBAL tx_read_only=1").await;
    } else {
        server
            .sql("SET GLOBAL sql_require_primary_key=1; SET GLOBAL transaction_read_only=1")
            .await;
    }
}

async fn odd() {
    let server = Own::start(ODD).await;
    let harness = Mysql::at(&server.url());
    harness.make_database("odd").await;
    make_odder(&server).await;
    let backend = MysqlBackend::open(harness.options("odd").prefix("app_").unwrap()).await.unwrap();
    backend.migrate(&Migrate::up()).await.unwrap();
    backend.check_schema().await.unwrap();
    assert!(backend.capabilities().plain_sql);

    // Aliases, queues and keys are told apart by case, and sorted by byte.
    let mut ids = Vec::new();
    for alias in ["b", "B", "a", "A.x", "a-x"] {
        let definition = Definition::new(Alias::new(alias).unwrap());
        backend.put_definition(&definition, Expect::Absent).await.unwrap();
        ids.push(definition.id);
    }
    let page = backend.definitions(&DefinitionQuery::new(3)).await.unwrap();
    assert_eq!(page.items.len(), 3);
    let text = "\u{1F600} ä ß \\ \\' \" ' \u{200B} \u{E000}";
    let parameters = serde_json::to_string(text).unwrap();
    let mut tasks = Vec::new();
    for (n, queue) in ["b", "B", "a", "A", "_", "Z"].into_iter().enumerate() {
        let mut task = NewTask::new(ids[n % ids.len()], json(&parameters));
        task.queue = QueueName::new(queue).unwrap();
        task.unique = Some(UniqueHash::new("odd", queue).unwrap());
        tasks.push(task);
    }
    let mut later = NewTask::new(ids[0], json(&parameters));
    later.when = When::After(std::time::Duration::from_secs(3_600));
    tasks.push(later);
    let enqueue = Enqueue::new(&tasks);
    assert_eq!(backend.enqueue(&enqueue).await.unwrap(), vec![Enqueued::Stored; 7]);
    assert_eq!(backend.enqueue(&enqueue).await.unwrap(), vec![Enqueued::Stored; 7], "again");
    let queues = backend.queues(&QueueQuery::new(100)).await.unwrap();
    let names: Vec<_> = queues.items.iter().map(|queue| queue.name.as_str()).collect();
    assert_eq!(names, ["A", "B", "Z", "_", "a", "b", "default"]);

    // The clock is the world's.
    let here = taskstore_core::clock::to_micros(taskstore_core::clock::now());
    let there = taskstore_core::clock::to_micros(backend.now().await.unwrap());
    assert!(here.abs_diff(there) < 60_000_000, "{here} {there}");
    let stored = backend.task(tasks[0].id).await.unwrap().unwrap();
    assert_eq!(stored.parameters.get(), parameters);

    let one = Claim::new(RunnerId::new(), [QueueName::new("b").unwrap()], 10);
    let claimed = backend.claim(&one).await.unwrap();
    assert_eq!(claimed.tasks.len(), 1, "and not that of B");
    let due = claimed.due_in.unwrap();
    assert!((3_500..3_601).contains(&due.as_secs()), "{due:?}");
    let mut heart = backend.heartbeat().await.unwrap();
    assert_eq!(heart.beat(&[one.lease]).await.unwrap().leases, [Pulse::Alive]);
    let error = Transition::Failed { error: text.to_owned() };
    let settle = Settle::new(vec![Settlement::new(claimed.tasks[0].lease, error)]);
    let first = backend.settle(&settle).await.unwrap().fates;
    assert_eq!(backend.settle(&settle).await.unwrap().fates, first);
    assert_eq!(backend.attempts(tasks[0].id).await.unwrap()[0].error.as_deref(), Some(text));
    let cancel = Move::Cancel { reason: text.to_owned() };
    backend.control(&Control::new(vec![tasks[1].id, tasks[6].id], cancel)).await.unwrap();
    backend.promote(&Promote::new(10)).await.unwrap();
    let count = backend.count(&TaskFilter::default(), 100).await.unwrap();
    assert_eq!(count, Counted::Exactly(7));

    // Page by page nothing is shown twice, whatever the collation.
    let mut seen = Vec::new();
    let mut query = TaskQuery::new(TaskFilter::default(), TaskOrder::default(), 2);
    loop {
        let page = backend.tasks(&query).await.unwrap();
        seen.extend(page.items.iter().map(|task| task.id));
        match page.next {
            Some(next) => query.after = Some(next),
            None => break,
        }
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 7);

    // A person whose session is as odd as the server.
    let mut person = harness.person("odd").await;
    person.query_drop("SET NAMES latin1; SET SESSION TRANSACTION READ WRITE").await.unwrap();
    let insert = "INSERT INTO app_task_enqueue(alias,parameters,queue,delay) VALUES('a','{\"a\":1}','plain',0)";
    person.query_drop(insert).await.unwrap();
    person.query_drop("COMMIT AND NO CHAIN NO RELEASE").await.unwrap();
    let all = "SELECT COUNT(*) FROM app_task WHERE status IN ('queued','failed','canceled')";
    assert_eq!(person.query_first::<u64, _>(all).await.unwrap(), Some(8));
    // At SERIALIZABLE a look holds what it looked at, and claims pass it by.
    person.query_drop("COMMIT AND NO CHAIN NO RELEASE").await.unwrap();
    let plain = Claim::new(RunnerId::new(), [QueueName::new("plain").unwrap()], 10);
    let claimed = backend.claim(&plain).await.unwrap().tasks;
    assert_eq!(claimed[0].parameters.get(), "{\"a\":1}");
    let success = Settlement::new(claimed[0].lease, Transition::Success { output: None });
    backend.settle(&Settle::new(vec![success])).await.unwrap();
    let task = backend.task(claimed[0].lease.task).await.unwrap().unwrap();
    assert_eq!(task.status, Status::Success);
    backend.migrate(&Migrate::down()).await.unwrap();
}

async fn statements() {
    let mut server = Own::start(&["--log-bin=log", "--binlog-format=STATEMENT"]).await;
    let harness = Mysql::at(&server.url());
    harness.make_database("statements").await;
    let error = MysqlBackend::open(harness.options("statements")).await.unwrap_err();
    assert!(matches!(error, Error::Invalid { field: "url", .. }), "{error}");
    assert!(error.to_string().contains("binlog_format"), "{error}");
    for format in ["ROW", "MIXED"] {
        server.run_with(&["--log-bin=log", &format!("--binlog-format={format}")]).await;
        let store = Store::at(&server.url(), &format!("log_{}", format.to_lowercase())).await;
        store.enqueue(3).await;
        assert_eq!(store.claim(5).await.tasks.len(), 3, "{format}");
    }
}

async fn packets() {
    let server = Own::start(&["--max-allowed-packet=65536"]).await;
    let store = Store::at(&server.url(), "packets").await;
    // 1 MB in all, so in many statements.
    let text = json(&format!("\"{}\"", "x".repeat(10_000)));
    let tasks: Vec<_> = (0..100).map(|_| NewTask::new(store.definition, text.clone())).collect();
    store.backend.enqueue(&Enqueue::new(&tasks)).await.unwrap();
    // One that is larger than the packet.
    let large = NewTask::new(store.definition, json(&format!("\"{}\"", "x".repeat(100_000))));
    let mixed = [store.task(), large];
    let error = store.backend.enqueue(&Enqueue::new(&mixed)).await.unwrap_err();
    assert!(matches!(error, Error::Invalid { field: "max_allowed_packet", .. }), "{error}");
    assert!(store.backend.task(mixed[0].id).await.unwrap().is_none(), "nothing was stored");
    let claimed = store.claim(100).await.tasks;
    assert_eq!(claimed.len(), 100);
    // As an output: it alone is refused, and what is said beside it once more goes through.
    let success = |lease, size: usize| {
        let output = (size > 0).then(|| json(&format!("\"{}\"", "x".repeat(size))));
        Settlement::new(lease, Transition::Success { output })
    };
    let settle = |of: &[taskstore_core::backend::LeasedTask], large: bool| {
        let sizes = |n: usize| if n == 7 && large { 100_000 } else { 5_000 };
        let all = of.iter().enumerate().map(|(n, task)| success(task.lease, sizes(n)));
        Settle::new(all.collect())
    };
    let error = store.backend.settle(&settle(&claimed, true)).await.unwrap_err();
    assert!(matches!(error, Error::Invalid { field: "max_allowed_packet", .. }), "{error}");
    let fates = store.backend.settle(&settle(&claimed, false)).await.unwrap().fates;
    assert_eq!(fates.len(), 100);
    assert!(fates.iter().all(|fate| *fate != taskstore_core::backend::Fate::Lost));
}

/// A runner whose handler returns what the server cannot take.
async fn bad_value() {
    let server = Own::start(&["--max-allowed-packet=262144"]).await;
    let store = Store::at(&server.url(), "bad").await;
    let runner = taskstore_core::Store::from(
        std::sync::Arc::new(store.other().await) as std::sync::Arc<dyn Backend>
    );
    runner
        .register_fn("output", |_: taskstore_core::TaskContext, size: usize| async move {
            Ok("x".repeat(size))
        })
        .await
        .unwrap();
    let mut ids = Vec::new();
    for n in 0..500_usize {
        let size = if n == 250 { 400_000 } else { 10 };
        ids.push(runner.enqueue_by_alias("work", "output", size).max_attempts(1).await.unwrap());
    }
    let summary = runner.runner().queue("work").concurrency(50).run_once().await.unwrap();
    assert_eq!(summary.to_string(), "499 succeeded, 1 failed", "{summary}");
    let bad = runner.tasks().get(ids[250]).await.unwrap();
    assert_eq!(bad.status, Status::Failed);
    assert!(bad.last_error.as_deref().is_some_and(|e| e.contains("max_allowed_packet")), "{bad:?}");
}
