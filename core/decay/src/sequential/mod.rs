//! Sequential detectors: one observation at a time, a signal when the stream has changed.
//!
//! Those known from River behave as river 0.26.1 does, index for index, defaults included: they are the peers to be compared with.
//! Their defaults state no false-alarm rate. For alerting use [`Cusum`], [`BernoulliCusum`], [`Ewma`] or [`PageHinkley`] with a limit
//! that [`crate::Calibration`]'s neighbours in this crate compute or that was measured for the run length wanted.
//!
//! Every detector begins anew with the observation after a drift. A value that is no number is no observation: it changes nothing and
//! signals nothing. For a canary beside its stable version use the e-process of `core/rollout`, which may be looked at any time.

mod adwin;
mod cusum;
mod ddm;
mod eddm;
mod ewma;
mod fhddm;
mod hddm_a;
mod hddm_w;
mod kswin;
mod page_hinkley;
mod python_random;
mod running;

pub use adwin::Adwin;
pub use cusum::{BernoulliCusum, Cusum};
pub use ddm::Ddm;
pub use eddm::Eddm;
pub use ewma::Ewma;
pub use fhddm::Fhddm;
pub use hddm_a::HddmA;
pub use hddm_w::HddmW;
pub use kswin::Kswin;
pub use page_hinkley::{Direction, PageHinkley};
pub use python_random::PythonRandom;

/// What a detector says after an observation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Signal {
    /// The stream has changed; the detector begins anew with the next observation.
    pub drift: bool,
    /// It may be about to.
    pub warning: bool,
}

impl Signal {
    const QUIET: Self = Self { drift: false, warning: false };

    const fn drift(drift: bool) -> Self {
        Self { drift, warning: false }
    }
}

/// A sequential change detector.
pub trait Detector {
    /// Takes one observation. Binary detectors take 1 for an error and 0 for a success.
    fn update(&mut self, value: f64) -> Signal;
}
