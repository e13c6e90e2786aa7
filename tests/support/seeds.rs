//! Randomized tests. A seed determines all random choices, so that a failure can be repeated.

use std::env;
use std::fmt::Debug;

/// Runs `test` with each seed in `regressions`, and then with each seed from 0 to `count` - 1. If the environment
/// variable with the name `variable` is set, `test` runs only with the seed in this variable.
///
/// If a seed fails, the function prints how to run this seed again.
pub fn for_each_seed(variable: &str, regressions: &[u64], count: u64, test: impl Fn(u64)) {
    let one = env::var(variable).ok().map(|text| text.parse().unwrap());
    let seeds: Vec<u64> = match one {
        Some(seed) => vec![seed],
        None => regressions.iter().copied().chain(0..count).collect(),
    };
    for seed in seeds {
        let _report = SeedReport { variable, seed };
        test(seed);
    }
}

/// Prints the seed if the test panics.
struct SeedReport<'a> {
    variable: &'a str,
    seed: u64,
}

impl Drop for SeedReport<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Self { variable, seed } = self;
            eprintln!(
                "Seed {seed} failed. To run only this seed, set {variable}={seed}. Add the seed to the regressions."
            );
        }
    }
}

/// A pseudo-random number generator (SplitMix64).
pub struct Rng(u64);

impl Rng {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Returns a number from 0 up to, but not including, `end`.
    pub fn below(&mut self, end: usize) -> usize {
        assert!(end > 0, "the range is empty");
        usize::try_from(self.number() % end as u64).unwrap()
    }

    /// Returns true with a probability of 1 in `times`.
    pub fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// Returns a random element of `of`.
    pub fn one<T: Clone + Debug>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())].clone()
    }
}
