//! Z85 (ZeroMQ RFC 32): bytes as text that JSON need not escape, five characters for four bytes. Delta writes the UUIDs of
//! deletion vector files and inline vectors in it (PROTOCOL.md, "Deletion Vector Descriptor Schema").

/// Bytes of a word, and characters that stand for it.
const WORD_BYTES: usize = 4;
const WORD_CHARACTERS: usize = 5;

/// The characters in the order of what they count.
const ALPHABET: &[u8; 85] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

/// In place of what a character counts, for those that are not in [`ALPHABET`].
const NONE: u8 = u8::MAX;

/// What each character counts.
const COUNTS: [u8; 256] = {
    let mut counts = [NONE; 256];
    let mut at = 0;
    while at < ALPHABET.len() {
        counts[ALPHABET[at] as usize] = at as u8;
        at += 1;
    }
    counts
};

/// The text of these bytes, which are filled up with zeros to a whole word: who decodes it has to know how many there were.
pub(super) fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(WORD_BYTES) * WORD_CHARACTERS);
    for chunk in bytes.chunks(WORD_BYTES) {
        let mut word = [0; WORD_BYTES];
        word[..chunk.len()].copy_from_slice(chunk);
        let word = u32::from_be_bytes(word);
        text.extend((0..WORD_CHARACTERS as u32).rev().map(|place| {
            let count = word / 85u32.pow(place) % 85;
            char::from(ALPHABET[count as usize])
        }));
    }
    text
}

/// The bytes of this text, always whole words; `None` if it is no Z85.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(WORD_CHARACTERS) {
        return None;
    }
    let mut bytes = Vec::with_capacity(text.len() / WORD_CHARACTERS * WORD_BYTES);
    for characters in text.as_bytes().chunks_exact(WORD_CHARACTERS) {
        let word = characters.iter().try_fold(0u64, |word, character| {
            let count = COUNTS[usize::from(*character)];
            (count != NONE).then(|| word * 85 + u64::from(count))
        })?;
        // Five characters can say more than four bytes hold.
        bytes.extend(u32::try_from(word).ok()?.to_be_bytes());
    }
    Some(bytes)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_example_of_the_standard_and_texts_that_are_none() {
        let bytes = [0x86, 0x4f, 0xd2, 0x6f, 0xb5, 0x59, 0xf7, 0x5b];
        assert_eq!(encode(&bytes), "HelloWorld");
        assert_eq!(decode("HelloWorld").unwrap(), bytes);
        assert_eq!((encode(b""), decode("")), (String::new(), Some(Vec::new())));
        assert_eq!(encode(&[0xff; 4]), "%nSc0");
        for bad in
            ["a", "HelloWorl", "Hello World", "Hell\"", "Hell\\", "Hell~", "%nSc1", "#####", "ä000", "\0\0\0\0\0"]
        {
            assert_eq!(decode(bad), None, "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn bytes_come_back_filled_up_with_zeros(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let mut back = decode(&encode(&bytes)).unwrap();
            prop_assert_eq!(back.len(), bytes.len().next_multiple_of(WORD_BYTES));
            prop_assert!(back.drain(bytes.len()..).all(|byte| byte == 0));
            prop_assert_eq!(back, bytes);
        }
    }
}
