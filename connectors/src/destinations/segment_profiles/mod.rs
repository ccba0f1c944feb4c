//! A Segment profile space: records as identify, group and track messages that reach the space's profiles and nothing else, and as
//! subscriptions to e-mail, SMS, WhatsApp and push.
//!
//! ```text
//! fields.rs         what each action takes
//! message.rs        the fields of a record to a message
//! subscriptions.rs  channels, their statuses and identifiers
//! tracking/         messages to requests, answers to outcomes: shared with the Connections destination
//! ```
//!
//! Non-goal: sending on to the destinations of the space (see `segment`).

mod fields;
mod message;
mod subscriptions;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use outflow_contract::destination::{Check, Connector, Descriptor, Destination, Origin, RecordOrigin, RequestLimits};
use outflow_contract::outcome::{Answer, Outcome, Records, Rejection, Request};
use outflow_contract::plan::{DestinationConfig, Settings};
use outflow_contract::{Error, Kind as ErrorKind, Result};

use crate::tracking::Source;
use message::Kind;

/// The actions.
const ACTIONS: [(&str, Kind); 4] =
    [("sendIdentify", Kind::Identify), ("sendGroup", Kind::Group), ("sendTrack", Kind::Track), ("sendSubscription", Kind::Subscription)];
/// The field that holds the write key of the space.
const WRITE_KEY: &str = "engage_space";

/// The kind of destination `segment-profiles`.
#[derive(Debug)]
pub struct ProfilesConnector {
    descriptor: Descriptor,
}

impl ProfilesConnector {
    /// The connector.
    #[allow(clippy::new_without_default, reason = "connectors are made by the registry")]
    pub fn new() -> Self {
        Self { descriptor: fields::descriptor() }
    }
}

impl Connector for ProfilesConnector {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    fn configure(&self, config: &DestinationConfig, action: &str, constants: &Settings) -> Result<Arc<dyn Destination>> {
        let Some((_, kind)) = ACTIONS.into_iter().find(|(name, _)| *name == action) else {
            let names = ACTIONS.map(|(name, _)| name).join(", ");
            let message = format!("segment-profiles has no action `{action}`");
            return Err(Error::new(ErrorKind::NotFound, message).remedy(format!("its actions: {names}")));
        };
        let source = Source::new(config.settings.text("region"), constants.text(WRITE_KEY), WRITE_KEY)
            .map_err(|error| error.with("destination", &config.name))?;
        Ok(Arc::new(Profiles { kind, source }))
    }
}

/// A profile space, configured, for one action.
struct Profiles {
    kind: Kind,
    source: Source,
}

impl Destination for Profiles {
    fn account(&self) -> String {
        self.source.account()
    }

    fn secrets(&self) -> Vec<String> {
        self.source.secrets()
    }

    fn limits(&self) -> RequestLimits {
        Source::limits()
    }

    fn shapes(&self) -> bool {
        true
    }

    fn shape(&self, fields: &[u8], origin: &RecordOrigin, out: &mut Vec<u8>) -> Result<(), Rejection> {
        self.kind.shape(fields, origin, out)
    }

    fn check(&self) -> Check {
        self.source.check()
    }

    fn checked(&self, _answer: &Answer) -> Result<String> {
        Ok(self.source.checked())
    }

    fn encode(&self, records: &Records, _: &Origin) -> Result<Request> {
        Ok(self.source.encode(records))
    }

    fn decode(&self, records: &Records, answer: &Answer) -> Vec<Outcome> {
        self.source.decode(records, answer)
    }
}
