//! A `config connection_server` section.

use crate::config::model::{ConnectionId, Server};
use crate::config::reader::Reader;
use crate::config::values::{Address, Alias, Short, Weight, Whole};

/// `con_id`: the connection that the row belongs to; none if it is not said, or not a number.
pub(crate) fn parent(reader: &mut Reader<'_>) -> Option<ConnectionId> {
    if !reader.is_given("con_id") {
        reader.refuse("con_id", None, "required: the con_inst of the connection it belongs to");
        return None;
    }
    reader.get::<Whole<1, { u32::MAX }>>("con_id").map(|Whole(id)| ConnectionId(id))
}

/// The row's instance number if it can be told, and the row if nothing is wrong with it.
///
/// `position`: the row's place among those of its connection, from 1.
pub(crate) fn server(reader: &mut Reader<'_>, position: u32) -> (Option<u32>, Option<Server>) {
    let instance = if reader.is_given("con_srv_inst") {
        reader.get::<Whole<0, { u32::MAX }>>("con_srv_inst").map(|Whole(instance)| instance)
    } else {
        Some(position)
    };
    let row = row(reader, instance);
    (instance, row.filter(|_| !reader.is_refused()))
}

fn row(reader: &mut Reader<'_>, instance: Option<u32>) -> Option<Server> {
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
