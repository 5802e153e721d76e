//! Quality: the names of all metrics, how answers are graded, and the mergeable sketches that carry the results.
//!
//! What everything else hangs on stands here: the [`WindowKey`], the [`registry`] of metric names, the sample schema.
//! It deliberately judges nothing: whether a value is good enough is `core/decay`'s question.
//!
//! The flow: an agent grades an answer ([`grade`]), folds the score into the [`Sketch`] of its [`WindowKey`], reports
//! closed windows; the controller merges replicas and slices and asks [`registry::Metric::value`] for the figure.

mod distribution;
mod evaluation;
pub mod grade;
pub mod registry;
mod sample;
mod sketch;
pub mod special;
mod window;
mod wire;

pub use distribution::DistributionSketch;
pub use evaluation::{EvaluationItem, EvaluationSet, EvaluationSetError, Grader, ItemScore, normalise_prompt};
pub use sample::{Label, Sample, SampleOrigin, SubjectHmac};
pub use sketch::{Estimate, Moments, Sketch, SketchError};
pub use window::{ModelKey, Slice, Source, Window, WindowKey};
