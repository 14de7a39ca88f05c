//! The last step of an attempt: resumes the previous stream (XEP-0198 5), or binds a resource (RFC 6120 7).

use jid::FullJid;
use rand::RngExt as _;

use super::connect::{Account, AttemptError, Cause, SessionStart, Step, limited};
use super::features::Features;
use super::incoming::{Element, Iq, Known};
use super::login::element;
use super::outgoing::{Iq as OutIq, Payload as OutPayload, Resume};
use super::payload::{Known as KnownPayload, Payload};
use super::stream_management::Resumption;
use super::transport::Buffered;
use super::xml_stream::XmlStream;

/// Resumes the previous stream where that is possible, and binds a resource otherwise.
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

/// Resumes a stream. None: the server refuses, and a resource may be bound on the same connection (XEP-0198 5). After
/// anything else than `<resumed/>` and `<failed/>` the two sides do not agree on the stream's state, and the standard knows
/// no way on: the connection is left.
async fn resume(stream: &mut XmlStream<Buffered>, resumption: &Resumption) -> Result<Option<u32>, Cause> {
    let Resumption { previous, handled } = resumption;
    stream.queue(&Resume { h: *handled, previd: previous.clone() })?;
    match element(stream).await? {
        Element::Known(Known::ManagementResumed { h, previd }) => {
            if previd.is_some_and(|id| id != *previous) {
                return Err(Cause::BadResumption("<resumed/> for another stream"));
            }
            let h = h.ok_or(Cause::BadResumption("<resumed/> without a count (h)"))?;
            h.parse().map(Some).map_err(|_| Cause::BadResumption("<resumed/> with a count (h) that is no number"))
        }
        Element::Known(Known::ManagementFailed) => Ok(None),
        other => Err(Cause::unexpected("<resumed/> or <failed/>", &other)),
    }
}

/// Binds a resource. The JID that the server gives is ours, whatever was asked for.
async fn bind(stream: &mut XmlStream<Buffered>, features: &Features, account: &Account) -> Result<FullJid, Cause> {
    if !features.bind {
        return Err(Cause::NoBind);
    }
    let answer = request(stream, OutPayload::Bind { resource: account.resource.clone() }).await?;
    let jid = match (answer.type_.as_deref(), answer.payloads.first) {
        (Some("result"), Some(Payload::Known(KnownPayload::Bind { jid: Some(jid) }))) => {
            FullJid::new(&jid).map_err(|_| Cause::BadJid)?
        }
        (Some("error"), payload) => return Err(Cause::BindRefused(condition(payload))),
        _ => return Err(Cause::BadJid),
    };
    // RFC 3921 3: a server may deliver nothing before. One that does without says so with <optional/>.
    if features.session.is_some_and(|session| !session.optional) {
        let answer = request(stream, OutPayload::Session).await?;
        if answer.type_.as_deref() != Some("result") {
            return Err(Cause::SessionRefused(condition(answer.payloads.first)));
        }
    }
    Ok(jid)
}

/// Sends a request to the server and waits for its answer.
async fn request(stream: &mut XmlStream<Buffered>, payload: OutPayload) -> Result<Iq, Cause> {
    let id = format!("{:016x}", rand::rng().random::<u64>());
    stream.queue(&OutIq { type_: "set", id: Some(id.clone()), to: None, payload: vec![payload] })?;
    loop {
        if let Element::Known(Known::Iq(iq)) = element(stream).await?
            && iq.id.as_deref() == Some(&id)
        {
            return Ok(iq);
        }
    }
}

fn condition(payload: Option<Payload>) -> String {
    match payload {
        Some(Payload::Known(KnownPayload::Error { condition, .. })) => condition.to_string(),
        _ => "undefined-condition".to_owned(),
    }
}
