//! An object on the bus, and the requests of peers for it.

use tokio::sync::oneshot;

use super::status::StatusCode;
use crate::document::Table;

/// The object that is published.
#[derive(Debug, Clone, Copy)]
pub struct Object {
    /// Its path.
    pub path: &'static str,
    /// Its methods.
    pub methods: &'static [Method],
}

/// A method of an [`Object`].
#[derive(Debug, Clone, Copy)]
pub struct Method {
    /// Its name.
    pub name: &'static str,
    /// Its arguments, each with whether it is a number (or a string).
    pub arguments: &'static [(&'static str, bool)],
}

/// A request for our object. Dropping it answers `Unknown error`.
#[derive(Debug)]
pub struct Incoming {
    /// The method; one of [`Object::methods`].
    pub method: String,
    /// Its arguments, as the peer gave them.
    pub arguments: Table,
    /// Takes the answer. An empty table answers with a status alone.
    pub answer: oneshot::Sender<Result<Table, StatusCode>>,
}
