//! The links between the project's own pages: each must lead to a file or folder that is there.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::Result;

/// Links of the pages in `root`, `root/examples` and its packages, `root/docs` and below it that lead
/// nowhere, and examples that their page does not list.
pub(crate) fn broken(root: &Path) -> Result<Vec<String>> {
    let mut pages = Vec::new();
    collect(root, false, &mut pages)?;
    collect(&root.join("examples"), false, &mut pages)?;
    for package in example_packages(&root.join("examples"))? {
        collect(&root.join("examples").join(package), false, &mut pages)?;
    }
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
    problems.extend(unlisted_examples(&root.join("examples"))?);
    Ok(problems)
}

/// Examples that are not on the page beside them.
fn unlisted_examples(folder: &Path) -> Result<Vec<String>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let page = folder.join("README.md");
    let text = fs::read_to_string(&page)?;
    let listed: Vec<_> = targets(&text).collect();
    let mut examples = example_packages(folder)?;
    for entry in fs::read_dir(folder.join("examples"))? {
        examples.push(format!("examples/{}", entry?.file_name().display()));
    }
    let unlisted = examples.into_iter().filter(|example| !listed.contains(&&**example));
    Ok(unlisted.map(|example| format!("{} does not list {example}", page.display())).collect())
}

/// Examples that are a package of their own.
fn example_packages(folder: &Path) -> Result<Vec<String>> {
    let mut packages = Vec::new();
    if folder.is_dir() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if entry.path().join("Cargo.toml").exists() {
                packages.push(entry.file_name().display().to_string());
            }
        }
    }
    Ok(packages)
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

    #[test]
    fn an_example_that_its_page_does_not_list_is_named() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("examples/examples")).unwrap();
        for name in ["listed.rs", "forgotten.rs"] {
            fs::write(root.path().join("examples/examples").join(name), "").unwrap();
        }
        for name in ["package", "forgotten"] {
            fs::create_dir(root.path().join("examples").join(name)).unwrap();
            fs::write(root.path().join("examples").join(name).join("Cargo.toml"), "").unwrap();
        }
        fs::write(root.path().join("examples/package/README.md"), "[gone](gone.md)").unwrap();
        let page = "[listed](examples/listed.rs) [package](package)";
        fs::write(root.path().join("examples/README.md"), page).unwrap();
        let problems = broken(root.path()).unwrap();
        assert_eq!(problems.len(), 3, "{problems:?}");
        assert!(problems[0].contains("package/README.md links to gone.md"), "{problems:?}");
        assert!(problems[1].ends_with("does not list forgotten"), "{problems:?}");
        assert!(problems[2].ends_with("does not list examples/forgotten.rs"), "{problems:?}");
    }
}
