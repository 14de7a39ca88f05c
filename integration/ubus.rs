//! xmppd on ubus: how the CWMP client is told, and what becomes of it when the bus has trouble. On the programs that
//! `XMPPD_TEST_UBUSD` and `XMPPD_TEST_UBUS` name, or on stand-ins for them.

mod outages;
mod telling;
