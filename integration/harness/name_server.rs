//! A scripted name server, for answers that a real one cannot be configured to give.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use hickory_proto::op::{Message, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, SRV};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

use super::dns::own_address;

/// The answer to a question.
#[derive(Debug, Clone)]
pub enum Reply {
    /// These records, for the name of the question.
    Records(Vec<RData>),
    /// The name does not exist.
    NxDomain,
    /// The name has no such record.
    Empty,
    /// Another response code.
    Code(ResponseCode),
    /// Another response code, in a message without the question.
    BareCode(ResponseCode),
    /// No answer.
    Silent,
}

impl Reply {
    /// An SRV record.
    pub fn srv(target: &str, port: u16) -> Self {
        Self::Records(vec![RData::SRV(SRV::new(0, 0, port, Name::from_ascii(target).unwrap()))])
    }

    /// An A or AAAA record.
    pub fn address(address: &str) -> Self {
        Self::Records(vec![match address.parse().unwrap() {
            IpAddr::V4(address) => RData::A(A(address)),
            IpAddr::V6(address) => RData::AAAA(AAAA(address)),
        }])
    }
}

/// A question.
#[derive(Debug, Clone)]
pub struct Asked {
    /// SRV, A, AAAA
    pub kind: RecordType,
    /// Lower case, without the trailing dot.
    pub name: String,
    /// Whether it uses EDNS.
    pub edns: bool,
}

/// A scripted name server. It stops when dropped.
pub struct NameServer {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl NameServer {
    /// A server that answers as the script says.
    pub async fn start(script: impl Fn(&Asked) -> Reply + Send + 'static) -> Self {
        Self::start_at((own_address(), 53).into(), script).await
    }

    /// The same at an address of the test's choice.
    pub async fn start_at(address: SocketAddr, script: impl Fn(&Asked) -> Reply + Send + 'static) -> Self {
        let socket = UdpSocket::bind(address).await.unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let list = Arc::clone(&asked);
        let task = tokio::spawn(async move {
            let mut buffer = [0; 1500];
            while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
                let question = Message::from_vec(&buffer[..length]).expect("a DNS message");
                let query = &question.queries[0];
                let name = query.name().to_lowercase().to_ascii().trim_end_matches('.').to_owned();
                list.lock().unwrap().push(format!("{} {name}", query.query_type()));
                let asked = Asked { kind: query.query_type(), name, edns: question.edns.is_some() };
                if let Some(answer) = answer(question.metadata.id, query, script(&asked)) {
                    let _ = socket.send_to(&answer.to_vec().unwrap(), from).await;
                }
            }
        });
        Self { address, asked, task }
    }

    /// Starts a server that gives the same answer to all questions.
    pub async fn always(reply: Reply) -> Self {
        Self::start(move |_| reply.clone()).await
    }

    /// Stops it and frees its address.
    pub async fn stop(mut self) {
        self.task.abort();
        let _ = (&mut self.task).await;
    }

    /// Its address, on port 53.
    pub fn address(&self) -> IpAddr {
        self.address.ip()
    }

    /// The questions so far, as `TYPE NAME`.
    pub fn questions(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn answer(id: u16, query: &Query, reply: Reply) -> Option<Message> {
    let mut message = Message::response(id, OpCode::Query);
    message.metadata.recursion_desired = true;
    message.metadata.recursion_available = true;
    message.queries.push(query.clone());
    match reply {
        Reply::Silent => return None,
        Reply::Empty => {}
        Reply::NxDomain => message.metadata.response_code = ResponseCode::NXDomain,
        Reply::Code(code) => message.metadata.response_code = code,
        Reply::BareCode(code) => {
            message.metadata.response_code = code;
            message.queries.clear();
        }
        Reply::Records(records) => {
            let record = |data| Record::from_rdata(query.name().clone(), 0, data);
            message.answers = records.into_iter().map(record).collect();
        }
    }
    Some(message)
}
