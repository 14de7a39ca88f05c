//! The kinds of sections, and the options of each: their names, older names and defaults.

use super::uci::Section;

/// What a section configures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SectionKind {
    /// `config xmpp 'xmpp'`
    General,
    /// `config connection`
    Connection,
    /// `config connection_server`
    Server,
}

impl SectionKind {
    /// The kind of a section: by its type, or the general one if its name is `xmpp`. None if neither is known.
    pub(crate) fn of(section: &Section) -> Option<Self> {
        let has_type = |kind: &Self| kind.schema().kinds.contains(&section.kind.as_str());
        let by_name = (section.name.as_deref() == Some("xmpp")).then_some(Self::General);
        [Self::Connection, Self::Server, Self::General].into_iter().find(has_type).or(by_name)
    }

    /// The options of the kind.
    pub(crate) fn schema(self) -> &'static Schema {
        match self {
            Self::General => &GENERAL,
            Self::Connection => &CONNECTION,
            Self::Server => &SERVER,
        }
    }
}

/// The section types and options of one kind.
#[derive(Debug)]
pub(crate) struct Schema {
    /// The names of its section type, the present one first.
    pub(crate) kinds: &'static [&'static str],
    pub(crate) options: &'static [OptionSpec],
}

impl Schema {
    /// The option of this name, present or older.
    pub(crate) fn option(&self, name: &str) -> Option<&OptionSpec> {
        self.options.iter().find(|option| option.names().any(|own| own == name))
    }
}

/// One option.
#[derive(Debug)]
pub(crate) struct OptionSpec {
    pub(crate) name: &'static str,
    /// Older names, see `generation.rs`.
    pub(crate) aliases: &'static [&'static str],
    pub(crate) default: Option<&'static str>,
}

impl OptionSpec {
    /// The option's names, the present one first.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.name).chain(self.aliases.iter().copied())
    }
}

const fn with_default(name: &'static str, default: &'static str) -> OptionSpec {
    OptionSpec { name, aliases: &[], default: Some(default) }
}

const fn without_default(name: &'static str) -> OptionSpec {
    OptionSpec { name, aliases: &[], default: None }
}

const fn renamed(name: &'static str, aliases: &'static [&'static str]) -> OptionSpec {
    OptionSpec { name, aliases, default: None }
}

/// `config xmpp 'xmpp'`
pub(crate) static GENERAL: Schema = Schema {
    kinds: &["xmpp"],
    options: &[
        with_default("enable", "0"),
        OptionSpec { name: "id", aliases: &["conn_req_connection"], default: Some("0") },
        without_default("allowed_jid"),
        with_default("loglevel", "INFO"),
        with_default("notify", "ubus"),
        without_default("notify_command"),
        with_default("notify_timeout_ms", "1500"),
        with_default("connreq_limit", "10"),
        with_default("connreq_period", "60"),
    ],
};

/// `config connection`
pub(crate) static CONNECTION: Schema = Schema {
    kinds: &["connection", "xmpp_connection"],
    options: &[
        renamed("con_inst", &["connection_instance", "xmpp_id"]),
        with_default("enable", "0"),
        renamed("con_alias", &["connection_alias"]),
        without_default("username"),
        without_default("password"),
        without_default("domain"),
        without_default("resource"),
        with_default("usetls", "1"),
        with_default("interval", "-1"),
        with_default("attempt", "16"),
        with_default("initial_retry_interval", "60"),
        with_default("retry_interval_multiplier", "2000"),
        with_default("retry_max_interval", "30720"),
        with_default("serveralgorithm", "DNS-SRV"),
        without_default("tls_ca"),
        with_default("tls_verify", "1"),
    ],
};

/// The name under which bbfdm, a data model, writes the section name of a row's connection. It does so in the rows that it
/// adds, and is not an older name.
pub(crate) const DM_PARENT: &str = "dm_parent";

/// `config connection_server`
pub(crate) static SERVER: Schema = Schema {
    kinds: &["connection_server", "xmpp_connection_server"],
    options: &[
        renamed("con_id", &["id_connection", "con_name", DM_PARENT]),
        renamed("con_srv_inst", &["connection_server_instance"]),
        with_default("enable", "0"),
        renamed("con_srv_alias", &["connection_server_alias"]),
        with_default("port", "5222"),
        without_default("server_address"),
        with_default("priority", "0"),
        with_default("weight", "-1"),
    ],
};

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{CONNECTION, GENERAL, OptionSpec, SERVER, Schema};
    use crate::config::load::load;

    const MARKDOWN: [&str; 3] =
        ["Section `config xmpp", "Sections `config connection`", "Sections `config connection_server`"];

    fn document(name: &str) -> String {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Splits a document at the heading of each schema.
    fn parts<'a>(text: &'a str, headings: [&str; 3]) -> Vec<(&'static Schema, &'a str)> {
        let starts = headings.map(|heading| text.find(heading).unwrap_or_else(|| panic!("no '{heading}'")));
        let ends = [starts[1], starts[2], text.len()];
        [&GENERAL, &CONNECTION, &SERVER]
            .into_iter()
            .zip(starts.into_iter().zip(ends).map(|(from, to)| &text[from..to]))
            .collect()
    }

    /// The table row of an option.
    fn row<'a>(part: &'a str, spec: &OptionSpec) -> &'a str {
        let begin = format!("| `{}`", spec.name);
        let mut rows = part.lines().filter(|line| line.starts_with(&begin));
        rows.next().unwrap_or_else(|| panic!("no row for {}", spec.name))
    }

    #[test]
    fn the_reference_has_every_option_with_its_default() {
        let text = document("docs/configuration.md");
        for (schema, part) in parts(&text, MARKDOWN) {
            assert!(schema.kinds.iter().all(|kind| part.contains(kind)), "{schema:?}");
            for spec in schema.options {
                let row = row(part, spec);
                if let Some(default) = spec.default {
                    assert!(row.contains(&format!("| `{default}` |")), "{row}: {default}");
                }
            }
        }
    }

    #[test]
    fn the_reference_has_every_older_name() {
        let text = document("docs/configuration.md");
        for (schema, part) in parts(&text, MARKDOWN) {
            for spec in schema.options {
                let row = row(part, spec);
                assert!(spec.aliases.iter().all(|alias| row.contains(&format!("`{alias}`"))), "{row}: {spec:?}");
            }
        }
    }

    /// The ranges that a row has as `1..65535`.
    fn ranges(row: &str) -> Vec<(u64, u64)> {
        let words = row.split(|letter: char| !letter.is_ascii_digit() && letter != '.');
        words
            .filter_map(|word| word.split_once(".."))
            .filter_map(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)))
            .collect()
    }

    #[test]
    fn the_reference_has_the_ranges_that_are_accepted() {
        let text = document("docs/configuration.md");
        let mut count = 0;
        for (schema, part) in parts(&text, MARKDOWN) {
            for spec in schema.options {
                let is_accepted = |value: u64| {
                    let option = format!("option {} {value}\n", spec.name);
                    let file = match (schema.kinds[0], spec.name) {
                        ("connection_server", "con_id") => {
                            format!("config connection\noption con_inst {value}\nconfig connection_server\n{option}")
                        }
                        ("connection_server", _) => {
                            format!("config connection\nconfig connection_server\noption con_id 1\n{option}")
                        }
                        (kind, _) => format!("config {kind}\n{option}"),
                    };
                    let problems = load(Path::new("x"), file.as_bytes()).unwrap().problems;
                    !problems.iter().any(|problem| problem.to_string().contains(&format!("'{}'", spec.name)))
                };
                for (from, to) in ranges(row(part, spec)) {
                    count += 1;
                    assert!(is_accepted(from) && is_accepted(to) && !is_accepted(to + 1), "{}", spec.name);
                    assert!(from == 0 || !is_accepted(from - 1), "{}: {from}", spec.name);
                }
            }
        }
        assert!(count > 10, "{count}");
    }

    #[test]
    fn the_man_page_has_every_option_with_its_names_range_and_default() {
        let headings = ["Section config xmpp", "Sections config connection\n", "Sections config connection_server"];
        let page = document("docs/xmppd.conf.5");
        let reference = document("docs/configuration.md");
        for ((schema, part), (_, rows)) in parts(&page, headings).into_iter().zip(parts(&reference, MARKDOWN)) {
            assert!(schema.kinds.iter().all(|kind| part.contains(kind)), "{schema:?}");
            for spec in schema.options {
                let item = part.split("\n.It ").find(|item| item.starts_with(&format!("Ic {} Pq ", spec.name)));
                let item = item.unwrap_or_else(|| panic!("no {}", spec.name));
                let (line, text) = item.split_once('\n').unwrap();
                if let Some(default) = spec.default {
                    let given = line.split_once("; default ").unwrap_or_else(|| panic!("no default of {line}")).1;
                    assert_eq!(given.split(',').next(), Some(default), "{line}");
                }
                for (from, to) in ranges(row(rows, spec)) {
                    assert!(line.contains(&format!("from {from} to {to}")), "{line}: {from}..{to}");
                }
                let words: Vec<&str> = text.split_whitespace().collect();
                assert!(spec.aliases.iter().all(|alias| words.contains(alias)), "{text}: {spec:?}");
            }
        }
    }
}
