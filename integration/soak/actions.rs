//! Random actions on xmppd and its surroundings.

use crate::harness::stanzas::{CONNECTION_REQUEST, connection_request, iq, ping};
use crate::harness::{Settings, fleet};

/// A generator of numbers from a seed (`SplitMix64`).
pub struct Random(pub u64);

impl Random {
    /// Returns a number below `limit`.
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % limit as u64).unwrap()
    }

    /// Returns one of these.
    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }
}

/// An action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// A valid connection request.
    Request,
    /// Several at once.
    Burst,
    /// An allowed sender uses wrong credentials, until it is locked out.
    WrongCredentials,
    /// A sender that is not allowed.
    Stranger,
    /// Invalid or useless stanzas.
    Junk,
    /// `xmppd status`
    Status,
    /// `xmppd reconnect`
    Reconnect,
    /// SIGHUP
    HangUp,
    /// A client of the control socket disconnects, or sends an invalid request.
    ControlJunk,
    /// Connections get a RST.
    Cut,
    /// Connections get a FIN.
    Close,
    /// Connections are half-open for a while.
    Hold,
    /// The server is unreachable for a while.
    Shut,
    /// Another client takes the resource.
    Kick,
    /// The file is changed.
    Edit,
    /// The file becomes invalid.
    Break,
    /// /etc/config/cwmp is changed.
    Credentials,
    /// The CWMP client refuses.
    NotifyFails,
    /// The CWMP client is slow, or too slow.
    NotifySlow,
    /// The CWMP client works again.
    NotifyWell,
    /// An actor panics.
    Crash,
}

/// Relative frequencies.
const SHARES: [(Action, usize); 21] = [
    (Action::Request, 30),
    (Action::Burst, 10),
    (Action::WrongCredentials, 10),
    (Action::Stranger, 6),
    (Action::Junk, 12),
    (Action::Status, 10),
    (Action::Reconnect, 4),
    (Action::HangUp, 2),
    (Action::ControlJunk, 4),
    (Action::Cut, 3),
    (Action::Close, 3),
    (Action::Hold, 1),
    (Action::Shut, 1),
    (Action::Kick, 1),
    (Action::Edit, 8),
    (Action::Break, 1),
    (Action::Credentials, 1),
    (Action::NotifyFails, 2),
    (Action::NotifySlow, 2),
    (Action::NotifyWell, 4),
    (Action::Crash, 2),
];

/// Draws the next action.
pub fn draw(random: &mut Random) -> Action {
    let mut place = random.below(SHARES.iter().map(|(_, share)| share).sum());
    for (action, share) in SHARES {
        if place < share {
            return action;
        }
        place -= share;
    }
    unreachable!("the place is within the sum")
}

/// A stanza that is not a connection request, or one that cannot be granted.
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
pub fn edited(random: &mut Random, base: &Settings) -> Settings {
    let mut file = base.clone();
    let count = u32::try_from(base.connections.len()).unwrap();
    for _ in 0..=random.below(3) {
        let id = u32::try_from(random.below(count as usize)).unwrap() + 1;
        match random.below(12) {
            0 | 1 => file.set_connection(id, "enable", "0"),
            2 => file.set_connection(id, "resource", "another"),
            3 => file.set_connection(id, "interval", "5"),
            4 => file.set_connection(id, "usetls", random.pick(&["0", "1"])),
            5 => file.set_connection(id, "password", "another"),
            6 => file.set_connection(id, "con_alias", "another"),
            7 => file.set_connection(id, "attempt", "not a number"),
            8 => file.set("allowed_jid", "nobody@elsewhere.test"),
            9 => file.set("id", id),
            10 => file.set("connreq_limit", 3),
            _ => file.set("enable", 0),
        }
    }
    file
}

/// The full JID of one of the connections.
pub fn jid(random: &mut Random, count: u32) -> String {
    fleet::jid(u32::try_from(random.below(count as usize)).unwrap() + 1)
}

#[test]
fn every_action_is_drawn_and_a_seed_is_reproducible() {
    let drawn = |seed| {
        let mut random = Random(seed);
        (0..2000).map(|_| draw(&mut random)).collect::<Vec<_>>()
    };
    let all: std::collections::BTreeSet<Action> = drawn(1).into_iter().collect();
    assert_eq!(all.len(), SHARES.len());
    assert_eq!(drawn(1), drawn(1));
    assert_ne!(drawn(1), drawn(2));
}
