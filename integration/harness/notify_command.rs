//! A program for `notify_command` that counts its calls and whose behavior can be set.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Each call creates a file before it continues.
const SCRIPT: &str = r#"#!/bin/sh
state='@STATE@'
: > "$state/calls/$(date +%s.%N).$$"
[ ! -e "$state/on_call" ] || . "$state/on_call"
exit 0
"#;

/// Writes an executable file.
pub fn write_executable(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// The program, in its own directory.
pub struct NotifyCommand {
    directory: PathBuf,
}

impl NotifyCommand {
    /// Creates `directory` with the program.
    pub fn new(directory: &Path) -> Self {
        fs::create_dir_all(directory.join("calls")).unwrap();
        let program = Self { directory: directory.to_owned() };
        write_executable(&program.path(), &SCRIPT.replace("@STATE@", &directory.display().to_string()));
        program
    }

    /// The value for `notify_command`.
    pub fn path(&self) -> PathBuf {
        self.directory.join("notify")
    }

    /// Sets the shell commands that a call runs. `$state` is the program's directory.
    pub fn on_call(&self, text: &str) {
        fs::write(self.directory.join("on_call"), format!("{text}\n")).unwrap();
    }

    /// Makes calls succeed at once again, as initially.
    pub fn succeed(&self) {
        let _ = fs::remove_file(self.directory.join("on_call"));
    }

    /// A file in `$state`.
    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Sets whether the program is executable.
    pub fn executable(&self, may: bool) {
        fs::set_permissions(self.path(), fs::Permissions::from_mode(if may { 0o755 } else { 0o644 })).unwrap();
    }

    /// The number of calls so far.
    pub fn calls(&self) -> usize {
        fs::read_dir(self.directory.join("calls")).unwrap().count()
    }
}
