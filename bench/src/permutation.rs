//! A shuffle of the numbers from 0 to n - 1 that is computed, not stored: where a number goes is a function of the seed.
//!
//! A Feistel network over the next power of two, walked on until it lands below n. Each round changes one half by a function of the
//! other half, so it can be undone: no two numbers meet.

/// A seeded one-to-one map of `0..len` onto itself.
#[derive(Clone, Debug)]
pub struct Permutation {
    len: u64,
    seed: u64,
    low_bits: u32,
    high_bits: u32,
}

/// Rounds on each half. Four of them in all already look shuffled; more only cost.
const ROUNDS: u64 = 3;

impl Permutation {
    /// The permutation of `0..len` that belongs to `seed`.
    pub fn new(len: u64, seed: u64) -> Self {
        // At least one bit on each side, or there would be nothing to mix.
        let bits = (u64::BITS - len.saturating_sub(1).leading_zeros()).max(2);
        Self { len, seed, low_bits: bits / 2, high_bits: bits - bits / 2 }
    }

    /// Where `number` goes. Numbers from `len` on are not part of the permutation and stay where they are.
    pub fn apply(&self, number: u64) -> u64 {
        if number >= self.len {
            return number;
        }
        let mut place = self.step(number);
        // The walk stays on one cycle of the larger permutation, and that cycle comes back below `len`.
        while place >= self.len {
            place = self.step(place);
        }
        place
    }

    fn step(&self, number: u64) -> u64 {
        let (low_mask, high_mask) = (mask(self.low_bits), mask(self.high_bits));
        let (mut low, mut high) = (number & low_mask, number >> self.low_bits);
        for round in 0..ROUNDS {
            low ^= mix(self.seed ^ mix(high ^ (round << 58))) & low_mask;
            high ^= mix(self.seed ^ mix(low ^ (round << 58) ^ (1 << 57))) & high_mask;
        }
        (high << self.low_bits) | low
    }
}

/// Spreads the bits of a number over all of it: the finisher of splitmix64, a one-to-one map.
#[inline]
pub fn mix(number: u64) -> u64 {
    let z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn mask(bits: u32) -> u64 {
    (1 << bits) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_hit_once_at_every_length() {
        for len in (0..70).chain([255, 256, 257, 1000, 4095, 4096, 4097]) {
            let permutation = Permutation::new(len, 42);
            let mut hit = vec![false; len as usize];
            for number in 0..len {
                let place = permutation.apply(number) as usize;
                assert!(!hit[place], "{len}: {place} is hit twice");
                hit[place] = true;
            }
        }
    }

    #[test]
    fn numbers_move_and_a_seed_decides_where() {
        let (one, two) = (Permutation::new(10_000, 1), Permutation::new(10_000, 2));
        let stays = (0..10_000).filter(|&n| one.apply(n) == n).count();
        let agree = (0..10_000).filter(|&n| one.apply(n) == two.apply(n)).count();
        let follows = (0..9_999).filter(|&n| one.apply(n + 1) == one.apply(n) + 1).count();
        assert!(stays < 10 && agree < 10 && follows < 10, "{stays} {agree} {follows}");
        assert!((0..10_000).all(|n| one.apply(n) == Permutation::new(10_000, 1).apply(n)));
    }

    #[test]
    fn numbers_outside_stay_where_they_are() {
        assert_eq!(Permutation::new(10, 1).apply(10), 10);
    }
}
