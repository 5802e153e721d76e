//! When whom to kill: drawn from a seed before anything runs.

use std::time::Duration;

use homeostat_clock::{Rng, Seed};
use rand::RngExt;
use rand::seq::SliceRandom;

/// How many kills of trainers fall into one loop: a run tries each piece of its work three times.
pub(crate) const TRAINERS: usize = 2;

/// Whom a blow hits. A trainer is hit when there is one, and has a schedule of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Victim {
    Controller,
    Agent,
    Engine,
    Trainer,
    /// The controller, and the agent while the controller is away.
    Both,
}

/// One blow: after a gap, and with a pause before what was hit is started again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Blow {
    pub(crate) victim: Victim,
    pub(crate) gap: Duration,
    pub(crate) pause: Duration,
    /// Chooses among several.
    pub(crate) draw: usize,
}

/// The blows of one loop: three on the controller, three on the agent, two on engines, two on trainers; ten in all.
#[derive(Clone, Debug)]
pub(crate) struct Round {
    pub(crate) blows: Vec<Blow>,
    pub(crate) trainers: Vec<Blow>,
}

impl Round {
    pub(crate) fn draw(seed: &Seed, number: usize) -> Self {
        let mut rng = seed.rng(&format!("round/{number}"));
        use Victim::{Agent, Both, Controller, Engine, Trainer};
        let mut victims = [Controller, Controller, Agent, Agent, Both, Engine, Engine];
        victims.shuffle(&mut rng);
        let mut blow = |victim, gap| Blow {
            victim,
            gap: millis(&mut rng, gap),
            pause: millis(&mut rng, 100..2_000),
            draw: rng.random_range(0..usize::MAX),
        };
        Self {
            blows: victims.into_iter().map(|victim| blow(victim, 2_500..9_500)).collect(),
            // From its start: soon enough that there is something left to interrupt.
            trainers: (0..TRAINERS).map(|_| blow(Trainer, 300..3_000)).collect(),
        }
    }
}

fn millis(rng: &mut Rng, range: std::ops::Range<u64>) -> Duration {
    Duration::from_millis(rng.random_range(range))
}
