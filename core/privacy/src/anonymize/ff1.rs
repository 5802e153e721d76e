//! Numbers and strings under NIST FF1 (SP 800-38G): a permutation of all values of one shape.
//!
//! One-radix values go through FF1 as they are. A value that mixes digits and letters is one number in a domain of mixed
//! radix; it goes through FF1 on bits, again and again until it falls into the domain (cycle walking, Black and Rogaway,
//! "Ciphers with arbitrary finite domains", 2002), on average less than twice.

use aes::cipher::{BlockCipherEncrypt, KeyInit};
use fpe::ff1::{FF1, FlexibleNumeralString, NumeralStringError};

/// Fewest values of a domain (SP 800-38G revision 1): below it, trying all of them is too easy.
pub(crate) const SMALLEST_DOMAIN: u128 = 1_000_000;

/// Which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Encrypt,
    Decrypt,
}

/// FF1 over numerals of one radix; `key` must have the cipher's length.
pub(crate) fn numerals<C: KeyInit + BlockCipherEncrypt + Clone>(
    way: Way,
    key: &[u8],
    tweak: &[u8],
    radix: u32,
    numerals: &[u16],
) -> Result<Vec<u16>, NumeralStringError> {
    let cipher = FF1::<C>::new(key, radix).map_err(|_| NumeralStringError::InvalidForRadix(radix))?;
    let given = FlexibleNumeralString::from(numerals.to_vec());
    Ok(match way {
        Way::Encrypt => cipher.encrypt(tweak, &given)?,
        Way::Decrypt => cipher.decrypt(tweak, &given)?,
    }
    .into())
}

/// FF1 with AES-256 over the numbers below `size`; `None` when the domain is too small or the number is not in it.
pub(crate) fn below(way: Way, key: &[u8; 32], tweak: &[u8], size: u128, number: u128) -> Option<u128> {
    if size < SMALLEST_DOMAIN || number >= size {
        return None;
    }
    let bits = 128 - (size - 1).leading_zeros();
    let mut number = number;
    loop {
        let given: Vec<u16> = (0..bits).rev().map(|bit| u16::from(number >> bit & 1 == 1)).collect();
        let walked = numerals::<aes::Aes256>(way, key, tweak, 2, &given).ok()?;
        number = walked.iter().fold(0, |number, bit| number << 1 | u128::from(*bit));
        // The walk ends: it follows a cycle of a permutation that starts inside the domain.
        if number < size {
            return Some(number);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn alphanumeric(text: &str) -> Vec<u16> {
        text.chars().map(|c| u16::try_from(c.to_digit(36).unwrap()).unwrap()).collect()
    }

    /// NIST, "FF1 samples" (Cryptographic Standards and Guidelines, examples with intermediate values), 1 to 9.
    #[test]
    fn the_samples_of_nist() {
        let key = "2b7e151628aed2a6abf7158809cf4f3cef4359d8d580aa4f7f036d6f04fc6a94";
        let digits = "0123456789";
        let longer = "0123456789abcdefghi";
        let (tweak, long_tweak) = ("39383736353433323130", "3737373770717273373737");
        let samples = [
            (16, "", 10, digits, "2433477484"),
            (16, tweak, 10, digits, "6124200773"),
            (16, long_tweak, 36, longer, "a9tv40mll9kdu509eum"),
            (24, "", 10, digits, "2830668132"),
            (24, tweak, 10, digits, "2496655549"),
            (24, long_tweak, 36, longer, "xbj3kv35jrawxv32ysr"),
            (32, "", 10, digits, "6657667009"),
            (32, tweak, 10, digits, "1001623463"),
            (32, long_tweak, 36, longer, "xs8a0azh2avyalyzuwd"),
        ];
        for (length, tweak, radix, plain, cipher) in samples {
            let (key, tweak) = (hex::decode(&key[..2 * length]).unwrap(), hex::decode(tweak).unwrap());
            let run = |way, text: &str| match length {
                16 => numerals::<aes::Aes128>(way, &key, &tweak, radix, &alphanumeric(text)).unwrap(),
                24 => numerals::<aes::Aes192>(way, &key, &tweak, radix, &alphanumeric(text)).unwrap(),
                _ => numerals::<aes::Aes256>(way, &key, &tweak, radix, &alphanumeric(text)).unwrap(),
            };
            assert_eq!(run(Way::Encrypt, plain), alphanumeric(cipher), "AES-{} radix {radix}", 8 * length);
            assert_eq!(run(Way::Decrypt, cipher), alphanumeric(plain), "AES-{} radix {radix}", 8 * length);
        }
    }

    #[test]
    fn a_walk_stays_in_its_domain_and_hits_no_value_twice() {
        let size = SMALLEST_DOMAIN + 7;
        let numbers: std::collections::BTreeSet<_> =
            (0..500).map(|number| below(Way::Encrypt, &[5; 32], b"t", size, number).unwrap()).collect();
        assert_eq!(numbers.len(), 500);
        assert!(numbers.iter().all(|number| *number < size));
        assert_eq!(below(Way::Encrypt, &[5; 32], b"t", SMALLEST_DOMAIN - 1, 3), None);
        assert_eq!(below(Way::Encrypt, &[5; 32], b"t", size, size), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_walk_has_a_way_back(size in SMALLEST_DOMAIN..=u128::MAX, number: u128, tweak: Vec<u8>) {
            let number = number % size;
            let there = below(Way::Encrypt, &[5; 32], &tweak, size, number).unwrap();
            prop_assert_eq!(below(Way::Decrypt, &[5; 32], &tweak, size, there), Some(number));
        }
    }
}
