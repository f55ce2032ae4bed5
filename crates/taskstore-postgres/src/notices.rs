//! Notices between processes: what was committed here is told to the others, and what they tell is
//! heard, each over a connection of its own.
//!
//! NOTIFY inside the transaction that has news takes a lock of the whole database until the commit is
//! on disk, so that nothing else with news commits meanwhile: single enqueues fell from 2,234 to 414 a
//! second. So it is sent afterwards, many in one, at most once in [`PAUSE`]. What came during the pause
//! is sent at its end: no notice is left out, or somebody would sleep until the next poll.

use std::{
    collections::HashMap,
    future::poll_fn,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI32, Ordering},
    },
    time::Duration,
};

use taskstore_core::{Error, QueueName, Result};
use tokio::{sync::Notify, task::JoinHandle};
use tokio_postgres::{
    AsyncMessage, Client, Notification, Socket, tls::MakeTlsConnect, types::Type,
};

use crate::{
    connection::{Job, server_for},
    error::{Mapped, no_tables},
    options::PostgresOptions,
    session::Param,
    sql::{Sql, Texts},
    tls::Connector,
    wakeup::{Came, News, Wakeups},
};

/// Between two notices.
const PAUSE: Duration = Duration::from_millis(5);

/// How long the server may take to take a notice.
const PATIENCE: Duration = Duration::from_secs(5);

/// Before the first and the later attempts to connect again.
const RETRY_MIN: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_secs(10);

/// Most bytes of one notice; the server takes fewer than 8,000.
const BYTES_MAX: usize = 7_900;

/// What both directions share.
#[derive(Debug)]
struct Shared {
    options: PostgresOptions,
    texts: Arc<Texts>,
    wakeups: Arc<Wakeups>,
    /// What is not sent yet.
    outbox: Mutex<News>,
    has_news: Notify,
    /// The server's process that sends our own notices, which are not heard: 0 for none.
    sender: AtomicI32,
}

/// Sends and hears notices, from the first need of each until it is dropped.
#[derive(Debug)]
pub(crate) struct Notices {
    shared: Arc<Shared>,
    sends: Task,
    hears: Task,
}

impl Notices {
    pub(crate) fn new(options: PostgresOptions, texts: Arc<Texts>, wakeups: Arc<Wakeups>) -> Self {
        let shared = Shared {
            options,
            texts,
            wakeups,
            outbox: Mutex::default(),
            has_news: Notify::new(),
            sender: AtomicI32::new(0),
        };
        Self { shared: Arc::new(shared), sends: Task::default(), hears: Task::default() }
    }

    /// Tells the other processes what was committed here. Waits for nothing.
    pub(crate) fn send(&self, news: &News) {
        if news.is_nothing() {
            return;
        }
        self.shared.outbox.lock().unwrap_or_else(PoisonError::into_inner).merge(news);
        self.shared.has_news.notify_one();
        if tokio::runtime::Handle::try_current().is_err() {
            // It goes with the next, or with whoever sends already.
            return;
        }
        self.sends.ensure(|| tokio::spawn(keep_sending(self.shared.clone())));
    }

    /// From here on, or from when the server can be reached, other processes are heard.
    pub(crate) fn hear(&self) {
        self.hears.ensure(|| tokio::spawn(keep_hearing(self.shared.clone())));
    }
}

/// A task in the background that ends with its owner.
#[derive(Debug, Default)]
struct Task(Mutex<Option<JoinHandle<()>>>);

impl Task {
    /// Starts it, also anew in another runtime when that in which it ran is gone.
    fn ensure(&self, start: impl FnOnce() -> JoinHandle<()>) {
        let mut task = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if task.as_ref().is_none_or(JoinHandle::is_finished) {
            *task = Some(start());
        }
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        if let Some(task) = self.0.get_mut().unwrap_or_else(PoisonError::into_inner) {
            task.abort();
        }
    }
}

/// Does it over and over, each time on a new connection, for as long as the process lives.
async fn keep<F>(what: &'static str, shared: &Arc<Shared>, once: impl Fn(Arc<Shared>) -> F)
where
    F: Future<Output = (bool, Result<()>)>,
{
    let mut pause = RETRY_MIN;
    loop {
        let (worked, ended) = once(shared.clone()).await;
        if worked {
            pause = RETRY_MIN;
        }
        if let Err(error) = ended {
            tracing::debug!(%error, what, "the connection is made again");
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(RETRY_MAX);
    }
}

async fn keep_sending(shared: Arc<Shared>) {
    keep("notices", &shared, send_until_it_breaks).await;
}

async fn keep_hearing(shared: Arc<Shared>) {
    keep("listening", &shared, hear_until_it_breaks).await;
}

/// Sends what there is, whether anything was, until the connection breaks.
async fn send_until_it_breaks(shared: Arc<Shared>) -> (bool, Result<()>) {
    let mut worked = false;
    let ended = async {
        let (client, mut connection) = connect(&shared, Job::Tell).await?;
        let sending = async {
            let channel = channel(&shared, &client).await?;
            if shared.options.hears() {
                let pid = client.query_typed(shared.texts.get(Sql::SessionPid), &[]);
                let pid = pid.await.mapped()?.first().map(|row| row.try_get(0)).transpose();
                shared.sender.store(pid.mapped()?.unwrap_or_default(), Ordering::Relaxed);
            }
            let notify = shared.texts.get(Sql::Notify);
            loop {
                shared.has_news.notified().await;
                let news = std::mem::take(
                    &mut *shared.outbox.lock().unwrap_or_else(PoisonError::into_inner),
                );
                if news.is_nothing() {
                    continue;
                }
                if let Err(error) = tell(&client, notify, &channel, &written(&news)).await {
                    // For the next connection to send.
                    shared.outbox.lock().unwrap_or_else(PoisonError::into_inner).merge(&news);
                    shared.has_news.notify_one();
                    return Err(error);
                }
                worked = true;
                tokio::time::sleep(PAUSE).await;
            }
        };
        tokio::select! {
            ended = &mut connection => ended.mapped(),
            ended = sending => ended,
        }
    }
    .await;
    shared.sender.store(0, Ordering::Relaxed);
    (worked, ended)
}

/// Prepares nothing, for it may go through a pooler.
async fn tell(client: &Client, notify: &str, channel: &str, payload: &str) -> Result<()> {
    let values: [(Param<'_>, Type); 2] = [(&channel, Type::TEXT), (&payload, Type::TEXT)];
    tokio::time::timeout(PATIENCE, client.query_typed(notify, &values))
        .await
        .map_err(|_| Error::timed_out("a notice", PATIENCE))?
        .mapped()
        .map(drop)
}

/// Hears until the connection breaks. Whether anything could be heard.
async fn hear_until_it_breaks(shared: Arc<Shared>) -> (bool, Result<()>) {
    let mut worked = false;
    let ended = async {
        let (client, mut connection) = connect(&shared, Job::Hear).await?;
        let heard = Notify::new();
        let messages = async {
            loop {
                match poll_fn(|context| connection.poll_message(context)).await {
                    Some(Ok(AsyncMessage::Notification(notification))) => {
                        heard.notify_one();
                        take(&shared, &notification);
                    }
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return Err(error).mapped(),
                    None => return Ok(()),
                }
            }
        };
        let listening = async {
            let channel = channel(&shared, &client).await?;
            client.batch_execute(&format!("LISTEN \"{channel}\"")).await.mapped()?;
            worked = true;
            // Nobody has heard what was told before.
            let mut news = News::default();
            news.any();
            shared.wakeups.publish(&news);
            let (silence, patience) = shared.options.probe;
            loop {
                if tokio::time::timeout(silence, heard.notified()).await.is_err() {
                    let answer = client.batch_execute("SELECT 1");
                    let answer = tokio::time::timeout(patience, answer).await;
                    answer.map_err(|_| Error::timed_out("a probe", patience))?.mapped()?;
                }
            }
        };
        tokio::select! {
            ended = messages => ended,
            ended = listening => ended,
        }
    }
    .await;
    (worked, ended)
}

type Connection = tokio_postgres::Connection<Socket, <Connector as MakeTlsConnect<Socket>>::Stream>;

async fn connect(shared: &Shared, job: Job) -> Result<(Client, Connection)> {
    let server = server_for(&shared.options, job);
    let connecting = server.connect(shared.options.tls.connector()?);
    let connected = tokio::time::timeout(shared.options.connect_timeout, connecting);
    let connected = connected.await;
    connected
        .map_err(|_| Error::timed_out("a connection", shared.options.connect_timeout))?
        .mapped()
}

/// The channel of this store's tables; none until there are tables.
async fn channel(shared: &Shared, client: &Client) -> Result<String> {
    let table = shared.texts.prepare("table", "task_queue");
    // Behind a pooler there is no search_path of the session's own.
    let table = match &shared.options.schema {
        Some(schema) => format!("{schema}.{table}"),
        None => table,
    };
    let values: [(Param<'_>, Type); 1] = [(&table, Type::TEXT)];
    let rows = client.query_typed(shared.texts.get(Sql::Channel), &values).await.mapped()?;
    rows.first().ok_or_else(no_tables)?.try_get(0).mapped()
}

/// What another process told.
fn take(shared: &Shared, notification: &Notification) {
    if notification.process_id() != shared.sender.load(Ordering::Relaxed) {
        shared.wakeups.publish(&read(notification.payload()));
    }
}

/// As it is sent: a line for each queue, with the time when something of it is due if nothing is due
/// now; nothing, where something may have come into any queue. A trigger writes the same.
fn written(news: &News) -> String {
    let line = |(queue, came): (&QueueName, &Came)| match came.due {
        Some(due) if !came.ready => format!("{}\t{due}", queue.as_str()),
        _ => queue.as_str().to_owned(),
    };
    let all = |queues: &HashMap<QueueName, Came>| queues.iter().map(line).collect::<Vec<_>>();
    let text = news.queues().map(all).unwrap_or_default().join("\n");
    if text.len() > BYTES_MAX { String::new() } else { text }
}

/// As it was sent. What cannot be read is news of any queue.
fn read(payload: &str) -> News {
    let mut news = News::default();
    for line in payload.lines() {
        let (name, due) = match line.split_once('\t') {
            Some((name, due)) => (name, due.parse().map(Some)),
            None => (line, Ok(None)),
        };
        match (QueueName::new(name), due) {
            _ if name.is_empty() => news.any(),
            (Ok(queue), Ok(None)) => news.ready(&queue),
            (Ok(queue), Ok(Some(due))) => news.later(&queue, due),
            _ => news.any(),
        }
    }
    if payload.is_empty() {
        news.any();
    }
    news
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(name: &str) -> QueueName {
        QueueName::new(name).unwrap()
    }

    #[test]
    fn what_is_written_can_be_read() {
        let mut news = News::default();
        news.ready(&queue("mail"));
        news.later(&queue("other"), 17);
        news.later(&queue("other"), 16);
        news.ready(&queue("both"));
        news.later(&queue("both"), 3);
        let read = read(&written(&news));
        let queues = read.queues().unwrap();
        assert_eq!(queues.len(), 3);
        assert!(queues[&queue("mail")].ready && queues[&queue("both")].ready);
        assert_eq!((queues[&queue("other")].ready, queues[&queue("other")].due), (false, Some(16)));
    }

    #[test]
    fn too_much_and_nonsense_is_news_of_any_queue() {
        let mut news = News::default();
        for number in 0..200 {
            news.ready(&queue(&format!("{number:060}")));
        }
        assert_eq!(written(&news), "");
        for payload in ["", "mail\tsoon", "a b", "ä", "mail\n\n"] {
            assert!(read(payload).queues().is_none(), "{payload:?}");
        }
    }
}
