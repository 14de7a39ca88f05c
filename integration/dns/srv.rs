//! The two SRV lookups, with all pairs of results (the table in `docs/connection.md`).

use std::fmt::Write as _;
use std::net::IpAddr;

use futures_util::future::join_all;
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;
use xmppd::xmpp::resolve::{Query, ResolveError, Resolver, resolve};

use crate::harness::name_server::Asked;
use crate::harness::{Dns, NameServer, Reply};

/// The result of a lookup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Answered,
    NxDomain,
    Empty,
    Dot,
    Refused,
    NotImp,
    ServFail,
    Silent,
}
use Form::{Answered, Dot, Empty, NotImp, NxDomain, Refused, ServFail, Silent};

const FORMS: [Form; 8] = [Answered, NxDomain, Empty, Dot, Refused, NotImp, ServFail, Silent];

impl Form {
    fn none(self) -> bool {
        matches!(self, NxDomain | Empty)
    }

    fn failed(self) -> bool {
        matches!(self, Refused | NotImp | ServFail | Silent)
    }
}

/// The domain for a pair.
fn domain(starttls: Form, direct: Form) -> String {
    format!("{starttls:?}-{direct:?}.test").to_lowercase()
}

/// The expected ports (1 STARTTLS, 2 direct TLS, 5222 the domain itself), or the expected error.
fn expected(starttls: Form, direct: Form) -> &'static str {
    match (starttls, direct) {
        (Answered, Answered) => "1 2",
        (Answered, _) => "1",
        (_, Answered) => "2",
        (Dot, direct) if direct.failed() => "direct TLS failed",
        (Dot, _) => "no service",
        (starttls, direct) if starttls.failed() && direct.failed() => "both failed",
        (starttls, direct) => {
            assert!(starttls.none() || direct.none() || direct == Dot);
            "5222"
        }
    }
}

async fn found(resolver: &Resolver, starttls: Form, direct: Form) -> String {
    let domain = domain(starttls, direct);
    let query = Query::Srv { domain: domain.clone(), use_tls: true };
    match resolve(query, resolver).await {
        Ok(servers) => {
            let mut ports: Vec<u16> = servers.iter().map(|server| server.target.port).collect();
            ports.sort_unstable();
            ports.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        }
        Err(ResolveError::NoService(_)) => "no service".to_owned(),
        Err(ResolveError::SrvFailed { .. }) => "both failed".to_owned(),
        Err(ResolveError::Failed { name, .. }) if name == format!("_xmpps-client._tcp.{domain}") => {
            "direct TLS failed".to_owned()
        }
        Err(other) => other.to_string(),
    }
}

/// Checks all pairs concurrently with this name server. It has 4 s for its answers, as it is asked more than a hundred
/// questions at once.
async fn check(forms: &[Form], name_server: IpAddr) {
    let directory = tempfile::tempdir().unwrap();
    let resolv_conf = directory.path().join("resolv.conf");
    std::fs::write(&resolv_conf, format!("nameserver {name_server}\noptions timeout:4 attempts:1\n")).unwrap();
    let resolver = Resolver::new(resolv_conf, "/nonexistent/hosts".into());
    let pairs: Vec<(Form, Form)> =
        forms.iter().flat_map(|&starttls| forms.iter().map(move |&direct| (starttls, direct))).collect();
    let all = join_all(pairs.iter().map(|&(starttls, direct)| found(&resolver, starttls, direct))).await;
    for ((starttls, direct), found) in pairs.into_iter().zip(all) {
        assert_eq!(found, expected(starttls, direct), "STARTTLS {starttls:?}, direct TLS {direct:?}");
    }
}

#[tokio::test]
async fn each_pair_of_results_gives_the_servers_of_the_table() {
    let reply = |asked: &Asked| {
        if asked.kind != RecordType::SRV {
            return if asked.kind == RecordType::A { Reply::address("127.0.0.1") } else { Reply::Empty };
        }
        let (service, domain) = asked.name.split_once("._tcp.").unwrap();
        let (starttls, direct) = domain.strip_suffix(".test").unwrap().split_once('-').unwrap();
        let (form, port) = if service == "_xmpp-client" { (starttls, 1) } else { (direct, 2) };
        match FORMS.into_iter().find(|known| format!("{known:?}").eq_ignore_ascii_case(form)).unwrap() {
            Answered => Reply::srv("xmpp.test.", port),
            NxDomain => Reply::NxDomain,
            Empty => Reply::Empty,
            Dot => Reply::srv(".", 0),
            Refused => Reply::Code(ResponseCode::Refused),
            NotImp => Reply::Code(ResponseCode::NotImp),
            ServFail => Reply::Code(ResponseCode::ServFail),
            Silent => Reply::Silent,
        }
    };
    let server = NameServer::start(reply).await;
    check(&FORMS, server.address()).await;
}

/// The results that dnsmasq can give: it refuses names without an upstream server, and is silent if that server is.
#[tokio::test]
async fn each_pair_of_results_of_dnsmasq_gives_the_servers_of_the_table() {
    const REAL: [Form; 6] = [Answered, NxDomain, Empty, Dot, Refused, Silent];
    let silent = NameServer::always(Reply::Silent).await;
    let mut lines = "local=/xmpp.test/\nhost-record=xmpp.test,127.0.0.1\n".to_owned();
    for starttls in REAL {
        for direct in REAL {
            let domain = domain(starttls, direct);
            // The domain's own name is local; its SRV names are local unless configured otherwise.
            let _ = writeln!(lines, "local=/{domain}/\nhost-record={domain},127.0.0.1");
            for (service, form, port) in [("_xmpp-client", starttls, 1), ("_xmpps-client", direct, 2)] {
                let name = format!("{service}._tcp.{domain}");
                let _ = match form {
                    Answered => writeln!(lines, "srv-host={name},xmpp.test,{port}"),
                    Empty => writeln!(lines, "txt-record={name},x"),
                    Dot => writeln!(lines, "srv-host={name}"),
                    Refused => writeln!(lines, "server=/{name}/#"),
                    Silent => writeln!(lines, "server=/{name}/{}", silent.address()),
                    _ => Ok(()),
                };
            }
        }
    }
    let dns = Dns::with_lines(&lines).await;
    check(&REAL, dns.address().into()).await;
}
