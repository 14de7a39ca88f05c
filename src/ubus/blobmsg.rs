//! blobmsg.h: named and typed values, nested. An attribute's id is the type; its payload begins with the name: a 16-bit
//! length, the bytes, a NUL, padded to 4. The elements of an array have an empty name.

use super::attribute::{Attributes, Malformed, RawAttribute, pad, text, write, write_text};
use crate::document::{Table, Value};

/// The deepest nesting that is read, the outermost table included. It is also what may be written.
pub const MAX_DEPTH: usize = 64;

const ARRAY: u8 = 1;
const TABLE: u8 = 2;
/// The type of a string; also its number in the signature of a method.
pub(super) const STRING: u8 = 3;
const INT64: u8 = 4;
/// The type of a 32-bit integer; also its number in the signature of a method.
pub(super) const INT32: u8 = 5;
const INT16: u8 = 6;
const BOOL: u8 = 7;
const DOUBLE: u8 = 8;

/// Appends the entries of a table.
pub(super) fn encode(out: &mut Vec<u8>, table: &Table) {
    for (name, value) in table.entries() {
        encode_value(out, name, value);
    }
}

fn encode_value(out: &mut Vec<u8>, name: &str, value: &Value) {
    let id = match value {
        Value::Array(_) => ARRAY,
        Value::Table(_) => TABLE,
        Value::Text(_) => STRING,
        Value::Int64(_) => INT64,
        Value::Int32(_) => INT32,
        Value::Int16(_) => INT16,
        Value::Bool(_) => BOOL,
        Value::Double(_) => DOUBLE,
    };
    write(out, true, id, |out| {
        encode_name(out, name);
        match value {
            Value::Array(items) => items.iter().for_each(|item| encode_value(out, "", item)),
            Value::Table(table) => encode(out, table),
            Value::Text(text) => write_text(out, text),
            Value::Int64(value) => out.extend_from_slice(&value.to_be_bytes()),
            Value::Int32(value) => out.extend_from_slice(&value.to_be_bytes()),
            Value::Int16(value) => out.extend_from_slice(&value.to_be_bytes()),
            Value::Bool(value) => out.push((*value).into()),
            Value::Double(value) => out.extend_from_slice(&value.to_bits().to_be_bytes()),
        }
    });
}

fn encode_name(out: &mut Vec<u8>, name: &str) {
    let start = out.len();
    out.extend_from_slice(&[0; 2]);
    write_text(out, name);
    // Longer names do not occur; one would make the attribute unreadable for the peer, and no more.
    let length = u16::try_from(out.len() - start - 3).unwrap_or(u16::MAX);
    out[start..start + 2].copy_from_slice(&length.to_be_bytes());
    pad(out, start);
}

/// A container that is being read.
struct Level<'a> {
    rest: Attributes<'a>,
    name: String,
    container: Value,
}

impl Level<'_> {
    fn push(&mut self, name: String, value: Value) {
        match &mut self.container {
            Value::Table(table) => table.push(name, value),
            Value::Array(items) => items.push(value),
            _ => {}
        }
    }
}

/// Reads the entries of a table. Values of unknown types are skipped. The nesting is kept on the heap, so that its depth
/// cannot exhaust the stack.
///
/// # Errors
/// `Malformed`; also for more than [`MAX_DEPTH`] levels.
pub fn decode(bytes: &[u8]) -> Result<Table, Malformed> {
    let level = |rest, name, container| Level { rest: Attributes(rest), name, container };
    let mut levels = vec![level(bytes, String::new(), Value::Table(Table::new()))];
    loop {
        let depth = levels.len();
        let Some(last) = levels.last_mut() else { return Ok(Table::new()) };
        match last.rest.next().transpose()? {
            None => {
                let Some(Level { name, container, .. }) = levels.pop() else { return Ok(Table::new()) };
                match (levels.last_mut(), container) {
                    (Some(outer), container) => outer.push(name, container),
                    (None, Value::Table(table)) => return Ok(table),
                    (None, _) => return Ok(Table::new()),
                }
            }
            Some(RawAttribute { extended: true, id, payload }) => {
                let (name, payload) = split_name(payload)?;
                match id {
                    ARRAY | TABLE if depth == MAX_DEPTH => return Err(Malformed::Depth),
                    ARRAY => levels.push(level(payload, name, Value::Array(Vec::new()))),
                    TABLE => levels.push(level(payload, name, Value::Table(Table::new()))),
                    _ => {
                        if let Some(value) = scalar(id, payload)? {
                            last.push(name, value);
                        }
                    }
                }
            }
            // It has no name: blob.h's kind, which does not belong here.
            Some(_) => {}
        }
    }
}

fn split_name(payload: &[u8]) -> Result<(String, &[u8]), Malformed> {
    let (length, rest) = payload.split_first_chunk::<2>().ok_or(Malformed::Length)?;
    let length = usize::from(u16::from_be_bytes(*length));
    let name = rest.get(..=length).ok_or(Malformed::Length)?;
    // The padding may be missing where nothing follows.
    let value = payload.get((length + 3).next_multiple_of(4)..).unwrap_or_default();
    Ok((text(name)?, value))
}

fn scalar(id: u8, payload: &[u8]) -> Result<Option<Value>, Malformed> {
    fn exactly<const N: usize>(payload: &[u8]) -> Result<[u8; N], Malformed> {
        payload.try_into().map_err(|_| Malformed::Number)
    }
    Ok(Some(match id {
        STRING => Value::Text(text(payload)?),
        INT64 => Value::Int64(i64::from_be_bytes(exactly(payload)?)),
        INT32 => Value::Int32(i32::from_be_bytes(exactly(payload)?)),
        INT16 => Value::Int16(i16::from_be_bytes(exactly(payload)?)),
        BOOL => Value::Bool(exactly::<1>(payload)? != [0]),
        DOUBLE => Value::Double(f64::from_bits(u64::from_be_bytes(exactly(payload)?))),
        _ => return Ok(None),
    }))
}
