//! One seed, everything that follows from it: a small generator of our own, so that no library's update changes a replay.

/// A stream of pseudo-random numbers (SplitMix64). Equal seeds give equal streams, on every machine.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The stream of a seed.
    pub fn new(seed: u64) -> Self {
        Random(seed)
    }

    /// A stream for a named purpose: the same seed gives each name its own.
    pub fn named(seed: u64, name: &str) -> Self {
        let mut mixed = Random(seed);
        for byte in name.bytes() {
            mixed.0 = mixed.0.rotate_left(8) ^ u64::from(byte);
            mixed.next();
        }
        mixed
    }

    /// The next 64 bits.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound` (0 for a bound of 0).
    pub fn below(&mut self, bound: usize) -> usize {
        if bound == 0 { 0 } else { (self.next() % bound as u64) as usize }
    }

    /// True `percent` times in a hundred.
    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One of these; the list is not empty.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// From 0.0 up to 1.0.
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Another order of the same things.
    pub fn shuffle<T>(&mut self, things: &mut [T]) {
        for i in (1..things.len()).rev() {
            things.swap(i, self.below(i + 1));
        }
    }
}

/// The seed of this run: `HEAVENBASE_TEST_SEED` (a number, or `random` for one from the clock), else 1.
pub fn seed() -> u64 {
    match std::env::var("HEAVENBASE_TEST_SEED") {
        Ok(text) if text == "random" => std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(1, |since| u64::from(since.subsec_nanos()) ^ since.as_secs()),
        Ok(text) => text.parse().unwrap_or(1),
        Err(_) => 1,
    }
}
