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
    steps.command(
        "release build",
        Tests::None,
        &mut cargo(&["build", "--workspace", "--release", "--locked"]),
    )?;
    Ok(steps.all_well())
}

/// Builds and runs the program of a manifest of its own.
fn run_beside(manifest: &str) -> std::process::Command {
    let mut command = cargo(&["run", "--locked", "--manifest-path", manifest]);
    command
        .env("CARGO_TARGET_DIR", target_folder().join("check-more"))
        .env("CARGO_PROFILE_DEV_DEBUG", "0");
    command
}
