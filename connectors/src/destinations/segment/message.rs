//! The mapped fields of a record to a message of the Tracking API.

use outflow_contract::destination::RecordOrigin;
use outflow_contract::outcome::Rejection;
use outflow_contract::template::{self, Template};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::tracking::message::{self, Object, Raw, as_object, filled, members, needed, which};
use crate::tracking::{Message, template as t};

/// What a message says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Track,
    Identify,
    Group,
    Page,
    Screen,
    Alias,
}

/// The fields of all actions. Each has those that its action declares.
#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(borrow)]
    user_id: Raw<'a>,
    #[serde(borrow)]
    anonymous_id: Raw<'a>,
    #[serde(borrow)]
    previous_id: Raw<'a>,
    #[serde(borrow)]
    timestamp: Raw<'a>,
    #[serde(borrow)]
    message_id: Raw<'a>,
    #[serde(borrow)]
    event_name: Raw<'a>,
    #[serde(borrow)]
    page_name: Raw<'a>,
    #[serde(borrow)]
    page_category: Raw<'a>,
    #[serde(borrow)]
    screen_name: Raw<'a>,
    #[serde(borrow)]
    group_id: Raw<'a>,
    #[serde(borrow)]
    traits: Raw<'a>,
    #[serde(borrow)]
    properties: Raw<'a>,
    #[serde(borrow)]
    address: Raw<'a>,
    #[serde(borrow)]
    application: Raw<'a>,
    #[serde(borrow)]
    campaign_parameters: Raw<'a>,
    #[serde(borrow)]
    consent: Raw<'a>,
    #[serde(borrow)]
    device: Raw<'a>,
    #[serde(borrow)]
    ip_address: Raw<'a>,
    #[serde(borrow)]
    locale: Raw<'a>,
    #[serde(borrow)]
    location: Raw<'a>,
    #[serde(borrow)]
    network: Raw<'a>,
    #[serde(borrow)]
    operating_system: Raw<'a>,
    #[serde(borrow)]
    page: Raw<'a>,
    #[serde(borrow)]
    screen: Raw<'a>,
    #[serde(borrow)]
    user_agent: Raw<'a>,
    #[serde(borrow)]
    timezone: Raw<'a>,
}

impl Kind {
    /// The member `type`.
    fn name(self) -> &'static str {
        match self {
            Self::Track => "track",
            Self::Identify => "identify",
            Self::Group => "group",
            Self::Page => "page",
            Self::Screen => "screen",
            Self::Alias => "alias",
        }
    }

    /// Whom it is about, and what it is called.
    fn head(self, f: &Fields<'_>, m: &mut Object<'_>) -> Result<(), Rejection> {
        if self == Self::Alias {
            m.json("previousId", needed(f.previous_id, "previous_id")?.get());
            m.json("userId", needed(f.user_id, "user_id")?.get());
            return Ok(());
        }
        message::who(m, f.user_id, f.anonymous_id)?;
        match self {
            Self::Track => m.json("event", needed(f.event_name, "event_name")?.get()),
            Self::Group => m.json("groupId", needed(f.group_id, "group_id")?.get()),
            Self::Page => m.raw("name", filled(f.page_name)),
            Self::Screen => m.raw("name", filled(f.screen_name)),
            Self::Identify | Self::Alias => {}
        }
        Ok(())
    }

    fn context(self, f: &Fields<'_>, m: &mut Object<'_>) -> Result<(), Rejection> {
        let mut context = m.object("context");
        if self == Self::Track {
            context.spread("traits", "traits", f.traits)?;
        }
        context.raw("app", f.application);
        context.raw("campaign", f.campaign_parameters);
        message::consent(&mut context, f.consent)?;
        context.raw("device", f.device);
        context.raw("ip", f.ip_address);
        context.raw("locale", f.locale);
        context.raw("location", f.location);
        context.raw("network", f.network);
        context.raw("os", f.operating_system);
        context.raw("page", f.page);
        context.raw("screen", f.screen);
        context.raw("userAgent", f.user_agent);
        context.raw("timezone", f.timezone);
        if self != Self::Group {
            context.raw("groupId", filled(f.group_id));
        }
        context.close();
        Ok(())
    }

    /// What it says of them.
    fn body(self, f: &Fields<'_>, m: &mut Object<'_>) -> Result<(), Rejection> {
        match self {
            Self::Track => m.spread("properties", "properties", f.properties),
            Self::Identify => traits(f.traits, f.address, m),
            Self::Group => m.spread("traits", "traits", f.traits),
            Self::Page => {
                let page = f.page.map(|page| as_object(page, "page")).transpose()?;
                let page: Page<'_> = page.and_then(|page| serde_json::from_str(page.get()).ok()).unwrap_or_default();
                let Page { path, referrer, search, title, url } = page;
                let own = [f.page_name, f.page_category, path, referrer, search, title, url];
                properties(&PAGE_PROPERTIES, &own, f.properties, m)
            }
            Self::Screen => properties(&["name"], &[f.screen_name], f.properties, m),
            Self::Alias => Ok(()),
        }
    }
}

impl Message for Kind {
    fn shape(self, fields: &[u8], origin: &RecordOrigin, out: &mut Vec<u8>) -> Result<(), Rejection> {
        message::write(fields, out, |f: &Fields<'_>, m| {
            m.word("type", self.name());
            self.head(f, m)?;
            message::stamp(m, f.timestamp, f.message_id, origin);
            self.context(f, m)?;
            self.body(f, m)
        })
    }

    fn template(self, fields: &[&str]) -> Option<template::Message> {
        let mapped = |name: &str| fields.contains(&name);
        // These say more than where a field goes.
        let looks_into = matches!(self, Self::Page | Self::Screen) || mapped("consent") || (self == Self::Identify && mapped("address"));
        if looks_into {
            return None;
        }
        let mut members = vec![t::word(self.name()).named("type")];
        match self {
            Self::Alias => members.extend([t::needed("previous_id").named("previousId"), t::needed("user_id").named("userId")]),
            Self::Track => members.extend([t::who(), t::needed("event_name").named("event")]),
            Self::Group => members.extend([t::who(), t::needed("group_id").named("groupId")]),
            Self::Identify | Self::Page | Self::Screen => members.push(t::who()),
        }
        members.extend(t::stamp());
        let mut context = Vec::new();
        if self == Self::Track {
            context.push(t::spread("traits").named("traits"));
        }
        let named = |(name, field): (&'static str, &'static str)| Template::Field(field).named(name);
        context.extend([("app", "application"), ("campaign", "campaign_parameters")].map(named));
        context.push(t::nothing().named("consent"));
        context.extend(CONTEXT.map(named));
        if self != Self::Group {
            context.push(Template::Filled("group_id").named("groupId"));
        }
        members.push(Template::Members(context).named("context"));
        match self {
            Self::Track => members.push(t::spread("properties").named("properties")),
            Self::Identify | Self::Group => members.push(t::spread("traits").named("traits")),
            Self::Page | Self::Screen | Self::Alias => {}
        }
        Some(t::message(members))
    }
}

/// Members of the context behind the consent, each with its field.
const CONTEXT: [(&str, &str); 10] = [
    ("device", "device"),
    ("ip", "ip_address"),
    ("locale", "locale"),
    ("location", "location"),
    ("network", "network"),
    ("os", "operating_system"),
    ("page", "page"),
    ("screen", "screen"),
    ("userAgent", "user_agent"),
    ("timezone", "timezone"),
];

/// The members of the field `page` that are properties of a page, too.
#[derive(Default, Deserialize)]
struct Page<'a> {
    #[serde(borrow)]
    path: Raw<'a>,
    #[serde(borrow)]
    referrer: Raw<'a>,
    #[serde(borrow)]
    search: Raw<'a>,
    #[serde(borrow)]
    title: Raw<'a>,
    #[serde(borrow)]
    url: Raw<'a>,
}

const PAGE_PROPERTIES: [&str; 7] = ["name", "category", "path", "referrer", "search", "title", "url"];

/// `properties`: those of other fields, and then the mapped ones, which win.
fn properties(names: &[&str], own: &[Raw<'_>], mapped: Raw<'_>, m: &mut Object<'_>) -> Result<(), Rejection> {
    let mapped = mapped.map(|mapped| as_object(mapped, "properties")).transpose()?;
    let taken = mapped.map_or(0, |mapped| which(mapped, names));
    let mut properties = m.object("properties");
    for (i, (name, value)) in names.iter().zip(own).enumerate() {
        if taken & (1 << i) == 0 {
            properties.raw(name, *value);
        }
    }
    if let Some(mapped) = mapped {
        properties.members(mapped);
    }
    properties.close();
    Ok(())
}

/// `traits` of an identify: the mapped ones, with the members of the field `address` in their `address`.
fn traits(mapped: Raw<'_>, address: Raw<'_>, m: &mut Object<'_>) -> Result<(), Rejection> {
    let Some(address) = address else { return m.spread("traits", "traits", mapped) };
    let address = as_object(address, "address")?;
    let mapped = mapped.map(|mapped| as_object(mapped, "traits")).transpose()?;
    let mut traits = m.object("traits");
    let Some(mapped) = mapped.filter(|mapped| which(mapped, &["address"]) != 0) else {
        if let Some(mapped) = mapped {
            traits.members(mapped);
        }
        traits.json("address", address.get());
        traits.close();
        return Ok(());
    };
    merge(mapped, address, &mut traits);
    traits.close();
    Ok(())
}

/// Traits that have an address of their own: the field's members win over its.
#[cold]
fn merge(mapped: &RawValue, address: &RawValue, traits: &mut Object<'_>) {
    let mut own = None;
    members(mapped, |name, value| {
        if name == "address" {
            own = Some(value.to_owned());
        } else {
            traits.member(name, value);
        }
        true
    });
    let mut merged = traits.object("address");
    if let Some(own) = own.filter(|own| own.get().starts_with('{')) {
        members(&own, |name, value| {
            if which(address, &[name]) == 0 {
                merged.member(name, value);
            }
            true
        });
    }
    merged.members(address);
    merged.close();
}
