//! The signature: an HMAC of the request's body, so that the receiver can tell that it is ours.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use outflow_contract::secret::Secret;
use outflow_contract::{Error, Result};
use serde_json::Value;
use sha2::{Sha256, Sha512};

use super::config::{Members, header_name, header_value};

/// How bodies are signed.
#[derive(Clone, Debug)]
pub(super) struct Sign {
    secret: Secret,
    /// The header that carries the signature.
    pub(super) header: String,
    sha512: bool,
    base64: bool,
    prefix: String,
}

impl Sign {
    /// Reads the setting `sign`: an object, or the secret alone.
    pub(super) fn new(value: &Value) -> Result<Self> {
        let object;
        let value = if value.is_string() {
            object = serde_json::json!({ "secret": value });
            &object
        } else {
            value
        };
        let members = Members::new("sign", value, &["secret", "header", "algorithm", "encoding", "prefix"])?;
        let secret = members.required("secret")?;
        if secret.is_empty() {
            return Err(Error::invalid("`sign.secret` is empty").remedy("set the secret that the receiver checks signatures with"));
        }
        let prefix = members.text("prefix")?.unwrap_or_default();
        header_value("sign.prefix", prefix)?;
        Ok(Self {
            secret: Secret::new(secret),
            header: header_name("sign.header", members.text("header")?.unwrap_or("X-Signature"))?,
            sha512: members.choice("algorithm", &["sha256", "sha512"])? == 1,
            base64: members.choice("encoding", &["hex", "base64"])? == 1,
            prefix: prefix.to_owned(),
        })
    }

    /// The signature of `body`, as the header carries it.
    pub(super) fn sign(&self, body: &[u8]) -> Result<String> {
        let key = self.secret.expose().as_bytes();
        let code = if self.sha512 { hmac::<Hmac<Sha512>>(key, body)? } else { hmac::<Hmac<Sha256>>(key, body)? };
        let text = if self.base64 { STANDARD.encode(code) } else { hex::encode(code) };
        Ok(format!("{}{text}", self.prefix))
    }
}

fn hmac<M: Mac + KeyInit>(key: &[u8], body: &[u8]) -> Result<Vec<u8>> {
    let mut mac = <M as KeyInit>::new_from_slice(key).map_err(|_| Error::bug("an HMAC takes a key of any length"))?;
    mac.update(body);
    Ok(mac.finalize().into_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 4231, test case 2.
    const BODY: &[u8] = b"what do ya want for nothing?";

    #[test]
    fn signatures_are_those_of_the_rfc() {
        let sign = Sign::new(&Value::from("Jefe")).unwrap();
        assert_eq!(sign.header, "X-Signature");
        assert_eq!(sign.sign(BODY).unwrap(), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
        let sign = Sign::new(&serde_json::json!({"secret": "Jefe", "algorithm": "sha512", "prefix": "sha512="})).unwrap();
        assert!(sign.sign(BODY).unwrap().starts_with("sha512=164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"));
        let sign = Sign::new(&serde_json::json!({"secret": "Jefe", "encoding": "base64"})).unwrap();
        assert_eq!(sign.sign(BODY).unwrap(), "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=");
        assert!(!format!("{sign:?}").contains("Jefe"));
    }
}
