//! What the documents claim and can be checked: each test that SECURITY.md names is there.

use std::fs;
use std::path::{Path, PathBuf};

fn sources(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| match path.is_dir() {
            true => sources(&path),
            false if path.extension().is_some_and(|extension| extension == "rs") => vec![path],
            false => Vec::new(),
        })
        .collect()
}

/// `a::b` for `a/b.rs`, `a/b/mod.rs` and `a/b/tests.rs`.
fn module(root: &Path, file: &Path) -> String {
    let path = file.strip_prefix(root).unwrap().with_extension("");
    let names = path.iter().map(|name| name.to_str().unwrap());
    names.filter(|name| !["tests", "mod"].contains(name)).collect::<Vec<_>>().join("::")
}

/// The tests in all sources, as `module::name`.
fn tests() -> Vec<String> {
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    let of = |root: PathBuf| {
        sources(&root).into_iter().flat_map(move |file| {
            let (module, text) = (module(&root, &file), fs::read_to_string(&file).unwrap());
            let names = text.split("fn ").skip(1).map(|rest| {
                rest.split(|character: char| !character.is_alphanumeric() && character != '_')
                    .next()
                    .unwrap()
                    .to_owned()
            });
            names.map(|name| format!("{module}::{name}")).collect::<Vec<_>>()
        })
    };
    ["integration", "src"].into_iter().flat_map(|root| of(project.join(root))).collect()
}

/// What stands between backquotes and has the form of a path to a test.
fn claims(text: &str) -> Vec<&str> {
    let is_path = |word: &&str| {
        word.contains("::") && word.chars().all(|letter| letter.is_ascii_alphanumeric() || "_:".contains(letter))
    };
    text.split('`').skip(1).step_by(2).filter(is_path).collect()
}

#[test]
fn security_claims() {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("SECURITY.md")).unwrap();
    let (claims, tests) = (claims(&text), tests());
    assert!(claims.len() > 30, "{claims:?}");
    let missing: Vec<_> = claims.into_iter().filter(|claim| !tests.iter().any(|test| test == claim)).collect();
    assert_eq!(missing, Vec::<&str>::new(), "SECURITY.md names tests that are not there");
}
