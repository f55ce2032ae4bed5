//! `cargo xtask matrix`: runs the conformance suite on every server that can be had, and writes what
//! came of it.
//!
//! Architecture invariant: nobody types a figure into docs/engines.md, and what could not be run is
//! there with the reason.

mod cache;
mod debian;
mod galera;
mod npm;
mod outcome;
mod page;
mod pgbouncer;
mod promises;
mod subject;

use std::{fs, path::PathBuf, process::Command};

pub(crate) use self::pgbouncer::before as pooler_before;
use self::{
    outcome::Outcome,
    page::{Record, page},
    promises::Promises,
    subject::{Running, SUBJECTS, Subject},
};
use crate::{
    Result, environment,
    metadata::root,
    screen::say,
    servers::{Engine, Server},
    step::{Steps, Tests, cargo},
};

/// Runs the suite on the subjects of these names, or on all; whether nothing failed anywhere.
pub(crate) fn run(names: &[String]) -> Result<bool> {
    environment::prepare()?;
    let chosen = choose(names)?;
    let promises = Promises::read(&fs::read_to_string(root().join("docs/promises.md"))?);
    let mut steps = Steps::default();
    for subject in chosen {
        let record = record(subject, &promises, &mut steps)?;
        keep(record)?;
    }
    Ok(steps.all_well())
}

/// Starts the servers of these names.
pub(crate) fn servers(names: &[String]) -> Result<Vec<(Engine, Server)>> {
    let mut servers = Vec::new();
    for subject in choose(names)? {
        servers.extend(subject.start()?.servers);
    }
    Ok(servers)
}

fn choose(names: &[String]) -> Result<Vec<Subject>> {
    if names.is_empty() {
        return Ok(SUBJECTS.to_vec());
    }
    let find = |name: &String| SUBJECTS.into_iter().find(|subject| subject.name() == name);
    let unknown = |name: &String| {
        let known = SUBJECTS.map(Subject::name).join(", ");
        format!("{name}: no such store; there are {known}")
    };
    names.iter().map(|name| find(name).ok_or_else(|| unknown(name).into())).collect()
}

/// Gets the subject, runs the suite on it, and says what is to be known.
fn record(subject: Subject, promises: &Promises, steps: &mut Steps) -> Result<Record> {
    let name = subject.name();
    let mut server = subject.kind().to_owned();
    let (package, _) = subject.suite();
    let started = if root().join("crates").join(package).is_dir() {
        subject.start()
    } else {
        Err(format!("the crate {package} is not there").into())
    };
    let outcome = match started {
        Ok(running) => {
            server.clone_from(&running.version);
            suite(subject, &running, promises, steps)
        }
        Err(error) => Err(error),
    };
    let outcome = outcome.map_err(|error| error.to_string());
    match &outcome {
        Ok(outcome) => {
            say(&format!("    {server}: {} of {} promises held", outcome.held(), outcome.promises));
        }
        Err(error) => steps.check(&format!("matrix {name}"), || Ok(vec![error.clone()])),
    }
    let (date, code) = (today(), code()?);
    Ok(Record { name: name.into(), server, date, code, outcome })
}

fn suite(
    subject: Subject,
    running: &Running,
    promises: &Promises,
    steps: &mut Steps,
) -> Result<Outcome> {
    let (package, test) = subject.suite();
    let arguments = ["test", "--package", package, "--locked", "--test", test];
    let built = cargo(&arguments).arg("--no-run").output()?;
    if !built.status.success() {
        return Err(format!("{package} cannot be built").into());
    }
    let mut command = cargo(&arguments);
    running.tell(&mut command);
    if let (Subject::PgBouncer, Some((engine, behind))) = (subject, running.servers.first()) {
        command.env(engine.direct_variable(), &behind.url);
    }
    let output = steps.command(&format!("matrix {}", subject.name()), Tests::Some, &mut command)?;
    if let Some(test) = subject.also() {
        let mut command = cargo(&["test", "--package", package, "--locked", "--test", test]);
        running.tell(&mut command);
        let output =
            steps.command(&format!("{} {test}", subject.name()), Tests::Some, &mut command)?;
        // Its figures are what it is run for.
        output.lines().filter(|line| line.starts_with("figures: ")).for_each(say);
    }
    Outcome::read(&output, promises)
}

/// Writes a record to the figures in the place of an older one, and the page.
fn keep(record: Record) -> Result<()> {
    let mut records = kept()?;
    records.retain(|old| old.name != record.name);
    records.push(record);
    let place = |name: &str| SUBJECTS.iter().position(|subject| subject.name() == name);
    records.retain(|record| place(&record.name).is_some());
    records.sort_by_key(|record| place(&record.name));
    fs::write(figures(), serde_json::to_string_pretty(&records)? + "\n")?;
    write_page()
}

/// Writes the page from the figures.
pub(crate) fn write_page() -> Result<()> {
    fs::write(root().join("docs/engines.md"), page(&kept()?)?)?;
    Ok(())
}

/// What is known from earlier runs.
fn kept() -> Result<Vec<Record>> {
    match fs::read(figures()) {
        Ok(json) => Ok(serde_json::from_slice(&json)?),
        Err(_) => Ok(Vec::new()),
    }
}

fn figures() -> PathBuf {
    root().join("docs/engines.json")
}

fn today() -> String {
    let date = time::OffsetDateTime::now_utc().date();
    format!("{}-{:02}-{:02}", date.year(), u8::from(date.month()), date.day())
}

/// The commit, with a `+` if the code is not just that. The pages that a run writes do not count.
fn code() -> Result<String> {
    let git = |arguments: &[&str]| -> Result<String> {
        let output = Command::new("git").args(arguments).current_dir(root()).output()?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let commit = git(&["rev-parse", "--short=7", "HEAD"])?;
    let more = git(&["status", "--porcelain", "--", "crates", "Cargo.lock"])?;
    Ok(if more.is_empty() { commit } else { commit + "+" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_nobody_has_is_refused_with_those_that_there_are() {
        assert_eq!(choose(&[]).unwrap().len(), SUBJECTS.len());
        assert_eq!(choose(&["sqlite".into()]).unwrap(), [Subject::Sqlite]);
        let error = choose(&["oracle".into()]).unwrap_err().to_string();
        assert!(error.starts_with("oracle: no such store; there are memory, sqlite"), "{error}");
    }
}
