//! ROUGE (Lin 2004) as rouge-score 0.1.2 computes it.
//!
//! rouge-score's own tokens are runs of `a-z0-9`: by them identical Thai, Chinese or Cyrillic texts overlap in nothing and score 0. For such
//! text use [`RougeTokens::Scripts`], which is ours and says so in its name; figures of the two are not comparable.

mod lcs;
mod rouge;

pub use rouge::{Prf, Rouge, RougeScores, RougeTokens};
