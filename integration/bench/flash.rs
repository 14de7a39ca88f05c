//! What the programs take on flash.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::figures::{Figures, Goal};
use super::lab::{CANDIDATES, Candidate, Lab};

/// In every image, whatever is installed: libc, and the compiler's runtime.
const PRESENT_ANYWAY: [&str; 4] = ["libc.so", "libm.so", "libgcc_s.so", "ld-linux"];

/// Measures both.
pub fn measure(lab: &Lab, figures: &mut Figures) {
    for candidate in CANDIDATES {
        let program = match candidate {
            Candidate::Xmppd => &lab.xmppd,
            Candidate::Libstrophe => &lab.client,
        };
        let directory = tempfile::tempdir().unwrap();
        let stripped = directory.path().join("program");
        run(Command::new("strip").arg("-o").arg(&stripped).arg(program));
        let size = fs::metadata(&stripped).unwrap().len() as f64;
        if candidate == Candidate::Xmppd {
            figures.add("stripped binary", "bytes", Goal::AtMost(3.7 * 1024.0 * 1024.0), candidate, size);
        }
        for library in libraries(program) {
            fs::copy(&library, directory.path().join(library.file_name().unwrap())).unwrap();
        }
        let image = squashfs(directory.path()) as f64 / 1000.0;
        figures.add("program and its libraries in squashfs", "kB", Goal::Ratio(0.75), candidate, image);
    }
}

/// The libraries that a program is linked with, without those that are in every image.
pub fn libraries(program: &Path) -> Vec<PathBuf> {
    let text = run(Command::new("ldd").arg(program));
    let paths = text.lines().filter_map(|line| line.split(" => ").nth(1)?.split(' ').next()).map(PathBuf::from);
    let is_own = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        !PRESENT_ANYWAY.iter().any(|present| name.starts_with(present))
    };
    paths.filter(is_own).collect()
}

/// Bytes of an image with these files, as `OpenWrt` makes one.
fn squashfs(directory: &Path) -> u64 {
    let image = tempfile::NamedTempFile::new().unwrap();
    let options = ["-noappend", "-all-root", "-no-progress", "-quiet", "-comp", "xz", "-b", "256k"];
    run(Command::new("mksquashfs").arg(directory).arg(image.path()).args(options));
    // The file is padded to 4 KiB; the super block says how many bytes are used, at offset 40.
    let bytes = fs::read(image.path()).unwrap();
    u64::from_le_bytes(bytes[40..48].try_into().unwrap())
}

fn run(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}
