//! The last step of an attempt: resumes the previous stream (XEP-0198 5) or binds a resource (RFC 6120 7).

use jid::FullJid;
use rand::RngExt as _;

use super::connect::{Account, Cause, SessionStart};
use super::incoming::{Element, Features, Known};
use super::login::element;
use super::outgoing::{Iq, Payload as OutPayload, Resume};
use super::payload::{Known as KnownPayload, Payload};
use super::stream_management::Resumption;
use super::transport::Buffered;
use super::xml_stream::XmlStream;

/// Resumes the stream before if that is possible, and binds a resource otherwise.
pub(super) async fn start_session(
    stream: &mut XmlStream<Buffered>,
    features: &Features,
    account: &Account,
    resumption: Option<Resumption>,
) -> Result<SessionStart, Cause> {
    let manageable = features.stream_management.is_some();
    if let Some(resumption) = resumption.filter(|_| manageable)
        && let Some(handled) = resume(stream, resumption).await?
    {
        return Ok(SessionStart::Resumed { handled });
    }
    let jid = bind(stream, features, account).await?;
    Ok(SessionStart::Bound { jid, manageable })
}

/// Resumes a stream (XEP-0198 5). None: the server no longer knows it.
async fn resume(stream: &mut XmlStream<Buffered>, resumption: Resumption) -> Result<Option<u32>, Cause> {
    let Resumption { previous, handled } = resumption;
    stream.queue(&Resume { h: handled, previd: previous.clone() })?;
    match element(stream).await? {
        Element::Known(Known::ManagementResumed { h, previd }) if previd.as_ref().is_none_or(|id| *id == previous) => {
            Ok(Some(h))
        }
        Element::Known(Known::ManagementFailed) => Ok(None),
        _ => Err(Cause::Unexpected("an answer to the request to resume the stream")),
    }
}

/// Resource binding (RFC 6120 7). The JID that the server gives is ours, whatever was asked for.
async fn bind(stream: &mut XmlStream<Buffered>, features: &Features, account: &Account) -> Result<FullJid, Cause> {
    if features.bind.is_none() {
        return Err(Cause::Unexpected("the feature bind"));
    }
    let request = format!("{:016x}", rand::rng().random::<u64>());
    stream.queue(&Iq {
        type_: "set",
        id: Some(request.clone()),
        to: None,
        payload: vec![OutPayload::Bind { resource: account.resource.clone() }],
    })?;
    loop {
        let Element::Known(Known::Iq(iq)) = element(stream).await? else { continue };
        if iq.id.as_deref() != Some(&request) {
            continue;
        }
        return match (iq.type_.as_deref(), iq.payloads.first) {
            (Some("result"), Some(Payload::Known(KnownPayload::Bind { jid: Some(jid) }))) => {
                FullJid::new(&jid).map_err(|_| Cause::Unexpected("a full JID"))
            }
            (Some("error"), payload) => Err(Cause::BindRefused(match payload {
                Some(Payload::Known(KnownPayload::Error { condition, .. })) => condition.to_string(),
                _ => "undefined-condition".to_owned(),
            })),
            _ => Err(Cause::Unexpected("the bound JID")),
        };
    }
}
