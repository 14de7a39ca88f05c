mod connection;
mod general;
mod generations;
mod sections;
mod server;

use std::path::Path;

use super::load;
use crate::config::loaded::Loaded;

fn loaded(text: &str) -> Loaded {
    load(Path::new("x"), text.as_bytes()).unwrap()
}

/// The problems, one in a line, without the file's name.
fn problems(text: &str) -> String {
    let problems = loaded(text).problems;
    problems.iter().map(|problem| problem.to_string()[2..].to_owned() + "\n").collect()
}

/// Fails unless each value of the option is refused, with a message that has the value and these words.
fn assert_refused<T: std::fmt::Debug>(
    read: impl Fn(&str) -> Result<T, String>,
    option: &str,
    values: &[&str],
    words: &str,
) {
    for value in values {
        let message = read(&format!("option {option} '{value}'")).unwrap_err();
        let expected = format!("option '{option}' is '{value}': {words}\n");
        assert!(message.contains(&expected), "{message}\n{expected}");
    }
}

#[test]
fn long_names_and_values_are_cut_in_messages() {
    let long = "x".repeat(100_000);
    let text = format!(
        "config connection '{long}'\noption enable '{long}'\noption tls_ca '/{long}'\noption {long} 1\nlist {long}2 1\n\
         config {long} 'a'\n"
    );
    let problems = loaded(&text).problems;
    assert_eq!(problems.len(), 7, "two of them are about missing options");
    for problem in problems {
        let line = problem.to_string();
        assert!(line.len() < 600 && line.contains(&("x".repeat(79))), "{line:.600}");
    }
}
