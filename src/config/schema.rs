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
        option("id", "0"),
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
        renamed("con_inst", &["xmpp_id", "connection_instance"]),
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
        renamed("con_id", &["id_connection"]),
        renamed("con_srv_inst", &["connection_server_instance"]),
        option("enable", "0"),
        renamed("con_srv_alias", &["connection_server_alias"]),
        option("port", "5222"),
        open("server_address"),
        option("priority", "0"),
        option("weight", "-1"),
    ],
};
