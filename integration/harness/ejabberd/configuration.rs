//! Builds ejabberd.yml. Lists and listeners are written as JSON, which is valid YAML.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::{Options, PASSWORD, Ports, ports};

pub(super) fn text(directory: &Path, ca: &Path, hosts: &[&str], options: &Options, ports: Ports) -> String {
    let dir = directory.display();
    let mut text = format!(
        "hosts: {hosts}\nloglevel: debug\ncertfiles: [\"{dir}/certificate.pem\"]\nca_file: \"{ca}\"\n\
         auth_method: internal\nauth_password_format: {format}\nauth_scram_hash: {hash}\n\
         disable_sasl_mechanisms: {disabled}\n\
         api_permissions:\n  tests: {{from: [mod_http_api], who: all, what: \"*\"}}\n\
         modules:\n  mod_admin_extra: {{}}\n  mod_disco: {{}}\n  mod_http_api: {{}}\n  mod_ping: {{}}\n  mod_roster: {{}}\n",
        hosts = json!(hosts),
        ca = ca.display(),
        format = if options.scram.is_some() { "scram" } else { "plain" },
        hash = options.scram.unwrap_or("sha256"),
        disabled = json!(options.disabled_mechanisms),
    );
    if options.smacks {
        text.push_str("  mod_stream_mgmt: {resume_timeout: 300}\n");
    }
    text.push_str("listen:\n");
    let listener = |module: &str, port: u16, ip: &str, more: Value| {
        let mut listener = json!({"module": module, "port": port, "ip": ip});
        listener.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        format!("  - {listener}\n")
    };
    let tls = json!(options.without_tls);
    for ip in ports::loopbacks().iter().map(ToString::to_string) {
        let starttls = if options.require_tls { "starttls_required" } else { "starttls" };
        let more = json!({starttls: true, "protocol_options": tls, "max_stanza_size": 262_144});
        text.push_str(&listener("ejabberd_c2s", ports.starttls, &ip, more));
        let more = json!({"tls": true, "protocol_options": tls, "max_stanza_size": 262_144});
        text.push_str(&listener("ejabberd_c2s", ports.direct_tls, &ip, more));
    }
    if !options.components.is_empty() {
        let hosts: Map<String, Value> =
            options.components.iter().map(|domain| ((*domain).to_owned(), json!({"password": PASSWORD}))).collect();
        text.push_str(&listener("ejabberd_service", ports.component, "127.0.0.1", json!({"hosts": hosts})));
    }
    text.push_str(&listener(
        "ejabberd_http",
        ports.api,
        "127.0.0.1",
        json!({"request_handlers": {"/api": "mod_http_api"}}),
    ));
    let _ = writeln!(text, "{}", options.yaml);
    text
}
