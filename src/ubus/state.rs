//! Whether there is a bus.

/// The state of the connection to `ubusd`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum BusState {
    /// Connecting for the first time.
    #[default]
    Unknown,
    /// Connected.
    Connected,
    /// Not connected, and why.
    Lost(String),
}
