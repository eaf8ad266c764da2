//! Rules of the repository that no compiler knows.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Result;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> Result<String> {
    Ok(fs::read_to_string(root().join(path))?)
}

/// The files below a folder with this ending.
fn files(folder: &Path, ending: &str) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() && !name.starts_with('.') && name != "target" && name != "node_modules" {
            found.extend(files(&path, ending)?);
        } else if name.ends_with(ending) {
            found.push(path);
        }
    }
    Ok(found)
}

#[test]
fn every_member_inherits_the_lints() -> Result<()> {
    for manifest in files(&root(), "Cargo.toml")? {
        let text = fs::read_to_string(&manifest)?;
        if text.contains("[package]") {
            assert!(text.contains("[lints]\nworkspace = true"), "{}", manifest.display());
        }
    }
    Ok(())
}

#[test]
fn every_source_file_says_what_it_is() -> Result<()> {
    for file in files(&root(), ".rs")? {
        let text = fs::read_to_string(&file)?;
        let is_said = text.starts_with("//!") || text.starts_with("#![doc");
        // A sibling file of tests is named by the file that it tests.
        let is_tests = file.to_string_lossy().ends_with("tests.rs");
        assert!(is_said || is_tests, "{} begins without //!", file.display());
    }
    Ok(())
}

#[test]
fn the_crates_keep_to_their_side() -> Result<()> {
    let core = read("bookhub-core/Cargo.toml")?;
    for stranger in ["bookhub-realtime", "axum", "hyper", "http", "reqwest"] {
        assert!(!core.contains(&format!("\n{stranger}")), "bookhub-core knows {stranger}");
    }
    assert!(!read("bookhub-realtime/Cargo.toml")?.contains("bookhub-core"));
    for route in files(&root().join("bookhub-server/src/routes"), ".rs")? {
        let text = fs::read_to_string(&route)?;
        assert!(!text.contains(".publish"), "{} publishes", route.display());
    }
    Ok(())
}

#[test]
fn paths_that_the_documents_name_exist() -> Result<()> {
    for document in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"] {
        let text = read(document)?;
        for quoted in text.split('`').skip(1).step_by(2) {
            let is_path = quoted.contains('/')
                && !quoted.starts_with(['/', '.', '-'])
                && !quoted.contains([' ', ':', '*', '<', '{', '$', '(', '='])
                && ["bookhub-", "tests/", "examples/"].iter().any(|room| quoted.starts_with(room));
            if is_path {
                assert!(root().join(quoted).exists(), "{document} names {quoted}");
            }
        }
    }
    Ok(())
}

#[test]
fn every_environment_name_is_documented() -> Result<()> {
    let source = read("bookhub-server/src/config/raw.rs")?;
    let readme = read("README.md")?;
    let (_, lists) = source.split_once("const NAMES").expect("the names stand in a list");
    let (lists, _) = lists.split_once("/// What was written").expect("the lists come first");
    let names: Vec<_> = lists.split('"').skip(1).step_by(2).collect();
    assert!(names.len() > 10, "{names:?}");
    for name in names {
        let name = name.to_uppercase();
        assert!(readme.contains(&format!("`{name}`")), "README.md lacks {name}");
    }
    Ok(())
}
