//! Sends a question to a name server: over UDP, and over TCP if the answer is truncated.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

use super::message::{DnsQuestion, NameServerError, Record, Response};

/// Maximum size of an answer over UDP, bytes. Without EDNS it is 512, but some servers send more.
const MAX_DATAGRAM: usize = 4096;

/// Returns the records of the answer, possibly none. The caller limits the time.
///
/// Each question is sent from a random port with a random id.
///
/// # Errors
/// The server cannot be reached, or sends no usable answer.
pub(super) async fn exchange(server: SocketAddr, question: &DnsQuestion) -> Result<Vec<Record>, NameServerError> {
    let id = rand::random();
    let message = question.encode(id);
    match by_udp(server, question, id, &message).await? {
        Response::Answer(records) => Ok(records),
        Response::Truncated(some) => match by_tcp(server, question, id, &message).await {
            // A server without TCP: the records that did fit are better than none.
            Err(_) if !some.is_empty() => Ok(some),
            answer => answer,
        },
        Response::Failed(error) => Err(error),
        Response::Foreign => Err(NameServerError::Malformed),
    }
}

async fn by_udp(
    server: SocketAddr,
    question: &DnsQuestion,
    id: u16,
    message: &[u8],
) -> Result<Response, NameServerError> {
    let any: SocketAddr = match server {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any).await?;
    // A connected socket receives from the server only, and reports that nothing listens there.
    socket.connect(server).await?;
    socket.send(message).await?;
    let mut buffer = vec![0; MAX_DATAGRAM];
    loop {
        let length = socket.recv(&mut buffer).await?;
        match question.decode(id, &buffer[..length]) {
            Response::Foreign => {}
            response => return Ok(response),
        }
    }
}

/// RFC 1035 4.2.2: each message follows its length.
async fn by_tcp(
    server: SocketAddr,
    question: &DnsQuestion,
    id: u16,
    message: &[u8],
) -> Result<Vec<Record>, NameServerError> {
    let mut stream = TcpStream::connect(server).await?;
    let length = u16::try_from(message.len()).map_err(|_| NameServerError::Malformed)?;
    stream.write_all(&[&length.to_be_bytes(), message].concat()).await?;
    let mut answer = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut answer).await?;
    match question.decode(id, &answer) {
        Response::Answer(records) => Ok(records),
        Response::Failed(error) => Err(error),
        Response::Truncated(_) | Response::Foreign => Err(NameServerError::Malformed),
    }
}
