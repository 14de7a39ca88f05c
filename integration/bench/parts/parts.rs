//! Micro-benchmarks of the decisions and codecs, which need neither sockets nor time.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a tool for developers")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::hint::black_box;
use std::path::Path;

use bytes::BytesMut;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use jid::{FullJid, Jid};
use tokio::io::{BufReader, empty, join};
use tokio::runtime::Builder;
use xmppd::config::diff::diff;
use xmppd::config::load::load;
use xmppd::config::model::{ConnectionId, ConnectionSettings, General, Password, Settings};
use xmppd::config::uci;
use xmppd::cwmp::authorize::{History, Request, decide};
use xmppd::cwmp::credentials::Credentials;
use xmppd::document::Table;
use xmppd::ubus::message::{Attribute, Message, kind};
use xmppd::xmpp::incoming::{Element, KnownElement};
use xmppd::xmpp::servers::{Security, Target, order};
use xmppd::xmpp::stanza::{IqKind, ReplyTo, classify};
use xmppd::xmpp::xml_stream::{Received, XmlStream};

/// Numbers of connections.
const SIZES: [u32; 3] = [1, 100, 10_000];

/// A file with this many connections, each with its server row.
fn file(connections: u32) -> String {
    let mut text = String::from("config xmpp 'xmpp'\n\toption enable '1'\n\toption id '1'\n\n");
    for id in 1..=connections {
        let _ = write!(
            text,
            "config connection\n\toption con_inst '{id}'\n\toption enable '1'\n\toption username 'cpe{id}'\n\
             \toption password 'secret'\n\toption domain 'isp.example'\n\toption resource 'wan'\n\
             \toption serveralgorithm 'ServerTable'\n\n\
             config connection_server\n\toption con_id '{id}'\n\toption enable '1'\n\
             \toption server_address '192.0.2.1'\n\toption port '5222'\n\n"
        );
    }
    text
}

fn settings(text: &str) -> Settings {
    load(Path::new("xmpp"), text.as_bytes()).unwrap().settings
}

fn configuration(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("configuration");
    for size in SIZES {
        let text = file(size);
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_with_input(BenchmarkId::new("parse UCI", size), &text, |bencher, text| {
            bencher.iter(|| uci::parse(Path::new("xmpp"), black_box(text.as_bytes())).unwrap());
        });
        group.bench_with_input(BenchmarkId::new("parse and validate", size), &text, |bencher, text| {
            bencher.iter(|| load(Path::new("xmpp"), black_box(text.as_bytes())).unwrap());
        });
    }
    group.finish();
    let mut group = criterion.benchmark_group("diff of one edit");
    for size in SIZES {
        let before = settings(&file(size));
        let after = settings(&file(size).replacen("'wan'", "'lan'", 1));
        let running: BTreeMap<ConnectionId, ConnectionSettings> = before.connections.clone().into_iter().collect();
        assert_eq!(diff(&running, &before.general, &after).restart.len(), 1);
        group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
            bencher.iter(|| diff(black_box(&running), &before.general, black_box(&after)));
        });
    }
    group.finish();
}

const HEADER: &str =
    "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>";
const REQUEST: &str = "<iq type='get' id='q0123456789abcdef' from='acs@isp.example/r' to='cpe@isp.example/wan'>\
    <connectionRequest xmlns='urn:broadband-forum-org:cwmp:xmppConnReq-1-0'><username>cpe</username>\
    <password>secret</password></connectionRequest></iq>";

/// The answer to the first stanza after the header, as the actors find it.
fn answer(bytes: &[u8], general: &General, credentials: &Credentials, runtime: &tokio::runtime::Runtime) -> bool {
    runtime.block_on(async {
        let mut stream = XmlStream::new(join(BufReader::new(bytes), empty()));
        let Received::Header { .. } = stream.next().await.unwrap() else { panic!("no header") };
        let Received::Element(element) = stream.next().await.unwrap() else { panic!("no element") };
        let Element::Known(KnownElement::Iq(mut iq)) = *element else { panic!("no IQ") };
        let reply_to = ReplyTo::of(&iq);
        let IqKind::ConnectionRequest(given) = classify(&mut iq) else { panic!("no request") };
        let account = FullJid::new("cpe@isp.example/wan").unwrap().to_bare();
        let from = reply_to.from.clone();
        let request = Request { connection: ConnectionId(1), account, from, credentials: given };
        let now = tokio::time::Instant::now();
        let accepted = decide(general, Some(credentials), &mut History::default(), &request, false, now).is_ok();
        stream.queue(&reply_to.result()).unwrap();
        stream.flush().await.unwrap();
        accepted
    })
}

fn stanza(criterion: &mut Criterion) {
    let runtime = Builder::new_current_thread().build().unwrap();
    let secret = |text: &str| Password::from(text.to_owned());
    let credentials = Credentials { username: secret("cpe"), password: secret("secret") };
    let mut general = General { enable: true, ..General::default() };
    general.accepts_requests.extend([ConnectionId(1)]);
    general.allowed.push(Jid::new("acs@isp.example").unwrap());
    let bytes = format!("{HEADER}{REQUEST}");
    assert!(answer(bytes.as_bytes(), &general, &credentials, &runtime));
    criterion.bench_function("stream header and request to decision and reply", |bencher| {
        bencher.iter(|| answer(black_box(bytes.as_bytes()), &general, &credentials, &runtime));
    });
}

fn ubus(criterion: &mut Criterion) {
    let arguments = Table::new().with("event", "6 CONNECTION REQUEST");
    let attributes = vec![Attribute::Object(0x69), Attribute::Method("inform".to_owned()), Attribute::Data(arguments)];
    let message = Message::new(kind::INVOKE, 7, 0x69, attributes);
    let mut encoded = Vec::new();
    message.write(&mut encoded).unwrap();
    criterion.bench_function("ubus: encode a call", |bencher| {
        let mut out = Vec::new();
        bencher.iter(|| {
            out.clear();
            black_box(&message).write(&mut out).unwrap();
        });
    });
    criterion.bench_function("ubus: decode a call", |bencher| {
        bencher.iter(|| Message::take(&mut BytesMut::from(black_box(&encoded[..]))).unwrap());
    });
}

fn servers(criterion: &mut Criterion) {
    let target = |number: u16| Target {
        host: format!("xmpp{number}.isp.example"),
        port: 5222,
        security: Security::StartTls,
        priority: number / 4,
        weight: Some(number),
    };
    let targets: Vec<Target> = (0..16).map(target).collect();
    criterion.bench_function("order 16 servers by priority and weight", |bencher| {
        bencher.iter(|| order(black_box(targets.clone()), &mut rand::rng()));
    });
}

criterion_group!(parts, configuration, stanza, ubus, servers);
criterion_main!(parts);
