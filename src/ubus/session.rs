//! What is said on one connection to `ubusd`, without I/O: messages in, messages out.

use std::collections::HashMap;

use super::attribute::Malformed;
use super::blobmsg::{INT32, STRING};
use super::call::{Call, CallError, MAX_CALLS};
use super::message::{Attribute, Message, kind};
use super::object::Object;
use super::status::StatusCode;
use crate::document::{Table, Value};

/// The system's own object.
const SYSTEM: u32 = 1;

/// The event that announces a new object.
const OBJECT_ADDED: &str = "ubus.object.add";

/// How much data one call may be answered with. The answers that are of interest here are far shorter.
const MAX_REPLY_ENTRIES: usize = 256;

/// A request of ours that has not been answered with a status.
enum PendingRequest {
    /// Adds the object.
    Publish,
    /// Adds the object without a path that receives events.
    Listen,
    Lookup {
        call: Call,
        found: Option<u32>,
    },
    Invoke {
        call: Call,
        object: u32,
        /// The object's id is from an earlier lookup, and may be out of date.
        cached: bool,
        replies: Vec<Table>,
        unreadable: Option<CallError>,
    },
}

/// A request of a peer for our object.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct IncomingCall {
    pub(super) method: String,
    pub(super) arguments: Result<Table, Malformed>,
    pub(super) answer_to: AnswerTo,
}

/// Whom an answer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AnswerTo {
    seq: u16,
    peer: u32,
    object: u32,
    no_reply: bool,
}

/// What a message leads to, beside what it makes us send.
#[derive(Debug, PartialEq)]
pub(super) enum Effect {
    Invoked(IncomingCall),
    Published,
    PublishRefused(StatusCode),
}

/// One connection that was greeted.
pub(super) struct BusSession {
    object: Object,
    object_id: Option<u32>,
    listener: Option<u32>,
    last_seq: u16,
    requests: HashMap<u16, PendingRequest>,
    /// Ids of objects that were looked up, by path.
    known: HashMap<String, u32>,
    /// What is to be written.
    pub(super) out: Vec<u8>,
}

impl BusSession {
    /// A connection whose HELLO has come: publishes the object and listens for objects that are added.
    pub(super) fn new(object: Object) -> Self {
        let mut session = Self {
            object,
            object_id: None,
            listener: None,
            last_seq: 0,
            requests: HashMap::new(),
            known: HashMap::new(),
            out: Vec::new(),
        };
        session.publish();
        session.request(kind::ADD_OBJECT, 0, Vec::new(), PendingRequest::Listen);
        session
    }

    /// Adds the object, also again where that was refused.
    pub(super) fn publish(&mut self) {
        let attributes =
            vec![Attribute::Path(self.object.path.to_owned()), Attribute::Signature(signature(self.object))];
        self.request(kind::ADD_OBJECT, 0, attributes, PendingRequest::Publish);
    }

    /// Starts a call. It fails at once where too many are under way.
    pub(super) fn call(&mut self, call: Call) {
        self.requests.retain(|_, request| match request {
            PendingRequest::Lookup { call, .. } | PendingRequest::Invoke { call, .. } => !call.outcome.is_closed(),
            PendingRequest::Publish | PendingRequest::Listen => true,
        });
        let under_way = self
            .requests
            .values()
            .filter(|request| !matches!(request, PendingRequest::Publish | PendingRequest::Listen));
        if under_way.count() >= MAX_CALLS {
            return call.end(Err(CallError::Busy));
        }
        match self.known.get(&call.path) {
            Some(&object) => self.invoke(call, object, true),
            None => self.look_up(call),
        }
    }

    /// Sends an event to all who have registered for it. There is nothing to be done about a failure.
    pub(super) fn event(&mut self, id: &str, data: Table) {
        let arguments = Table::new().with("id", id).with("data", data);
        self.invoke_system("send", arguments);
    }

    /// Answers a request for our object; an empty table with a status alone.
    pub(super) fn answer(&mut self, to: AnswerTo, answer: Result<Table, StatusCode>) {
        let AnswerTo { seq, peer, object, no_reply } = to;
        if no_reply {
            return;
        }
        let id = Attribute::Object(object);
        let status = match answer {
            Ok(table) if table.entries().len() == 0 => StatusCode::OK,
            Ok(table) => {
                let data = Message::new(kind::DATA, seq, peer, vec![id.clone(), Attribute::Data(table)]);
                match data.write(&mut self.out) {
                    Ok(()) => StatusCode::OK,
                    Err(_) => StatusCode::NO_MEMORY,
                }
            }
            Err(status) => status,
        };
        self.send(&Message::new(kind::STATUS, seq, peer, vec![Attribute::Status(status), id]));
    }

    /// Takes a message from `ubusd`. What nothing here waits for is skipped.
    pub(super) fn receive(&mut self, message: Message) -> Option<Effect> {
        match message.kind {
            kind::DATA => {
                self.receive_data(message);
                None
            }
            kind::STATUS => self.receive_status(&message),
            kind::INVOKE => self.receive_invoke(message),
            _ => None,
        }
    }

    /// Ends all calls that are under way.
    pub(super) fn fail_all(self, error: &CallError) {
        for request in self.requests.into_values() {
            if let PendingRequest::Lookup { call, .. } | PendingRequest::Invoke { call, .. } = request {
                call.end(Err(error.clone()));
            }
        }
    }

    fn receive_data(&mut self, message: Message) {
        match self.requests.get_mut(&message.seq) {
            Some(PendingRequest::Publish) => self.object_id = message.object(),
            Some(PendingRequest::Listen) => self.listener = message.object(),
            Some(PendingRequest::Lookup { call, found }) if message.path() == Some(call.path.as_str()) => {
                *found = message.object();
            }
            Some(PendingRequest::Invoke { object, replies, unreadable, .. }) if message.peer == *object => {
                match message.into_data() {
                    Ok(table) if entries(&table) + replies.iter().map(entries).sum::<usize>() > MAX_REPLY_ENTRIES => {
                        *unreadable = Some(CallError::TooMuch);
                    }
                    // An empty table takes room as well.
                    Ok(_) if replies.len() >= MAX_REPLY_ENTRIES => *unreadable = Some(CallError::TooMuch),
                    Ok(table) => replies.push(table),
                    Err(error) => *unreadable = Some(CallError::Unreadable(error)),
                }
            }
            _ => {}
        }
    }

    fn receive_status(&mut self, message: &Message) -> Option<Effect> {
        let status = message.status()?;
        let accepted = status == StatusCode::OK;
        if let Some(PendingRequest::Invoke { object, .. }) = self.requests.get(&message.seq)
            && message.peer != *object
        {
            return None;
        }
        match self.requests.remove(&message.seq)? {
            PendingRequest::Publish if accepted => return Some(Effect::Published),
            PendingRequest::Publish => return Some(Effect::PublishRefused(status)),
            PendingRequest::Listen => {
                if let Some(listener) = self.listener {
                    let arguments = Table::new().with("object", id_value(listener)).with("pattern", OBJECT_ADDED);
                    self.invoke_system("register", arguments);
                }
            }
            PendingRequest::Lookup { call, found: Some(object) } if accepted => {
                self.known.insert(call.path.clone(), object);
                self.invoke(call, object, false);
            }
            PendingRequest::Lookup { call, .. } if accepted || status == StatusCode::NOT_FOUND => {
                let path = call.path.clone();
                call.end(Err(CallError::NoObject(path)));
            }
            PendingRequest::Lookup { call, .. } => call.end(Err(CallError::Status(status))),
            PendingRequest::Invoke { call, cached: true, .. } if status == StatusCode::NOT_FOUND => {
                self.known.remove(&call.path);
                self.look_up(call);
            }
            PendingRequest::Invoke { call, replies, unreadable, .. } => {
                if status == StatusCode::NOT_FOUND {
                    self.known.remove(&call.path);
                }
                call.end(match (accepted, unreadable) {
                    (false, _) => Err(CallError::Status(status)),
                    (true, Some(error)) => Err(error),
                    (true, None) => Ok(replies),
                });
            }
        }
        None
    }

    fn receive_invoke(&mut self, message: Message) -> Option<Effect> {
        let object = message.object();
        if object.is_some() && object == self.listener {
            if message.method() == Some(OBJECT_ADDED) {
                self.object_added(&message.into_data().ok()?);
            }
            return None;
        }
        let answer_to =
            AnswerTo { seq: message.seq, peer: message.peer, object: object?, no_reply: message.no_reply() };
        if object != self.object_id {
            self.answer(answer_to, Err(StatusCode::NOT_FOUND));
            return None;
        }
        let Some(method) = message.method().map(str::to_owned) else {
            self.answer(answer_to, Err(StatusCode::INVALID_ARGUMENT));
            return None;
        };
        Some(Effect::Invoked(IncomingCall { method, arguments: message.into_data(), answer_to }))
    }

    /// An object that was looked up has come back: its old id is no longer valid.
    fn object_added(&mut self, event: &Table) {
        let (Some(path), Some(id)) = (event.get("path").and_then(Value::text), event.get("id")) else { return };
        if let (Some(known), Some(id)) = (self.known.get_mut(path), id_of(id)) {
            *known = id;
        }
    }

    fn look_up(&mut self, call: Call) {
        let attributes = vec![Attribute::Path(call.path.clone())];
        self.request(kind::LOOKUP, 0, attributes, PendingRequest::Lookup { call, found: None });
    }

    fn invoke(&mut self, call: Call, object: u32, cached: bool) {
        let attributes = invoke_attributes(object, &call.method, call.arguments.clone());
        let request = PendingRequest::Invoke { call, object, cached, replies: Vec::new(), unreadable: None };
        self.request(kind::INVOKE, object, attributes, request);
    }

    /// Calls a method of the system's object; its answer is not waited for.
    fn invoke_system(&mut self, method: &str, arguments: Table) {
        let seq = self.next_seq();
        self.send(&Message::new(kind::INVOKE, seq, SYSTEM, invoke_attributes(SYSTEM, method, arguments)));
    }

    fn request(&mut self, kind: u8, peer: u32, attributes: Vec<Attribute>, request: PendingRequest) {
        let seq = self.next_seq();
        self.send(&Message::new(kind, seq, peer, attributes));
        self.requests.insert(seq, request);
    }

    /// The next number that no request has.
    fn next_seq(&mut self) -> u16 {
        loop {
            self.last_seq = self.last_seq.wrapping_add(1);
            if !self.requests.contains_key(&self.last_seq) {
                return self.last_seq;
            }
        }
    }

    /// What is too long for a message is not sent; a call then fails by its time limit.
    fn send(&mut self, message: &Message) {
        if let Err(error) = message.write(&mut self.out) {
            tracing::warn!("ubus: message not sent: {error}");
        }
    }
}

/// How many values a table holds, nested ones included. The recursion is as deep as the decoder lets values be.
fn entries(table: &Table) -> usize {
    fn count(value: &Value) -> usize {
        1 + match value {
            Value::Array(items) => items.iter().map(count).sum(),
            Value::Table(table) => entries(table),
            Value::Text(text) => text.len() / 64,
            _ => 0,
        }
    }
    table.entries().map(|(name, value)| name.len() / 64 + count(value)).sum()
}

fn invoke_attributes(object: u32, method: &str, arguments: Table) -> Vec<Attribute> {
    vec![Attribute::Object(object), Attribute::Method(method.to_owned()), Attribute::Data(arguments)]
}

/// Ids are unsigned, and go as signed numbers.
fn id_value(id: u32) -> Value {
    Value::Int32(id.cast_signed())
}

fn id_of(value: &Value) -> Option<u32> {
    match value {
        Value::Int32(id) => Some(id.cast_unsigned()),
        _ => None,
    }
}

/// The methods of an object with the types of their arguments.
fn signature(object: Object) -> Table {
    let mut signature = Table::new();
    for method in object.methods {
        let mut arguments = Table::new();
        for (name, is_number) in method.arguments {
            arguments.push((*name).to_owned(), Value::Int32((if *is_number { INT32 } else { STRING }).into()));
        }
        signature.push(method.name.to_owned(), arguments);
    }
    signature
}

#[cfg(test)]
mod tests;
