//! The links between the project's own pages: each must lead to a file or folder that is there.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::Result;

/// Links of the pages in `root`, `root/docs` and below it that lead nowhere.
pub(crate) fn broken(root: &Path) -> Result<Vec<String>> {
    let mut pages = Vec::new();
    collect(root, false, &mut pages)?;
    collect(&root.join("docs"), true, &mut pages)?;
    pages.sort();

    let mut problems = Vec::new();
    for page in pages {
        let text = fs::read_to_string(&page)?;
        for target in targets(&text) {
            let file = target.split('#').next().unwrap_or_default();
            let there = page.parent().is_some_and(|folder| folder.join(file).exists());
            if !there && !file.is_empty() {
                problems.push(format!("{} links to {target}, which is not there", page.display()));
            }
        }
    }
    Ok(problems)
}

fn collect(folder: &Path, below: bool, pages: &mut Vec<PathBuf>) -> Result<()> {
    if !folder.is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() && below {
            collect(&path, below, pages)?;
        } else if path.extension().is_some_and(|extension| extension == "md") {
            pages.push(path);
        }
    }
    Ok(())
}

/// Where `[words](target)` leads within the project, outside blocks of code.
fn targets(text: &str) -> impl Iterator<Item = &str> {
    let mut in_code = false;
    text.lines()
        .filter(move |line| {
            let fence = line.trim_start().starts_with("```");
            in_code ^= fence;
            !in_code && !fence
        })
        .flat_map(|line| line.split("](").skip(1))
        .filter_map(|rest| rest.split(')').next())
        .filter(|target| !target.contains("://") && !target.starts_with("mailto:"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_to_a_page_that_is_not_there_is_named() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("docs/deep")).unwrap();
        fs::write(root.path().join("docs/there.md"), "[up](../README.md) [gone](gone.md)").unwrap();
        fs::write(root.path().join("docs/deep/page.md"), "[no](there.md) [self](#here)").unwrap();
        fs::write(
            root.path().join("README.md"),
            "[a](docs/there.md#x), [b](docs/deep) [c](https://x.org/y.md)\n```\nt[0](none)\n```\n",
        )
        .unwrap();

        let problems = broken(root.path()).unwrap();
        assert_eq!(problems.len(), 2, "{problems:?}");
        assert!(problems[0].contains("deep/page.md links to there.md"));
        assert!(problems[1].contains("there.md links to gone.md"));
    }
}
