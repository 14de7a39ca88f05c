//! Files that every user may read: they are accepted with a WARNING.

use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::PermissionsExt;

use rustix::process::Signal;

use crate::harness::{Fixture, LIMIT, WriteMethod};

#[tokio::test]
async fn a_file_readable_by_others_causes_one_warning() {
    let mut fixture = Fixture::start().await;
    fixture.set_write_method(WriteMethod::InPlace);
    let warnings = |fixture: &Fixture, mark| fixture.daemon.log().since(mark, &["WARNING", "by every user"]);
    assert_eq!(warnings(&fixture, 0), Vec::<String>::new());
    let files = [fixture.daemon.xmpp().path().to_owned(), fixture.daemon.cwmp().path().to_owned()];
    for file in &files {
        set_permissions(file, Permissions::from_mode(0o644)).unwrap();
    }
    let mark = fixture.daemon.log().mark();
    fixture.daemon.signal(Signal::HUP);
    for file in &files {
        let expected = format!(
            "xmppd: WARNING {}: readable by every user (mode 0644), expected mode 0600: the file contains passwords",
            file.display()
        );
        fixture.daemon.log().wait(mark, &[&expected], LIMIT).await;
    }
    // Edits are applied without another warning.
    let mark = fixture.daemon.log().mark();
    super::good_edit(&mut fixture, "still-readable").await;
    assert_eq!(warnings(&fixture, mark), Vec::<String>::new());
    // Nor is there one after the permissions are corrected.
    for file in &files {
        set_permissions(file, Permissions::from_mode(0o600)).unwrap();
    }
    fixture.daemon.signal(Signal::HUP);
    super::good_edit(&mut fixture, "closed").await;
    assert_eq!(warnings(&fixture, mark), Vec::<String>::new());
}
