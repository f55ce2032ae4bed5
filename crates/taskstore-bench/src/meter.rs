//! What a process has used, as Linux tells it in `/proc`. Elsewhere nothing is known, and reports
//! leave it out.

use std::{fs, path::Path, time::Duration};

/// Units of CPU time in `/proc/*/stat`: Linux fixes them at 1/100 s for programs.
const TICK: Duration = Duration::from_millis(10);

/// CPU time of this process with all threads that it had, in steps of 10 ms.
pub(crate) fn cpu() -> Option<Duration> {
    ticks(&fs::read_to_string("/proc/self/stat").ok()?, 11..13)
}

/// CPU time of this process and of the processes that it started and that have ended.
pub(crate) fn cpu_with_children() -> Option<Duration> {
    ticks(&fs::read_to_string("/proc/self/stat").ok()?, 11..15)
}

/// CPU time of the threads that this process has, to the nanosecond: fine enough for one that
/// nearly sleeps, but what an ended thread has used is lost.
pub(crate) fn cpu_of_threads() -> Option<Duration> {
    let threads = fs::read_dir("/proc/self/task").ok()?;
    let nanos = |folder: &Path| -> Option<u64> {
        let text = fs::read_to_string(folder.join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse().ok()
    };
    // One that ends right now cannot be read any more.
    let used: Vec<u64> = threads.filter_map(|thread| nanos(&thread.ok()?.path())).collect();
    (!used.is_empty()).then(|| Duration::from_nanos(used.iter().sum()))
}

/// CPU time that all processes of the machine have used.
pub(crate) fn cpu_of_machine() -> Option<Duration> {
    machine_ticks(&fs::read_to_string("/proc/stat").ok()?)
}

/// CPU time of another process, with all threads that it had.
pub(crate) fn cpu_of_process(id: u32) -> Option<Duration> {
    ticks(&stat_of(id)?, 11..13)
}

/// CPU time of another process, of those that it started, and of those among them that have ended.
pub(crate) fn cpu_of_family(parent: u32) -> Option<Duration> {
    let children = fs::read_dir("/proc").ok()?.filter_map(|entry| {
        let id = entry.ok()?.file_name().to_str()?.parse().ok()?;
        (parent_in(&stat_of(id)?)? == parent).then(|| cpu_of_process(id))?
    });
    Some(children.sum::<Duration>() + ticks(&stat_of(parent)?, 11..15)?)
}

/// The process that started this one, if both are of this program.
pub(crate) fn parent_of(id: u32, program: &str) -> Option<u32> {
    let parent = parent_in(&stat_of(id)?)?;
    (is(id, program) && is(parent, program)).then_some(parent)
}

/// Whether the process is of this program.
pub(crate) fn is(id: u32, program: &str) -> bool {
    fs::read_to_string(format!("/proc/{id}/comm")).is_ok_and(|name| name.trim() == program)
}

fn stat_of(id: u32) -> Option<String> {
    fs::read_to_string(format!("/proc/{id}/stat")).ok()
}

fn parent_in(stat: &str) -> Option<u32> {
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name.split_whitespace().nth(1)?.parse().ok()
}

/// The most memory that this process had resident, in MB.
pub(crate) fn peak_megabytes() -> Option<f64> {
    peak(&fs::read_to_string("/proc/self/status").ok()?)
}

/// The fields of `stat` after the name, which may hold spaces and brackets.
fn ticks(stat: &str, fields: std::ops::Range<usize>) -> Option<Duration> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let values: Vec<&str> = after_name.split_whitespace().collect();
    let ticks = values.get(fields)?.iter().map(|ticks| ticks.parse::<u32>());
    Some(TICK * ticks.sum::<Result<u32, _>>().ok()?)
}

/// User, nice, system, irq, softirq; not idle, and not waiting for the disk.
fn machine_ticks(stat: &str) -> Option<Duration> {
    let line = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let values: Vec<u64> = line.split_whitespace().filter_map(|value| value.parse().ok()).collect();
    let used: Option<u64> = [0, 1, 2, 5, 6].iter().map(|&field| values.get(field)).sum();
    Some(Duration::from_millis(used? * 10))
}

fn peak(status: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024.0 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_read_after_a_name_with_brackets() {
        let stat = "7 (a (b) c) S 1 7 7 0 -1 4194560 1 2 3 4 100 20 3 0 20 0 5 0";
        assert_eq!(ticks(stat, 11..13), Some(Duration::from_millis(1_200)));
        assert_eq!(ticks(stat, 11..15), Some(Duration::from_millis(1_230)));
        assert_eq!(ticks("7 (a) S 1", 11..13), None);
    }

    #[test]
    fn a_parent_is_read_after_a_name_with_brackets() {
        assert_eq!(parent_in("7 (a (b) 9) S 12 7 7 0"), Some(12));
        assert_eq!(parent_in("7 (a) S"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_family_has_used_what_its_children_have() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let (id, own) = (child.id(), std::process::id());
        assert_eq!(parent_in(&stat_of(id).unwrap()), Some(own));
        assert_eq!(parent_of(id, "no such program"), None);
        assert!(cpu_of_family(own).unwrap() >= cpu_of_process(own).unwrap());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!is(id, "sleep"));
    }

    #[test]
    fn the_machine_is_busy_when_it_neither_idles_nor_waits() {
        let stat = "cpu  100 1 50 9999 777 2 3 0 0 0\ncpu0 1 1 1 1 1 1 1 0 0 0\n";
        assert_eq!(machine_ticks(stat), Some(Duration::from_millis(1_560)));
        assert_eq!(machine_ticks("intr 1"), None);
    }

    #[test]
    fn the_peak_of_memory_is_given_in_decimal_megabytes() {
        assert_eq!(peak("VmPeak:\t 9 kB\nVmHWM:\t    1000 kB\n"), Some(1.024));
        assert_eq!(peak("VmPeak:\t 9 kB\n"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_has_used_something() {
        assert!(cpu_of_threads().unwrap() > Duration::ZERO);
        assert!(cpu_with_children().unwrap() >= cpu().unwrap());
        assert!(cpu_of_machine().unwrap() > Duration::ZERO);
        assert!(peak_megabytes().unwrap() > 0.5);
    }
}
