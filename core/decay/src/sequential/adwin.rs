use super::{Detector, Signal};

/// ADWIN: a window of the latest observations that shrinks whenever two parts of it have different means (Bifet and Gavaldà,
/// SIAM SDM 2007), over an exponential histogram whose row i holds buckets of 2^i observations.
///
/// Signals, widths and moments are those of river 0.26.1's. The default `delta` is a bound on a single cut, not a false-alarm rate.
#[derive(Clone, Debug)]
pub struct Adwin {
    delta: f64,
    clock: u64,
    minimum_window: f64,
    grace: f64,
    /// Buckets a row may hold before its two oldest are merged into the next row.
    row: usize,
    ticks: u64,
    width: f64,
    total: f64,
    /// Sum of squared deviations from the window's mean.
    deviations: f64,
    rows: Vec<Row>,
    drifted: bool,
}

/// Buckets of one size, oldest first.
#[derive(Clone, Debug)]
struct Row {
    totals: Vec<f64>,
    deviations: Vec<f64>,
}

impl Row {
    fn new(capacity: usize) -> Self {
        Self { totals: Vec::with_capacity(capacity), deviations: Vec::with_capacity(capacity) }
    }

    fn drop_oldest(&mut self, count: usize) {
        let kept = self.totals.len() - count;
        self.totals.copy_within(count.., 0);
        self.deviations.copy_within(count.., 0);
        self.totals.truncate(kept);
        self.deviations.truncate(kept);
    }
}

impl Default for Adwin {
    fn default() -> Self {
        Self::new(0.002, 32, 5, 5, 10)
    }
}

impl Adwin {
    /// `delta`: confidence of a cut; `clock`: observations between checks; `buckets`: most buckets of one size; `minimum_window`:
    /// least observations on either side of a cut; `grace`: observations before the first check. Zero counts as one.
    #[must_use]
    pub fn new(delta: f64, clock: u32, buckets: u32, minimum_window: u32, grace: u32) -> Self {
        let row = buckets.max(1) as usize;
        Self {
            delta: delta.max(f64::MIN_POSITIVE),
            clock: u64::from(clock.max(1)),
            minimum_window: f64::from(minimum_window.max(1)),
            grace: f64::from(grace),
            row,
            ticks: 0,
            width: 0.0,
            total: 0.0,
            deviations: 0.0,
            rows: vec![Row::new(row + 1)],
            drifted: false,
        }
    }

    /// Observations in the window.
    #[must_use]
    pub fn width(&self) -> f64 {
        self.width
    }

    /// Their sum.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.total
    }

    /// Their summed squared deviations from the mean.
    #[must_use]
    pub fn deviations(&self) -> f64 {
        self.deviations
    }

    /// Their mean; `None` for an empty window.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        (self.width > 0.0).then(|| self.total / self.width)
    }

    fn reset(&mut self) {
        self.rows.truncate(1);
        self.rows[0].totals.clear();
        self.rows[0].deviations.clear();
        (self.ticks, self.width, self.total, self.deviations, self.drifted) = (0, 0.0, 0.0, 0.0, false);
    }

    #[inline]
    fn insert(&mut self, x: f64) {
        self.width += 1.0;
        let mut growth = 0.0;
        if self.width > 1.0 {
            let distance = x - self.total / (self.width - 1.0);
            growth = (self.width - 1.0) * distance * distance / self.width;
        }
        self.deviations += growth;
        self.total += x;
        self.rows[0].totals.push(x);
        self.rows[0].deviations.push(0.0);
        if self.rows[0].totals.len() > self.row {
            self.compress();
        }
    }

    /// Merges the two oldest buckets of every full row into one of the next.
    fn compress(&mut self) {
        let mut size = 1.0;
        for index in 0.. {
            let row = &mut self.rows[index];
            if row.totals.len() != self.row + 1 {
                return;
            }
            let (first, second) = (row.totals[0], row.totals[1]);
            let (mean, other) = (first / size, second / size);
            let between = size * 0.5 * (mean - other) * (mean - other);
            let deviations = row.deviations[0] + row.deviations[1] + between;
            row.drop_oldest(2);
            if index + 1 == self.rows.len() {
                self.rows.push(Row::new(self.row + 1));
            }
            self.rows[index + 1].totals.push(first + second);
            self.rows[index + 1].deviations.push(deviations);
            size *= 2.0;
        }
    }

    fn drop_oldest_bucket(&mut self) {
        let last = self.rows.len() - 1;
        let size = 2.0_f64.powi(last as i32);
        let (Some(total), Some(own)) = (self.rows[last].totals.first(), self.rows[last].deviations.first()) else {
            return;
        };
        let mean = total / size;
        let own = *own;
        self.width -= size;
        self.total -= total;
        let left = self.total / self.width;
        self.deviations -= own + size * self.width * (mean - left) * (mean - left) / (size + self.width);
        self.rows[last].drop_oldest(1);
        while self.rows.len() > 1 && self.rows.last().is_some_and(|row| row.totals.is_empty()) {
            self.rows.pop();
        }
    }

    /// Whether some cut parts the window into two of different means.
    fn has_cut(&self) -> bool {
        let confidence = (2.0 * self.width.ln() / self.delta).ln();
        let variance = self.deviations / self.width;
        let least = self.minimum_window;
        let (mut n0, mut n1, mut u0, mut u1) = (0.0, self.width, 0.0, self.total);
        let mut size = 2.0_f64.powi(self.rows.len() as i32);
        for (index, row) in self.rows.iter().enumerate().rev() {
            size *= 0.5;
            for (at, total) in row.totals.iter().enumerate() {
                n0 += size;
                n1 -= size;
                u0 += total;
                u1 -= total;
                if index == 0 && at + 1 == row.totals.len() {
                    return false;
                }
                if n1 < least {
                    // The newer part only gets smaller.
                    return false;
                }
                if n0 < least {
                    continue;
                }
                let distance = ((u0 / n0) - (u1 / n1)).abs();
                let harmonic = 1.0 / (n0 - least + 1.0) + 1.0 / (n1 - least + 1.0);
                let linear = 2.0 / 3.0 * confidence * harmonic;
                // The root is not negative: most cuts are settled without it.
                if distance > linear && distance > (2.0 * harmonic * variance * confidence).sqrt() + linear {
                    return true;
                }
            }
        }
        false
    }
}

impl Detector for Adwin {
    #[inline]
    fn update(&mut self, value: f64) -> Signal {
        if !value.is_finite() {
            return Signal::QUIET;
        }
        if self.drifted {
            self.reset();
        }
        self.insert(value);
        self.ticks += 1;
        if self.ticks.is_multiple_of(self.clock) && self.width > self.grace {
            while self.width > 0.0 && self.has_cut() {
                self.drifted = true;
                self.drop_oldest_bucket();
            }
        }
        Signal::drift(self.drifted)
    }
}
