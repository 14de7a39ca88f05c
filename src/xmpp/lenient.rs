//! Reads elements that may be unknown or invalid: these are skipped, and are no error.

use xso::error::{Error, FromEventsError};
use xso::exports::rxml;
use xso::fromxml::Discard;
use xso::{Context, FromEventsBuilder, FromXml};

/// An element that may be one of `K`.
#[derive(Debug)]
pub enum Lenient<K> {
    /// An element of `K`.
    Known(K),
    /// Any other element, or one of `K` with invalid content: skipped.
    Unknown,
}

impl<K: FromXml> FromXml for Lenient<K> {
    type Builder = LenientBuilder<K>;

    fn from_events(
        name: rxml::QName,
        attrs: rxml::AttrMap,
        ctx: &Context<'_>,
    ) -> Result<Self::Builder, FromEventsError> {
        match <Result<K, Error> as FromXml>::from_events(name, attrs, ctx) {
            Ok(builder) => Ok(LenientBuilder::Known(Box::new(builder))),
            Err(_) => Ok(LenientBuilder::Unknown(Discard::new())),
        }
    }
}

/// Builds a [`Lenient`] from XML events.
pub enum LenientBuilder<K: FromXml> {
    /// An element whose name is known.
    Known(Box<<Result<K, Error> as FromXml>::Builder>),
    /// An element that is skipped.
    Unknown(Discard),
}

impl<K: FromXml> FromEventsBuilder for LenientBuilder<K> {
    type Output = Lenient<K>;

    fn feed(&mut self, event: rxml::Event, ctx: &Context<'_>) -> Result<Option<Lenient<K>>, Error> {
        Ok(match self {
            Self::Known(builder) => builder.feed(event, ctx)?.map(|read| read.map_or(Lenient::Unknown, Lenient::Known)),
            Self::Unknown(discard) => discard.feed(event, ctx)?.map(|()| Lenient::Unknown),
        })
    }
}
