//! The last step of an attempt: resumes the previous stream (XEP-0198 5), or binds a resource (RFC 6120 7).

use jid::FullJid;
use rand::RngExt as _;

use super::account::Account;
use super::attempt::{AttemptError, Cause, Step, limited, next_element};
use super::features::Features;
use super::incoming::{Element, IncomingIq, KnownElement};
use super::outgoing::{OutgoingIq, OutgoingPayload, Resume};
use super::payload::{IncomingPayload, KnownPayload};
use super::stream_management::Resumption;
use super::transport::Buffered;
use super::xml_stream::XmlStream;

/// How a session began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionStart {
    /// A resource was bound.
    Bound {
        /// The full JID that the server assigned.
        jid: FullJid,
        /// Whether the server offers stream management.
        manageable: bool,
    },
    /// The previous stream was resumed.
    Resumed {
        /// The number of our stanzas that the server has handled, modulo 2^32.
        handled: u32,
    },
}

/// Resumes the previous stream if possible, and binds a resource otherwise.
pub(super) async fn start_session(
    stream: &mut XmlStream<Buffered>,
    features: &Features,
    account: &Account,
    resumption: Option<Resumption>,
) -> Result<SessionStart, AttemptError> {
    if let Some(resumption) = resumption.filter(|_| features.stream_management)
        && let Some(handled) = limited(Step::Resume, resume(stream, &resumption)).await?
    {
        return Ok(SessionStart::Resumed { handled });
    }
    let jid = limited(Step::Bind, bind(stream, features, account)).await?;
    Ok(SessionStart::Bound { jid, manageable: features.stream_management })
}

/// Resumes a stream. Returns `None` if the server refuses, after which a resource may be bound on the same connection
/// (XEP-0198 5). Any other answer is an error: the two sides disagree on the state of the stream.
async fn resume(stream: &mut XmlStream<Buffered>, resumption: &Resumption) -> Result<Option<u32>, Cause> {
    let Resumption { previous, handled } = resumption;
    stream.queue(&Resume { h: *handled, previd: previous.clone() })?;
    match next_element(stream).await? {
        Element::Known(KnownElement::ManagementResumed { h, previd }) => {
            if previd.is_some_and(|id| id != *previous) {
                return Err(Cause::BadResumption("<resumed/> for another stream"));
            }
            let h = h.ok_or(Cause::BadResumption("<resumed/> without a count (h)"))?;
            h.parse().map(Some).map_err(|_| Cause::BadResumption("<resumed/> with a count (h) that is no number"))
        }
        Element::Known(KnownElement::ManagementFailed) => Ok(None),
        other => Err(Cause::unexpected("<resumed/> or <failed/>", &other)),
    }
}

/// Binds a resource. The server may assign another one than the requested.
async fn bind(stream: &mut XmlStream<Buffered>, features: &Features, account: &Account) -> Result<FullJid, Cause> {
    if !features.bind {
        return Err(Cause::NoBind);
    }
    let answer = request(stream, OutgoingPayload::Bind { resource: account.resource.clone() }).await?;
    let jid = match (answer.type_.as_deref(), answer.payloads.first) {
        (Some("result"), Some(IncomingPayload::Known(KnownPayload::Bind { jid: Some(jid) }))) => {
            FullJid::new(&jid).map_err(|_| Cause::BadJid)?
        }
        (Some("error"), payload) => return Err(Cause::BindRefused(condition(payload))),
        _ => return Err(Cause::BadJid),
    };
    // RFC 3921 3: without this request a server may deliver no stanzas, unless it has sent <optional/>.
    if features.session.is_some_and(|session| !session.optional) {
        let answer = request(stream, OutgoingPayload::Session).await?;
        if answer.type_.as_deref() != Some("result") {
            return Err(Cause::SessionRefused(condition(answer.payloads.first)));
        }
    }
    Ok(jid)
}

/// Sends a request to the server and waits for its answer.
async fn request(stream: &mut XmlStream<Buffered>, payload: OutgoingPayload) -> Result<IncomingIq, Cause> {
    let id = format!("{:016x}", rand::rng().random::<u64>());
    stream.queue(&OutgoingIq { type_: "set", id: Some(id.clone()), to: None, payload: vec![payload] })?;
    loop {
        if let Element::Known(KnownElement::Iq(iq)) = next_element(stream).await?
            && iq.id.as_deref() == Some(&id)
        {
            return Ok(iq);
        }
    }
}

fn condition(payload: Option<IncomingPayload>) -> String {
    match payload {
        Some(IncomingPayload::Known(KnownPayload::Error { condition, .. })) => condition.to_string(),
        _ => "undefined-condition".to_owned(),
    }
}
