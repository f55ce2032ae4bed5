//! docs/lifecycle.md says what `lifecycle::next` does: its diagram and its table are made from that
//! function, and this test fails when they differ. `cargo xtask docs` writes them.

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use taskstore_core::{
    Backoff, Status,
    backend::{AttemptIs, Requeue},
    lifecycle::{Event, Next, Policy, Retry, Standing, next},
};

const BACKOFF: Duration = Duration::from_secs(1);
const ASKED: Duration = Duration::from_secs(2);

#[test]
fn the_diagram_and_the_table_are_what_the_function_says() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/lifecycle.md");
    let written = fs::read_to_string(&page).unwrap();
    let generated = replace(&replace(&written, "diagram", &diagram()), "table", &table());
    if std::env::var_os("TASKSTORE_WRITE_DOCS").is_some() {
        fs::write(&page, generated).unwrap();
        return;
    }
    let written: Vec<&str> = written.lines().collect();
    let generated: Vec<&str> = generated.lines().collect();
    let only = |these: &[&str], those: &[&str]| {
        these
            .iter()
            .filter(|line| !those.contains(line))
            .map(|line| format!("\n  {line}"))
            .collect()
    };
    let (stale, missing): (String, String) =
        (only(&written, &generated), only(&generated, &written));
    assert!(
        written == generated,
        "docs/lifecycle.md is not current: run `cargo xtask docs`\nstale:{stale}\nmissing:{missing}"
    );
}

/// The page with what stands between the two marks of `part` replaced.
fn replace(page: &str, part: &str, by: &str) -> String {
    let begin = format!("<!-- generated: {part} -->\n");
    let parts = page.split_once(&begin).and_then(|(before, rest)| {
        let (_, after) = rest.split_once("<!-- end -->")?;
        Some((before, after))
    });
    let Some((before, after)) = parts else { panic!("the page has no marks for the {part}") };
    format!("{before}{begin}{by}<!-- end -->{after}")
}

/// Every kind of event, with each kind of failure.
fn events() -> Vec<Event> {
    let mut events = Vec::new();
    for event in Event::ALL {
        match event {
            Event::Failed(_) => events
                .extend([Retry::ByBackoff, Retry::After(ASKED), Retry::Never].map(Event::Failed)),
            Event::Snoozed(_) => events.push(Event::Snoozed(ASKED)),
            other => events.push(other),
        }
    }
    events
}

const fn name(event: Event) -> &'static str {
    match event {
        Event::Claimed => "claimed by a runner",
        Event::Succeeded => "its handler succeeded",
        Event::Failed(Retry::ByBackoff) => "its handler failed, panicked or ran out of time",
        Event::Failed(Retry::After(_)) => "its handler failed and named a delay",
        Event::Failed(Retry::Never) => "its handler failed for good",
        Event::Snoozed(_) => "its handler snoozed it",
        Event::CanceledInside => "its handler canceled it",
        Event::Expired => "it was too late to start it",
        Event::Released => "its runner gave it back",
        Event::LeaseLost { alone: false } => "its runner died, the lease was shared",
        Event::LeaseLost { alone: true } => "its runner died, the task was isolated",
        Event::Cancel => "cancel",
        Event::Pause => "pause",
        Event::Resume => "resume",
        Event::Reschedule => "reschedule",
        Event::Requeue => "requeue",
        Event::Delete => "soft delete",
        Event::Restore => "restore",
        Event::Purge => "purge",
    }
}

/// What an edge of the diagram is called.
const fn edge(event: Event) -> &'static str {
    match event {
        Event::Claimed => "claimed",
        Event::Succeeded => "succeeded",
        Event::Failed(_) => "failed",
        Event::Snoozed(_) => "snoozed",
        Event::CanceledInside => "canceled inside",
        Event::Expired => "expired",
        Event::Released => "released",
        Event::LeaseLost { .. } => "lost",
        Event::Delete => "delete",
        other => name(other),
    }
}

/// A task with three attempts at most.
const fn task(status: Status) -> Standing {
    Standing { status, ..Standing::running(0, 3) }
}

fn ask(standing: &Standing, event: Event) -> Option<Next> {
    let backoff = Backoff::fixed(BACKOFF);
    next(standing, event, Policy { backoff: &backoff, chance: 0.5 })
}

/// The cells of a table's line after the event: where it goes, and where else when no attempt is
/// left or a cancel was requested.
fn cells(status: Status, event: Event) -> Option<[String; 3]> {
    let usually = ask(&task(status), event)?;
    let differing = |standing: Standing| match ask(&standing, event) {
        None => panic!("{event:?} is allowed from {status} only sometimes: say so on the page"),
        Some(next) if next == usually => String::new(),
        Some(next) => words(status, next),
    };
    let mut to = words(status, usually);
    let of_a_suspect = differing(Standing { suspect: true, ..task(status) });
    if !of_a_suspect.is_empty() {
        assert_eq!(of_a_suspect, format!("{to}, suspect"), "the page has no words for this");
        to.push_str("; a suspect stays one");
    }
    let last = differing(Standing { attempts: 2, ..task(status) });
    let requested = differing(Standing { cancel_requested: true, ..task(status) });
    Some([to, last, requested])
}

fn words(from: Status, next: Next) -> String {
    let counted = |attempt| match (from, attempt) {
        (Status::Running, AttemptIs::Counted) => ", attempt counted",
        (Status::Running, AttemptIs::Refunded) => ", attempt refunded",
        _ => "",
    };
    match next {
        Next::Running => "`running`".to_owned(),
        Next::Paused => "`paused`".to_owned(),
        Next::Afresh => "`queued` now, attempts reset".to_owned(),
        Next::Unchanged => "stays as it is".to_owned(),
        Next::Gone => "gone, with everything of it".to_owned(),
        Next::Requested => "stays; its holder is asked to end it".to_owned(),
        Next::Ended { status, attempt } => format!("`{status}`{}", counted(attempt)),
        Next::Queued { to, attempt, suspect } => {
            let when = match to {
                Requeue::AsBefore => "in its old place",
                Requeue::After(BACKOFF) => "after its backoff",
                Requeue::After(_) => "after that delay",
            };
            let suspect = if suspect { ", suspect" } else { "" };
            format!("`queued` {when}{}{suspect}", counted(attempt))
        }
    }
}

/// The status that an event leads to, if it leads to another.
fn status_after(next: Next) -> Option<Status> {
    match next {
        Next::Running => Some(Status::Running),
        Next::Paused => Some(Status::Paused),
        Next::Afresh | Next::Queued { .. } => Some(Status::Queued),
        Next::Ended { status, .. } => Some(status),
        Next::Requested | Next::Unchanged | Next::Gone => None,
    }
}

fn table() -> String {
    let mut table = String::from(
        "| from | event | to | when that was its last attempt | when a cancel was requested |\n\
         |---|---|---|---|---|\n",
    );
    for event in events() {
        // Statuses for which an event does the same share a line.
        let mut lines: Vec<(Vec<Status>, [String; 3])> = Vec::new();
        for status in Status::ALL {
            let Some(cells) = cells(status, event) else { continue };
            match lines.iter_mut().find(|(_, same)| *same == cells) {
                Some((statuses, _)) => statuses.push(status),
                None => lines.push((vec![status], cells)),
            }
        }
        for (statuses, [to, last, requested]) in lines {
            let from = if statuses == Status::ALL {
                "any".to_owned()
            } else {
                statuses.iter().map(|status| format!("`{status}`")).collect::<Vec<_>>().join(", ")
            };
            let event = name(event);
            table += &format!("| {from} | {event} | {to} | {last} | {requested} |\n");
        }
    }
    table
}

fn diagram() -> String {
    let mut edges: BTreeMap<(Status, Status), Vec<&str>> = BTreeMap::new();
    for (from, event) in Status::ALL
        .into_iter()
        .flat_map(|from| events().into_iter().map(move |event| (from, event)))
    {
        let last = Standing { attempts: 2, ..task(from) };
        for next in [task(from), last].iter().filter_map(|standing| ask(standing, event)) {
            if let Some(to) = status_after(next) {
                let labels = edges.entry((from, to)).or_default();
                if !labels.contains(&edge(event)) {
                    labels.push(edge(event));
                }
            }
        }
    }
    let mut diagram = String::from("```mermaid\nstateDiagram-v2\n    [*] --> queued: enqueued\n");
    for ((from, to), labels) in edges {
        diagram += &format!("    {from} --> {to}: {}\n", labels.join(", "));
    }
    for from in Status::ALL {
        if ask(&task(from), Event::Purge) == Some(Next::Gone) {
            diagram += &format!("    {from} --> [*]: {}\n", edge(Event::Purge));
        }
    }
    diagram.push_str("```\n");
    diagram
}
