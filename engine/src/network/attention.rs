//! Causal self-attention.

use burn::module::{Module, Param};
use burn::prelude::*;
use burn::tensor::activation::softmax;

use super::{Batch, normalise};
use crate::architecture::Architecture;

/// Added to the score of a later byte. Far enough below any score to leave nothing of it, and no further: the
/// exponential of a very low number is slow to compute.
const MASKED: f64 = -60.0;

#[derive(Module, Debug)]
pub(super) struct Attention {
    /// `[width]`
    pub(super) norm: Param<Tensor<1>>,
    /// `[width, 3 * width]`: queries, keys and values.
    pub(super) qkv: Param<Tensor<2>>,
    /// `[width, width]`
    pub(super) output: Param<Tensor<2>>,
}

/// `[1, 1, length, length]`, to be added to scores.
pub(super) fn causal_mask(length: usize, device: &Device) -> Tensor<4> {
    Tensor::<2>::full([length, length], MASKED, device).triu(1).reshape([1, 1, length, length])
}

impl Attention {
    /// `[rows * length, width]` to the same shape.
    pub(super) fn forward(&self, shape: &Architecture, x: Tensor<2>, batch: &Batch, mask: Tensor<4>) -> Tensor<2> {
        let (rows, length, heads, head) = (batch.rows, batch.length, shape.heads, shape.head_width());
        let parts = normalise(x, &self.norm)
            .matmul(self.qkv.val())
            .reshape([rows, length, 3, heads, head])
            .permute([2, 0, 3, 1, 4]); // [3, rows, heads, length, head]
        let part = |number: usize| parts.clone().narrow(0, number, 1).squeeze_dim::<4>(0);
        let (queries, keys, values) = (part(0), part(1), part(2));
        // Scaling the queries touches fewer numbers than scaling the scores.
        let scores = (queries * (1.0 / (head as f64).sqrt())).matmul(keys.swap_dims(2, 3)) + mask;
        let mixed = softmax(scores, 3).matmul(values); // [rows, heads, length, head]
        mixed.swap_dims(1, 2).reshape([rows * length, shape.width]).matmul(self.output.val())
    }
}
