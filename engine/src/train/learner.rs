//! The learner: a network, its optimizer, and one step or one measurement after another.

use burn::module::Module;
use burn::optim::{AdamWConfig, GradientsAccumulator, GradientsParams, ModuleOptimizer};
use burn::prelude::*;
use rayon::ThreadPool;

use super::data::Placed;
use super::spec::{Hyperparameters, Spec};
use super::{TrainError, gradients};
use crate::architecture::Architecture;
use crate::network::{Batch, Network};
use crate::template::Encoded;
use crate::weights::Weights;

/// Records that are measured at once.
const MEASURED_AT_ONCE: usize = 64;

/// A network and its optimizer.
pub(super) struct Learner {
    architecture: Architecture,
    hyper: Hyperparameters,
    network: Network,
    optimizer: ModuleOptimizer,
    device: Device,
    /// One thread each: a worker's tensor operations stay on the worker's own thread, and their sums come out the same
    /// each time.
    pools: Vec<ThreadPool>,
}

/// What a step did.
pub(super) struct Stepped {
    /// Mean loss in nats per learnt byte.
    pub(super) loss: f64,
    /// Bytes read.
    pub(super) tokens: u64,
}

/// What a measurement found.
pub(super) struct Measured {
    /// Bits per learnt byte.
    pub(super) bits_per_byte: f64,
    /// For each layer, each expert's share of the routed bytes.
    pub(super) load: Vec<Vec<f64>>,
}

impl Learner {
    /// A learner that starts at `weights`, with a fresh optimizer.
    ///
    /// # Errors
    /// When no thread can be started.
    pub(super) fn new(
        spec: &Spec,
        architecture: &Architecture,
        weights: &Weights,
        threads: usize,
    ) -> Result<Self, TrainError> {
        let pool = |_| rayon::ThreadPoolBuilder::new().num_threads(1).build();
        let pools = (0..threads).map(pool).collect::<Result<Vec<_>, _>>();
        let device = Device::flex().autodiff();
        let optimizer = AdamWConfig::new()
            .with_beta_1(0.9)
            .with_beta_2(0.98)
            .with_epsilon(1e-8)
            .with_weight_decay(spec.hyperparameters.optimizer.weight_decay as f32);
        Ok(Self {
            architecture: architecture.clone(),
            hyper: spec.hyperparameters.clone(),
            network: Network::new(architecture, weights, &device),
            optimizer: optimizer.init(),
            device,
            pools: pools.map_err(|error| TrainError::Worker(error.to_string()))?,
        })
    }

    /// Continues with the optimizer state that [`Learner::optimizer_state`] gave.
    ///
    /// # Errors
    /// Why the state cannot be read.
    pub(super) fn with_optimizer_state(mut self, state: Vec<u8>) -> Result<Self, String> {
        let bytes = burn::tensor::Bytes::from_bytes_vec(state);
        self.optimizer = self.optimizer.from_bytes(bytes).map_err(|error| error.to_string())?;
        Ok(self)
    }

    /// The optimizer's moments, in its own format.
    ///
    /// # Errors
    /// When the format refuses them.
    pub(super) fn optimizer_state(&self) -> Result<Vec<u8>, TrainError> {
        let bytes = self.optimizer.into_bytes().map_err(|error| TrainError::Worker(error.to_string()))?;
        Ok(bytes.to_vec())
    }

    /// The current weights.
    pub(super) fn weights(&self) -> Weights {
        self.network.weights(&self.architecture)
    }

    /// The learning rate of step number `step` (from 1).
    pub(super) fn learning_rate(&self, step: u64) -> f64 {
        let Hyperparameters { steps, warmup_steps, optimizer, .. } = &self.hyper;
        let warm = (step as f64 / (*warmup_steps).max(1) as f64).min(1.0);
        let cosine = 1.0 + (std::f64::consts::PI * step as f64 / *steps as f64).cos();
        optimizer.lr * warm * (0.05 + 0.475 * cosine)
    }

    /// Learns from the records of step number `step`, which come sorted by length.
    ///
    /// # Errors
    /// When the loss or the gradient is no finite number, or a worker broke off.
    pub(super) fn step(&mut self, step: u64, records: &[Placed]) -> Result<Stepped, TrainError> {
        let workers = self.pools.len();
        let at_once = self.hyper.batch_size.min(records.len().div_ceil(workers)).max(1);
        let batches: Vec<Batch> = records.chunks(at_once).map(lay_out).collect();
        let learnt: usize = batches.iter().map(|batch| batch.targets.len()).sum();
        // Long and short batches alternate between the workers, so that both have about the same to do.
        let mut shares = vec![Vec::new(); workers];
        for (number, batch) in batches.iter().enumerate() {
            let turn = number % (2 * workers);
            shares[turn.min(2 * workers - 1 - turn)].push(batch);
        }
        let results = std::thread::scope(|scope| {
            let (learner, count) = (&*self, batches.len());
            let handles: Vec<_> = shares
                .into_iter()
                .zip(&self.pools)
                .filter(|(share, _)| !share.is_empty())
                .map(|(share, pool)| scope.spawn(move || pool.install(|| learner.work(&share, learnt, count))))
                .collect();
            handles.into_iter().map(|handle| handle.join()).collect::<Vec<_>>()
        });
        let mut loss = 0.0;
        let mut gradient: Option<GradientsParams> = None;
        for result in results {
            let (part, nats) = result.map_err(|_| TrainError::Worker(format!("it broke off in step {step}")))?;
            loss += nats;
            gradient = Some(match gradient {
                None => part,
                Some(first) => gradients::sum(&self.network, first, part),
            });
        }
        let (gradient, norm) = gradients::clip(&self.network, gradient.unwrap_or_default(), self.hyper.gradient_clip);
        for (value, what) in [(loss, "the loss"), (norm, "the gradient")] {
            if !value.is_finite() {
                return Err(TrainError::Diverged { step, what });
            }
        }
        self.network = self.optimizer.step(self.learning_rate(step), self.network.clone(), gradient);
        let tokens = batches.iter().map(|batch| batch.tokens() as u64).sum();
        Ok(Stepped { loss, tokens })
    }

    /// Measures the loss on `records`; none without records.
    pub(super) fn measure(&self, records: &[Encoded]) -> Option<Measured> {
        let mut sorted: Vec<Placed> = records.iter().map(|record| (record.clone(), 0)).collect();
        sorted.sort_by_key(|(record, _)| record.bytes.len());
        let batches: Vec<Batch> = sorted.chunks(MEASURED_AT_ONCE).map(lay_out).collect();
        let learnt: usize = batches.iter().map(|batch| batch.targets.len()).sum();
        let (network, device) = (self.network.valid(), Device::flex());
        let results = self.pools.first()?.install(|| {
            let run = |batch: &Batch| {
                let (loss, _, load) = network.loss(&self.architecture, batch, &device);
                (f64::from(loss.into_scalar::<f32>()), load)
            };
            batches.iter().map(run).collect::<Vec<_>>()
        });
        let mut counts = vec![vec![0usize; self.architecture.experts]; self.architecture.layers];
        for (_, load) in &results {
            for (counts, received) in counts.iter_mut().zip(load) {
                counts.iter_mut().zip(received).for_each(|(count, received)| *count += received);
            }
        }
        let nats: f64 = results.iter().map(|(nats, _)| nats).sum();
        (learnt > 0).then(|| Measured {
            bits_per_byte: nats / learnt as f64 / std::f64::consts::LN_2,
            load: counts.iter().map(|layer| shares_of(layer)).collect(),
        })
    }

    /// One worker's share of a step: the gradients and the loss of its batches, already divided by the learnt bytes of
    /// the whole step.
    fn work(&self, share: &[&Batch], learnt: usize, count: usize) -> (GradientsParams, f64) {
        let network = self.network.clone().fork(&self.device);
        let mut accumulator = GradientsAccumulator::new();
        let mut nats = 0.0;
        for batch in share {
            let (loss, balance, _) = network.loss(&self.architecture, batch, &self.device);
            let loss = loss / learnt as f64;
            nats += f64::from(loss.clone().detach().into_scalar::<f32>());
            let gradient = (loss + balance / count as f64).backward();
            accumulator.accumulate(&network, GradientsParams::from_grads(gradient, &network));
        }
        (accumulator.grads(), nats)
    }
}

fn lay_out(records: &[Placed]) -> Batch {
    let (encoded, offsets): (Vec<&Encoded>, Vec<usize>) =
        records.iter().map(|(record, offset)| (record, *offset)).unzip();
    Batch::new(&encoded, &offsets)
}

fn shares_of(counts: &[usize]) -> Vec<f64> {
    let total = counts.iter().sum::<usize>().max(1) as f64;
    counts.iter().map(|count| *count as f64 / total).collect()
}
