//! Reads DER (X.690) as far as describing a certificate requires. Any bytes give a value or `None`.

use crate::calendar::days_from_civil;
/// Universal tags, with the bit for constructed ones.
pub(super) mod tag {
    pub(crate) const INTEGER: u8 = 0x02;
    pub(crate) const BIT_STRING: u8 = 0x03;
    pub(crate) const OCTET_STRING: u8 = 0x04;
    pub(crate) const OID: u8 = 0x06;
    pub(crate) const UTF8_STRING: u8 = 0x0c;
    pub(crate) const PRINTABLE_STRING: u8 = 0x13;
    pub(crate) const T61_STRING: u8 = 0x14;
    pub(crate) const IA5_STRING: u8 = 0x16;
    pub(crate) const UTC_TIME: u8 = 0x17;
    pub(crate) const GENERALIZED_TIME: u8 = 0x18;
    pub(crate) const BMP_STRING: u8 = 0x1e;
    pub(crate) const SEQUENCE: u8 = 0x30;
    pub(crate) const SET: u8 = 0x31;
}

/// Reads a sequence of elements.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The bytes after the elements read so far.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.0
    }

    /// Returns the next element's tag and contents; `None` at the end, and for an indefinite length or one beyond the
    /// input.
    pub(super) fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            0x81..=0x84 => {
                let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                let length = bytes
                    .iter()
                    .try_fold(0_usize, |length, &byte| length.checked_mul(256)?.checked_add(usize::from(byte)))?;
                (length, rest)
            }
            _ => return None,
        };
        let (contents, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, contents))
    }

    /// Returns the contents of the next element if it has this tag.
    pub(super) fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        let mut ahead = *self;
        let (found, contents) = ahead.next()?;
        (found == tag).then(|| *self = ahead)?;
        Some(contents)
    }

    /// Returns a reader of the next element's contents if it has this tag.
    pub(super) fn enter(&mut self, tag: u8) -> Option<Self> {
        self.expect(tag).map(Self)
    }
}

/// Returns an object identifier in dotted form, `1.2.840.113549.1.1.1`; `None` if it is malformed or has an arc of 2^32
/// or more.
pub(super) fn dotted(oid: &[u8]) -> Option<String> {
    let mut arcs: Vec<u32> = Vec::new();
    let (mut arc, mut open) = (0_u32, false);
    for byte in oid {
        arc = arc.checked_mul(128)?.checked_add(u32::from(byte & 0x7f))?;
        open = byte & 0x80 != 0;
        if !open {
            arcs.push(arc);
            arc = 0;
        }
    }
    let (first, rest) = arcs.split_first()?;
    let root = (first / 40).min(2);
    let mut text = format!("{root}.{}", first - 40 * root);
    for arc in rest {
        text.push('.');
        text.push_str(&arc.to_string());
    }
    (!open).then_some(text)
}

/// Returns the text of a string type; `None` for other tags. Invalid parts become U+FFFD.
pub(super) fn text(tag: u8, contents: &[u8]) -> Option<String> {
    match tag {
        tag::UTF8_STRING | tag::PRINTABLE_STRING | tag::IA5_STRING => {
            Some(String::from_utf8_lossy(contents).into_owned())
        }
        tag::T61_STRING => Some(contents.iter().copied().map(char::from).collect()),
        tag::BMP_STRING => {
            let units = contents.chunks_exact(2).map(|unit| u16::from_be_bytes([unit[0], unit[1]]));
            Some(char::decode_utf16(units).map(|char| char.unwrap_or(char::REPLACEMENT_CHARACTER)).collect())
        }
        _ => None,
    }
}

/// Parses a time in the forms of RFC 5280 4.1.2.5 (with seconds, in UTC). Returns seconds since 1970.
pub(super) fn time(tag: u8, contents: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(contents).ok()?.strip_suffix('Z')?;
    let (year, rest) = match tag {
        tag::UTC_TIME => {
            let (year, rest) = text.split_at_checked(2)?;
            let year = digits(year)?;
            (if year < 50 { 2000 + year } else { 1900 + year }, rest)
        }
        tag::GENERALIZED_TIME => {
            let (year, rest) = text.split_at_checked(4)?;
            (digits(year)?, rest)
        }
        _ => return None,
    };
    if rest.len() != 10 {
        return None;
    }
    let field = |at: usize| rest.get(at..at + 2).and_then(digits);
    let (month, day) = (field(0)?, field(2)?);
    let (hour, minute, second) = (field(4)?, field(6)?, field(8)?);
    let valid = (1..=12).contains(&month) && (1..=31).contains(&day) && hour < 24 && minute < 60 && second < 60;
    valid.then(|| days_from_civil(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second)
}

fn digits(text: &str) -> Option<i64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::calendar::date;

    #[test]
    fn lengths_are_definite_and_within_the_input() {
        let read = |bytes: &'static [u8]| {
            let mut reader = Reader::new(bytes);
            reader.next().map(|(tag, contents)| (tag, contents, reader.rest()))
        };
        assert_eq!(read(&[4, 1, 7, 9]), Some((4, &[7][..], &[9][..])));
        assert_eq!(read(&[4, 0x81, 1, 7]), Some((4, &[7][..], &[][..])));
        assert_eq!(read(&[4, 0x82, 0, 1, 7]), Some((4, &[7][..], &[][..])));
        for bad in [
            &[][..],
            &[4],
            &[4, 2, 7],
            &[4, 0x80, 7, 0, 0],
            &[4, 0x82, 0],
            &[4, 0x84, 255, 255, 255, 255],
            &[4, 0x85, 0, 0, 0, 0, 1],
        ] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn identifiers_are_dotted() {
        assert_eq!(dotted(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1]).unwrap(), "1.2.840.113549.1.1.1");
        assert_eq!(dotted(&[0x55, 0x1d, 0x25]).unwrap(), "2.5.29.37");
        assert_eq!(dotted(&[0x88, 0x37]).unwrap(), "2.999");
        for bad in [&[][..], &[0x2a, 0x86], &[0x8f, 0xff, 0xff, 0xff, 0xff, 0x7f]] {
            assert_eq!(dotted(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn times_are_parsed() {
        let utc = |text: &str| time(tag::UTC_TIME, text.as_bytes());
        let generalized = |text: &str| time(tag::GENERALIZED_TIME, text.as_bytes());
        assert_eq!(utc("700101000000Z"), Some(0));
        assert_eq!(utc("491231235959Z"), Some(2_524_607_999));
        assert_eq!(utc("500101000000Z"), Some(-631_152_000));
        assert_eq!(generalized("20000229120001Z"), Some(951_825_601));
        assert_eq!(generalized("99991231235959Z"), Some(253_402_300_799));
        for bad in [
            "",
            "Z",
            "7001010000Z",
            "700101000000",
            "701301000000Z",
            "700100000000Z",
            "700101240000Z",
            "+00101000000Z",
            "70010100000\u{e9}Z",
        ] {
            assert_eq!(utc(bad), None, "{bad}");
        }
        assert_eq!(time(tag::OID, b"700101000000Z"), None);
    }

    #[test]
    fn dates_are_formatted() {
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(-1), "1969-12-31");
        assert_eq!(date(951_825_601), "2000-02-29");
        assert_eq!(date(253_402_300_799), "9999-12-31");
        date(i64::MAX);
        date(i64::MIN);
    }

    proptest! {
        #[test]
        fn dates_and_times_are_inverse(days in 0_i64..2_932_896) {
            let text = date(days * 86_400).replace('-', "");
            prop_assert_eq!(time(tag::GENERALIZED_TIME, format!("{text}000000Z").as_bytes()), Some(days * 86_400));
        }

        #[test]
        fn no_bytes_cause_a_panic(bytes: Vec<u8>, tag: u8) {
            let mut reader = Reader::new(&bytes);
            while reader.next().is_some() {}
            prop_assert!(reader.rest().len() <= bytes.len());
            dotted(&bytes);
            text(tag, &bytes);
            time(tag, &bytes);
        }
    }
}
