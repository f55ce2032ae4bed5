//! The numbered migrations: which are to be run, and whether this code can work with the tables that are
//! there. How they are run, and under which lock, is the engine's.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};
use taskstore_core::{
    Error, Result,
    backend::{MigrateTo, MigrationReport},
};

/// One step from a schema to the next.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// Its number, from 1.
    pub version: u32,
    /// The name of its file.
    pub name: &'static str,
    /// What it does.
    pub up: &'static str,
    /// What undoes it.
    pub down: &'static str,
    /// The newest migration that the oldest code knows which still works with the tables after this.
    pub compatible_from: u32,
    /// The store works without it: a server may not let the user do what it does.
    pub may_lack: bool,
}

/// A row of the book of migrations.
#[derive(Clone, Debug)]
pub struct Applied {
    /// Its number.
    pub version: u32,
    /// Of its text, as it was run.
    pub checksum: String,
    /// As [`Migration::compatible_from`].
    pub compatible_from: u32,
}

/// All migrations of an engine, in their order.
#[derive(Clone, Copy, Debug)]
pub struct Migrations {
    /// The steps.
    pub steps: &'static [Migration],
    /// Makes the book.
    pub book: &'static str,
    /// Undoes it.
    pub book_down: &'static str,
    /// Enters a migration: `{version}`, `{name}`, `{checksum}` and `{compatible_from}` are put in,
    /// all of them this project's own. A person can run it too.
    pub enter: &'static str,
    /// One that was cut off before it was entered may have left tables.
    pub may_be_cut_off: bool,
}

/// Reads the book, in the order of the versions.
pub const READ_BOOK: &str =
    "SELECT version,checksum,compatible_from FROM task_migration ORDER BY version;";

/// What becomes of a text before it is run: the engine puts its prefix in.
type Prepare<'a> = &'a dyn Fn(&'static str, &str) -> String;

impl Migrations {
    /// The newest migration that this code knows.
    #[must_use]
    pub const fn latest(&self) -> u32 {
        match self.steps {
            [.., last] => last.version,
            [] => 0,
        }
    }

    /// What is to be run, where the book says this; `None`: there is no book.
    ///
    /// # Errors
    /// [`Schema`](Error::Schema): this code cannot work with what is there.
    pub fn plan(
        &self,
        target: MigrateTo,
        applied: Option<&[Applied]>,
        prepare: Prepare<'_>,
    ) -> Result<MigrationReport> {
        match target {
            MigrateTo::Latest => self.up(applied, prepare),
            MigrateTo::Nothing => self.down(applied, prepare),
        }
    }

    fn up(&self, applied: Option<&[Applied]>, prepare: Prepare<'_>) -> Result<MigrationReport> {
        let mut report = MigrationReport::default();
        match applied {
            None => report.sql.push(prepare("0000_migration_table", self.book)),
            Some(applied) => self.check_compatible(applied)?,
        }
        let there = applied.unwrap_or_default();
        for step in self.steps.iter().filter(|m| !there.iter().any(|a| a.version == m.version)) {
            report.sql.push(prepare(step.name, step.up));
            report.sql.push(prepare("migration_insert", &self.entry(step)));
            report.applied.push(step.name.to_owned());
        }
        Ok(report)
    }

    fn entry(&self, step: &Migration) -> String {
        self.enter
            .replace("{version}", &step.version.to_string())
            .replace("{name}", step.name)
            .replace("{checksum}", &checksum(step.up))
            .replace("{compatible_from}", &step.compatible_from.to_string())
    }

    fn down(&self, applied: Option<&[Applied]>, prepare: Prepare<'_>) -> Result<MigrationReport> {
        let mut report = MigrationReport::default();
        let Some(applied) = applied else { return Ok(report) };
        if let Some(newer) = applied.iter().find(|applied| applied.version > self.latest()) {
            return Err(Error::Schema {
                found: newer.version,
                expected: self.latest(),
                advice: "revert it with the newer code that made it",
            });
        }
        for step in self.steps.iter().rev() {
            let is_there = applied.iter().any(|applied| applied.version == step.version);
            if is_there {
                report.applied.push(step.name.to_owned());
            }
            if is_there || self.may_be_cut_off {
                report.sql.push(prepare(step.name, step.down));
            }
        }
        report.sql.push(prepare("0000_migration_table", self.book_down));
        Ok(report)
    }

    /// Whether this code can work with the tables that are there.
    ///
    /// # Errors
    /// [`Schema`](Error::Schema): it cannot.
    pub fn check(&self, applied: Option<&[Applied]>) -> Result<()> {
        let applied = applied.ok_or_else(|| self.not_migrated(0))?;
        self.check_compatible(applied)?;
        let needed = self.steps.iter().rev().find(|step| !step.may_lack);
        let found = newest(applied);
        if found == 0 || needed.is_some_and(|step| found < step.version) {
            return Err(self.not_migrated(found));
        }
        Ok(())
    }

    /// There are no tables, or older ones.
    #[must_use]
    pub const fn not_migrated(&self, found: u32) -> Error {
        Error::Schema {
            found,
            expected: self.latest(),
            advice: "run the migrations with Store::migrate, or connect with auto_migrate",
        }
    }

    /// No migration that this code knows may differ, and none that it does not know may exclude it.
    fn check_compatible(&self, applied: &[Applied]) -> Result<()> {
        let refuse =
            |advice| Err(Error::Schema { found: newest(applied), expected: self.latest(), advice });
        for row in applied {
            match self.steps.iter().find(|step| step.version == row.version) {
                Some(known) if checksum(known.up) != row.checksum => {
                    return refuse(
                        "a migration was changed after it was applied: its checksum differs from this build's",
                    );
                }
                None if row.compatible_from > self.latest() => {
                    return refuse("the tables were made for newer code: update this program");
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn newest(applied: &[Applied]) -> u32 {
    applied.iter().map(|applied| applied.version).max().unwrap_or_default()
}

fn checksum(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: Migration = Migration {
        version: 1,
        name: "0001_a",
        up: "CREATE a;",
        down: "DROP a;",
        compatible_from: 1,
        may_lack: false,
    };
    const ALL: Migrations = Migrations {
        steps: &[
            STEP,
            Migration { version: 2, name: "0002_b", up: "CREATE b;", down: "DROP b;", ..STEP },
        ],
        book: "CREATE book;",
        book_down: "DROP book;",
        enter: "ENTER {version} {name} {compatible_from};",
        may_be_cut_off: false,
    };

    fn applied(version: u32, text: &str, compatible_from: u32) -> Applied {
        Applied { version, checksum: checksum(text), compatible_from }
    }

    fn plan(all: &Migrations, to: MigrateTo, applied: Option<&[Applied]>) -> Vec<String> {
        all.plan(to, applied, &|_, text| text.to_owned()).unwrap().sql
    }

    #[test]
    fn what_is_not_there_is_made_in_its_order_and_undone_in_the_other() {
        let [one, two] = [applied(1, "CREATE a;", 1), applied(2, "CREATE b;", 1)];
        let (up, down) = (MigrateTo::Latest, MigrateTo::Nothing);
        assert_eq!(
            plan(&ALL, up, None),
            ["CREATE book;", "CREATE a;", "ENTER 1 0001_a 1;", "CREATE b;", "ENTER 2 0002_b 1;"]
        );
        let first = [one.clone()];
        assert_eq!(plan(&ALL, up, Some(&first)), ["CREATE b;", "ENTER 2 0002_b 1;"]);
        let both = [one, two];
        assert!(plan(&ALL, up, Some(&both)).is_empty() && plan(&ALL, down, None).is_empty());
        assert_eq!(plan(&ALL, down, Some(&both)), ["DROP b;", "DROP a;", "DROP book;"]);
        assert_eq!(plan(&ALL, down, Some(&first)), ["DROP a;", "DROP book;"]);
        let cut_off = Migrations { may_be_cut_off: true, ..ALL };
        assert_eq!(plan(&cut_off, down, Some(&first)), ["DROP b;", "DROP a;", "DROP book;"]);
    }

    #[test]
    fn tables_that_this_code_cannot_work_with_are_refused() {
        let [one, two] = [applied(1, "CREATE a;", 1), applied(2, "CREATE b;", 1)];
        let told = |applied: &[Applied]| ALL.check(Some(applied)).map_err(|e| e.to_string());
        assert!(told(&[one.clone(), two.clone()]).is_ok());
        assert!(
            ALL.check(None).is_err()
                && told(&[]).is_err()
                && told(std::slice::from_ref(&one)).is_err()
        );
        assert!(told(&[one.clone(), applied(2, "CREATE c;", 1)]).unwrap_err().contains("checksum"));
        assert!(told(&[one.clone(), two.clone(), applied(3, "", 2)]).is_ok(), "newer, compatible");
        let newer = [one.clone(), two, applied(3, "", 3)];
        assert!(told(&newer).unwrap_err().contains("newer"));
        assert!(ALL.plan(MigrateTo::Nothing, Some(&newer), &|_, t| t.to_owned()).is_err());

        let optional = [STEP, Migration { version: 2, may_lack: true, ..STEP }];
        let all = Migrations { steps: Box::leak(Box::new(optional)), ..ALL };
        assert!(all.check(Some(&[one])).is_ok());
    }
}
