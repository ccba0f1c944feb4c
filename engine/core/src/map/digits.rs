//! Decimal digits, eight at a time.
//!
//! Numbers of eight digits become text in a few multiplications on one register, without a table and without a loop; longer ones are
//! two or three of those. The text goes to the buffer in whole blocks, of which what is too much is cut off again: so nothing is copied
//! by a length that is known only at run time.

/// What eight digits hold.
const EIGHT: u64 = 100_000_000;
/// What sixteen hold.
const SIXTEEN: u64 = EIGHT * EIGHT;
/// `'0'` in each byte.
const ZEROS: u64 = 0x3030_3030_3030_3030;

/// The digits of a number below 10^8 as the bytes 0 to 9, the first in the lowest.
#[inline]
fn lanes(number: u64) -> u64 {
    // Two numbers of four digits, then four of two, then eight of one, each in a lane of its own. The factors are the inverses of 100 and
    // 10, exact for so few digits.
    let fours = (number / 10_000) | ((number % 10_000) << 32);
    let hundreds = ((fours * 10_486) >> 20) & 0x0000_007f_0000_007f;
    let twos = ((fours - 100 * hundreds) << 16) | hundreds;
    let tens = ((twos * 103) >> 10) & 0x000f_000f_000f_000f;
    ((twos - 10 * tens) << 8) | tens
}

/// Appends the last `count` digits of a number below 10^8; `count` is 1 to 8.
#[inline]
fn last(buf: &mut Vec<u8>, number: u64, count: usize) {
    let text = (lanes(number) + ZEROS) >> (8 * (8 - count));
    buf.extend_from_slice(&text.to_le_bytes());
    buf.truncate(buf.len() - (8 - count));
}

/// Appends a number below 10^8.
#[inline]
fn short(buf: &mut Vec<u8>, number: u64) {
    let digits = lanes(number);
    // The last digit is there even if it is 0.
    let unused = (digits | 1 << 56).trailing_zeros() / 8;
    buf.extend_from_slice(&((digits + ZEROS) >> (8 * unused)).to_le_bytes());
    buf.truncate(buf.len() - unused as usize);
}

/// Appends a number.
#[inline]
pub(crate) fn unsigned(buf: &mut Vec<u8>, number: u64) {
    if number < EIGHT {
        short(buf, number);
    } else if number < SIXTEEN {
        short(buf, number / EIGHT);
        last(buf, number % EIGHT, 8);
    } else {
        short(buf, number / SIXTEEN);
        let rest = number % SIXTEEN;
        last(buf, rest / EIGHT, 8);
        last(buf, rest % EIGHT, 8);
    }
}

/// The most digits behind a point that [`behind_point`] writes.
pub(crate) const BEHIND_POINT_MAX: usize = 16;

/// Appends a number with leading zeros, so that it has `count` digits: 1 to [`BEHIND_POINT_MAX`], and no fewer than it needs.
#[inline]
pub(crate) fn behind_point(buf: &mut Vec<u8>, number: u64, count: usize) {
    if count > 8 {
        last(buf, number / EIGHT, count - 8);
        last(buf, number % EIGHT, 8);
    } else {
        last(buf, number, count);
    }
}

/// The digits of a number below 10^8, all eight.
#[inline]
pub(crate) fn eight(number: u64) -> [u8; 8] {
    (lanes(number) + ZEROS).to_le_bytes()
}

/// Two digits.
#[inline]
pub(crate) fn two(number: u32) -> [u8; 2] {
    [b'0' + (number / 10 % 10) as u8, b'0' + (number % 10) as u8]
}

/// Nine digits of a number below 10^9.
#[inline]
pub(crate) fn nine(number: u32) -> [u8; 9] {
    let mut text = [b'0' + (number / EIGHT as u32) as u8; 9];
    text[1..].copy_from_slice(&eight(u64::from(number) % EIGHT));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        // What is there already stays.
        let mut buf = b"x".to_vec();
        write(&mut buf);
        String::from_utf8(buf).unwrap().strip_prefix('x').unwrap().to_owned()
    }

    /// Every power of ten and of two, with its neighbours.
    fn edges() -> impl Iterator<Item = u64> {
        let tens = (0..20).map(|power| 10_u64.pow(power));
        tens.chain((0..64).map(|power| 1 << power)).flat_map(|edge| [edge - 1, edge, edge.wrapping_add(1)]).chain([u64::MAX])
    }

    #[test]
    fn numbers_have_the_digits_that_the_standard_library_gives_them() {
        for number in edges().chain(0..20_000).chain((0..2_000).map(|n| n * 49_999 + 7)) {
            assert_eq!(text(|b| unsigned(b, number)), number.to_string());
        }
    }

    #[test]
    fn every_pair_and_quadruple_of_digits_is_right_in_every_place() {
        for number in 0..10_000 {
            let (high, low) = (number * 10_000 + 1_234, 56_780_000 + number);
            assert_eq!(text(|b| last(b, high, 8)), format!("{high:08}"));
            assert_eq!(text(|b| last(b, low, 8)), format!("{low:08}"));
        }
    }

    #[test]
    fn digits_behind_a_point_keep_their_zeros() {
        for count in 1..=BEHIND_POINT_MAX {
            let limit = 10_u64.pow(count as u32);
            for number in edges().filter(|number| *number < limit) {
                assert_eq!(text(|b| behind_point(b, number, count)), format!("{number:0count$}"));
            }
        }
    }

    #[test]
    fn nine_digits_are_nine() {
        for number in edges().filter(|number| *number < 1_000_000_000) {
            assert_eq!(String::from_utf8_lossy(&nine(number as u32)), format!("{number:09}"));
        }
        assert_eq!([two(0), two(7), two(99)], [*b"00", *b"07", *b"99"]);
    }
}
