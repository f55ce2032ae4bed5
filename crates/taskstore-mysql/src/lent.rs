//! A connection that a caller lends, in a transaction of the caller's: what is looked at before the first
//! statement, and how it is left.
//!
//! Never commits. What is done in between lies in a savepoint, so that an error leaves nothing and the
//! caller can go on. The savepoint is not released, which would cost a round trip: the next one of that
//! name takes its place.

use taskstore_core::{Error, Result};

use crate::{
    backend::MysqlBackend,
    error::{is_broken, is_no_savepoint, is_not_there, is_read_only, is_too_new},
    link::Link,
    session::{Row, Session},
    sql::Sql,
};

/// Which database it is.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    database: String,
    made_at: Option<i64>,
}

impl Identity {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self { database: row.maybe_text(0)?.unwrap_or_default(), made_at: row.get(1)? })
    }

    /// That of the store's own connections.
    pub(crate) async fn ask(session: &mut Session<'_>) -> Result<Self> {
        let found = session.first(Sql::Identity, Vec::new(), Self::read).await?;
        found.ok_or_else(|| Error::backend("the server does not say which database this is"))
    }

    fn is(&self, other: &Self) -> bool {
        // A server that ignores the case of names shows what was typed.
        self.database.eq_ignore_ascii_case(&other.database) && self.made_at == other.made_at
    }
}

/// A caller's connection at work.
pub(crate) struct Lent<'c> {
    pub(crate) session: Session<'c>,
    /// The time of what is done now, in microseconds.
    pub(crate) now: i64,
    /// Puts the caller's settings back, where they would have changed what statements mean.
    back: Option<String>,
}

impl<'c> Lent<'c> {
    /// Sees that a transaction is open there, in the store's own database.
    ///
    /// # Errors
    /// [`Invalid`](Error::Invalid) with field `transaction`: it is not.
    pub(crate) async fn open(backend: &MysqlBackend, link: &'c mut dyn Link) -> Result<Self> {
        let ours = backend.identity().await?;
        let mut session = Session::lent(link, backend.texts().clone());
        let text = backend.texts().get(Sql::Lend);
        let found = match session.ask(text, Found::read).await {
            Ok(found) => found.into_iter().next(),
            Err(error) if is_no_savepoint(&error) => return Err(wrong(NOT_OPEN.to_owned())),
            Err(error) if is_not_there(&error) => {
                let database = session.ask("SELECT DATABASE()", |row| row.maybe_text(0)).await;
                let database = database.ok().and_then(|found| found.into_iter().next().flatten());
                let database = database.unwrap_or_default();
                if database.eq_ignore_ascii_case(&ours.database) {
                    return Err(error);
                }
                return Err(elsewhere(&database, &ours));
            }
            Err(error) => return Err(error),
        };
        let found =
            found.ok_or_else(|| Error::backend("a transaction does not say where it is"))?;
        // The tables may have been made anew since.
        if !found.identity.is(&ours) && !found.identity.is(&backend.identity_anew().await?) {
            return Err(elsewhere(&found.identity.database, &ours));
        }
        let back = found.settings.back();
        if back.is_some() {
            session.run(OURS).await?;
        }
        Ok(Self { session, now: found.now, back })
    }

    /// Leaves the transaction as the caller goes on with it: after an error as it was before.
    ///
    /// # Errors
    /// That of `done`, or what else went wrong.
    pub(crate) async fn close<R>(mut self, done: Result<R>) -> Result<R> {
        let done = match done {
            Err(error) if !is_broken(&error) => Err(self.undo(error).await),
            done => done,
        };
        let back = match &self.back {
            Some(back) if !done.as_ref().is_err_and(is_broken) => self.session.run(back).await,
            _ => Ok(()),
        };
        done.and_then(|answer| back.map(|()| answer))
    }

    async fn undo(&mut self, error: Error) -> Error {
        let undone = self.session.run("ROLLBACK TO SAVEPOINT taskstore").await;
        if is_too_new(&error) {
            return Error::unavailable(format!(
                "{}: the transaction has read before the store wrote what it needs, and this server \
                 (innodb_snapshot_isolation) does not let it see that; roll back, and begin it at READ \
                 COMMITTED",
                cause(&error)
            ));
        }
        match undone {
            Err(gone) if is_no_savepoint(&gone) => Error::unavailable(format!(
                "{}: with it the server has rolled back the whole transaction; begin it anew, and commit \
                 nothing of this one",
                cause(&error)
            )),
            _ if is_read_only(&error) => wrong("it was begun as one that only reads".to_owned()),
            _ => error,
        }
    }
}

const NOT_OPEN: &str = "none is open on this connection: begin one";

fn wrong(reason: String) -> Error {
    Error::invalid("transaction", reason)
}

fn elsewhere(theirs: &str, ours: &Identity) -> Error {
    let name = &ours.database;
    wrong(if theirs.is_empty() {
        format!("its connection has no database selected, and the tasks are in {name:?}")
    } else if theirs.eq_ignore_ascii_case(name) {
        format!(
            "its connection is to a database {theirs:?} of another server than that of the tasks"
        )
    } else {
        format!("its connection is to the database {theirs:?}, and the tasks are in {name:?}")
    })
}

/// What an error says, without what it is of.
fn cause(error: &Error) -> String {
    match error {
        Error::Unavailable { source } | Error::Backend { source } => source.to_string(),
        error => error.to_string(),
    }
}

/// What `lend` answers.
struct Found {
    identity: Identity,
    now: i64,
    settings: Settings,
}

impl Found {
    fn read(row: &Row) -> Result<Self> {
        let settings = Settings {
            sql_mode: row.text(3)?,
            client: row.text(4)?,
            connection: row.text(5)?,
            results: row.maybe_text(6)?,
            collation: row.text(7)?,
            safe_updates: row.get(8)?,
            select_limit: row.get(9)?,
        };
        Ok(Self { identity: Identity::read(row)?, now: row.get(2)?, settings })
    }
}

/// What statements mean depends on these.
#[derive(Clone)]
struct Settings {
    sql_mode: String,
    client: String,
    connection: String,
    /// `None`: whatever it is.
    results: Option<String>,
    collation: String,
    safe_updates: bool,
    select_limit: u64,
}

/// Modes that change nothing for the store's statements. One of the two that refuse bad values must be
/// there.
const HARMLESS: [&str; 9] = [
    "STRICT_TRANS_TABLES",
    "STRICT_ALL_TABLES",
    "ONLY_FULL_GROUP_BY",
    "NO_ZERO_IN_DATE",
    "NO_ZERO_DATE",
    "ERROR_FOR_DIVISION_BY_ZERO",
    "NO_ENGINE_SUBSTITUTION",
    "NO_AUTO_CREATE_USER",
    "TRADITIONAL",
];

/// As it is on the store's own connections.
const OURS: &str = "SET NAMES utf8mb4; \
    SET SESSION sql_mode='STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION',sql_safe_updates=0,\
    sql_select_limit=18446744073709551615";

impl Settings {
    /// Whether the store's statements mean here what they say.
    fn fit(&self) -> bool {
        let modes = || self.sql_mode.split(',').filter(|mode| !mode.is_empty());
        let texts = [Some(&self.client), Some(&self.connection), self.results.as_ref()];
        texts.iter().all(|charset| charset.is_some_and(|name| name == "utf8mb4"))
            && modes().all(|mode| HARMLESS.contains(&mode))
            && modes().any(|mode| mode.starts_with("STRICT_"))
            && !self.safe_updates
            && self.select_limit == u64::MAX
    }

    /// The statement that sets them again; `None`: they fit as they are.
    fn back(&self) -> Option<String> {
        if self.fit() {
            return None;
        }
        let results = self.results.as_ref().map_or_else(|| "NULL".to_owned(), |name| quoted(name));
        Some(format!(
            "SET SESSION sql_mode={},character_set_client={},character_set_results={results},\
             collation_connection={},sql_safe_updates={},sql_select_limit={}",
            quoted(&self.sql_mode),
            quoted(&self.client),
            quoted(&self.collation),
            u8::from(self.safe_updates),
            self.select_limit,
        ))
    }
}

/// A name that the server itself said, of which nothing else than a name is taken.
fn quoted(name: &str) -> String {
    let plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | ',');
    format!("'{}'", name.chars().filter(plain).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usual() -> Settings {
        Settings {
            sql_mode: "ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION".into(),
            client: "utf8mb4".into(),
            connection: "utf8mb4".into(),
            results: Some("utf8mb4".into()),
            collation: "utf8mb4_0900_ai_ci".into(),
            safe_updates: false,
            select_limit: u64::MAX,
        }
    }

    #[test]
    fn the_usual_settings_stay_and_others_are_put_back() {
        assert_eq!(usual().back(), None);
        for strange in [
            Settings { sql_mode: String::new(), ..usual() },
            Settings { sql_mode: "ANSI_QUOTES,STRICT_ALL_TABLES".into(), ..usual() },
            Settings { client: "latin1".into(), ..usual() },
            Settings { connection: "latin1".into(), collation: "latin1_bin".into(), ..usual() },
            Settings { results: None, ..usual() },
            Settings { safe_updates: true, ..usual() },
            Settings { select_limit: 10, ..usual() },
        ] {
            let back = strange.back().unwrap();
            assert!(back.contains(&format!("sql_mode='{}'", strange.sql_mode)), "{back}");
            assert!(back.contains(&format!("sql_select_limit={}", strange.select_limit)), "{back}");
        }
    }

    #[test]
    fn two_databases_are_told_apart_by_name_and_by_when_they_were_made() {
        let of = |database: &str, made_at| Identity { database: database.into(), made_at };
        assert!(of("app", Some(1)).is(&of("App", Some(1))));
        assert!(!of("app", Some(1)).is(&of("app", Some(2))));
        assert!(!of("app", Some(1)).is(&of("copy", Some(1))));
        assert!(elsewhere("app", &of("app", Some(1))).to_string().contains("another server"));
    }
}
