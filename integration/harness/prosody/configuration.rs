//! Builds prosody.cfg.lua.

use std::fmt::Write as _;
use std::path::Path;

use super::{Options, PASSWORD, Ports};
use crate::harness::ca::ascii;
use crate::harness::ports;

pub(super) fn text(directory: &Path, hosts: &[&str], options: &Options, own_ports: Ports) -> String {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("harness/prosody");
    let smacks = if options.smacks { r#""smacks"; "# } else { "" };
    let mut text = format!(
        r#"run_as_root = true
pidfile = "{dir}/prosody.pid"
data_path = "{dir}/data"
plugin_paths = {{ "{own}" }}
certificates = "{dir}"
log = {{ {log} = "{dir}/prosody.log" }}
sessions_view_file = "{dir}/sessions.log"
interfaces = {{ {interfaces} }}
local_interfaces = {{ {interfaces} }}
c2s_ports = {{ {port} }}
c2s_direct_tls_ports = {{ {direct_tls_port} }}
component_ports = {{ {component_port} }}
c2s_require_encryption = {require_tls}
modules_enabled = {{ "roster"; "saslauth"; "tls"; "disco"; "ping"; "posix"; "admin_shell"; {smacks}"sessions_view" }}
modules_disabled = {{ "s2s"; "s2s_auth_certs" }}
authentication = "internal_plain"
{more}
"#,
        dir = directory.display(),
        own = own.display(),
        interfaces = ports::loopbacks()
            .iter()
            .map(|address| format!("{:?}", address.to_string()))
            .collect::<Vec<_>>()
            .join(", "),
        port = own_ports.starttls,
        direct_tls_port = own_ports.direct_tls,
        component_port = own_ports.component,
        require_tls = options.require_tls,
        log = options.log,
        more = options.lua,
    );
    for host in hosts {
        let _ = writeln!(
            text,
            "VirtualHost \"{host}\"\n  ssl = {{ certificate = \"{dir}/{file}.crt\"; key = \"{dir}/{file}.key\"{tls} }}",
            dir = directory.display(),
            file = ascii(host),
            tls = if options.tls12_only { "; protocol = \"tlsv1_2\"" } else { "" },
        );
    }
    for component in options.components {
        let _ = writeln!(text, "Component \"{component}\"\n  component_secret = \"{PASSWORD}\"");
    }
    text
}
