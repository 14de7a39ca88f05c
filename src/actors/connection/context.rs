//! What all connections share.

use std::sync::Arc;

use actix::Recipient;

use crate::actors::messages::{AuthorizeRequest, DiscoQuery};
use crate::actors::registry::Slot;
use crate::status::StatusTable;
use crate::xmpp::resolve::Resolver;
use crate::xmpp::tls::TrustStores;

/// What all connections share. Cheap to clone.
#[derive(Clone)]
pub struct ConnectionContext {
    /// The router, which decides on connection requests.
    pub authorize: Slot<Recipient<AuthorizeRequest>>,
    /// The router, which knows what a sender of disco#info may learn.
    pub disco: Slot<Recipient<DiscoQuery>>,
    /// The status of each connection.
    pub status: StatusTable,
    /// Looks servers up.
    pub resolver: Arc<Resolver>,
    /// The trusted certificates.
    pub trust: TrustStores,
}
