//! The options of each section type: their names, older names, and defaults.

/// One section type.
#[derive(Debug)]
pub(crate) struct Schema {
    /// Its name, and an older one.
    pub(crate) kinds: &'static [&'static str],
    pub(crate) options: &'static [Spec],
}

/// One option.
#[derive(Debug)]
pub(crate) struct Spec {
    pub(crate) name: &'static str,
    /// Names that older releases of the same data wrote.
    pub(crate) aliases: &'static [&'static str],
    pub(crate) default: Option<&'static str>,
}

impl Spec {
    /// The option's names, the present one first.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.name).chain(self.aliases.iter().copied())
    }
}

const fn option(name: &'static str, default: &'static str) -> Spec {
    Spec { name, aliases: &[], default: Some(default) }
}

const fn open(name: &'static str) -> Spec {
    Spec { name, aliases: &[], default: None }
}

const fn renamed(name: &'static str, aliases: &'static [&'static str]) -> Spec {
    Spec { name, aliases, default: None }
}

/// `config xmpp 'xmpp'`
pub(crate) static GENERAL: Schema = Schema {
    kinds: &["xmpp"],
    options: &[
        option("enable", "0"),
        Spec { name: "id", aliases: &["conn_req_connection"], default: Some("0") },
        open("allowed_jid"),
        option("loglevel", "INFO"),
        option("notify", "ubus"),
        open("notify_command"),
        option("notify_timeout_ms", "1500"),
        option("connreq_limit", "10"),
        option("connreq_period", "60"),
    ],
};

/// `config connection`
pub(crate) static CONNECTION: Schema = Schema {
    kinds: &["connection", "xmpp_connection"],
    options: &[
        renamed("con_inst", &["connection_instance", "xmpp_id"]),
        option("enable", "0"),
        renamed("con_alias", &["connection_alias"]),
        open("username"),
        open("password"),
        open("domain"),
        open("resource"),
        option("usetls", "1"),
        option("interval", "-1"),
        option("attempt", "16"),
        option("initial_retry_interval", "60"),
        option("retry_interval_multiplier", "2000"),
        option("retry_max_interval", "30720"),
        option("serveralgorithm", "DNS-SRV"),
        open("tls_ca"),
        option("tls_verify", "1"),
    ],
};

/// `config connection_server`
pub(crate) static SERVER: Schema = Schema {
    kinds: &["connection_server", "xmpp_connection_server"],
    options: &[
        renamed("con_id", &["id_connection", "con_name"]),
        renamed("con_srv_inst", &["connection_server_instance"]),
        option("enable", "0"),
        renamed("con_srv_alias", &["connection_server_alias"]),
        option("port", "5222"),
        open("server_address"),
        option("priority", "0"),
        option("weight", "-1"),
    ],
};

#[cfg(test)]
mod tests {
    use super::*;

    const MARKDOWN: [&str; 3] =
        ["Section `config xmpp", "Sections `config connection`", "Sections `config connection_server`"];

    fn document(name: &str) -> String {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Splits at the heading of each schema, in the order in which all documents have them.
    fn parts<'a>(text: &'a str, headings: [&str; 3]) -> Vec<(&'static Schema, &'a str)> {
        let starts = headings.map(|heading| text.find(heading).unwrap_or_else(|| panic!("no '{heading}'")));
        let ends = [starts[1], starts[2], text.len()];
        [&GENERAL, &CONNECTION, &SERVER]
            .into_iter()
            .zip(starts.into_iter().zip(ends).map(|(from, to)| &text[from..to]))
            .collect()
    }

    fn row<'a>(part: &'a str, spec: &Spec) -> &'a str {
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

    #[test]
    fn the_man_page_has_every_option_with_its_default() {
        let headings = ["Section config xmpp", "Sections config connection", "Sections config connection_server"];
        let text = document("docs/xmppd.8");
        for (schema, part) in parts(&text, headings) {
            for spec in schema.options {
                let is_item =
                    |line: &&str| line.starts_with(".It Ic ") && line.split([' ', ',']).any(|word| word == spec.name);
                let from = part.lines().position(|line| is_item(&line)).unwrap_or_else(|| panic!("no {}", spec.name));
                let item: Vec<&str> = part.lines().skip(from + 1).take_while(|line| !line.starts_with(".It")).collect();
                if let Some(default) = spec.default {
                    assert!(item.join(" ").contains(&format!("({default}")), "{}: {item:?}", spec.name);
                }
            }
        }
    }
}
