//! A bus with a CWMP client on it that answers at once: one thread in place of `ubusd` and the client, so that what is
//! measured is xmppd's part.

use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use bytes::BytesMut;
use xmppd::document::Table;
use xmppd::ubus::StatusCode;
use xmppd::ubus::message::{Attribute, Message, kind};

/// The id of `tr069`.
const CWMP_CLIENT: u32 = 0x69;
/// The ids of the objects that xmppd adds.
const FIRST_ADDED: u32 = 0x1000;

/// Serves one client at this path, until it disconnects.
pub fn serve(path: &Path) {
    let listener = UnixListener::bind(path).unwrap();
    std::thread::spawn(move || {
        if let Ok((stream, _)) = listener.accept() {
            // xmppd is killed at the end of a measurement.
            let _ = answer(stream);
        }
    });
}

fn answer(mut stream: UnixStream) -> std::io::Result<()> {
    let mut out = Vec::new();
    push(&mut out, &Message::new(kind::HELLO, 0, 7, Vec::new()));
    let mut input = BytesMut::new();
    let mut buffer = [0; 4096];
    loop {
        stream.write_all(&out)?;
        out.clear();
        let read = stream.read(&mut buffer)?;
        if read == 0 {
            return Ok(());
        }
        input.extend_from_slice(&buffer[..read]);
        while let Some(message) = Message::take(&mut input).expect("a message") {
            reply(&message, &mut out);
        }
    }
}

fn reply(request: &Message, out: &mut Vec<u8>) {
    let data = match request.kind {
        kind::ADD_OBJECT => vec![Attribute::Object(FIRST_ADDED + u32::from(request.seq))],
        kind::LOOKUP => vec![Attribute::Path("tr069".to_owned()), Attribute::Object(CWMP_CLIENT)],
        kind::INVOKE if request.peer == CWMP_CLIENT => {
            let answer = Table::new().with("status", 1_i64).with("info", "Session started");
            vec![Attribute::Object(CWMP_CLIENT), Attribute::Data(answer)]
        }
        kind::INVOKE => Vec::new(),
        _ => return,
    };
    if !data.is_empty() {
        push(out, &Message::new(kind::DATA, request.seq, request.peer, data));
    }
    let status = vec![Attribute::Status(StatusCode::OK), Attribute::Object(request.peer)];
    push(out, &Message::new(kind::STATUS, request.seq, request.peer, status));
}

fn push(out: &mut Vec<u8>, message: &Message) {
    message.write(out).expect("a short message");
}
