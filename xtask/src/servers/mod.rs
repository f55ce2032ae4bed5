//! Database servers for the tests: the ones that the environment names, or throw-away ones of our
//! own.
//!
//! Architecture invariant: a server that cannot be had is an error and never a test that is left
//! out, and no server outlives the command that started it.

mod account;
mod certificate;
mod command;
mod find;
mod install;
mod mysql;
mod postgres;
mod server;
mod supervisor;

use std::{path::Path, process::Command, thread};

use crate::{Result, matrix, metadata::root, screen::say};

pub(crate) use self::{
    account::Account,
    command::run,
    find::program,
    mysql::{Maker, MySql},
    postgres::Postgres,
    server::{Make, Server, free_port, is_free, put},
    supervisor::{Plan, Program, run as supervise},
};

/// The hidden command that makes this program the supervisor of a server.
pub(crate) const SUPERVISE: &str = "supervise";

/// A kind of server that tests are run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    Postgres,
    MySql,
}

impl Engine {
    /// All of them.
    pub(crate) const ALL: [Self; 2] = [Self::Postgres, Self::MySql];

    /// The variable that tells the tests where the server is.
    pub(crate) const fn variable(self) -> &'static str {
        match self {
            Self::Postgres => "TASKSTORE_TEST_POSTGRES_URL",
            Self::MySql => "TASKSTORE_TEST_MYSQL_URL",
        }
    }

    /// The variable that tells the tests whose certificate the server shows, if it is one of ours.
    const fn authority_variable(self) -> &'static str {
        match self {
            Self::Postgres => "TASKSTORE_TEST_POSTGRES_AUTHORITY",
            Self::MySql => "TASKSTORE_TEST_MYSQL_AUTHORITY",
        }
    }

    /// The variable that tells the tests where the server itself is, if a pooler is between.
    pub(crate) const fn direct_variable(self) -> &'static str {
        match self {
            Self::Postgres => "TASKSTORE_TEST_POSTGRES_DIRECT_URL",
            Self::MySql => "TASKSTORE_TEST_MYSQL_DIRECT_URL",
        }
    }

    /// The crate that needs it.
    pub(crate) const fn package(self) -> &'static str {
        match self {
            Self::Postgres => "taskstore-postgres",
            Self::MySql => "taskstore-mysql",
        }
    }

    /// What somebody has to do who has none.
    const fn wanted(self) -> &'static str {
        match self {
            Self::Postgres => {
                "The tests need PostgreSQL: install it (Debian, Ubuntu: apt-get install postgresql; \
                 Fedora: dnf install postgresql-server; macOS: brew install postgresql), or set \
                 TASKSTORE_TEST_POSTGRES_URL to a server where databases may be created."
            }
            Self::MySql => {
                "The tests need MariaDB or MySQL: install it (Debian, Ubuntu: apt-get install \
                 mariadb-server-core mariadb-client-core; Fedora: dnf install mariadb-server; macOS: \
                 brew install mariadb), or set TASKSTORE_TEST_MYSQL_URL to a server where databases \
                 may be created."
            }
        }
    }

    /// The engines whose crates are in the workspace.
    fn in_workspace(root: &Path) -> Vec<Self> {
        let here = |engine: &Self| root.join("crates").join(engine.package()).is_dir();
        Self::ALL.into_iter().filter(here).collect()
    }

    /// What this machine has.
    fn installed(self) -> Option<Box<dyn Make + Send>> {
        match self {
            Self::Postgres => Postgres::installed().map(|found| Box::new(found) as Box<_>),
            Self::MySql => MySql::installed().map(|found| Box::new(found) as Box<_>),
        }
    }

    /// What this machine has, installed first where we may.
    pub(crate) fn get(self) -> Result<Box<dyn Make + Send>> {
        if let Some(found) = self.installed() {
            return Ok(found);
        }
        if install::may() {
            match self {
                Self::Postgres => install::postgres()?,
                Self::MySql => install::mariadb()?,
            }
        }
        self.installed().ok_or_else(|| self.wanted().into())
    }
}

/// The variable that tells the tests of a pooler before their PostgreSQL.
const POOLER: &str = "TASKSTORE_TEST_PGBOUNCER_URL";

/// Servers that run while this lives.
#[derive(Debug, Default)]
pub(crate) struct Servers {
    running: Vec<(Engine, Server)>,
    /// Before the PostgreSQL that runs.
    pooler: Option<Server>,
}

impl Servers {
    /// The servers that the tests of the workspace need.
    pub(crate) fn for_workspace() -> Result<Self> {
        Self::start(&Engine::in_workspace(root()))
    }

    /// A server of each engine, but for those that the environment names already.
    pub(crate) fn start(engines: &[Engine]) -> Result<Self> {
        let mut makes = Vec::new();
        for &engine in engines {
            if is_named(engine) {
                say(&format!("{} is set: no server is started for it", engine.variable()));
            } else {
                makes.push((engine, engine.get()?));
            }
        }
        let starting: Vec<_> = makes
            .into_iter()
            .map(|(engine, make)| {
                // An error of one thread to another is a text.
                let start = move || Server::start(&*make).map_err(|error| error.to_string());
                (engine, thread::spawn(start))
            })
            .collect();
        let mut servers = Self::default();
        let mut problems = Vec::new();
        for (engine, starting) in starting {
            match starting.join() {
                Ok(Ok(server)) => servers.running.push((engine, server)),
                Ok(Err(error)) => problems.push(error),
                Err(_) => problems.push(format!("{} could not be started", engine.package())),
            }
        }
        if !problems.is_empty() {
            return Err(problems.join("\n").into());
        }
        servers.start_pooler();
        Ok(servers)
    }

    /// A pooler is no engine: where none can be had, its tests are ignored, and shown as that.
    fn start_pooler(&mut self) {
        let postgres = self.running.iter().find(|(engine, _)| *engine == Engine::Postgres);
        let Some((_, postgres)) = postgres else { return };
        match matrix::pooler_before(postgres) {
            Ok(pooler) => self.pooler = Some(pooler),
            Err(error) => say(&format!("no PgBouncer can be had, its tests are ignored: {error}")),
        }
    }

    /// Names the servers to a program.
    pub(crate) fn tell<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.envs(self.variables())
    }

    fn variables(&self) -> impl Iterator<Item = (&'static str, String)> {
        let authority = root().join(certificate::AUTHORITY).display().to_string();
        let servers = self.running.iter().flat_map(move |(engine, server)| {
            let two = [
                (engine.variable(), server.url.clone()),
                (engine.authority_variable(), authority.clone()),
            ];
            two.into_iter().chain(server.also.clone())
        });
        servers.chain(self.pooler.iter().map(|pooler| (POOLER, pooler.url.clone())))
    }

    /// Each server's version, and where it is.
    pub(crate) fn describe(&self) -> impl Iterator<Item = String> {
        let servers = self.running.iter().map(|(_, server)| server);
        let servers = servers.chain(&self.pooler);
        servers.map(|server| format!("{} at {}", server.version, server.url))
    }

    /// The variables for a shell.
    pub(crate) fn exports(&self) -> impl Iterator<Item = String> {
        self.variables().map(|(name, value)| format!("export {name}='{value}'"))
    }
}

/// Whether the environment says where such a server is. An empty word says nothing.
fn is_named(engine: Engine) -> bool {
    std::env::var_os(engine.variable()).is_some_and(|url| !url.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engines_are_those_whose_crates_are_there() {
        let house = tempfile::tempdir().unwrap();
        assert_eq!(Engine::in_workspace(house.path()), []);
        std::fs::create_dir_all(house.path().join("crates/taskstore-mysql")).unwrap();
        assert_eq!(Engine::in_workspace(house.path()), [Engine::MySql]);
    }

    #[test]
    fn what_is_wanted_names_the_variable() {
        for engine in Engine::ALL {
            assert!(engine.wanted().contains(engine.variable()));
        }
    }
}
