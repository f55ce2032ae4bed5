//! What every durable commit has to wait for: a write that is on the disk. To tell a slow disk from
//! slow code.

use std::{
    fs::File,
    io::{Seek as _, Write as _},
    path::Path,
    time::{Duration, Instant},
};

use super::millis;
use crate::{Part, Result, Sample, part::Stage};

/// Overwritten in a ring, as SQLite's log is after a checkpoint.
const BLOCKS: usize = 256;
const BLOCK: [u8; 4096] = [7; 4096];

/// On the disk that this folder lies on.
pub(crate) async fn measure(stage: &Stage, folder: &Path, lasts: Duration) -> Result<Sample> {
    let file = tempfile::Builder::new().prefix(".taskstore-bench-").tempfile_in(folder)?;
    stage.play(&Part::Disk { path: file.path().into(), lasts }).await
}

pub(crate) fn part(path: &Path, lasts: Duration) -> Result<Sample> {
    let mut file = File::create(path)?;
    for _ in 0..BLOCKS {
        file.write_all(&BLOCK)?;
    }
    file.sync_all()?;

    let mut times = Vec::new();
    let began = Instant::now();
    while began.elapsed() < lasts {
        file.rewind()?;
        for _ in 0..BLOCKS {
            let write_began = Instant::now();
            file.write_all(&BLOCK)?;
            file.sync_data()?;
            times.push(millis(write_began.elapsed()));
            if began.elapsed() >= lasts {
                break;
            }
        }
    }
    Ok(Sample::new(0).with_times(&times))
}
