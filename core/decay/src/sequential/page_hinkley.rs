use super::running::RunningMean;
use super::{Detector, Signal};

/// Which changes are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Increases of the mean.
    Up,
    /// Decreases.
    Down,
    /// Both.
    Both,
}

/// The Page-Hinkley test: a cumulative sum of deviations from the running mean (Page 1954), as river 0.26.1's.
///
/// `threshold` is in units of the observations: river's default of 50 never fires on a stream of zeros and ones.
#[derive(Clone, Copy, Debug)]
pub struct PageHinkley {
    minimum: f64,
    delta: f64,
    threshold: f64,
    alpha: f64,
    direction: Direction,
    mean: RunningMean,
    up: f64,
    down: f64,
    lowest: f64,
    highest: f64,
    drifted: bool,
}

impl Default for PageHinkley {
    fn default() -> Self {
        Self::new(30, 0.005, 50.0, 1.0 - 0.0001, Direction::Both)
    }
}

impl PageHinkley {
    /// `minimum`: observations before the first signal; `delta`: deviation that is let pass; `threshold`: distance of the sum from
    /// its extreme; `alpha`: how much of the sum is kept at each step.
    #[must_use]
    pub fn new(minimum: u32, delta: f64, threshold: f64, alpha: f64, direction: Direction) -> Self {
        Self {
            minimum: f64::from(minimum),
            delta,
            threshold,
            alpha,
            direction,
            mean: RunningMean::default(),
            up: 0.0,
            down: 0.0,
            lowest: f64::INFINITY,
            // river begins the maximum at -1, not at minus infinity.
            highest: -1.0,
            drifted: false,
        }
    }
}

impl Detector for PageHinkley {
    fn update(&mut self, value: f64) -> Signal {
        if !value.is_finite() {
            return Signal::QUIET;
        }
        if self.drifted {
            *self = Self::new(self.minimum as u32, self.delta, self.threshold, self.alpha, self.direction);
        }
        self.mean.update(value);
        let deviation = value - self.mean.value;
        self.up = self.alpha * self.up + deviation - self.delta;
        self.down = self.alpha * self.down + deviation + self.delta;
        if self.up < self.lowest {
            self.lowest = self.up;
        }
        if self.down > self.highest {
            self.highest = self.down;
        }
        if self.mean.n >= self.minimum {
            let (rise, fall) = (self.up - self.lowest > self.threshold, self.highest - self.down > self.threshold);
            self.drifted = match self.direction {
                Direction::Up => rise,
                Direction::Down => fall,
                Direction::Both => rise || fall,
            };
        }
        Signal::drift(self.drifted)
    }
}
