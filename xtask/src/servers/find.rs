//! Where programs lie.

use std::path::{Path, PathBuf};

/// Folders that hold servers and are not on everybody's `PATH`.
const SERVER_FOLDERS: [&str; 5] =
    ["/usr/sbin", "/usr/local/sbin", "/usr/libexec", "/usr/local/bin", "/opt/homebrew/bin"];

/// The first program of one of these names, with its links followed: on `PATH`, or where servers
/// are. An earlier name is better than an earlier folder.
pub(crate) fn program(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> =
        std::env::split_paths(&path).chain(SERVER_FOLDERS.map(PathBuf::from)).collect();
    names.iter().find_map(|name| in_folders(&folders, name))
}

fn in_folders(folders: &[PathBuf], name: &str) -> Option<PathBuf> {
    let found = folders.iter().map(|folder| folder.join(name)).find(|path| path.is_file())?;
    std::fs::canonicalize(found).ok()
}

/// The folder `below` of the newest version: `/usr/lib/postgresql/15/bin` for
/// `/usr/lib/postgresql` and `bin`.
pub(crate) fn newest(versions: &Path, below: &str) -> Option<PathBuf> {
    let entries = std::fs::read_dir(versions).ok()?;
    let version = |name: &str| -> Option<Vec<u32>> {
        name.split('.').map(|part| part.parse().ok()).collect()
    };
    entries
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let number = version(path.file_name()?.to_str()?)?;
            let folder = path.join(below);
            folder.is_dir().then_some((number, folder))
        })
        .max()
        .map(|(_, folder)| folder)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_newest_version_is_by_number_and_what_is_no_version_is_passed_by() {
        let house = tempfile::tempdir().unwrap();
        for folder in ["9.6/bin", "15/bin", "16", "common/bin"] {
            fs::create_dir_all(house.path().join(folder)).unwrap();
        }
        assert_eq!(newest(house.path(), "bin"), Some(house.path().join("15/bin")));
        assert_eq!(newest(&house.path().join("nowhere"), "bin"), None);
    }

    #[test]
    fn the_first_folder_that_has_the_program_counts() {
        let house = tempfile::tempdir().unwrap();
        let (one, two) = (house.path().join("one"), house.path().join("two"));
        fs::create_dir_all(one.join("server")).unwrap();
        fs::create_dir_all(&two).unwrap();
        fs::write(two.join("server"), "").unwrap();
        let found = in_folders(&[one, two.clone()], "server");
        assert_eq!(found, fs::canonicalize(two.join("server")).ok());
    }
}
