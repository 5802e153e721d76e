//! The model in burn, for training: a causal transformer over bytes with routed experts.
//!
//! ```text
//! x = byte + position + Σ previous bytes
//! each layer: x += attention(norm x);  x += experts(norm x)
//! logits = norm(x) · byteᵀ        (output tied to the byte embedding)
//! ```
//! Only the places whose next byte is learnt go through the last layer's experts and the output: the others cannot
//! influence the loss any more. Serving does not use this module; `infer` computes the same on plain slices and a test
//! holds the two together.

mod attention;
mod batch;
mod experts;

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::prelude::*;
use burn::tensor::TensorData;
use burn::tensor::activation::log_softmax;

use crate::architecture::{Architecture, VOCABULARY};
use crate::weights::{Weights, slots};
use attention::Attention;
pub(crate) use batch::Batch;
use experts::Experts;
pub(crate) use experts::highest;

/// Added to the mean square in every normalisation.
pub(crate) const NORM_EPSILON: f64 = 1e-5;

/// All parameters. Their ids are their numbers in the order of the architecture's slots, in every process, so that the
/// optimizer's saved state finds them again.
#[derive(Module, Debug)]
pub(crate) struct Network {
    byte: Param<Tensor<2>>,
    position: Param<Tensor<2>>,
    previous: Param<Tensor<2>>,
    layers: Vec<Layer>,
    norm: Param<Tensor<1>>,
}

#[derive(Module, Debug)]
struct Layer {
    attention: Attention,
    experts: Experts,
}

/// What a forward pass gives.
pub(crate) struct Output {
    /// `[targets, 256]`: the scores of the next byte at each learnt place.
    pub(crate) logits: Tensor<2>,
    /// `[1]`: how unevenly the experts are used, to be added to the loss.
    pub(crate) balance: Tensor<1>,
    /// For each layer, how many bytes each expert received.
    pub(crate) load: Vec<Vec<usize>>,
}

impl Network {
    /// The network with `weights`, on `device`.
    pub(crate) fn new(architecture: &Architecture, weights: &Weights, device: &Device) -> Self {
        let names: Vec<String> = slots(architecture).into_iter().map(|slot| slot.name).collect();
        let mut load = Loader { names: names.iter(), weights, next: 0, device };
        let Architecture { layers, width, experts, expert_width, context, previous_bytes, .. } = *architecture;
        Self {
            byte: load.next([VOCABULARY, width]),
            position: load.next([context, width]),
            previous: load.next([previous_bytes * VOCABULARY, width]),
            layers: (0..layers)
                .map(|_| Layer {
                    attention: Attention {
                        norm: load.next([width]),
                        qkv: load.next([width, 3 * width]),
                        output: load.next([width, width]),
                    },
                    experts: Experts {
                        norm: load.next([width]),
                        router: load.next([width, experts]),
                        expert: (0..experts)
                            .map(|_| experts::Expert {
                                up: load.next([width, expert_width]),
                                down: load.next([expert_width, width]),
                            })
                            .collect(),
                    },
                })
                .collect(),
            norm: load.next([width]),
        }
    }

    /// The current weights.
    pub(crate) fn weights(&self, architecture: &Architecture) -> Weights {
        let mut reader = Reader(Vec::new());
        self.visit(&mut reader);
        reader.0.sort_by_key(|(id, _)| *id);
        Weights::in_order(architecture, reader.0.into_iter().map(|(_, values)| values).collect())
    }

    /// Runs a batch.
    pub(crate) fn forward(&self, architecture: &Architecture, batch: &Batch, device: &Device) -> Output {
        let mut x = self.embed(architecture, batch, device); // [rows * length, width]
        let targets = indices(batch.targets.iter().map(|(place, _)| *place as i32), device);
        let mask = attention::causal_mask(batch.length, device);
        let every = batch.live();
        let learnt = vec![true; batch.targets.len()];
        let mut balance = Tensor::<1>::zeros([1], device);
        let mut load = Vec::new();
        for (number, layer) in self.layers.iter().enumerate() {
            x = x.clone() + layer.attention.forward(architecture, x, batch, mask.clone());
            let last = number + 1 == self.layers.len();
            if last {
                x = x.select(0, targets.clone());
            }
            let live = if last { &learnt } else { &every };
            let mixed = layer.experts.forward(architecture, x.clone(), live, device);
            x = x + mixed.output;
            balance = balance + mixed.balance;
            load.push(mixed.load);
        }
        let logits = normalise(x, &self.norm).matmul(self.byte.val().transpose());
        Output { logits, balance, load }
    }

    /// The summed loss over the learnt bytes in nats, `[1]`, and the balance and load of the pass.
    pub(crate) fn loss(
        &self,
        architecture: &Architecture,
        batch: &Batch,
        device: &Device,
    ) -> (Tensor<1>, Tensor<1>, Vec<Vec<usize>>) {
        let Output { logits, balance, load } = self.forward(architecture, batch, device);
        let next = batch.targets.iter().map(|(_, byte)| i32::from(*byte)).collect::<Vec<_>>();
        let next = Tensor::<2, Int>::from_data(TensorData::new(next, [batch.targets.len(), 1]), device);
        (-log_softmax(logits, 1).gather(1, next).sum(), balance, load)
    }

    fn embed(&self, architecture: &Architecture, batch: &Batch, device: &Device) -> Tensor<2> {
        let count = batch.rows * batch.length;
        let bytes = indices(batch.inputs.iter().map(|byte| i32::from(*byte)), device);
        let positions = indices(batch.positions(architecture.context), device);
        let x = self.byte.val().select(0, bytes) + self.position.val().select(0, positions);
        let back = architecture.previous_bytes;
        let previous = indices(batch.previous(back), device);
        x + self.previous.val().select(0, previous).reshape([count, back, architecture.width]).sum_dim(1).squeeze_dim(1)
    }
}

/// Root mean square normalisation (Zhang and Sennrich 2019) of each row of `x`.
fn normalise(x: Tensor<2>, scale: &Param<Tensor<1>>) -> Tensor<2> {
    let size = (x.clone().square().mean_dim(1) + NORM_EPSILON).sqrt();
    x / size * scale.val().unsqueeze::<2>()
}

fn indices(values: impl Iterator<Item = i32>, device: &Device) -> Tensor<1, Int> {
    let values: Vec<i32> = values.collect();
    let length = values.len();
    Tensor::from_data(TensorData::new(values, [length]), device)
}

/// Takes the weights in slot order.
struct Loader<'a> {
    names: std::slice::Iter<'a, String>,
    weights: &'a Weights,
    next: u64,
    device: &'a Device,
}

impl Loader<'_> {
    fn next<const D: usize>(&mut self, shape: [usize; D]) -> Param<Tensor<D>> {
        let values = self.names.next().map(|name| self.weights.values(name)).unwrap_or_default();
        let tensor = Tensor::<D>::from_data(TensorData::new(values.to_vec(), shape), self.device);
        self.next += 1;
        // Going through `from_tensor` marks the parameter as trained; `initialized` then gives it our id.
        let (_, tensor, mapper) = Param::from_tensor(tensor).consume();
        Param::from_mapped_value(ParamId::from(self.next), tensor, mapper)
    }
}

struct Reader(Vec<(u64, Vec<f32>)>);

impl ModuleVisitor for Reader {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        // Weights are always f32 and on the CPU: reading them cannot fail; were it to, the artifact would not load.
        self.0.push((param.id.val(), param.val().to_data().try_to_vec::<f32>().unwrap_or_default()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template;

    fn small() -> Architecture {
        Architecture { layers: 2, width: 8, heads: 2, experts: 2, expert_width: 6, context: 24, ..Default::default() }
    }

    fn batch() -> Batch {
        let records = [("ab?", "cd"), ("what is x?", "yes")].map(|(prompt, answer)| template::record(prompt, answer));
        Batch::new(&records.iter().collect::<Vec<_>>(), &[0, 3])
    }

    fn loss(architecture: &Architecture, weights: &Weights, device: &Device) -> f64 {
        let network = Network::new(architecture, weights, device);
        let (loss, balance, _) = network.loss(architecture, &batch(), device);
        f64::from((loss + balance).into_scalar::<f32>())
    }

    /// With both experts in use for every byte nothing is cut off by routing, so that the loss is smooth.
    #[test]
    fn gradients_agree_with_finite_differences() {
        let architecture = small();
        let device = Device::flex();
        let tracked = device.clone().autodiff();
        let mut weights = Weights::initial(&architecture, 5);
        for values in weights.each_mut() {
            values.iter_mut().for_each(|value| *value *= 2.0);
        }
        let network = Network::new(&architecture, &weights, &tracked);
        let (loss_value, balance, _) = network.loss(&architecture, &batch(), &tracked);
        let gradients = (loss_value + balance).backward();
        let gradients = burn::optim::GradientsParams::from_grads(gradients, &network);
        struct Gather<'a>(&'a burn::optim::GradientsParams, Vec<(u64, Vec<f32>)>);
        impl ModuleVisitor for Gather<'_> {
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                let gradient = self.0.get::<D>(param.id).unwrap();
                self.1.push((param.id.val(), gradient.to_data().try_to_vec::<f32>().unwrap()));
            }
        }
        let mut gathered = Gather(&gradients, Vec::new());
        network.visit(&mut gathered);
        let names = slots(&architecture);
        let mut checked = 0;
        for (id, gradient) in gathered.1 {
            let name = &names[id as usize - 1].name;
            // The largest entry of each tensor and a fixed other one.
            let largest = (0..gradient.len()).max_by(|a, b| gradient[*a].abs().total_cmp(&gradient[*b].abs())).unwrap();
            for place in [largest, gradient.len() / 2] {
                let moved = |by: f32| {
                    let mut changed = weights.clone();
                    changed.by_name_mut(name)[place] += by;
                    loss(&architecture, &changed, &device)
                };
                let step = 4e-3;
                let numeric = (moved(step) - moved(-step)) / (2.0 * f64::from(step));
                let analytic = f64::from(gradient[place]);
                let scale = analytic.abs().max(numeric.abs()).max(0.1);
                assert!((numeric - analytic).abs() / scale < 0.03, "{name}[{place}]: {analytic} against {numeric}");
                checked += 1;
            }
        }
        assert_eq!(checked, 2 * names.len());
    }

    #[test]
    fn weights_go_in_and_come_out_unchanged() {
        let architecture = small();
        let weights = Weights::initial(&architecture, 1);
        let network = Network::new(&architecture, &weights, &Device::flex().autodiff());
        assert_eq!(network.weights(&architecture), weights);
    }

    #[test]
    fn padding_changes_nothing() {
        let architecture = Architecture { experts: 4, ..small() };
        let device = Device::flex();
        let network = Network::new(&architecture, &Weights::initial(&architecture, 1), &device);
        let short = template::record("ab?", "cd");
        let long = template::record("a longer question", "no");
        let alone = network.forward(&architecture, &Batch::new(&[&short], &[0]), &device).logits;
        let padded = network.forward(&architecture, &Batch::new(&[&short, &long], &[0, 0]), &device).logits;
        let read = |tensor: Tensor<2>| tensor.into_data().try_to_vec::<f32>().unwrap();
        for (a, b) in read(alone).iter().zip(read(padded)) {
            assert!((a - b).abs() < 1e-5, "{a} against {b}");
        }
    }
}
