//! How a store is opened.

use std::{fmt, time::Duration};

use taskstore_core::{Error, Result};

use crate::{
    sql::{Patch, Plans},
    tls::Tls,
};

/// Most characters of a prefix.
const PREFIX_CHARS_MAX: usize = 20;

/// Where a store is, and how it is opened. Every setting has a default that fits.
///
/// ```
/// # use taskstore_mysql::MysqlOptions;
/// let options = MysqlOptions::new("db.example.com", "app").user("worker").password("secret").prefix("app_")?;
/// let same = MysqlOptions::from_url("mysql://worker:secret@db.example.com/app?prefix=app_")?;
/// assert_eq!(format!("{options:?}"), format!("{same:?}"));
/// # Ok::<(), taskstore_core::Error>(())
/// ```
#[derive(Clone)]
pub struct MysqlOptions {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) user: String,
    pub(crate) password: Option<String>,
    pub(crate) database: String,
    pub(crate) prefix: String,
    pub(crate) pool: u32,
    pub(crate) connect_timeout: Duration,
    pub(crate) call_timeout: Duration,
    pub(crate) tls: Tls,
    pub(crate) patch: Option<Patch>,
    pub(crate) plans: Option<Plans>,
}

/// Without the password.
impl fmt::Debug for MysqlOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MysqlOptions")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("user", &self.user)
            .field("database", &self.database)
            .field("prefix", &self.prefix)
            .field("pool", &self.pool)
            .finish_non_exhaustive()
    }
}

impl MysqlOptions {
    /// The store in this database of the server at this host, port 3306, as user `root` without a
    /// password.
    #[must_use]
    pub fn new(host: impl Into<String>, database: impl Into<String>) -> Self {
        Self {
            host: host.into(),
            port: 3306,
            user: "root".to_owned(),
            password: None,
            database: database.into(),
            prefix: String::new(),
            pool: 8,
            connect_timeout: Duration::from_secs(5),
            call_timeout: Duration::from_secs(10),
            tls: Tls::default(),
            patch: None,
            plans: None,
        }
    }

    /// The store that a URL names: `mysql://user:password@host:3306/database`, or `mariadb://`, with
    /// `%40` for an `@` and so on, and after a `?` any of `prefix=app_`, `pool=8`,
    /// `connect_timeout=5` (seconds), `ssl-mode=preferred` and `ssl-ca=/etc/authorities.pem`.
    ///
    /// `ssl-mode` is what every client of MySQL means by it. All but `disabled` needs the feature `tls`,
    /// without which the default is not to encrypt:
    ///
    /// | `ssl-mode` | encrypted | the server's certificate |
    /// |---|---|---|
    /// | `disabled` | no | |
    /// | `preferred`, the default | if the server can | any |
    /// | `required` | yes | any |
    /// | `verify_identity`, the default with `ssl-ca` | yes | of an authority in `ssl-ca`, or of the system, and made out for this host |
    ///
    /// `verify_ca` is refused: the driver cannot leave the name out.
    ///
    /// # Errors
    /// [`Error::Invalid`] that names `url`: another scheme, no host or database, a demand for TLS
    /// without the feature, or a parameter that is unknown or has a value that it cannot have.
    pub fn from_url(url: &str) -> Result<Self> {
        crate::url::parse(url)
    }

    /// The port; 3306 by default.
    #[must_use]
    pub const fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Who connects.
    #[must_use]
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.user = user.into();
        self
    }

    /// With which password. Never shown.
    #[must_use]
    pub fn password(mut self, password: impl Into<String>) -> Self {
        self.password = Some(password.into());
        self
    }

    /// What goes before the name of every table and view, so that several stores share a database:
    /// lower-case letters, digits and `_`, a letter first, at most 20. None by default.
    ///
    /// # Errors
    /// [`Error::Invalid`] that names `prefix`.
    pub fn prefix(mut self, prefix: &str) -> Result<Self> {
        check_prefix(prefix)?;
        prefix.clone_into(&mut self.prefix);
        Ok(self)
    }

    /// How many connections may be in use at the same time, 1 to 256; 8 by default. Made when needed.
    /// Each runner has one more, for its heartbeats.
    ///
    /// # Errors
    /// [`Error::Invalid`] that names `pool`.
    pub fn pool(mut self, connections: u32) -> Result<Self> {
        if !(1..=256).contains(&connections) {
            return Err(Error::invalid("pool", format!("{connections} is not between 1 and 256")));
        }
        self.pool = connections;
        Ok(self)
    }

    /// How long a new connection may take; 5 s by default.
    ///
    /// # Errors
    /// [`Error::Invalid`] that names `connect_timeout`: it is not between 100 ms and 60 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Result<Self> {
        if !(Duration::from_millis(100)..=Duration::from_secs(60)).contains(&timeout) {
            let reason = format!("{timeout:?} is not between 100 ms and 60 s");
            return Err(Error::invalid("connect_timeout", reason));
        }
        self.connect_timeout = timeout;
        Ok(self)
    }

    /// How long a call may take, with all that it is tried anew; 10 s by default. What takes longer is an
    /// error that is worth another try, and leaves open what became of it.
    ///
    /// # Errors
    /// [`Error::Invalid`] that names `call_timeout`: it is not between 1 s and 10 min.
    pub fn call_timeout(mut self, timeout: Duration) -> Result<Self> {
        if !(Duration::from_secs(1)..=Duration::from_secs(600)).contains(&timeout) {
            let reason = format!("{timeout:?} is not between 1 s and 10 min");
            return Err(Error::invalid("call_timeout", reason));
        }
        self.call_timeout = timeout;
        Ok(self)
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
}

#[cfg(debug_assertions)]
impl MysqlOptions {
    /// Has each statement explained by the server before it is run. For tests of plans alone, and not
    /// there in a release build.
    #[doc(hidden)]
    #[must_use]
    pub fn watch_plans(mut self, plans: fn(text: &str, steps: &[crate::PlanStep])) -> Self {
        self.plans = Some(plans);
        self
    }
}

fn check_prefix(prefix: &str) -> Result<()> {
    let fits = prefix.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if prefix.is_empty() {
        return Ok(());
    }
    if !fits || !prefix.starts_with(|c: char| c.is_ascii_lowercase()) {
        return Err(Error::invalid(
            "prefix",
            "it may have lower-case letters, digits and _, and begins with a letter",
        ));
    }
    if prefix.len() > PREFIX_CHARS_MAX {
        return Err(Error::invalid(
            "prefix",
            format!("it is longer than {PREFIX_CHARS_MAX} characters"),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_a_short_lower_case_name() {
        for good in ["", "a", "app_", "a1_b2", &"p".repeat(20)] {
            assert!(MysqlOptions::new("h", "d").prefix(good).is_ok(), "{good:?}");
        }
        for bad in ["1a", "_a", "App", "a-b", "a b", "a;", "ä", "a`", &"p".repeat(21)] {
            let error = MysqlOptions::new("h", "d").prefix(bad).unwrap_err();
            assert!(matches!(error, Error::Invalid { field: "prefix", .. }), "{bad:?}");
        }
    }

    #[test]
    fn a_password_is_not_shown() {
        let options = MysqlOptions::new("h", "d").password("hush");
        assert!(!format!("{options:?}").contains("hush"));
    }
}
