//! What a hostile server does, at which step of a login.

use std::io;
use std::time::Duration;

use tokio::sync::watch;

use crate::harness::prosody::PASSWORD;
use crate::harness::scripted_server::{BIND, MECHANISMS, STARTTLS};
use crate::harness::{Honesty, Peer};

pub(super) const HEADER: &str = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' \
     xmlns:stream='http://etherx.jabber.org/streams' version='1.0' id='s' from='a.test'>";
pub(super) const PLAIN: &str =
    "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN</mechanism></mechanisms>";
/// A JID that xmppd did not ask for.
pub(super) const OTHER_JID: &str = "someone@elsewhere.test/else";

/// The steps of a correct login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Accepted,
    HeaderRead,
    StartTlsRead,
    Proceeded,
    Encrypted,
    AuthRead,
    LoggedIn,
    BindOffered,
    Bound,
}

/// What the server does wrong.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fault {
    /// Stops answering after this step.
    Silent(Step),
    /// Closes the connection after this step.
    Closes(Step),
    /// After this step, sends these bytes instead of the expected answer.
    Says(Step, fn() -> Vec<u8>),
    /// Sends its header at one byte per second.
    Trickles,
    /// Offers these features, without STARTTLS.
    Offers(&'static str),
    /// Does not know the password.
    Impostor,
    /// Binds another JID, and behaves correctly from then on.
    BindsAnother,
    /// Behaves correctly, then sends these bytes into the stream, followed by a ping.
    Floods(fn() -> Vec<u8>),
}

impl Fault {
    pub(super) async fn play(self, peer: &mut Peer, jid: &str, mut stage: watch::Receiver<Stage>) -> io::Result<()> {
        match self {
            Self::Silent(step) => {
                reach(peer, step, jid).await?;
                // Bytes in the middle of a handshake.
                while peer.expect_end().await.is_err() {}
                Ok(())
            }
            Self::Closes(step) => reach(peer, step, jid).await,
            Self::Says(step, bytes) => {
                reach(peer, step, jid).await?;
                // The client may leave while they are sent.
                let _ = peer.send(bytes()).await;
                peer.expect_end().await.map(drop)
            }
            Self::Trickles => {
                for byte in HEADER.bytes() {
                    if peer.send([byte]).await.is_err() {
                        break;
                    }
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                Ok(())
            }
            Self::Offers(features) => {
                peer.open(features).await?;
                peer.expect_end().await.map(drop)
            }
            Self::Impostor => {
                peer.encrypt(MECHANISMS).await?;
                peer.scram("whatever", Honesty::WrongSignature).await?;
                peer.expect_end().await.map(drop)
            }
            Self::BindsAnother => {
                reach(peer, Step::BindOffered, jid).await?;
                peer.bind(OTHER_JID).await?;
                alive(peer).await?;
                reached(&mut stage, Stage::Over).await;
                Ok(())
            }
            Self::Floods(bytes) => {
                reach(peer, Step::Bound, jid).await?;
                peer.expect("<presence").await?;
                reached(&mut stage, Stage::Flood).await;
                if peer.send(bytes()).await.is_err() || alive(peer).await.is_err() {
                    // The client may leave. What it sent before is compared.
                    return peer.expect_end().await.map(drop);
                }
                reached(&mut stage, Stage::Over).await;
                Ok(())
            }
        }
    }

    pub(super) fn usetls(self) -> u8 {
        u8::from(!matches!(self, Self::Offers(PLAIN)))
    }
}

/// Performs a correct login up to this step.
async fn reach(peer: &mut Peer, step: Step, jid: &str) -> io::Result<()> {
    if step == Step::Accepted {
        return Ok(());
    }
    if step == Step::HeaderRead {
        peer.expect("<stream:stream").await?;
        return peer.expect(">").await.map(drop);
    }
    peer.open(STARTTLS).await?;
    if matches!(step, Step::StartTlsRead | Step::Proceeded) {
        peer.expect("<starttls").await?;
        peer.expect(">").await?;
        if step == Step::Proceeded {
            peer.send("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>").await?;
        }
        return Ok(());
    }
    peer.starttls().await?;
    if step == Step::Encrypted {
        return Ok(());
    }
    peer.open(MECHANISMS).await?;
    if step == Step::AuthRead {
        return peer.element("auth").await.map(drop);
    }
    peer.scram(PASSWORD, Honesty::Honest).await?;
    if step == Step::LoggedIn {
        return Ok(());
    }
    peer.open(BIND).await?;
    if step == Step::BindOffered {
        return Ok(());
    }
    peer.bind(jid).await
}

/// Fails unless the client answers a ping, which follows everything that was sent.
async fn alive(peer: &mut Peer) -> io::Result<()> {
    peer.send("<iq type='get' id='alive' from='a.test'><ping xmlns='urn:xmpp:ping'/></iq>").await?;
    peer.expect("alive").await?;
    peer.expect(">").await.map(drop)
}

/// The stage of the test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
pub(super) enum Stage {
    Begin,
    Flood,
    Over,
}

pub(super) async fn reached(stage: &mut watch::Receiver<Stage>, wanted: Stage) {
    let _ = stage.wait_for(|stage| *stage >= wanted).await;
}
