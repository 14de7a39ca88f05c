use super::*;

/// The file, its name servers, its search list, and the skipped lines.
type Form<'a> = (&'a [u8], &'a [&'a str], &'a [&'a str], &'a [&'a str]);

const LOCAL: &[&str] = &["127.0.0.1", "::1"];

#[rustfmt::skip]
const FORMS: &[Form<'static>] = &[
    // Valid files.
    (b"nameserver 192.0.2.1\n", &["192.0.2.1"], &[], &[]),
    (b"nameserver 192.0.2.1", &["192.0.2.1"], &[], &[]),
    (b"# x\n; y\n\n  # z\nnameserver 192.0.2.1 # w\n", &["192.0.2.1"], &[], &[]),
    (b"nameserver 192.0.2.1\r\nsearch lan\r\n", &["192.0.2.1"], &["lan."], &[]),
    (b"\tnameserver\t \t192.0.2.1\t\n", &["192.0.2.1"], &[], &[]),
    (b"nameserver 192.0.2.1\n# caf\xe9\nsearch lan\n", &["192.0.2.1"], &["lan."], &[]),
    (b"nameserver 2001:db8::1\nnameserver fe80::1%eth0\nnameserver fe80::1%2\n", &["2001:db8::1", "fe80::1%eth0", "fe80::1%2"], &[], &[]),
    (b"nameserver ::ffff:192.0.2.1\n", &["::ffff:192.0.2.1"], &[], &[]),
    (b"search a.test B.test. _x.test\nnameserver 192.0.2.1\n", &["192.0.2.1"], &["a.test.", "B.test.", "_x.test."], &[]),
    (b"domain a.test\nsearch b.test c.test\nnameserver 192.0.2.1\n", &["192.0.2.1"], &["b.test.", "c.test."], &[]),
    (b"search b.test c.test\ndomain a.test\nnameserver 192.0.2.1\n", &["192.0.2.1"], &["a.test."], &[]),
    (b"search .\nnameserver 192.0.2.1\n", &["192.0.2.1"], &["."], &[]),
    (b"sortlist 192.0.2.0/24\nfamily inet6\nlookup file bind\nnameserver 192.0.2.1\n", &["192.0.2.1"], &[], &[]),
    (b"options rotate edns0 trust-ad no-such inet6 x:y\nnameserver 192.0.2.1\n", &["192.0.2.1"], &[], &[]),
    // Without a name server: this host.
    (b"", LOCAL, &[], &[]),
    (b"# dhcp\nsearch lan\n", LOCAL, &["lan."], &[]),
    (b"nameserver 0.0.0.0\nnameserver ::\n", LOCAL, &[], &[]),
    // Six name servers.
    (b"nameserver 192.0.2.1\nnameserver 192.0.2.2\nnameserver 192.0.2.3\nnameserver 192.0.2.4\nnameserver 192.0.2.5\nnameserver 192.0.2.6\n",
     &["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5", "192.0.2.6"], &[], &[]),
    // Invalid lines are skipped.
    (b"\xef\xbb\xbfnameserver 192.0.2.1\n", &["192.0.2.1"], &[], &[]),
    (b"domain (none)\nnameserver 192.0.2.1\n", &["192.0.2.1"], &[], &["line 1 skipped: \"(none)\""]),
    (b"search .lan\nnameserver 192.0.2.1\n", &["192.0.2.1"], &[], &["line 1 skipped: \".lan\""]),
    (b"search a..b\nnameserver 192.0.2.1\n", &["192.0.2.1"], &[], &["line 1 skipped: \"a..b\""]),
    (b"search a..b lan\nnameserver 192.0.2.1\n", &["192.0.2.1"], &["lan."], &["line 1 skipped: \"a..b\""]),
    (b"search lan\nsearch a..b .c\nnameserver 192.0.2.1\n", &["192.0.2.1"], &["lan."], &["line 2 skipped: \"a..b .c\""]),
    (b"search 0123456789012345678901234567890123456789012345678901234567890123.test\nnameserver 192.0.2.1\n", &["192.0.2.1"], &[],
     &["line 1 skipped: \"0123456789012345678901234567890123456789012345678901234567890123.test\""]),
    (b"nameserver\nnameserver dns.test\nnameserver 192.0.2.1:53\nnameserver fe80::1%\nnameserver 192.0.2.1\n", &["192.0.2.1"], &[],
     &["line 1 skipped: \"nameserver\"", "line 2 skipped: \"dns.test\"", "line 3 skipped: \"192.0.2.1:53\"", "line 4 skipped: \"fe80::1%\""]),
    (b"nameserver dns.test\n", LOCAL, &[], &["line 1 skipped: \"dns.test\""]),
    (b"nameservers 192.0.2.9\n\0\x01\nnameserver 192.0.2.1\n", &["192.0.2.1"], &[], &["line 1 skipped: \"nameservers\"", "line 2 skipped: \"\\0\\u{1}\""]),
    (b"options timeout:x attempts:-1 ndots:1.5\nnameserver 192.0.2.1\n", &["192.0.2.1"], &[], &["line 1 skipped: \"timeout:x attempts:-1 ndots:1.5\""]),
    (b"<html>not a file of ours</html>\nnameserver 192.0.2.1\n", &["192.0.2.1"], &[], &["line 1 skipped: \"<html>not\""]),
];

#[test]
fn each_line_is_parsed_by_itself() {
    for &(text, servers, search, skipped) in FORMS {
        let (conf, messages) = ResolvConf::parse(text, "cpe");
        let text = String::from_utf8_lossy(text);
        assert_eq!(conf.servers.iter().map(ToString::to_string).collect::<Vec<_>>(), servers, "{text}");
        assert_eq!(
            conf.search.iter().map(|name| name.fmt_with_dot().to_string()).collect::<Vec<_>>(),
            search,
            "{text}"
        );
        assert_eq!(messages, skipped, "{text}");
    }
}

#[test]
fn options_are_parsed_and_limited() {
    for (options, timeout, attempts, ndots) in [
        ("", 2, 2, 1),
        ("timeout:1 attempts:1", 1, 1, 1),
        ("timeout:5 attempts:3 ndots:2", 5, 3, 2),
        ("timeout:0 attempts:0 ndots:0", 2, 2, 0),
        ("timeout:4294967295 attempts:4294967295 ndots:4294967295", 30, 5, 15),
        ("timeout:4294967296 attempts:", 2, 2, 1),
        ("timeout:x", 2, 2, 1),
        ("attempts:5\noptions timeout:7", 7, 5, 1),
    ] {
        let (conf, _) = ResolvConf::parse(format!("options {options}").as_bytes(), "cpe");
        let found = (conf.timeout, conf.attempts, conf.ndots);
        assert_eq!(found, (Duration::from_secs(timeout), attempts, ndots), "{options}");
    }
}

fn candidates(text: &str, host_name: &str, ascii: &str) -> Vec<String> {
    let (conf, _) = ResolvConf::parse(text.as_bytes(), host_name);
    conf.candidates(ascii, name(ascii).unwrap()).iter().map(host).collect()
}

#[test]
fn the_search_list_applies_to_names_without_a_dot() {
    assert_eq!(candidates("search a.test b.test", "cpe", "xmpp"), ["xmpp.a.test.", "xmpp.b.test.", "xmpp."]);
    assert_eq!(candidates("search a.test\noptions ndots:0", "cpe", "xmpp"), ["xmpp.", "xmpp.a.test."]);
    assert_eq!(candidates("search a.test\noptions ndots:5", "cpe", "xmpp.test"), ["xmpp.test."]);
    assert_eq!(candidates("search a.test", "cpe", "xmpp."), ["xmpp."]);
    assert_eq!(candidates("search .", "cpe", "xmpp"), ["xmpp."]);
    // The default is the domain of the device's host name.
    assert_eq!(candidates("", "cpe.isp.test", "xmpp"), ["xmpp.isp.test.", "xmpp."]);
    assert_eq!(candidates("search a.test", "cpe.isp.test", "xmpp"), ["xmpp.a.test.", "xmpp."]);
    assert_eq!(candidates("domain (none)", "(none)", "xmpp"), ["xmpp."]);
    assert_eq!(candidates("", "cpe.matt's computer", "xmpp"), ["xmpp."]);
}

#[test]
fn a_scope_is_resolved_to_the_present_index() {
    let socket = |text| NameServer::parse(text).unwrap().socket();
    assert_eq!(socket("fe80::1%7").unwrap(), SocketAddrV6::new("fe80::1".parse().unwrap(), 53, 0, 7).into());
    assert!(socket("fe80::1%no-such-if").is_err());
    assert_eq!(socket("192.0.2.1").unwrap(), ([192, 0, 2, 1], 53).into());
    // As a kernel shows them.
    let addresses = "fe80000000000000025056fffe9ab00c 0e 40 20 80    br-lan
00000000000000000000000000000001 01 80 10 80       lo
20010db8000000000000000000000001 1f 40 00 80 eth0.2
";
    for (interface, index) in [("lo", Some(1)), ("br-lan", Some(14)), ("eth0.2", Some(31)), ("eth0", None), ("", None)]
    {
        assert_eq!(index_in(addresses, interface), index, "{interface}");
    }
    assert_eq!(index_in("x\n\n1 zz 1 1 1 lo\n", "lo"), None);
}
