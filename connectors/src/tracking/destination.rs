//! Messages of one kind to one source: what the destinations that speak the API have in common.

use std::sync::Arc;

use outflow_contract::destination::{Check, Destination, Origin, RecordOrigin, RequestLimits};
use outflow_contract::outcome::{Answer, Outcome, Records, Rejection, Request};
use outflow_contract::{Error, Kind, Result, template};

use super::Source;

/// A kind of message.
pub(crate) trait Message: Copy + Send + Sync + 'static {
    /// Appends the message that the fields of a record make, on one line.
    fn shape(self, fields: &[u8], origin: &RecordOrigin, out: &mut Vec<u8>) -> Result<(), Rejection>;

    /// The same for records with no more than these fields, as data, where data can say it.
    fn template(self, _fields: &[&str]) -> Option<template::Message> {
        None
    }
}

/// The destination of the action `action` among `actions`, each with its kind of message, at `source`.
pub(crate) fn configure<K: Message>(kind: &str, actions: &[(&str, K)], action: &str, source: Source) -> Result<Arc<dyn Destination>> {
    let Some(&(_, message)) = actions.iter().find(|(name, _)| *name == action) else {
        let names: Vec<&str> = actions.iter().map(|(name, _)| *name).collect();
        return Err(
            Error::new(Kind::NotFound, format!("{kind} has no action `{action}`")).remedy(format!("its actions: {}", names.join(", ")))
        );
    };
    Ok(Arc::new(Messages { message, source }))
}

/// A destination, configured, for one action.
struct Messages<K> {
    message: K,
    source: Source,
}

impl<K: Message> Destination for Messages<K> {
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
        self.message.shape(fields, origin, out)
    }

    fn template(&self, fields: &[&str]) -> Option<template::Message> {
        self.message.template(fields)
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
