//! Any URL as a destination: the payloads as they were mapped, one or many in a request, signed if wanted.
//!
//! ```text
//! settings ─▶ Config (checked once) ─▶ encode: body form, headers, signature
//!                                  └─▶ decode: the status, or the results rule over the answer's JSON
//! ```
//!
//! Non-goals: several steps for one record, and payloads that are no JSON.

mod config;
mod decode;
mod encode;
mod path;
mod results;
mod sign;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use outflow_contract::destination::{
    Action, Check, Connector, Descriptor, Destination, Field, FieldKind, Order, Origin, RequestLimits, TokenGrant,
};
use outflow_contract::outcome::{Answer, Outcome, Records, Request};
use outflow_contract::plan::{DestinationConfig, Settings};
use outflow_contract::secret::Secret;
use outflow_contract::{Error, Kind, Op, Result};

use crate::auth::oauth2::ClientCredentials;
use config::Config;

/// The header that carries the idempotency key.
const IDEMPOTENCY_HEADER: &str = "Idempotency-Key";
/// The one action.
const ACTION: &str = "send";

/// The kind of destination `webhook`.
#[derive(Debug)]
pub struct WebhookConnector {
    descriptor: Descriptor,
}

impl WebhookConnector {
    /// The connector.
    #[allow(clippy::new_without_default, reason = "connectors are made by the registry")]
    pub fn new() -> Self {
        Self { descriptor: descriptor() }
    }
}

impl Connector for WebhookConnector {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    fn configure(&self, config: &DestinationConfig, action: &str, _constants: &Settings) -> Result<Arc<dyn Destination>> {
        if action != ACTION {
            return Err(Error::new(Kind::NotFound, format!("a webhook has no action `{action}`")).remedy("its action is `send`"));
        }
        let config = Config::new(&config.settings).map_err(|error| error.with("destination", &config.name))?;
        Ok(Arc::new(Webhook { config }))
    }
}

/// A webhook, configured.
struct Webhook {
    config: Config,
}

impl Destination for Webhook {
    fn account(&self) -> String {
        self.config.account.clone()
    }

    fn limits(&self) -> RequestLimits {
        self.config.batch.limits()
    }

    fn secrets(&self) -> Vec<String> {
        let encoded = |(name, value): &(String, Secret)| {
            let credentials = value.expose().split_once(' ').map(|(_, credentials)| credentials.to_owned());
            credentials.filter(|_| name.eq_ignore_ascii_case("authorization"))
        };
        let grant = self.config.grant.iter().flat_map(ClientCredentials::secrets);
        self.config.headers.iter().filter_map(encoded).chain(grant).collect()
    }

    fn token_grant(&self) -> Option<&dyn TokenGrant> {
        self.config.grant.as_ref().map(|grant| grant as &dyn TokenGrant)
    }

    fn order(&self) -> Order {
        self.config.order
    }

    fn idempotency_header(&self) -> Option<&str> {
        Some(IDEMPOTENCY_HEADER)
    }

    fn check(&self) -> Check {
        Check::Connect { url: self.config.url.clone() }
    }

    fn checked(&self, _answer: &Answer) -> Result<String> {
        Ok("reachable; whether the credentials are right shows only when a record is sent".to_owned())
    }

    fn encode(&self, records: &Records, _: &Origin) -> Result<Request> {
        encode::encode(&self.config, records).map(Request::Http)
    }

    fn decode(&self, records: &Records, answer: &Answer) -> Vec<Outcome> {
        match answer {
            Answer::Http(response) => decode::decode(&self.config, records, response),
            Answer::Written => vec![Outcome::Unknown { reason: "not an HTTP answer".to_owned() }; records.len()],
        }
    }
}

fn descriptor() -> Descriptor {
    Descriptor {
        name: "webhook".to_owned(),
        title: "Webhook".to_owned(),
        description: "Sends records to any URL, one or many in a request.".to_owned(),
        settings: settings(),
        actions: vec![Action {
            name: ACTION.to_owned(),
            title: "Send".to_owned(),
            description: "Sends each record as it is mapped.".to_owned(),
            ops: Op::ALL.to_vec(),
            deletes: true,
            fields: None,
        }],
    }
}

fn settings() -> Vec<Field> {
    vec![
        Field::new("url", FieldKind::String, "Where requests go: an http or https URL.").required(),
        Field::new("method", FieldKind::String, "The method.").default("POST").choices(&config::METHODS),
        Field::new("headers", FieldKind::Object, "Further headers, by name."),
        Field::new("auth", FieldKind::Object, "Who we are.").properties(vec![
            Field::new("type", FieldKind::String, "How it is said.").required().choices(&["bearer", "basic", "header", "oauth2"]),
            Field::new("token", FieldKind::String, "The token (bearer).").secret(),
            Field::new("username", FieldKind::String, "The name (basic)."),
            Field::new("password", FieldKind::String, "The password (basic).").secret(),
            Field::new("name", FieldKind::String, "The header's name (header)."),
            Field::new("value", FieldKind::String, "The header's value (header).").secret(),
            Field::new("token_url", FieldKind::String, "Where access tokens are issued: an http or https URL (oauth2)."),
            Field::new("client_id", FieldKind::String, "The client's name (oauth2)."),
            Field::new("client_secret", FieldKind::String, "The client's secret (oauth2).").secret(),
            Field::new("client_auth", FieldKind::String, "Where both stand in the request for a token (oauth2): body when left out.")
                .choices(&["body", "basic"]),
            Field::new("scope", FieldKind::String, "What the token is to allow, with spaces between (oauth2)."),
            Field::new("audience", FieldKind::String, "What the token is for (oauth2)."),
        ]),
        Field::new("sign", FieldKind::StringOrObject, "Signs the body with an HMAC; a text alone is the secret.").secret().properties(
            vec![
                Field::new("secret", FieldKind::String, "The key of the HMAC.").required().secret(),
                Field::new("header", FieldKind::String, "The header that carries the signature.").default("X-Signature"),
                Field::new("algorithm", FieldKind::String, "The hash.").default("sha256").choices(&["sha256", "sha512"]),
                Field::new("encoding", FieldKind::String, "How the signature is written.").default("hex").choices(&["hex", "base64"]),
                Field::new("prefix", FieldKind::String, "Text before the signature, such as sha256=.").default(""),
            ],
        ),
        Field::new("batch", FieldKind::Object, "Many records in one request; without it, one.").properties(vec![
            Field::new("records", FieldKind::Integer, "Records in one request, at the most.").default(config::BATCH_RECORDS as u64),
            Field::new("bytes", FieldKind::Integer, "Bytes of one body, at the most.").default(config::BATCH_BYTES as u64),
            Field::new("body", FieldKind::String, "The form of the body.").default("array").choices(&["single", "array", "ndjson"]),
        ]),
        Field::new("order", FieldKind::String, "In which order records have to arrive.").default("any").choices(&["any", "deletes_first"]),
        Field::new("statuses", FieldKind::Object, "What statuses mean, where that is not the usual.").properties(statuses_settings()),
        Field::new("results", FieldKind::Object, "How a 2xx answer tells what became of each record.").properties(results_settings()),
    ]
}

fn statuses_settings() -> Vec<Field> {
    let list = |name: &str, description: &str| Field::new(name, FieldKind::Integer, description).multiple();
    vec![
        list("taken", "The records are there, such as 409 for one that is there already."),
        list("refused", "They are refused, each for itself."),
        list("refused_together", "They are refused, perhaps because of one of them: the request is divided."),
        list("retried", "The receiver failed, and is asked again."),
        list("throttled", "The receiver did not look at them, and asks for patience."),
        list("gone", "Deleted records are not there, such as 404 and 410: that counts as deleted."),
    ]
}

fn results_settings() -> Vec<Field> {
    vec![
        Field::new("items", FieldKind::String, "Where the list of results is, such as $.results.").required(),
        Field::new("listed", FieldKind::String, "Which records it lists.").default("all").choices(&["all", "failed"]),
        Field::new("optional", FieldKind::Boolean, "With listed: failed, an answer without the list means that none failed.")
            .default(false),
        Field::new("match", FieldKind::String, "How an item names its record.").choices(&["index", "id"]),
        Field::new(
            "index",
            FieldKind::String,
            "Where an item has the record's place in the request, from 0; without it, the item's own place.",
        ),
        Field::new("id", FieldKind::String, "Where an item has the record's identifier."),
        Field::new("ok", FieldKind::StringOrObject, "What proves success; a path alone must hold true.").properties(vec![
            Field::new("field", FieldKind::String, "A path in the item.").required(),
            Field {
                multiple: true,
                ..Field::new("values", FieldKind::String, "The values that mean success; numbers and true or false are compared as text.")
            },
        ]),
        Field::new("code", FieldKind::String, "Where a failed item has its code."),
        Field::new("message", FieldKind::String, "Where a failed item has its message."),
    ]
}
