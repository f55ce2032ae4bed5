//! PgBouncer before a PostgreSQL: what a store meets where a pooler is between.

use std::path::Path;

use super::debian;
use crate::{
    Result,
    servers::{Account, Make, Plan, Program, Server, program, put},
};

/// A pooler that lends a connection for each transaction: whatever works behind it works behind one that
/// lends for a session.
#[derive(Debug)]
struct PgBouncer {
    /// The pooler, behind its loader.
    program: Vec<String>,
    /// Where the server behind it is.
    port: u16,
}

/// So few connections that whoever keeps one, or leaves something on one, is noticed.
const CONNECTIONS: u32 = 2;

/// Starts a pooler before this server: the one that is installed, or Debian's, unpacked beside the system.
pub(crate) fn before(server: &Server) -> Result<Server> {
    let program = match program(&["pgbouncer"]) {
        Some(installed) => vec![installed.display().to_string()],
        None => debian::program(&debian::unpacked("trixie", &["pgbouncer"])?, "usr/sbin/pgbouncer"),
    };
    let mut pooler = Server::start(&PgBouncer { program, port: server.port })?;
    pooler.version =
        format!("{}, {CONNECTIONS} connections, before {}", pooler.version, server.version);
    Ok(pooler)
}

impl Make for PgBouncer {
    fn name(&self) -> String {
        "PgBouncer".into()
    }

    fn accounts(&self) -> &'static [&'static str] {
        &["postgres", "nobody"]
    }

    fn plan(&self, folder: &Path, account: Option<Account>, port: u16) -> Result<Plan> {
        let file = folder.join("pgbouncer.ini");
        put(&file, &configuration(self.port, port), account)?;
        let mut server = Program::new(self.program.iter().cloned());
        server.words.push(file.display().to_string());
        Ok(Plan {
            folder: folder.to_owned(),
            account,
            before: Vec::new(),
            server,
            stop: "KILL".into(),
        })
    }

    fn is_ready(&self, line: &str) -> bool {
        line.contains("process up: PgBouncer")
    }

    fn version(&self, line: &str) -> Option<String> {
        let (_, version) = line.split_once("process up: PgBouncer ")?;
        Some(format!("PgBouncer {}", version.split([',', ' ']).next()?))
    }

    fn url(&self, port: u16) -> String {
        // Notices are not heard through it, but of the server itself.
        let server = self.port;
        format!(
            "postgres://postgres@127.0.0.1:{port}/postgres?pooler=transaction&\
             listen=postgres://postgres@127.0.0.1:{server}/postgres"
        )
    }
}

fn configuration(server: u16, port: u16) -> String {
    format!(
        "[databases]\n\
         * = host=127.0.0.1 port={server} user=postgres\n\
         [pgbouncer]\n\
         listen_addr = 127.0.0.1\n\
         listen_port = {port}\n\
         unix_socket_dir =\n\
         auth_type = any\n\
         pool_mode = transaction\n\
         default_pool_size = {CONNECTIONS}\n\
         max_client_conn = 1000\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_what_the_pooler_says() {
        let pooler = PgBouncer { program: Vec::new(), port: 7 };
        let says = "2026-03-01 07:00:00.000 UTC [7] LOG process up: PgBouncer 1.24.1, libevent 2.1";
        assert!(pooler.is_ready(says));
        assert_eq!(pooler.version(says).as_deref(), Some("PgBouncer 1.24.1"));
    }
}
