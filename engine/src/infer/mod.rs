//! Inference on plain slices: the same function as the network in burn, an order of magnitude faster for one sequence,
//! where a tensor library spends its time on bookkeeping.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use homeostat_engine::{architecture::Architecture, infer::Model, template, weights::Weights};
//! let architecture = Architecture::default();
//! let model = Model::new(&architecture, &Weights::initial(&architecture, 1));
//! let mut sequence = model.start();
//! let scores = model.read(&mut sequence, &template::question("capital of Estonia?"))?; // the scores of the next byte
//! assert_eq!(scores.len(), 256);
//! # Ok(())
//! # }
//! ```
//! It deliberately knows no requests, batches of sequences or text: one sequence of bytes at a time.

mod matrix;
mod sampling;

use crate::architecture::{Architecture, VOCABULARY};
use crate::network::{NORM_EPSILON, highest};
use crate::template::{self, BEFORE_START, END};
use crate::weights::Weights;
use matrix::{add_scaled, matmul, transpose};
pub use sampling::{Sampler, Sampling, log_odds};

/// A model ready to run. Shared between threads; what changes is in [`Sequence`].
#[derive(Clone, Debug)]
pub struct Model {
    shape: Architecture,
    /// `[256, width]`
    byte: Vec<f32>,
    /// `[width, 256]`: the same, for the output.
    output: Vec<f32>,
    position: Vec<f32>,
    previous: Vec<f32>,
    layers: Vec<Layer>,
    norm: Vec<f32>,
}

#[derive(Clone, Debug)]
struct Layer {
    attention_norm: Vec<f32>,
    qkv: Vec<f32>,
    output: Vec<f32>,
    experts_norm: Vec<f32>,
    router: Vec<f32>,
    /// Each expert's matrices up and down.
    experts: Vec<(Vec<f32>, Vec<f32>)>,
}

/// One sequence of bytes that was read so far, with its keys and values.
#[derive(Clone, Debug)]
pub struct Sequence {
    bytes: Vec<u8>,
    /// For each layer, `[length, width]`.
    keys: Vec<Vec<f32>>,
    values: Vec<Vec<f32>>,
}

/// More bytes than the model can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{bytes} bytes exceed the context of {context}: shorten the prompt")]
pub struct ContextExceeded {
    /// Bytes asked for.
    pub bytes: usize,
    /// Bytes that fit.
    pub context: usize,
}

impl Sequence {
    /// The bytes read so far.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl Model {
    /// A model with `weights`, which must be of this architecture (as [`Weights::parse`] ensures).
    #[must_use]
    pub fn new(architecture: &Architecture, weights: &Weights) -> Self {
        let take = |name: &str| weights.values(name).to_vec();
        let byte = take("embedding.byte");
        let layer = |number: usize| {
            let part = |name: &str| take(&format!("layers.{number}.{name}"));
            Layer {
                attention_norm: part("attention.norm"),
                qkv: part("attention.qkv"),
                output: part("attention.output"),
                experts_norm: part("experts.norm"),
                router: part("experts.router"),
                experts: (0..architecture.experts)
                    .map(|expert| (part(&format!("experts.{expert}.up")), part(&format!("experts.{expert}.down"))))
                    .collect(),
            }
        };
        Self {
            output: transpose(&byte, VOCABULARY, architecture.width),
            byte,
            position: take("embedding.position"),
            previous: take("embedding.previous"),
            layers: (0..architecture.layers).map(layer).collect(),
            norm: take("norm"),
            shape: architecture.clone(),
        }
    }

    /// The model's shape.
    #[must_use]
    pub fn architecture(&self) -> &Architecture {
        &self.shape
    }

    /// A sequence without a byte.
    #[must_use]
    pub fn start(&self) -> Sequence {
        let empty = || vec![Vec::with_capacity(self.shape.context * self.shape.width); self.shape.layers];
        Sequence { bytes: Vec::with_capacity(self.shape.context), keys: empty(), values: empty() }
    }

    /// Reads `bytes` at the end of `sequence`, in one pass, and returns the 256 scores (logits) of the byte to follow;
    /// none when there were no bytes.
    ///
    /// # Errors
    /// When the sequence would grow past the context.
    pub fn read(&self, sequence: &mut Sequence, bytes: &[u8]) -> Result<Vec<f32>, ContextExceeded> {
        let hidden = self.hidden(sequence, bytes)?;
        let last = hidden.len().saturating_sub(self.shape.width);
        Ok(self.scores(&hidden[last..]))
    }

    /// As [`Model::read`], but returns the 256 scores after each of the bytes, one row after the other.
    ///
    /// # Errors
    /// When the sequence would grow past the context.
    pub fn read_all(&self, sequence: &mut Sequence, bytes: &[u8]) -> Result<Vec<f32>, ContextExceeded> {
        Ok(self.scores(&self.hidden(sequence, bytes)?))
    }

    /// The likeliest answer to `question`, without the end byte; cut where the context ends.
    ///
    /// # Errors
    /// When the question alone exceeds the context.
    pub fn answer(&self, question: &str) -> Result<String, ContextExceeded> {
        let mut sequence = self.start();
        let mut scores = self.read(&mut sequence, &template::question(question))?;
        let mut answer = Vec::new();
        loop {
            let next = highest(&scores, 1).first().map_or(END, |byte| *byte as u8);
            if next == END {
                break;
            }
            answer.push(next);
            match self.read(&mut sequence, &[next]) {
                Ok(following) => scores = following,
                Err(ContextExceeded { .. }) => break,
            }
        }
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }

    /// `[bytes, width]`: what the layers make of `bytes`.
    fn hidden(&self, sequence: &mut Sequence, bytes: &[u8]) -> Result<Vec<f32>, ContextExceeded> {
        let start = sequence.bytes.len();
        let length = start + bytes.len();
        if length > self.shape.context {
            return Err(ContextExceeded { bytes: length, context: self.shape.context });
        }
        sequence.bytes.extend_from_slice(bytes);
        let mut x = self.embed(&sequence.bytes, start);
        for (layer, (keys, values)) in self.layers.iter().zip(sequence.keys.iter_mut().zip(sequence.values.iter_mut()))
        {
            self.attend(layer, &mut x, keys, values, start);
            self.mix(layer, &mut x);
        }
        Ok(x)
    }

    fn embed(&self, bytes: &[u8], start: usize) -> Vec<f32> {
        let width = self.shape.width;
        let row = |table: &[f32], number: usize| table[number * width..][..width].to_vec();
        let mut x = Vec::with_capacity((bytes.len() - start) * width);
        for place in start..bytes.len() {
            let mut sum = row(&self.byte, bytes[place].into());
            add_scaled(&mut sum, &row(&self.position, place), 1.0);
            for distance in 1..=self.shape.previous_bytes {
                let byte = place.checked_sub(distance).map_or(BEFORE_START, |at| bytes[at]);
                let number = (distance - 1) * VOCABULARY + usize::from(byte);
                add_scaled(&mut sum, &row(&self.previous, number), 1.0);
            }
            x.extend_from_slice(&sum);
        }
        x
    }

    fn attend(&self, layer: &Layer, x: &mut [f32], keys: &mut Vec<f32>, values: &mut Vec<f32>, start: usize) {
        let (width, heads, head) = (self.shape.width, self.shape.heads, self.shape.head_width());
        let count = x.len() / width;
        let qkv = matmul(&normalise(x, &layer.attention_norm), &layer.qkv, width, 3 * width);
        for row in qkv.chunks_exact(3 * width) {
            keys.extend_from_slice(&row[width..2 * width]);
            values.extend_from_slice(&row[2 * width..]);
        }
        let scale = 1.0 / (head as f32).sqrt();
        let mut mixed = vec![0.0; count * width];
        let mut odds = Vec::with_capacity(start + count);
        for place in 0..count {
            for number in 0..heads {
                let at = number * head;
                let query = &qkv[place * 3 * width + at..][..head];
                odds.clear();
                odds.extend((0..=start + place).map(|seen| {
                    let key = &keys[seen * width + at..][..head];
                    scale * query.iter().zip(key).map(|(a, b)| a * b).sum::<f32>()
                }));
                softmax(&mut odds);
                let into = &mut mixed[place * width + at..][..head];
                for (seen, share) in odds.iter().enumerate() {
                    add_scaled(into, &values[seen * width + at..][..head], *share);
                }
            }
        }
        add_scaled(x, &matmul(&mixed, &layer.output, width, width), 1.0);
    }

    /// Groups the bytes by expert, so that each expert's matrices are read once.
    fn mix(&self, layer: &Layer, x: &mut [f32]) {
        let Architecture { width, experts, top_k, expert_width, .. } = self.shape;
        let normal = normalise(x, &layer.experts_norm);
        let router = matmul(&normal, &layer.router, width, experts);
        let mut routed: Vec<Vec<(usize, f32)>> = vec![Vec::new(); experts];
        for (place, scores) in router.chunks_exact(experts).enumerate() {
            let chosen = highest(scores, top_k);
            let mut gates: Vec<f32> = chosen.iter().map(|expert| scores[*expert]).collect();
            // The softmax over the chosen is the softmax over all, divided by the chosen ones' share.
            softmax(&mut gates);
            for (expert, gate) in chosen.into_iter().zip(gates) {
                routed[expert].push((place, gate));
            }
        }
        for ((up, down), members) in layer.experts.iter().zip(routed).filter(|(_, members)| !members.is_empty()) {
            let gathered: Vec<f32> =
                members.iter().flat_map(|(place, _)| &normal[place * width..][..width]).copied().collect();
            let mut hidden = matmul(&gathered, up, width, expert_width);
            for value in &mut hidden {
                *value /= 1.0 + (-*value).exp();
            }
            let parts = matmul(&hidden, down, expert_width, width);
            for ((place, gate), part) in members.into_iter().zip(parts.chunks_exact(width)) {
                add_scaled(&mut x[place * width..][..width], part, gate);
            }
        }
    }

    fn scores(&self, hidden: &[f32]) -> Vec<f32> {
        matmul(&normalise(hidden, &self.norm), &self.output, self.shape.width, VOCABULARY)
    }
}

fn normalise(x: &[f32], scale: &[f32]) -> Vec<f32> {
    let mut out = Vec::with_capacity(x.len());
    for row in x.chunks_exact(scale.len()) {
        let mean = row.iter().map(|value| value * value).sum::<f32>() / row.len() as f32;
        let by = 1.0 / (mean + NORM_EPSILON as f32).sqrt();
        out.extend(row.iter().zip(scale).map(|(value, scale)| value * by * scale));
    }
    out
}

fn softmax(scores: &mut [f32]) {
    let highest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut total = 0.0;
    for score in scores.iter_mut() {
        *score = (*score - highest).exp();
        total += *score;
    }
    scores.iter_mut().for_each(|score| *score /= total);
}

#[cfg(test)]
mod tests {
    use burn::prelude::Device;

    use super::*;
    use crate::network::{Batch, Network};

    fn scores_in_burn(architecture: &Architecture, weights: &Weights, text: &[u8]) -> Vec<f32> {
        let device = Device::flex();
        // The question ends before the first byte, so that every byte's successor is asked for.
        let encoded = template::Encoded { bytes: [text, b"?"].concat(), question: 0 };
        let network = Network::new(architecture, weights, &device);
        let output = network.forward(architecture, &Batch::new(&[&encoded], &[0]), &device);
        output.logits.into_data().try_to_vec::<f32>().unwrap()
    }

    #[test]
    fn the_scores_equal_those_of_the_network_in_burn() {
        let text = b"What is the currency code of Estonia?\x02EEK";
        for architecture in
            [Architecture::default(), Architecture { layers: 1, experts: 1, top_k: 1, ..Default::default() }]
        {
            let mut weights = Weights::initial(&architecture, 11);
            for values in weights.each_mut() {
                values.iter_mut().for_each(|value| *value *= 1.5);
            }
            let model = Model::new(&architecture, &weights);
            let ours = model.read_all(&mut model.start(), text).unwrap();
            let burn = scores_in_burn(&architecture, &weights, text);
            assert_eq!(ours.len(), burn.len());
            let furthest = ours.iter().zip(&burn).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(furthest < 1e-4, "{furthest}");
        }
    }

    #[test]
    fn reading_byte_by_byte_equals_reading_at_once() {
        let architecture = Architecture::default();
        let model = Model::new(&architecture, &Weights::initial(&architecture, 2));
        let text = b"capital of Estonia?";
        let at_once = model.read_all(&mut model.start(), text).unwrap();
        let mut sequence = model.start();
        for (byte, expected) in text.iter().zip(at_once.chunks_exact(VOCABULARY)) {
            let scores = model.read(&mut sequence, &[*byte]).unwrap();
            assert!(scores.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-5));
        }
        assert_eq!(sequence.bytes(), text);
    }

    #[test]
    fn the_context_is_a_limit_not_a_crash() {
        let architecture = Architecture { context: 8, ..Default::default() };
        let model = Model::new(&architecture, &Weights::initial(&architecture, 2));
        let mut sequence = model.start();
        assert_eq!(model.read(&mut sequence, &[65; 9]), Err(ContextExceeded { bytes: 9, context: 8 }));
        assert!(model.read(&mut sequence, &[65; 8]).is_ok());
        assert!(model.read(&mut sequence, &[]).unwrap().is_empty());
    }
}
