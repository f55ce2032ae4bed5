//! One process migrates at a time. Two that make the same trigger through two nodes of a cluster would
//! stop both nodes for ever: the servers wait for each other.

use std::time::{Duration, Instant};

use taskstore_core::{Error, LeaseId, Result};

use super::{MIGRATE_MAX, MIGRATIONS};
use crate::{
    error::{is_duplicate, is_once_more},
    session::Session,
};

/// How long a migration waits for another.
const WAIT_MAX: Duration = Duration::from_secs(50);
/// How long a row that says that somebody migrates is believed: nobody takes so long.
const BELIEVED: Duration = Duration::from_secs(MIGRATE_MAX.as_secs() + 10);
/// How often it is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// The right to migrate.
pub(super) enum Lock {
    /// A lock of the server's, by name. It goes with the connection.
    Named,
    /// The row of the book that has the version 0, with this word. On a cluster, where each node has named
    /// locks of its own, or forbids them.
    Row(String),
}

impl Lock {
    /// Waits for it.
    pub(super) async fn take(session: &mut Session<'_>) -> Result<Self> {
        if session.settings().is_cluster {
            return take_row(session).await.map(Self::Row);
        }
        let ask = format!("SELECT GET_LOCK({},{})", name(session), WAIT_MAX.as_secs());
        let got = session.ask(&ask, |row| row.get::<Option<i64>>(0)).await?;
        if got == [Some(1)] { Ok(Self::Named) } else { Err(taken(WAIT_MAX)) }
    }

    /// Gives it up. A failure is of no importance: nobody believes it for ever.
    pub(super) async fn release(self, session: &mut Session<'_>) {
        let _ = match self {
            Self::Named => {
                let sql = format!("SELECT RELEASE_LOCK({})", name(session));
                session.ask(&sql, |_| Ok(())).await.map(drop)
            }
            Self::Row(word) => delete(session, &word).await,
        };
    }
}

fn taken(after: Duration) -> Error {
    Error::unavailable(format!("another migration did not end within {after:?}"))
}

/// The name of the lock, as SQL: one for each database and prefix. Not by MD5, which MySQL 9.6 no longer
/// has.
fn name(session: &Session<'_>) -> String {
    let prefix = session.texts().prefix();
    format!("CONCAT('taskstore {prefix} ',LEFT(SHA2(DATABASE(),256),32))")
}

/// All nodes agree on whose row is there, when it is committed. One whose writer died is removed after a
/// while; no clock of a node is asked for that.
async fn take_row(session: &mut Session<'_>) -> Result<String> {
    let word = LeaseId::new().to_string();
    let insert = format!(
        "INSERT INTO task_migration(version,name,checksum,compatible_from,applied_at) VALUES(0,'lock','{word}',0,0);"
    );
    let began = Instant::now();
    let mut seen: Option<(String, Instant)> = None;
    while began.elapsed() < BELIEVED + WAIT_MAX {
        run(session, MIGRATIONS.book).await?;
        match run(session, &insert).await {
            Ok(()) => return Ok(word),
            // Whoever held it has reverted everything, the book too.
            Err(Error::Schema { .. }) => continue,
            Err(error) if is_duplicate(&error) || is_once_more(&error) => {}
            Err(error) => return Err(error),
        }
        let held = holder(session).await?;
        match (&seen, held) {
            (_, None) => seen = None,
            (Some((word, since)), Some(now)) if *word == now => {
                if since.elapsed() > BELIEVED {
                    tracing::warn!("a migration was cut off long ago; another one begins");
                    delete(session, &now).await?;
                }
            }
            (_, Some(now)) => seen = Some((now, Instant::now())),
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Err(taken(began.elapsed()))
}

async fn holder(session: &mut Session<'_>) -> Result<Option<String>> {
    let sql = "SELECT checksum FROM task_migration WHERE version=0;";
    let sql = session.texts().prepare("migration_lock", sql);
    match session.ask(&sql, |row| row.text(0)).await {
        Ok(words) => Ok(words.into_iter().next()),
        Err(Error::Schema { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The word is one that was read from there, or made here: digits and letters.
async fn delete(session: &mut Session<'_>, word: &str) -> Result<()> {
    let word: String = word.chars().filter(char::is_ascii_alphanumeric).collect();
    run(session, &format!("DELETE FROM task_migration WHERE version=0 AND checksum='{word}';"))
        .await
}

async fn run(session: &mut Session<'_>, sql: &str) -> Result<()> {
    let sql = session.texts().prepare("migration_lock", sql);
    session.run(&sql).await
}
