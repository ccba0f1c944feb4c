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

use outflow_contract::Result;
use outflow_contract::destination::{Connector, Descriptor, Destination};
use outflow_contract::plan::{DestinationConfig, Settings};

use crate::tracking::{Source, configure};
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
        let source = Source::new(config.settings.text("region"), config.settings.text(WRITE_KEY), WRITE_KEY)
            .map_err(|error| error.with("destination", &config.name))?;
        configure("segment", &ACTIONS, action, source)
    }
}
