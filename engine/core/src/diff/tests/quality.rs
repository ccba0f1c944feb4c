//! Statistics of the hash: what a good one looks like from outside, on inputs that are the worst of those that models have.
//!
//! Nothing is random but the salts, which are fixed: a failure is a fact. `OUTFLOW_LONG=1` takes 2^22 records where 2^16 are taken
//! otherwise, and every bit of every class rather than some.

use arrow::array::{Decimal128Array, TimestampNanosecondArray};

use super::*;

fn long() -> bool {
    std::env::var_os("OUTFLOW_LONG").is_some()
}

fn records() -> u64 {
    1 << if long() { 22 } else { 16 }
}

fn ints(values: impl Iterator<Item = u64>) -> ArrayRef {
    arc(Int64Array::from_iter_values(values.map(|value| value as i64)))
}

fn texts(values: impl Iterator<Item = String>) -> ArrayRef {
    arc(StringViewArray::from_iter_values(values))
}

/// The halves of the row hashes of two columns, or one.
fn lanes(columns: &[ArrayRef]) -> Lanes {
    let named = columns.iter().enumerate().map(|(i, column)| (format!("c{i}"), column.clone(), true));
    let batch = RecordBatch::try_from_iter_with_nullable(named).unwrap();
    let hasher = RecordHasher::new(&SALT, batch.schema_ref(), &["c0".to_owned()], None).unwrap();
    let (mut keys, mut rows) = (Lanes::default(), Lanes::default());
    hasher.hash(&batch, &mut keys, &mut rows).unwrap();
    assert!(rows.high.iter().all(|high| high & 1 == 1));
    rows
}

/// No two halves are equal: 2^22 records have 2^43 pairs, and a lane that was only as good as 2^-50 would be found out.
#[track_caller]
fn no_collisions(columns: &[ArrayRef]) {
    let Lanes { mut high, mut low } = lanes(columns);
    for (lane, name) in [(&mut high, "upper"), (&mut low, "lower")] {
        lane.sort_unstable();
        let equal = lane.windows(2).filter(|pair| pair[0] == pair[1]).count();
        assert_eq!(equal, 0, "equal {name} halves of {} records", lane.len());
    }
}

#[test]
fn numbers_that_resemble_each_other_do_not_collide() {
    let n = records();
    no_collisions(&[ints(0..n)]);
    no_collisions(&[ints((0..n).map(|i| i << 42))]);
    no_collisions(&[ints((0..n).map(u64::reverse_bits))]);
    no_collisions(&[ints((0..n).map(|i| i << 32 | i))]);
    no_collisions(&[ints((0..n).map(|i| i << 32 | (u64::from(u32::MAX) - i)))]);
    // Sparse: those with one or two bits set, over every pair of bits and a small number.
    no_collisions(&[ints((0..64_u64).flat_map(|a| (0..a).map(move |b| 1 << a | 1 << b)).chain((0..64).map(|a| 1 << a)))]);
    no_collisions(&[arc(Float64Array::from_iter_values((0..n).map(|i| i as f64 + 0.5)))]);
    no_collisions(&[arc(Float64Array::from_iter_values((0..n).map(|i| f64::from_bits(i << 40))))]);
    no_collisions(&[arc(Decimal128Array::from_iter_values((0..n).map(i128::from)).with_precision_and_scale(12, 2).unwrap())]);
    no_collisions(&[arc(TimestampNanosecondArray::from_iter_values((0..n).map(|i| i as i64 * 1_000_000_000)))]);
}

#[test]
fn texts_that_resemble_each_other_do_not_collide() {
    let n = records();
    no_collisions(&[texts((0..n).map(|i| i.to_string()))]);
    no_collisions(&[texts((0..n).map(|i| format!("{i:012}")))]);
    no_collisions(&[texts((0..n).map(|i| format!("customer-of-a-long-name-{i}")))]);
    no_collisions(&[texts((0..n).map(|i| format!("{i:08x}-of-one-and-the-same-long-suffix-for-all")))]);
    no_collisions(&[texts((0..n).map(|i| "a".repeat((i % 2_000) as usize) + &(i / 2_000).to_string()))]);
    // One byte differs, at each position of each length.
    let one_byte = |length: usize| {
        (0..length).flat_map(move |at| {
            (1..128_u8).map(move |byte| {
                let mut bytes = vec![0; length];
                bytes[at] = byte;
                String::from_utf8(bytes).unwrap()
            })
        })
    };
    no_collisions(&[texts((0..if long() { 180 } else { 70 }).flat_map(one_byte).chain((0..70).map(|length| "\0".repeat(length))))]);
}

#[test]
fn changes_in_two_columns_do_not_make_up_for_each_other() {
    let n = records();
    let root = (n as f64).sqrt() as u64;
    let (rows, columns) = ((0..n).map(|i| i / root), (0..n).map(|i| i % root));
    // Every pair of small numbers: swapped values, and those whose sum, difference or exclusive or is the same.
    no_collisions(&[ints(rows.clone()), ints(columns.clone())]);
    no_collisions(&[ints(rows.clone().map(|x| x << 50)), ints(columns.clone().map(|x| x << 50))]);
    no_collisions(&[ints(0..n), ints((0..n).map(|i| 0_u64.wrapping_sub(i)))]);
    no_collisions(&[ints(0..n), ints(0..n)]);
    no_collisions(&[ints((0..n).map(|i| i.rotate_right(1))), ints((0..n).map(|i| i << 63))]);
    no_collisions(&[texts(rows.clone().map(|x| x.to_string())), texts(columns.clone().map(|x| x.to_string()))]);
    no_collisions(&[texts(rows.map(|x| format!("{x:020}"))), ints(columns)]);
}

/// Flips each bit of many inputs: each bit of the hash must change in half of them, give or take five deviations of 2^15 draws.
#[track_caller]
fn avalanche(name: &str, width: u32, column: &dyn Fn(&[u128]) -> ArrayRef) {
    const DRAWS: usize = 1 << 15;
    let inputs: Vec<u128> = (0..DRAWS as u128).map(|i| i.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835).rotate_left(61)).collect();
    let before = lanes(&[column(&inputs)]);
    for bit in (0..width).step_by(if long() { 1 } else { 7 }) {
        let flipped: Vec<u128> = inputs.iter().map(|input| input ^ 1 << bit).collect();
        let after = lanes(&[column(&flipped)]);
        for (lane, a, b) in [("upper", &before.high, &after.high), ("lower", &before.low, &after.low)] {
            let mut changed = [0_u32; 64];
            for (a, b) in a.iter().zip(b) {
                for (out, changed) in changed.iter_mut().enumerate() {
                    *changed += ((a ^ b) >> out) as u32 & 1;
                }
            }
            for (out, changed) in changed.into_iter().enumerate().skip(usize::from(lane == "upper")) {
                let share = f64::from(changed) / DRAWS as f64;
                assert!((share - 0.5).abs() < 0.02, "{name}: bit {bit} changes bit {out} of the {lane} half in {share:.3} of the cases");
            }
        }
    }
}

#[test]
fn every_bit_of_a_value_changes_every_bit_of_the_hash_in_half_of_the_cases() {
    avalanche("int64", 64, &|inputs| ints(inputs.iter().map(|input| *input as u64)));
    avalanche("small int64", 20, &|inputs| ints(inputs.iter().map(|input| *input as u64 & 0xf_ffff)));
    avalanche("timestamp", 50, &|inputs| arc(TimestampNanosecondArray::from_iter_values(inputs.iter().map(|input| *input as i64))));
    avalanche("float64", 52, &|inputs| {
        let value = |input: &u128| f64::from_bits(*input as u64 & ((1 << 52) - 1) | 0x3ff << 52);
        arc(Float64Array::from_iter_values(inputs.iter().map(value)))
    });
    for length in [3, 8, 12, 13, 15, 16, 20, 33, 40] {
        // The input stands at the end of a text that stays.
        let bytes = move |input: &u128| {
            let mut bytes = vec![b'x'; length];
            let present = length.min(16);
            bytes[length - present..].copy_from_slice(&input.to_le_bytes()[..present]);
            bytes
        };
        avalanche(&format!("{length} bytes"), 8 * length.min(16) as u32, &|inputs| {
            arc(arrow::array::BinaryViewArray::from_iter_values(inputs.iter().map(bytes)))
        });
    }
}

/// The table of the diff takes its bucket from the upper bits of the key: the counts must be as even as those of a fair draw.
#[track_caller]
fn even_buckets(id: ArrayRef) {
    let batch = RecordBatch::try_from_iter([("id", id)]).unwrap();
    let hasher = RecordHasher::new(&SALT, batch.schema_ref(), &["id".to_owned()], None).unwrap();
    let (mut keys, mut rows) = (Lanes::default(), Lanes::default());
    hasher.hash(&batch, &mut keys, &mut rows).unwrap();
    let bits = if long() { 16 } else { 10 };
    for (name, lane) in [("key", &keys.high), ("lower key", &keys.low), ("row", &rows.high)] {
        let mut counts = vec![0_u32; 1 << bits];
        for hash in lane {
            counts[(hash >> (64 - bits)) as usize] += 1;
        }
        let expected = lane.len() as f64 / counts.len() as f64;
        let chi: f64 = counts.iter().map(|count| (f64::from(*count) - expected).powi(2) / expected).sum();
        let freedom = counts.len() as f64 - 1.0;
        // Five deviations, either way: too even is no fair draw either.
        assert!((chi - freedom).abs() < 5.0 * (2.0 * freedom).sqrt(), "{name}: chi squared {chi:.0} of {freedom}");
    }
}

#[test]
fn keys_spread_evenly_over_buckets() {
    let n = records();
    even_buckets(ints(0..n));
    even_buckets(ints((0..n).map(|i| i * 1_000)));
    even_buckets(ints((0..n).map(|i| i << 40)));
    even_buckets(texts((0..n).map(|i| i.to_string())));
    even_buckets(texts((0..n).map(|i| format!("customer-{i}"))));
    even_buckets(texts((0..n).map(|i| format!("a-long-prefix-that-is-the-same-{i:010}"))));
    even_buckets(texts((0..n).map(|i| format!("{i:010}-a-long-suffix-that-is-the-same"))));
}
