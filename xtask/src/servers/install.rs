//! Installs servers on a machine where we may: as root on Debian.

use std::{fs, path::Path};

use crate::{Result, environment, screen::say};

/// Debian's package of PostgreSQL makes a database at once, and a service for it, unless this says
/// that it should not.
const CLUSTERS: &str = "/etc/postgresql-common/createcluster.conf";

/// Installs PostgreSQL without a database of its own.
pub(super) fn postgres() -> Result<()> {
    let file = Path::new(CLUSTERS);
    // A file that is there is somebody's wish.
    if !file.exists() {
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(file, "create_main_cluster = false\n")?;
    }
    install(&["postgresql"])
}

/// Installs MariaDB's server without a service.
pub(super) fn mariadb() -> Result<()> {
    install(&["mariadb-server-core", "mariadb-client-core"])
}

/// Whether we may.
pub(super) fn may() -> bool {
    environment::is_debian() && environment::is_root()
}

fn install(packages: &[&str]) -> Result<()> {
    say(&format!("installing {}", packages.join(" and ")));
    environment::apt_get(&["update"])?;
    let mut arguments = vec!["install", "--yes", "--no-install-recommends"];
    arguments.extend(packages);
    environment::apt_get(&arguments)
}
