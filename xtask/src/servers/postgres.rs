//! PostgreSQL.

use std::path::{Path, PathBuf};

use super::{
    account::Account,
    certificate::Certificate,
    find,
    server::Make,
    supervisor::{Plan, Program},
};
use crate::Result;

/// An installed PostgreSQL.
#[derive(Clone, Debug)]
pub(crate) struct Postgres {
    /// Where `initdb` and `postgres` are.
    pub(crate) programs: PathBuf,
}

impl Postgres {
    /// What is installed on this machine: what `PATH` has, else Debian's newest.
    pub(crate) fn installed() -> Option<Self> {
        let beside = |program: PathBuf| program.parent().map(Path::to_owned);
        let programs = find::program(&["postgres"])
            .and_then(beside)
            .or_else(|| find::newest(Path::new("/usr/lib/postgresql"), "bin"))?;
        let whole = ["initdb", "postgres"].iter().all(|name| programs.join(name).is_file());
        whole.then_some(Self { programs })
    }

    fn program(&self, name: &str) -> String {
        self.programs.join(name).display().to_string()
    }
}

impl Make for Postgres {
    fn name(&self) -> String {
        "PostgreSQL".into()
    }

    fn accounts(&self) -> &'static [&'static str] {
        &["postgres", "nobody"]
    }

    fn plan(&self, folder: &Path, account: Option<Account>, port: u16) -> Result<Plan> {
        let data = folder.join("data").display().to_string();
        // The folder is written to no disk before it is used, as it does not outlive the machine.
        // What is written later is, as it would be in earnest.
        let initialize = Program::new([
            &self.program("initdb"),
            "--pgdata",
            &data,
            "--username=postgres",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
            "--no-instructions",
        ]);
        let Certificate { certificate, key } = Certificate::put(folder, account)?;
        let server = Program::new([
            &self.program("postgres"),
            "-D",
            &data,
            "-p",
            &port.to_string(),
            "-c",
            "listen_addresses=127.0.0.1",
            "-c",
            "unix_socket_directories=",
            "-c",
            "max_connections=300",
            "-c",
            "ssl=on",
            "-c",
            &format!("ssl_cert_file={}", certificate.display()),
            "-c",
            &format!("ssl_key_file={}", key.display()),
        ]);
        Ok(Plan {
            folder: folder.to_owned(),
            account,
            before: vec![initialize],
            server,
            // At once, without a checkpoint, but not without giving back shared memory.
            stop: "QUIT".into(),
        })
    }

    fn is_ready(&self, line: &str) -> bool {
        line.contains("database system is ready to accept connections")
    }

    fn version(&self, line: &str) -> Option<String> {
        let (_, version) = line.split_once("starting PostgreSQL ")?;
        let version = version.split([' ', ',']).next()?;
        Some(format!("PostgreSQL {version}"))
    }

    fn url(&self, port: u16) -> String {
        format!("postgres://postgres@127.0.0.1:{port}/postgres")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_what_the_server_says() {
        let postgres = Postgres { programs: PathBuf::new() };
        let says = "2026-03-01 07:00:00.000 UTC [7] LOG:  starting PostgreSQL 15.13 (Debian \
                    15.13-0+deb12u1) on x86_64-pc-linux-gnu, compiled by gcc";
        assert_eq!(postgres.version(says).as_deref(), Some("PostgreSQL 15.13"));
        assert_eq!(postgres.version("LOG:  listening on 127.0.0.1"), None);
    }
}
