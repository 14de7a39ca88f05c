//! Asks one name server one question: over UDP, and over TCP where the answer does not fit.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use hickory_proto::rr::Record;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

use super::message::{Failure, Question, Received};

/// The largest answer over UDP that is read, bytes. Without EDNS it is 512; servers that send more are read all the same.
const MAX_DATAGRAM: usize = 4096;

/// Returns the records of the answer, none where there are none. It takes as long as the server does: the caller limits it.
///
/// Each question goes out from a port of its own, which the kernel draws, under an id of its own.
///
/// # Errors
/// The server cannot be reached, or gives no answer that can be used.
pub(super) async fn exchange(server: SocketAddr, question: &Question) -> Result<Vec<Record>, Failure> {
    let id = rand::random();
    let message = question.encode(id)?;
    match by_udp(server, question, id, &message).await? {
        Received::Answer(records) => Ok(records),
        Received::Truncated(some) => match by_tcp(server, question, id, &message).await {
            // Better the records that did fit than none, where the server knows no TCP.
            Err(_) if !some.is_empty() => Ok(some),
            answer => answer,
        },
        Received::Failed(failure) => Err(failure),
        Received::Foreign => Err(Failure::Malformed),
    }
}

async fn by_udp(server: SocketAddr, question: &Question, id: u16, message: &[u8]) -> Result<Received, Failure> {
    let any: SocketAddr = match server {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any).await?;
    // Connected, so that the kernel drops what comes from anywhere else, and reports that no server listens there.
    socket.connect(server).await?;
    socket.send(message).await?;
    let mut buffer = vec![0; MAX_DATAGRAM];
    loop {
        let length = socket.recv(&mut buffer).await?;
        match question.decode(id, &buffer[..length]) {
            Received::Foreign => {}
            received => return Ok(received),
        }
    }
}

/// RFC 1035 4.2.2: each message follows its length.
async fn by_tcp(server: SocketAddr, question: &Question, id: u16, message: &[u8]) -> Result<Vec<Record>, Failure> {
    let mut stream = TcpStream::connect(server).await?;
    let length = u16::try_from(message.len()).map_err(|_| Failure::Malformed)?;
    stream.write_all(&[&length.to_be_bytes(), message].concat()).await?;
    let mut answer = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut answer).await?;
    match question.decode(id, &answer) {
        Received::Answer(records) => Ok(records),
        Received::Failed(failure) => Err(failure),
        Received::Truncated(_) | Received::Foreign => Err(Failure::Malformed),
    }
}
