//! What the figures were measured on. What cannot be found out is not known, and left out.

use std::{fs, path::Path, process::Command, thread};

use serde::{Deserialize, Serialize};
use time::{UtcDateTime, macros::format_description};

/// The machine, and what was measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// The day, in UTC.
    pub date: String,
    /// The version of taskstore, with its commit if it was built in a clone.
    pub version: String,
    /// Whether the program was built with optimizations.
    pub optimized: bool,
    /// The model of the processor.
    pub processor: Option<String>,
    /// How many cores this process may use.
    pub cores: usize,
    /// Memory, in GB (of 1,000,000,000 bytes).
    pub memory_gigabytes: Option<f64>,
    /// The operating system.
    pub system: String,
    /// The file system of the disk that is measured.
    pub file_system: Option<String>,
}

impl Machine {
    /// This one, with its disk where this folder lies.
    pub(crate) fn this(folder: &Path) -> Self {
        let day = format_description!("[year]-[month]-[day]");
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease");
        Self {
            date: UtcDateTime::now().format(day).unwrap_or_default(),
            version: version(),
            optimized: !cfg!(debug_assertions),
            processor: field("/proc/cpuinfo", "model name"),
            cores: thread::available_parallelism().map_or(1, usize::from),
            memory_gigabytes: field("/proc/meminfo", "MemTotal").and_then(|text| gigabytes(&text)),
            system: format!("{} {}", std::env::consts::OS, kernel.unwrap_or_default().trim())
                .trim_end()
                .into(),
            file_system: file_system(folder),
        }
    }
}

/// The kind of file system that this folder lies on.
pub(crate) fn file_system(folder: &Path) -> Option<String> {
    let folder = folder.canonicalize().ok()?;
    kind_of_mount(&fs::read_to_string("/proc/self/mountinfo").ok()?, &folder)
}

/// Of all mounts above the folder, the nearest; of several at one point, the last.
fn kind_of_mount(mounts: &str, folder: &Path) -> Option<String> {
    let mount = |line: &str| -> Option<(usize, String)> {
        let (before, after) = line.split_once(" - ")?;
        let point = Path::new(before.split(' ').nth(4)?);
        let kind = after.split(' ').next()?;
        folder.starts_with(point).then(|| (point.components().count(), kind.to_owned()))
    };
    mounts.lines().filter_map(mount).max_by_key(|(depth, _)| *depth).map(|(_, kind)| kind)
}

fn version() -> String {
    let git = Command::new("git")
        .args(["describe", "--always", "--dirty", "--exclude", "*"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output();
    let commit = git.ok().filter(|output| output.status.success());
    let commit = commit.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    let version = env!("CARGO_PKG_VERSION");
    commit.map_or_else(|| version.into(), |commit| format!("{version} ({commit})"))
}

fn field(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    line.split_once(':').map(|(_, value)| value.trim().to_owned())
}

fn gigabytes(text: &str) -> Option<f64> {
    let kibibytes: f64 = text.strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024.0 / 1e9)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_mount_tells_the_file_system() {
        let mounts = "21 1 254:0 / / rw - ext4 /dev/vda rw\n\
                      22 21 0:19 / /tmp rw shared:2 - tmpfs tmpfs rw\n";
        let kind = |folder| kind_of_mount(mounts, Path::new(folder));
        assert_eq!(kind("/tmp/a").as_deref(), Some("tmpfs"));
        assert_eq!(kind("/tmpfiles").as_deref(), Some("ext4"));
    }

    #[test]
    fn memory_is_given_in_decimal_gigabytes() {
        assert_eq!(gigabytes("1000000 kB"), Some(1.024));
        assert_eq!(gigabytes("much"), None);
    }
}
