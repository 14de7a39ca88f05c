//! Finds the tests in source files, for the build script and for the tests about documents.
//!
//! Reads formatted source files line by line: attributes, `mod`, `fn`, and the macro that defines a test for each server.
//! A test compares the result with the list of the test binary.

use std::fs;
use std::path::{Path, PathBuf};

/// A test function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Test {
    /// The name as listed by the test binary: `module::function`.
    pub(crate) name: String,
    /// Whether it has the attribute `ignore`.
    pub(crate) ignored: bool,
    /// The `cfg` conditions of it and its modules, except `test`.
    pub(crate) conditions: Vec<String>,
}

/// Returns the tests of the crate with this root file, and all files of its modules.
pub(crate) fn find(root: &Path) -> (Vec<Test>, Vec<PathBuf>) {
    let mut found = (Vec::new(), Vec::new());
    let directory = root.parent().unwrap_or(Path::new("")).to_owned();
    read(root, &directory, &[], &[], &mut found);
    found
}

/// Reads a file whose child modules are in `directory`.
fn read(
    file: &Path,
    directory: &Path,
    module: &[String],
    conditions: &[String],
    found: &mut (Vec<Test>, Vec<PathBuf>),
) {
    let Ok(text) = fs::read_to_string(file) else { panic!("{}: cannot be read", file.display()) };
    found.1.push(file.to_owned());
    // Open inline modules, with their indentation.
    let mut inline: Vec<(usize, String)> = Vec::new();
    let mut attributes: Vec<&str> = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let indentation = line.len() - line.trim_start().len();
        let line = line.trim();
        if line.starts_with("#[") {
            attributes.push(line);
            continue;
        }
        if line.starts_with("//") {
            continue;
        }
        let path: Vec<String> = module.iter().cloned().chain(inline.iter().map(|(_, name)| name.clone())).collect();
        let name = |function: &str| path.iter().map(String::as_str).chain([function]).collect::<Vec<_>>().join("::");
        let conditions = || {
            let own = attributes.iter().filter_map(|line| line.strip_prefix("#[cfg(")?.strip_suffix(")]"));
            conditions.iter().map(String::as_str).chain(own).filter(|own| *own != "test").map(str::to_owned).collect()
        };
        if line == "}" && inline.last().is_some_and(|(start, _)| *start == indentation) {
            inline.pop();
        } else if let Some(child) = item(line, "mod ") {
            if line.ends_with('{') {
                inline.push((indentation, child.to_owned()));
            } else {
                let below = path.iter().skip(module.len()).fold(directory.to_owned(), |below, name| below.join(name));
                let (beside, within) = (below.join(format!("{child}.rs")), below.join(child).join("mod.rs"));
                let file = if beside.exists() { beside } else { within };
                let child_path: Vec<String> = path.iter().cloned().chain([child.to_owned()]).collect();
                let conditions: Vec<String> = conditions();
                read(&file, &below.join(child), &child_path, &conditions, found);
            }
        } else if line.starts_with("on_each_server!(") {
            let mut call = line.to_owned();
            while !call.ends_with(");") {
                call.push_str(lines.next().unwrap_or(");").trim());
            }
            let functions = call["on_each_server!(".len()..call.len() - 2].split(',').map(str::trim);
            for function in functions.filter(|function| !function.is_empty()) {
                for server in ["on_prosody", "on_ejabberd"] {
                    let name = name(&format!("{server}::{function}"));
                    found.0.push(Test { name, ignored: false, conditions: conditions() });
                }
            }
        } else if attributes.iter().any(|line| *line == "#[test]" || line.starts_with("#[tokio::test"))
            && let Some(function) = item(line, "fn ").or_else(|| item(line, "async fn "))
        {
            let ignored = attributes.iter().any(|line| line.starts_with("#[ignore"));
            found.0.push(Test { name: name(function), ignored, conditions: conditions() });
        }
        attributes.clear();
    }
}

/// Returns the name of the item that begins in this line, if it is of this kind.
fn item<'a>(line: &'a str, kind: &str) -> Option<&'a str> {
    let line = match line.strip_prefix("pub") {
        Some(rest) => rest.split_once(' ')?.1,
        None => line,
    };
    let rest = line.strip_prefix(kind)?;
    Some(&rest[..rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_')?])
}
