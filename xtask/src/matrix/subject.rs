//! What the suite is run on.

use std::{fs, process::Command};

use super::{debian, galera, npm, pgbouncer};
use crate::{
    Result,
    metadata::Metadata,
    servers::{Engine, Maker, MySql, Server},
};

/// One store, on one server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    Memory,
    Sqlite,
    /// The server that is installed.
    Installed(Engine),
    /// PostgreSQL of this version, from npm.
    Npm {
        name: &'static str,
        version: &'static str,
    },
    /// The installed PostgreSQL behind a pooler.
    PgBouncer,
    /// MariaDB or MySQL of a release of Debian.
    Debian {
        name: &'static str,
        release: &'static str,
        maker: Maker,
        package: &'static str,
    },
    /// MariaDB of a release of Debian, as three nodes of Galera that all take writes.
    Galera {
        name: &'static str,
        release: &'static str,
    },
}

/// All of them, in the order of the page.
pub(crate) const SUBJECTS: [Subject; 11] = [
    Subject::Memory,
    Subject::Sqlite,
    Subject::Installed(Engine::Postgres),
    Subject::Npm { name: "postgres-16", version: "16.14.0-beta.17" },
    Subject::Npm { name: "postgres-17", version: "17.10.0-beta.17" },
    Subject::Npm { name: "postgres-18", version: "18.4.0-beta.17" },
    Subject::PgBouncer,
    Subject::Installed(Engine::MySql),
    Subject::Debian {
        name: "mariadb-11",
        release: "trixie",
        maker: Maker::MariaDb,
        package: "mariadb-server-core",
    },
    Subject::Galera { name: "mariadb-galera", release: "bookworm" },
    Subject::Debian {
        name: "mysql-9",
        release: "sid",
        maker: Maker::MySql,
        package: "mysql-server-core",
    },
];

/// A server that runs, or a store that needs none.
#[derive(Debug)]
pub(crate) struct Running {
    /// What it calls itself.
    pub(crate) version: String,
    /// They run while this lives. What the suite is told is the last of an engine.
    pub(crate) servers: Vec<(Engine, Server)>,
}

impl Running {
    /// Names its servers to a program.
    pub(crate) fn tell(&self, command: &mut Command) {
        for (engine, server) in &self.servers {
            command.env(engine.variable(), &server.url).envs(server.also.clone());
        }
    }
}

impl Subject {
    /// What it is asked for by.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Sqlite => "sqlite",
            Self::Installed(Engine::Postgres) => "postgres",
            Self::Installed(Engine::MySql) => "mariadb",
            Self::PgBouncer => "pgbouncer",
            Self::Npm { name, .. } | Self::Debian { name, .. } | Self::Galera { name, .. } => name,
        }
    }

    /// What it is when there is no server to ask.
    pub(crate) fn kind(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Sqlite => "SQLite",
            Self::Installed(Engine::Postgres) | Self::Npm { .. } => "PostgreSQL",
            Self::PgBouncer => "PgBouncer",
            Self::Installed(Engine::MySql)
            | Self::Debian { maker: Maker::MariaDb, .. }
            | Self::Galera { .. } => "MariaDB",
            Self::Debian { maker: Maker::MySql, .. } => "MySQL",
        }
    }

    /// The package and the test that run the suite on it.
    pub(crate) fn suite(self) -> (&'static str, &'static str) {
        match self {
            Self::Memory => ("taskstore-conformance", "memory"),
            Self::Sqlite => ("taskstore-sqlite", "conformance"),
            Self::Installed(engine) => (engine.package(), "conformance"),
            Self::Npm { .. } | Self::PgBouncer => (Engine::Postgres.package(), "conformance"),
            Self::Debian { .. } | Self::Galera { .. } => (Engine::MySql.package(), "conformance"),
        }
    }

    /// A test that is run on it beside the suite, which knows of one server only.
    pub(crate) fn also(self) -> Option<&'static str> {
        matches!(self, Self::Galera { .. }).then_some("galera")
    }

    /// Gets and starts what it needs.
    pub(crate) fn start(self) -> Result<Running> {
        let (engine, server) = match self {
            Self::Memory => return Ok(Running { version: "memory".into(), servers: Vec::new() }),
            Self::Sqlite => return Ok(Running { version: sqlite()?, servers: Vec::new() }),
            Self::Installed(engine) => (engine, Server::start(&*engine.get()?)?),
            Self::Npm { version, .. } => {
                (Engine::Postgres, Server::start(&npm::postgres(version)?)?)
            }
            Self::PgBouncer => {
                let behind = Server::start(&*Engine::Postgres.get()?)?;
                let pooler = pgbouncer::before(&behind)?;
                let version = pooler.version.clone();
                let servers = [behind, pooler].map(|server| (Engine::Postgres, server)).into();
                return Ok(Running { version, servers });
            }
            Self::Debian { release, maker, package, .. } => {
                let server: MySql = debian::mysql(release, maker, &[package])?;
                (Engine::MySql, Server::start(&server)?)
            }
            Self::Galera { release, .. } => {
                let servers = galera::start(release)?;
                let version = servers.last().map(|server| server.version.clone());
                let servers = servers.into_iter().map(|server| (Engine::MySql, server)).collect();
                return Ok(Running { version: version.unwrap_or_default(), servers });
            }
        };
        Ok(Running { version: server.version.clone(), servers: vec![(engine, server)] })
    }
}

/// The SQLite that is bundled, as the header says that it was built with.
fn sqlite() -> Result<String> {
    let metadata = Metadata::read()?;
    let package = metadata.packages.iter().find(|package| package.name == "libsqlite3-sys");
    let folder = package.and_then(|package| package.manifest_path.parent());
    let header =
        folder.ok_or("no libsqlite3-sys among the dependencies")?.join("sqlite3/sqlite3.h");
    let text = fs::read_to_string(header)?;
    let version = text
        .lines()
        .find_map(|line| line.strip_prefix("#define SQLITE_VERSION ")?.trim().split('"').nth(1))
        .ok_or("sqlite3.h names no version")?;
    Ok(format!("SQLite {version}"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_there_once() {
        let names: BTreeSet<_> = SUBJECTS.map(Subject::name).into();
        assert_eq!(names.len(), SUBJECTS.len());
    }

    #[test]
    fn the_bundled_sqlite_has_a_version() {
        assert!(sqlite().unwrap().starts_with("SQLite 3."));
    }
}
