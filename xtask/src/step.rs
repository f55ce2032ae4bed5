//! Steps: what a command does one after the other, each with a name, a time and an output that is
//! shown when it fails.

use std::{
    fs::{self, File},
    path::PathBuf,
    process::{Child, Command, ExitStatus},
    thread,
    time::{Duration, Instant},
};

use crate::{
    Result,
    metadata::target_folder,
    screen::{begin, say},
    tally::Tally,
};

/// What still runs after this has hung.
const STEP_TIME_MAX: Duration = Duration::from_secs(20 * 60);

/// A command's steps and what came of them.
#[derive(Default)]
pub(crate) struct Steps {
    tally: Tally,
    failed: Vec<String>,
}

/// Whether a step must have run tests.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tests {
    /// It must: no test at all means that they were lost on the way.
    Some,
    /// It runs none.
    None,
}

impl Steps {
    /// Runs a program to its end. Its output goes to a file, which is printed when it fails, and can
    /// be followed meanwhile. Not a pipe: a process that a broken test left behind could hold that
    /// open for ever. Answers what it said.
    pub(crate) fn command(
        &mut self,
        name: &str,
        tests: Tests,
        command: &mut Command,
    ) -> Result<String> {
        let log = log_file(name)?;
        let began = announce(name);
        let file = File::create(&log)?;
        let child = command
            .stdin(std::process::Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .map_err(|error| format!("{}: {error}", command.get_program().display()))?;
        let status = wait(child)?;
        let output = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
        let tally = Tally::read(&output);

        let problem = match status {
            None => Some(format!("it did not end within {} s", STEP_TIME_MAX.as_secs())),
            Some(status) if !status.success() => Some(status.to_string()),
            Some(_) if tests == Tests::Some && tally.passed == 0 => Some("no test ran".to_owned()),
            Some(_) => None,
        };
        let counts = if tests == Tests::Some { format!("{tally}, ") } else { String::new() };
        if let Some(problem) = problem {
            say(&format!("FAILED, {counts}{}", seconds(began)));
            say(&format!(
                "---- {name}: {problem} ----\n{}\n---- end of {name} ----",
                output.trim()
            ));
            self.fail(name, tally);
        } else {
            say(&format!("ok, {counts}{}", seconds(began)));
            self.tally += tally;
        }
        Ok(output)
    }

    /// Runs a check of our own: it fails when it names problems.
    pub(crate) fn check(&mut self, name: &str, check: impl FnOnce() -> Result<Vec<String>>) {
        let began = announce(name);
        let problems = check().unwrap_or_else(|error| vec![error.to_string()]);
        if problems.is_empty() {
            say(&format!("ok, {}", seconds(began)));
        } else {
            say(&format!("FAILED, {}", seconds(began)));
            for problem in problems {
                say(&format!("    {problem}"));
            }
            self.fail(name, Tally::default());
        }
    }

    /// A failed step fails the whole run, also where no test runner lived to say so.
    fn fail(&mut self, name: &str, mut tally: Tally) {
        tally.failed = tally.failed.max(1);
        self.tally += tally;
        self.failed.push(name.to_owned());
    }

    /// Names what failed, and says whether nothing did.
    pub(crate) fn all_well(&self) -> bool {
        for name in &self.failed {
            say(&format!("failed: {name}"));
        }
        for test in &self.tally.failures {
            say(&format!("  {test}"));
        }
        self.failed.is_empty()
    }

    /// The tests of all steps.
    pub(crate) const fn tally(&self) -> &Tally {
        &self.tally
    }
}

/// `cargo`, as the one that runs us.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(crate::metadata::root());
    command
}

fn announce(name: &str) -> Instant {
    begin(&format!("{name:.<52} "));
    Instant::now()
}

fn seconds(since: Instant) -> String {
    format!("{:.1} s", since.elapsed().as_secs_f64())
}

fn log_file(name: &str) -> Result<PathBuf> {
    let folder = target_folder().join("xtask");
    fs::create_dir_all(&folder)?;
    let plain: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    Ok(folder.join(format!("{plain}.log")))
}

/// `None`: it had to be killed.
fn wait(mut child: Child) -> Result<Option<ExitStatus>> {
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if began.elapsed() > STEP_TIME_MAX {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(Duration::from_millis(20));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_step_that_fails_without_a_word_is_one_failure() {
        let mut steps = Steps::default();
        steps.command("self test exit 3", Tests::None, &mut shell("exit 3")).unwrap();
        assert_eq!(steps.tally().to_string(), "0 passed, 1 failed");
        assert!(!steps.all_well());
    }

    #[test]
    fn a_runner_that_ran_nothing_is_a_failure() {
        let mut steps = Steps::default();
        let nothing = "echo 'test result: ok. 0 passed; 0 failed; 0 ignored'";
        steps.command("self test empty", Tests::Some, &mut shell(nothing)).unwrap();
        assert_eq!(steps.tally().to_string(), "0 passed, 1 failed");
    }

    #[test]
    fn both_outputs_of_a_step_are_read() {
        let mut steps = Steps::default();
        let both = "echo 'test result: ok. 2 passed; 0 failed' ; \
                    echo 'test result: ok. 3 passed; 0 failed' >&2";
        steps.command("self test both", Tests::Some, &mut shell(both)).unwrap();
        assert_eq!(steps.tally().to_string(), "5 passed, 0 failed");
        assert!(steps.all_well());
    }

    #[test]
    fn a_check_that_errs_or_names_a_problem_fails() {
        let mut steps = Steps::default();
        steps.check("self test fine", || Ok(Vec::new()));
        assert!(steps.all_well());
        steps.check("self test error", || Err("no such file".into()));
        steps.check("self test problem", || Ok(vec!["a.sql: no comment".to_owned()]));
        assert_eq!(steps.failed, ["self test error", "self test problem"]);
    }
}
