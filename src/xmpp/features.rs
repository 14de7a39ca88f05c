//! `<stream:features/>` (RFC 6120 4.3.2). Unknown features are skipped; the first of a repeated one counts.
#![allow(clippy::option_option, reason = "in the expanded code of xso's derive")]

use std::marker::PhantomData;

use xso::FromXml;

use super::lenient::Lenient;
use super::ns;

/// `<stream:features/>`
#[derive(FromXml, Debug)]
#[xml(namespace = ns::STREAM, name = "features", discard(text), on_unknown_attribute = Discard, on_unknown_child = Discard)]
pub struct StreamFeatures {
    /// The features that xmppd understands.
    #[xml(child(n = ..))]
    pub features: Features,
}

/// The features that xmppd understands.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Features {
    /// STARTTLS, if offered.
    pub starttls: Option<StartTlsFeature>,
    /// The names of the SASL mechanisms.
    pub mechanisms: Vec<String>,
    /// The names of the supported channel bindings (XEP-0440), such as `tls-exporter`; `None` without a list.
    pub channel_bindings: Option<Vec<String>>,
    /// Whether resource binding is offered.
    pub bind: bool,
    /// The session request of RFC 3921, if offered.
    pub session: Option<SessionFeature>,
    /// Whether stream management is offered (XEP-0198).
    pub stream_management: bool,
}

/// STARTTLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StartTlsFeature {
    /// Whether the server requires TLS (RFC 6120 5.3.1).
    pub required: bool,
}

/// The session request of RFC 3921.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionFeature {
    /// Whether the server delivers stanzas without the request as well.
    pub optional: bool,
}

impl Extend<Lenient<Feature>> for Features {
    fn extend<I: IntoIterator<Item = Lenient<Feature>>>(&mut self, features: I) {
        for feature in features {
            let Lenient::Known(feature) = feature else { continue };
            match feature {
                Feature::StartTls { required } => {
                    _ = self.starttls.get_or_insert(StartTlsFeature { required: required.0 });
                }
                Feature::Mechanisms { mechanisms } => {
                    self.mechanisms.extend(mechanisms.into_iter().map(|mechanism| mechanism.name));
                }
                Feature::ChannelBindings { types } => {
                    let types = types.into_iter().filter_map(|binding| binding.type_);
                    self.channel_bindings.get_or_insert_with(|| types.collect());
                }
                Feature::Bind => self.bind = true,
                Feature::Session { optional } => {
                    _ = self.session.get_or_insert(SessionFeature { optional: optional.0 });
                }
                Feature::StreamManagement => self.stream_management = true,
            }
        }
    }
}

impl IntoIterator for Features {
    type Item = Lenient<Feature>;
    type IntoIter = std::iter::Empty<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        std::iter::empty()
    }
}

/// One feature.
#[derive(FromXml, Debug)]
#[xml()]
pub enum Feature {
    /// RFC 6120 5.4.1
    #[xml(namespace = ns::TLS, name = "starttls", discard(text), on_unknown_attribute = Discard, on_unknown_child = Discard)]
    StartTls {
        /// `<required/>`
        #[xml(child(n = ..))]
        required: IsPresent<Required>,
    },
    /// RFC 6120 6.4.1
    #[xml(namespace = ns::SASL, name = "mechanisms", discard(text), on_unknown_attribute = Discard, on_unknown_child = Discard)]
    Mechanisms {
        /// `<mechanism/>`
        #[xml(child(n = ..))]
        mechanisms: Vec<MechanismName>,
    },
    /// XEP-0440
    #[xml(namespace = ns::SASL_CHANNEL_BINDING, name = "sasl-channel-binding", discard(text), on_unknown_attribute = Discard, on_unknown_child = Discard)]
    ChannelBindings {
        /// `<channel-binding/>`
        #[xml(child(n = ..))]
        types: Vec<ChannelBinding>,
    },
    /// RFC 6120 7.4
    #[xml(namespace = ns::BIND, name = "bind", discard(text), on_unknown_attribute = Discard, on_unknown_child = Discard)]
    Bind,
    /// RFC 3921 3, and `<optional/>` of draft-cridland-xmpp-session
    #[xml(namespace = ns::SESSION, name = "session", discard(text), on_unknown_attribute = Discard, on_unknown_child = Discard)]
    Session {
        /// `<optional/>`
        #[xml(child(n = ..))]
        optional: IsPresent<Optional>,
    },
    /// XEP-0198
    #[xml(namespace = ns::STREAM_MANAGEMENT, name = "sm", discard(text), on_unknown_attribute = Discard, on_unknown_child = Discard)]
    StreamManagement,
}

/// `<required/>` of STARTTLS.
#[derive(FromXml, Debug)]
#[xml(namespace = ns::TLS, name = "required", discard(text), on_unknown_attribute = Discard, on_unknown_child = Discard)]
pub struct Required;

/// `<optional/>` of the session.
#[derive(FromXml, Debug)]
#[xml(namespace = ns::SESSION, name = "optional", discard(text), on_unknown_attribute = Discard, on_unknown_child = Discard)]
pub struct Optional;

/// The name of a SASL mechanism (RFC 4422).
#[derive(FromXml, Debug)]
#[xml(namespace = ns::SASL, name = "mechanism", on_unknown_attribute = Discard, on_unknown_child = Discard)]
pub struct MechanismName {
    #[xml(text)]
    name: String,
}

/// The type of a channel binding.
#[derive(FromXml, Debug)]
#[xml(namespace = ns::SASL_CHANNEL_BINDING, name = "channel-binding", discard(text), on_unknown_attribute = Discard, on_unknown_child = Discard)]
pub struct ChannelBinding {
    #[xml(attribute(name = "type", default))]
    type_: Option<String>,
}

/// Whether a child element of type `T` is present.
#[derive(Debug)]
pub struct IsPresent<T>(bool, PhantomData<T>);

impl<T> Default for IsPresent<T> {
    fn default() -> Self {
        Self(false, PhantomData)
    }
}

impl<T> Extend<T> for IsPresent<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, children: I) {
        self.0 |= children.into_iter().count() > 0;
    }
}

impl<T> IntoIterator for IsPresent<T> {
    type Item = T;
    type IntoIter = std::iter::Empty<T>;

    fn into_iter(self) -> Self::IntoIter {
        std::iter::empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::received;
    use crate::xmpp::incoming::KnownElement;

    const SASL: &str = "xmlns='urn:ietf:params:xml:ns:xmpp-sasl'";
    const TLS: &str = "xmlns='urn:ietf:params:xml:ns:xmpp-tls'";
    const CB: &str = "xmlns='urn:xmpp:sasl-cb:0'";
    const BIND: &str = "xmlns='urn:ietf:params:xml:ns:xmpp-bind'";
    const SESSION: &str = "xmlns='urn:ietf:params:xml:ns:xmpp-session'";

    fn features(inner: &str) -> Features {
        match received(&format!("<stream:features x='1'>{inner}</stream:features>")) {
            Lenient::Known(KnownElement::Features(element)) => element.features,
            other => panic!("{inner}: {other:?}"),
        }
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn known_features_are_read_and_others_skipped() {
        assert_eq!(features(""), Features::default());
        let all = features(&format!(
            "text<starttls {TLS} x='1'><required/><y/>text</starttls>\n\
             <mechanisms {SASL}><mechanism>PLAIN</mechanism><mechanism a='1'>X</mechanism><hostname/>text</mechanisms>\
             <sasl-channel-binding {CB}><channel-binding type='tls-exporter'/></sasl-channel-binding>\
             <bind {BIND}><required/></bind><sm xmlns='urn:xmpp:sm:3'><optional/></sm>\
             <session {SESSION}><optional/></session><c xmlns='urn:c' ver='1'/>"
        ));
        let expected = Features {
            starttls: Some(StartTlsFeature { required: true }),
            mechanisms: names(&["PLAIN", "X"]),
            channel_bindings: Some(names(&["tls-exporter"])),
            bind: true,
            session: Some(SessionFeature { optional: true }),
            stream_management: true,
        };
        assert_eq!(all, expected);
        assert_eq!(features(&format!("<starttls {TLS}/>")).starttls, Some(StartTlsFeature { required: false }));
        assert_eq!(features(&format!("<session {SESSION}/>")).session, Some(SessionFeature { optional: false }));
        assert_eq!(features(&format!("<mechanisms {SASL}/>")), Features::default());
    }

    /// As sent by some servers.
    #[test]
    fn repeated_features_and_unknown_content_are_tolerated() {
        let twice = |text: String| features(&text.repeat(2));
        assert!(twice(format!("<bind {BIND}/>")).bind);
        assert!(twice("<sm xmlns='urn:xmpp:sm:3'/>".to_owned()).stream_management);
        let first =
            features(&format!("<starttls {TLS}><required a='1'/><required>x</required></starttls><starttls {TLS}/>"));
        assert_eq!(first.starttls, Some(StartTlsFeature { required: true }));
        let first =
            features(&format!("<session {SESSION}><optional x='1'><y/></optional></session><session {SESSION}/>"));
        assert_eq!(first.session, Some(SessionFeature { optional: true }));
        let mechanisms = |names: &str| format!("<mechanisms {SASL} x='1'>{names}</mechanisms>");
        let both = mechanisms("<mechanism>A</mechanism>") + &mechanisms("<mechanism x='1'>B<y/></mechanism>");
        assert_eq!(features(&both).mechanisms, names(&["A", "B"]));
        let bindings = format!(
            "<sasl-channel-binding {CB}><channel-binding/><channel-binding type='a' x='1'>text<y/></channel-binding>\
             </sasl-channel-binding><sasl-channel-binding {CB}><channel-binding type='b'/></sasl-channel-binding>"
        );
        assert_eq!(features(&bindings).channel_bindings, Some(names(&["a"])));
        let none = features(&format!("<sasl-channel-binding {CB}><channel-binding/></sasl-channel-binding>"));
        assert_eq!(none.channel_bindings, Some(Vec::new()), "a list without tls-exporter");
    }
}
