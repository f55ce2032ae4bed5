//! Watches how the write-ahead log of an SQLite file grows, from outside of the process that writes.
//!
//! The size of the log says little, because its space is used again after a checkpoint. So this
//! reads the header of the log's index (`-shm`), whose layout is documented at
//! <https://www.sqlite.org/walformat.html>. It takes no lock and disturbs nobody.
//!
//! Architecture invariant: never in a process that has the file open. By the rules of POSIX, closing
//! the index here would drop the locks that this process's connections have on it.

use std::{
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, Weak},
    thread,
    time::Duration,
};

use crate::Result;

/// How often it looks. What is written between the last look and a checkpoint is not counted.
const LOOK_EVERY: Duration = Duration::from_millis(1);
/// What each page in the log has before it.
const FRAME_HEADER_BYTES: u64 = 24;

/// What was written while somebody looked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Written {
    /// Bytes of the log: pages, each with its header.
    pub(crate) bytes: u64,
    /// Transactions.
    pub(crate) commits: u64,
}

/// Looks until it is dropped.
pub(crate) struct LogMeter {
    index: PathBuf,
    tally: Arc<Mutex<Tally>>,
}

impl LogMeter {
    /// Counts what is written into the log of this file from here on.
    pub(crate) fn start(file: &Path) -> Result<Self> {
        let mut index = file.as_os_str().to_owned();
        index.push("-shm");
        let index = PathBuf::from(index);
        let first = Tally { last: Header::read(&index), ..Tally::default() };
        let tally = Arc::new(Mutex::new(first));
        let (watched, told) = (index.clone(), Arc::downgrade(&tally));
        let looking = move || {
            while look(&watched, &told).is_some() {
                thread::sleep(LOOK_EVERY);
            }
        };
        thread::Builder::new().name("log-meter".into()).spawn(looking)?;
        Ok(Self { index, tally })
    }

    /// Until this moment.
    pub(crate) fn written(&self) -> Written {
        look(&self.index, &Arc::downgrade(&self.tally)).unwrap_or_default()
    }
}

/// `None` when nobody wants to know any more.
fn look(index: &Path, tally: &Weak<Mutex<Tally>>) -> Option<Written> {
    let tally = tally.upgrade()?;
    let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
    tally.look(Header::read(index));
    Some(tally.written)
}

/// Of the header, what is needed. All zero when there is no log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Header {
    commits: u32,
    frame_bytes: u64,
    frames: u32,
}

impl Header {
    fn read(index: &Path) -> Self {
        let mut bytes = [0; 24];
        let read = File::open(index).and_then(|mut file| file.read_exact(&mut bytes));
        // Gone whenever nobody has the file open.
        if read.is_err() { Self::default() } else { Self::parse(&bytes) }
    }

    fn parse(bytes: &[u8; 24]) -> Self {
        let [_, _, _, _, _, _, _, _, c0, c1, c2, c3, _, _, p0, p1, f0, f1, f2, f3, ..] = *bytes;
        let page = match u64::from(u16::from_ne_bytes([p0, p1])) {
            // 65,536 does not fit.
            1 => 65_536,
            page => page,
        };
        Self {
            commits: u32::from_ne_bytes([c0, c1, c2, c3]),
            frame_bytes: page + FRAME_HEADER_BYTES,
            frames: u32::from_ne_bytes([f0, f1, f2, f3]),
        }
    }
}

#[derive(Debug, Default)]
struct Tally {
    last: Header,
    written: Written,
}

impl Tally {
    fn look(&mut self, now: Header) {
        let last = std::mem::replace(&mut self.last, now);
        self.written.bytes += u64::from(grown(last.frames, now.frames)) * now.frame_bytes;
        self.written.commits += u64::from(grown(last.commits, now.commits));
    }
}

/// From the last look to this one; from zero, if it began again in between.
const fn grown(last: u32, now: u32) -> u32 {
    if now >= last { now - last } else { now }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(commits: u32, frames: u32) -> Header {
        Header { commits, frame_bytes: 4_120, frames }
    }

    #[test]
    fn growth_is_counted_across_a_log_that_begins_again() {
        let mut tally = Tally { last: header(10, 5), ..Tally::default() };
        for now in [header(10, 5), header(12, 9), header(12, 0), header(13, 2), Header::default()] {
            tally.look(now);
        }
        assert_eq!(tally.written, Written { bytes: 6 * 4_120, commits: 3 });
    }

    #[test]
    fn what_a_connection_writes_is_seen_from_outside() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("log.db");
        // In this process, against the rule: a single connection has nobody to lose its locks to.
        let connection = rusqlite::Connection::open(&file).unwrap();
        connection
            .execute_batch("PRAGMA journal_mode=WAL; CREATE TABLE t(a); INSERT INTO t VALUES (1)")
            .unwrap();
        let index = folder.path().join("log.db-shm");
        let before = Header::read(&index);
        assert_eq!(before.frame_bytes, 4_096 + FRAME_HEADER_BYTES);

        let meter = LogMeter::start(&file).unwrap();
        for _ in 0..10 {
            connection.execute("INSERT INTO t VALUES (zeroblob(10))", []).unwrap();
        }
        let size = std::fs::metadata(folder.path().join("log.db-wal")).unwrap().len();
        let written = meter.written();
        assert_eq!(written, Written { bytes: 10 * before.frame_bytes, commits: 10 });
        assert_eq!(size, 32 + u64::from(Header::read(&index).frames) * before.frame_bytes);
    }

    #[test]
    fn no_file_is_an_empty_log() {
        assert_eq!(Header::read(Path::new("/not/there-shm")), Header::default());
    }
}
