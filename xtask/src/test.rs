//! `cargo xtask test`: sets up what the tests need and runs all of them.
//!
//! It uses cargo's own test runner, the same on every machine, and never leaves anything out
//! silently: what a runner ignores is listed, and a step without any test fails.

use std::{fs, path::Path, process::Command};

use crate::{
    Result, environment,
    metadata::{root, target_folder},
    screen::say,
    servers::Servers,
    step::{Steps, Tests, cargo},
};

/// Runs all tests; whether all passed.
pub(crate) fn run() -> Result<bool> {
    environment::prepare()?;
    let servers = Servers::for_workspace()?;
    for server in servers.describe() {
        say(&server);
    }

    let mut steps = Steps::default();
    steps.command(
        "build the tests and the examples",
        Tests::None,
        // Without `--all-targets`, which would make tests of the examples instead of programs.
        &mut cargo(&["test", "--workspace", "--locked", "--no-run"]),
    )?;
    steps.command(
        "all tests",
        Tests::Some,
        servers.tell(&mut cargo(&[
            "test",
            "--workspace",
            "--lib",
            "--bins",
            "--tests",
            "--locked",
            "--no-fail-fast",
        ])),
    )?;
    steps.command(
        "examples in the documentation",
        Tests::Some,
        servers.tell(&mut cargo(&["test", "--workspace", "--doc", "--locked", "--no-fail-fast"])),
    )?;
    // A build of its own: in the workspace's other crates would turn the feature on again.
    steps.command(
        "taskstore without default features",
        Tests::Some,
        &mut cargo(&[
            "test",
            "--package",
            "taskstore",
            "--no-default-features",
            "--locked",
            "--no-fail-fast",
        ]),
    )?;
    run_examples(&mut steps, &servers)?;

    if !steps.tally().ignored.is_empty() {
        say("\nignored by their runners:");
        for line in &steps.tally().ignored {
            let words: Vec<&str> = line.split_whitespace().collect();
            say(&format!("  {}", words.join(" ")));
        }
    }
    say("");
    let all_well = steps.all_well();
    say(&steps.tally().to_string());
    Ok(all_well)
}

/// Runs every example to its end, in a folder of its own. Not by `cargo run`, which would build
/// everything once more with the features that this one package needs.
fn run_examples(steps: &mut Steps, servers: &Servers) -> Result<()> {
    for name in examples(&root().join("examples/examples"))? {
        let folder = target_folder().join("xtask/examples").join(&name);
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        let program = target_folder().join("debug/examples").join(&name);
        steps.command(
            &format!("example {name}"),
            Tests::None,
            servers.tell(Command::new(program).current_dir(folder)),
        )?;
    }
    Ok(())
}

/// The names of the examples, sorted.
fn examples(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    if !folder.exists() {
        return Ok(names);
    }
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            names.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
        }
    }
    names.sort();
    Ok(names)
}
