//! Transactions of a program's own: the driver's type, and those that are begun by hand.
//!
//! The driver's type borrows its connection, so both live in a task of their own, which is told what
//! to do.

use serde_json::Value;
use taskstore_conformance::{UsersTransaction, async_trait};
use taskstore_core::{
    Completion, EnqueueMany, EnqueueOne, Error, Notice, Notices, SqlValue, TaskContext, TaskId,
};
use taskstore_postgres::{CompleteWithin as _, Connection, ToSql as _, Within as _};
use tokio::sync::{mpsc, oneshot};
use tokio_postgres::{Client, GenericClient};

/// What a transaction is told to do.
enum Order {
    Write(i64, oneshot::Sender<()>),
    Enqueue(EnqueueOne, oneshot::Sender<Result<Notice, Error>>),
    EnqueueMany(EnqueueMany, oneshot::Sender<Result<Notices, Error>>),
    EnqueueBySql(EnqueueOne, oneshot::Sender<Result<TaskId, Error>>),
    Complete(TaskContext, Value, oneshot::Sender<Result<Completion, Error>>),
    Commit(oneshot::Sender<()>),
    RollBack(oneshot::Sender<()>),
}

/// A transaction that is open until it is told to end, or dropped.
pub(super) struct Open(mpsc::UnboundedSender<Order>);

impl Open {
    /// Begins one that writes its numbers into this table.
    pub(super) async fn begin(mut client: Client, table: String, by_hand: bool) -> Self {
        let (orders, mut inbox) = mpsc::unbounded_channel();
        let (begun, has_begun) = oneshot::channel();
        tokio::spawn(async move {
            if by_hand {
                client.batch_execute("BEGIN").await.unwrap();
                begun.send(()).unwrap();
                match work(&client, &table, &mut inbox).await {
                    Some(Order::Commit(done)) => {
                        client.batch_execute("COMMIT").await.unwrap();
                        done.send(()).unwrap();
                    }
                    Some(Order::RollBack(done)) => {
                        client.batch_execute("ROLLBACK").await.unwrap();
                        done.send(()).unwrap();
                    }
                    // The connection is cut.
                    _ => {}
                }
            } else {
                let transaction = client.transaction().await.unwrap();
                begun.send(()).unwrap();
                match work(&transaction, &table, &mut inbox).await {
                    Some(Order::Commit(done)) => {
                        transaction.commit().await.unwrap();
                        done.send(()).unwrap();
                    }
                    Some(Order::RollBack(done)) => {
                        transaction.rollback().await.unwrap();
                        done.send(()).unwrap();
                    }
                    _ => {}
                }
            }
        });
        has_begun.await.unwrap();
        Self(orders)
    }

    async fn tell<T>(&self, order: impl FnOnce(oneshot::Sender<T>) -> Order) -> T {
        let (sender, answer) = oneshot::channel();
        assert!(self.0.send(order(sender)).is_ok());
        answer.await.unwrap()
    }
}

/// Does what it is told until it is to end.
async fn work<C: GenericClient + Connection>(
    transaction: &C,
    table: &str,
    inbox: &mut mpsc::UnboundedReceiver<Order>,
) -> Option<Order> {
    while let Some(order) = inbox.recv().await {
        // Whoever does not wait for the answer has dropped the transaction.
        match order {
            Order::Write(number, done) => {
                let insert = format!("INSERT INTO {table}(number) VALUES($1)");
                transaction.execute(&insert, &[&number]).await.unwrap();
                let _ = done.send(());
            }
            Order::Enqueue(task, done) => {
                let _ = done.send(task.within(transaction).await);
            }
            Order::EnqueueMany(tasks, done) => {
                let _ = done.send(tasks.within(transaction).await);
            }
            Order::EnqueueBySql(task, done) => {
                let _ = done.send(by_sql(transaction, task).await);
            }
            Order::Complete(ctx, output, done) => {
                let _ = done.send(ctx.complete_within(transaction, output).await);
            }
            end => return Some(end),
        }
    }
    None
}

async fn by_sql<C: GenericClient>(transaction: &C, task: EnqueueOne) -> Result<TaskId, Error> {
    let sql = task.to_sql().await?;
    let text = |value: &SqlValue| match value {
        SqlValue::Null => None,
        SqlValue::Text(text) => Some(text.clone()),
        other => panic!("{other:?} is no text"),
    };
    let values: Vec<Option<String>> = sql.values().iter().map(text).collect();
    let values: Vec<_> = values.iter().map(|value| value as _).collect();
    transaction.execute(sql.text(), &values).await.unwrap();
    Ok(sql.id())
}

#[async_trait]
impl UsersTransaction for Open {
    async fn write(&mut self, number: i64) {
        self.tell(|done| Order::Write(number, done)).await;
    }

    async fn enqueue(&mut self, task: EnqueueOne) -> Result<Notice, Error> {
        self.tell(|done| Order::Enqueue(task, done)).await
    }

    async fn enqueue_many(&mut self, tasks: EnqueueMany) -> Result<Notices, Error> {
        self.tell(|done| Order::EnqueueMany(tasks, done)).await
    }

    async fn enqueue_by_sql(&mut self, task: EnqueueOne) -> Result<TaskId, Error> {
        self.tell(|done| Order::EnqueueBySql(task, done)).await
    }

    async fn complete(&mut self, ctx: &TaskContext, output: &Value) -> Result<Completion, Error> {
        let (ctx, output) = (ctx.clone(), output.clone());
        self.tell(|done| Order::Complete(ctx, output, done)).await
    }

    async fn commit(self: Box<Self>) {
        self.tell(Order::Commit).await;
    }

    async fn roll_back(self: Box<Self>) {
        self.tell(Order::RollBack).await;
    }
}
