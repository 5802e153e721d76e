//! Names and uids that the server makes, from the operating system's randomness.

use crate::status::Failure;

/// The letters of generated names: no vowels, no digits that look like letters, so no words.
const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

/// A random (version 4) UUID.
pub(crate) fn uid() -> Result<String, Failure> {
    let mut bytes: [u8; 16] = random()?;
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let text = hex::encode(bytes);
    Ok([&text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..]].join("-"))
}

/// `generateName` with five random letters.
pub(crate) fn generated_name(prefix: &str) -> Result<String, Failure> {
    let bytes: [u8; 5] = random()?;
    let most = 63 - bytes.len();
    let prefix: String = prefix.chars().take(most).collect();
    let letters = bytes.iter().map(|byte| char::from(LETTERS[usize::from(*byte) % LETTERS.len()]));
    Ok(prefix.chars().chain(letters).collect())
}

fn random<const N: usize>() -> Result<[u8; N], Failure> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|error| Failure::internal(format!("the operating system gives no randomness: {error}")))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    #[test]
    fn uids_and_names_have_their_shape() {
        let uid = super::uid().unwrap();
        assert_eq!(uid.len(), 36);
        assert_eq!(&uid[14..15], "4");
        let name = super::generated_name("g-").unwrap();
        assert_eq!(name.len(), 7);
        assert!(name.starts_with("g-"));
    }
}
