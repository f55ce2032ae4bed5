//! Where the database of a case lies. Each case gets it empty, and leaves nothing behind.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use taskstore::sqlite::SqliteOptions;
use tempfile::TempDir;

use crate::{Result, machine};

/// The file that the cases use, one after another.
///
/// Architecture invariant: whoever has a place never opens the database, because the log may be
/// measured beside it. Only a [`Part`](crate::Part) opens it, in a process of its own.
#[derive(Debug)]
pub struct Place {
    url: String,
    path: PathBuf,
    durability: Durability,
    /// Removed with everything in it when this is dropped.
    _folder: Option<TempDir>,
}

/// When a commit counts as done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Durability {
    /// When it is on the disk.
    Full,
    /// When the operating system has it.
    Normal,
}

impl Durability {
    /// For SQLite's pragma.
    pub(crate) const fn as_sql(self) -> &'static str {
        match self {
            Self::Full => "FULL",
            Self::Normal => "NORMAL",
        }
    }
}

impl Place {
    /// The file that this URL names. It must not be there.
    ///
    /// # Errors
    /// The URL is not one of SQLite, or its file is there already, or its folder is not.
    pub fn at(url: &str) -> Result<Self> {
        let path = SqliteOptions::from_url(url)?.path().to_owned();
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        if !folder.unwrap_or(Path::new(".")).is_dir() {
            return Err(format!("the folder of {} is not there", path.display()).into());
        }
        // Before there is a place, which removes its files in the end.
        if let Some(there) = files(&path).iter().find(|path| path.exists()) {
            let there = there.display();
            let advice = "name a file that may be made and removed";
            return Err(format!("{there} is there already; {advice}").into());
        }
        Ok(Self { url: url.into(), path, durability: durability(url), _folder: None })
    }

    /// A file in a temporary folder inside this one, which must be on a disk.
    ///
    /// # Errors
    /// The folder cannot be made, or is in memory, where a commit costs nothing.
    pub fn temporary_in(folder: &Path) -> Result<Self> {
        let file_system = machine::file_system(folder);
        if file_system.is_some_and(|name| name == "tmpfs" || name == "ramfs") {
            let folder = folder.display();
            return Err(
                format!("{folder} is in memory; go to a disk, or name a file with --url").into()
            );
        }
        let made = tempfile::Builder::new().prefix(".taskstore-bench-").tempdir_in(folder)?;
        let path = made.path().join("tasks.db");
        let url = format!("sqlite://{}", encode(&path)?);
        Ok(Self { url, path, durability: Durability::Full, _folder: Some(made) })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) const fn durability(&self) -> Durability {
        self.durability
    }

    /// What its commits cost, for reports.
    pub(crate) fn describe_durability(&self) -> String {
        format!("SQLite {}", self.durability.as_sql())
    }

    /// The folder that it lies in.
    pub(crate) fn folder(&self) -> &Path {
        match self.path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        }
    }

    /// Removes the file and what SQLite keeps beside it.
    pub(crate) fn clear(&self) -> Result<()> {
        for path in files(&self.path) {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(format!("{} cannot be removed: {error}", path.display()).into());
                }
                _ => {}
            }
        }
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // Nothing can be done about it any more, and a temporary folder is removed in any case.
        let _ = self.clear();
    }
}

/// The file, and what SQLite keeps beside it.
fn files(path: &Path) -> [PathBuf; 3] {
    ["", "-wal", "-shm"].map(|suffix| {
        let mut path = path.as_os_str().to_owned();
        path.push(suffix);
        path.into()
    })
}

fn durability(url: &str) -> Durability {
    let parameters = url.split_once('?').map_or("", |(_, parameters)| parameters);
    if parameters.split('&').any(|parameter| parameter == "synchronous=normal") {
        Durability::Normal
    } else {
        Durability::Full
    }
}

/// A path as a URL holds it.
fn encode(path: &Path) -> Result<String> {
    let path = path.to_str().ok_or("the path is not UTF-8")?;
    Ok(path.replace('%', "%25").replace('?', "%3F").replace('#', "%23"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_there_is_not_touched() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("mine.db");
        fs::write(&file, "precious").unwrap();
        let error = Place::at(&format!("sqlite://{}", file.display())).unwrap_err();
        assert!(error.to_string().contains("is there already"), "{error}");
        assert_eq!(fs::read_to_string(file).unwrap(), "precious");
    }

    #[test]
    fn other_databases_and_missing_folders_are_refused() {
        for url in ["postgres://x", "memory:", "sqlite:///not/there/a.db", "sqlite://a.db?x=1"] {
            assert!(Place::at(url).is_err(), "{url}");
        }
    }

    #[test]
    fn the_durability_is_that_of_the_url() {
        assert_eq!(durability("sqlite://a.db"), Durability::Full);
        assert_eq!(durability("sqlite://a.db?readers=2&synchronous=normal"), Durability::Normal);
        assert_eq!(durability("sqlite://synchronous=normal.db"), Durability::Full);
    }

    #[test]
    fn nothing_is_left_behind() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", encode(&folder.path().join("a%b?c.db")).unwrap());
        let place = Place::at(&url).unwrap();
        let file = folder.path().join("a%b?c.db");
        assert_eq!(place.path(), file);
        fs::write(&file, "made by a case").unwrap();
        drop(place);
        assert!(!file.exists());
    }
}
