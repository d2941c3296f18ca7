//! Checked fixed-point arithmetic; every division says in its name which way it rounds.
//!
//! In: integers scaled by 1e9 (`_e9`) or 1e6 (`_ppm`). Out: integers, or `Reject::Overflow`.
//! Holds: nothing wraps and nothing panics, whatever the inputs. Not here: what is charged
//! (`margin`, `ops`).

use crate::error::Reject;
use crate::types::{E9, PPM};

/// A value, or the refusal that stands for "out of range".
pub(crate) type Checked<T> = Result<T, Reject>;

/// a + b.
pub(crate) fn add(a: i128, b: i128) -> Checked<i128> {
    a.checked_add(b).ok_or(Reject::Overflow)
}

/// a - b.
pub(crate) fn sub(a: i128, b: i128) -> Checked<i128> {
    a.checked_sub(b).ok_or(Reject::Overflow)
}

/// a · b.
pub(crate) fn mul(a: i128, b: i128) -> Checked<i128> {
    a.checked_mul(b).ok_or(Reject::Overflow)
}

/// n / d towards minus infinity; d > 0.
#[inline]
pub(crate) fn div_floor(n: i128, d: i128) -> Checked<i128> {
    n.checked_div_euclid(d).ok_or(Reject::Overflow)
}

/// n / d towards plus infinity; d > 0.
#[inline]
pub(crate) fn div_ceil(n: i128, d: i128) -> Checked<i128> {
    let floor = div_floor(n, d)?;
    if mul(floor, d)? == n { Ok(floor) } else { add(floor, 1) }
}

/// Signed size times price, in USD e9, towards minus infinity: what a position is worth.
pub(crate) fn value_floor(size_e9: i128, price_e9: u64) -> Checked<i128> {
    div_floor(mul(size_e9, i128::from(price_e9))?, i128::from(E9))
}

/// Quantity times price, in USD e9, upwards: what a requirement is measured on.
pub(crate) fn notional_ceil(qty_e9: u128, price_e9: u64) -> Checked<i128> {
    let qty = i128::try_from(qty_e9).map_err(|_| Reject::Overflow)?;
    div_ceil(mul(qty, i128::from(price_e9))?, i128::from(E9))
}

/// A signed share of a value, towards plus infinity: fees go up, rebates (negative) down.
pub(crate) fn share_ceil(value_e9: i128, share_ppm: i64) -> Checked<i128> {
    div_ceil(mul(value_e9, i128::from(share_ppm))?, i128::from(PPM))
}

/// A share of a price, downwards.
pub(crate) fn price_share_floor(price_e9: u64, share_ppm: u32) -> u64 {
    let share = u128::from(price_e9) * u128::from(share_ppm) / u128::from(PPM);
    u64::try_from(share).unwrap_or(u64::MAX)
}

/// A share of a price, upwards.
pub(crate) fn price_share_ceil(price_e9: u64, share_ppm: u32) -> u64 {
    let share = (u128::from(price_e9) * u128::from(share_ppm)).div_ceil(u128::from(PPM));
    u64::try_from(share).unwrap_or(u64::MAX)
}

/// value · part / whole towards plus infinity, for 0 < part <= whole.
///
/// Taken apart as whole·q + r, so that no intermediate is wider than the value.
pub(crate) fn portion_ceil(value_e9: i128, part: u64, whole: u64) -> Checked<i128> {
    let (part, whole) = (i128::from(part), i128::from(whole));
    let quotient = div_floor(value_e9, whole)?;
    let rest = sub(value_e9, mul(quotient, whole)?)?;
    add(mul(quotient, part)?, div_ceil(mul(rest, part)?, whole)?)
}

/// a·b >= c·d, exactly, in 256 bits.
pub(crate) fn product_at_least(a: u128, b: u128, c: u128, d: u128) -> bool {
    wide_product(a, b) >= wide_product(c, d)
}

/// a·b as (high, low) halves.
fn wide_product(a: u128, b: u128) -> (u128, u128) {
    const LOW: u128 = u64::MAX as u128;
    let (a_high, a_low, b_high, b_low) = (a >> 64, a & LOW, b >> 64, b & LOW);
    let low = a_low * b_low;
    let (cross, other) = (a_low * b_high, a_high * b_low);
    let middle = (low >> 64) + (cross & LOW) + (other & LOW);
    let high = a_high * b_high + (cross >> 64) + (other >> 64) + (middle >> 64);
    (high, (middle << 64) | (low & LOW))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn division_rounds_as_its_name_says() {
        assert_eq!(div_floor(-7, 2), Ok(-4));
        assert_eq!(div_ceil(-7, 2), Ok(-3));
        assert_eq!(div_floor(7, 2), Ok(3));
        assert_eq!(div_ceil(7, 2), Ok(4));
        assert_eq!(div_ceil(8, 2), Ok(4));
    }

    #[test]
    fn division_by_zero_and_overflow_are_refused() {
        assert_eq!(div_floor(1, 0), Err(Reject::Overflow));
        assert_eq!(mul(i128::MAX, 2), Err(Reject::Overflow));
        assert_eq!(add(i128::MAX, 1), Err(Reject::Overflow));
        assert_eq!(notional_ceil(u128::MAX, 1), Err(Reject::Overflow));
    }

    #[test]
    fn fees_round_up_and_rebates_down() {
        assert_eq!(share_ceil(1_000_001, 500), Ok(501));
        assert_eq!(share_ceil(1_000_001, -500), Ok(-500));
    }

    #[test]
    fn a_portion_equals_the_wide_formula_and_survives_wide_values() {
        for (value, part, whole) in [(10, 1, 3), (-10, 1, 3), (7, 7, 7), (-1, 2, 9)] {
            let exact = div_ceil(value * i128::from(part), i128::from(whole));
            assert_eq!(portion_ceil(value, part, whole), exact);
        }
        assert_eq!(portion_ceil(1 << 120, 1 << 62, 1 << 63), Ok(1 << 119));
    }

    #[test]
    fn products_compare_beyond_128_bits() {
        assert!(product_at_least(u128::MAX, 3, u128::MAX, 2));
        assert!(!product_at_least(u128::MAX, 2, u128::MAX, 3));
        assert!(product_at_least(6, 4, 8, 3));
        assert_eq!(wide_product(u128::MAX, u128::MAX), (u128::MAX - 1, 1));
    }
}
