//! The file as a whole: not UCI, gone, or no file.

use super::{assert_errors, file, good_edit, wait_error};
use crate::harness::{How, LIMIT, Scene};

/// What is appended to the file, the line of the error counted from there, its column, and the reason.
const BROKEN: [(&str, usize, usize, &str); 6] = [
    ("optoin note 'x'\n", 1, 1, "invalid command"),
    ("\toption note 'x' y\n", 1, 18, "too many arguments"),
    ("\toption note 'no end\n", 1, 21, "EOF with unterminated ' (opened at line OPEN, column 14)"),
    ("config connection 'third'\n\toption a.b '1'\n", 2, 9, "invalid character in name field"),
    ("\toption note \"one\\\ntwo\\\nthree\n", 3, 6, "EOF with unterminated \" (opened at line OPEN, column 14)"),
    ("\toption note a\0b\n", 1, 15, "NUL byte"),
];

#[tokio::test]
async fn an_edit_that_breaks_the_syntax_changes_nothing() {
    let mut scene = Scene::start().await;
    let mut errors = Vec::new();
    for how in [How::InPlace, How::Commit] {
        scene.by(how);
        for (n, (broken, line, column, reason)) in BROKEN.iter().enumerate() {
            // What comes before the error would be a change, too: the second connection gone.
            let mut settings = scene.settings.clone();
            settings.connections.pop();
            settings.servers.pop();
            let text = settings.text();
            let before = text.lines().count();
            let (line, reason) = (before + line, reason.replace("OPEN", &(before + 1).to_string()));
            let error = format!("{}{line}:{column}: {reason}", file(&scene.daemon));
            let mark = scene.write(&format!("{text}{broken}"));
            wait_error(&scene.daemon, mark, &error).await;
            scene.assert_both_same().await;
            errors.push(error);
            good_edit(&mut scene, &format!("{how:?}-{n}")).await;
        }
    }
    assert_errors(&mut scene.daemon, &errors).await;
}

#[tokio::test]
async fn a_deleted_file_changes_nothing_until_it_is_back() {
    let mut scene = Scene::start().await;
    let mut errors = Vec::new();
    for how in [How::InPlace, How::Commit] {
        scene.by(how);
        let mark = scene.daemon.log().mark();
        scene.daemon.xmpp().remove();
        let error = format!("{} there is no such file; what runs goes on", file(&scene.daemon));
        wait_error(&scene.daemon, mark, &error).await;
        scene.assert_both_same().await;
        errors.push(error);
        // As it was: nothing is done, and yet it is said.
        let mark = scene.write(&scene.settings.text());
        let said = format!("NOTICE {} good again", file(&scene.daemon));
        scene.daemon.log().wait(mark, &[&said], LIMIT).await;
        scene.assert_both_same().await;
        good_edit(&mut scene, &format!("back-{how:?}")).await;
    }
    assert_errors(&mut scene.daemon, &errors).await;
}

#[tokio::test]
async fn a_directory_in_the_files_place_changes_nothing_until_the_file_is_back() {
    let mut scene = Scene::start().await;
    let mut errors = Vec::new();
    for how in [How::InPlace, How::Commit] {
        scene.by(how);
        let mark = scene.daemon.log().mark();
        scene.daemon.xmpp().replace_with_directory();
        let error = format!("{} a directory, not a file; what runs goes on", file(&scene.daemon));
        wait_error(&scene.daemon, mark, &error).await;
        scene.assert_both_same().await;
        errors.push(error);
        scene.daemon.xmpp().remove_directory();
        good_edit(&mut scene, &format!("back-{how:?}")).await;
    }
    assert_errors(&mut scene.daemon, &errors).await;
}

#[tokio::test]
async fn the_same_error_is_told_again_when_it_is_asked_for() {
    let mut scene = Scene::start().await;
    let error = format!("{} there is no such file", file(&scene.daemon));
    scene.daemon.xmpp().remove();
    wait_error(&scene.daemon, 0, &error).await;
    let mark = scene.daemon.log().mark();
    scene.daemon.signal(rustix::process::Signal::HUP);
    wait_error(&scene.daemon, mark, &error).await;
    scene.daemon.log().wait(mark, &["SIGHUP"], LIMIT).await;
    good_edit(&mut scene, "back").await;
    assert_errors(&mut scene.daemon, &[error.clone(), error]).await;
}
