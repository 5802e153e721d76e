//! Scripts that put no spaces between words.

/// Whether the script of `character` is written without spaces between words, so that its characters have to be the tokens: Han and its
/// relatives, kana, Thai, Lao, Khmer, Myanmar, Tibetan. (Korean has spaces.)
pub(crate) fn is_unspaced(character: char) -> bool {
    matches!(character as u32,
        0x0e00..=0x0eff // Thai, Lao
        | 0x0f00..=0x0fff // Tibetan
        | 0x1000..=0x109f // Myanmar
        | 0x1780..=0x17ff // Khmer
        | 0x19e0..=0x19ff // Khmer symbols
        | 0x2e80..=0x2fdf // radicals
        | 0x3005..=0x3007 | 0x3021..=0x3029
        | 0x3041..=0x30ff // kana
        | 0x3105..=0x312f // Bopomofo
        | 0x31a0..=0x31bf | 0x31f0..=0x31ff
        | 0x3400..=0x4dbf | 0x4e00..=0x9fff | 0xf900..=0xfaff
        | 0xa9e0..=0xa9ff | 0xaa60..=0xaa7f // Myanmar extensions
        | 0xff66..=0xff9d // halfwidth katakana
        | 0x1b000..=0x1b16f
        | 0x2_0000..=0x3_ffff)
}
