//! Seam: how records become requests, and answers become outcomes. No I/O on this side of it.
//!
//! A [`Connector`] is a kind of destination (`webhook`): a [`Descriptor`] and a way to configure it.
//! A [`Destination`] is one of them, configured, for one action. Sockets, clocks, retries, rate limits and redaction
//! live once, in the engine's `deliver/`.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

pub use crate::format::Format;
use crate::outcome::{Answer, HttpRequest, HttpResponse, Outcome, Records, Rejection, Request};
use crate::plan::{DestinationConfig, Settings};
pub use crate::requirement::{Condition, RequiredIf};
use crate::secret::Secret;
use crate::template::Message;
use crate::{Op, RecordId, Result};

/// A kind of destination.
pub trait Connector: Send + Sync {
    /// What it is, as data: the catalogue, the checks of a project and its schema are made from it.
    fn descriptor(&self) -> &Descriptor;
    /// The destination of `config` for `action`. Settings, and `constants` (the action's [`Field::constant`] fields as the mapping
    /// gives them), have been checked against the descriptor before.
    fn configure(&self, config: &DestinationConfig, action: &str, constants: &Settings) -> Result<Arc<dyn Destination>>;
}

/// A destination, configured, for one action.
///
/// Guarantees of an implementation:
/// - Every function is pure: the same input gives the same output, and nothing is read or sent.
/// - None panics, whatever it is given.
/// - `decode` returns one outcome for each record, in order, and acknowledges none that the answer does not prove.
pub trait Destination: Send + Sync {
    /// Which account at which place: two mappings with the same account write the same objects. Holds no secret.
    fn account(&self) -> String;
    /// Texts that its requests carry and that give a secret away though they are not the secret itself, such as the encoded form of
    /// name and password: they are taken out of whatever is shown or stored.
    fn secrets(&self) -> Vec<String> {
        Vec::new()
    }
    /// How it is told who we are, where that takes a token that has to be asked for first.
    fn token_grant(&self) -> Option<&dyn TokenGrant> {
        None
    }
    /// In which order the records of a sync have to arrive.
    fn order(&self) -> Order {
        Order::Any
    }
    /// How records are cut into requests.
    fn limits(&self) -> RequestLimits;
    /// The header that carries the idempotency key, if the destination takes one.
    fn idempotency_header(&self) -> Option<&str> {
        None
    }
    /// Does [`Self::shape`] do anything? If not, the mapped fields are what a request carries.
    fn shapes(&self) -> bool {
        false
    }
    /// Appends to `out` what a request carries for one record: a JSON value on one line. `fields` is the mapped record: a JSON object
    /// of the action's fields, each of its declared kind. What is in `out` already stays as it is.
    fn shape(&self, fields: &[u8], _origin: &RecordOrigin, out: &mut Vec<u8>) -> Result<(), Rejection> {
        out.extend_from_slice(fields);
        Ok(())
    }
    /// What [`Self::shape`] makes of records with no more than these fields, as data, where data can say it: the engine writes it then, in
    /// one pass with the mapping. It has to be the same for every record, to the byte; but where a record has several faults, another of
    /// them may be told. `None`: [`Self::shape`] is asked for each record.
    fn template(&self, _fields: &[&str]) -> Option<Message> {
        None
    }
    /// How address and credentials can be tried without changing anything.
    fn check(&self) -> Check;
    /// What the answer to the request of [`Check::Request`] proves, in words; an error if it refuses the credentials.
    fn checked(&self, answer: &Answer) -> Result<String>;
    /// The request for these records, at least one.
    fn encode(&self, records: &Records, origin: &Origin) -> Result<Request>;
    /// What the answer proves about each record of the request.
    fn decode(&self, records: &Records, answer: &Answer) -> Vec<Outcome>;
}

/// How an access token is had: by one request, whose answer holds it. Pure, as everything of a destination: who asks, when, and keeps
/// the token in memory, is the engine.
pub trait TokenGrant: Send + Sync {
    /// The same for grants that bring the same token. Holds no secret.
    fn identity(&self) -> String;
    /// The request for a token. It changes nothing.
    fn request(&self) -> HttpRequest;
    /// The token in the answer. An error says whether asking again can help; nothing that was answered is in it unless it is harmless.
    fn decode(&self, answer: &HttpResponse) -> Result<Token>;
    /// Puts the token into a request.
    fn authorize(&self, token: &Secret, request: &mut HttpRequest) {
        request.headers.push(("Authorization".to_owned(), format!("Bearer {}", token.expose())));
    }
}

/// An access token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// It.
    pub value: Secret,
    /// For how long it is good, from when it was asked for; `None` if the answer does not say.
    pub expires_in: Option<Duration>,
}

/// In which order the records of a sync have to arrive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// In any.
    #[default]
    Any,
    /// Deletes before everything else: what is deleted makes room, or a name free, for what is added. The mapping of `deleted` records
    /// goes first among those that write to one account in a run.
    DeletesFirst,
}

/// Which record this is, for destinations that deduplicate by record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordOrigin {
    /// The same whenever this state of the record is sent again, and different for every other.
    pub id: RecordId,
    /// What happens to the record.
    pub op: Op,
}

/// How a destination can be tried.
#[derive(Clone, Debug)]
pub enum Check {
    /// By a request that changes nothing, whose answer goes to [`Destination::checked`].
    Request(Request),
    /// Only by connecting to the host of this URL: every request would change something.
    Connect {
        /// The URL.
        url: String,
    },
    /// By creating and removing an empty file beside those of [`Request::File`].
    File(Request),
}

/// Which request this is: the same for the same bytes, however often it is sent.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The mapping.
    pub mapping: String,
    /// The run of the request's first intent.
    pub epoch: u64,
    /// The number of its first intent in that run.
    pub sequence: u32,
}

/// How records are cut into requests. The size of a body is
/// `body_overhead + Σ (payload + record_overhead)` bytes, never more than `bytes_max`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestLimits {
    /// Records in one request, at least 1.
    pub records_max: usize,
    /// Bytes of one body.
    pub bytes_max: usize,
    /// Bytes that each record adds besides its payload, such as a separator.
    pub record_overhead: usize,
    /// Bytes of an empty body.
    pub body_overhead: usize,
    /// Requests under way at once, where the destination wants fewer than its `concurrency`.
    pub concurrency_max: Option<usize>,
}

/// What a kind of destination is, as data.
#[derive(Clone, Debug, Serialize)]
pub struct Descriptor {
    /// The machine name: `type:` in a project.
    pub name: String,
    /// The name for people.
    pub title: String,
    /// One sentence.
    pub description: String,
    /// Its settings.
    pub settings: Vec<Field>,
    /// Its actions.
    pub actions: Vec<Action>,
}

impl Descriptor {
    /// The action of that name.
    pub fn action(&self, name: &str) -> Option<&Action> {
        self.actions.iter().find(|action| action.name == name)
    }
}

/// Something that a destination can do with a record.
#[derive(Clone, Debug, Serialize)]
pub struct Action {
    /// The machine name: `action:` in a mapping.
    pub name: String,
    /// The name for people.
    pub title: String,
    /// One sentence.
    pub description: String,
    /// The operations that it takes.
    pub ops: Vec<Op>,
    /// Can what it sends say that a record was deleted? If not, a project is warned where deleted records would be sent like any other.
    #[serde(skip)]
    pub deletes: bool,
    /// Its fields; `None` if any mapping will do.
    pub fields: Option<Vec<Field>>,
}

/// A setting of a destination or a field of an action.
#[derive(Clone, Debug, Serialize)]
pub struct Field {
    /// The machine name.
    pub name: String,
    /// One sentence.
    pub description: String,
    /// What it holds.
    #[serde(rename = "type")]
    pub kind: FieldKind,
    /// Must it be there?
    pub required: bool,
    /// If it need not always be there: when it must. Of fields of actions, and what is in them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub required_if: Option<RequiredIf>,
    /// A list of them rather than one.
    pub multiple: bool,
    /// The value, or mapping, where none is given.
    pub default: Option<Value>,
    /// The only values that it takes; empty if any will do.
    pub choices: Vec<String>,
    /// Never shown.
    pub secret: bool,
    /// A field of an action that is the same for every record: a plain value in the mapping, handed to [`Connector::configure`] and
    /// not part of the mapped record.
    pub constant: bool,
    /// Null is a value that it takes, rather than as good as nothing.
    pub allow_null: bool,
    /// The members of an object; empty if any will do.
    pub properties: Vec<Field>,
    /// An object may have other members than its `properties`, which go along as they are.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub open: bool,
    /// An object is handed on as it is, its `properties` included, and the destination looks at it.
    #[serde(skip)]
    pub untouched: bool,
    /// The form that text has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    /// The least number, or characters of a text. 0 is no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minimum: Option<f64>,
    /// The greatest number, or the most characters of a text. 0 is no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maximum: Option<f64>,
}

impl Field {
    /// An optional field of that name and kind.
    pub fn new(name: &str, kind: FieldKind, description: &str) -> Self {
        Self {
            name: name.to_owned(),
            description: description.to_owned(),
            kind,
            required: false,
            required_if: None,
            multiple: false,
            default: None,
            choices: Vec::new(),
            secret: false,
            constant: false,
            allow_null: false,
            properties: Vec::new(),
            open: false,
            untouched: false,
            format: None,
            minimum: None,
            maximum: None,
        }
    }

    /// It must be there.
    #[must_use]
    pub fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// It must be there under these conditions.
    #[must_use]
    pub fn required_if(mut self, required_if: RequiredIf) -> Self {
        self.required_if = Some(required_if);
        self
    }

    /// It is never shown.
    #[must_use]
    pub fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    /// It is the same for every record.
    #[must_use]
    pub fn constant(mut self) -> Self {
        self.constant = true;
        self
    }

    /// Null is a value.
    #[must_use]
    pub fn allow_null(mut self) -> Self {
        self.allow_null = true;
        self
    }

    /// There is a list of them.
    #[must_use]
    pub fn multiple(mut self) -> Self {
        self.multiple = true;
        self
    }

    /// The value where none is given.
    #[must_use]
    pub fn default(mut self, value: impl Into<Value>) -> Self {
        self.default = Some(value.into());
        self
    }

    /// The only values that it takes.
    #[must_use]
    pub fn choices(mut self, choices: &[&str]) -> Self {
        self.choices = choices.iter().map(|&choice| choice.to_owned()).collect();
        self
    }

    /// The members of an object.
    #[must_use]
    pub fn properties(mut self, properties: Vec<Self>) -> Self {
        self.properties = properties;
        self
    }

    /// Other members than its `properties` go along.
    #[must_use]
    pub fn open(mut self) -> Self {
        self.open = true;
        self
    }

    /// It is handed on as it is.
    #[must_use]
    pub fn untouched(mut self) -> Self {
        self.untouched = true;
        self
    }

    /// The form that text has.
    #[must_use]
    pub fn format(mut self, format: Format) -> Self {
        self.format = Some(format);
        self
    }

    /// The least number, or characters of a text.
    #[must_use]
    pub fn minimum(mut self, minimum: f64) -> Self {
        self.minimum = Some(minimum);
        self
    }

    /// The greatest number, or the most characters of a text.
    #[must_use]
    pub fn maximum(mut self, maximum: f64) -> Self {
        self.maximum = Some(maximum);
        self
    }

    /// The least and the greatest that it takes, where there is a limit; of characters if it holds text.
    pub fn limits(&self) -> (Option<f64>, Option<f64>) {
        let limit = |limit: Option<f64>| limit.filter(|limit| *limit != 0.0);
        (limit(self.minimum), limit(self.maximum))
    }

    /// Is its length limited, rather than its value?
    pub fn is_measured_in_characters(&self) -> bool {
        matches!(self.kind, FieldKind::String | FieldKind::StringOrObject)
    }
}

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FieldKind {
    /// Text.
    String,
    /// A number.
    Number,
    /// A number without a fraction.
    Integer,
    /// True or false.
    Boolean,
    /// A moment, as text or number.
    Datetime,
    /// An object.
    Object,
    /// Text, or an object of the field's `properties`.
    StringOrObject,
}
