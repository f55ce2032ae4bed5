//! Transactions of the caller's. What every engine must do there is in the suite; here is what MySQL and
//! MariaDB alone have: isolation levels, settings of sessions, locks on rows and gaps.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod common;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use common::Mysql;
use mysql_async::{Conn, Opts, OptsBuilder, Pool, TxOpts, prelude::Queryable};
use taskstore_core::{
    EnqueueOne, Error, MemoryBackend, Store, TaskContext, TaskId, TaskKey, backend::Migrate,
};
use taskstore_mysql::{CompleteWithin as _, MysqlBackend, MysqlOptions, ToSql as _, Within as _};
use tokio::sync::mpsc::unbounded_channel;

common::server_tests!(
    a_connection_without_a_transaction_is_refused,
    a_transaction_of_another_database_is_refused,
    a_prefix_and_missing_tables_are_as_for_any_enqueue,
    tables_that_were_made_anew_are_known_again,
    an_error_half_way_leaves_nothing_and_the_transaction_goes_on,
    a_deadlock_says_that_the_whole_transaction_is_gone,
    a_lock_that_is_not_given_leaves_the_transaction_as_it_was,
    an_old_snapshot_does_not_hide_what_has_been_committed_since,
    a_server_that_refuses_newer_rows_says_what_to_do,
    settings_of_the_session_change_nothing_and_stay,
    savepoints_of_the_callers_undo_the_task_too,
    a_notice_wakes_a_runner_that_looks_once_an_hour,
    a_handler_completes_its_task_in_a_transaction_of_the_drivers_own_type,
    the_round_trips_are_as_many_as_the_documentation_says,
    many_transactions_at_once_lose_nothing_and_do_nothing_twice,
);

/// The isolation levels that a caller may have.
const LEVELS: [&str; 2] = ["REPEATABLE READ", "READ COMMITTED"];

struct Work;

impl TaskKey for Work {
    const KEY: &'static str = "work";
    type Args = i64;
}

struct Shop {
    store: Store,
    server: Mysql,
    name: String,
}

impl Shop {
    async fn open(name: &str) -> Self {
        Self::with(name, |options| options).await
    }

    async fn with(name: &str, set: impl FnOnce(MysqlOptions) -> MysqlOptions) -> Self {
        let server = Mysql::from_env().unwrap();
        server.make_database(name).await;
        let store = store(set(server.options(name))).await;
        let shop = Self { store, server, name: name.to_owned() };
        shop.sql("CREATE TABLE theirs(a BIGINT)").await;
        shop
    }

    async fn connect(&self) -> Conn {
        self.server.person(&self.name).await
    }

    /// A connection with a transaction open.
    async fn begin(&self, level: &str) -> Conn {
        let mut connection = self.connect().await;
        let set = format!("SET TRANSACTION ISOLATION LEVEL {level}");
        connection.query_drop(set).await.unwrap();
        connection.query_drop("BEGIN").await.unwrap();
        connection
    }

    async fn sql(&self, sql: &str) {
        self.server.sql(&self.name, sql).await;
    }

    async fn count(&self, table: &str) -> u64 {
        let sql = format!("SELECT count(*) FROM {table}");
        self.server.sql(&self.name, &sql).await[0].get(0).unwrap()
    }

    fn work(&self, n: i64) -> EnqueueOne {
        self.store.enqueue::<Work>(n)
    }
}

async fn store(options: MysqlOptions) -> Store {
    let store = Store::new(MysqlBackend::open(options).await.unwrap());
    store.migrate().await.unwrap();
    store.register_fn("work", |_, _: i64| async { Ok(()) }).await.unwrap();
    store
}

async fn run(connection: &mut Conn, sql: &str) {
    connection.query_drop(sql).await.unwrap();
}

fn refused(answer: Result<impl std::fmt::Debug, Error>, field: &str) -> String {
    match answer {
        Err(Error::Invalid { field: named, reason }) if named == field => reason,
        other => panic!("{field} should be refused: {other:?}"),
    }
}

async fn a_connection_without_a_transaction_is_refused() {
    let shop = Shop::open("none_open").await;
    let mut connection = shop.connect().await;
    let reason = refused(shop.work(1).within(&mut connection).await, "transaction");
    assert!(reason.contains("none is open"), "{reason}");
    assert_eq!(shop.count("task_queue").await, 0);

    run(&mut connection, "START TRANSACTION READ ONLY").await;
    let reason = refused(shop.work(1).within(&mut connection).await, "transaction");
    assert!(reason.contains("only reads"), "{reason}");
    run(&mut connection, "COMMIT").await;

    run(&mut connection, "BEGIN").await;
    shop.work(1).within(&mut connection).await.unwrap().send();
    run(&mut connection, "COMMIT").await;
    assert_eq!(shop.count("task_queue").await, 1);

    run(&mut connection, "SET autocommit=0").await;
    shop.work(2).within(&mut connection).await.unwrap().send();
    assert_eq!(shop.count("task_queue").await, 1);
    run(&mut connection, "COMMIT").await;
    assert_eq!(shop.count("task_queue").await, 2);
}

async fn a_transaction_of_another_database_is_refused() {
    let (shop, other) = (Shop::open("ours").await, Shop::open("not_ours").await);
    shop.server.make_database("bare").await;
    let url = std::env::var("TASKSTORE_TEST_MYSQL_URL").unwrap();
    let server = Opts::from_url(&url.replacen("mariadb://", "mysql://", 1)).unwrap();
    let nowhere = OptsBuilder::from_opts(server).db_name(None::<String>);
    // One that has such tables would take the task without a word.
    for mut connection in
        [other.connect().await, shop.server.person("bare").await, Conn::new(nowhere).await.unwrap()]
    {
        run(&mut connection, "BEGIN").await;
        let reason = refused(shop.work(1).within(&mut connection).await, "transaction");
        assert!(reason.contains("_ours\""), "{reason}");
        run(&mut connection, "COMMIT").await;
    }
    // A copy has the same tables, made at the same time.
    let (_, ours) = shop.server.place("ours");
    let (_, copy) = shop.server.place("copy");
    shop.server.make_database("copy").await;
    for table in ["task_migration", "task_definition"] {
        shop.sql(&format!("CREATE TABLE {copy}.{table} AS SELECT * FROM {ours}.{table}")).await;
    }
    let mut connection = shop.server.person("copy").await;
    run(&mut connection, "BEGIN").await;
    refused(shop.work(1).within(&mut connection).await, "transaction");
    // Whoever has selected another database may select this one.
    run(&mut connection, &format!("USE {ours}")).await;
    shop.work(1).within(&mut connection).await.unwrap().send();
    run(&mut connection, "COMMIT").await;
    assert_eq!((shop.count("task_queue").await, other.count("task_queue").await), (1, 0));

    let memory = Store::new(MemoryBackend::new());
    memory.register_fn("work", |_, _: i64| async { Ok(()) }).await.unwrap();
    let mut connection = shop.begin(LEVELS[0]).await;
    refused(memory.enqueue::<Work>(1).within(&mut connection).await, "store");
    refused(memory.enqueue::<Work>(1).to_sql().await, "store");
}

async fn a_prefix_and_missing_tables_are_as_for_any_enqueue() {
    let shop = Shop::with("prefix", |options| options.prefix("app_").unwrap()).await;
    let mut connection = shop.begin(LEVELS[0]).await;
    shop.work(1).within(&mut connection).await.unwrap().send();
    let sql = shop.work(2).to_sql().await.unwrap();
    assert!(sql.text().contains("INSERT INTO app_task_enqueue("), "{}", sql.text());
    run(&mut connection, "COMMIT").await;
    assert_eq!(shop.count("app_task_ready").await, 1);

    let options = shop.server.options("prefix").prefix("none_").unwrap();
    let bare = Store::new(MysqlBackend::open(options).await.unwrap());
    run(&mut connection, "BEGIN").await;
    let error = bare.enqueue_by_alias("", "work", 1).within(&mut connection).await.unwrap_err();
    assert!(matches!(error, Error::Schema { found: 0, .. }), "{error}");
    shop.work(3).within(&mut connection).await.unwrap().send();
    run(&mut connection, "COMMIT").await;
    assert_eq!(shop.count("app_task_ready").await, 2);
}

async fn tables_that_were_made_anew_are_known_again() {
    let shop = Shop::open("anew").await;
    for n in 0..2 {
        let mut connection = shop.begin(LEVELS[0]).await;
        shop.work(n).within(&mut connection).await.unwrap().send();
        run(&mut connection, "COMMIT").await;
        assert_eq!(shop.count("task_queue").await, 1);
        connection.disconnect().await.unwrap();
        // By another process.
        let other = MysqlBackend::open(shop.server.options("anew")).await.unwrap();
        taskstore_core::Backend::migrate(&other, &Migrate::down()).await.unwrap();
        store(shop.server.options("anew")).await;
    }
}

/// A trigger of the user's refuses a task when its record is there already, and so fails half-way.
async fn an_error_half_way_leaves_nothing_and_the_transaction_goes_on() {
    let shop = Shop::open("half_way").await;
    shop.sql(
        "CREATE TRIGGER strict BEFORE INSERT ON task_payload FOR EACH ROW IF NEW.parameters='13' THEN \
         SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT='thirteen'; END IF",
    )
    .await;
    for (round, level) in (1..).zip(LEVELS) {
        let mut connection = shop.begin(level).await;
        run(&mut connection, "INSERT INTO theirs VALUES(1)").await;
        let good = shop.work(12).within(&mut connection).await.unwrap();
        let error = shop.work(13).unique("k").within(&mut connection).await.unwrap_err();
        assert!(matches!(&error, Error::Backend { .. }), "{error}");
        assert!(error.to_string().contains("thirteen"), "{error}");
        // All in one request: what was stored before the bad one is undone, too.
        let many = shop.store.enqueue_many::<Work>(11..15);
        let error = many.within(&mut connection).await.unwrap_err();
        assert!(error.to_string().contains("thirteen"), "{error}");
        run(&mut connection, "INSERT INTO theirs VALUES(2)").await;
        run(&mut connection, "COMMIT").await;
        good.send();
        for table in ["task_queue", "task_payload", "task_ready"] {
            assert_eq!(shop.count(table).await, round, "{table}");
        }
        let both = (shop.count("task_unique").await, shop.count("theirs").await);
        assert_eq!(both, (0, 2 * round));
    }
}

async fn a_deadlock_says_that_the_whole_transaction_is_gone() {
    let shop = Shop::open("deadlock").await;
    let mut told = 0;
    for level in LEVELS {
        // Each has a key that the other wants.
        let (mut one, mut two) = (shop.begin(level).await, shop.begin(level).await);
        run(&mut one, "INSERT INTO theirs VALUES(0)").await;
        shop.work(1).unique("a").within(&mut one).await.unwrap().send();
        shop.work(1).unique("b").within(&mut two).await.unwrap().send();
        // So that the server would rather give up the first.
        run(&mut two, "INSERT INTO theirs VALUES(1),(2),(3),(4),(5),(6),(7)").await;
        let first = shop.work(2).unique("b");
        let second = shop.work(2).unique("a");
        let (first, second) =
            tokio::join!(first.within(&mut one), async { second.within(&mut two).await });
        for (answer, connection) in [(first, &mut one), (second, &mut two)] {
            let Err(error) = answer else { continue };
            assert!(error.is_retryable(), "{error}");
            let text = error.to_string();
            assert!(text.contains("rolled back the whole transaction"), "{text}");
            told += 1;
            run(connection, "ROLLBACK").await;
        }
        run(&mut one, "ROLLBACK").await;
        run(&mut two, "ROLLBACK").await;
    }
    assert_eq!(told, LEVELS.len(), "one of each pair is given up");
    assert_eq!((shop.count("task_queue").await, shop.count("task_unique").await), (0, 0));
}

async fn a_lock_that_is_not_given_leaves_the_transaction_as_it_was() {
    let shop = Shop::open("lock_wait").await;
    for level in LEVELS {
        let mut holder = shop.begin(level).await;
        shop.work(1).unique("k").within(&mut holder).await.unwrap().send();
        let mut waiter = shop.begin(level).await;
        run(&mut waiter, "SET SESSION innodb_lock_wait_timeout=1").await;
        run(&mut waiter, "INSERT INTO theirs VALUES(1)").await;
        let error = shop.work(2).unique("k").within(&mut waiter).await.unwrap_err();
        assert!(error.is_retryable(), "{error}");
        assert!(!error.to_string().contains("whole transaction"), "{error}");
        run(&mut holder, "ROLLBACK").await;
        // It can go on, and try once more.
        shop.work(2).unique("k").within(&mut waiter).await.unwrap().send();
        run(&mut waiter, "COMMIT").await;
        shop.store.runner().run_once().await.unwrap();
    }
    assert_eq!((shop.count("task_queue").await, shop.count("theirs").await), (2, 2));
}

/// Takes the snapshot that the transaction will have, where it has one for all of it.
async fn look(connection: &mut Conn) {
    let _: Vec<mysql_async::Row> = connection.query("SELECT * FROM theirs").await.unwrap();
}

async fn an_old_snapshot_does_not_hide_what_has_been_committed_since() {
    let shop = Shop::open("snapshot").await;
    for level in LEVELS {
        let key = || format!("key {level}");
        let mut connection = shop.begin(level).await;
        look(&mut connection).await;
        // A key that was taken since, tasks that were stored since, and a kind of work that was made.
        let holder = shop.work(1).unique(key()).await.unwrap();
        let (again, many) = (shop.work(3), shop.store.enqueue_many::<Work>([4, 5]));
        again.clone().await.unwrap();
        many.clone().await.unwrap();
        let alias = format!("kind.{}", level.len());
        shop.store.register_fn(&alias, |_, _: i64| async { Ok(()) }).await.unwrap();

        let notice = shop.work(2).unique(key()).within(&mut connection).await.unwrap();
        assert_eq!((notice.id(), notice.is_duplicate()), (holder, true), "{level}");
        let notice = again.clone().within(&mut connection).await.unwrap();
        assert_eq!((notice.id(), notice.is_duplicate()), (again.id(), false), "{level}");
        assert_eq!(many.within(&mut connection).await.unwrap().ids().len(), 2);
        shop.store.enqueue_by_alias("", &alias, 1).within(&mut connection).await.unwrap().send();
        run(&mut connection, "COMMIT").await;

        // A key that was freed since.
        let mut connection = shop.begin(level).await;
        look(&mut connection).await;
        shop.store.runner().run_once().await.unwrap();
        let notice = shop.work(6).unique(key()).within(&mut connection).await.unwrap();
        assert!(!notice.is_duplicate(), "{level}");
        run(&mut connection, "COMMIT").await;
        let own = notice.id();
        let outcome = shop.work(7).unique(key()).outcome().await.unwrap();
        assert_eq!((outcome.id, outcome.duplicate), (own, true), "{level}");
    }
    assert_eq!(shop.count("task_unique").await, 1, "that of the last");
}

/// What MariaDB does from 11.6.2 on unless it is told otherwise.
async fn a_server_that_refuses_newer_rows_says_what_to_do() {
    let shop = Arc::new(Shop::open("refuses_newer").await);
    let set = "SET SESSION innodb_snapshot_isolation=ON";
    if shop.connect().await.query_drop(set).await.is_err() {
        // MySQL, and MariaDB before 10.6.18, know nothing of it.
        return;
    }
    let refused = Arc::new(AtomicU32::new(0));
    let (theirs, count) = (shop.clone(), refused.clone());
    let complete = move |ctx: TaskContext, n: i64| {
        let (shop, count) = (theirs.clone(), count.clone());
        async move {
            // The first transaction at the usual level, the next as the error says.
            for level in LEVELS {
                let mut connection = shop.connect().await;
                connection.query_drop(set).await?;
                connection.query_drop(format!("SET TRANSACTION ISOLATION LEVEL {level}")).await?;
                connection.query_drop("BEGIN").await?;
                look(&mut connection).await;
                match ctx.complete_within(&mut connection, n).await {
                    Ok(completion) => {
                        connection.query_drop("COMMIT").await?;
                        completion.committed();
                        return Ok((n, level.to_owned()));
                    }
                    Err(error) => {
                        count.fetch_add(1, Ordering::Relaxed);
                        let text = error.to_string();
                        assert!(error.is_retryable() && text.contains("READ COMMITTED"), "{text}");
                        connection.query_drop("ROLLBACK").await?;
                    }
                }
            }
            panic!("it could not be completed");
        }
    };
    shop.store.register_fn("complete", complete).await.unwrap();
    for n in 0..4 {
        shop.store.enqueue_by_alias("", "complete", n).await.unwrap();
    }
    let summary = shop.store.runner().concurrency(4).run_once().await.unwrap();
    assert_eq!(summary.to_string(), "4 succeeded");
    let refused = refused.load(Ordering::Relaxed);
    assert!(refused > 0, "their lease is newer than the snapshot");
}

async fn settings_of_the_session_change_nothing_and_stay() {
    let shop = Shop::open("settings").await;
    let (version, ..): (String, u8) =
        shop.connect().await.query_first("SELECT VERSION(),1").await.unwrap().unwrap();
    let mut all = vec![
        "SET NAMES latin1",
        "SET NAMES utf8mb4 COLLATE utf8mb4_bin",
        "SET CHARACTER SET latin1",
        "SET character_set_results=NULL",
        "SET sql_mode=''",
        "SET sql_mode='ANSI_QUOTES,NO_BACKSLASH_ESCAPES,PIPES_AS_CONCAT,IGNORE_SPACE'",
        "SET sql_mode='PAD_CHAR_TO_FULL_LENGTH'",
        "SET sql_safe_updates=1",
        "SET sql_select_limit=1",
        "SET time_zone='+13:00'",
        "SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE",
    ];
    if version.contains("MariaDB") {
        all.extend(["SET sql_mode='ORACLE'", "SET sql_mode='EMPTY_STRING_IS_NULL,ANSI'"]);
    }
    let text = "Ä\u{2028}日本 😀 \\ ' \" \u{7f}";
    for setting in all {
        let mut connection = shop.connect().await;
        run(&mut connection, setting).await;
        let before = settings(&mut connection).await;
        // The second time with what the first has prepared.
        for n in 0..2_i64 {
            run(&mut connection, "START TRANSACTION").await;
            let enqueue = shop.store.enqueue_by_alias("mail", "texts", text).unique(format!("{n}"));
            let unknown = enqueue.clone().within(&mut connection).await.unwrap_err();
            if n == 0 && shop.count("task_definition").await == 1 {
                assert!(matches!(unknown, Error::NotFound { .. }), "{setting}: {unknown}");
            }
            run(&mut connection, "ROLLBACK").await;
            run(&mut connection, "START TRANSACTION").await;
            let enqueue = shop.store.enqueue_by_alias("mail", "work", text);
            let enqueue = enqueue.unique(format!("{n} {text}")).delay(Duration::from_secs(60));
            let notice = enqueue.clone().within(&mut connection).await.unwrap();
            assert!(!notice.is_duplicate(), "{setting}");
            assert_eq!(settings(&mut connection).await, before, "{setting}");
            run(&mut connection, "COMMIT").await;
            let task = shop.store.tasks().get(notice.id()).await.unwrap();
            assert_eq!(serde_json::from_str::<String>(task.parameters.get()).unwrap(), text);
            let due = (task.run_at - taskstore_core::clock::now()).as_seconds_f64();
            assert!((0.0..=60.0).contains(&due), "{setting}: due in {due} s");
            shop.store.tasks().cancel(notice.id()).await.unwrap();
        }
    }
}

async fn settings(connection: &mut Conn) -> Vec<Option<String>> {
    let sql = "SELECT CONCAT_WS('|',@@sql_mode,@@character_set_client,@@character_set_connection,\
        @@collation_connection,@@sql_safe_updates,@@sql_select_limit,@@time_zone),@@character_set_results";
    let row: (Option<String>, Option<String>) = connection.query_first(sql).await.unwrap().unwrap();
    vec![row.0, row.1]
}

async fn savepoints_of_the_callers_undo_the_task_too() {
    let shop = Shop::open("savepoint").await;
    let mut connection = shop.begin(LEVELS[0]).await;
    run(&mut connection, "SAVEPOINT theirs").await;
    drop(shop.work(1).unique("k").within(&mut connection).await.unwrap());
    run(&mut connection, "ROLLBACK TO SAVEPOINT theirs").await;
    let kept = shop.work(2).unique("k").within(&mut connection).await.unwrap();
    assert!(!kept.is_duplicate());
    run(&mut connection, "COMMIT").await;
    assert_eq!(shop.count("task_queue").await, 1);
    assert!(shop.store.tasks().get(kept.id()).await.is_ok());
}

async fn a_notice_wakes_a_runner_that_looks_once_an_hour() {
    let shop = Shop::open("notice").await;
    let (tell, mut ran) = unbounded_channel();
    let work = move |_: TaskContext, n: i64| {
        let _ = tell.send(n);
        async { Ok(()) }
    };
    shop.store.register_fn("told", work).await.unwrap();
    let work = |n: i64| shop.store.enqueue_by_alias("", "told", n);
    let runner = shop.store.runner().poll_every(Duration::from_secs(3_600)).start().await.unwrap();
    work(0).await.unwrap();
    assert_eq!(ran.recv().await, Some(0));
    let began = Instant::now();
    for n in 1..=10 {
        let mut connection = shop.begin(LEVELS[0]).await;
        let notice = work(n).within(&mut connection).await.unwrap();
        run(&mut connection, "COMMIT").await;
        notice.send();
        assert_eq!(ran.recv().await, Some(n));
    }
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
    runner.stop().await;
}

async fn a_handler_completes_its_task_in_a_transaction_of_the_drivers_own_type() {
    let shop = Shop::open("own_type").await;
    let url = std::env::var("TASKSTORE_TEST_MYSQL_URL").unwrap();
    let server = Opts::from_url(&url.replacen("mariadb://", "mysql://", 1)).unwrap();
    let database = shop.server.place("own_type").1;
    let pool = Pool::new(OptsBuilder::from_opts(server).db_name(Some(database)));
    let theirs = pool.clone();
    let pay = move |ctx: TaskContext, cents: i64| {
        let pool = theirs.clone();
        async move {
            let mut connection = pool.get_conn().await?;
            refused(ctx.complete_within(&mut connection, cents).await, "transaction");
            let mut transaction = connection.start_transaction(TxOpts::default()).await?;
            transaction.exec_drop("INSERT INTO theirs VALUES(?)", (cents,)).await?;
            let completion = ctx.complete_within(&mut transaction, cents).await?;
            transaction.commit().await?;
            completion.committed();
            Ok(cents)
        }
    };
    shop.store.register_fn("pay", pay).await.unwrap();
    let mut ids: Vec<TaskId> = Vec::new();
    for n in 0..8 {
        ids.push(shop.store.enqueue_by_alias("", "pay", n).await.unwrap());
    }
    let summary = shop.store.runner().concurrency(4).run_once().await.unwrap();
    assert_eq!(summary.to_string(), "8 succeeded");
    for (n, id) in (0..).zip(ids) {
        let output = shop.store.wait_for_output::<i64>(id, Duration::ZERO).await.unwrap();
        assert_eq!(output, n);
    }
    assert_eq!((shop.count("theirs").await, shop.count("task_lease").await), (8, 0));
    pool.disconnect().await.unwrap();
}

/// How many statements this connection has sent.
async fn sent(connection: &mut Conn) -> u64 {
    let sql = "SHOW SESSION STATUS LIKE 'Questions'";
    let (_, sent): (String, String) = connection.query_first(sql).await.unwrap().unwrap();
    sent.parse().unwrap()
}

async fn the_round_trips_are_as_many_as_the_documentation_says() {
    let shop = Shop::open("round_trips").await;
    let mut connection = shop.begin(LEVELS[0]).await;
    // The question itself is one; what is prepared counts as a question at each run. The first text is three.
    let mut counted = Vec::new();
    for keyed in [false, true] {
        for n in 0..2 {
            let work = shop.work(n);
            let work = if keyed { work.unique(format!("{n}")) } else { work };
            let before = sent(&mut connection).await;
            drop(work.within(&mut connection).await.unwrap());
            let after = sent(&mut connection).await;
            counted.push(after - before - 1 - 2);
        }
    }
    // Those of the first of each pair also prepare.
    assert_eq!((counted[1], counted[3]), (6, 9), "{counted:?}");
}

/// One transaction of a producer's: what it came to, if it was committed.
async fn produce(shop: &Shop, connection: &mut Conn, n: i64) -> Result<Option<TaskId>, Error> {
    run(connection, &format!("SET TRANSACTION ISOLATION LEVEL {}", LEVELS[(n % 2) as usize])).await;
    run(connection, "BEGIN").await;
    look(connection).await;
    let task = shop.store.enqueue_by_alias("", "effect", n);
    // Few keys, so that they are often held, and often by a transaction that is still open.
    let task = if n % 3 == 0 { task } else { task.unique(format!("key {}", n % 5)) };
    let notice = task.within(connection).await?;
    let other = shop.store.enqueue_by_alias("", "effect", -n - 1).unique(format!("key {}", n % 7));
    let other = other.within(connection).await?;
    if n % 4 == 1 {
        run(connection, "ROLLBACK").await;
        return Ok(None);
    }
    run(connection, "COMMIT").await;
    other.send();
    let id = (!notice.is_duplicate()).then_some(notice.id());
    notice.send();
    Ok(id)
}

async fn many_transactions_at_once_lose_nothing_and_do_nothing_twice() {
    let shop = Arc::new(Shop::open("at_once").await);
    shop.sql("CREATE TABLE effects(task VARCHAR(26) NOT NULL)").await;
    let theirs = shop.clone();
    let effect = move |ctx: TaskContext, n: i64| {
        let shop = theirs.clone();
        async move {
            let mut connection = shop.begin(LEVELS[(n.unsigned_abs() % 2) as usize]).await;
            look(&mut connection).await;
            let insert = "INSERT INTO effects VALUES(?)";
            connection.exec_drop(insert, (ctx.id().to_string(),)).await?;
            let completion = ctx.complete_within(&mut connection, n).await?;
            if n % 5 == 2 && ctx.attempt() == 1 {
                run(&mut connection, "ROLLBACK").await;
                return Err(taskstore_core::TaskError::retry_in(Duration::ZERO, "rolled back"));
            }
            connection.query_drop("COMMIT").await?;
            if n % 2 == 0 {
                completion.committed();
            }
            Ok(n)
        }
    };
    shop.store.register_fn("effect", effect).await.unwrap();
    let runner = shop.store.runner().concurrency(8).start().await.unwrap();
    let producers = (0..6).map(|producer| {
        let shop = shop.clone();
        tokio::spawn(async move {
            let mut connection = shop.connect().await;
            let mut stored = Vec::new();
            for n in 0..25 {
                loop {
                    match produce(&shop, &mut connection, producer * 1_000 + n).await {
                        Ok(id) => break stored.extend(id),
                        Err(error) => {
                            assert!(error.is_retryable(), "{error}");
                            run(&mut connection, "ROLLBACK").await;
                        }
                    }
                }
            }
            stored
        })
    });
    let mut stored = Vec::new();
    for producer in producers.collect::<Vec<_>>() {
        stored.extend(producer.await.unwrap());
    }
    assert!(stored.len() > 30, "{}", stored.len());
    for &id in &stored {
        shop.store.wait_for(id, Duration::from_secs(60)).await.unwrap();
    }
    while shop.count("task_ready").await + shop.count("task_later").await > 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    runner.stop().await;
    // Each of them, and each that is there at all, once.
    let ended = shop.count("task_queue WHERE status=2").await;
    assert_eq!(shop.count("task_queue").await, ended);
    assert_eq!(shop.count("effects").await, ended);
    assert_eq!(shop.count("(SELECT DISTINCT task FROM effects) x").await, ended);
    assert_eq!((shop.count("task_unique").await, shop.count("task_lease").await), (0, 0));
}
