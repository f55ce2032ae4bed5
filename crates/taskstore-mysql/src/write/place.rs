//! The only ways into a queue and out of it.

use std::collections::HashSet;

use taskstore_core::{QueueName, Result};

use crate::{
    convert::until,
    session::{Session, values},
    sql::Sql,
};

/// Where a task waits: the key of its row in ready and in later, which its record repeats.
#[derive(Clone, Debug)]
pub(crate) struct Spot {
    pub(crate) task: i64,
    pub(crate) definition: i64,
    pub(crate) queue: QueueName,
    pub(crate) priority: i64,
    pub(crate) run_at: i64,
}

/// Where a task that is active is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Later,
    Ready,
    Leased,
}

/// Tasks to put into their places, with one statement for each place.
#[derive(Debug, Default)]
pub(crate) struct Arrivals {
    ready: Vec<Vec<mysql_async::Value>>,
    later: Vec<Vec<mysql_async::Value>>,
}

impl Arrivals {
    /// The task goes where its time says.
    pub(crate) fn place(&mut self, session: &mut Session<'_>, spot: &Spot, now: i64) {
        if spot.run_at <= now {
            self.place_ready(session, spot);
        } else {
            self.later.push(spot.row());
            session.tell(|news| news.later(&spot.queue, until(spot.run_at, now)));
        }
    }

    /// The task goes where it can be claimed, whatever its time is.
    pub(crate) fn place_ready(&mut self, session: &mut Session<'_>, spot: &Spot) {
        self.ready.push(spot.row());
        session.tell(|news| news.ready(&spot.queue));
    }

    /// Puts all of them there.
    pub(crate) async fn store(self, session: &mut Session<'_>) -> Result<()> {
        session.execute_many(Sql::LaterInsert, self.later).await?;
        session.execute_many(Sql::ReadyInsert, self.ready).await.map(drop)
    }
}

impl Spot {
    fn row(&self) -> Vec<mysql_async::Value> {
        values![self.queue.as_str(), self.priority, self.run_at, self.task, self.definition]
    }
}

/// The key of a row of ready, as JSON.
pub(crate) fn ready_key(queue: &str, priority: i64, run_at: i64, task: i64) -> String {
    // A name may have quotes in it.
    let queue = serde_json::Value::from(queue);
    format!("[{queue},{priority},{run_at},{task}]")
}

/// Where each of these active tasks is, by position. Their rows are locked from here on, so nobody
/// claims or promotes them; a claim that has just taken one is waited for.
pub(crate) async fn find_places(session: &mut Session<'_>, spots: &[&Spot]) -> Result<Vec<Place>> {
    if spots.is_empty() {
        return Ok(Vec::new());
    }
    let mut sorted = spots.to_vec();
    sorted.sort_by_key(|spot| (spot.run_at, spot.task));
    let list = crate::convert::json_list(
        sorted.iter().map(|spot| format!("[{},{}]", spot.run_at, spot.task)),
    );
    let later: Vec<i64> = session.all(Sql::LaterLock, values![list], |row| row.get(0)).await?;
    let later: HashSet<i64> = later.into_iter().collect();
    sorted.retain(|spot| !later.contains(&spot.task));
    sorted.sort_by(|a, b| {
        let key = |spot: &Spot| (spot.priority, spot.run_at, spot.task);
        a.queue.as_str().cmp(b.queue.as_str()).then(key(a).cmp(&key(b)))
    });
    let mut ready: HashSet<i64> = HashSet::new();
    if !sorted.is_empty() {
        let list = crate::convert::json_list(
            sorted
                .iter()
                .map(|spot| ready_key(spot.queue.as_str(), spot.priority, spot.run_at, spot.task)),
        );
        let rows = session.all(Sql::ReadyLock, values![list], |row| row.get::<i64>(0)).await?;
        ready.extend(rows);
    }
    let place = |spot: &&Spot| {
        if later.contains(&spot.task) {
            Place::Later
        } else if ready.contains(&spot.task) {
            Place::Ready
        } else {
            Place::Leased
        }
    };
    Ok(spots.iter().map(place).collect())
}
