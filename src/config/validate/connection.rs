//! A `config connection` section.

use std::time::Duration;

use crate::config::model::{Connection, ConnectionId, Password, Retry};
use crate::config::section_reader::SectionReader;
use crate::config::values::{Alias, Domain, Resource, Short, UserName, Whole};

/// `password`, characters.
const PASSWORD_MAX: usize = 256;

/// What a section comes to.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// Valid; its servers are still to be added.
    Valid(Box<Connection>),
    /// Not enabled, and without what a connection needs: a template that is not filled in yet.
    Blank,
    /// Something is wrong with it.
    Refused,
}

/// `con_inst`: given, or the section's position among its kind, from 1. None if what is given is wrong.
pub(crate) fn instance(reader: &mut SectionReader<'_>, option: &str, position: u32) -> Option<u32> {
    if !reader.is_given(option) {
        return Some(position);
    }
    reader.get::<Whole<1, { u32::MAX }>>(option).map(|Whole(instance)| instance)
}

/// The connection's id, and what the section comes to; what is wrong is noted in the reader.
pub(crate) fn connection(reader: &mut SectionReader<'_>, position: u32) -> (Option<ConnectionId>, Outcome) {
    let id = instance(reader, "con_inst", position).map(ConnectionId);
    let enable = reader.get::<bool>("enable");
    let blank = enable == Some(false) && !(reader.is_given("username") && reader.is_given("domain"));
    let required = |reader: &mut SectionReader<'_>, option: &str| {
        if !blank && !reader.is_given(option) {
            reader.refuse(option, None, "required");
        }
    };
    required(reader, "username");
    required(reader, "domain");
    let draft = draft(reader, id, enable);
    let outcome = match draft {
        _ if reader.is_refused() => Outcome::Refused,
        _ if blank => Outcome::Blank,
        Some(connection) => Outcome::Valid(Box::new(connection)),
        None => Outcome::Refused,
    };
    (id, outcome)
}

fn draft(reader: &mut SectionReader<'_>, id: Option<ConnectionId>, enable: Option<bool>) -> Option<Connection> {
    let alias = reader.get::<Alias>("con_alias");
    let username = reader.get::<UserName>("username");
    let password = password(reader);
    let domain = reader.get::<Domain>("domain");
    let resource = reader.get::<Resource>("resource");
    let use_tls = reader.get("usetls");
    let tls_ca = reader.get("tls_ca");
    let tls_verify = reader.get("tls_verify");
    let keepalive = reader.get("interval");
    let retry = retry(reader);
    let algorithm = reader.get("serveralgorithm");
    let id = id?;
    Some(Connection {
        id,
        enable: enable?,
        alias: alias.map_or_else(|| format!("cpe-{id}"), |Alias(alias)| alias),
        username: username?.0,
        password,
        domain: domain?.0,
        resource: resource.map(|Resource(resource)| resource),
        use_tls: use_tls?,
        tls_ca,
        tls_verify: tls_verify?,
        keepalive: keepalive?,
        retry: retry?,
        algorithm: algorithm?,
        servers: Vec::new(),
    })
}

fn password(reader: &mut SectionReader<'_>) -> Password {
    let password = reader.password().unwrap_or_default();
    if password.expose().chars().nth(PASSWORD_MAX).is_some() {
        reader.refuse("password", None, format!("longer than {PASSWORD_MAX} characters"));
    }
    password
}

fn retry(reader: &mut SectionReader<'_>) -> Option<Retry> {
    let attempts = reader.get::<Whole<0, { u32::MAX }>>("attempt");
    let initial = reader.get::<Short<1>>("initial_retry_interval");
    let multiplier = reader.get::<Short<1000>>("retry_interval_multiplier");
    let max = reader.get::<Whole<1, { u32::MAX }>>("retry_max_interval");
    Some(Retry {
        attempts: attempts?.0,
        initial: Duration::from_secs(u64::from(initial?.0)),
        multiplier: multiplier?.0,
        max: max?.seconds(),
    })
}
