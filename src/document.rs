//! Structured values that xmppd exchanges with programs: rendered as JSON by the command line and as blobmsg on ubus.

use std::fmt;

/// One value. The integer widths are those of blobmsg.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A list of values.
    Array(Vec<Value>),
    /// Named values.
    Table(Table),
    /// A string. On ubus it ends at its first NUL.
    Text(String),
    /// A 64-bit integer.
    Int64(i64),
    /// A 32-bit integer.
    Int32(i32),
    /// A 16-bit integer.
    Int16(i16),
    /// A Boolean; blobmsg has no other 8-bit type.
    Bool(bool),
    /// A floating-point number.
    Double(f64),
}

impl Value {
    /// The value as an integer, whatever its width.
    #[must_use]
    pub fn integer(&self) -> Option<i64> {
        match self {
            Self::Int64(value) => Some(*value),
            Self::Int32(value) => Some((*value).into()),
            Self::Int16(value) => Some((*value).into()),
            _ => None,
        }
    }

    /// The value as a string.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

/// Uses the smaller integer type that holds the number, as the `ubus` program does.
impl From<i64> for Value {
    fn from(value: i64) -> Self {
        i32::try_from(value).map_or(Self::Int64(value), Self::Int32)
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Self {
        Self::from(i64::from(value))
    }
}

/// Saturates at the largest 64-bit integer of blobmsg.
impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self::from(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

impl From<Table> for Value {
    fn from(value: Table) -> Self {
        Self::Table(value)
    }
}

impl From<Vec<Value>> for Value {
    fn from(value: Vec<Value>) -> Self {
        Self::Array(value)
    }
}

/// Named values, in order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Table(Vec<(String, Value)>);

impl Table {
    /// An empty table.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends an entry.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.push(name.to_owned(), value);
        self
    }

    /// Appends an entry.
    pub fn push(&mut self, name: String, value: impl Into<Value>) {
        self.0.push((name, value.into()));
    }

    /// The value of this name; of several the last one, as libubus has it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// The entries in order.
    #[must_use]
    pub fn entries(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }
}

/// JSON with one entry a line, indented by two spaces.
impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_table(self, 1, f)
    }
}

fn write_value(value: &Value, depth: usize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match value {
        Value::Array(items) if items.is_empty() => f.write_str("[]"),
        Value::Array(items) => {
            f.write_str("[")?;
            for (n, item) in items.iter().enumerate() {
                write!(f, "{}\n{:2$}", if n == 0 { "" } else { "," }, "", 2 * depth)?;
                write_value(item, depth + 1, f)?;
            }
            write!(f, "\n{:1$}]", "", 2 * (depth - 1))
        }
        Value::Table(table) => write_table(table, depth, f),
        Value::Text(text) => write_string(text, f),
        Value::Int64(value) => write!(f, "{value}"),
        Value::Int32(value) => write!(f, "{value}"),
        Value::Int16(value) => write!(f, "{value}"),
        Value::Bool(value) => write!(f, "{value}"),
        // JSON has no word for the others.
        Value::Double(value) if value.is_finite() => write!(f, "{value:?}"),
        Value::Double(_) => f.write_str("null"),
    }
}

fn write_table(table: &Table, depth: usize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if table.0.is_empty() {
        return f.write_str("{}");
    }
    f.write_str("{")?;
    for (n, (name, value)) in table.0.iter().enumerate() {
        write!(f, "{}\n{:2$}", if n == 0 { "" } else { "," }, "", 2 * depth)?;
        write_string(name, f)?;
        f.write_str(": ")?;
        write_value(value, depth + 1, f)?;
    }
    write!(f, "\n{:1$}}}", "", 2 * (depth - 1))
}

/// Escapes what JSON demands, and what would act on a terminal.
fn write_string(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str("\"")?;
    for character in text.chars() {
        match character {
            '"' | '\\' => write!(f, "\\{character}")?,
            '\n' => f.write_str("\\n")?,
            '\t' => f.write_str("\\t")?,
            control if control.is_control() => write!(f, "\\u{:04x}", u32::from(control))?,
            other => write!(f, "{other}")?,
        }
    }
    f.write_str("\"")
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    fn json(value: &Value) -> serde_json::Value {
        match value {
            Value::Array(items) => items.iter().map(json).collect(),
            Value::Table(table) => table.entries().map(|(name, value)| (name.to_owned(), json(value))).collect(),
            Value::Text(text) => text.as_str().into(),
            Value::Bool(value) => (*value).into(),
            Value::Double(value) => (*value).into(),
            integer => integer.integer().into(),
        }
    }

    /// Values whose strings and names match a regular expression.
    pub(crate) fn values(text: &'static str) -> impl Strategy<Value = Value> {
        let scalar = prop_oneof![
            any::<i64>().prop_map(Value::Int64),
            any::<i32>().prop_map(Value::Int32),
            any::<i16>().prop_map(Value::Int16),
            any::<bool>().prop_map(Value::Bool),
            any::<i32>().prop_map(|eighths| Value::Double(f64::from(eighths) / 8.0)),
            text.prop_map(Value::Text),
        ];
        scalar.prop_recursive(4, 24, 5, move |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
                proptest::collection::btree_map(text, inner, 0..5)
                    .prop_map(|entries| Value::Table(Table(entries.into_iter().collect()))),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_rendered_is_read_by_another_as_the_same(value in values(".*")) {
            let text = Table::new().with("x", value.clone()).to_string();
            let read: serde_json::Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(&read["x"], &json(&value));
        }
    }

    #[test]
    fn layout() {
        let items = vec![Value::from(1_u32), Value::Table(Table::new().with("b", true)), Value::Array(Vec::new())];
        let table = Table::new().with("a", items).with("c", "\u{1b}\"").with("d", Table::new());
        let expected = "{\n  \"a\": [\n    1,\n    {\n      \"b\": true\n    },\n    []\n  ],\n  \"c\": \"\\u001b\\\"\",\n  \"d\": {}\n}";
        assert_eq!(table.to_string(), expected);
        assert_eq!(Table::new().with("d", Value::Double(f64::NAN)).to_string(), "{\n  \"d\": null\n}");
    }

    #[test]
    fn integers_take_the_smaller_type() {
        assert_eq!(Value::from(u32::MAX), Value::Int64(u32::MAX.into()));
        assert_eq!(Value::from(7_u64), Value::Int32(7));
        assert_eq!(Value::from(u64::MAX), Value::Int64(i64::MAX));
    }

    #[test]
    fn of_two_entries_of_one_name_the_last_counts() {
        assert_eq!(Table::new().with("a", 1_u32).with("a", 2_u32).get("a"), Some(&Value::Int32(2)));
    }
}
