//! The object `xmppd` on ubus: its methods, and who answers them.

use crate::actors::queries::{Queries, UnknownConnection};
use crate::config::model::ConnectionId;
use crate::document::Table;
use crate::ubus::{Method, Object, StatusCode};

/// The object.
pub(super) const OBJECT: Object = Object {
    path: "xmppd",
    methods: &[
        Method { name: "status", arguments: &[(CONNECTION, true)] },
        Method { name: "tr181", arguments: &[] },
        Method { name: "reconnect", arguments: &[(CONNECTION, true)] },
        Method { name: "reload", arguments: &[] },
        Method { name: "check", arguments: &[] },
    ],
};

const CONNECTION: &str = "connection";

/// What rpcd adds to the arguments of calls that it passes on.
const RPC_SESSION: &str = "ubus_rpc_session";

/// Carries out a method.
///
/// # Errors
/// The status that the call is answered with.
pub(super) async fn answer(queries: Queries, method: &str, arguments: &Table) -> Result<Table, StatusCode> {
    let known = OBJECT.methods.iter().find(|known| known.name == method).ok_or(StatusCode::METHOD_NOT_FOUND)?;
    let connection = read_arguments(known, arguments)?;
    let unknown = |_: UnknownConnection| StatusCode::NOT_FOUND;
    match method {
        "status" => queries.status(connection).map_err(unknown),
        "tr181" => Ok(queries.tr181()),
        "reconnect" => queries.reconnect(connection).map(|()| Table::new()).map_err(unknown),
        "reload" => Ok(queries.reload().await.ok_or(StatusCode::UNKNOWN_ERROR)?.document()),
        "check" => queries.check().await.ok_or(StatusCode::UNKNOWN_ERROR),
        _ => Err(StatusCode::METHOD_NOT_FOUND),
    }
}

/// The argument `connection`. A misspelt one is refused: without it the method would be carried out for all connections.
fn read_arguments(method: &Method, arguments: &Table) -> Result<Option<ConnectionId>, StatusCode> {
    let is_known = |name: &str| name == RPC_SESSION || method.arguments.iter().any(|(known, _)| *known == name);
    if !arguments.entries().all(|(name, _)| is_known(name)) {
        return Err(StatusCode::INVALID_ARGUMENT);
    }
    let Some(value) = arguments.get(CONNECTION) else { return Ok(None) };
    let number = value.integer().ok_or(StatusCode::INVALID_ARGUMENT)?;
    // Larger than a number can be: the program `ubus` sends those above 2^31 - 1 as 64 bits.
    let number = u32::try_from(number).map_err(|_| StatusCode::NOT_FOUND)?;
    Ok(Some(ConnectionId(number)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Value;

    #[test]
    fn arguments() {
        let [status, tr181] = [0, 1].map(|at| &OBJECT.methods[at]);
        let one = |value: Value| Table::new().with("connection", value);
        for (arguments, expected) in [
            (Table::new(), Ok(None)),
            (Table::new().with(RPC_SESSION, "0"), Ok(None)),
            (one(Value::Int32(7)), Ok(Some(ConnectionId(7)))),
            (one(Value::Int64(u32::MAX.into())), Ok(Some(ConnectionId(u32::MAX)))),
            (one(Value::Int16(0)), Ok(Some(ConnectionId(0)))),
            (one(Value::Int32(-1)), Err(StatusCode::NOT_FOUND)),
            (one(Value::Int64(1 << 32)), Err(StatusCode::NOT_FOUND)),
            (one("1".into()), Err(StatusCode::INVALID_ARGUMENT)),
            (one(true.into()), Err(StatusCode::INVALID_ARGUMENT)),
            (one(Value::Double(1.0)), Err(StatusCode::INVALID_ARGUMENT)),
            (one(Table::new().into()), Err(StatusCode::INVALID_ARGUMENT)),
            (Table::new().with("conection", 1_u32), Err(StatusCode::INVALID_ARGUMENT)),
        ] {
            assert_eq!(read_arguments(status, &arguments), expected, "{arguments}");
        }
        assert_eq!(read_arguments(tr181, &one(Value::Int32(1))), Err(StatusCode::INVALID_ARGUMENT));
        assert_eq!(read_arguments(tr181, &Table::new().with(RPC_SESSION, "0")), Ok(None));
    }
}
