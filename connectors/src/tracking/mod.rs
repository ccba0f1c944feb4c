//! Segment's HTTP Tracking API, as the destinations that speak it share it: requests of many messages, and their answers.
//!
//! ```text
//! mapped record ─ message.rs ─▶ message ─┐
//! mapped record ─ message.rs ─▶ message ─┼─▶ POST /v1/batch {"batch":[…]} ─▶ 200 {"success":true}
//! ```
//!
//! The API answers 200 for whatever it can read, before it looks at a message: a message that it would throw away in silence is
//! refused here instead ([`message`]). It drops a message whose `messageId` it has seen before, which makes sending one again harmless.
//!
//! Non-goals: the single routes (`/v1/track` and so on), and OAuth.

mod destination;
pub(crate) mod fields;
pub(crate) mod message;
pub(crate) mod template;
#[cfg(test)]
pub(crate) mod tests;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use outflow_contract::destination::{Check, RequestLimits};
use outflow_contract::outcome::{Answer, HttpRequest, HttpResponse, Outcome, Records, Request};
use outflow_contract::secret::Secret;
use outflow_contract::{Error, Result};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::http_answer::{by_number, refused, unknown};
pub(crate) use destination::{Message, configure};

/// Messages in one request.
pub(crate) const MESSAGES_MAX: usize = 2500;
/// Bytes of one request: "500 KB", read the cautious way.
pub(crate) const REQUEST_BYTES_MAX: usize = 500_000;
/// Bytes of one message: "32 KB", as the vendor's own libraries read it.
pub(crate) const MESSAGE_BYTES_MAX: usize = 32 << 10;
/// What stands round the messages.
const HEAD: &[u8] = b"{\"batch\":[";
const TAIL: &[u8] = b"]}";
/// Where workspaces are, each with its host.
pub(crate) const REGIONS: [(&str, &str); 2] = [("us", "https://api.segment.io"), ("eu", "https://events.eu1.segmentapis.com")];

/// One source of a workspace, as requests reach it.
#[derive(Debug)]
pub(crate) struct Source {
    url: String,
    /// The value of the header `Authorization`, without its scheme.
    credentials: Secret,
    account: String,
    /// What holds the write key, for messages.
    key_name: &'static str,
}

impl Source {
    /// The source of that write key in that region; `key_name` is the setting or field that holds the key.
    pub(crate) fn new(region: Option<&str>, write_key: Option<&str>, key_name: &'static str) -> Result<Self> {
        let region = region.unwrap_or(REGIONS[0].0);
        let Some((_, host)) = REGIONS.into_iter().find(|(name, _)| *name == region) else {
            return Err(Error::invalid(format!("`region` cannot be `{region}`")).remedy("it is us or eu"));
        };
        let Some(key) = write_key.map(str::trim).filter(|key| !key.is_empty()) else {
            return Err(Error::invalid(format!("`{key_name}` is missing or empty")).remedy("set the write key of the Segment source"));
        };
        let hash = Sha256::digest(key);
        Ok(Self {
            url: format!("{host}/v1/batch"),
            credentials: Secret::new(STANDARD.encode(format!("{key}:"))),
            account: format!("{host} #{}", hex::encode(&hash[..8])),
            key_name,
        })
    }

    /// The host, and a hash of the key.
    pub(crate) fn account(&self) -> String {
        self.account.clone()
    }

    /// The key in the form that requests carry.
    pub(crate) fn secrets(&self) -> Vec<String> {
        vec![self.credentials.expose().to_owned()]
    }

    /// The API's limits. The overheads are exact: n messages have n − 1 commas.
    pub(crate) fn limits() -> RequestLimits {
        let body_overhead = HEAD.len() + TAIL.len() - 1;
        RequestLimits { records_max: MESSAGES_MAX, bytes_max: REQUEST_BYTES_MAX, record_overhead: 1, body_overhead, concurrency_max: None }
    }

    /// There is no request that proves a key and changes nothing: one with a wrong key is answered with 200, too.
    pub(crate) fn check(&self) -> Check {
        Check::Connect { url: self.url.clone() }
    }

    /// What reaching the host proves.
    pub(crate) fn checked(&self) -> String {
        format!("reachable; whether `{}` is right shows only in Segment's debugger, once a record has been sent", self.key_name)
    }

    /// The request of these messages.
    pub(crate) fn encode(&self, records: &Records) -> Request {
        let mut body = Vec::with_capacity(HEAD.len() + records.bytes.len() + records.len() + TAIL.len());
        body.extend_from_slice(HEAD);
        for (i, message) in records.payloads().enumerate() {
            if i > 0 {
                body.push(b',');
            }
            body.extend_from_slice(message);
        }
        body.extend_from_slice(TAIL);
        let headers = vec![
            ("Content-Type".to_owned(), "application/json".to_owned()),
            ("Authorization".to_owned(), format!("Basic {}", self.credentials.expose())),
        ];
        Request::Http(HttpRequest { method: "POST".to_owned(), url: self.url.clone(), headers, body: body.into(), gzip: false })
    }

    /// The same outcome for all: the API does not tell messages apart.
    pub(crate) fn decode(&self, records: &Records, answer: &Answer) -> Vec<Outcome> {
        let all = match answer {
            Answer::Http(response) => self.outcome(response),
            Answer::Written => unknown("not an HTTP answer"),
        };
        vec![all; records.len()]
    }

    fn outcome(&self, response: &HttpResponse) -> Outcome {
        match response.status {
            200 if is_success(&response.body) => Outcome::Acked,
            200..=299 => unknown(&format!("answered {}, and not with \"success\": true", response.status)),
            // Locked for the moment.
            423 => Outcome::Retry(by_number(response)),
            _ => refused(response, &format!("`{}`", self.key_name)),
        }
    }
}

fn is_success(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Said {
        success: bool,
    }
    serde_json::from_slice::<Said>(body).is_ok_and(|said| said.success)
}
