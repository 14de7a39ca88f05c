//! What may happen to xmppd, drawn at random.

use crate::harness::stanzas::{CONNECTION_REQUEST, connection_request, iq, ping};
use crate::harness::{Fleet, fleet};

/// Numbers that follow from a seed (`SplitMix64`).
pub struct Random(pub u64);

impl Random {
    /// Below `limit`.
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % limit as u64).unwrap()
    }

    /// One of these.
    pub fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }
}

/// One thing that happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Deed {
    /// A good connection request.
    Request,
    /// Several at once.
    Burst,
    /// An allowed sender gives wrong credentials, until he is locked out.
    WrongCredentials,
    /// A sender who is not allowed.
    Stranger,
    /// Stanzas that make no sense, or are of no use.
    Junk,
    /// `xmppd status`
    Status,
    /// `xmppd reconnect`
    Reconnect,
    /// SIGHUP
    HangUp,
    /// Somebody opens the control socket and leaves, or says nonsense.
    ControlJunk,
    /// Connections get a RST.
    Cut,
    /// Connections get a FIN.
    Close,
    /// Connections are half-open for a while.
    Hold,
    /// The server cannot be reached for a while.
    Shut,
    /// Somebody else takes the resource.
    Kick,
    /// The file is changed.
    Edit,
    /// The file is broken.
    Break,
    /// /etc/config/cwmp is changed.
    Credentials,
    /// The CWMP client says no.
    NotifyFails,
    /// The CWMP client takes its time, or too long.
    NotifySlow,
    /// The CWMP client is well again.
    NotifyWell,
    /// An actor panics.
    Crash,
}

/// How often each, in proportion.
const SHARES: [(Deed, usize); 21] = [
    (Deed::Request, 30),
    (Deed::Burst, 10),
    (Deed::WrongCredentials, 10),
    (Deed::Stranger, 6),
    (Deed::Junk, 12),
    (Deed::Status, 10),
    (Deed::Reconnect, 4),
    (Deed::HangUp, 2),
    (Deed::ControlJunk, 4),
    (Deed::Cut, 3),
    (Deed::Close, 3),
    (Deed::Hold, 1),
    (Deed::Shut, 1),
    (Deed::Kick, 1),
    (Deed::Edit, 8),
    (Deed::Break, 1),
    (Deed::Credentials, 1),
    (Deed::NotifyFails, 2),
    (Deed::NotifySlow, 2),
    (Deed::NotifyWell, 4),
    (Deed::Crash, 2),
];

/// What happens next.
pub fn draw(random: &mut Random) -> Deed {
    let mut place = random.below(SHARES.iter().map(|(_, share)| share).sum());
    for (deed, share) in SHARES {
        if place < share {
            return deed;
        }
        place -= share;
    }
    unreachable!("the place is within the sum")
}

/// A stanza that is no connection request, or none that could be granted.
pub fn junk(random: &mut Random, to: &str) -> String {
    let deep = format!("{}{}", "<a xmlns='urn:deep'>".repeat(500), "</a>".repeat(500));
    match random.below(9) {
        0 => ping(to),
        1 => iq("get", to, "<query xmlns='http://jabber.org/protocol/disco#info'/>"),
        2 => iq("set", to, "<unknown xmlns='urn:unknown'><with>text</with></unknown>"),
        3 => iq("get", to, &deep),
        4 => iq("result", to, "<nobody xmlns='urn:asked'/>"),
        5 => format!("<message to='{to}'><body>{}</body></message>", "text ".repeat(2000)),
        6 => format!("<presence to='{to}' type='subscribe'/>"),
        7 => connection_request(to, "cpe-user</username><username>cpe-user", "cpe-secret"),
        _ => iq("get", to, &format!("<connectionRequest xmlns='{CONNECTION_REQUEST}'/>")),
    }
}

/// The file after one to three changes.
pub fn edited(random: &mut Random, base: &Fleet) -> Fleet {
    let mut file = base.clone();
    let count = u32::try_from(base.connections.len()).unwrap();
    for _ in 0..=random.below(3) {
        let id = u32::try_from(random.below(count as usize)).unwrap() + 1;
        let general = file.general.clone();
        match random.below(12) {
            0 | 1 => file.change(id, "enable", "0"),
            2 => file.change(id, "resource", "another"),
            3 => file.change(id, "interval", "5"),
            4 => file.change(id, "usetls", random.one(&["0", "1"])),
            5 => file.change(id, "password", "another"),
            6 => file.change(id, "con_alias", "another"),
            7 => file.change(id, "attempt", "not a number"),
            8 => file.general = general.option("allowed_jid", "nobody@elsewhere.test"),
            9 => file.general = general.option("id", id),
            10 => file.general = general.option("connreq_limit", 3),
            _ => file.general = general.option("enable", 0),
        }
    }
    file
}

/// The full JID of one of the connections.
pub fn jid(random: &mut Random, count: u32) -> String {
    fleet::jid(u32::try_from(random.below(count as usize)).unwrap() + 1)
}

#[test]
fn every_deed_is_drawn_and_a_seed_is_repeatable() {
    let drawn = |seed| {
        let mut random = Random(seed);
        (0..2000).map(|_| draw(&mut random)).collect::<Vec<_>>()
    };
    let all: std::collections::BTreeSet<Deed> = drawn(1).into_iter().collect();
    assert_eq!(all.len(), SHARES.len());
    assert_eq!(drawn(1), drawn(1));
    assert_ne!(drawn(1), drawn(2));
}
