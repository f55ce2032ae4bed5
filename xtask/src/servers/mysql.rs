//! MariaDB and MySQL, which differ in how a data folder is made and agree in most of the rest.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::{
    account::Account,
    certificate::Certificate,
    find,
    server::{Make, put},
    supervisor::{Plan, Program},
};
use crate::Result;

/// The database that its URL names.
const DATABASE: &str = "taskstore";

/// Whose server it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Maker {
    MariaDb,
    MySql,
}

/// An installed MariaDB or MySQL.
#[derive(Clone, Debug)]
pub(crate) struct MySql {
    pub(crate) maker: Maker,
    /// The server, behind a loader if it needs one.
    pub(crate) program: Vec<String>,
    /// The folder that `bin` or `sbin`, `lib` and `share` are in.
    pub(crate) base: PathBuf,
    /// Options of this one server.
    pub(crate) options: Vec<String>,
}

impl MySql {
    /// What is installed on this machine.
    pub(crate) fn installed() -> Option<Self> {
        let program = find::program(&["mariadbd", "mysqld"])?;
        let base = program.parent()?.parent()?.to_owned();
        let output = Command::new(&program).args(["--no-defaults", "--version"]).output().ok()?;
        let says = String::from_utf8_lossy(&output.stdout);
        let maker = if says.contains("MariaDB") { Maker::MariaDb } else { Maker::MySql };
        Some(Self {
            maker,
            program: vec![program.display().to_string()],
            base,
            options: Vec::new(),
        })
    }

    /// The server with the options that every run of it has.
    pub(crate) fn program(&self, data: &Path, options: &[&str]) -> Program {
        let mut program = Program::new(self.program.iter().cloned());
        program.words.push("--no-defaults".into());
        program.words.push(format!("--datadir={}", data.display()));
        program.words.push(format!("--basedir={}", self.base.display()));
        let plugins = ["lib/mysql/plugin", "lib/mariadb/plugin"].map(|name| self.base.join(name));
        if let Some(folder) = plugins.iter().find(|folder| folder.is_dir()) {
            program.words.push(format!("--plugin-dir={}", folder.display()));
        }
        if let Some(share) = self.share() {
            program.words.push(format!("--lc-messages-dir={}", share.display()));
            program
                .words
                .push(format!("--character-sets-dir={}", share.join("charsets").display()));
        }
        if self.maker == Maker::MySql {
            // Else it wants a folder that only its package makes.
            program.words.push("--secure-file-priv=NULL".into());
        }
        program.words.extend(options.iter().map(|&option| option.to_owned()));
        program
    }

    /// Where its texts, its character sets and its scripts are.
    fn share(&self) -> Option<PathBuf> {
        let folders = ["share/mariadb", "share/mysql"].map(|folder| self.base.join(folder));
        folders.into_iter().find(|folder| folder.join("charsets").is_dir())
    }

    /// Makes the data folder. MariaDB's own program for it is a shell script that looks for its
    /// parts where they would be installed, so its work is done here: it is a few scripts in SQL.
    fn initialize(&self, folder: &Path, data: &Path, account: Option<Account>) -> Result<Program> {
        let script = folder.join("initialize.sql");
        match self.maker {
            Maker::MySql => {
                put(&script, &format!("{USERS}\nCREATE DATABASE {DATABASE};\n"), account)?;
                let init = format!("--init-file={}", script.display());
                Ok(self.program(data, &["--initialize-insecure", &init]))
            }
            Maker::MariaDb => {
                fs::create_dir(data)?;
                account.map_or(Ok(()), |account| account.own(data))?;
                put(&script, &self.system_tables()?, account)?;
                let mut program = self.program(
                    data,
                    &[
                        "--bootstrap",
                        "--skip-networking",
                        "--log-warnings=0",
                        "--enforce-storage-engine=",
                        // It does not outlive the machine.
                        "--innodb-flush-log-at-trx-commit=0",
                    ],
                );
                program.input = Some(script);
                Ok(program)
            }
        }
    }

    /// The scripts that make MariaDB's own tables, then ours.
    fn system_tables(&self) -> Result<String> {
        let share =
            self.share().ok_or("MariaDB's folder share/mariadb or share/mysql is missing")?;
        let mut text = String::from("CREATE DATABASE mysql;\nUSE mysql;\n");
        for script in ["system_tables", "performance_tables", "system_tables_data"] {
            let names =
                ["mariadb", "mysql"].map(|maker| share.join(format!("{maker}_{script}.sql")));
            let file = names
                .iter()
                .find(|file| file.is_file())
                .ok_or_else(|| format!("{} has no script *_{script}.sql", share.display()))?;
            text.push_str(&fs::read_to_string(file)?);
        }
        write!(text, "\nFLUSH PRIVILEGES;\n{USERS}\nCREATE DATABASE {DATABASE};\n")?;
        Ok(text)
    }
}

/// Whoever connects over the loopback may do everything. One statement a line, as MySQL wants it.
const USERS: &str = "CREATE USER 'taskstore'@'%' IDENTIFIED BY '';
GRANT ALL ON *.* TO 'taskstore'@'%' WITH GRANT OPTION;";

impl Make for MySql {
    fn name(&self) -> String {
        match self.maker {
            Maker::MariaDb => "MariaDB".into(),
            Maker::MySql => "MySQL".into(),
        }
    }

    fn accounts(&self) -> &'static [&'static str] {
        &["mysql", "nobody"]
    }

    fn plan(&self, folder: &Path, account: Option<Account>, port: u16) -> Result<Plan> {
        let data = folder.join("data");
        let initialize = self.initialize(folder, &data, account)?;
        let port = format!("--port={port}");
        let socket = format!("--socket={}", folder.join("socket").display());
        let process = format!("--pid-file={}", folder.join("pid").display());
        let written = Certificate::put(folder, account)?;
        let certificate = format!("--ssl-cert={}", written.certificate.display());
        let key = format!("--ssl-key={}", written.key.display());
        let mut options = vec!["--bind-address=127.0.0.1", "--max-connections=300"];
        options.extend([&*port, &*socket, &*process, &*certificate, &*key]);
        if self.maker == Maker::MySql {
            options.push("--mysqlx=OFF");
        }
        let mut server = self.program(&data, &options);
        server.words.extend(self.options.iter().cloned());
        Ok(Plan {
            folder: folder.to_owned(),
            account,
            before: vec![initialize],
            server,
            // It leaves nothing outside of its folder, and takes long to end in peace.
            stop: "KILL".into(),
        })
    }

    fn is_ready(&self, line: &str) -> bool {
        // MySQL says both in one line, MariaDB `ready for connections` in the line before.
        line.contains("Version: '")
    }

    fn version(&self, line: &str) -> Option<String> {
        let (_, version) = line.split_once("Version: '")?;
        let version = version.split(['\'', '-']).next()?;
        Some(format!("{} {version}", self.name()))
    }

    fn url(&self, port: u16) -> String {
        format!("mysql://taskstore@127.0.0.1:{port}/{DATABASE}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(maker: Maker) -> MySql {
        MySql {
            maker,
            program: vec!["mysqld".into()],
            base: PathBuf::from("/nowhere"),
            options: Vec::new(),
        }
    }

    #[test]
    fn the_version_is_what_the_server_says() {
        let maria =
            "Version: '10.11.11-MariaDB-0+deb12u1'  socket: '/tmp/s'  port: 3306  Debian 12";
        assert!(of(Maker::MariaDb).is_ready(maria));
        assert!(!of(Maker::MariaDb).is_ready("[Note] mariadbd: ready for connections."));
        assert_eq!(of(Maker::MariaDb).version(maria).as_deref(), Some("MariaDB 10.11.11"));
        let mysql = "2026-03-01T07:00:00.000Z 0 [System] [MY-010931] [Server] mysqld: ready for \
                     connections. Version: '9.7.0'  socket: '/tmp/s'  port: 3306  (Debian).";
        assert!(of(Maker::MySql).is_ready(mysql));
        assert_eq!(of(Maker::MySql).version(mysql).as_deref(), Some("MySQL 9.7.0"));
        assert_eq!(of(Maker::MySql).version("[Note] starting"), None);
    }

    #[test]
    fn mysql_makes_its_own_tables_and_mariadb_reads_them() {
        let folder = tempfile::tempdir().unwrap();
        let plan = of(Maker::MySql).plan(folder.path(), None, 7).unwrap();
        assert!(plan.before[0].words.contains(&"--initialize-insecure".to_owned()));
        assert_eq!(plan.before[0].input, None);
        let missing = of(Maker::MariaDb).plan(folder.path(), None, 7).unwrap_err().to_string();
        assert!(missing.contains("share/mysql is missing"), "{missing}");
    }
}
