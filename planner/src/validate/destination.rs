//! `destinations`: the type, its settings, and how requests to it are paced.

use std::path::PathBuf;
use std::time::Duration;

use outflow_contract::destination::Descriptor;
use outflow_contract::plan::{DestinationConfig, Settings};

use super::{Context, policy, settings};
use crate::nearest::{list, nearest};
use crate::places::{NamedPlaces, Places};
use crate::problem::Log;
use crate::scalar;
use crate::tree::{Member, Node};

const CONCURRENCY: usize = 8;
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

pub(super) fn all(root: &Node, context: &Context<'_>, places: &mut Places, log: &mut Log) -> Vec<DestinationConfig> {
    let members = root.get("destinations").map(Node::members).unwrap_or_default();
    members.iter().filter_map(|member| one(member, context, places, log)).collect()
}

/// The descriptor of a destination's type, if it has one.
pub(super) fn descriptor<'a>(destination: &Node, context: &Context<'a>) -> Option<&'a Descriptor> {
    let kind = destination.text("type")?;
    context.descriptors.iter().find(|descriptor| descriptor.name == kind)
}

fn one(member: &Member, context: &Context<'_>, places: &mut Places, log: &mut Log) -> Option<DestinationConfig> {
    let (name, node) = (&member.key, &member.value);
    node.as_map()?;
    places.destinations.insert(name.clone(), NamedPlaces::of(member.key_span, node.get("settings")));
    let gateway = gateway(node, name, log);
    let ca_file = ca_file(node, name, context, log);
    let Some(descriptor) = descriptor(node, context) else {
        unknown_type(node, context, log);
        // Without the type it cannot be told which settings are secret.
        node.get("settings").into_iter().for_each(|settings| settings::mask_texts(settings, log));
        return None;
    };
    let empty = Node::empty();
    let given = node.get("settings").unwrap_or(&empty);
    settings::mask_urls(given, log);
    let place = node.member("settings").map_or(member.key_span, |member| member.key_span);
    let owner = format!("destination `{name}`");
    let settings =
        settings::object(given.members(), &descriptor.settings, &settings::Place { owner, path: String::new(), span: place }, log);
    let request_timeout = policy::duration(node, "request_timeout").unwrap_or(REQUEST_TIMEOUT);
    if request_timeout.is_zero() {
        let span = node.get("request_timeout").map_or(member.key_span, |node| node.span);
        log.error(span, format!("`request_timeout` of destination `{name}` is zero"))
            .help("no answer is that fast: write 30s, for example");
    }
    Some(DestinationConfig {
        name: name.clone(),
        kind: descriptor.name.clone(),
        enabled: node.get("enabled").and_then(Node::as_bool).unwrap_or(true),
        gateway,
        settings: Settings(settings),
        rate_limit: node.text("rate_limit").and_then(|text| scalar::rate(text).ok()),
        concurrency: node.get("concurrency").and_then(Node::as_count).map_or(CONCURRENCY, |count| count as usize),
        request_timeout,
        request_lifetime: policy::duration(node, "request_lifetime").unwrap_or(request_timeout),
        ca_file,
        root: context.root.to_owned(),
    })
}

fn unknown_type(node: &Node, context: &Context<'_>, log: &mut Log) {
    let Some(kind) = node.get("type").filter(|kind| kind.as_str().is_some_and(|text| !text.is_empty())) else { return };
    let known = || context.descriptors.iter().map(|descriptor| descriptor.name.as_str());
    log.error(kind.span, format!("there is no destination type {}", kind.shown()))
        .label("unknown type")
        .meant(kind.as_str().and_then(|text| nearest(text, known())))
        .help(format!("destination types: {}", list(known())));
}

fn gateway(node: &Node, name: &str, log: &mut Log) -> Option<String> {
    let given = node.get("gateway")?;
    let text = given.as_str()?;
    let valid = url::Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    if !valid {
        log.error(given.span, format!("`gateway` of destination `{name}` is no URL: {}", given.shown()))
            .help("write http://host:port or https://host");
    }
    Some(text.to_owned())
}

fn ca_file(node: &Node, name: &str, context: &Context<'_>, log: &mut Log) -> Option<PathBuf> {
    let given = node.get("tls")?.get("ca_file")?;
    let path = context.absolute(given.as_str()?);
    if !path.is_file() {
        log.error(given.span, format!("the `ca_file` of destination `{name}` does not exist: {}", given.shown()))
            .help(format!("looked for {}; a relative path starts at the project's folder", path.display()));
    }
    Some(path)
}
