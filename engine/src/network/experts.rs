//! Routed experts: each byte goes through the `topK` experts that the router scores highest.

use burn::module::{Module, Param};
use burn::prelude::*;
use burn::tensor::activation::{silu, softmax};
use burn::tensor::{IndexingUpdateOp, TensorData};

use super::{indices, normalise};
use crate::architecture::Architecture;

/// Weight of the balance loss.
const BALANCE: f32 = 0.01;

#[derive(Module, Debug)]
pub(super) struct Experts {
    /// `[width]`
    pub(super) norm: Param<Tensor<1>>,
    /// `[width, experts]`
    pub(super) router: Param<Tensor<2>>,
    /// One parameter an expert: an expert that no byte was routed to then has no gradient and costs nothing.
    pub(super) expert: Vec<Expert>,
}

#[derive(Module, Debug)]
pub(super) struct Expert {
    /// `[width, expertWidth]`
    pub(super) up: Param<Tensor<2>>,
    /// `[expertWidth, width]`
    pub(super) down: Param<Tensor<2>>,
}

pub(super) struct Mixed {
    /// `[places, width]`
    pub(super) output: Tensor<2>,
    /// `[1]`
    pub(super) balance: Tensor<1>,
    /// Bytes that each expert received.
    pub(super) load: Vec<usize>,
}

impl Experts {
    /// `[places, width]` to the same shape; a place that is not `live` receives nothing.
    pub(super) fn forward(&self, shape: &Architecture, x: Tensor<2>, live: &[bool], device: &Device) -> Mixed {
        let [places, width] = x.dims();
        let experts = shape.experts;
        let x = normalise(x, &self.norm);
        let odds = softmax(x.clone().matmul(self.router.val()), 1); // [places, experts]
        let values = odds.to_data().try_to_vec::<f32>().unwrap_or_default();
        let mut routed = vec![Vec::<i32>::new(); experts];
        let mut chosen = vec![0f32; places * experts];
        for (place, row) in values.chunks_exact(experts).enumerate().filter(|(place, _)| live[*place]) {
            for expert in highest(row, shape.top_k) {
                routed[expert].push(place as i32);
                chosen[place * experts + expert] = 1.0;
            }
        }
        let load: Vec<usize> = routed.iter().map(Vec::len).collect();
        let balance = balance(&odds, &load, live, device);
        // A dead place chooses nothing: adding a little keeps its share at zero instead of undefined.
        let gates = odds * Tensor::<2>::from_data(TensorData::new(chosen, [places, experts]), device);
        let gates = (gates.clone() / (gates.sum_dim(1) + 1e-9)).reshape([places * experts]);
        let mut output = Tensor::<2>::zeros([places, width], device);
        for (number, (expert, members)) in self.expert.iter().zip(routed).enumerate() {
            if members.is_empty() {
                continue;
            }
            let count = members.len();
            let gate = indices(members.iter().map(|place| place * experts as i32 + number as i32), device);
            let members = indices(members.into_iter(), device);
            let hidden = silu(x.clone().select(0, members.clone()).matmul(expert.up.val()));
            let part = hidden.matmul(expert.down.val()) * gates.clone().select(0, gate).reshape([count, 1]);
            output = output.select_assign(0, members, part, IndexingUpdateOp::Add);
        }
        Mixed { output, balance, load }
    }
}

/// The `count` highest of `scores`, the highest first; of equal ones the first.
pub(crate) fn highest(scores: &[f32], count: usize) -> Vec<usize> {
    let mut chosen: Vec<usize> = Vec::with_capacity(count);
    for _ in 0..count {
        let mut best = None;
        for (number, score) in scores.iter().enumerate() {
            if !chosen.contains(&number) && best.is_none_or(|(_, highest)| *score > highest) {
                best = Some((number, *score));
            }
        }
        chosen.extend(best.map(|(number, _)| number));
    }
    chosen
}

/// Shazeer et al. 2017 as simplified by Fedus et al. 2021: experts x Σ (share of bytes x mean router odds), least when
/// all experts are used alike.
fn balance(odds: &Tensor<2>, load: &[usize], live: &[bool], device: &Device) -> Tensor<1> {
    let experts = load.len();
    let total = load.iter().sum::<usize>().max(1) as f32;
    let count = live.iter().filter(|live| **live).count().max(1) as f32;
    let weight: Vec<f32> = live
        .iter()
        .flat_map(|live| {
            let alive = if *live { BALANCE * experts as f32 / count } else { 0.0 };
            load.iter().map(move |received| alive * *received as f32 / total)
        })
        .collect();
    (odds.clone() * Tensor::<2>::from_data(TensorData::new(weight, [live.len(), experts]), device)).sum()
}

#[cfg(test)]
mod tests {
    use super::highest;

    #[test]
    fn the_highest_come_first_and_ties_go_to_the_first() {
        assert_eq!(highest(&[0.1, 0.5, 0.2, 0.5], 2), [1, 3]);
        assert_eq!(highest(&[0.3, 0.3, 0.3], 2), [0, 1]);
    }
}
