//! Each row of the table of connection requests, from all senders, on each server.
//!
//! Both servers deliver an IQ to a full JID in the same way from an account of the same host, an account of another of
//! their hosts, and an external component; they set or check the sender.

mod expected;
mod fixture;
mod others;
mod own_server;

use std::time::Duration;

use expected::Outcome;
use fixture::{ACS, Fixture, Form, GOOD, SENDERS, Sender};
use xmppd::cwmp::authorize::Refusal;

use crate::harness::{CPE1, CPE2, Server, on_each_server, uci};

on_each_server!(
    rows_that_depend_on_settings,
    rows_that_depend_on_the_cwmp_client,
    rows_without_configured_credentials,
    five_wrong_credentials_lock_out_only_their_sender,
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

impl<S: Server> Fixture<S> {
    /// Like [`request`](Self::request) on connection 1; a sender that is not allowed always gets `service-unavailable`.
    async fn row(&mut self, sender: Sender, form: Form, outcome: Outcome) {
        let outcome = if sender.allowed { outcome } else { Outcome::Refused(Refusal::UnlistedSender) };
        self.request(sender, CPE1, form, outcome).await;
    }

    /// Like [`row`](Self::row), from all senders.
    async fn by_all_senders(&mut self, form: Form, outcome: Outcome) {
        for sender in SENDERS {
            self.row(sender, form, outcome.clone()).await;
        }
    }
}

async fn rows_that_depend_on_settings<S: Server>() {
    let mut fixture = Fixture::<S>::start().await;
    for sender in SENDERS {
        for form in [RESULT, ERROR] {
            fixture.request(sender, CPE1, form, Outcome::Ignored).await;
            fixture.request(sender, CPE2, form, Outcome::Ignored).await;
        }
        for form in [GOOD, WRONG_USER, TWO_USERS] {
            fixture.request(sender, CPE2, form, Outcome::Refused(Refusal::NotAccepting)).await;
        }
        for form in [NO_PASSWORD, TWO_USERS, CHILDREN] {
            fixture.row(sender, form, Outcome::Refused(Refusal::Malformed)).await;
        }
        for form in [GOOD, SET] {
            fixture.row(sender, form, Outcome::Accepted).await;
        }
    }
    // At most four each: two of the senders count as one for the lockout.
    for form in [WRONG_PASSWORD, WRONG_USER] {
        fixture.by_all_senders(form, Outcome::Refused(Refusal::WrongCredentials)).await;
    }
    fixture.set("connreq_limit", "1").await;
    fixture.row(ACS, GOOD, Outcome::Accepted).await;
    fixture.by_all_senders(GOOD, Outcome::Refused(Refusal::Limit)).await;
    fixture.row(ACS, NO_PASSWORD, Outcome::Refused(Refusal::Malformed)).await;
    fixture.row(ACS, WRONG_USER, Outcome::Refused(Refusal::WrongCredentials)).await;
    fixture.no_secrets();
}

async fn rows_that_depend_on_the_cwmp_client<S: Server>() {
    let mut fixture = Fixture::<S>::start().await;
    fixture.daemon.ubus().fail_with(9);
    fixture.by_all_senders(GOOD, Outcome::NotifyFailed("the call on ubus failed: Unknown error")).await;
    fixture.row(ACS, NO_PASSWORD, Outcome::Refused(Refusal::Malformed)).await;
    fixture.daemon.ubus().hold();
    fixture.set("notify_timeout_ms", "1000").await;
    fixture.by_all_senders(GOOD, Outcome::NotifyFailed("no answer on ubus within 1000 ms")).await;
    fixture.set("notify_timeout_ms", "10000").await;
    fixture.daemon.ubus().behave();
    fixture.by_all_senders(GOOD, Outcome::Accepted).await;
    // A failed one counts against the limit as well.
    fixture.daemon.ubus().fail_with(9);
    fixture.set("connreq_limit", "1").await;
    fixture.row(ACS, GOOD, Outcome::NotifyFailed("the call on ubus failed: Unknown error")).await;
    fixture.by_all_senders(GOOD, Outcome::Refused(Refusal::Limit)).await;
    fixture.no_secrets();
}

async fn rows_without_configured_credentials<S: Server>() {
    let mut fixture = Fixture::<S>::start().await;
    let mark = fixture.daemon.log().mark();
    fixture.daemon.cwmp().write_in_place(&uci::text([&uci::Section::cpe("cpe-user", "")]));
    fixture.daemon.log().wait(mark, &["no connection request can be authorized"], crate::harness::LIMIT).await;
    fixture.by_all_senders(GOOD, Outcome::Refused(Refusal::NoCredentials)).await;
    fixture.by_all_senders(NO_PASSWORD, Outcome::Refused(Refusal::Malformed)).await;
    fixture.no_secrets();
}

async fn five_wrong_credentials_lock_out_only_their_sender<S: Server>() {
    let mut fixture = Fixture::<S>::start().await;
    // One JID per account: the lockout ignores the resource.
    let senders: Vec<Sender> = SENDERS.into_iter().filter(|sender| sender.jid != "acs.component.test/any").collect();
    // The time left is not compared.
    let locked = Outcome::Refused(Refusal::LockedOut { left: Duration::ZERO });
    for (n, sender) in senders.iter().enumerate() {
        fixture.row(*sender, GOOD, Outcome::Accepted).await;
        for _ in 0..5 {
            fixture.row(*sender, WRONG_PASSWORD, Outcome::Refused(Refusal::WrongCredentials)).await;
        }
        for form in [GOOD, WRONG_USER, NO_PASSWORD, SET] {
            fixture.row(*sender, form, locked.clone()).await;
        }
        fixture.request(*sender, CPE1, RESULT, Outcome::Ignored).await;
        fixture.request(*sender, CPE2, GOOD, Outcome::Refused(Refusal::NotAccepting)).await;
        if let Some(next) = senders.get(n + 1) {
            fixture.row(*next, GOOD, Outcome::Accepted).await;
        }
    }
    let any = Sender { jid: "acs.component.test/any", allowed: true };
    fixture.row(any, GOOD, locked.clone()).await;
    fixture.no_secrets();
}
