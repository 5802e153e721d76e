//! Bitcoin addresses: base58check (P2PKH, P2SH) and bech32 or bech32m (BIP 173, BIP 350).

use sha2::{Digest, Sha256};

use super::Verdict;

/// An address that starts with 1, 3 or bc1.
pub(crate) fn bitcoin(text: &str) -> Verdict {
    match text.as_bytes() {
        [b'1' | b'3', ..] => Verdict::sure(base58check(text.as_bytes())),
        [b'b', b'c', b'1', ..] => Verdict::sure(bech32(text)),
        _ => Verdict::Invalid,
    }
}

fn base58check(address: &[u8]) -> bool {
    const ALPHABET: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    // 25 bytes: a version, a hash of 20 and a checksum of 4. Kept as a number of base 256, most significant byte first.
    let mut bytes = [0_u8; 25];
    for character in address {
        let Some(place) = ALPHABET.iter().position(|known| known == character) else { return false };
        let mut carry = u32::try_from(place).unwrap_or(0);
        for byte in bytes.iter_mut().rev() {
            carry += u32::from(*byte) * 58;
            *byte = (carry % 256) as u8;
            carry /= 256;
        }
        if carry != 0 {
            return false;
        }
    }
    // A leading 1 stands for a leading zero byte; the two must agree, or the address would decode to another length.
    let ones = address.iter().take_while(|character| **character == b'1').count();
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let hash = Sha256::digest(Sha256::digest(&bytes[..21]));
    ones == zeros && hash[..4] == bytes[21..]
}

fn bech32(address: &str) -> bool {
    const CHARSET: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
    let (lower, upper) = (address.to_ascii_lowercase(), address.to_ascii_uppercase());
    if address != lower && address != upper || lower.len() > 90 {
        return false;
    }
    let Some((human, data)) = lower.rsplit_once('1') else { return false };
    if human.is_empty() || data.len() < 6 {
        return false;
    }
    let data: Option<Vec<u32>> = data
        .bytes()
        .map(|byte| CHARSET.iter().position(|known| *known == byte).and_then(|place| u32::try_from(place).ok()))
        .collect();
    let Some(data) = data else { return false };
    let expanded = human.bytes().map(|byte| u32::from(byte) >> 5);
    let expanded = expanded.chain([0]).chain(human.bytes().map(|byte| u32::from(byte) & 31)).chain(data);
    let checksum = expanded.fold(1_u32, |checksum, value| {
        let top = checksum >> 25;
        let shifted = (checksum & 0x01ff_ffff) << 5 ^ value;
        GENERATOR
            .iter()
            .enumerate()
            .fold(shifted, |sum, (bit, generator)| if top >> bit & 1 == 1 { sum ^ generator } else { sum })
    });
    checksum == 1 || checksum == 0x2bc8_30a3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_from_letters() {
        for good in [
            "16Yeky6GMjeNkAiNcBY7ZhrLoMSgg1BoyZ",
            "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy",
            "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq",
            "bc1p5d7rjq7g6rdk2yhzks9smlaqtedr4dekq08ge8ztwac72sfr9rusxg3297",
        ] {
            assert_eq!(bitcoin(good), Verdict::Valid, "{good}");
            let mut bad = good.to_string();
            bad.pop();
            bad.push('2');
            assert_eq!(bitcoin(&bad), Verdict::Invalid, "{bad}");
        }
    }
}
