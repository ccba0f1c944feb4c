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
    use std::path::PathBuf;
    use std::sync::Arc;
    use std::time::Duration;

    use outflow_contract::destination::{Condition, Destination, Field, FieldKind, RequiredIf};
    use outflow_contract::outcome::{Answer, HttpResponse};
    use outflow_contract::plan::{DestinationConfig, Settings};
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::conformance::destination as suite;

    /// Every action of every kind, with settings that go with it.
    fn actions() -> Vec<(String, Arc<dyn Destination>)> {
        let values = json!({
            "url": "https://api.example.com/in", "batch": {}, "statuses": {"taken": [409], "gone": [404]}, "path": "/shop/out",
            "source_write_key": "k3y", "engage_space": "k3y"
        });
        let mut actions = Vec::new();
        for connector in connectors() {
            let descriptor = connector.descriptor();
            let known = |fields: &[outflow_contract::destination::Field]| {
                let given = fields.iter().filter_map(|field| Some((field.name.clone(), values.get(&field.name)?.clone())));
                Settings(given.collect())
            };
            let config = DestinationConfig {
                name: "it".into(),
                kind: descriptor.name.clone(),
                enabled: true,
                gateway: None,
                settings: known(&descriptor.settings),
                rate_limit: None,
                concurrency: 8,
                request_timeout: Duration::from_secs(30),
                request_lifetime: Duration::from_secs(30),
                ca_file: None,
                root: PathBuf::from("/shop"),
            };
            for action in &descriptor.actions {
                let constants = known(action.fields.as_deref().unwrap_or_default());
                let name = format!("{} {}", descriptor.name, action.name);
                actions.push((
                    name.clone(),
                    connector.configure(&config, &action.name, &constants).unwrap_or_else(|e| panic!("{name}: {e:?}")),
                ));
            }
        }
        actions
    }

    proptest! {
        #[test]
        fn no_answer_whatever_breaks_any_destination_or_proves_more_than_its_status_can(
            status in prop_oneof![100..600_u16, any::<u16>()],
            body in proptest::collection::vec(any::<u8>(), 0..120),
            headers in proptest::collection::vec(("[a-z-]{1,16}", ".{0,20}"), 0..4),
            records in 1..5_usize,
        ) {
            for (name, destination) in actions() {
                let answer = Answer::Http(HttpResponse { status, headers: headers.clone(), body: body.clone().into() });
                let may_ack = matches!(status, 200..=299 | 404 | 409);
                let violated = suite::answered(destination.as_ref(), &suite::sample(records), &answer, may_ack);
                prop_assert!(violated.is_empty(), "{name}: {violated:?}");
            }
        }
    }

    /// Fields that depend on one that is not beside them, or is no part of a record.
    fn astray(fields: &[Field], owner: &str, found: &mut Vec<String>) {
        for field in fields {
            let conditions = field.required_if.iter().flat_map(outflow_contract::destination::RequiredIf::conditions);
            let beside = |name: &str| fields.iter().any(|other| other.name == name && !other.constant);
            found.extend(conditions.filter(|one| !beside(&one.field)).map(|one| format!("{owner}.{}: {}", field.name, one.field)));
            astray(&field.properties, &format!("{owner}.{}", field.name), found);
        }
    }

    #[test]
    fn a_field_depends_on_fields_beside_it_alone() {
        let mut found = Vec::new();
        for descriptor in descriptors() {
            for action in &descriptor.actions {
                astray(action.fields.as_deref().unwrap_or_default(), &format!("{} {}", descriptor.name, action.name), &mut found);
            }
        }
        assert_eq!(found, Vec::<String>::new());
        let text = |name: &str| Field::new(name, FieldKind::String, "");
        let lost = text("a").required_if(RequiredIf::Any(vec![Condition::missing("b"), Condition::missing("c")]));
        astray(&[lost, text("b").constant()], "it", &mut found);
        assert_eq!(found, ["it.a: b", "it.a: c"]);
    }

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
