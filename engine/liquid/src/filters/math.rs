//! Filters that reckon. What is no number counts as 0.

use super::Call;
use crate::number::Number;
use crate::problem::Failure;
use crate::value::Value;

/// From here on doubles leave whole numbers out.
const SAFE_MAX: f64 = 9_007_199_254_740_991.0;

type Made = Result<Value, Failure>;

fn both(call: &Call<'_>, whole: fn(i128, i128) -> Option<i128>, double: fn(f64, f64) -> f64) -> Made {
    Ok(Value::Number(call.input.number().reckon(&call.arg(0).number(), whole, double)))
}

/// Of a number that is whole already nothing changes.
fn one(call: &Call<'_>, double: fn(f64) -> f64) -> Made {
    let number = call.input.number();
    Ok(Value::Number(match number.whole() {
        Some(whole) => whole.into(),
        None => double(number.value()).into(),
    }))
}

pub(super) fn abs(call: &mut Call<'_>) -> Made {
    let number = call.input.number();
    Ok(Value::Number(number.whole().and_then(i128::checked_abs).map_or_else(|| number.value().abs().into(), Number::from)))
}

/// The greatest of the input and all arguments.
pub(super) fn at_least(call: &mut Call<'_>) -> Made {
    Ok(Value::Number(call.args.iter().map(Value::number).fold(call.input.number(), |one, other| if other > one { other } else { one })))
}

/// The smallest of them.
pub(super) fn at_most(call: &mut Call<'_>) -> Made {
    Ok(Value::Number(call.args.iter().map(Value::number).fold(call.input.number(), |one, other| if other < one { other } else { one })))
}

pub(super) fn ceil(call: &mut Call<'_>) -> Made {
    one(call, f64::ceil)
}

pub(super) fn floor(call: &mut Call<'_>) -> Made {
    one(call, f64::floor)
}

pub(super) fn plus(call: &mut Call<'_>) -> Made {
    both(call, i128::checked_add, |one, other| one + other)
}

pub(super) fn minus(call: &mut Call<'_>) -> Made {
    both(call, i128::checked_sub, |one, other| one - other)
}

pub(super) fn times(call: &mut Call<'_>) -> Made {
    both(call, i128::checked_mul, |one, other| one * other)
}

/// With the sign of the divisor.
pub(super) fn modulo(call: &mut Call<'_>) -> Made {
    let whole = |one: i128, other: i128| one.checked_rem(other)?.checked_add(other)?.checked_rem(other);
    both(call, whole, |one, other| ((one % other) + other) % other)
}

/// A further argument that is true rounds down.
pub(super) fn divided_by(call: &mut Call<'_>) -> Made {
    let quotient = |one: i128, other: i128| (one.checked_rem(other)? == 0).then(|| one / other);
    let divided = call.input.number().reckon(&call.arg(0).number(), quotient, |one, other| one / other);
    let down = call.arg(1).number().value() != 0.0;
    Ok(if down && divided.whole().is_none() { divided.value().floor().into() } else { Value::Number(divided) })
}

pub(super) fn to_integer(call: &mut Call<'_>) -> Made {
    Ok(Value::Number(call.input.as_number()))
}

/// To so many places behind the point, halves away from zero.
pub(super) fn round(call: &mut Call<'_>) -> Made {
    let number = call.input.number();
    let places = call.arg_number(0).unwrap_or_default();
    if number.whole().is_some() && places >= 0.0 {
        return Ok(Value::Number(number));
    }
    let value = number.value();
    let scaled = shifted(value.abs(), places);
    if scaled.is_nan() || scaled > SAFE_MAX {
        return Ok(value.into());
    }
    let down = scaled.floor();
    let rounded = shifted(if scaled - down >= 0.5 { down + 1.0 } else { down }, -places);
    Ok(if value < 0.0 { -rounded } else { rounded }.into())
}

/// The number with its point so many places further right: in its digits, so that 1.005 stays what it says.
fn shifted(number: f64, places: f64) -> f64 {
    let written = format!("{number:e}");
    let (mantissa, exponent) = written.split_once('e').unwrap_or((&written, "0"));
    let exponent = exponent.parse::<f64>().unwrap_or_default() + places;
    if exponent.fract() == 0.0 { format!("{mantissa}e{exponent:.0}").parse().unwrap_or(f64::NAN) } else { f64::NAN }
}
