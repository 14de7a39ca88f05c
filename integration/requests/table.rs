//! Every row of the table of connection requests, by everybody who may send one, on each server.
//!
//! Both servers deliver an IQ to a full JID in the same way whether it comes from an account of the same host, of another
//! host of theirs, or from an external component; the sender is what they stamped or checked.

mod expected;
mod others;
mod own_server;
mod play;

use expected::Outcome;
use play::{ACS, Form, GOOD, Play, SENDERS, Sender};
use xmppd::cwmp::authorize::Refusal;

use crate::harness::{CPE1, CPE2, Server, on_each_server, uci};

on_each_server!(
    rows_that_settings_decide,
    rows_that_the_cwmp_client_decides,
    no_credentials_are_configured,
    five_wrong_ones_lock_out_their_sender_alone,
);

const SET: Form = Form { kind: "set", ..GOOD };
const RESULT: Form = Form { kind: "result", ..GOOD };
const ERROR: Form = Form { kind: "error", ..GOOD };
const WRONG_PASSWORD: Form =
    Form { kind: "get", content: "<username>cpe-user</username><password>open-sesame</password>" };
const WRONG_USER: Form =
    Form { kind: "get", content: "<username>open-sesame</username><password>cpe-secret</password>" };
const NO_PASSWORD: Form = Form { kind: "get", content: "<username>cpe-user</username>" };
const TWO_USERS: Form = Form {
    kind: "set",
    content: "<username>cpe-user</username><username>cpe-user</username><password>cpe-secret</password>",
};
const CHILDREN: Form =
    Form { kind: "get", content: "<username>cpe-user</username><password>cpe-<b/>secret</password>" };

impl<S: Server> Play<S> {
    /// As [`request`](Self::request) to the first connection; a sender who is not allowed learns nothing.
    async fn row(&mut self, sender: Sender, form: Form, outcome: Outcome) {
        let outcome = if sender.allowed { outcome } else { Outcome::Refused(Refusal::Sender) };
        self.request(sender, CPE1, form, outcome).await;
    }

    /// As [`row`](Self::row), by everybody.
    async fn everybody(&mut self, form: Form, outcome: Outcome) {
        for sender in SENDERS {
            self.row(sender, form, outcome.clone()).await;
        }
    }
}

async fn rows_that_settings_decide<S: Server>() {
    let mut play = Play::<S>::start().await;
    for sender in SENDERS {
        for form in [RESULT, ERROR] {
            play.request(sender, CPE1, form, Outcome::Ignored).await;
            play.request(sender, CPE2, form, Outcome::Ignored).await;
        }
        for form in [GOOD, WRONG_USER, TWO_USERS] {
            play.request(sender, CPE2, form, Outcome::Refused(Refusal::Disabled)).await;
        }
        for form in [NO_PASSWORD, TWO_USERS, CHILDREN] {
            play.row(sender, form, Outcome::Refused(Refusal::Malformed)).await;
        }
        for form in [GOOD, SET] {
            play.row(sender, form, Outcome::Accepted).await;
        }
    }
    // Not more than four each: two of the senders are one to the lock-out.
    for form in [WRONG_PASSWORD, WRONG_USER] {
        play.everybody(form, Outcome::Refused(Refusal::Credentials)).await;
    }
    play.set("connreq_limit", "1").await;
    play.row(ACS, GOOD, Outcome::Accepted).await;
    play.everybody(GOOD, Outcome::Refused(Refusal::Limit)).await;
    play.row(ACS, NO_PASSWORD, Outcome::Refused(Refusal::Malformed)).await;
    play.row(ACS, WRONG_USER, Outcome::Refused(Refusal::Credentials)).await;
    play.no_secrets();
}

async fn rows_that_the_cwmp_client_decides<S: Server>() {
    let mut play = Play::<S>::start().await;
    play.daemon.ubus().fail_with(9);
    play.everybody(GOOD, Outcome::NotifyFailed("the call on ubus failed: Unknown error")).await;
    play.row(ACS, NO_PASSWORD, Outcome::Refused(Refusal::Malformed)).await;
    play.daemon.ubus().hold();
    play.set("notify_timeout_ms", "1000").await;
    play.everybody(GOOD, Outcome::NotifyFailed("no answer on ubus within 1000 ms")).await;
    play.set("notify_timeout_ms", "10000").await;
    play.daemon.ubus().behave();
    play.everybody(GOOD, Outcome::Accepted).await;
    // One that fails counts against the limit like any other.
    play.daemon.ubus().fail_with(9);
    play.set("connreq_limit", "1").await;
    play.row(ACS, GOOD, Outcome::NotifyFailed("the call on ubus failed: Unknown error")).await;
    play.everybody(GOOD, Outcome::Refused(Refusal::Limit)).await;
    play.no_secrets();
}

async fn no_credentials_are_configured<S: Server>() {
    let mut play = Play::<S>::start().await;
    let mark = play.daemon.log().mark();
    play.daemon.cwmp().write_in_place(&uci::text([&uci::Section::cpe("cpe-user", "")]));
    play.daemon.log().wait(mark, &["no connection request can be authorized"], crate::harness::LIMIT).await;
    play.everybody(GOOD, Outcome::Refused(Refusal::Credentials)).await;
    play.everybody(NO_PASSWORD, Outcome::Refused(Refusal::Malformed)).await;
    play.no_secrets();
}

async fn five_wrong_ones_lock_out_their_sender_alone<S: Server>() {
    let mut play = Play::<S>::start().await;
    // One JID for each sender that the lock-out knows: the resource does not count.
    let senders: Vec<Sender> = SENDERS.into_iter().filter(|sender| sender.jid != "acs.component.test/any").collect();
    let locked = Outcome::Refused(Refusal::Locked);
    for (n, sender) in senders.iter().enumerate() {
        play.row(*sender, GOOD, Outcome::Accepted).await;
        for _ in 0..5 {
            play.row(*sender, WRONG_PASSWORD, Outcome::Refused(Refusal::Credentials)).await;
        }
        for form in [GOOD, WRONG_USER, NO_PASSWORD, SET] {
            play.row(*sender, form, locked.clone()).await;
        }
        play.request(*sender, CPE1, RESULT, Outcome::Ignored).await;
        play.request(*sender, CPE2, GOOD, Outcome::Refused(Refusal::Disabled)).await;
        if let Some(next) = senders.get(n + 1) {
            play.row(*next, GOOD, Outcome::Accepted).await;
        }
    }
    let any = Sender { jid: "acs.component.test/any", allowed: true };
    play.row(any, GOOD, locked.clone()).await;
    play.no_secrets();
}
