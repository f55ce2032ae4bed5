//! A transaction of a caller's that stays open holds up nobody: for three lengths of a lease everything
//! else goes on, and no lease is lost. On InnoDB that is about rows and the gaps between them, which a
//! transaction at REPEATABLE READ locks as soon as it looks for what is not there.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod common;

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use common::Mysql;
use mysql_async::{Conn, prelude::Queryable};
use taskstore_core::{
    Backend as _, Error, LeaseId, QueueName, RunnerId, Status, Store, TaskContext, TaskId, TaskKey,
    backend::{Claim, Migrate},
};
use taskstore_mysql::{CompleteWithin as _, MysqlBackend, Within as _};
use tokio::sync::{Notify, watch};

common::server_tests!(
    an_open_completion_at_repeatable_read_holds_up_nobody,
    an_open_completion_at_read_committed_holds_up_nobody,
    a_completion_that_is_rolled_back_late_costs_no_lease,
    a_refused_completion_holds_up_nobody,
    an_open_enqueue_at_repeatable_read_holds_up_nobody,
    an_open_enqueue_at_read_committed_holds_up_nobody,
);

const LEASE: Duration = Duration::from_secs(2);
/// Three of them, and some.
const OPEN: Duration = Duration::from_millis(6_500);
/// Less than a lock is waited for. Whoever waits for the open transaction takes longer.
const PROMPT: Duration = Duration::from_millis(2_500);

/// The kind of work that is done beside the open transaction.
struct Beside;

impl TaskKey for Beside {
    const KEY: &'static str = "beside";
    type Args = u32;
}

struct Shop {
    server: Mysql,
    name: &'static str,
    store: Store,
    /// What its error handler was told.
    told: Arc<Mutex<Vec<String>>>,
}

impl Shop {
    async fn open(name: &'static str) -> Self {
        let server = Mysql::from_env().unwrap();
        server.make_database(name).await;
        let backend = MysqlBackend::open(server.options(name)).await.unwrap();
        backend.migrate(&Migrate::up()).await.unwrap();
        server.sql(name, "CREATE TABLE theirs(a BIGINT)").await;
        let shop = Self { server, name, store: Store::new(backend), told: Arc::default() };
        shop.listen(&shop.store);
        shop
    }

    fn listen(&self, store: &Store) {
        let told = Arc::clone(&self.told);
        store.set_error_handler(move |_, _, error| told.lock().unwrap().push(error.to_string()));
    }

    /// Another process's.
    async fn another(&self, connections: u32) -> Store {
        let options = self.server.options(self.name).pool(connections).unwrap();
        let store = Store::new(MysqlBackend::open(options).await.unwrap());
        self.listen(&store);
        store
    }

    /// A transaction whose snapshot is taken.
    async fn begin(&self, level: &str) -> Conn {
        let mut connection = self.server.person(self.name).await;
        let set = format!("SET TRANSACTION ISOLATION LEVEL {level}");
        connection.query_drop(set).await.unwrap();
        connection.query_drop("BEGIN").await.unwrap();
        connection.query_drop("SELECT * FROM theirs").await.unwrap();
        connection
    }

    async fn count(&self, table: &str) -> u64 {
        let sql = format!("SELECT count(*) FROM {table}");
        self.server.sql(self.name, &sql).await[0].get(0).unwrap()
    }

    async fn status(&self, id: TaskId) -> (Status, u32) {
        let task = self.store.tasks().get(id).await.unwrap();
        (task.status, task.attempts)
    }
}

/// What others do all the time; says how long the slowest call of each kind took.
async fn go_on(store: &Store, until: Instant) -> Vec<(&'static str, Duration)> {
    // Handlers and keys are new ones each time.
    static ROUNDS: AtomicU32 = AtomicU32::new(1);
    let mut slowest: Vec<(&'static str, Duration)> = Vec::new();
    let mut rounds = 0;
    while Instant::now() < until {
        rounds += 1;
        let n = ROUNDS.fetch_add(1, Ordering::Relaxed);
        let beside = || store.enqueue::<Beside>(n).queue("beside");
        let mut note = |what, began: Instant| {
            let took = began.elapsed();
            match slowest.iter_mut().find(|(known, _)| *known == what) {
                Some((_, most)) => *most = took.max(*most),
                None => slowest.push((what, took)),
            }
        };
        let began = Instant::now();
        beside().await.unwrap();
        note("enqueue", began);
        let began = Instant::now();
        beside().delay(Duration::from_millis(300)).await.unwrap();
        note("enqueue with a delay", began);
        // Keys lie everywhere between those that are held.
        let began = Instant::now();
        let keyed = beside().unique(format!("key {n}")).outcome().await.unwrap();
        assert!(!keyed.duplicate);
        note("enqueue with a key", began);
        let began = Instant::now();
        let waits = beside().queue("nobody").await.unwrap();
        store.tasks().cancel(waits).await.unwrap();
        note("cancel", began);
        let began = Instant::now();
        store.sweep().await.unwrap();
        note("sweep", began);
        let began = Instant::now();
        store.register_fn(&format!("kind.{n}"), |_, _: u32| async { Ok(()) }).await.unwrap();
        note("register", began);
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    // A busy machine gets through few.
    assert!(rounds > 1, "{rounds} rounds");
    slowest
}

fn prompt(slowest: &[(&'static str, Duration)]) {
    for (what, took) in slowest {
        assert!(*took < PROMPT, "{what} took {took:?}: {slowest:?}");
    }
}

/// A lease that nobody keeps alive, with a task of a kind that others do.
async fn dead_lease(shop: &Shop) -> TaskId {
    let id = shop.store.enqueue::<Beside>(0).queue("dead").await.unwrap();
    let mut claim = Claim::new(RunnerId::new(), [QueueName::new("dead").unwrap()], 1);
    claim.lease = LeaseId::new();
    claim.lease_for = LEASE;
    let claimed = shop.store.backend().claim(&claim).await.unwrap();
    assert_eq!(claimed.tasks.len(), 1);
    id
}

/// What a handler does that completes its task, and leaves its transaction open.
#[derive(Clone, Copy, PartialEq)]
enum End {
    Commit,
    Rollback,
    /// Somebody else has the lease when it completes.
    Refused,
}

async fn while_a_completion_is_open(name: &'static str, level: &'static str, end: End) {
    let shop = Arc::new(Shop::open(name).await);
    let (opened, runs) = (Arc::new(Notify::new()), Arc::new(AtomicU32::new(0)));
    let (close, closed) = watch::channel(false);
    let (half, half_time) = watch::channel(false);
    let hold = {
        let (shop, opened, runs) = (Arc::clone(&shop), Arc::clone(&opened), Arc::clone(&runs));
        move |ctx: TaskContext, n: u32| {
            let (shop, opened) = (Arc::clone(&shop), Arc::clone(&opened));
            let (mut closed, mut half_time) = (closed.clone(), half_time.clone());
            runs.fetch_add(1, Ordering::Relaxed);
            async move {
                if n == 0 {
                    let mut transaction = shop.begin(level).await;
                    transaction.query_drop("INSERT INTO theirs VALUES(7)").await?;
                    if end == End::Refused {
                        shop.server.sql(shop.name, "DELETE FROM task_lease").await;
                    }
                    let completed = ctx.complete_within(&mut transaction, "in it").await;
                    assert_eq!(completed.is_err(), end == End::Refused, "{completed:?}");
                    opened.notify_one();
                    closed.wait_for(|closed| *closed).await?;
                    match end {
                        End::Commit => {
                            transaction.query_drop("COMMIT").await?;
                            completed?.committed();
                        }
                        End::Rollback | End::Refused => {
                            transaction.query_drop("ROLLBACK").await?;
                            drop(completed?);
                        }
                    }
                } else if n > 3 {
                    // These of its batch end while it is open, the others at once.
                    half_time.wait_for(|half| *half).await?;
                }
                Ok("returned")
            }
        }
    };
    shop.store.register_fn("hold", hold).await.unwrap();
    struct Hold;
    impl TaskKey for Hold {
        const KEY: &'static str = "hold";
        type Args = u32;
    }
    shop.store.register_fn("beside", |_, _: u32| async { Ok(()) }).await.unwrap();
    let ids = shop.store.enqueue_many::<Hold>(0..8).await.unwrap();
    let holder = shop.store.runner().concurrency(8).lease(LEASE).start().await.unwrap();

    let others = shop.another(4).await;
    others.register_fn("beside", |_, _: u32| async { Ok(()) }).await.unwrap();
    opened.notified().await;
    let began = Instant::now();
    let dead = dead_lease(&shop).await;
    let watcher = others.runner().queue("beside").queue("dead").lease(LEASE).start().await.unwrap();
    let later = shop.store.enqueue::<Beside>(0).queue("beside").delay(Duration::from_secs(1));
    let later = later.await.unwrap();
    let (first, second) = (began + OPEN / 2, began + OPEN);
    let mut slowest = go_on(&others, first).await;
    half.send(true).unwrap();
    slowest.extend(go_on(&others, second).await);
    prompt(&slowest);

    // All of this while it is still open.
    assert_eq!(shop.count("theirs").await, 0);
    if end != End::Refused {
        assert_eq!(shop.status(ids[0]).await, (Status::Running, 1));
        for &id in &ids[1..] {
            assert_eq!(shop.status(id).await, (Status::Success, 1), "a neighbour");
        }
    }
    assert_eq!(shop.status(later).await.0, Status::Success, "it was promoted, and ran");
    assert_eq!(shop.status(dead).await.0, Status::Success, "it was taken over, and ran");
    assert_eq!(shop.status(dead).await.1, 1, "a lost attempt is not charged");

    close.send(true).unwrap();
    // A watcher must not take what was held until now for dead.
    tokio::time::sleep(LEASE / 2).await;
    if end == End::Refused {
        holder.stop().await;
        watcher.stop().await;
        return;
    }
    let output = shop.store.wait_for(ids[0], Duration::from_secs(20)).await.unwrap();
    let output = output.map(|json| json.get().to_owned()).unwrap();
    let (expected, effects) =
        if end == End::Commit { ("\"in it\"", 1) } else { ("\"returned\"", 0) };
    assert_eq!((shop.status(ids[0]).await, &*output), ((Status::Success, 1), expected));
    assert_eq!(shop.count("theirs").await, effects);
    holder.stop().await;
    watcher.stop().await;
    assert_eq!(runs.load(Ordering::Relaxed), 8, "no task ran twice");
    let told = shop.told.lock().unwrap().clone();
    assert!(told.iter().all(|told| !told.contains("lost")), "{told:?}");
    assert_eq!((shop.count("task_lease").await, shop.count("task_lease_tasks").await), (0, 0));
}

async fn an_open_completion_at_repeatable_read_holds_up_nobody() {
    while_a_completion_is_open("complete_rr", "REPEATABLE READ", End::Commit).await;
}

async fn an_open_completion_at_read_committed_holds_up_nobody() {
    while_a_completion_is_open("complete_rc", "READ COMMITTED", End::Commit).await;
}

async fn a_completion_that_is_rolled_back_late_costs_no_lease() {
    while_a_completion_is_open("complete_rb", "REPEATABLE READ", End::Rollback).await;
}

async fn a_refused_completion_holds_up_nobody() {
    while_a_completion_is_open("complete_no", "REPEATABLE READ", End::Refused).await;
}

async fn while_an_enqueue_is_open(name: &'static str, level: &'static str) {
    let shop = Shop::open(name).await;
    shop.store.register_fn("beside", |_, _: u32| async { Ok(()) }).await.unwrap();
    let others = shop.another(4).await;
    let (stop, stopped) = watch::channel(false);
    let slow = move |_: TaskContext, _: u32| {
        let mut stopped = stopped.clone();
        async move {
            stopped.wait_for(|stopped| *stopped).await?;
            Ok(())
        }
    };
    others.register_fn("beside", |_, _: u32| async { Ok(()) }).await.unwrap();
    others.register_fn("slow", slow).await.unwrap();
    // It runs, and has a key that the transaction will find held.
    let holder =
        others.enqueue_by_alias("beside", "slow", 0).unique_in("all", "held").await.unwrap();
    let dead = dead_lease(&shop).await;
    let runner = others.runner().queue("beside").queue("dead").lease(LEASE).start().await.unwrap();

    let mut transaction = shop.begin(level).await;
    let enqueue = || shop.store.enqueue::<Beside>(1).queue("beside");
    let mut notices = Vec::new();
    for task in [
        enqueue(),
        enqueue().delay(Duration::from_millis(1)),
        enqueue().unique("mine"),
        enqueue().priority(i16::MIN),
        enqueue().priority(i16::MAX).unique("mine, too"),
    ] {
        notices.push(task.within(&mut transaction).await.unwrap());
    }
    // One that is older than the snapshot, and one that is not.
    let newer =
        others.enqueue_by_alias("beside", "slow", 0).unique_in("all", "newer").await.unwrap();
    for key in ["held", "newer"] {
        let held = enqueue().unique_in("all", key).within(&mut transaction).await.unwrap();
        assert!(held.is_duplicate());
    }
    let many = shop.store.enqueue_many::<Beside>(0..100).queue("beside");
    let many = many.within(&mut transaction).await.unwrap();

    let began = Instant::now();
    // More than there are connections.
    let wait = |key: &'static str| {
        let waiter = others.enqueue::<Beside>(2).queue("beside").unique(key);
        tokio::spawn(async move { waiter.outcome().await })
    };
    let waiters: Vec<_> = (0..8).map(|_| wait("mine")).collect();
    let mut slowest = go_on(&others, began + OPEN / 2).await;
    stop.send(true).unwrap();
    slowest.extend(go_on(&others, began + OPEN).await);
    prompt(&slowest);
    for holder in [holder, newer] {
        assert_eq!(shop.status(holder).await, (Status::Success, 1), "its key was not locked");
    }
    assert_eq!(shop.status(dead).await.0, Status::Success, "it was taken over, and ran");
    assert!(waiters.iter().all(|waiter| !waiter.is_finished()), "they wait for the transaction");

    transaction.query_drop("COMMIT").await.unwrap();
    many.send();
    let mine = notices[2].id();
    for waiter in waiters {
        match waiter.await.unwrap() {
            Ok(outcome) => assert!(outcome.duplicate || outcome.id != mine, "{outcome:?}"),
            // It had waited for as long as a call may.
            Err(error) => assert!(matches!(error, Error::Unavailable { .. }), "{error}"),
        }
    }
    for notice in notices {
        others.wait_for(notice.id(), Duration::from_secs(20)).await.unwrap();
        assert_eq!(shop.status(notice.id()).await, (Status::Success, 1));
        notice.send();
    }
    runner.stop().await;
    let told = shop.told.lock().unwrap().clone();
    assert!(told.iter().all(|told| !told.contains("lost")), "{told:?}");
}

async fn an_open_enqueue_at_repeatable_read_holds_up_nobody() {
    while_an_enqueue_is_open("enqueue_rr", "REPEATABLE READ").await;
}

async fn an_open_enqueue_at_read_committed_holds_up_nobody() {
    while_an_enqueue_is_open("enqueue_rc", "READ COMMITTED").await;
}
