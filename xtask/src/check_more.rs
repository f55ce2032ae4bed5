//! `cargo xtask check-more`: what takes too long for every change.
//!
//! Each folder below `check-more/` is a workspace of its own with a lock file of its own, because
//! one lock file holds one `libsqlite3-sys`. They share a target folder.

use crate::{
    Result, environment,
    metadata::target_folder,
    servers::Servers,
    step::{Steps, Tests, cargo},
};

/// Runs all checks; whether all passed.
pub(crate) fn run() -> Result<bool> {
    environment::prepare()?;
    let servers = Servers::for_workspace()?;

    let mut steps = Steps::default();
    steps.command(
        "the oldest rusqlite",
        Tests::None,
        &mut run_beside("check-more/rusqlite-low/Cargo.toml"),
    )?;
    steps.command(
        "beside sqlx, diesel and sea-orm",
        Tests::None,
        servers.tell(&mut run_beside("check-more/beside-orms/Cargo.toml")),
    )?;
    steps.command("without debug assertions", Tests::None, &mut without_debug_assertions())?;
    Ok(steps.all_well())
}

/// Checks our crates as a release has them: without debug assertions and what hangs on them. In the
/// profile of the tests otherwise, so that nobody else's crate is built once more.
fn without_debug_assertions() -> std::process::Command {
    let mut command = cargo(&["check", "--locked"]);
    for name in SHIPPED {
        let setting = format!("profile.dev.package.{name}.debug-assertions=false");
        command.args(["--package", name, "--config", &setting]);
    }
    command
}

/// The crates that users build.
const SHIPPED: [&str; 7] = [
    "taskstore",
    "taskstore-conformance",
    "taskstore-core",
    "taskstore-mysql",
    "taskstore-postgres",
    "taskstore-sql",
    "taskstore-sqlite",
];

/// Builds and runs the program of a manifest of its own.
fn run_beside(manifest: &str) -> std::process::Command {
    let mut command = cargo(&["run", "--locked", "--manifest-path", manifest]);
    command
        .env("CARGO_TARGET_DIR", target_folder().join("check-more"))
        .env("CARGO_PROFILE_DEV_DEBUG", "0");
    command
}
