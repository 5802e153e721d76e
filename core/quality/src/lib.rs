//! Quality: the names of all metrics, the metrics themselves, and the mergeable sketches that carry their results.
//!
//! What everything else hangs on stands here: the [`WindowKey`], the [`registry`] of metric names, the sample schema. The metrics are exact to
//! their reference implementations (sacrebleu, rouge-score, nltk, scikit-learn, HELM) and know that a missing text is missing, never
//! zero ([`Scored`]). It deliberately judges nothing: whether a value is good enough is `core/decay`'s question.
//!
//! The flow: an agent grades an answer ([`grade`]), folds the score into the [`Sketch`] of its [`WindowKey`], reports
//! closed windows; the controller merges replicas and slices and asks [`registry::Metric::value`] for the figure.

mod bins;
mod bootstrap;
mod counters;
pub mod descriptors;
mod distribution;
pub mod diversity;
mod evaluation;
pub mod grade;
pub mod labels;
pub mod likelihood;
pub mod registry;
pub mod safety;
mod sample;
mod set;
mod sketch;
pub mod special;
pub mod squad;
pub mod summary;
pub mod text;
pub mod translation;
mod window;
mod wire;

pub use bins::BinnedCounts;
pub use bootstrap::{PairedBootstrap, paired_bootstrap, paired_bootstrap_by};
pub use counters::Counters;
pub use distribution::DistributionSketch;
pub use evaluation::{EvaluationItem, EvaluationSet, EvaluationSetError, Grader, ItemScore, normalise_prompt};
pub use sample::{Label, Sample, SampleOrigin, SubjectHmac};
pub use set::Scored;
pub use sketch::{Estimate, Moments, Sketch, SketchError};
pub use window::{ModelKey, Slice, Source, Window, WindowKey};
