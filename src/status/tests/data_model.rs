//! The plugin for bbfdm, `config/openwrt/bbfdm/xmppd.json`: each mapping is held against the status document, the options of
//! the UCI file, and the parameters that `xmppd tr181` shows.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};

use super::super::{document, tr181};
use super::documents::{generic, seen};
use crate::config::schema::{CONNECTION, GENERAL, SERVER, Schema};
use crate::document::{Table, Value};

/// Parameters of `xmppd tr181` that the plugin leaves to the CWMP client, which adds its own methods.
const LEFT_OUT: [&str; 1] = ["Device.ManagementServer.SupportedConnReqMethods"];

/// Parameters of the plugin alone: the section's name, which `ConnReqXMPPConnection` is set to.
const ADDED: [&str; 1] = ["Device.XMPP.Connection.{i}.{BBF_VENDOR_PREFIX}Section"];

/// Parameters whose value bbfdm makes itself.
const BY_BBFDM: [&str; 2] = ["Device.XMPP.Connection.{i}.Alias", "Device.XMPP.Connection.{i}.Server.{i}.Alias"];

fn plugin() -> Json {
    serde_json::from_str(include_str!("../../../config/openwrt/bbfdm/xmppd.json")).unwrap()
}

fn is_object(entry: &Json) -> bool {
    entry["type"] == "object"
}

/// Collects the parameters below an object by their full path, and the objects.
fn collect(path: &str, object: &Json, found: &mut BTreeMap<String, Json>, objects: &mut BTreeMap<String, Json>) {
    objects.insert(path.to_owned(), object.clone());
    for (name, entry) in object.as_object().unwrap().iter().filter(|(_, entry)| entry["type"].is_string()) {
        if is_object(entry) {
            assert!(name.starts_with(path), "{name} is in {path}");
            collect(name, entry, found, objects);
        } else {
            found.insert(format!("{path}{name}"), entry.clone());
        }
    }
}

fn parameters() -> (BTreeMap<String, Json>, BTreeMap<String, Json>) {
    let (mut found, mut objects) = (BTreeMap::new(), BTreeMap::new());
    let plugin = plugin();
    let top = plugin.as_object().unwrap().iter().filter(|(_, entry)| is_object(entry));
    top.for_each(|(path, object)| collect(path, object, &mut found, &mut objects));
    (found, objects)
}

/// The mapping that is used to read or to set.
fn mapping<'a>(parameter: &'a Json, rpc: &str) -> Option<&'a Json> {
    let mut mappings = parameter["mapping"].as_array()?.iter();
    mappings.find(|mapping| mapping["rpc"].is_null() || mapping["rpc"] == rpc)
}

/// The option that a mapping names, and the kind of its section.
fn option(path: &str, mapping: &Json) -> Option<(&'static Schema, String)> {
    let text = |value: &Json| value.as_str().map(str::to_owned);
    match mapping["type"].as_str() {
        Some("uci_sec") => {
            assert_eq!(mapping["data"], "@Parent", "{path}");
            let schema = if path.contains(".Server.{i}.") { &SERVER } else { &CONNECTION };
            Some((schema, text(&mapping["key"])?))
        }
        Some("uci") => {
            let uci = &mapping["uci"];
            assert_eq!(uci["file"], "xmpp", "{path}");
            let name = text(&uci["option"]["name"]).or_else(|| text(&uci["list"]["name"]))?;
            if name == "@Count" {
                return Some((kind(&uci["section"]["type"]), name));
            }
            assert_eq!(uci["section"], json!({"name": "xmpp"}), "{path}");
            Some((&GENERAL, name))
        }
        _ => None,
    }
}

/// The present name of a section type.
fn kind(section_type: &Json) -> &'static Schema {
    [&GENERAL, &CONNECTION, &SERVER].into_iter().find(|schema| schema.kinds[0] == section_type).unwrap()
}

/// A value of the document as bbfdm shows it; `@i-1` is the place of the connection.
fn look_up(document: &Table, key: &str, place: usize) -> String {
    let mut value = Value::Table(document.clone());
    for step in key.split('.') {
        let Value::Table(table) = &value else { panic!("{key}: nothing below") };
        let (name, indexed) = step.strip_suffix("[@i-1]").map_or((step, false), |name| (name, true));
        let Some(found) = table.get(name) else {
            // The optional fields of the page.
            assert!(["jid"].contains(&name), "{key}: no {name} in {table}");
            return String::new();
        };
        value = match found {
            Value::Array(items) if indexed => items[place].clone(),
            other => other.clone(),
        };
    }
    match value {
        Value::Text(text) => text,
        Value::Bool(value) => value.to_string(),
        number => number.integer().unwrap_or_else(|| panic!("{key} is no value")).to_string(),
    }
}

#[test]
fn the_plugin_has_the_parameters_of_tr181() {
    let shown: BTreeSet<String> = seen(tr181).entries().map(|(path, _)| generic(path)).collect();
    let (mapped, _) = parameters();
    let mut expected: BTreeSet<&str> = shown.iter().map(String::as_str).collect();
    for path in LEFT_OUT {
        assert!(expected.remove(path));
    }
    expected.extend(ADDED);
    assert_eq!(mapped.keys().map(String::as_str).collect::<BTreeSet<_>>(), expected);
    assert_eq!(plugin()["json_plugin_version"], 2);
}

#[test]
fn values_by_ubus_are_those_of_tr181() {
    let (document, shown) = (seen(|view| document(view, None)), seen(tr181));
    let mut compared = 0;
    for (path, parameter) in parameters().0 {
        let Some(mapping) = mapping(&parameter, "get").filter(|mapping| mapping["type"] == "ubus") else { continue };
        assert_eq!((&mapping["ubus"]["object"], &mapping["ubus"]["method"]), (&json!("xmppd"), &json!("status")));
        assert_eq!(mapping["ubus"]["args"], json!({}), "{path}");
        let key = mapping["ubus"]["key"].as_str().unwrap();
        assert_eq!(key.contains("[@i-1]"), path.contains("{i}"), "{path}");
        let Some(Value::Array(connections)) = document.get("connections") else { panic!("{document}") };
        for (place, connection) in connections.iter().enumerate() {
            let Value::Table(connection) = connection else { panic!("{document}") };
            let id = connection.get("connection").and_then(Value::integer).unwrap();
            // A template has no number, and so no parameters.
            if id > 0 {
                let path = path.replace("{i}", &id.to_string());
                let expected = shown.get(&path).and_then(Value::text);
                assert_eq!(Some(look_up(&document, key, place).as_str()), expected, "{path}");
                compared += 1;
            }
        }
    }
    assert!(compared > 20, "{compared}");
}

#[test]
fn settings_are_options_of_the_file_with_their_defaults() {
    let mut options = BTreeSet::new();
    for (path, parameter) in parameters().0 {
        for rpc in ["get", "set"] {
            let is_written = parameter["write"].as_bool().unwrap();
            let Some(mapping) = mapping(&parameter, rpc) else {
                assert!(!is_written && parameter["default"].is_string(), "{path} has no value");
                continue;
            };
            let Some((schema, name)) = option(&path, mapping) else {
                let is_live = mapping["type"] == "ubus" || path.ends_with(".Password");
                assert!(is_live && rpc == "get" || !is_written, "{path}: {mapping}");
                continue;
            };
            if name.starts_with('@') {
                assert!(!is_written && parameter["default"].is_null(), "{path}");
                continue;
            }
            assert!(is_written, "{path}");
            let spec = schema.options.iter().find(|option| option.name == name);
            let spec = spec.unwrap_or_else(|| panic!("{path}: no option {name}"));
            if !BY_BBFDM.contains(&path.as_str()) && rpc == "get" {
                assert_eq!(parameter["default"].as_str(), spec.default, "{path}");
            }
            options.insert((schema.kinds[0], name));
        }
    }
    // Each option that `docs/configuration.md` gives a parameter for.
    let expected: BTreeSet<(&str, String)> =
        documented().into_iter().map(|(schema, name)| (schema.kinds[0], name)).collect();
    assert_eq!(options, expected);
}

/// The options that have a parameter of TR-181 in the last column of the reference, except instance numbers and references
/// to the parent.
fn documented() -> Vec<(&'static Schema, String)> {
    let page = include_str!("../../../docs/configuration.md");
    let headings = [
        ("## Section `config xmpp", &GENERAL),
        ("## Sections `config connection`", &CONNECTION),
        ("## Sections `config connection_server`", &SERVER),
    ];
    let mut options = Vec::new();
    for (heading, schema) in headings {
        let (_, part) = page.split_once(heading).unwrap();
        let part = part.split("\n## ").next().unwrap();
        for row in part.lines().filter_map(|line| line.strip_prefix("| `")) {
            let parameter = row.trim_end_matches([' ', '|']).rsplit("| ").next().unwrap();
            let name = row.split('`').next().unwrap();
            if parameter.starts_with('`') && parameter != "`{i}`" && schema.options.iter().any(|it| it.name == name) {
                options.push((schema, name.to_owned()));
            }
        }
    }
    options
}

#[test]
fn tables_are_the_sections_of_the_file() {
    let (_, objects) = parameters();
    for (path, schema) in
        [("Device.XMPP.Connection.{i}.", &CONNECTION), ("Device.XMPP.Connection.{i}.Server.{i}.", &SERVER)]
    {
        let uci = &objects[path]["mapping"][0]["uci"];
        assert_eq!((&uci["file"], &uci["section"]), (&json!("xmpp"), &json!({"type": schema.kinds[0]})), "{path}");
        assert!(uci["dmmapfile"].is_string() && objects[path]["array"] == true, "{path}");
    }
    let reference = parameters().0["Device.ManagementServer.ConnReqXMPPConnection"].clone();
    let linker = mapping(&reference, "set").unwrap()["linker_obj"].as_str().unwrap().replace('*', "{i}");
    let section = &parameters().0[linker.as_str()];
    assert_eq!((&section["mapping"][0]["key"], &section["flags"]), (&json!("@Name"), &json!(["Linker"])));
}
