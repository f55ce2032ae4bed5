//! The page for the documentation. Its words are here; its numbers come from the run.

use super::{Report, figure_text};

const HEAD: &str = "\
# Performance

This page was written by `taskstore-bench` from what it measured; nobody typed a number. Everything
that it found, round by round, is in [performance.json](performance.json).
";

const HOW: &str = "\
## How to read it

- Each case was measured once in every round, all of them in turn, on every engine. A cell gives the
  median of the rounds, and in brackets the least and the most.
- Engines are here to be looked at one by one: they wait for other things before they call a commit
  durable (the column *durability*), and each was measured with the settings that it comes with.
- Rates depend on the machine, above all on what a durable write costs there; *the disk alone* says
  what that was. Ratios within one round say more than rates, and rates of different runs cannot be
  compared. The ratio to the naive queue grows with that cost, because the naive queue pays it twice
  for every task: where a durable write takes milliseconds it is far higher than where the disk, or
  what a virtual machine takes for one, says *done* within a fraction of that.
- Where other programs kept cores busy, rates are too low and times too long, and p99 above all.
- Each case runs in a process of its own on an empty database: CPU time and memory are those of the
  process that does the work, without the one that filled the queue; of several processes, the CPU
  time of all and the memory of the largest. CPU time is read in steps of 10 ms.

## What the cases do

| case | what |
| --- | --- |
| enqueue | Tasks of some 10 bytes are enqueued for a while, without a runner. *1 caller* waits for each before the next; *64 callers* do so at the same time; *1,000 at once* is `enqueue_many`. |
| drain | A runner with default settings empties a full queue; the handler only counts. The time is from its start until the end of every task is saved and it has stopped. *run twice* counts tasks that ran more than once, *given back* those that the runner took ahead of its free slots and returned before they ran. *4 processes* do it together, each a runner with default settings. |
| naive | The queue that everybody writes first, on the same driver with the same durability: one transaction takes a row and marks it as running, the work is done, a second one marks it as done; one at a time. |
| pick-up | A runner waits, one task is enqueued every 20 ms. The time is from the return of enqueueing to the first line of the handler; below zero when the handler was faster than the return. |
| idle runner | A runner with default settings and nothing to do. Neither its start nor its stop counts. |
| disk | 4 KiB are written into a file and synced (`fdatasync`), again and again. |
";

/// The whole page.
pub(super) fn page(report: &Report, command: &str) -> String {
    let mut page = String::from(HEAD);
    page.push('\n');
    for fact in facts(report) {
        page.push_str(&format!("- {fact}\n"));
    }
    page.push_str("\nTo run it again, on a machine that has nothing else to do:\n\n");
    page.push_str(&format!("```console\n$ {command}\n```\n\n"));
    for table in report.glance().iter().chain(&report.disk_table()) {
        page.push_str(&format!("## {}\n\n{}\n", table.title, table.to_markdown()));
    }
    for found in &report.engines {
        page.push_str(&format!("## {}\n\n", found.engine));
        for note in &found.notes {
            page.push_str(&format!("- {note}\n"));
        }
        for table in found.tables() {
            page.push_str(&format!("\n### {}\n\n{}", table.title, table.to_markdown()));
        }
        page.push('\n');
    }
    page + HOW
}

/// What has to be known to read the figures.
pub(super) fn facts(report: &Report) -> Vec<String> {
    let machine = &report.machine;
    let processor = machine.processor.as_deref().unwrap_or("an unknown processor");
    let memory = machine
        .memory_gigabytes
        .map_or_else(String::new, |gigabytes| format!(", {} GB of memory", figure_text(gigabytes)));
    let disk = machine.file_system.as_deref().map_or_else(String::new, |kind| format!(", {kind}"));
    let engines: Vec<&str> = report.engines.iter().map(|found| &*found.engine).collect();
    let mut facts = vec![
        format!("{}, taskstore {}, {}", machine.date, machine.version, engines.join(", ")),
        format!("{processor}, {} cores{memory}, {}{disk}", machine.cores, machine.system),
        format!("rounds: {}, every case once in each", report.rounds),
    ];
    if let Some(cores) = report.cores_used_by_others {
        facts.push(format!(
            "other programs kept {} of {} cores busy meanwhile: the nearer to 0, the better",
            figure_text(cores),
            machine.cores
        ));
    }
    if !machine.optimized {
        facts.push("built WITHOUT optimizations: these figures mean nothing".into());
    }
    facts
}
