//! The state Attempting: one server is attempted, from TCP to the bound resource.

use super::status_row::StatusRow;
use crate::config::model::ConnectionSettings;
use crate::status::Status;
use crate::xmpp::account::Account;
use crate::xmpp::attempt::AttemptError;
use crate::xmpp::connect::connect;
use crate::xmpp::established::SharedManagement;
use crate::xmpp::login::{Session, log_in};
use crate::xmpp::servers::{ResolvedServer, ServerAddress};
use crate::xmpp::tls::LazyTls;

/// What an attempt needs, besides the server.
pub(super) struct Attempt {
    /// The number of the pass that the attempt belongs to.
    pub(super) pass: u32,
    pub(super) account: Account,
    pub(super) tls: LazyTls,
    /// Of the stream to be resumed.
    pub(super) management: Option<SharedManagement>,
    pub(super) row: StatusRow,
}

/// A failed attempt.
pub(super) struct FailedAttempt {
    /// The server, as far as the error does not name its addresses.
    pub(super) at: String,
    pub(super) error: AttemptError,
}

impl Attempt {
    /// Attempts the server.
    pub(super) async fn run(self, server: ResolvedServer) -> Result<(Session, ServerAddress), FailedAttempt> {
        let Self { pass, account, tls, management, row } = self;
        row.set_status(Status::Connecting);
        row.update(|report| {
            report.address = Some(server.to_string());
            report.pass = pass;
            report.next = None;
        });
        tracing::debug!("pass {pass}: attempting {server}");
        let (address, transport) = connect(&server).await.map_err(|error| {
            // The error of a race names each address.
            let at = if server.addresses.len() > 1 { server.target.to_string() } else { server.to_string() };
            FailedAttempt { at, error }
        })?;
        row.update(|report| report.address = Some(address.to_string()));
        tracing::debug!("connected to {address}");
        let resumption = management.and_then(|management| management.borrow().resumption());
        match log_in(transport, server.target.security, &account, &tls, resumption).await {
            Ok(session) => Ok((session, address)),
            Err(error) => Err(FailedAttempt { at: address.to_string(), error }),
        }
    }
}

/// The domain as A-labels.
pub(super) fn ascii_domain(settings: &ConnectionSettings) -> String {
    idna::domain_to_ascii(&settings.domain).unwrap_or_else(|_| settings.domain.clone())
}

/// The part of the settings that a login needs.
pub(super) fn account(settings: &ConnectionSettings) -> Account {
    Account {
        username: settings.username.clone(),
        password: settings.password.clone(),
        domain: settings.domain.clone(),
        ascii_domain: ascii_domain(settings),
        resource: settings.resource.clone(),
        use_tls: settings.use_tls,
    }
}
