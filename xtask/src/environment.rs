//! Whether this machine has what the tests need, and how to get it.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use crate::{Result, screen::say};

/// What a missing C compiler is to whoever has to do something about it.
const NO_COMPILER: &str = "SQLite is built from source and needs a C compiler with the C library's \
    headers. Install one (Debian, Ubuntu: apt-get install gcc libc6-dev; Fedora: dnf install gcc \
    glibc-devel; Alpine: apk add gcc musl-dev; macOS: xcode-select --install), or name yours in CC.";

/// Makes sure that there is a C compiler. As root on Debian it installs one if there is none.
pub(crate) fn prepare() -> Result<()> {
    if compiler_works() {
        return Ok(());
    }
    // A compiler that was asked for by name is not ours to replace.
    if std::env::var_os("CC").is_some() || !(is_debian() && is_root()) {
        return Err(NO_COMPILER.into());
    }
    say("no working C compiler: installing gcc and libc6-dev");
    apt_get(&["update"])?;
    apt_get(&["install", "--yes", "--no-install-recommends", "gcc", "libc6-dev"])?;
    if compiler_works() { Ok(()) } else { Err(NO_COMPILER.into()) }
}

/// Whether the compiler that the `cc` crate will take is there and finds the C library's headers.
fn compiler_works() -> bool {
    let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
    // CC may carry a launcher or flags, as in `ccache gcc`.
    let words = compiler.to_string_lossy().into_owned();
    let mut words = words.split_whitespace();
    let Some(program) = words.next() else { return false };
    Command::new(program)
        .args(words)
        .args(["-include", "stdlib.h", "-x", "c", "-E", "/dev/null"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Whether packages are Debian's.
pub(crate) fn is_debian() -> bool {
    Path::new("/etc/debian_version").exists()
}

/// Whether we may install packages.
pub(crate) fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

/// Runs `apt-get`, with its output shown when it fails.
pub(crate) fn apt_get(arguments: &[&str]) -> Result<()> {
    let output = Command::new("apt-get")
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .output()?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("apt-get {} failed:\n{}", arguments.join(" "), said.trim()).into())
}
