use std::path::Path;

use proptest::prelude::*;

use super::{Item, OptionEntry, OptionValue, Package, Section, SyntaxError, parse, print, show};
use crate::testing::assert_linear;

fn shown(text: &str) -> String {
    let package = parse(Path::new("f"), text.as_bytes()).unwrap();
    String::from_utf8(show(&package, "x")).unwrap()
}

fn fault(text: &str) -> (usize, usize, &'static str) {
    let SyntaxError { line, column, reason, .. } = parse(Path::new("f"), text.as_bytes()).unwrap_err();
    (line, column, reason)
}

#[test]
fn keywords_may_be_one_letter() {
    assert_eq!(shown("p x\nc t n\no a 1\nl b 2\n"), "x.n=t\nx.n.a='1'\nx.n.b='2'\n");
    assert_eq!(fault("conf t n\n"), (1, 1, "invalid command"));
}

#[test]
fn a_keyword_ends_only_at_a_blank_or_tab() {
    assert_eq!(fault("config t\noption\n"), (2, 1, "invalid command"));
    assert_eq!(fault("config\x0bt\n"), (1, 1, "invalid command"));
    assert_eq!(fault("config"), (1, 7, "config without name"));
    assert_eq!(fault("config t\noption"), (2, 7, "option without name"));
    assert_eq!(fault("config \n"), (1, 8, "insufficient arguments"));
    assert_eq!(fault("package"), (1, 8, "package without name"));
}

#[test]
fn white_space_between_arguments_is_that_of_c() {
    assert_eq!(shown("\x0b\x0cconfig t\x0bn\r\n"), "x.n=t\n");
}

#[test]
fn pieces_of_an_argument_are_joined() {
    assert_eq!(shown("config t n\noption a b'c d'\"e'\\\"f\"\\'g\\ h\n"), "x.n=t\nx.n.a='bc de'\\''\"f'\\''g h'\n");
}

#[test]
fn a_backslash_at_the_end_of_a_line_joins_lines() {
    assert_eq!(shown("config t n\noption a b\\\r\nc\noption d \"e\\\nf\"\n"), "x.n=t\nx.n.a='bc'\nx.n.d='ef'\n");
    assert_eq!(shown("config t n\noption a b\\\n # c\n"), "x.n=t\nx.n.a='b'\n");
    assert_eq!(shown("config t n\noption a b\\"), "x.n=t\nx.n.a='b'\n");
}

#[test]
fn quotes_span_lines_and_keep_hashes_and_semicolons() {
    assert_eq!(shown("config t n\noption a '\n#;\\'\n"), "x.n=t\nx.n.a='\n#;\\'\n");
    assert_eq!(fault("config t n\noption a '\nb\n"), (3, 2, "EOF with unterminated '"));
    assert_eq!(fault("config t n\noption a \"b\\\""), (2, 14, "EOF with unterminated \""));
    let error = parse(Path::new("/etc/x"), b"config t n\noption a '\nb\n").unwrap_err();
    assert_eq!(error.to_string(), "/etc/x:3:2: EOF with unterminated ' (opened at line 2, column 10)");
}

#[test]
fn a_hash_outside_quotes_begins_a_comment_anywhere() {
    assert_eq!(shown("config t#c\noption a b'#'c#d e\n"), "x.@t[0]=t\nx.@t[0].a='b#c'\n");
}

#[test]
fn a_semicolon_after_a_quoted_argument_separates_commands() {
    assert_eq!(shown("config 't' 'n'; option a 'b';option c d\n"), "x.n=t\nx.n.a='b'\nx.n.c='d'\n");
    assert_eq!(shown("config t n\noption a b ;option c d\n"), "x.n=t\nx.n.a='b'\nx.n.c='d'\n");
    assert_eq!(shown("config 't' 'n'; # c\n"), "x.n=t\n");
}

#[test]
fn a_semicolon_after_an_unquoted_argument_hides_the_rest_of_the_line() {
    assert_eq!(shown("config t n;option a b\noption c d;e ' f\n"), "x.n=t\nx.n.c='d'\n");
}

#[test]
fn a_semicolon_in_place_of_an_optional_argument_is_that_argument() {
    assert_eq!(fault("config 't';option a b\n"), (1, 12, "too many arguments"));
    assert_eq!(fault("config 't' 'n';\n"), (1, 16, "invalid command"));
    assert_eq!(shown("config 't';\n"), "x.@t[0]=t\n");
}

#[test]
fn characters_of_names_and_types_are_restricted() {
    assert_eq!(shown("package a-b_1\nconfig a-b.c! A_1\n"), "x.A_1=a-b.c!\n");
    assert_eq!(fault("package a.b\n"), (1, 9, "invalid character in name field"));
    assert_eq!(fault("config t\u{e4}\n"), (1, 8, "invalid character in type field"));
    assert_eq!(fault("config t 'a-b'\n"), (1, 10, "invalid character in name field"));
    assert_eq!(fault("config t\noption a.b c\n"), (2, 8, "invalid character in name field"));
    assert_eq!(fault("config t\n option ''\n"), (2, 9, "insufficient arguments"));
}

#[test]
fn an_option_that_is_set_again_moves_to_the_end_unless_unchanged() {
    assert_eq!(shown("config t n\noption a 1\noption b 2\noption a 3\n"), "x.n=t\nx.n.b='2'\nx.n.a='3'\n");
    assert_eq!(shown("config t n\noption a 1\noption b 2\noption a 1\n"), "x.n=t\nx.n.a='1'\nx.n.b='2'\n");
}

#[test]
fn an_empty_option_is_dropped_and_an_empty_item_is_kept() {
    assert_eq!(shown("config t n\noption a 1\noption a ''\noption b\n"), "x.n=t\nx.n.a='1'\n");
    assert_eq!(shown("config t n\nlist a ''\nlist a\n"), "x.n=t\nx.n.a='' ''\n");
}

#[test]
fn an_option_becomes_the_first_item_of_a_list_and_replaces_a_list() {
    assert_eq!(shown("config t n\noption a 1\noption b 2\nlist a 3\n"), "x.n=t\nx.n.b='2'\nx.n.a='1' '3'\n");
    assert_eq!(shown("config t n\nlist a 1\noption b 2\noption a 1\n"), "x.n=t\nx.n.b='2'\nx.n.a='1'\n");
    assert_eq!(shown("config t n\nlist a 1\noption a ''\n"), "x.n=t\nx.n.a='1'\n");
}

#[test]
fn sections_of_one_name_are_joined() {
    let text = "config t n\noption a 1\nconfig t\noption a 2\nconfig t n\noption b 3\nconfig t\n";
    assert_eq!(shown(text), "x.n=t\nx.n.a='1'\nx.n.b='3'\nx.@t[1]=t\nx.@t[1].a='2'\nx.@t[2]=t\n");
    let reason = "section of different type overwrites prior section with same name";
    assert_eq!(fault("config t n\n config u n\n"), (2, 9, reason));
}

#[test]
fn a_nul_byte_is_an_error() {
    assert_eq!(fault("config t n\noption a 'b\0'\n"), (2, 12, "NUL byte in the file"));
}

#[test]
fn an_error_in_a_last_line_without_newline_names_that_line() {
    assert_eq!(fault("config t n\noption a b c"), (2, 12, "too many arguments"));
}

#[test]
fn sections_options_and_items_have_their_lines() {
    let text = b"\n# c\nconfig t n\noption a 'x\ny'\nlist b 1\n\nlist b 2\n";
    let package = parse(Path::new("f"), text).unwrap();
    let [section] = package.sections.as_slice() else { panic!("{package:?}") };
    assert_eq!((section.line, section.option("a").unwrap().line()), (3, 4));
    let OptionValue::List(items) = &section.option("b").unwrap().value else { panic!("{package:?}") };
    assert_eq!(items.iter().map(|item| item.line).collect::<Vec<_>>(), [6, 8]);
}

#[test]
fn values_are_not_in_debug_output() {
    let package = parse(Path::new("f"), b"config t n\noption password 'hunter2'\nlist a 'hunter2'\n").unwrap();
    assert!(!format!("{package:?}").contains("hunter2"));
}

/// Many of everything whose handling could be quadratic. This takes milliseconds; it would take minutes.
#[test]
fn long_files_take_linear_time() {
    let text = |n| {
        let options = (0..2 * n).map(|i| format!("option a{i} 1\n"));
        let sections = (0..n).map(|i| format!("config t s{i}\nlist l\noption a '\n'\\\n\n"));
        let long = format!("option b '{}'\n", "\n".repeat(2 * n));
        std::iter::once("config t n\n".to_owned()).chain(options).chain(sections).chain([long]).collect::<String>()
    };
    assert_linear(
        12_500,
        |n| (n, text(n)),
        |(n, text)| {
            let package = parse(Path::new("f"), text.as_bytes()).unwrap();
            assert_eq!(package.sections.len(), n + 1);
        },
    );
}

/// Any package that a file can have, without lines.
fn any_package() -> impl Strategy<Value = Package> {
    let bytes = || prop::collection::vec(1..=255_u8, 0..12);
    let item = move || bytes().prop_map(|bytes| Item { line: 0, bytes: bytes.into() });
    let text =
        item().prop_filter("libuci drops an empty option", |item| !item.bytes.is_empty()).prop_map(OptionValue::Text);
    let list = prop::collection::vec(item(), 1..4).prop_map(OptionValue::List);
    let options = prop::collection::btree_map("[A-Za-z0-9_]{1,6}", prop_oneof![text, list], 0..5)
        .prop_map(|options| options.into_iter().map(|(name, value)| OptionEntry { name, value }).collect::<Vec<_>>());
    let section = ("[!-~]{1,6}", prop::option::of("[A-Za-z0-9_]{1,6}"), options);
    prop::collection::vec(section, 0..5).prop_map(|sections| {
        let mut seen = std::collections::BTreeSet::new();
        let unique = |(kind, name, options): (String, Option<String>, Vec<OptionEntry>)| {
            let name = name.filter(|name| seen.insert(name.clone()));
            Section { kind, name, line: 0, options }
        };
        Package { sections: sections.into_iter().map(unique).collect() }
    })
}

fn without_lines(mut package: Package) -> Package {
    for section in &mut package.sections {
        section.line = 0;
        for entry in &mut section.options {
            match &mut entry.value {
                OptionValue::Text(item) => item.line = 0,
                OptionValue::List(items) => items.iter_mut().for_each(|item| item.line = 0),
            }
        }
    }
    package
}

/// Text of pieces that are special to the parser.
fn any_text() -> impl Strategy<Value = Vec<u8>> {
    let pieces = [
        "config ", "option ", "list ", "package ", "c ", "o\t", "a", "b1", "'", "\"", "\\", "\n", "\r\n", " ", ";",
        "#", "\x0b", "\0", "\u{e4}", "''",
    ];
    let piece = prop_oneof![
        8 => prop::sample::select(pieces.to_vec()).prop_map(|piece| piece.as_bytes().to_vec()),
        1 => any::<u8>().prop_map(|byte| vec![byte]),
    ];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn a_printed_package_is_parsed_to_the_same_package(package in any_package()) {
        let text = print(&package);
        let read = parse(Path::new("f"), &text).map(without_lines);
        prop_assert_eq!(read, Ok(package), "{}", String::from_utf8_lossy(&text));
    }

    #[test]
    fn any_bytes_are_parsed_or_refused_in_one_of_their_lines(text in any_text()) {
        match parse(Path::new("f"), &text) {
            Ok(package) => {
                let again = parse(Path::new("f"), &print(&package)).map(without_lines);
                prop_assert_eq!(again, Ok(without_lines(package)));
            }
            Err(error) => {
                let lines: Vec<&[u8]> = text.split_inclusive(|&byte| byte == b'\n').collect();
                let line = lines.get(error.line - 1);
                prop_assert!(line.is_some_and(|line| (1..=line.len() + 1).contains(&error.column)), "{}", error);
            }
        }
    }
}
