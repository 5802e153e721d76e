//! What answers must not do: be toxic, leak personal data, favour groups, or fall over at a typing mistake. After HELM (Liang et al. 2022).

mod folding;
mod lexicon;
mod perturb;
mod rates;
mod representation;
mod robustness;

pub use lexicon::{LexiconError, LexiconHit, ToxicityLexicon};
pub use perturb::Perturbation;
pub use rates::{ToxicityClassifier, expected_maximum_toxicity, leakage_rate, toxic_fraction};
pub use representation::{Group, gender_groups, representation_bias};
pub use robustness::robustness_drop;
