//! A program for `notify_command` that counts its calls and can be told what to do.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Each call becomes a file; it is there before the call goes on.
const SCRIPT: &str = r#"#!/bin/sh
state='@STATE@'
: > "$state/calls/$(date +%s.%N).$$"
[ ! -e "$state/does" ] || . "$state/does"
exit 0
"#;

/// The program, in a directory of its own.
pub struct CommandProgram {
    directory: PathBuf,
}

impl CommandProgram {
    /// Puts one into `directory`, which is made.
    pub fn new(directory: &Path) -> Self {
        fs::create_dir_all(directory.join("calls")).unwrap();
        let program = Self { directory: directory.to_owned() };
        fs::write(program.path(), SCRIPT.replace("@STATE@", &directory.display().to_string())).unwrap();
        program.executable(true);
        program
    }

    /// What `notify_command` is to name.
    pub fn path(&self) -> PathBuf {
        self.directory.join("tell")
    }

    /// From now on calls do this, as lines of shell. `$state` is a directory of its own.
    pub fn does(&self, text: &str) {
        fs::write(self.directory.join("does"), format!("{text}\n")).unwrap();
    }

    /// From now on calls succeed at once, as at the beginning.
    pub fn behave(&self) {
        let _ = fs::remove_file(self.directory.join("does"));
    }

    /// A file in the directory that is called `$state` there.
    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Whether the program may be executed.
    pub fn executable(&self, may: bool) {
        fs::set_permissions(self.path(), fs::Permissions::from_mode(if may { 0o755 } else { 0o644 })).unwrap();
    }

    /// How often it was called.
    pub fn calls(&self) -> usize {
        fs::read_dir(self.directory.join("calls")).unwrap().count()
    }
}
