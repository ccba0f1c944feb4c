//! Small objects: JSON in an envelope that tells damage and newer versions apart from what can be read.
//!
//! ```json
//! {"format":2,"nonce":"9f2c…","checksum":"<blake3 of format, nonce and the body's bytes>","body":{…}}
//! ```
//!
//! The nonce makes the bytes of two writers differ even where they say the same, so that equal bytes mean the same writer.

use bytes::Bytes;
use outflow_contract::{Error, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The version of the format that is written, and the one that is read.
pub const FORMAT: u32 = 2;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope<'a> {
    format: u32,
    nonce: String,
    checksum: String,
    #[serde(borrow)]
    body: &'a RawValue,
}

/// The one field that every version has.
#[derive(Deserialize)]
struct AnyEnvelope {
    format: u32,
}

/// The bytes of an object with that body. `nonce` is a number that nobody else draws, such as `Clock::random`.
pub fn encode<T: Serialize>(body: &T, nonce: u64) -> Result<Bytes> {
    let fault = |error: serde_json::Error| Error::bug("could not encode an object of the state").caused_by(error);
    let body = serde_json::value::to_raw_value(body).map_err(fault)?;
    let nonce = format!("{nonce:016x}");
    let checksum = checksum(FORMAT, &nonce, &body);
    let envelope = Envelope { format: FORMAT, nonce, checksum, body: &body };
    let mut bytes = serde_json::to_vec(&envelope).map_err(fault)?;
    bytes.push(b'\n');
    Ok(Bytes::from(bytes))
}

/// The body of the object that was read from `path`. An error of kind `Corrupt` if it is damaged or too new.
pub fn decode<T: DeserializeOwned>(path: &str, bytes: &[u8]) -> Result<T> {
    if let Ok(AnyEnvelope { format }) = serde_json::from_slice(bytes)
        && format != FORMAT
        // An older one is only told as such if it is whole.
        && (format > FORMAT || checksum_holds(bytes))
    {
        let (which, remedy) = if format > FORMAT {
            ("a newer", "use that version of Outflow for this state, or a newer one")
        } else {
            ("an older", "use that version of Outflow for this state, or start with a new state folder: every record is then sent again")
        };
        let message = format!("{path} was written by {which} version of Outflow (format {format}, this one reads {FORMAT})");
        return Err(Error::corrupt(message).remedy(remedy));
    }
    let envelope: Envelope<'_> = serde_json::from_slice(bytes).map_err(|error| damaged(path).caused_by(error))?;
    if checksum(envelope.format, &envelope.nonce, envelope.body) != envelope.checksum {
        return Err(damaged(path));
    }
    serde_json::from_str(envelope.body.get()).map_err(|error| damaged(path).caused_by(error))
}

fn checksum_holds(bytes: &[u8]) -> bool {
    let envelope: Result<Envelope<'_>, _> = serde_json::from_slice(bytes);
    envelope.is_ok_and(|envelope| checksum(envelope.format, &envelope.nonce, envelope.body) == envelope.checksum)
}

/// What to say of an object that cannot be what was written.
pub(crate) fn damaged(path: &str) -> Error {
    Error::corrupt(format!("{path} is damaged")).remedy(RESTORE)
}

/// What to say of an object that something names and that is not there.
pub fn missing(path: &str) -> Error {
    Error::corrupt(format!("{path} is missing, though the state names it")).remedy(RESTORE)
}

const RESTORE: &str =
    "restore this file from a backup; where there is none, `outflow doctor` says what is lost, and how to go on without it";

/// Over all that the envelope says, so that no byte of an object changes unnoticed.
fn checksum(format: u32, nonce: &str, body: &RawValue) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&format.to_le_bytes());
    hasher.update(nonce.as_bytes());
    hasher.update(body.get().as_bytes());
    hasher.finalize().to_hex().to_string()
}

#[cfg(test)]
mod tests {
    use outflow_contract::Kind;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Body {
        text: String,
        number: u64,
        exact: serde_json::Value,
    }

    fn body() -> Body {
        let exact = serde_json::from_str("1234567890123456789012.50").unwrap();
        Body { text: "ü\n\"".into(), number: u64::MAX, exact }
    }

    #[test]
    fn a_body_comes_back_as_it_was() {
        let bytes = encode(&body(), 7).unwrap();
        assert_eq!(decode::<Body>("a.json", &bytes).unwrap(), body());
        assert!(bytes.starts_with(b"{\"format\":2,\"nonce\":\"0000000000000007\",\"checksum\":\""));
    }

    #[test]
    fn two_writers_never_write_the_same_bytes() {
        assert_ne!(encode(&body(), 7).unwrap(), encode(&body(), 8).unwrap());
        assert_eq!(encode(&body(), 7).unwrap(), encode(&body(), 7).unwrap());
    }

    #[test]
    fn damage_at_any_byte_is_found_and_named() {
        let bytes = encode(&body(), 7).unwrap();
        for at in 0..bytes.len() {
            let mut damaged = bytes.to_vec();
            damaged[at] ^= 1;
            let error = decode::<Body>("m/a.json", &damaged).unwrap_err();
            assert_eq!(error.kind(), Kind::Corrupt, "{at}");
            assert!(error.message().contains("m/a.json") && error.remedy_text().is_some());
        }
        for cut in 0..bytes.len() - 1 {
            assert_eq!(decode::<Body>("a", &bytes[..cut]).unwrap_err().kind(), Kind::Corrupt);
        }
    }

    #[test]
    fn an_older_format_is_refused_as_such() {
        let bytes = encode(&body(), 7).unwrap();
        let envelope: Envelope<'_> = serde_json::from_slice(&bytes).unwrap();
        let checksum = checksum(1, &envelope.nonce, envelope.body);
        let older = serde_json::to_vec(&Envelope { format: 1, checksum, ..envelope }).unwrap();
        let error = decode::<Body>("a.json", &older).unwrap_err();
        assert_eq!(error.kind(), Kind::Corrupt);
        assert!(error.message().contains("an older version of Outflow"), "{error}");
    }

    #[test]
    fn a_newer_format_is_refused_as_such_whatever_else_it_holds() {
        let error = decode::<Body>("a.json", br#"{"format":3,"something":"new"}"#).unwrap_err();
        assert_eq!(error.kind(), Kind::Corrupt);
        assert!(error.message().contains("newer version of Outflow"), "{error}");
    }
}
