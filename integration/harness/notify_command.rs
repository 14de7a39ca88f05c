//! A program for `notify_command` that counts its calls and whose behavior can be set.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::NamedTempFile;

/// Each call creates a file before it continues.
const SCRIPT: &str = r#"#!/bin/sh
state='@STATE@'
: > "$state/calls/$(date +%s.%N).$$"
[ ! -e "$state/on_call" ] || . "$state/on_call"
exit 0
"#;

/// Writes an executable file, as [`install`] does.
pub fn write_executable(path: &Path, text: &str) {
    let mut draft = NamedTempFile::new().unwrap();
    draft.write_all(text.as_bytes()).unwrap();
    install(draft.path(), path);
}

/// Copies a file that is going to be executed, and makes its directory.
///
/// A child writes the copy: the processes that other tests start at the same time inherit the descriptors of this one, and keep
/// them until they execute their programs. While one of them has a descriptor for writing, "Text file busy" is all that comes
/// of executing the file.
pub fn install(file: &Path, copy: &Path) {
    let output = Command::new("install").args(["-D", "-m", "755", "--"]).args([file, copy]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
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
