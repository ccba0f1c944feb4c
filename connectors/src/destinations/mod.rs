//! The registry of destinations.

pub mod file;
pub mod segment;
pub mod segment_profiles;
pub mod webhook;

use outflow_contract::destination::{Connector, Descriptor};

/// Every kind of destination, by name.
pub fn connectors() -> Vec<Box<dyn Connector>> {
    vec![
        Box::new(file::FileConnector::new()),
        Box::new(segment::SegmentConnector::new()),
        Box::new(segment_profiles::ProfilesConnector::new()),
        Box::new(webhook::WebhookConnector::new()),
    ]
}

/// The kind of destination of that name (`type:` in a project).
pub fn connector(name: &str) -> Option<Box<dyn Connector>> {
    connectors().into_iter().find(|connector| connector.descriptor().name == name)
}

/// What every kind of destination is, as data, by name.
pub fn descriptors() -> Vec<Descriptor> {
    connectors().iter().map(|connector| connector.descriptor().clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_found_by_its_name_and_says_what_it_is() {
        let names: Vec<String> = descriptors().into_iter().map(|descriptor| descriptor.name).collect();
        assert_eq!(names, ["file", "segment", "segment-profiles", "webhook"]);
        for descriptor in descriptors() {
            assert!(connector(&descriptor.name).is_some());
            assert!(!descriptor.actions.is_empty() && !descriptor.title.is_empty());
            let documented = descriptor.settings.iter().all(|setting| setting.description.ends_with('.'));
            assert!(documented, "a setting of {} is not described", descriptor.name);
        }
        assert!(connector("hubspot2").is_none());
    }
}
