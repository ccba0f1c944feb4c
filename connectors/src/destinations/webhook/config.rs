//! The settings of a webhook, checked once.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use outflow_contract::destination::{Order, RequestLimits};
use outflow_contract::plan::Settings;
use outflow_contract::secret::Secret;
use outflow_contract::{Error, Result};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use url::Url;

use super::IDEMPOTENCY_HEADER;
use super::results::Results;
use super::sign::Sign;
use crate::auth::oauth2::{ClientAuth, ClientCredentials};
use crate::http_answer::{Class, Statuses};

/// The methods that carry a body.
pub(super) const METHODS: [&str; 4] = ["POST", "PUT", "PATCH", "DELETE"];
/// Records in one request of a batch: as many as most receivers take.
pub(super) const BATCH_RECORDS: usize = 1000;
/// Bytes of one body: below the 5 MB or 6 MB that gateways and functions in the cloud take.
pub(super) const BATCH_BYTES: usize = 4 << 20;
/// More would be no batch any more.
const BATCH_RECORDS_MAX: usize = 1_000_000;
/// A body is held in memory.
const BATCH_BYTES_MAX: usize = 256 << 20;
/// Headers that the transport or the engine sets.
const RESERVED_HEADERS: [&str; 5] = ["content-length", "transfer-encoding", "connection", "content-encoding", "idempotency-key"];

/// The settings, checked.
#[derive(Debug)]
pub(super) struct Config {
    pub(super) method: String,
    pub(super) url: String,
    /// The operator's headers and the credentials. Values may be secrets.
    pub(super) headers: Vec<(String, Secret)>,
    pub(super) sign: Option<Sign>,
    pub(super) batch: Batch,
    pub(super) results: Option<Results>,
    pub(super) statuses: Statuses,
    pub(super) order: Order,
    /// How an access token is had, where one is wanted.
    pub(super) grant: Option<ClientCredentials>,
    /// Method, host and a hash of path and query, which may hold secrets.
    pub(super) account: String,
}

/// How records share a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Batch {
    records: usize,
    bytes: usize,
    pub(super) body: Body,
}

/// The form of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Body {
    /// The payload of one record.
    Single,
    /// A JSON array of payloads, of one record too: a receiver must be able to rely on the form.
    Array,
    /// A payload on each line.
    Ndjson,
}

impl Config {
    /// Checks `settings`.
    pub(super) fn new(settings: &Settings) -> Result<Self> {
        let method = settings.text("method").unwrap_or("POST").to_ascii_uppercase();
        if !METHODS.contains(&method.as_str()) {
            return Err(Error::invalid(format!("`method` cannot be {method}")).remedy(format!("it is one of {}", METHODS.join(", "))));
        }
        let written =
            settings.text("url").ok_or_else(|| Error::invalid("`url` is missing").remedy("set the URL that takes the records"))?;
        // The URL itself may be a secret: it is never in a message.
        let mut url = Url::parse(written)
            .map_err(|cause| Error::invalid("`url` is not a URL").caused_by(cause).remedy("write it as https://host/path"))?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err(Error::invalid("`url` is neither http nor https").remedy("write it as https://host/path"));
        }
        url.set_fragment(None);
        let mut headers = headers(settings.get("headers"))?;
        let (auth, grant) = match (settings.get("auth").filter(|auth| !auth.is_null()), userinfo(&url)) {
            (Some(_), Some(_)) => return Err(credentials_twice()),
            (Some(auth), None) => match credentials(auth)? {
                Credentials::Header(name, value) => (Some((name, value)), None),
                Credentials::Grant(grant) => (None, Some(grant)),
            },
            (None, in_url) => (in_url, None),
        };
        // Both succeed for a URL with a host.
        let (Ok(()), Ok(())) = (url.set_username(""), url.set_password(None)) else { return Err(Error::invalid("`url` is not a URL")) };
        if let Some((name, value)) = auth {
            refuse_twice(&headers, &name)?;
            headers.push((name, value));
        }
        if grant.is_some() {
            refuse_twice(&headers, "Authorization")?;
        }
        let sign = settings.get("sign").filter(|sign| !sign.is_null()).map(Sign::new).transpose()?;
        if let Some(sign) = &sign {
            refuse_twice(&headers, &sign.header)?;
        }
        let batch = Batch::new(settings.get("batch"))?;
        let results = settings.get("results").filter(|rule| !rule.is_null()).map(Results::new).transpose()?;
        let statuses = settings.get("statuses").filter(|rule| !rule.is_null()).map(statuses).transpose()?.unwrap_or_default();
        let order = order(settings)?;
        Ok(Self { account: account(&method, &url), method, url: url.into(), headers, sign, batch, results, statuses, order, grant })
    }
}

impl Batch {
    fn new(value: Option<&Value>) -> Result<Self> {
        let Some(value) = value.filter(|value| !value.is_null()) else {
            return Ok(Self { records: 1, bytes: BATCH_BYTES, body: Body::Single });
        };
        let members = Members::new("batch", value, &["records", "bytes", "body"])?;
        let body = [Body::Array, Body::Ndjson, Body::Single][members.choice("body", &["array", "ndjson", "single"])?];
        let bytes = members.count("bytes", BATCH_BYTES_MAX)?.unwrap_or(BATCH_BYTES);
        let records = members.count("records", BATCH_RECORDS_MAX)?;
        match (body, records) {
            (Body::Single, Some(2..)) => Err(Error::invalid("`batch.records` is more than 1, but `batch.body` is single")
                .remedy("use `body: array` or `body: ndjson` for many records")),
            (Body::Single, _) => Ok(Self { records: 1, bytes, body }),
            _ => Ok(Self { records: records.unwrap_or(BATCH_RECORDS), bytes, body }),
        }
    }

    /// The same for the engine. The overheads are exact: n payloads have n − 1 commas and two brackets.
    pub(super) fn limits(self) -> RequestLimits {
        let (record_overhead, body_overhead) = match self.body {
            Body::Single => (0, 0),
            Body::Array => (1, 1),
            Body::Ndjson => (1, 0),
        };
        RequestLimits { records_max: self.records, bytes_max: self.bytes, record_overhead, body_overhead, concurrency_max: None }
    }
}

fn headers(value: Option<&Value>) -> Result<Vec<(String, Secret)>> {
    let Some(value) = value.filter(|value| !value.is_null()) else { return Ok(Vec::new()) };
    let Value::Object(members) = value else {
        return Err(Error::invalid("`headers` is not an object").remedy("write each header as `Name: value`"));
    };
    let mut headers: Vec<(String, Secret)> = Vec::with_capacity(members.len());
    for (name, value) in members {
        let setting = format!("headers.{name}");
        let name = header_name(&setting, name)?;
        if RESERVED_HEADERS.contains(&name.to_ascii_lowercase().as_str()) {
            return Err(Error::invalid(format!("the header {name} cannot be set")).remedy("leave it out: Outflow sets it"));
        }
        refuse_twice(&headers, &name)?;
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Number(_) | Value::Bool(_) => value.to_string(),
            _ => return Err(Error::invalid(format!("`{setting}` is not text")).remedy("give the header's value as text")),
        };
        header_value(&setting, &text)?;
        headers.push((name, Secret::new(text)));
    }
    Ok(headers)
}

fn refuse_twice(headers: &[(String, Secret)], name: &str) -> Result<()> {
    if headers.iter().any(|(other, _)| other.eq_ignore_ascii_case(name)) || name.eq_ignore_ascii_case(IDEMPOTENCY_HEADER) {
        return Err(Error::invalid(format!("the header {name} is set twice")).remedy("set it in one of `headers`, `auth` and `sign`"));
    }
    Ok(())
}

fn credentials_twice() -> Error {
    Error::invalid("the credentials are set twice: in `auth`, and before the @ of `url`").remedy("leave them out of one of the two")
}

fn order(settings: &Settings) -> Result<Order> {
    match settings.text("order").unwrap_or("any") {
        "any" => Ok(Order::Any),
        "deletes_first" => Ok(Order::DeletesFirst),
        other => Err(Error::invalid(format!("`order` cannot be `{other}`")).remedy("it is any or deletes_first")),
    }
}

/// What statuses mean, where that is not the usual.
fn statuses(value: &Value) -> Result<Statuses> {
    let names = ["taken", "refused", "refused_together", "retried", "throttled", "gone"];
    let members = Members::new("statuses", value, &names)?;
    let mut statuses = Statuses::default();
    let classes = [Class::Taken, Class::Refused, Class::RefusedTogether, Class::Retried, Class::Throttled];
    for (name, class) in names.iter().zip(classes) {
        for status in members.statuses(name)? {
            if statuses.given.insert(status, class).is_some() {
                return Err(Error::invalid(format!("`statuses` lists {status} twice")).remedy("list each status once"));
            }
        }
    }
    statuses.gone = members.statuses("gone")?.into_iter().collect();
    Ok(statuses)
}

/// Who we are: a header of every request, or how a token is had for one.
enum Credentials {
    Header(String, Secret),
    Grant(ClientCredentials),
}

/// The setting `auth`.
fn credentials(value: &Value) -> Result<Credentials> {
    let oauth2 = ["token_url", "client_id", "client_secret", "client_auth", "scope", "audience"];
    let known: Vec<&str> = ["type", "token", "username", "password", "name", "value"].into_iter().chain(oauth2).collect();
    let members = Members::new("auth", value, &known)?;
    members.required("type")?;
    let (name, value) = match members.choice("type", &["bearer", "basic", "header", "oauth2"])? {
        3 => return grant(&members).map(Credentials::Grant),
        0 => ("Authorization".to_owned(), format!("Bearer {}", members.required("token")?)),
        1 => ("Authorization".to_owned(), basic(members.required("username")?, members.text("password")?.unwrap_or_default())),
        _ => (header_name("auth.name", members.required("name")?)?, members.required("value")?.to_owned()),
    };
    header_value("auth", &value)?;
    Ok(Credentials::Header(name, Secret::new(value)))
}

fn grant(members: &Members<'_>) -> Result<ClientCredentials> {
    // The URL may hold a secret: it is never in a message.
    let wrong = || Error::invalid("`auth.token_url` is no http or https URL").remedy("write it as https://host/path");
    let token_url = Url::parse(members.required("token_url")?).map_err(|_| wrong())?;
    if !matches!(token_url.scheme(), "http" | "https") || token_url.host_str().is_none() {
        return Err(wrong());
    }
    let client_auth = [ClientAuth::Body, ClientAuth::Basic][members.choice("client_auth", &["body", "basic"])?];
    Ok(ClientCredentials {
        token_url,
        client_id: members.required("client_id")?.to_owned(),
        client_secret: Secret::new(members.required("client_secret")?),
        client_auth,
        scope: members.text("scope")?.map(str::to_owned),
        audience: members.text("audience")?.map(str::to_owned),
    })
}

fn basic(username: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{username}:{password}")))
}

/// Credentials in the URL mean basic authentication.
fn userinfo(url: &Url) -> Option<(String, Secret)> {
    let decoded = |text: &str| String::from_utf8_lossy(&percent_decoded(text)).into_owned();
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    let value = basic(&decoded(url.username()), &decoded(url.password().unwrap_or_default()));
    Some(("Authorization".to_owned(), Secret::new(value)))
}

fn percent_decoded(text: &str) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let hex = (first == b'%').then(|| tail.get(..2)).flatten().and_then(|hex| std::str::from_utf8(hex).ok());
        if let Some(byte) = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            decoded.push(byte);
            rest = &tail[2..];
        } else {
            decoded.push(first);
            rest = tail;
        }
    }
    decoded
}

fn account(method: &str, url: &Url) -> String {
    let mut hash = Sha256::new();
    hash.update(url.path());
    hash.update([0]);
    hash.update(url.query().unwrap_or_default());
    let hash = hash.finalize();
    format!("{method} {} #{}", url.origin().ascii_serialization(), hex::encode(&hash[..8]))
}

/// A legal header name, or an error about the setting.
pub(super) fn header_name(setting: &str, name: &str) -> Result<String> {
    let legal = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if name.is_empty() || !name.bytes().all(legal) {
        return Err(Error::invalid(format!("`{setting}` is no header name")).remedy("use letters, digits and hyphens"));
    }
    Ok(name.to_owned())
}

/// Refuses what would break out of a header. The value, which may be a secret, is not in the message.
pub(super) fn header_value(setting: &str, value: &str) -> Result<()> {
    if value.bytes().all(|b| b == b'\t' || (b >= b' ' && b != 0x7f)) && value.trim() == value {
        return Ok(());
    }
    Err(Error::invalid(format!("`{setting}` cannot be sent in a header: it has a line break, a control character or a space at its ends"))
        .remedy("look for a line break at the end of the secret's file or variable"))
}

/// The members of a setting that is an object.
pub(super) struct Members<'a> {
    setting: &'static str,
    members: &'a Map<String, Value>,
}

impl<'a> Members<'a> {
    /// Refuses anything but an object of the known members.
    pub(super) fn new(setting: &'static str, value: &'a Value, known: &[&str]) -> Result<Self> {
        let Value::Object(members) = value else {
            return Err(Error::invalid(format!("`{setting}` is not an object")).remedy(format!("its members are {}", known.join(", "))));
        };
        if let Some(other) = members.keys().find(|name| !known.contains(&name.as_str())) {
            return Err(
                Error::invalid(format!("`{setting}` has no member `{other}`")).remedy(format!("its members are {}", known.join(", ")))
            );
        }
        Ok(Self { setting, members })
    }

    /// A member of any kind; null counts as left out.
    pub(super) fn get(&self, name: &str) -> Option<&'a Value> {
        self.members.get(name).filter(|value| !value.is_null())
    }

    /// A text.
    pub(super) fn text(&self, name: &str) -> Result<Option<&'a str>> {
        let wrong = || Error::invalid(format!("`{}.{name}` is not text", self.setting));
        self.get(name).map(|value| value.as_str().ok_or_else(wrong)).transpose()
    }

    /// A text that must be there.
    pub(super) fn required(&self, name: &str) -> Result<&'a str> {
        self.text(name)?.ok_or_else(|| Error::invalid(format!("`{}.{name}` is missing", self.setting)).remedy("set it"))
    }

    /// Which of `choices` a text is; the first where it is left out.
    pub(super) fn choice(&self, name: &str, choices: &[&str]) -> Result<usize> {
        let Some(text) = self.text(name)? else { return Ok(0) };
        choices.iter().position(|choice| *choice == text).ok_or_else(|| {
            Error::invalid(format!("`{}.{name}` cannot be `{text}`", self.setting)).remedy(format!("it is one of {}", choices.join(", ")))
        })
    }

    /// A list of HTTP statuses; none where it is left out.
    pub(super) fn statuses(&self, name: &str) -> Result<Vec<u16>> {
        let Some(value) = self.get(name) else { return Ok(Vec::new()) };
        let status = |value: &Value| value.as_u64().and_then(|n| u16::try_from(n).ok()).filter(|n| (200..=599).contains(n));
        let all = value.as_array().and_then(|values| values.iter().map(status).collect());
        all.ok_or_else(|| {
            Error::invalid(format!("`{}.{name}` is not a list of statuses", self.setting)).remedy("list numbers from 200 to 599")
        })
    }

    /// A number from 1 to `max`.
    pub(super) fn count(&self, name: &str, max: usize) -> Result<Option<usize>> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let number = value.as_u64().and_then(|n| usize::try_from(n).ok()).filter(|n| (1..=max).contains(n));
        number.map(Some).ok_or_else(|| Error::invalid(format!("`{}.{name}` is not a number from 1 to {max}", self.setting)))
    }
}
