//! A source of a Segment workspace: records as track, identify, group, page, screen and alias messages of the HTTP Tracking API.
//!
//! ```text
//! fields.rs   what each action takes
//! message.rs  the fields of a record to a message
//! tracking/   messages to requests, answers to outcomes: shared with the profiles destination
//! ```
//!
//! Non-goals: choosing the integrations that a message reaches, and profiles (see `segment_profiles`).

mod fields;
mod message;
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
const ACTIONS: [(&str, Kind); 6] = [
    ("sendTrack", Kind::Track),
    ("sendIdentify", Kind::Identify),
    ("sendGroup", Kind::Group),
    ("sendPage", Kind::Page),
    ("sendScreen", Kind::Screen),
    ("sendAlias", Kind::Alias),
];
/// The setting that holds the write key.
const WRITE_KEY: &str = "source_write_key";

/// The kind of destination `segment`.
#[derive(Debug)]
pub struct SegmentConnector {
    descriptor: Descriptor,
}

impl SegmentConnector {
    /// The connector.
    #[allow(clippy::new_without_default, reason = "connectors are made by the registry")]
    pub fn new() -> Self {
        Self { descriptor: fields::descriptor() }
    }
}

impl Connector for SegmentConnector {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    fn configure(&self, config: &DestinationConfig, action: &str, _constants: &Settings) -> Result<Arc<dyn Destination>> {
        let Some((_, kind)) = ACTIONS.into_iter().find(|(name, _)| *name == action) else {
            let names = ACTIONS.map(|(name, _)| name).join(", ");
            return Err(
                Error::new(ErrorKind::NotFound, format!("segment has no action `{action}`")).remedy(format!("its actions: {names}"))
            );
        };
        let settings = &config.settings;
        let source = Source::new(settings.text("region"), settings.text(WRITE_KEY), WRITE_KEY)
            .map_err(|error| error.with("destination", &config.name))?;
        Ok(Arc::new(Segment { kind, source }))
    }
}

/// A source of a workspace, configured, for one action.
struct Segment {
    kind: Kind,
    source: Source,
}

impl Destination for Segment {
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
