//! Transactions of your own on MySQL or MariaDB, and the proof: a process is killed between what its
//! handler does and the commit, another one right after the commit, and each effect is there exactly once.
//!
//! ```console
//! $ cargo run --example transaction_mysql -- mysql://root:secret@localhost/mysql
//! ```
//!
//! Makes a database of its own on that server, and drops it. Without a URL it takes that of the variable
//! `TASKSTORE_TEST_MYSQL_URL`.

use std::{process::ExitStatus, time::Duration};

use serde::{Deserialize, Serialize};
use taskstore::{
    Status, Store, TaskContext, TaskHandler, TaskResult,
    mysql::{
        CompleteWithin as _, Within as _,
        mysql_async::{Conn, Opts, OptsBuilder, Pool, TxOpts, prelude::Queryable as _},
    },
};

type Result<T, E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

#[derive(Serialize, Deserialize)]
struct Order {
    id: i64,
    cents: i64,
}

/// When a process dies, as if somebody pulled the plug.
#[derive(Clone, Copy, PartialEq)]
enum Dies {
    Never,
    BeforeTheCommit,
    AfterTheCommit,
}

/// Takes the money for an order from an account in the same database.
struct Charge {
    pool: Pool,
    dies: Dies,
}

impl TaskHandler for Charge {
    const ALIAS: &'static str = "order.charge";
    type Params = Order;
    type Output = i64;

    async fn run(&self, ctx: TaskContext, order: Order) -> TaskResult<i64> {
        let mut connection = self.pool.get_conn().await?;
        let mut transaction = connection.start_transaction(TxOpts::default()).await?;
        let taken = "UPDATE account SET cents = cents - ?";
        transaction.exec_drop(taken, (order.cents,)).await?;
        transaction.exec_drop("INSERT INTO charged VALUES (?)", (order.id,)).await?;
        let left: Option<i64> = transaction.query_first("SELECT cents FROM account").await?;
        let left = left.unwrap_or_default();
        let completion = ctx.complete_within(&mut transaction, left).await?;
        if self.dies == Dies::BeforeTheCommit {
            std::process::abort();
        }
        transaction.commit().await?;
        if self.dies == Dies::AfterTheCommit {
            // Nobody has said that the task is done but the transaction.
            std::process::abort();
        }
        completion.committed();
        Ok(left)
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let from_env = || std::env::var("TASKSTORE_TEST_MYSQL_URL").ok();
    let Some(url) = arguments.next().or_else(from_env).filter(|url| !url.is_empty()) else {
        println!("give the URL of a server, such as mysql://root:secret@localhost/mysql");
        return Ok(());
    };
    let url = url.replacen("mariadb://", "mysql://", 1);
    match arguments.next().as_deref() {
        Some("dies before") => work(&url, Dies::BeforeTheCommit).await,
        Some("dies after") => work(&url, Dies::AfterTheCommit).await,
        Some(other) => Err(format!("{other} is not known").into()),
        None => with_a_database(&url).await,
    }
}

/// A process that works until it dies.
async fn work(url: &str, dies: Dies) -> Result<()> {
    let (store, _) = open(url, dies).await?;
    let runner = store.runner().queue("orders").serial().lease(Duration::from_secs(2));
    Ok(runner.run_until(std::future::pending()).await?)
}

async fn open(url: &str, dies: Dies) -> Result<(Store, Pool)> {
    let store = taskstore::connect(url).auto_migrate(true).await?;
    let pool = Pool::new(Opts::from_url(url)?);
    store.register(Charge { pool: pool.clone(), dies }).await?;
    Ok((store, pool))
}

async fn with_a_database(server: &str) -> Result<()> {
    let options = Opts::from_url(server)?;
    let name = format!("taskstore_example_{}", std::process::id());
    let mut connection = Conn::new(options.clone()).await?;
    connection.query_drop(format!("CREATE DATABASE {name}")).await?;
    let ours = OptsBuilder::from_opts(options.clone()).db_name(Some(&name));
    let user = options.user().unwrap_or("root");
    let password = options.pass().map(|password| format!(":{password}")).unwrap_or_default();
    let place = format!("{}:{}", options.ip_or_hostname(), options.tcp_port());
    let url = format!("mysql://{user}{password}@{place}/{name}");
    let done = prove(&url, Conn::new(ours).await?).await;
    connection.query_drop(format!("DROP DATABASE {name}")).await?;
    connection.disconnect().await?;
    done
}

async fn prove(url: &str, mut connection: Conn) -> Result<()> {
    let (store, pool) = open(url, Dies::Never).await?;
    for table in [
        "CREATE TABLE orders (id BIGINT PRIMARY KEY, cents BIGINT)",
        "CREATE TABLE charged (id BIGINT)", // no key that would hide a second time
        "CREATE TABLE account (cents BIGINT)",
        "INSERT INTO account VALUES (10000)",
    ] {
        connection.query_drop(table).await?;
    }

    // An order and its task are there together, or not at all.
    for (order, sure) in [
        (Order { id: 1, cents: 1500 }, true),
        (Order { id: 2, cents: 2500 }, true),
        (Order { id: 3, cents: 500 }, true),
        (Order { id: 4, cents: 9900 }, false),
    ] {
        let mut transaction = connection.start_transaction(TxOpts::default()).await?;
        let insert = "INSERT INTO orders VALUES (?, ?)";
        transaction.exec_drop(insert, (order.id, order.cents)).await?;
        let notice =
            store.enqueue::<Charge>(order).queue("orders").within(&mut transaction).await?;
        if sure {
            transaction.commit().await?;
            notice.send();
        } else {
            transaction.rollback().await?;
        }
    }
    let orders: Option<i64> = connection.query_first("SELECT count(*) FROM orders").await?;
    let tasks: Option<i64> = connection.query_first("SELECT count(*) FROM task").await?;
    println!("orders: {}, tasks: {}", orders.unwrap_or_default(), tasks.unwrap_or_default());
    assert_eq!((orders, tasks), (Some(3), Some(3)));

    println!("a process dies before the commit: {}", start(url, "dies before").await?);
    let charged: Vec<i64> = connection.query("SELECT id FROM charged").await?;
    assert_eq!(charged, [0; 0], "nothing of it is there");
    println!("another dies after the commit: {}", start(url, "dies after").await?);

    // A third does what is left, once it has seen that nobody keeps their leases any more.
    let runner = store.runner().queue("orders").lease(Duration::from_secs(2)).start().await?;
    for task in store.tasks().queue("orders").list().await?.items {
        store.wait_for(task.id, Duration::from_secs(60)).await?;
    }
    println!("the third: {}", runner.stop().await.summary);
    let mut charged: Vec<i64> = connection.query("SELECT id FROM charged").await?;
    charged.sort_unstable();
    let left: Option<i64> = connection.query_first("SELECT cents FROM account").await?;
    println!(
        "charged: {charged:?}, {} of 10000 - 1500 - 2500 - 500 left",
        left.unwrap_or_default()
    );
    assert_eq!((charged, left), (vec![1, 2, 3], Some(5_500)), "each exactly once");
    for task in store.tasks().queue("orders").list().await?.items {
        println!("{} {} after {} attempts", task.id, task.status, task.attempts);
        assert_eq!(task.status, Status::Success);
    }
    connection.disconnect().await?;
    pool.disconnect().await?;
    Ok(())
}

/// Starts this program once more, and waits until it has died.
async fn start(url: &str, how: &str) -> Result<ExitStatus> {
    let mut program = tokio::process::Command::new(std::env::current_exe()?);
    let mut child = program.args([url, how]).kill_on_drop(true).spawn()?;
    Ok(tokio::time::timeout(Duration::from_secs(60), child.wait()).await??)
}
