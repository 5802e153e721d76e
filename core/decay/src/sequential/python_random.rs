/// Python's `random.Random(seed)`: MT19937 (Matsumoto and Nishimura 1998) with the draws of CPython 3.11 on top.
///
/// It is here so that detectors that sample agree with their Python originals, and as a seeded generator for permutations. It is
/// not fit for secrets.
#[derive(Clone, Debug)]
pub struct PythonRandom {
    state: Vec<u32>,
    next: usize,
}

const N: usize = 624;
const M: usize = 397;

impl PythonRandom {
    /// Seeded as `random.Random(seed)`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let words = [(seed & 0xffff_ffff) as u32, (seed >> 32) as u32];
        Self::from_words(if words[1] == 0 { &words[..1] } else { &words })
    }

    /// `init_by_array` of the reference implementation.
    fn from_words(words: &[u32]) -> Self {
        let mut state = vec![19_650_218_u32];
        for i in 1..N as u32 {
            let last = state[i as usize - 1];
            state.push(1_812_433_253_u32.wrapping_mul(last ^ (last >> 30)).wrapping_add(i));
        }
        let mix = |state: &[u32], i: usize, factor: u32| {
            state[i] ^ (state[i - 1] ^ (state[i - 1] >> 30)).wrapping_mul(factor)
        };
        let (mut i, mut j) = (1, 0);
        for _ in 0..N.max(words.len()) {
            state[i] = mix(&state, i, 1_664_525).wrapping_add(words[j]).wrapping_add(j as u32);
            (i, j) = (i + 1, (j + 1) % words.len());
            if i == N {
                state[0] = state[N - 1];
                i = 1;
            }
        }
        for _ in 1..N {
            state[i] = mix(&state, i, 1_566_083_941).wrapping_sub(i as u32);
            i += 1;
            if i == N {
                state[0] = state[N - 1];
                i = 1;
            }
        }
        state[0] = 0x8000_0000;
        Self { state, next: N }
    }

    /// The next 32 bits.
    pub fn next_u32(&mut self) -> u32 {
        if self.next >= N {
            for i in 0..N {
                let y = (self.state[i] & 0x8000_0000) | (self.state[(i + 1) % N] & 0x7fff_ffff);
                let odd = if y & 1 == 1 { 0x9908_b0df } else { 0 };
                self.state[i] = self.state[(i + M) % N] ^ (y >> 1) ^ odd;
            }
            self.next = 0;
        }
        let mut y = self.state[self.next];
        self.next += 1;
        y ^= y >> 11;
        y ^= (y << 7) & 0x9d2c_5680;
        y ^= (y << 15) & 0xefc6_0000;
        y ^ (y >> 18)
    }

    /// A number with `bits` random bits, 1 to 64: `getrandbits`. Zero bits give zero.
    pub fn bits(&mut self, bits: u32) -> u64 {
        match bits {
            0 => 0,
            1..=32 => u64::from(self.next_u32() >> (32 - bits)),
            _ => {
                let low = u64::from(self.next_u32());
                low | u64::from(self.next_u32() >> (64 - bits.min(64))) << 32
            }
        }
    }

    /// A number below `n`, each alike: `_randbelow`. Zero for `n` = 0.
    pub fn below(&mut self, n: u64) -> u64 {
        let bits = u64::BITS - n.leading_zeros();
        loop {
            let drawn = self.bits(bits);
            if drawn < n || n == 0 {
                return drawn;
            }
        }
    }

    /// A number from 0 to below 1 with 53 random bits: `random()`.
    pub fn unit(&mut self) -> f64 {
        let (high, low) = (self.next_u32() >> 5, self.next_u32() >> 6);
        (f64::from(high) * 67_108_864.0 + f64::from(low)) / 9_007_199_254_740_992.0
    }

    /// `count` different numbers below `n` in the order drawn: `sample(range(n), count)`. All of them, shuffled, when `count`
    /// exceeds `n`.
    pub fn sample(&mut self, n: usize, count: usize) -> Vec<usize> {
        let count = count.min(n);
        let mut table = 21.0;
        if count > 5 {
            table += 4.0_f64.powf(((count as f64 * 3.0).ln() / 4.0_f64.ln()).ceil());
        }
        if n as f64 <= table {
            let mut pool: Vec<usize> = (0..n).collect();
            return (0..count)
                .map(|i| {
                    let j = self.below((n - i) as u64) as usize;
                    let drawn = pool[j];
                    pool[j] = pool[n - i - 1];
                    drawn
                })
                .collect();
        }
        let mut drawn: Vec<usize> = Vec::with_capacity(count);
        let mut seen = std::collections::HashSet::new();
        while drawn.len() < count {
            let j = self.below(n as u64) as usize;
            if seen.insert(j) {
                drawn.push(j);
            }
        }
        drawn
    }
}
