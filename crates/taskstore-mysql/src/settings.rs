//! What a connection must know of its server's settings.

use driver::prelude::Queryable;
use mysql_async as driver;
use taskstore_core::Result;

use crate::error::Mapped;

const READ: &str = "SHOW SESSION VARIABLES WHERE Variable_name IN \
    ('max_allowed_packet','wsrep_on','log_bin','binlog_format')";

/// Most bytes of values in one statement that stores many rows. One row alone may have more.
const BYTES_MAX: usize = 2 << 20;

/// Settings of a server, as a session sees them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    /// How many bytes of values a statement that stores many rows may have.
    pub(crate) bytes_max: usize,
    /// Galera: every node takes writes, and they conflict at COMMIT.
    pub(crate) is_cluster: bool,
    /// The binary log keeps the text of statements only.
    logs_statements: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { bytes_max: BYTES_MAX, is_cluster: false, logs_statements: false }
    }
}

impl Settings {
    /// Asks the server. What it does not have it does not name.
    pub(crate) async fn read(conn: &mut driver::Conn) -> Result<Self> {
        let said: Vec<(String, String)> = conn.query(READ).await.mapped()?;
        Ok(Self::of(&said))
    }

    fn of(said: &[(String, String)]) -> Self {
        let says =
            |name: &str| said.iter().find(|(n, _)| n == name).map_or("", |(_, v)| v.as_str());
        let packet = says("max_allowed_packet").parse().unwrap_or(usize::MAX);
        Self {
            // With room for the text of the statement and what frames the values.
            bytes_max: BYTES_MAX.min(packet / 2),
            is_cluster: says("wsrep_on") == "ON",
            logs_statements: says("log_bin") == "ON" && says("binlog_format") == "STATEMENT",
        }
    }

    /// Why the store cannot work with them.
    pub(crate) const fn refuse(self) -> Option<&'static str> {
        if self.logs_statements {
            return Some(
                "with binlog_format=STATEMENT InnoDB refuses every write at READ COMMITTED; \
                 set ROW or MIXED",
            );
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(said: &[(&str, &str)]) -> Settings {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Settings::of(&said.iter().map(own).collect::<Vec<_>>())
    }

    #[test]
    fn a_small_packet_makes_small_statements_and_what_is_not_said_is_as_usual() {
        assert_eq!(of(&[]), Settings::default());
        assert_eq!(of(&[("max_allowed_packet", "16777216")]).bytes_max, BYTES_MAX);
        assert_eq!(of(&[("max_allowed_packet", "1048576")]).bytes_max, 512 << 10);
    }

    #[test]
    fn a_log_of_statements_is_refused_where_there_is_a_log() {
        assert!(of(&[("log_bin", "ON"), ("binlog_format", "STATEMENT")]).refuse().is_some());
        assert_eq!(of(&[("log_bin", "OFF"), ("binlog_format", "STATEMENT")]).refuse(), None);
        assert_eq!(of(&[("log_bin", "ON"), ("binlog_format", "MIXED")]).refuse(), None);
        assert!(of(&[("wsrep_on", "ON")]).is_cluster);
    }
}
