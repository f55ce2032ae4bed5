//! Servers of other releases of Debian, unpacked beside the system with every library that they
//! need. The machine's own packages, and what it knows of others, are not touched.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::cache;
use crate::{
    Result, environment,
    servers::{Maker, MySql},
};

const KEYS: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// MariaDB or MySQL of a release.
pub(super) fn mysql(release: &str, maker: Maker, packages: &[&str]) -> Result<MySql> {
    let root = unpacked(release, packages)?;
    let server = match maker {
        Maker::MariaDb => "mariadbd",
        Maker::MySql => "mysqld",
    };
    Ok(MySql {
        maker,
        program: program(&root, &format!("usr/sbin/{server}")),
        base: root.join("usr"),
        options: Vec::new(),
    })
}

/// A folder with these packages and what they need.
pub(super) fn unpacked(release: &str, packages: &[&str]) -> Result<PathBuf> {
    cache::x86_64_linux()?;
    if !environment::is_debian() {
        return Err("packages of Debian are only unpacked on Debian".into());
    }
    let name = format!("debian-{release}-{}", packages.join("-"));
    cache::folder(&name, |folder| unpack(release, packages, folder))
}

/// A program of such a folder, behind its loader, because the system's libraries are older.
pub(super) fn program(root: &Path, name: &str) -> Vec<String> {
    let path = |name: &str| root.join(name).display().to_string();
    // Where the loader was before Debian moved all of it below `usr`.
    let old = root.join("lib/x86_64-linux-gnu/ld-linux-x86-64.so.2");
    let loader = if old.is_file() { old } else { root.join("usr/lib64/ld-linux-x86-64.so.2") };
    vec![
        loader.display().to_string(),
        "--library-path".into(),
        ["usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu"].map(path).join(":"),
        root.join(name).display().to_string(),
    ]
}

fn unpack(release: &str, packages: &[&str], folder: &Path) -> Result<()> {
    let work = tempfile::tempdir()?;
    let at = |name: &str| work.path().join(name);
    for name in ["etc/preferences.d", "lists/partial", "archives/partial"] {
        fs::create_dir_all(at(name))?;
    }
    fs::write(at("status"), "")?;
    let source = format!("deb [signed-by={KEYS}] {} {release} main\n", mirror());
    fs::write(at("etc/sources.list"), source)?;
    fs::write(at("apt.conf"), configuration(work.path(), &ways_out())?)?;

    let apt = |arguments: &[&str]| {
        cache::succeed(
            Command::new("apt-get").args(arguments).env("APT_CONFIG", work.path().join("apt.conf")),
        )
    };
    apt(&["--quiet", "--quiet", "update"])?;
    let mut install = vec!["--quiet", "--quiet", "--yes", "--download-only", "install"];
    install.extend(packages);
    apt(&install)?;
    for entry in fs::read_dir(at("archives"))? {
        let package = entry?.path();
        if package.extension().is_some_and(|extension| extension == "deb") {
            cache::succeed(Command::new("dpkg").arg("-x").arg(package).arg(folder))?;
        }
    }
    for unused in ["usr/share/doc", "usr/share/man", "usr/share/locale"] {
        // Not every package has them.
        let _ = fs::remove_dir_all(folder.join(unused));
    }
    Ok(())
}

/// A configuration of apt that knows of no other package than those of the one release.
fn configuration(work: &Path, ways_out: &str) -> Result<String> {
    let work = work.display();
    let mut text = ways_out.to_owned();
    writeln!(
        text,
        "Dir::Etc \"{work}/etc\";\n\
         Dir::Etc::sourcelist \"{work}/etc/sources.list\";\n\
         Dir::Etc::sourceparts \"/dev/null\";\n\
         Dir::Etc::parts \"/dev/null\";\n\
         Dir::State::lists \"{work}/lists\";\n\
         Dir::State::status \"{work}/status\";\n\
         Dir::Cache \"{work}\";\n\
         Dir::Cache::archives \"{work}/archives\";\n\
         Acquire::Languages \"none\";\n\
         APT::Sandbox::User \"root\";\n\
         APT::Install-Recommends \"false\";\n\
         Debug::NoLocking \"true\";"
    )?;
    Ok(text)
}

/// How this machine reaches a mirror: proxies, and which checks its owner has turned off.
fn ways_out() -> String {
    let Ok(output) = Command::new("apt-config").arg("dump").output() else { return String::new() };
    let ways = ["Acquire::http", "Acquire::https", "Acquire::Check-"];
    let dump = String::from_utf8_lossy(&output.stdout).into_owned();
    dump.lines()
        .filter(|line| ways.iter().any(|way| line.starts_with(way)))
        .fold(String::new(), |text, line| text + line + "\n")
}

/// The mirror that this machine uses.
fn mirror() -> String {
    let files = ["/etc/apt/sources.list.d/debian.sources", "/etc/apt/sources.list"];
    let found = files
        .iter()
        .filter_map(|file| fs::read_to_string(file).ok())
        .find_map(|text| text.lines().find_map(mirror_of));
    found.unwrap_or_else(|| "http://deb.debian.org/debian".into())
}

/// The address in `URIs: http://..` and in `deb [..] http://.. bookworm main`.
fn mirror_of(line: &str) -> Option<String> {
    let named = line.starts_with("URIs:") || line.starts_with("deb ");
    let address = line.split_whitespace().find(|word| word.contains("://"));
    address.filter(|_| named).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mirror_is_read_from_both_kinds_of_lists() {
        assert_eq!(mirror_of("URIs: http://a/debian").as_deref(), Some("http://a/debian"));
        let old = "deb [signed-by=/k.gpg] https://b/debian bookworm main";
        assert_eq!(mirror_of(old).as_deref(), Some("https://b/debian"));
        assert_eq!(mirror_of("# http://snapshot.debian.org/archive"), None);
    }

    #[test]
    fn a_program_runs_behind_the_loader_of_its_own_release() {
        let words = program(Path::new("/r"), "usr/sbin/mysqld");
        assert_eq!(words.first().map(String::as_str), Some("/r/usr/lib64/ld-linux-x86-64.so.2"));
        assert_eq!(words.last().map(String::as_str), Some("/r/usr/sbin/mysqld"));
    }
}
