//! The certificate that throw-away servers show, so that encrypted connections can be tested.

use std::{
    fs::OpenOptions,
    path::{Path, PathBuf},
};

use super::{account::Account, server::put};
use crate::Result;

/// Who made it out, within the repository.
pub(super) const AUTHORITY: &str = "tests/tls/authority.pem";

const CERTIFICATE: &str = include_str!("../../../tests/tls/server.pem");
const KEY: &str = include_str!("../../../tests/tls/server.key");

/// Where both are, for the server alone.
#[derive(Debug)]
pub(crate) struct Certificate {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

impl Certificate {
    /// Writes them into the folder of a server.
    pub(crate) fn put(folder: &Path, account: Option<Account>) -> Result<Self> {
        let certificate = folder.join("server.pem");
        put(&certificate, CERTIFICATE, account)?;
        let key = folder.join("server.key");
        private(&key)?;
        put(&key, KEY, account)?;
        Ok(Self { certificate, key })
    }
}

/// Makes an empty file that nobody else may read: servers refuse any other key.
fn private(path: &Path) -> Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?;
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn nobody_else_may_read_the_key() {
        use std::os::unix::fs::PermissionsExt as _;

        let folder = tempfile::tempdir().unwrap();
        let written = Certificate::put(folder.path(), None).unwrap();
        assert_eq!(fs::metadata(&written.key).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(fs::read_to_string(&written.key).unwrap().contains("PRIVATE KEY"));
        assert!(fs::read_to_string(&written.certificate).unwrap().contains("CERTIFICATE"));
    }
}
