//! Bytes that may be a password: wiped when dropped, without copies left behind by growing.

use std::ops::Deref;

use zeroize::Zeroizing;

/// The bytes of a value.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Bytes(Zeroizing<Vec<u8>>);

impl Bytes {
    /// Appends a byte.
    pub(super) fn push(&mut self, byte: u8) {
        if self.0.len() == self.0.capacity() {
            // A Vec does not wipe the memory it leaves when it grows.
            let mut larger = Zeroizing::new(Vec::with_capacity((2 * self.0.capacity()).max(32)));
            larger.extend_from_slice(&self.0);
            self.0 = larger;
        }
        self.0.push(byte);
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::Bytes;

    #[test]
    fn growing_keeps_all_bytes() {
        let mut bytes = Bytes::default();
        let expected: Vec<u8> = (0..=255).cycle().take(10_000).collect();
        for byte in &expected {
            bytes.push(*byte);
        }
        assert!(bytes[..] == expected && bytes == Bytes::from(expected));
    }
}
