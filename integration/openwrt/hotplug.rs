//! The hotplug script: the WAN alone has xmppd reconnect.

use std::fs;
use std::os::unix::net::UnixListener;

use super::device::Device;

/// Whether xmppd is asked to reconnect when this happens to an interface.
fn reconnects(device: &Device, action: &str, interface: &str) -> bool {
    let _ = fs::remove_file(device.path("tmp/xmppd-calls"));
    let script = "/etc/hotplug.d/iface/90-xmppd";
    // As hotplug-call does.
    let said = device.succeed(&format!("export ACTION={action} INTERFACE={interface}; ( . {script} )"));
    assert_eq!(said, "");
    match device.read("tmp/xmppd-calls").as_str() {
        "" => false,
        "reconnect\n" => true,
        calls => panic!("{calls}"),
    }
}

fn listen(device: &Device) -> UnixListener {
    fs::create_dir_all(device.path("var/run/xmppd")).unwrap();
    UnixListener::bind(device.path("var/run/xmppd/xmppd.sock")).unwrap()
}

#[test]
fn the_interface_of_the_cwmp_client_is_the_wan() {
    let device = Device::new();
    device.write("etc/config/cwmp", "config cpe 'cpe'\n\toption default_wan_interface 'uplink'\n");
    device.write("tmp/gateways4", "lan\n");
    let socket = listen(&device);
    for (action, interface, expected) in [
        ("ifup", "uplink", true),
        ("ifup", "uplink6", true),
        ("ifup", "uplink_6", true),
        ("ifdown", "uplink", false),
        ("ifupdate", "uplink", false),
        ("ifup", "lan", false),
        ("ifup", "wan", false),
        ("ifup", "loopback", false),
    ] {
        assert_eq!(reconnects(&device, action, interface), expected, "{action} {interface}");
    }
    // At boot the interfaces come up before xmppd runs.
    drop(socket);
    fs::remove_file(device.path("var/run/xmppd/xmppd.sock")).unwrap();
    assert!(!reconnects(&device, "ifup", "uplink"));
}

#[test]
fn without_it_interfaces_with_a_default_route_are() {
    let device = Device::new();
    device.write("tmp/gateways4", "wan wwan\n");
    device.write("tmp/gateways6", "wan6\n");
    let _socket = listen(&device);
    for (interface, expected) in
        [("wan", true), ("wwan", true), ("wan6", true), ("lan", false), ("guest", false), ("loopback", false)]
    {
        assert_eq!(reconnects(&device, "ifup", interface), expected, "{interface}");
    }
    device.write("etc/config/cwmp", "config cpe 'cpe'\n\toption userid 'u'\n");
    assert!(reconnects(&device, "ifup", "wan") && !reconnects(&device, "ifup", "lan"));
}
