//! The weights of a model by name: what `model.safetensors` holds.
//!
//! This is the one form in which weights move between training (burn), inference (plain slices), checkpoints and disk.
//! Matrices are row-major `[in, out]`: `output = input · matrix`.

use std::collections::BTreeMap;

use safetensors::tensor::{Dtype, TensorView};

use crate::architecture::{Architecture, VOCABULARY};
use crate::chance::Chance;

/// One named tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct Values {
    /// Its dimensions.
    pub shape: Vec<usize>,
    /// Row-major values.
    pub values: Vec<f32>,
}

/// All tensors of a model, by name.
#[derive(Clone, Debug, PartialEq)]
pub struct Weights(BTreeMap<String, Values>);

/// A weights file that does not fit its architecture.
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    /// Not a safetensors file.
    #[error("the weights are not in the safetensors format: take the file from a finished training run")]
    Format(#[from] safetensors::SafeTensorError),
    /// A tensor is missing, too many, or of another type or shape.
    #[error(
        "tensor \"{name}\" is {found}, the architecture needs {expected}: config.json and weights are of two models"
    )]
    Tensor {
        /// The tensor's name.
        name: String,
        /// What the file has.
        found: String,
        /// What the architecture needs.
        expected: String,
    },
}

/// A tensor that an architecture needs: its name, shape and the standard deviation it starts with (`None`: all ones).
pub(crate) struct Slot {
    pub(crate) name: String,
    pub(crate) shape: Vec<usize>,
    start: Option<f64>,
}

/// Every tensor of `architecture`, in the order in which training numbers its parameters.
pub(crate) fn slots(architecture: &Architecture) -> Vec<Slot> {
    let Architecture { layers, width, experts, expert_width, context, previous_bytes, .. } = *architecture;
    let mut slots = Vec::new();
    let mut slot = |name: String, shape: &[usize], start| slots.push(Slot { name, shape: shape.to_vec(), start });
    let into_width = (1.0 / width as f64).sqrt();
    // Every layer adds twice to the residual stream: what goes in there starts smaller the deeper the model is.
    let residual = 1.0 / (2.0 * layers as f64).sqrt();
    slot("embedding.byte".into(), &[VOCABULARY, width], Some(0.05));
    slot("embedding.position".into(), &[context, width], Some(0.02));
    slot("embedding.previous".into(), &[previous_bytes * VOCABULARY, width], Some(0.05));
    for layer in 0..layers {
        let name = |part: &str| format!("layers.{layer}.{part}");
        slot(name("attention.norm"), &[width], None);
        slot(name("attention.qkv"), &[width, 3 * width], Some(into_width));
        slot(name("attention.output"), &[width, width], Some(into_width * residual));
        slot(name("experts.norm"), &[width], None);
        slot(name("experts.router"), &[width, experts], Some(into_width));
        for expert in 0..experts {
            slot(name(&format!("experts.{expert}.up")), &[width, expert_width], Some(into_width));
            let down = (1.0 / expert_width as f64).sqrt() * residual;
            slot(name(&format!("experts.{expert}.down")), &[expert_width, width], Some(down));
        }
    }
    slot("norm".into(), &[width], None);
    slots
}

impl Weights {
    /// Fresh weights, the same for the same architecture and seed.
    #[must_use]
    pub fn initial(architecture: &Architecture, seed: u64) -> Self {
        let tensors = slots(architecture).into_iter().enumerate().map(|(number, slot)| {
            let mut chance = Chance::new(seed, "weights", number as u64);
            let length = slot.shape.iter().product();
            let values = match slot.start {
                None => vec![1.0; length],
                Some(deviation) => (0..length).map(|_| (chance.normal() * deviation) as f32).collect(),
            };
            (slot.name, Values { shape: slot.shape, values })
        });
        Self(tensors.collect())
    }

    /// Weights from tensors in the order of the architecture's slots.
    pub(crate) fn in_order(architecture: &Architecture, tensors: Vec<Vec<f32>>) -> Self {
        let named = slots(architecture).into_iter().zip(tensors);
        Self(named.map(|(slot, values)| (slot.name, Values { shape: slot.shape, values })).collect())
    }

    /// The tensor called `name`; an empty slice when there is none, which [`Weights::parse`] and
    /// [`Weights::initial`] rule out for the names of their architecture.
    #[must_use]
    pub fn values(&self, name: &str) -> &[f32] {
        self.0.get(name).map_or(&[], |tensor| &tensor.values)
    }

    /// How many numbers the model has.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.values().map(|tensor| tensor.values.len()).sum()
    }

    /// Every tensor's values, to be changed in place.
    pub(crate) fn each_mut(&mut self) -> impl Iterator<Item = &mut Vec<f32>> {
        self.0.values_mut().map(|tensor| &mut tensor.values)
    }

    #[cfg(test)]
    pub(crate) fn by_name_mut(&mut self, name: &str) -> &mut [f32] {
        &mut self.0.get_mut(name).unwrap().values
    }

    /// Whether every value is a finite number.
    #[must_use]
    pub fn finite(&self) -> bool {
        self.0.values().all(|tensor| tensor.values.iter().all(|value| value.is_finite()))
    }

    /// The bytes of a safetensors file; the same weights give the same bytes.
    ///
    /// # Errors
    /// When the format itself refuses the tensors.
    pub fn to_safetensors(&self) -> Result<Vec<u8>, WeightsError> {
        let bytes: Vec<(&String, &Values, Vec<u8>)> = self
            .0
            .iter()
            .map(|(name, tensor)| (name, tensor, tensor.values.iter().flat_map(|value| value.to_le_bytes()).collect()))
            .collect();
        let views = bytes
            .iter()
            .map(|(name, tensor, raw)| Ok((name.as_str(), TensorView::new(Dtype::F32, tensor.shape.clone(), raw)?)))
            .collect::<Result<Vec<_>, safetensors::SafeTensorError>>()?;
        Ok(safetensors::serialize(views, None)?)
    }

    /// Weights from the bytes of a safetensors file, exactly those that `architecture` needs.
    ///
    /// # Errors
    /// When it is no such file, or a tensor is missing, too many, or of another type or shape.
    pub fn parse(architecture: &Architecture, bytes: &[u8]) -> Result<Self, WeightsError> {
        let file = safetensors::SafeTensors::deserialize(bytes)?;
        let mut tensors = BTreeMap::new();
        for slot in slots(architecture) {
            let mismatch = |found: String| WeightsError::Tensor {
                name: slot.name.clone(),
                found,
                expected: format!("F32 {:?}", slot.shape),
            };
            let view = file.tensor(&slot.name).map_err(|_| mismatch("missing".to_owned()))?;
            if view.dtype() != Dtype::F32 || view.shape() != slot.shape {
                return Err(mismatch(format!("{:?} {:?}", view.dtype(), view.shape())));
            }
            let values = view.data().as_chunks::<4>().0.iter().map(|raw| f32::from_le_bytes(*raw)).collect();
            tensors.insert(slot.name, Values { shape: slot.shape, values });
        }
        if let Some(name) = file.names().into_iter().find(|name| !tensors.contains_key(*name)) {
            return Err(WeightsError::Tensor {
                name: name.to_owned(),
                found: "present".to_owned(),
                expected: "no such tensor".to_owned(),
            });
        }
        Ok(Self(tensors))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tiny() -> Architecture {
        Architecture { layers: 1, width: 8, heads: 2, experts: 2, expert_width: 4, context: 16, ..Default::default() }
    }

    #[test]
    fn weights_survive_the_file_and_repeat_for_a_seed() {
        let weights = Weights::initial(&tiny(), 3);
        let bytes = weights.to_safetensors().unwrap();
        assert_eq!(Weights::parse(&tiny(), &bytes).unwrap(), weights);
        assert_eq!(Weights::initial(&tiny(), 3).to_safetensors().unwrap(), bytes);
        assert_ne!(Weights::initial(&tiny(), 4), weights);
    }

    #[test]
    fn another_architecture_is_refused_by_tensor_name() {
        let bytes = Weights::initial(&tiny(), 3).to_safetensors().unwrap();
        let wider = Architecture { expert_width: 6, ..tiny() };
        let error = Weights::parse(&wider, &bytes).unwrap_err().to_string();
        assert!(error.contains("layers.0.experts.0.up") && error.contains("[8, 6]"), "{error}");
        let fewer = Architecture { experts: 1, top_k: 1, ..tiny() };
        assert!(Weights::parse(&fewer, &bytes).is_err());
        assert!(Weights::parse(&tiny(), b"nonsense").is_err());
    }
}
