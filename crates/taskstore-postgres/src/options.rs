//! How a store is opened.

use std::{fmt, time::Duration};

use taskstore_core::{Error, Result};

use crate::{sql::Patch, tls::Tls};

/// Most characters of a prefix.
const PREFIX_CHARS_MAX: usize = 20;
/// Most characters of a schema's name: PostgreSQL cuts longer ones.
const SCHEMA_CHARS_MAX: usize = 63;

/// How long nothing may be heard before it is asked whether the server is still there: a connection
/// can die without a word.
const PROBE_AFTER: Duration = Duration::from_secs(20);
const PROBE_PATIENCE: Duration = Duration::from_secs(5);

/// How a store is opened. Made [from a URL](Self::from_url); every setting has a default that fits.
///
/// ```
/// # use taskstore_postgres::PostgresOptions;
/// let options = PostgresOptions::from_url("postgres://app:secret@db.example/app?pool=16")?
///     .prefix("app_")?
///     .application_name("mailer");
/// assert!(!format!("{options:?}").contains("secret"));
/// # Ok::<(), taskstore_core::Error>(())
/// ```
#[derive(Clone)]
pub struct PostgresOptions {
    pub(crate) server: tokio_postgres::Config,
    pub(crate) prefix: String,
    pub(crate) schema: Option<String>,
    pub(crate) pool: u32,
    pub(crate) application_name: String,
    pub(crate) connect_timeout: Duration,
    /// `None`: as far as the way to the server allows.
    pub(crate) listen: Option<bool>,
    /// Where notices are told and heard, if not where everything else goes.
    pub(crate) listen_at: Option<tokio_postgres::Config>,
    /// Whether a pooler lends a connection for each transaction.
    pub(crate) pooled: bool,
    /// Whether only a server that takes writes is right.
    pub(crate) primary: bool,
    pub(crate) tls: Tls,
    pub(crate) patch: Option<Patch>,
    /// After how long without a notice the server is asked whether it is there, and how long it may take.
    pub(crate) probe: (Duration, Duration),
}

impl PostgresOptions {
    pub(crate) fn new(server: tokio_postgres::Config) -> Self {
        Self {
            server,
            prefix: String::new(),
            schema: None,
            pool: 8,
            application_name: "taskstore".to_owned(),
            connect_timeout: Duration::from_secs(5),
            listen: None,
            listen_at: None,
            pooled: false,
            primary: false,
            tls: Tls::default(),
            patch: None,
            probe: (PROBE_AFTER, PROBE_PATIENCE),
        }
    }

    /// The store that a URL names: `postgres://user:password@host:port/database`, each part with `%20`
    /// for a space and so on, and after a `?` any of these:
    ///
    /// | parameter | values, the default first |
    /// |---|---|
    /// | `pool` | `8`: see [`pool`](Self::pool) |
    /// | `prefix`, `schema` | none: see [`prefix`](Self::prefix) and [`schema`](Self::schema) |
    /// | `application_name` | `taskstore` |
    /// | `connect_timeout` | `5`: seconds |
    /// | `pooler` | `none`; `transaction`: see [`pooler`](Self::pooler) |
    /// | `listen` | `on`, `off`, or the URL of the server itself, for notices alone: see [`listen`](Self::listen) and [`listen_at`](Self::listen_at) |
    /// | `target_session_attrs` | `any`, but `read-write` where there are several hosts, as in `postgres://app@a,b:5433/app`: the first that takes writes |
    /// | `host` | the folder of a unix socket, as in `postgres:///app?host=/run/postgresql` |
    /// | `sslmode` | `prefer` with the feature `tls`, without it `disable` |
    /// | `sslrootcert` | the system's authorities: a file of others, such as `/etc/authorities.pem` |
    ///
    /// `sslmode` is what every client of PostgreSQL means by it. All but `disable` needs the feature
    /// `tls`, without which the default is not to encrypt:
    ///
    /// | `sslmode` | encrypted | the server's certificate |
    /// |---|---|---|
    /// | `disable` | no | |
    /// | `prefer`, the default | if the server can | any |
    /// | `require` | yes | any; with `sslrootcert` as `verify-ca` |
    /// | `verify-ca` | yes | of an authority in `sslrootcert`, or of the system |
    /// | `verify-full` | yes | and made out for this host |
    ///
    /// # Errors
    /// [`Error::Invalid`] that names `url`: another scheme, no host, or a parameter that is unknown or
    /// has a value that it cannot have. It never shows the password.
    pub fn from_url(url: &str) -> Result<Self> {
        crate::url::parse(url)
    }

    /// How many connections work for runners at the same time, 1 to 1,000; 8 by default. Made when
    /// needed. Beside them are at most four for whoever looks, one that listens, and one for each
    /// runner's heartbeat.
    ///
    /// # Errors
    /// [`Error::Invalid`] that names `pool`.
    pub fn pool(mut self, connections: u32) -> Result<Self> {
        if !(1..=1_000).contains(&connections) {
            return Err(Error::invalid("pool", format!("{connections} is not between 1 and 1000")));
        }
        self.pool = connections;
        Ok(self)
    }

    /// What goes before the name of every table, index and view, so that several stores share a
    /// schema: lower-case letters, digits and `_`, a letter first, at most 20. None by default.
    ///
    /// # Errors
    /// [`Error::Invalid`] that names `prefix`.
    pub fn prefix(mut self, prefix: &str) -> Result<Self> {
        check_name("prefix", prefix, PREFIX_CHARS_MAX)?;
        prefix.clone_into(&mut self.prefix);
        Ok(self)
    }

    /// The schema of the tables, which must be there; by default that of the user's `search_path`.
    /// Written as a prefix is, at most 63 characters.
    ///
    /// # Errors
    /// [`Error::Invalid`] that names `schema`.
    pub fn schema(mut self, schema: &str) -> Result<Self> {
        check_name("schema", schema, SCHEMA_CHARS_MAX)?;
        self.schema = (!schema.is_empty()).then(|| schema.to_owned());
        Ok(self)
    }

    /// What the server shows in `pg_stat_activity`; `taskstore` by default.
    #[must_use]
    pub fn application_name(mut self, name: impl Into<String>) -> Self {
        self.application_name = name.into();
        self
    }

    /// How long to wait for a connection; 5 seconds by default.
    #[must_use]
    pub const fn connect_timeout(mut self, at_most: Duration) -> Self {
        self.connect_timeout = at_most;
        self
    }

    /// Whether to tell other processes of new work with NOTIFY, and to hear them with LISTEN, over a
    /// connection each; on by default. Without it they find new work when they next look. Behind a
    /// [pooler](Self::pooler) the default is to tell and not to hear, for there nothing can be heard,
    /// unless [`listen_at`](Self::listen_at) says where.
    #[must_use]
    pub const fn listen(mut self, listen: bool) -> Self {
        self.listen = Some(listen);
        self
    }

    /// Where notices are told and heard, as a URL of the server itself,
    /// `postgres://user:password@host:port/database` and nothing more; everything else goes where the
    /// store's own URL says, such as to a [pooler](Self::pooler). By default they go there too.
    ///
    /// # Errors
    /// [`Error::Invalid`] that names `listen`. It never shows the password.
    pub fn listen_at(mut self, url: &str) -> Result<Self> {
        self.listen_at = Some(crate::url::parse_server(url)?);
        Ok(self)
    }

    /// Whether something between lends a connection of the server for one transaction at a time, as PgBouncer
    /// does with `pool_mode=transaction`, and many that are run by others; no by default. Then nothing is
    /// expected to outlast a transaction: every call is one, tells the server how it is to work, and
    /// prepares nothing. It is right behind a pooler that lends for a session, too.
    #[must_use]
    pub const fn pooler(mut self, lends_for_a_transaction: bool) -> Self {
        self.pooled = lends_for_a_transaction;
        self
    }

    /// Whether other processes are told of new work.
    pub(crate) fn tells(&self) -> bool {
        self.listen != Some(false)
    }

    /// Whether other processes are heard.
    pub(crate) fn hears(&self) -> bool {
        self.tells() && (self.listen_at.is_some() || !self.pooled)
    }

    /// Settings that contradict each other.
    pub(crate) fn check(&self) -> Result<()> {
        if self.listen == Some(true) && !self.hears() {
            return Err(Error::invalid(
                "listen",
                "nothing can be heard behind a pooler: say listen=postgres://.. with the server itself, or leave it out",
            ));
        }
        Ok(())
    }

    /// Plants a bug: the text to run instead of that of a file, by the file's name. For tests of the
    /// tests alone, and not there in a release build.
    #[doc(hidden)]
    #[cfg(debug_assertions)]
    #[must_use]
    pub fn patch_sql(mut self, patch: fn(name: &str, text: &str) -> Option<String>) -> Self {
        self.patch = Some(patch);
        self
    }

    /// After how long without a notice the server is asked whether it is there, and how long its answer may
    /// take. For tests that have no time for the default of 20 s and 5 s, and not there in a release build.
    #[doc(hidden)]
    #[cfg(debug_assertions)]
    #[must_use]
    pub const fn probe_after(mut self, silence: Duration, patience: Duration) -> Self {
        self.probe = (silence, patience);
        self
    }
}

// Without the server, whose password must not be shown.
impl fmt::Debug for PostgresOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresOptions")
            .field("hosts", &self.server.get_hosts())
            .field("ports", &self.server.get_ports())
            .field("database", &self.server.get_dbname())
            .field("prefix", &self.prefix)
            .field("schema", &self.schema)
            .field("pool", &self.pool)
            .field("application_name", &self.application_name)
            .field("connect_timeout", &self.connect_timeout)
            .field("listen", &self.listen)
            .field("pooled", &self.pooled)
            .field("primary", &self.primary)
            .finish_non_exhaustive()
    }
}

fn check_name(field: &'static str, name: &str, chars_max: usize) -> Result<()> {
    let fits = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if name.is_empty() {
        return Ok(());
    }
    if !fits || !name.starts_with(|c: char| c.is_ascii_lowercase()) {
        return Err(Error::invalid(
            field,
            "it may have lower-case letters, digits and _, and begins with a letter",
        ));
    }
    if name.len() > chars_max {
        return Err(Error::invalid(field, format!("it is longer than {chars_max} characters")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_and_a_schema_are_short_lower_case_names() {
        let options = || PostgresOptions::from_url("postgres://localhost/x").unwrap();
        for good in ["", "a", "app_", "a1_b2", &"p".repeat(20)] {
            assert!(options().prefix(good).is_ok(), "{good:?}");
            assert!(options().schema(good).is_ok(), "{good:?}");
        }
        for bad in ["1a", "_a", "App", "a-b", "a b", "a;", "ä", "a\"", &"p".repeat(64)] {
            let error = options().prefix(bad).unwrap_err();
            assert!(matches!(error, Error::Invalid { field: "prefix", .. }), "{bad:?}");
            let error = options().schema(bad).unwrap_err();
            assert!(matches!(error, Error::Invalid { field: "schema", .. }), "{bad:?}");
        }
        assert!(options().pool(0).is_err() && options().pool(1_001).is_err());
    }

    #[test]
    fn a_password_is_never_shown() {
        let options = PostgresOptions::from_url("postgres://me:hunter2@localhost/x").unwrap();
        assert!(!format!("{options:?}").contains("hunter2"));
    }
}
