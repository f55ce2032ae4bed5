//! docs/engines.md, made from docs/engines.json.

use std::{collections::BTreeMap, fmt::Write as _};

use serde::{Deserialize, Serialize};

use super::{outcome::Outcome, subject::SUBJECTS};
use crate::Result;

/// What is known of one store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// What `cargo xtask matrix` calls it.
    pub(crate) name: String,
    /// What the server calls itself; what it is, if none was there to ask.
    pub(crate) server: String,
    /// The day of the run, `2026-03-01`.
    pub(crate) date: String,
    /// The code that was run: a commit, with a `+` if there was more.
    pub(crate) code: String,
    /// What came of it, or why nothing did.
    pub(crate) outcome: Result<Outcome, String>,
}

const INTRODUCTION: &str = "# Engines

<!-- Made by `cargo xtask matrix`; do not edit. -->

What every store was seen to do: the [conformance suite](../crates/taskstore-conformance), run on each of these servers.
A promise counts as held if each of the cases that prove it passed; one that was ignored proves nothing. The
[promises](promises.md) that only runners keep, which are tested elsewhere, are not counted here. Seconds are those of
the whole suite, on a machine that had other things to do: they say that it ran, and nothing about speed.

| store | server | promises held | cases passed | failed | ignored | seconds | date | code |
|---|---|---|---|---|---|---|---|---|
";

/// The page.
pub(crate) fn page(records: &[Record]) -> Result<String> {
    let mut page = INTRODUCTION.to_owned();
    for record in records {
        let Record { name, server, date, code, outcome } = record;
        write!(page, "| `{name}` | {server} | ")?;
        match outcome {
            Ok(outcome) => write!(
                page,
                "{} of {} | {} | {} | {} | {:.0}",
                outcome.held(),
                outcome.promises,
                outcome.passed,
                outcome.failed.len(),
                outcome.ignored.len(),
                outcome.seconds,
            )?,
            Err(_) => write!(page, "none, it was not run | | | |")?,
        }
        writeln!(page, " | {date} | {code} |")?;
    }
    for subject in SUBJECTS {
        if !records.iter().any(|record| record.name == subject.name()) {
            let (name, kind) = (subject.name(), subject.kind());
            writeln!(page, "| `{name}` | {kind} | not run yet | | | | | | |")?;
        }
    }
    let details: Vec<String> = records.iter().filter_map(details).collect();
    if !details.is_empty() {
        write!(page, "\n## What is missing\n\n{}", details.concat())?;
    }
    Ok(page)
}

/// What failed and what was ignored, and why.
fn details(record: &Record) -> Option<String> {
    let mut lines = String::new();
    match &record.outcome {
        Err(reason) => lines.push_str(&format!("- failed: {}\n", reason.replace('\n', "; "))),
        Ok(outcome) => {
            for case in &outcome.failed {
                lines.push_str(&format!("- failed: `{case}`\n"));
            }
            let mut reasons: BTreeMap<&str, Vec<String>> = BTreeMap::new();
            for ignored in &outcome.ignored {
                reasons.entry(&ignored.reason).or_default().push(format!("`{}`", ignored.case));
            }
            for (reason, cases) in reasons {
                let (count, cases) = (cases.len(), cases.join("<br>"));
                lines.push_str(&format!("- ignored, {reason}: {count}<br>{cases}\n"));
            }
            if !outcome.not_held.is_empty() {
                let ids: Vec<_> = outcome.not_held.iter().map(|id| format!("`{id}`")).collect();
                lines.push_str(&format!("- not held, or not proven: {}\n", ids.join(", ")));
            }
        }
    }
    (!lines.is_empty()).then(|| format!("### `{}`\n\n{lines}\n", record.name))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::{matrix::outcome::Ignored, metadata::root};

    fn record(outcome: Result<Outcome, String>) -> Record {
        Record {
            name: "memory".into(),
            server: "memory".into(),
            date: "2026-03-01".into(),
            code: "abc".into(),
            outcome,
        }
    }

    #[test]
    fn the_page_names_what_failed_and_why_others_were_ignored() {
        let outcome = Outcome {
            promises: 9,
            not_held: vec!["a.one".into()],
            passed: 20,
            failed: vec!["x::given_one".into()],
            ignored: vec![Ignored { case: "y::given_two".into(), reason: "not durable".into() }],
            seconds: 3.4,
        };
        let page = page(&[record(Ok(outcome)), record(Err("no\nserver".into()))]).unwrap();
        for expected in [
            "| `memory` | memory | 8 of 9 | 20 | 1 | 1 | 3 | 2026-03-01 | abc |",
            "- failed: `x::given_one`",
            "- ignored, not durable: 1<br>`y::given_two`",
            "- not held, or not proven: `a.one`",
            "| `memory` | memory | none, it was not run | | | | | 2026-03-01 | abc |",
            "- failed: no; server",
            "| `sqlite` | SQLite | not run yet |",
        ] {
            assert!(page.contains(expected), "{expected} in {page}");
        }
    }

    #[test]
    fn the_page_of_this_repository_says_what_its_figures_say() {
        let json = fs::read(root().join("docs/engines.json")).unwrap();
        let records: Vec<Record> = serde_json::from_slice(&json).unwrap();
        let written = fs::read_to_string(root().join("docs/engines.md")).unwrap();
        assert_eq!(written, page(&records).unwrap());
    }
}
