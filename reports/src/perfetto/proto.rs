//! The wire format of protocol buffers, as far as writing goes.
//!
//! A field is a key (`number << 3 | wire type`) and a value: a varint (type 0: seven bits a byte, least
//! significant first, the top bit set on all but the last), eight bytes (type 1), or a length and that
//! many bytes (type 2: strings and nested messages).

const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const BYTES: u64 = 2;

/// A message under construction.
#[derive(Debug, Default)]
pub(super) struct Message {
    bytes: Vec<u8>,
}

impl Message {
    /// The written form.
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Starts over, keeping the memory.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
    }

    /// An integer, enum or bool field.
    pub(super) fn varint(&mut self, field: u64, value: u64) {
        self.raw_varint(field << 3 | VARINT);
        self.raw_varint(value);
    }

    /// A `fixed64` field.
    pub(super) fn fixed64(&mut self, field: u64, value: u64) {
        self.raw_varint(field << 3 | FIXED64);
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    /// A `double` field.
    pub(super) fn double(&mut self, field: u64, value: f64) {
        self.fixed64(field, value.to_bits());
    }

    /// A string field.
    pub(super) fn string(&mut self, field: u64, value: &str) {
        self.bytes_field(field, value.as_bytes());
    }

    /// A nested message.
    pub(super) fn message(&mut self, field: u64, fill: impl FnOnce(&mut Message)) {
        let mut inner = Message::default();
        fill(&mut inner);
        self.bytes_field(field, inner.as_bytes());
    }

    /// Bytes, or a message that is already written.
    pub(super) fn bytes_field(&mut self, field: u64, bytes: &[u8]) {
        self.raw_varint(field << 3 | BYTES);
        self.raw_varint(bytes.len() as u64);
        self.bytes.extend_from_slice(bytes);
    }

    fn raw_varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(fill: impl FnOnce(&mut Message)) -> Vec<u8> {
        let mut message = Message::default();
        fill(&mut message);
        message.bytes
    }

    #[test]
    fn varints_are_those_of_the_encoding_guide() {
        assert_eq!(bytes(|m| m.varint(1, 150)), [0x08, 0x96, 0x01]);
        assert_eq!(bytes(|m| m.varint(1, u64::MAX)).len(), 1 + 10);
    }

    #[test]
    fn strings_and_messages_carry_their_length() {
        assert_eq!(bytes(|m| m.string(2, "testing")), b"\x12\x07testing");
        assert_eq!(bytes(|m| m.message(3, |n| n.varint(1, 150))), [0x1a, 3, 0x08, 0x96, 0x01]);
    }

    #[test]
    fn fixed_fields_are_little_endian() {
        assert_eq!(bytes(|m| m.fixed64(1, 1)), [0x09, 1, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(bytes(|m| m.double(1, 1.0))[1..], 1.0f64.to_le_bytes());
    }
}
