//! xmppd on ubus: notifying the CWMP client, the object `xmppd`, events, and trouble of the bus. On the programs that
//! `XMPPD_TEST_UBUSD` and `XMPPD_TEST_UBUS` name, or on stand-ins for them.

mod events;
mod many;
mod notifications;
mod object;
mod outages;
