//! The rules of libuci's syntax, and the files of the corpus that show each.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use xmppd::config::uci;

/// What `uci show` prints for the package `x`, or line and reason of the error.
type Outcome = Result<&'static str, (usize, &'static str)>;

/// A rule.
struct Rule {
    statement: &'static str,
    /// The files of the corpus that show it; none if it follows from libuci's source alone (`config/uci/cursor.rs`).
    files: &'static [&'static str],
    /// What a file must contain to show it.
    mark: &'static [u8],
    /// A minimal example.
    text: &'static str,
    outcome: Outcome,
}

const fn rule(
    statement: &'static str,
    files: &'static [&'static str],
    mark: &'static [u8],
    text: &'static str,
    outcome: Outcome,
) -> Rule {
    Rule { statement, files, mark, text, outcome }
}

#[rustfmt::skip] // A table.
const RULES: &[Rule] = &[
    rule("an empty file, or one with comments only, has no sections", &["empty", "only_comments"], b"", "", Ok("")),
    rule("single quotes keep all bytes", &["basic", "backslash_single", "hash_in_quotes", "semicolon_in_quotes"],
        b"'", "config t 'n'\noption a 'b\\n#;'\n", Ok("x.n=t\nx.n.a='b\\n#;'\n")),
    rule("single quotes span lines", &["multiline_single"], b"'line1\n",
        "config t n\noption a 'b\nc'\n", Ok("x.n=t\nx.n.a='b\nc'\n")),
    rule("double quotes keep all bytes but backslashes", &["double_quotes", "double_quote_special"], b"\"",
        "config t n\noption a \"b'$`#;\\\"\\c\"\n", Ok("x.n=t\nx.n.a='b'\\''$`#;\"c'\n")),
    rule("without quotes an argument ends at white space", &["unquoted", "tab_separated"], b"c1",
        "config t n\noption a b\n", Ok("x.n=t\nx.n.a='b'\n")),
    rule("a line may be indented", &["leading_spaces"], b"    config", "  config t n\n", Ok("x.n=t\n")),
    rule("adjacent pieces are one argument", &["concat_quotes", "single_quote_idiom"], b"'",
        "config t n\noption a b'c'\"d\"\\'\n", Ok("x.n=t\nx.n.a='bcd'\\'''\n")),
    rule("a backslash outside quotes keeps the next byte", &["single_quote_idiom"], b"\\'",
        "config t n\noption a b\\ \\#\\;\\\\\n", Ok("x.n=t\nx.n.a='b #;\\'\n")),
    rule("a backslash at the end of a line joins lines", &["line_continuation"], b"\\\n",
        "config t n\noption a b\\\nc\n", Ok("x.n=t\nx.n.a='bc'\n")),
    rule("a hash outside quotes begins a comment, also within a word", &["comment_lines", "hash_after_value", "unquoted"], b"#",
        "# c\nconfig t#c\noption a 'b'#c\n", Ok("x.@t[0]=t\nx.@t[0].a='b'\n")),
    rule("carriage returns are white space", &["crlf"], b"\r\n",
        "config t n\r\noption a b\r\n", Ok("x.n=t\nx.n.a='b'\n")),
    rule("tabs are like blanks, also after the last argument", &["tab_separated", "tabs_in_value"], b"\t",
        "config\tt\tn\t\n\toption a\t b\t \n", Ok("x.n=t\nx.n.a='b'\n")),
    rule("the last line needs no newline", &["no_final_newline"], b"'1'",
        "config t n\noption a b", Ok("x.n=t\nx.n.a='b'\n")),
    rule("non-ASCII bytes are kept", &["utf8"], "\u{e9}".as_bytes(),
        "config t n\noption a '\u{e9}'\n", Ok("x.n=t\nx.n.a='\u{e9}'\n")),
    rule("an option without value or with an empty one is dropped", &["empty_value_option"], b"option",
        "config t n\noption a ''\noption b\n", Ok("x.n=t\n")),
    rule("a section without name is numbered by its type", &["anonymous", "tabs_in_value"], b"config connection\n",
        "config t\nconfig u\nconfig t ''\n", Ok("x.@t[0]=t\nx.@u[0]=u\nx.@t[1]=t\n")),
    rule("a name may be a number", &["numeric_name"], b"'1'", "config t 1\n", Ok("x.1=t\n")),
    rule("a list keeps all items", &["list_basic"], b"list",
        "config t n\nlist a b\nlist a ''\nlist a b\n", Ok("x.n=t\nx.n.a='b' '' 'b'\n")),
    rule("an option replaces a list of its name", &["list_then_option"], b"list",
        "config t n\nlist a 1\noption b 2\noption a 1\n", Ok("x.n=t\nx.n.b='2'\nx.n.a='1'\n")),
    rule("the second of two options counts", &["option_twice"], b"option id '2'",
        "config t n\noption a 1\noption b 2\noption a 3\n", Ok("x.n=t\nx.n.b='2'\nx.n.a='3'\n")),
    rule("package lines are ignored", &["package_line", "package_twice"], b"package",
        "package a-b\nconfig t n\npackage c\noption a b\n", Ok("x.n=t\nx.n.a='b'\n")),
    rule("an equals sign is an ordinary byte", &["equals_sign"], b"=",
        "config t n\noption a b=c\n", Ok("x.n=t\nx.n.a='b=c'\n")),
    rule("values have any length", &["long_value"], b"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "config t n\n", Ok("x.n=t\n")),

    rule("an option name with characters other than A-Z a-z 0-9 _ is refused", &["bad_option_name", "bad_option_name_space"],
        b"option", "config t\noption a-b c\n", Err((2, "invalid character in name field"))),
    rule("so is a section name", &["bad_section_name", "section_name_dot"], b"config",
        "config t 'a-b'\n", Err((1, "invalid character in name field"))),
    rule("a type with characters other than printable ASCII is refused", &["type_with_space"], b"'xmpp connection'",
        "config 'a b'\n", Err((1, "invalid character in type field"))),
    rule("a section without a type is refused", &["config_no_type"], b"config",
        "config ''\n", Err((1, "insufficient arguments"))),
    rule("an extra argument is refused", &["option_extra_arg"], b"'1' '2'",
        "config t\noption a b c\n", Err((2, "too many arguments"))),
    rule("an option before the first section is refused", &["option_without_section"], b"option",
        "option a b\n", Err((1, "option/list command found before the first section"))),
    rule("an unknown keyword is refused, and so is an upper-case one", &["unknown_keyword", "uppercase_keyword"],
        b"o", "config t\nOption a b\n", Err((2, "invalid command"))),
    rule("an unclosed single quote is refused, in the last line", &["unterminated_single"], b"'abc\n",
        "config t\noption a 'b\nc\n", Err((3, "EOF with unterminated '"))),
    rule("an unclosed double quote is refused, in the last line", &["unterminated_double"], b"\"abc\n",
        "config t\noption a \"b\n", Err((2, "EOF with unterminated \""))),

    rule("keywords may be one letter", &[], b"c t", "p x\nc t n\no a 1\nl b 2\n", Ok("x.n=t\nx.n.a='1'\nx.n.b='2'\n")),
    rule("a semicolon after a quoted argument or a blank begins another command", &[], b";",
        "config 't' 'n'; option a 'b' ;option c d\n", Ok("x.n=t\nx.n.a='b'\nx.n.c='d'\n")),
    rule("a semicolon directly after any other argument hides the rest of the line", &[], b";",
        "config t n;option a 'b\n", Ok("x.n=t\n")),
    rule("a semicolon in place of an optional argument is that argument", &[], b";",
        "config 't';option a b\n", Err((1, "too many arguments"))),
    rule("an option becomes the first item of a list of its name, which moves to the end", &[], b"list",
        "config t n\noption a 1\noption b 2\nlist a 3\n", Ok("x.n=t\nx.n.b='2'\nx.n.a='1' '3'\n")),
    rule("sections of one name are joined", &[], b"config",
        "config t n\noption a 1\nconfig u\nconfig t n\noption b 2\n", Ok("x.n=t\nx.n.a='1'\nx.n.b='2'\nx.@u[0]=u\n")),
    rule("unless their types are different", &[], b"config", "config t n\nconfig u n\n",
        Err((2, "section of different type overwrites prior section with same name"))),
    rule("bytes that are not UTF-8 are kept; validation refuses them", &[], b"", "", Ok("")),
    rule("a NUL byte is refused (libuci loses the rest of its line)", &[], b"\0",
        "config t n\noption a 'b\0'\n", Err((2, "NUL byte in the file"))),
];

fn corpus(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data/uci-corpus").join(name)
}

#[test]
fn each_rule_holds_for_its_example() {
    for Rule { statement, files, mark, text, outcome } in RULES {
        let parsed = uci::parse(Path::new("f"), text.as_bytes());
        let shown = parsed.map(|package| String::from_utf8(uci::show(&package, "x")).unwrap());
        let shown = shown.as_deref().map_err(|error| (error.line, error.reason));
        assert_eq!(shown, *outcome, "{statement}");
        let has_mark = |bytes: &[u8]| mark.is_empty() || bytes.windows(mark.len()).any(|window| window == *mark);
        for file in *files {
            assert!(has_mark(&fs::read(corpus(&format!("{file}.conf"))).unwrap()), "{file} does not show: {statement}");
            let result = if outcome.is_ok() { "show" } else { "err" };
            assert!(corpus(&format!("{file}.{result}")).exists(), "{file} does not show: {statement}");
        }
    }
    let not_utf8 = uci::parse(Path::new("f"), b"config t n\noption a '\xff'\n").unwrap();
    assert_eq!(uci::show(&not_utf8, "x"), b"x.n=t\nx.n.a='\xff'\n");
}

#[test]
fn each_file_of_the_corpus_shows_a_rule() {
    let shown: BTreeSet<&str> = RULES.iter().flat_map(|rule| rule.files).copied().collect();
    for entry in fs::read_dir(corpus("")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        assert!(shown.contains(name), "{name}");
    }
}
