//! Attributes of blob.h: a 32-bit header `extended << 31 | id << 24 | length`, then the payload, padded to 4 bytes. The
//! length counts the header and not the padding.

/// Bytes of the header.
pub(super) const HEADER: usize = 4;

const EXTENDED: u32 = 1 << 31;
const LENGTH: u32 = 0x00ff_ffff;

/// Bytes that are not what blob.h or blobmsg.h demand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// An attribute is longer than what holds it, or shorter than its header.
    #[error("an attribute has an impossible length")]
    Length,
    /// A string or a name does not end with NUL.
    #[error("a string does not end where it should")]
    Text,
    /// A number of the wrong size.
    #[error("a number has the wrong size")]
    Number,
    /// Nested too deeply.
    #[error("the data is nested too deeply")]
    Depth,
}

/// One attribute.
#[derive(Debug, Clone, Copy)]
pub(super) struct RawAttribute<'a> {
    pub(super) extended: bool,
    pub(super) id: u8,
    pub(super) payload: &'a [u8],
}

impl RawAttribute<'_> {
    /// The payload as a 32-bit number.
    pub(super) fn number(&self) -> Result<u32, Malformed> {
        let bytes = self.payload.try_into().map_err(|_| Malformed::Number)?;
        Ok(u32::from_be_bytes(bytes))
    }

    /// The payload as a string.
    pub(super) fn text(&self) -> Result<String, Malformed> {
        text(self.payload)
    }
}

/// A string up to its first NUL, with what is not UTF-8 replaced.
pub(super) fn text(payload: &[u8]) -> Result<String, Malformed> {
    if payload.last() != Some(&0) {
        return Err(Malformed::Text);
    }
    let end = payload.iter().position(|&byte| byte == 0).unwrap_or(payload.len());
    Ok(String::from_utf8_lossy(&payload[..end]).into_owned())
}

/// The length that an attribute's header gives, with the header.
pub(super) fn length(header: [u8; HEADER]) -> usize {
    (u32::from_be_bytes(header) & LENGTH) as usize
}

/// Attributes that follow one another. Ends after an error.
pub(super) struct Attributes<'a>(pub(super) &'a [u8]);

impl<'a> Iterator for Attributes<'a> {
    type Item = Result<RawAttribute<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        let bytes = std::mem::take(&mut self.0);
        if bytes.is_empty() {
            return None;
        }
        let Some((header, _)) = bytes.split_first_chunk::<HEADER>() else { return Some(Err(Malformed::Length)) };
        let length = length(*header);
        if length < HEADER || length > bytes.len() {
            return Some(Err(Malformed::Length));
        }
        // What holds the last attribute may end without its padding.
        self.0 = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        let word = u32::from_be_bytes(*header);
        let id = header[0] & 0x7f;
        Some(Ok(RawAttribute { extended: word & EXTENDED != 0, id, payload: &bytes[HEADER..length] }))
    }
}

/// Appends an attribute whose payload is what `payload` appends. A length that the header cannot hold is cut off: whoever
/// sends it checks the whole.
pub(super) fn write(out: &mut Vec<u8>, extended: bool, id: u8, payload: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; HEADER]);
    payload(out);
    let length = u32::try_from(out.len() - start).unwrap_or(LENGTH) & LENGTH;
    let word = length | u32::from(id) << 24 | if extended { EXTENDED } else { 0 };
    out[start..start + HEADER].copy_from_slice(&word.to_be_bytes());
    pad(out, start);
}

/// Appends a string, up to its first NUL, and the NUL.
pub(super) fn write_text(out: &mut Vec<u8>, text: &str) {
    out.extend(text.bytes().take_while(|&byte| byte != 0));
    out.push(0);
}

/// Pads to 4 bytes, counted from `start`.
pub(super) fn pad(out: &mut Vec<u8>, start: usize) {
    let padded = start + (out.len() - start).next_multiple_of(4);
    out.resize(padded, 0);
}
