//! What libuci does with each class of syntax, and which files of the corpus show it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use xmppd::config::uci;

/// What comes of a text: what `uci show` prints for the package `x`, or the line and the words of the error.
type Outcome = Result<&'static str, (usize, &'static str)>;

/// A class of syntax.
struct Class {
    /// What it is and what libuci does with it.
    does: &'static str,
    /// The files of the corpus that show it. None: nothing of it is in the corpus, it follows from libuci's way of
    /// reading (`config/uci/cursor.rs`).
    files: &'static [&'static str],
    /// What a text has to hold to be of this class.
    mark: &'static [u8],
    /// The class in its smallest form.
    text: &'static str,
    outcome: Outcome,
}

const fn class(
    does: &'static str,
    files: &'static [&'static str],
    mark: &'static [u8],
    text: &'static str,
    outcome: Outcome,
) -> Class {
    Class { does, files, mark, text, outcome }
}

#[rustfmt::skip] // It is a table.
const CLASSES: &[Class] = &[
    class("nothing, and comments alone: no sections", &["empty", "only_comments"], b"", "", Ok("")),
    class("single quotes keep what is in them", &["basic", "backslash_single", "hash_in_quotes", "semicolon_in_quotes"],
        b"'", "config t 'n'\noption a 'b\\n#;'\n", Ok("x.n=t\nx.n.a='b\\n#;'\n")),
    class("single quotes go on over lines", &["multiline_single"], b"'line1\n",
        "config t n\noption a 'b\nc'\n", Ok("x.n=t\nx.n.a='b\nc'\n")),
    class("double quotes keep all but backslashes", &["double_quotes", "double_quote_special"], b"\"",
        "config t n\noption a \"b'$`#;\\\"\\c\"\n", Ok("x.n=t\nx.n.a='b'\\''$`#;\"c'\n")),
    class("without quotes an argument ends at white space", &["unquoted", "tab_separated"], b"c1",
        "config t n\noption a b\n", Ok("x.n=t\nx.n.a='b'\n")),
    class("a line may be indented", &["leading_spaces"], b"    config", "  config t n\n", Ok("x.n=t\n")),
    class("pieces side by side are one argument", &["concat_quotes", "single_quote_idiom"], b"'",
        "config t n\noption a b'c'\"d\"\\'\n", Ok("x.n=t\nx.n.a='bcd'\\'''\n")),
    class("a backslash outside quotes takes the next byte as it is", &["single_quote_idiom"], b"\\'",
        "config t n\noption a b\\ \\#\\;\\\\\n", Ok("x.n=t\nx.n.a='b #;\\'\n")),
    class("a backslash at a line's end joins lines", &["line_continuation"], b"\\\n",
        "config t n\noption a b\\\nc\n", Ok("x.n=t\nx.n.a='bc'\n")),
    class("a hash outside quotes begins a comment, in a word too", &["comment_lines", "hash_after_value", "unquoted"], b"#",
        "# c\nconfig t#c\noption a 'b'#c\n", Ok("x.@t[0]=t\nx.@t[0].a='b'\n")),
    class("carriage returns are white space", &["crlf"], b"\r\n",
        "config t n\r\noption a b\r\n", Ok("x.n=t\nx.n.a='b'\n")),
    class("tabs and blanks are alike, behind the last argument too", &["tab_separated", "tabs_in_value"], b"\t",
        "config\tt\tn\t\n\toption a\t b\t \n", Ok("x.n=t\nx.n.a='b'\n")),
    class("the last line needs no end", &["no_final_newline"], b"'1'",
        "config t n\noption a b", Ok("x.n=t\nx.n.a='b'\n")),
    class("bytes that are no ASCII are taken as they are", &["utf8"], "\u{e9}".as_bytes(),
        "config t n\noption a '\u{e9}'\n", Ok("x.n=t\nx.n.a='\u{e9}'\n")),
    class("an option of no value, or an empty one, is none", &["empty_value_option"], b"option",
        "config t n\noption a ''\noption b\n", Ok("x.n=t\n")),
    class("a section without a name is counted by its type", &["anonymous", "tabs_in_value"], b"config connection\n",
        "config t\nconfig u\nconfig t ''\n", Ok("x.@t[0]=t\nx.@u[0]=u\nx.@t[1]=t\n")),
    class("a name may begin with, or be, a number", &["numeric_name"], b"'1'", "config t 1\n", Ok("x.1=t\n")),
    class("a list has all its items", &["list_basic"], b"list",
        "config t n\nlist a b\nlist a ''\nlist a b\n", Ok("x.n=t\nx.n.a='b' '' 'b'\n")),
    class("an option ends a list of its name", &["list_then_option"], b"list",
        "config t n\nlist a 1\noption b 2\noption a 1\n", Ok("x.n=t\nx.n.b='2'\nx.n.a='1'\n")),
    class("of two options the second counts", &["option_twice"], b"option id '2'",
        "config t n\noption a 1\noption b 2\noption a 3\n", Ok("x.n=t\nx.n.b='2'\nx.n.a='3'\n")),
    class("package lines are passed over", &["package_line", "package_twice"], b"package",
        "package a-b\nconfig t n\npackage c\noption a b\n", Ok("x.n=t\nx.n.a='b'\n")),
    class("an equals sign is a byte like others", &["equals_sign"], b"=",
        "config t n\noption a b=c\n", Ok("x.n=t\nx.n.a='b=c'\n")),
    class("values have any length", &["long_value"], b"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "config t n\n", Ok("x.n=t\n")),

    class("an option name of other characters than A-Z a-z 0-9 _ is refused", &["bad_option_name", "bad_option_name_space"],
        b"option", "config t\noption a-b c\n", Err((2, "invalid character in name field"))),
    class("so is a section's name", &["bad_section_name", "section_name_dot"], b"config",
        "config t 'a-b'\n", Err((1, "invalid character in name field"))),
    class("a type of other characters than printable ASCII is refused", &["type_with_space"], b"'xmpp connection'",
        "config 'a b'\n", Err((1, "invalid character in type field"))),
    class("a section without a type is refused", &["config_no_type"], b"config",
        "config ''\n", Err((1, "insufficient arguments"))),
    class("one argument more is refused", &["option_extra_arg"], b"'1' '2'",
        "config t\noption a b c\n", Err((2, "too many arguments"))),
    class("an option before all sections is refused", &["option_without_section"], b"option",
        "option a b\n", Err((1, "option/list command found before the first section"))),
    class("another word than the keywords is refused, and so is another case", &["unknown_keyword", "uppercase_keyword"],
        b"o", "config t\nOption a b\n", Err((2, "invalid command"))),
    class("a single quote that is never closed is refused, in the last line", &["unterminated_single"], b"'abc\n",
        "config t\noption a 'b\nc\n", Err((3, "EOF with unterminated '"))),
    class("a double quote that is never closed is refused, in the last line", &["unterminated_double"], b"\"abc\n",
        "config t\noption a \"b\n", Err((2, "EOF with unterminated \""))),

    class("keywords may be one letter", &[], b"c t", "p x\nc t n\no a 1\nl b 2\n", Ok("x.n=t\nx.n.a='1'\nx.n.b='2'\n")),
    class("a semicolon behind an argument in quotes, or behind a blank, begins another command", &[], b";",
        "config 't' 'n'; option a 'b' ;option c d\n", Ok("x.n=t\nx.n.a='b'\nx.n.c='d'\n")),
    class("a semicolon right behind any other argument hides the rest of the line", &[], b";",
        "config t n;option a 'b\n", Ok("x.n=t\n")),
    class("a semicolon where an argument may be is that argument", &[], b";",
        "config 't';option a b\n", Err((1, "too many arguments"))),
    class("a list takes an option of its name in, and stands at the end", &[], b"list",
        "config t n\noption a 1\noption b 2\nlist a 3\n", Ok("x.n=t\nx.n.b='2'\nx.n.a='1' '3'\n")),
    class("sections of one name are one", &[], b"config",
        "config t n\noption a 1\nconfig u\nconfig t n\noption b 2\n", Ok("x.n=t\nx.n.a='1'\nx.n.b='2'\nx.@u[0]=u\n")),
    class("unless their types are different", &[], b"config", "config t n\nconfig u n\n",
        Err((2, "section of different type overwrites prior section with same name"))),
    class("bytes that are no UTF-8 are taken as they are: their section refuses them", &[], b"", "", Ok("")),
    class("a NUL byte is refused (libuci loses the rest of its line)", &[], b"\0",
        "config t n\noption a 'b\0'\n", Err((2, "NUL byte in the file"))),
];

fn corpus(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data/uci-corpus").join(name)
}

#[test]
fn each_class_is_read_as_libuci_reads_it() {
    for Class { does, files, mark, text, outcome } in CLASSES {
        let read = uci::parse(Path::new("f"), text.as_bytes());
        let shown = read.map(|package| String::from_utf8(uci::show(&package, "x")).unwrap());
        let shown = shown.as_deref().map_err(|error| (error.line, error.reason));
        assert_eq!(shown, *outcome, "{does}");
        let holds = |bytes: &[u8]| mark.is_empty() || bytes.windows(mark.len()).any(|window| window == *mark);
        for file in *files {
            assert!(holds(&fs::read(corpus(&format!("{file}.conf"))).unwrap()), "{file} does not show: {does}");
            let result = if outcome.is_ok() { "show" } else { "err" };
            assert!(corpus(&format!("{file}.{result}")).exists(), "{file} does not show: {does}");
        }
    }
    let not_utf8 = uci::parse(Path::new("f"), b"config t n\noption a '\xff'\n").unwrap();
    assert_eq!(uci::show(&not_utf8, "x"), b"x.n=t\nx.n.a='\xff'\n");
}

#[test]
fn each_file_of_the_corpus_is_of_a_class() {
    let shown: BTreeSet<&str> = CLASSES.iter().flat_map(|class| class.files).copied().collect();
    for entry in fs::read_dir(corpus("")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        assert!(shown.contains(name), "{name}");
    }
}
