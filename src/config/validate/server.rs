//! Validates a `config connection_server` section.

use crate::config::model::{ConnectionId, Server};
use crate::config::references::{ConnectionIndex, Reference};
use crate::config::schema::DM_PARENT;
use crate::config::section_reader::SectionReader;
use crate::config::values::names::{Alias, HostAddress};
use crate::config::values::numbers::{U16From, U32InRange, Weight};

/// Resolves `con_id`, the connection that the row belongs to; none if it is unknown.
///
/// `is_incomplete`: the number of some connection is wrong, so that an unknown number is not reported.
pub(crate) fn parent(
    reader: &mut SectionReader<'_>,
    connections: &ConnectionIndex,
    is_incomplete: bool,
) -> Option<ConnectionId> {
    if !reader.is_given("con_id") {
        let message = "required: the con_inst or the section name of the connection it belongs to";
        reader.refuse("con_id", None, message);
        return None;
    }
    let text: String = reader.extract("con_id")?;
    let is_name = matches!(reader.given_as("con_id"), Some("con_name" | DM_PARENT));
    match connections.resolve(&text, is_name) {
        Reference::Connection(id) => return Some(id),
        Reference::InvalidSection => {}
        Reference::UnknownNumber(_) if is_incomplete => {}
        Reference::UnknownNumber(_) | Reference::UnknownName => {
            let suggestion = connections.suggestion(&text);
            let message =
                format!("there is no connection with this con_inst or section name; {connections}{suggestion}");
            reader.refuse("con_id", Some(&text), message);
        }
        Reference::Malformed => {
            let message = format!("expected the con_inst or the section name of a connection; {connections}");
            reader.refuse("con_id", Some(&text), message);
        }
    }
    None
}

/// Validates the row: its instance number if it is known, and the row if it is valid.
///
/// `position`: the row's position among those of its connection, from 1, which is the default of `con_srv_inst`.
pub(crate) fn server(reader: &mut SectionReader<'_>, position: u32) -> (Option<u32>, Option<Server>) {
    let instance = if reader.is_given("con_srv_inst") {
        reader.get::<U32InRange<0, { u32::MAX }>>("con_srv_inst").map(|U32InRange(instance)| instance)
    } else {
        Some(position)
    };
    let row = row(reader, instance);
    (instance, row.filter(|_| !reader.is_refused()))
}

fn row(reader: &mut SectionReader<'_>, instance: Option<u32>) -> Option<Server> {
    let enable = reader.get::<bool>("enable");
    let alias = reader.get::<Alias>("con_srv_alias");
    let address = reader.get::<HostAddress>("server_address");
    let port = reader.get::<U16From<1>>("port");
    let priority = reader.get::<U16From<0>>("priority");
    let weight = reader.get::<Weight>("weight");
    if enable == Some(true) && !reader.is_given("server_address") {
        reader.refuse("server_address", None, "required in an enabled row");
    }
    let instance = instance?;
    Some(Server {
        instance,
        enable: enable?,
        alias: alias.map_or_else(|| format!("cpe-{instance}"), |Alias(alias)| alias),
        address: address.map(|HostAddress(address)| address),
        port: port?.0,
        priority: priority?.0,
        weight: weight?.0,
    })
}
