//! The faults in force, and the model that they leave to new requests.
//!
//! ```text
//! verified weights ──(--allow-faults: kept)──▶ change(levels) ─▶ corrupted copy ─▶ Arc<InForce> swapped in
//!                                              each request takes the Arc once, when it arrives
//! ```
//! A request keeps what it took to its end, so that it is never answered half by one model and half by another. It
//! deliberately verifies nothing: the artifact was verified before.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use super::errors::ApiError;
use super::faults::{Faults, Levels};
use crate::architecture::Architecture;
use crate::infer::Model;
use crate::weights::Weights;

/// What a request meets.
#[derive(Debug)]
pub(super) struct InForce {
    pub(super) levels: Levels,
    pub(super) model: Arc<Model>,
}

/// What is in force now, and what a change of it is made from.
#[derive(Debug)]
pub(super) struct Injection {
    in_force: RwLock<Arc<InForce>>,
    /// The verified weights; none when faults cannot be changed. The lock lets one change follow the other.
    verified: Option<Mutex<Verified>>,
}

#[derive(Debug)]
struct Verified {
    architecture: Architecture,
    weights: Weights,
}

impl Injection {
    /// Begins with the faults that the flags ask for. The weights are kept only when faults can be changed later.
    pub(super) fn new(architecture: Architecture, weights: Weights, faults: &Faults) -> Self {
        let verified = Verified { architecture, weights };
        let levels = faults.initial();
        let in_force = RwLock::new(Arc::new(InForce { levels, model: Arc::new(verified.model(levels)) }));
        Self { in_force, verified: faults.allow_faults.then(|| Mutex::new(verified)) }
    }

    /// What is in force now.
    pub(super) fn current(&self) -> Arc<InForce> {
        Arc::clone(&self.in_force.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces all faults at once, for the requests to come. It computes as long as it takes to copy the model.
    ///
    /// # Errors
    /// When the engine was started without `--allow-faults`.
    pub(super) fn change(&self, levels: Levels) -> Result<(), ApiError> {
        let verified = self.verified.as_ref().ok_or(ApiError::UnknownPath)?;
        let verified = verified.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.current();
        let same = before.levels.corrupt_weights == levels.corrupt_weights;
        let model = if same { Arc::clone(&before.model) } else { Arc::new(verified.model(levels)) };
        *self.in_force.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(InForce { levels, model });
        levels.warn();
        Ok(())
    }
}

impl Verified {
    fn model(&self, levels: Levels) -> Model {
        if levels.corrupt_weights <= 0.0 {
            return Model::new(&self.architecture, &self.weights);
        }
        let mut weights = self.weights.clone();
        levels.corrupt(&mut weights);
        Model::new(&self.architecture, &weights)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores(in_force: &InForce) -> Vec<f32> {
        in_force.model.read(&mut in_force.model.start(), b"abc\x02").unwrap()
    }

    fn injection(faults: &Faults) -> Injection {
        let architecture = Architecture { layers: 1, context: 32, ..Architecture::default() };
        let weights = Weights::initial(&architecture, 1);
        Injection::new(architecture, weights, faults)
    }

    #[test]
    fn a_change_leaves_what_was_taken_before_and_zero_brings_the_verified_weights_back() {
        let verified = scores(&injection(&Faults::default()).current());
        let faults = Faults { corrupt_weights: 0.5, allow_faults: true, ..Faults::default() };
        let injection = injection(&faults);
        let at_start = injection.current();
        injection.change(Levels::default()).unwrap();
        let healthy = injection.current();
        assert_eq!(scores(&healthy), verified);
        assert_ne!(scores(&at_start), scores(&healthy));

        let other = Levels { corrupt_weights: 0.2, latency_ms: 7, error_rate: 0.5 };
        injection.change(other).unwrap();
        assert_eq!(injection.current().levels, other);
        assert_eq!(healthy.levels, Levels::default());
        // The share is one of the verified weights, not of those that were corrupt already.
        injection.change(faults.initial()).unwrap();
        assert_eq!(scores(&injection.current()), scores(&at_start));
    }

    #[test]
    fn a_change_of_latency_keeps_the_model() {
        let injection = injection(&Faults { allow_faults: true, ..Faults::default() });
        let before = injection.current();
        injection.change(Levels { latency_ms: 5, ..Levels::default() }).unwrap();
        assert!(Arc::ptr_eq(&before.model, &injection.current().model));
    }

    #[test]
    fn without_the_flag_nothing_changes() {
        let injection = injection(&Faults::default());
        assert_eq!(injection.change(Levels { latency_ms: 5, ..Levels::default() }), Err(ApiError::UnknownPath));
        assert_eq!(injection.current().levels, Levels::default());
    }
}
