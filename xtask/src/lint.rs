//! `cargo xtask lint`: format, lints, documentation, and the rules of the house that no compiler
//! knows.

use crate::{
    Result, engine_files, links,
    metadata::{Metadata, Package, root},
    step::{Steps, Tests, cargo},
};

/// Runs all checks; whether none found anything.
pub(crate) fn run() -> Result<bool> {
    let mut steps = Steps::default();
    steps.command("format", Tests::None, &mut cargo(&["fmt", "--all", "--check"]))?;
    steps.command(
        "clippy",
        Tests::None,
        &mut cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]),
    )?;
    steps.command(
        "clippy, taskstore without default features",
        Tests::None,
        &mut cargo(&[
            "clippy",
            "--package",
            "taskstore",
            "--all-targets",
            "--no-default-features",
            "--locked",
            "--",
            "-D",
            "warnings",
        ]),
    )?;
    steps.command(
        "documentation",
        Tests::None,
        cargo(&["doc", "--workspace", "--no-deps", "--locked"]).env("RUSTDOCFLAGS", "-D warnings"),
    )?;

    let metadata = Metadata::read()?;
    steps.check("minimum Rust of the dependencies", || newer_rust_needed(&metadata));
    steps.check("dependency direction", || Ok(wrong_directions(&metadata)));
    steps.check("SQL files", || engine_files::problems(&root().join("crates")));
    steps.check("links between pages", || links::broken(root()));
    Ok(steps.all_well())
}

/// Dependencies that need a newer Rust than the workspace declares.
fn newer_rust_needed(metadata: &Metadata) -> Result<Vec<String>> {
    let ours = metadata
        .ours()
        .find_map(|package| package.rust_version.clone())
        .ok_or("the workspace declares no rust-version")?;
    let declared = release(&ours).ok_or("the workspace's rust-version is not a version")?;
    Ok(metadata
        .packages
        .iter()
        .filter_map(|package| Some((package, package.rust_version.as_deref()?)))
        .filter(|(_, needed)| release(needed).is_none_or(|needed| needed > declared))
        .map(|(Package { name, version, .. }, needed)| {
            format!(
                "{name} {version} needs Rust {needed}, the workspace declares {ours}: \
                     choose an older one with cargo update --precise"
            )
        })
        .collect())
}

/// `1.89` or `1.89.0`.
fn release(version: &str) -> Option<(u32, u32, u32)> {
    let mut parts = version.split('.').map(str::parse::<u32>);
    let major = parts.next()?.ok()?;
    let minor = parts.next()?.ok()?;
    let patch = parts.next().unwrap_or(Ok(0)).ok()?;
    Some((major, minor, patch))
}

/// Drivers that may be named in one storey of the house only.
const DRIVERS: [&str; 6] =
    ["rusqlite", "r2d2", "tokio-postgres", "deadpool-postgres", "mysql_async", "sqlx"];

/// The storey that a crate of ours lives on. A crate knows only those below its own.
fn storey(name: &str) -> u8 {
    match name {
        "taskstore-core" => 0,
        "taskstore-sql" => 1,
        "taskstore-sqlite"
        | "taskstore-mysql"
        | "taskstore-postgres"
        | "taskstore-conformance"
        | "taskstore-admin" => 2,
        "taskstore" => 3,
        _ => 4,
    }
}

/// Dependencies that go up or across in the house, or a driver outside an engine's crate.
fn wrong_directions(metadata: &Metadata) -> Vec<String> {
    let ours: Vec<&str> = metadata.ours().map(|package| package.name.as_str()).collect();
    let mut problems = Vec::new();
    for package in metadata.ours() {
        let normal = package.dependencies.iter().filter(|on| on.kind.as_deref() != Some("dev"));
        for dependency in normal {
            let name = dependency.name.as_str();
            let (from, to) = (storey(&package.name), storey(name));
            if ours.contains(&name) && to >= from && from < 4 {
                problems.push(format!("{} must not depend on {name}", package.name));
            }
            if DRIVERS.contains(&name) && matches!(from, 0 | 1 | 3) {
                problems.push(format!("{} must not name the driver {name}", package.name));
            }
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::Dependency;

    fn package(name: &str, needs: &[(&str, Option<&str>)]) -> Package {
        let dependencies = needs
            .iter()
            .map(|&(name, kind)| Dependency { name: name.into(), kind: kind.map(Into::into) })
            .collect();
        Package {
            name: name.into(),
            version: "0.1.0".into(),
            manifest_path: "Cargo.toml".into(),
            rust_version: Some("1.89".into()),
            source: None,
            dependencies,
        }
    }

    #[test]
    fn a_dependency_that_needs_a_newer_rust_is_named() {
        let newer = Package {
            rust_version: Some("1.89.1".into()),
            source: Some("registry".into()),
            ..package("modern", &[])
        };
        let older = Package { rust_version: Some("1.88.0".into()), ..newer.clone() };
        let metadata = Metadata { packages: vec![package("taskstore", &[]), newer, older] };
        let problems = newer_rust_needed(&metadata).unwrap();
        assert_eq!(problems.len(), 1);
        assert!(problems[0].starts_with("modern 0.1.0 needs Rust 1.89.1"));
    }

    #[test]
    fn core_knows_nobody_and_no_driver_but_for_its_tests() {
        let metadata = Metadata {
            packages: vec![
                package("taskstore-sqlite", &[("taskstore-core", None), ("rusqlite", None)]),
                package(
                    "taskstore-core",
                    &[
                        ("taskstore-sqlite", None),
                        ("rusqlite", None),
                        ("taskstore-conformance", Some("dev")),
                    ],
                ),
                package("taskstore-conformance", &[("taskstore-core", None)]),
            ],
        };
        assert_eq!(
            wrong_directions(&metadata),
            [
                "taskstore-core must not depend on taskstore-sqlite",
                "taskstore-core must not name the driver rusqlite",
            ]
        );
    }
}
