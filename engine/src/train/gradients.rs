//! What a step does with gradients between the workers and the optimizer.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::prelude::*;

use crate::network::Network;

/// The sum of two workers' gradients; either may lack experts that its bytes never reached.
pub(super) fn sum(network: &Network, first: GradientsParams, second: GradientsParams) -> GradientsParams {
    let mut adding = Adding { first, second, sum: GradientsParams::new() };
    network.visit(&mut adding);
    adding.sum
}

/// Scales `gradients` down to the norm `limit` over all parameters together (burn's own clipping is for each parameter
/// by itself); returns them and the norm they had.
pub(super) fn clip(network: &Network, gradients: GradientsParams, limit: f64) -> (GradientsParams, f64) {
    let mut squares = Squares { gradients: &gradients, sum: 0.0 };
    network.visit(&mut squares);
    let norm = squares.sum.sqrt();
    if norm <= limit || !norm.is_finite() {
        return (gradients, norm);
    }
    let mut scaling = Scaling { gradients, by: limit / norm, scaled: GradientsParams::new() };
    network.visit(&mut scaling);
    (scaling.scaled, norm)
}

struct Adding {
    first: GradientsParams,
    second: GradientsParams,
    sum: GradientsParams,
}

impl ModuleVisitor for Adding {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let sum = match (self.first.remove::<D>(param.id), self.second.remove::<D>(param.id)) {
            (Some(first), Some(second)) => Some(first + second),
            (first, second) => first.or(second),
        };
        if let Some(sum) = sum {
            self.sum.register::<D>(param.id, sum);
        }
    }
}

struct Squares<'a> {
    gradients: &'a GradientsParams,
    sum: f64,
}

impl ModuleVisitor for Squares<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.get::<D>(param.id) {
            self.sum += f64::from(gradient.square().sum().into_scalar::<f32>());
        }
    }
}

struct Scaling {
    gradients: GradientsParams,
    by: f64,
    scaled: GradientsParams,
}

impl ModuleVisitor for Scaling {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.remove::<D>(param.id) {
            self.scaled.register::<D>(param.id, gradient * self.by);
        }
    }
}
