//! From the scores of the next byte to the next byte.

use crate::architecture::VOCABULARY;
use crate::chance::Chance;

/// How the next byte is chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// 0 takes the likeliest byte; above, scores are divided by it.
    pub temperature: f64,
    /// Only the likeliest bytes that together reach this probability are drawn from.
    pub top_p: f64,
    /// The same seed draws the same bytes.
    pub seed: u64,
}

/// Draws bytes.
#[derive(Clone, Debug)]
pub struct Sampler {
    sampling: Sampling,
    chance: Chance,
}

impl Sampler {
    /// A sampler at its start.
    #[must_use]
    pub fn new(sampling: Sampling) -> Self {
        Self { sampling, chance: Chance::new(sampling.seed, "sampling", 0) }
    }

    /// Chooses the next byte by its 256 scores.
    pub fn choose(&mut self, scores: &[f32]) -> u8 {
        let mut order: Vec<usize> = (0..scores.len().min(VOCABULARY)).collect();
        order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
        let Some(&likeliest) = order.first() else { return crate::template::END };
        if self.sampling.temperature <= 0.0 {
            return likeliest as u8;
        }
        let weight = |byte: usize| (f64::from(scores[byte] - scores[likeliest]) / self.sampling.temperature).exp();
        let weights: Vec<f64> = order.iter().map(|byte| weight(*byte)).collect();
        let enough = self.sampling.top_p * weights.iter().sum::<f64>();
        let mut nucleus = 0.0;
        let count = weights.iter().take_while(|weight| {
            let take = nucleus < enough;
            nucleus += **weight;
            take
        });
        let count = count.count().max(1);
        let mut left = self.chance.unit() * weights[..count].iter().sum::<f64>();
        for (byte, weight) in order.iter().zip(&weights[..count]) {
            left -= weight;
            if left < 0.0 {
                return *byte as u8;
            }
        }
        likeliest as u8
    }
}

/// Natural logarithms of the probabilities that `scores` stand for.
#[must_use]
pub fn log_odds(scores: &[f32]) -> Vec<f64> {
    let highest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let total = scores.iter().map(|score| f64::from(score - highest).exp()).sum::<f64>().ln();
    scores.iter().map(|score| f64::from(score - highest) - total).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(temperature: f64, top_p: f64, seed: u64) -> Vec<u8> {
        let mut scores = vec![-9.0; 256];
        (scores[65], scores[66], scores[67]) = (2.0, 1.5, 0.0);
        let mut sampler = Sampler::new(Sampling { temperature, top_p, seed });
        (0..200).map(|_| sampler.choose(&scores)).collect()
    }

    #[test]
    fn greedy_takes_the_likeliest_and_a_seed_repeats() {
        assert!(drawn(0.0, 1.0, 1).iter().all(|byte| *byte == 65));
        assert_eq!(drawn(1.0, 1.0, 1), drawn(1.0, 1.0, 1));
        assert_ne!(drawn(1.0, 1.0, 1), drawn(1.0, 1.0, 2));
    }

    #[test]
    fn top_p_cuts_the_unlikely_off() {
        let some = drawn(1.0, 0.7, 3);
        assert!(some.contains(&65) && some.contains(&66) && !some.contains(&67));
        assert!(drawn(1.0, 0.1, 3).iter().all(|byte| *byte == 65));
    }

    #[test]
    fn log_odds_are_those_of_the_softmax() {
        let odds = log_odds(&[0.0, (3f32).ln()]);
        assert!((odds[0] - 0.25f64.ln()).abs() < 1e-6 && (odds[1] - 0.75f64.ln()).abs() < 1e-6);
    }
}
