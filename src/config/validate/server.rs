//! A `config connection_server` section.

use crate::config::model::{ConnectionId, Server};
use crate::config::references::{Connections, Referent};
use crate::config::section_reader::SectionReader;
use crate::config::values::{Address, Alias, Short, Weight, Whole};

/// `con_id`: the connection that the row belongs to; none if that cannot be told.
///
/// `is_incomplete`: there is a connection whose number is wrong, which is reported already.
pub(crate) fn parent(
    reader: &mut SectionReader<'_>,
    connections: &Connections,
    is_incomplete: bool,
) -> Option<ConnectionId> {
    if !reader.is_given("con_id") {
        let message = "required: the con_inst or the section name of the connection it belongs to";
        reader.refuse("con_id", None, message);
        return None;
    }
    let text: String = reader.extract("con_id")?;
    match connections.find(&text, reader.given_as("con_id") == Some("con_name")) {
        Referent::Connection(id) => return Some(id),
        Referent::Unclear => {}
        Referent::UnknownNumber(_) if is_incomplete => {}
        Referent::UnknownNumber(_) | Referent::UnknownName => {
            let message = format!("there is no connection with this con_inst or section name; {}", connections.list());
            reader.refuse("con_id", Some(&text), message);
        }
        Referent::Malformed => {
            let message = format!("expected the con_inst or the section name of a connection; {}", connections.list());
            reader.refuse("con_id", Some(&text), message);
        }
    }
    None
}

/// The row's instance number if it can be told, and the row if nothing is wrong with it.
///
/// `position`: the row's place among those of its connection, from 1.
pub(crate) fn server(reader: &mut SectionReader<'_>, position: u32) -> (Option<u32>, Option<Server>) {
    let instance = if reader.is_given("con_srv_inst") {
        reader.get::<Whole<0, { u32::MAX }>>("con_srv_inst").map(|Whole(instance)| instance)
    } else {
        Some(position)
    };
    let row = row(reader, instance);
    (instance, row.filter(|_| !reader.is_refused()))
}

fn row(reader: &mut SectionReader<'_>, instance: Option<u32>) -> Option<Server> {
    let enable = reader.get::<bool>("enable");
    let alias = reader.get::<Alias>("con_srv_alias");
    let address = reader.get::<Address>("server_address");
    let port = reader.get::<Short<1>>("port");
    let priority = reader.get::<Short<0>>("priority");
    let weight = reader.get::<Weight>("weight");
    if enable == Some(true) && !reader.is_given("server_address") {
        reader.refuse("server_address", None, "required in an enabled row");
    }
    let instance = instance?;
    Some(Server {
        instance,
        enable: enable?,
        alias: alias.map_or_else(|| format!("cpe-{instance}"), |Alias(alias)| alias),
        address: address.map(|Address(address)| address),
        port: port?.0,
        priority: priority?.0,
        weight: weight?.0,
    })
}
