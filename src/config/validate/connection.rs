//! Validates a `config connection` section.

use std::path::PathBuf;
use std::time::Duration;

use crate::config::model::{ConnectionId, ConnectionSettings, KeepAlive, Password, Retry, ServerAlgorithm};
use crate::config::section_reader::SectionReader;
use crate::config::values::names::{Alias, Domain, Resource, UserName};
use crate::config::values::numbers::{U16From, U32InRange};

/// Maximum length of `password` in characters.
const PASSWORD_MAX: usize = 256;

/// What a section is.
#[derive(Debug)]
pub(crate) enum Validation {
    /// Valid; its servers are not added yet.
    Valid(Box<ConnectionSettings>),
    /// A template: not enabled, and `username` or `domain` is not filled in.
    Template,
    /// Invalid.
    Refused,
}

/// Validates the section. The problems are in the reader; the number is none if `con_inst` is wrong.
///
/// `position`: the section's position among the connections, from 1, which is the default of `con_inst`.
pub(crate) fn connection(reader: &mut SectionReader<'_>, position: u32) -> (Option<ConnectionId>, Validation) {
    let id = con_inst(reader, position);
    let enable = reader.get::<bool>("enable");
    let is_template = enable == Some(false) && !(reader.is_given("username") && reader.is_given("domain"));
    for option in ["username", "domain"] {
        if !is_template && !reader.is_given(option) {
            reader.refuse(option, None, "required");
        }
    }
    let settings = settings(reader, id, enable);
    let validation = match settings {
        _ if reader.is_refused() => Validation::Refused,
        _ if is_template => Validation::Template,
        Some(settings) => Validation::Valid(Box::new(settings)),
        None => Validation::Refused,
    };
    (id, validation)
}

fn con_inst(reader: &mut SectionReader<'_>, position: u32) -> Option<ConnectionId> {
    if !reader.is_given("con_inst") {
        return Some(ConnectionId(position));
    }
    reader.get::<U32InRange<1, { u32::MAX }>>("con_inst").map(|U32InRange(number)| ConnectionId(number))
}

/// Reads all options, so that all problems are found; none if a required one is missing or wrong.
fn settings(
    reader: &mut SectionReader<'_>,
    id: Option<ConnectionId>,
    enable: Option<bool>,
) -> Option<ConnectionSettings> {
    let alias = reader.get::<Alias>("con_alias");
    let username = reader.get::<UserName>("username");
    let password = password(reader);
    let domain = reader.get::<Domain>("domain");
    let resource = reader.get::<Resource>("resource");
    let use_tls = reader.get::<bool>("usetls");
    let tls_ca = reader.get::<PathBuf>("tls_ca");
    let tls_verify = reader.get::<bool>("tls_verify");
    let keepalive = reader.get::<KeepAlive>("interval");
    let retry = retry(reader);
    let algorithm = reader.get::<ServerAlgorithm>("serveralgorithm");
    let id = id?;
    Some(ConnectionSettings {
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
    let attempts = reader.get::<U32InRange<0, { u32::MAX }>>("attempt");
    let initial = reader.get::<U16From<1>>("initial_retry_interval");
    let multiplier = reader.get::<U16From<1000>>("retry_interval_multiplier");
    let max = reader.get::<U32InRange<1, { u32::MAX }>>("retry_max_interval");
    Some(Retry {
        attempts: attempts?.0,
        initial: Duration::from_secs(u64::from(initial?.0)),
        multiplier: multiplier?.0,
        max: max?.seconds(),
    })
}
