//! What is installed beside the programs.

mod man;
mod systemd;

use std::path::PathBuf;

use crate::harness::program::project;

/// The man pages in `docs/`.
fn pages() -> Vec<PathBuf> {
    let files = std::fs::read_dir(project().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let pages: Vec<_> = files.filter(|path| path.extension().is_some_and(|name| name.len() == 1)).collect();
    assert_eq!(pages.len(), 3, "{pages:?}");
    pages
}

#[test]
fn the_pages_refer_to_pages_that_exist() {
    let mut count = 0;
    for page in pages() {
        let text = std::fs::read_to_string(&page).unwrap();
        for reference in text.lines().filter_map(|line| line.strip_prefix(".Xr ")) {
            let words: Vec<&str> = reference.split(' ').collect();
            let file = project().join(format!("docs/{}.{}", words[0], words[1]));
            assert!(file.exists(), "{}: {reference}", page.display());
            count += 1;
        }
    }
    assert!(count > 3, "{count}");
}
