//! Filters that write values in another code.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use super::Call;
use crate::problem::Failure;
use crate::value::Value;

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true).with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The deepest indentation, as in JavaScript.
const INDENT_MAX: usize = 10;

type Made = Result<Value, Failure>;

pub(super) fn base64_encode(call: &mut Call<'_>) -> Made {
    Ok(BASE64.encode(&*call.text()).into())
}

pub(super) fn base64_decode(call: &mut Call<'_>) -> Made {
    let text: String = call.text().chars().filter(|c| !matches!(c, '\t' | '\n' | '\u{c}' | '\r' | ' ')).collect();
    let bytes = BASE64.decode(text).map_err(|_| call.fail("this is no base64"))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned().into())
}

pub(super) fn sha256(call: &mut Call<'_>) -> Made {
    Ok(hex::encode(Sha256::digest(&*call.text())).into())
}

pub(super) fn hmac_sha256(call: &mut Call<'_>) -> Made {
    let key = call.arg_text(0);
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).map_err(|_| call.fail("this is no key"))?;
    mac.update(call.text().as_bytes());
    Ok(hex::encode(mac.finalize().into_bytes()).into())
}

/// The JSON text, indented by so many spaces, or by a text, if it is asked for.
pub(super) fn json(call: &mut Call<'_>) -> Made {
    let indent = match call.arg(0) {
        Value::Text(text) => text.chars().take(INDENT_MAX).collect(),
        other => " ".repeat(other.number().value().min(INDENT_MAX as f64) as usize),
    };
    // What is more is refused when it is counted.
    let bytes_max = call.budget.left();
    Ok(call.input.json(&indent, bytes_max).map_or(Value::Missing, Value::from))
}
