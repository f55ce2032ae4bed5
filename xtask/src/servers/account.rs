//! The account that servers run under: they refuse to run as root.

use std::process::Command;

use serde::{Deserialize, Serialize};

use crate::{Result, environment};

/// An account of this machine, by its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Account {
    user: u32,
    group: u32,
}

impl Account {
    /// Who runs a server: the first of `names` that this machine knows if we are root, else
    /// `None`: whoever we are.
    pub(crate) fn for_server(names: &[&str]) -> Result<Option<Self>> {
        if !environment::is_root() {
            return Ok(None);
        }
        for name in names {
            if let (Some(user), Some(group)) = (number("-u", name), number("-g", name)) {
                return Ok(Some(Self { user, group }));
            }
        }
        Err(format!(
            "database servers do not run as root, and none of these accounts is on this machine: {}",
            names.join(", ")
        )
        .into())
    }
}

/// What `id` says of an account.
fn number(which: &str, name: &str) -> Option<u32> {
    let output = Command::new("id").args([which, name]).output().ok()?;
    if !output.status.success() {
        return None;
    }
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

#[cfg(unix)]
mod system {
    use std::{os::unix::process::CommandExt as _, path::Path, process::Command};

    use super::Account;
    use crate::Result;

    impl Account {
        /// Makes the program run as this account, without any other group.
        pub(crate) fn run(self, command: &mut Command) {
            command.uid(self.user).gid(self.group);
        }

        /// Gives the account a file or a folder.
        pub(crate) fn own(self, path: &Path) -> Result<()> {
            Ok(std::os::unix::fs::chown(path, Some(self.user), Some(self.group))?)
        }
    }

    /// Keeps Ctrl-C and its like from reaching the program: a terminal sends them to all of its
    /// group.
    pub(crate) fn apart(command: &mut Command) {
        command.process_group(0);
    }
}

/// Elsewhere nobody is root.
#[cfg(not(unix))]
mod system {
    use std::{path::Path, process::Command};

    use super::Account;
    use crate::Result;

    impl Account {
        pub(crate) fn run(self, _: &mut Command) {}

        pub(crate) fn own(self, _: &Path) -> Result<()> {
            Ok(())
        }
    }

    pub(crate) fn apart(_: &mut Command) {}
}

pub(crate) use system::apart;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_that_nobody_has_is_not_found_and_the_superuser_is() {
        assert_eq!(number("-u", "no such account"), None);
        assert_eq!(number("-u", "root"), Some(0));
    }
}
