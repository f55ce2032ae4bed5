//! SQLite: a file, which is made and removed.

mod log_meter;
pub(crate) mod naive;

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use async_trait::async_trait;
use log_meter::LogMeter;
use rusqlite::Connection;
use taskstore::sqlite::SqliteOptions;
use tempfile::TempDir;

use super::{Counter, Engine, Meter, Product, Reading};
use crate::{Result, machine};

/// How long a checkpoint may wait for whoever reads.
const CHECKPOINT_WAITS_MAX: Duration = Duration::from_secs(10);

/// The file that the cases use, one after another.
///
/// Architecture invariant: whoever has one never opens the database, because its log may be measured
/// meanwhile. Only a [`Part`](crate::Part) opens it, in a process of its own.
#[derive(Debug)]
pub(crate) struct File {
    url: String,
    path: PathBuf,
    product: Product,
    /// Removed with everything in it when this is dropped.
    _folder: Option<TempDir>,
}

/// When a commit counts as done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Durability {
    /// When it is on the disk.
    Full,
    /// When the operating system has it.
    Normal,
}

impl Durability {
    fn of(url: &str) -> Self {
        let parameters = url.split_once('?').map_or("", |(_, parameters)| parameters);
        if parameters.split('&').any(|parameter| parameter == "synchronous=normal") {
            Self::Normal
        } else {
            Self::Full
        }
    }

    /// For SQLite's pragma.
    const fn as_sql(self) -> &'static str {
        match self {
            Self::Full => "FULL",
            Self::Normal => "NORMAL",
        }
    }
}

impl File {
    /// The file that this URL names. It must not be there.
    pub(super) fn at(url: &str) -> Result<Self> {
        let path = SqliteOptions::from_url(url)?.path().to_owned();
        if !folder_of(&path).is_dir() {
            return Err(format!("the folder of {} is not there", path.display()).into());
        }
        // Before there is a place, which removes its files in the end.
        if let Some(there) = files(&path).iter().find(|path| path.exists()) {
            let there = there.display();
            let advice = "name a file that may be made and removed";
            return Err(format!("{there} is there already; {advice}").into());
        }
        Ok(Self { product: product(url), url: url.into(), path, _folder: None })
    }

    pub(super) fn temporary_in(folder: &Path) -> Result<Self> {
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
        Ok(Self { product: product(&url), url, path, _folder: Some(made) })
    }

    /// Removes the file and what SQLite keeps beside it.
    fn clear(&self) -> Result<()> {
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

#[async_trait]
impl Engine for File {
    fn product(&self) -> &Product {
        &self.product
    }

    fn url(&self) -> &str {
        &self.url
    }

    fn folder(&self) -> Option<PathBuf> {
        Some(folder_of(&self.path).into())
    }

    fn slowness(&self) -> u64 {
        1
    }

    /// The part that opens the file makes it.
    async fn make(&mut self) -> Result<()> {
        self.clear()
    }

    async fn remove(&mut self) -> Result<()> {
        self.clear()
    }

    async fn meter(&self) -> Result<Box<dyn Meter>> {
        Ok(Box::new(LogMeter::start(&self.path)?))
    }
}

#[async_trait]
impl Meter for LogMeter {
    async fn read(&mut self) -> Result<Reading> {
        let written = self.written();
        Ok(Reading::default()
            .with(Counter::LogBytes, written.bytes as f64)
            .with(Counter::Commits, written.commits as f64))
    }

    /// Whoever had the file open told by writing.
    async fn alone(&mut self) -> Result<()> {
        Ok(())
    }

    async fn tables(&mut self) -> Result<Reading> {
        Ok(Reading::default())
    }
}

/// Leaves an empty log behind, in the process that wrote it.
pub(super) fn empty_log(url: &str) -> Result<()> {
    let connection = Connection::open(path(url)?)?;
    connection.busy_timeout(CHECKPOINT_WAITS_MAX)?;
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    Ok(())
}

fn path(url: &str) -> Result<PathBuf> {
    Ok(SqliteOptions::from_url(url)?.path().to_owned())
}

fn product(url: &str) -> Product {
    let durability = Durability::of(url);
    let when = match durability {
        Durability::Full => "a commit counts when it is on the disk",
        Durability::Normal => "a commit counts when the operating system has it",
    };
    Product {
        name: format!("SQLite {}", rusqlite::version()),
        durability: format!("synchronous={}", durability.as_sql()),
        notes: vec![
            format!("WAL mode, synchronous={}: {when}", durability.as_sql()),
            "log bytes are those of the frames that were written into the write-ahead log, whether \
             or not a checkpoint made room meanwhile"
                .into(),
        ],
    }
}

impl Drop for File {
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

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
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
        let error = File::at(&format!("sqlite://{}", file.display())).unwrap_err();
        assert!(error.to_string().contains("is there already"), "{error}");
        assert_eq!(fs::read_to_string(file).unwrap(), "precious");
    }

    #[test]
    fn missing_folders_and_unknown_parameters_are_refused() {
        for url in ["sqlite:///not/there/a.db", "sqlite://a.db?x=1"] {
            assert!(File::at(url).is_err(), "{url}");
        }
    }

    #[test]
    fn the_durability_is_that_of_the_url() {
        assert_eq!(Durability::of("sqlite://a.db"), Durability::Full);
        assert_eq!(
            Durability::of("sqlite://a.db?readers=2&synchronous=normal"),
            Durability::Normal
        );
        assert_eq!(Durability::of("sqlite://synchronous=normal.db"), Durability::Full);
    }

    #[test]
    fn nothing_is_left_behind() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", encode(&folder.path().join("a%b?c.db")).unwrap());
        let place = File::at(&url).unwrap();
        let file = folder.path().join("a%b?c.db");
        assert_eq!(place.path, file);
        fs::write(&file, "made by a case").unwrap();
        drop(place);
        assert!(!file.exists());
    }
}
