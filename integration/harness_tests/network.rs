//! Tests of the network parts of the harness: ejabberd, the fault proxy, the DNS server and the scripted server.

use std::io::ErrorKind;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::time::timeout;

use crate::harness::{
    Dns, Ejabberd, Endpoint, FaultProxy, LIMIT, LoginCounts, RawClient, Record, ScriptedServer, Server, ServerOptions,
    until,
};

/// How long to wait for what must not happen. If it happened, it would at once.
const A_MOMENT: Duration = Duration::from_millis(200);

#[cfg(servers)]
#[tokio::test]
async fn a_restarted_ejabberd_keeps_accounts_but_no_sessions() {
    let mut ejabberd = Ejabberd::start(&["a.test"]).await;
    let cpe = ejabberd.raw_client("cpe@a.test/r").await;
    let port = ejabberd.wait_client("cpe@a.test/r", LIMIT).await;
    let bound = |bound| LoginCounts { bound, resumed: 0 };
    until("the log", LIMIT, || (ejabberd.login_counts("cpe@a.test/r") == bound(1)).then_some(())).await;
    ejabberd.kill().await;
    ejabberd.start_again().await;
    assert_eq!(ejabberd.client_port("cpe@a.test/r"), None);
    assert_eq!(ejabberd.login_counts("cpe@a.test/r"), bound(0));
    drop(cpe);
    let again = RawClient::login(ejabberd.account_of("cpe@a.test/r")).await;
    assert_ne!(ejabberd.wait_client("cpe@a.test/r", LIMIT).await, port);
    again.close().await;
    until("the end of the session", LIMIT, || ejabberd.client_port("cpe@a.test/r").is_none().then_some(())).await;
    assert!(ejabberd.stop().await.success());
}

#[cfg(servers)]
#[tokio::test]
async fn ejabberd_ends_a_kicked_session_and_waits_for_a_lost_one() {
    let ejabberd = Ejabberd::launch(&["a.test"], ServerOptions { smacks: true, ..ServerOptions::default() }).await;
    let mut kicked = ejabberd.raw_client("kicked@a.test/r").await;
    ejabberd.kick("kicked@a.test/r");
    kicked.expect("<stream:error>").await;
    let mut lost = ejabberd.raw_client("lost@a.test/r").await;
    lost.send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>").await;
    lost.expect("<enabled ").await;
    assert!(!ejabberd.hibernates("lost@a.test/r"));
    drop(lost);
    until("hibernation", LIMIT, || ejabberd.hibernates("lost@a.test/r").then_some(())).await;
}

/// Returns a client, and the server's side of its connection through a proxy.
async fn through_a_fault_proxy() -> (FaultProxy, TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = FaultProxy::to_port(listener.local_addr().unwrap().port()).await;
    let client = TcpStream::connect(proxy.address()).await.unwrap();
    let (server, _) = listener.accept().await.unwrap();
    (proxy, client, server)
}

async fn arrives(from: &mut TcpStream, to: &mut TcpStream, limit: Duration) -> bool {
    from.write_all(b"x").await.unwrap();
    timeout(limit, to.read_exact(&mut [0])).await.is_ok()
}

#[tokio::test]
async fn a_fault_proxy_stalls_and_resumes() {
    let (proxy, mut client, mut server) = through_a_fault_proxy().await;
    assert!(arrives(&mut client, &mut server, LIMIT).await);
    assert!(arrives(&mut server, &mut client, LIMIT).await);
    proxy.stall_client();
    assert!(!arrives(&mut client, &mut server, A_MOMENT).await);
    assert!(arrives(&mut server, &mut client, LIMIT).await);
    proxy.stall();
    assert!(!arrives(&mut server, &mut client, A_MOMENT).await);
    proxy.resume();
    server.read_exact(&mut [0]).await.unwrap();
    client.read_exact(&mut [0]).await.unwrap();
    assert_eq!(proxy.connections(), 1);
}

#[tokio::test]
async fn a_silent_fault_proxy_stalls_new_connections() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = FaultProxy::to_port(listener.local_addr().unwrap().port()).await;
    proxy.go_silent();
    let mut client = TcpStream::connect(proxy.address()).await.unwrap();
    let (mut server, _) = listener.accept().await.unwrap();
    assert!(!arrives(&mut client, &mut server, A_MOMENT).await);
    proxy.restore();
    server.read_exact(&mut [0]).await.unwrap();
    assert!(arrives(&mut server, &mut client, LIMIT).await);
}

#[tokio::test]
async fn a_fault_proxy_resets_closes_and_refuses() {
    let (proxy, mut client, mut server) = through_a_fault_proxy().await;
    proxy.reset_connections();
    assert_eq!(client.read(&mut [0]).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!(server.read(&mut [0]).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
    proxy.refuse_new();
    let mut refused = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(refused.read(&mut [0]).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!(proxy.connections(), 1);

    let (proxy, mut client, mut server) = through_a_fault_proxy().await;
    proxy.close_connections();
    assert_eq!((client.read(&mut [0]).await.unwrap(), server.read(&mut [0]).await.unwrap()), (0, 0));
}

/// Asks for the SRV records of `a.test`; gives the answer's code and how many records are in it.
async fn ask(dns: &Dns, limit: Duration) -> Option<(u8, u8)> {
    let mut question = vec![0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    question.extend(b"\x0c_xmpp-client\x04_tcp\x01a\x04test\0\0\x21\0\x01");
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.send_to(&question, (dns.address(), 53)).await.unwrap();
    let mut answer = [0; 512];
    timeout(limit, socket.recv(&mut answer)).await.ok()?.ok()?;
    assert_eq!(answer[..2], [0, 7]);
    Some((answer[3] & 0x0f, answer[7]))
}

#[cfg(servers)]
#[tokio::test]
async fn the_dns_server_answers_or_fails_or_is_silent() {
    let records = [10, 20].map(|priority| Record::starttls("a.test", "xmpp.a.test", 5222, priority, 0));
    let mut dns = Dns::start(&records).await;
    assert_eq!(ask(&dns, LIMIT).await, Some((0, 2)));
    dns.serve(&Record::no_service("a.test")).await;
    assert_eq!(ask(&dns, LIMIT).await, Some((0, 1)));
    dns.serve(&[]).await;
    assert_eq!(ask(&dns, LIMIT).await, Some((3, 0)), "NXDOMAIN");
    assert_eq!(dns.questions(), ["SRV _xmpp-client._tcp.a.test"; 3]);
    dns.fail().await;
    assert_eq!(ask(&dns, LIMIT).await, Some((2, 0)), "SERVFAIL");
    dns.be_silent().await;
    assert_eq!(ask(&dns, A_MOMENT).await, None);
    assert_eq!(dns.unanswered(), ["SRV _xmpp-client._tcp.a.test"; 2]);
    dns.serve(&records).await;
    assert_eq!(ask(&dns, LIMIT).await, Some((0, 2)));
}

#[tokio::test]
async fn a_scripted_server_records_how_far_the_client_came() {
    let script = ScriptedServer::start("a.test", |number, mut peer| async move {
        peer.expect("hello").await?;
        if number == 0 {
            peer.send("bye").await?;
        } else {
            peer.reset();
        }
        Ok(())
    })
    .await;
    let mut answer = String::new();
    let mut client = TcpStream::connect(("127.0.0.1", script.port())).await.unwrap();
    client.write_all(b"hello").await.unwrap();
    client.read_to_string(&mut answer).await.unwrap();
    assert_eq!((answer.as_str(), script.wait_finished(0, LIMIT).await.received.as_str()), ("bye", "hello"));

    let mut client = TcpStream::connect(("127.0.0.1", script.port())).await.unwrap();
    client.write_all(b"hello").await.unwrap();
    assert_eq!(client.read(&mut [0]).await.unwrap_err().kind(), ErrorKind::ConnectionReset);

    drop(TcpStream::connect(("127.0.0.1", script.port())).await.unwrap());
    let end = until("the third end", LIMIT, || script.seen().get(2).and_then(|seen| seen.end.clone())).await;
    assert!(end.unwrap_err().contains("\"hello\" was expected"));
}
