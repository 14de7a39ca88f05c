//! Prints sections.

use std::collections::HashMap;

use super::package::{OptionValue, Package, Section};

/// The name of each section in `uci show`; an anonymous one is `@TYPE[INDEX]`, its index among all sections of the type.
pub(crate) fn labels(package: &Package) -> Vec<String> {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    let mut labels = Vec::with_capacity(package.sections.len());
    for Section { kind, name, .. } in &package.sections {
        let index = counts.entry(kind.as_str()).or_default();
        labels.push(name.clone().unwrap_or_else(|| format!("@{kind}[{index}]")));
        *index += 1;
    }
    labels
}

/// Prints what `uci show PACKAGE` prints, byte for byte.
#[must_use]
pub fn show(package: &Package, package_name: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for (section, label) in package.sections.iter().zip(labels(package)) {
        out.extend_from_slice(format!("{package_name}.{label}={}\n", section.kind).as_bytes());
        for entry in &section.options {
            out.extend_from_slice(format!("{package_name}.{label}.{}=", entry.name).as_bytes());
            for (at, item) in entry.value.items().iter().enumerate() {
                if at > 0 {
                    out.push(b' ');
                }
                quote(&item.bytes, &mut out);
            }
            out.push(b'\n');
        }
    }
    out
}

/// Prints the sections as a UCI file. Parsing it gives the same sections but for their lines.
#[must_use]
pub fn print(package: &Package) -> Vec<u8> {
    let mut out = Vec::new();
    for section in &package.sections {
        out.extend_from_slice(b"\nconfig ");
        quote(section.kind.as_bytes(), &mut out);
        if let Some(name) = &section.name {
            out.push(b' ');
            quote(name.as_bytes(), &mut out);
        }
        out.push(b'\n');
        for entry in &section.options {
            let keyword = if matches!(entry.value, OptionValue::Text(_)) { "option" } else { "list" };
            for item in entry.value.items() {
                out.extend_from_slice(format!("\t{keyword} {} ", entry.name).as_bytes());
                quote(&item.bytes, &mut out);
                out.push(b'\n');
            }
        }
    }
    out
}

fn quote(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'\'');
    for &byte in bytes {
        if byte == b'\'' {
            out.extend_from_slice(br"'\''");
        } else {
            out.push(byte);
        }
    }
    out.push(b'\'');
}
