//! The mapped fields of a record to a message for the profiles of a space.

use outflow_contract::destination::RecordOrigin;
use outflow_contract::outcome::Rejection;
use outflow_contract::template::{self, Template};
use serde::Deserialize;

use super::subscriptions;
use crate::tracking::message::{self, Object, Raw, filled, needed};
use crate::tracking::{Message, template as t};

/// It is for the profiles alone.
const INTEGRATIONS: &str = r#"{"All":false}"#;

/// What a message says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Identify,
    Group,
    Track,
    Subscription,
}

/// The fields of all actions. Each has those that its action declares.
#[derive(Deserialize)]
pub(super) struct Fields<'a> {
    #[serde(borrow)]
    user_id: Raw<'a>,
    #[serde(borrow)]
    anonymous_id: Raw<'a>,
    #[serde(borrow)]
    group_id: Raw<'a>,
    #[serde(borrow)]
    event_name: Raw<'a>,
    #[serde(borrow)]
    traits: Raw<'a>,
    #[serde(borrow)]
    properties: Raw<'a>,
    #[serde(borrow)]
    timestamp: Raw<'a>,
    #[serde(borrow)]
    message_id: Raw<'a>,
    #[serde(borrow)]
    consent: Raw<'a>,
    #[serde(borrow)]
    pub(super) email: Raw<'a>,
    #[serde(borrow)]
    pub(super) email_subscription_status: Raw<'a>,
    #[serde(borrow)]
    pub(super) subscription_groups: Raw<'a>,
    #[serde(borrow)]
    pub(super) phone: Raw<'a>,
    #[serde(borrow)]
    pub(super) sms_subscription_status: Raw<'a>,
    #[serde(borrow)]
    pub(super) whatsapp_subscription_status: Raw<'a>,
    #[serde(borrow)]
    pub(super) android_push_token: Raw<'a>,
    #[serde(borrow)]
    pub(super) android_push_subscription_status: Raw<'a>,
    #[serde(borrow)]
    pub(super) ios_push_token: Raw<'a>,
    #[serde(borrow)]
    pub(super) ios_push_subscription_status: Raw<'a>,
}

impl Kind {
    /// The member `type`.
    fn name(self) -> &'static str {
        match self {
            Self::Identify | Self::Subscription => "identify",
            Self::Group => "group",
            Self::Track => "track",
        }
    }

    /// Whom it is about.
    fn head(self, f: &Fields<'_>, m: &mut Object<'_>) -> Result<(), Rejection> {
        if self == Self::Subscription {
            // The identifiers of its channels say who it is, too.
            m.raw("userId", filled(f.user_id));
            m.raw("anonymousId", filled(f.anonymous_id));
            return Ok(());
        }
        message::who(m, f.user_id, f.anonymous_id)?;
        match self {
            Self::Track => m.json("event", needed(f.event_name, "event_name")?.get()),
            Self::Group => m.json("groupId", needed(f.group_id, "group_id")?.get()),
            _ => m.raw("groupId", filled(f.group_id)),
        }
        Ok(())
    }
}

impl Message for Kind {
    fn shape(self, fields: &[u8], origin: &RecordOrigin, out: &mut Vec<u8>) -> Result<(), Rejection> {
        message::write(fields, out, |f: &Fields<'_>, m| {
            m.word("type", self.name());
            self.head(f, m)?;
            message::stamp(m, f.timestamp, f.message_id, origin);
            m.json("integrations", INTEGRATIONS);
            let mut context = m.object("context");
            if self == Self::Subscription {
                subscriptions::write(f, &mut context)?;
            }
            message::consent(&mut context, f.consent)?;
            context.close();
            match self {
                Self::Track => m.spread("properties", "properties", f.properties),
                _ => m.spread("traits", "traits", f.traits),
            }
        })
    }

    fn template(self, fields: &[&str]) -> Option<template::Message> {
        // These say more than where a field goes.
        if self == Self::Subscription || fields.contains(&"consent") {
            return None;
        }
        let mut members = vec![t::word(self.name()).named("type"), t::who()];
        members.push(match self {
            Self::Track => t::needed("event_name").named("event"),
            Self::Group => t::needed("group_id").named("groupId"),
            Self::Identify | Self::Subscription => Template::Filled("group_id").named("groupId"),
        });
        members.extend(t::stamp());
        members.push(Template::Constant(INTEGRATIONS.to_owned()).named("integrations"));
        members.push(Template::Members(vec![t::nothing().named("consent")]).named("context"));
        members.push(match self {
            Self::Track => t::spread("properties").named("properties"),
            _ => t::spread("traits").named("traits"),
        });
        Some(t::message(members))
    }
}
