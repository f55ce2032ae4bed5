//! What was downloaded stays, under `target/xtask/servers`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{Result, metadata::target_folder};

/// The folder of this name, which `make` fills if it is not there.
pub(super) fn folder(name: &str, make: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
    let cache = target_folder().join("xtask/servers");
    let folder = cache.join(name);
    if folder.is_dir() {
        return Ok(folder);
    }
    // Under another name until it is whole, so that half a download is never taken for one.
    let part = cache.join(format!("{name}.part"));
    if part.exists() {
        fs::remove_dir_all(&part)?;
    }
    fs::create_dir_all(&part)?;
    make(&part)?;
    fs::rename(&part, &folder)?;
    Ok(folder)
}

/// Runs a program; what it said is the error when it fails.
pub(super) fn succeed(command: &mut Command) -> Result<()> {
    let program = command.get_program().display().to_string();
    let output = command.output().map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{program} failed: {}", said.trim()).into())
}

/// Fails where the programs that can be downloaded do not run.
pub(super) fn x86_64_linux() -> Result<()> {
    if cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return Ok(());
    }
    Err("there is none to download for this machine, only for Linux on x86-64".into())
}
