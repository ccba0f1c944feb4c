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

use outflow_contract::Result;
use outflow_contract::destination::{Connector, Descriptor, Destination};
use outflow_contract::plan::{DestinationConfig, Settings};

use crate::tracking::{Source, configure};
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
        let source = Source::new(config.settings.text("region"), constants.text(WRITE_KEY), WRITE_KEY)
            .map_err(|error| error.with("destination", &config.name))?;
        configure("segment-profiles", &ACTIONS, action, source)
    }
}
