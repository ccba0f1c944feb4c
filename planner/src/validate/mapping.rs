//! `mappings`: references, the action, the records, and the payload.

use outflow_contract::destination::{Action, Descriptor};
use outflow_contract::plan::{Guards, Mapping, Tolerance};
use outflow_contract::{Op, Selection};

use super::{Context, Entries, destination, fields, model, policy, schedule};
use crate::mapping::{Timestamp, Uses};
use crate::nearest::{list, nearest};
use crate::places::{MappingPlaces, NamedPlaces, Places};
use crate::problem::Log;
use crate::scalar;
use crate::tree::{Member, Node};

const SELECTIONS: [Selection; 5] = [Selection::AddedOrUpdated, Selection::Added, Selection::Updated, Selection::Deleted, Selection::All];

pub(super) fn all(root: &Node, context: &Context<'_>, guards: Guards, places: &mut Places, log: &mut Log) -> Vec<Mapping> {
    let known = Known { models: Entries::of(root, "models"), destinations: Entries::of(root, "destinations") };
    let members = root.get("mappings").map(Node::members).unwrap_or_default();
    members.iter().filter_map(|member| one(member, &known, context, guards, places, log)).collect()
}

/// What a mapping may refer to.
struct Known<'a> {
    models: Entries<'a>,
    destinations: Entries<'a>,
}

fn one(member: &Member, known: &Known<'_>, context: &Context<'_>, guards: Guards, places: &mut Places, log: &mut Log) -> Option<Mapping> {
    let (name, node) = (&member.key, &member.value);
    node.as_map()?;
    let owner = format!("mapping `{name}`");
    let model = node.get("model").and_then(|node| known.models.resolve(node, "model", &owner, log));
    let destination = node.get("destination").and_then(|node| known.destinations.resolve(node, "destination", &owner, log));
    let action = destination.and_then(|(name, written)| action(node, destination::descriptor(written, context)?, name, &owner, log));
    mode(node, action, &owner, log);
    let selection = selection(member, action, &owner, log);
    let mut uses = Uses::default();
    let timestamp =
        model.map_or(Timestamp::Missing, |(name, model)| model.text("timestamp").map_or(Timestamp::Absent(name), Timestamp::Column));
    let payload = fields::payload(member, action, &owner, timestamp, &mut uses, log);
    if let (Some(action), Some(selection)) = (action, selection) {
        deletions(member, (action, selection), &uses, &owner, log);
    }
    if let Some((model, _)) = model {
        let fields = NamedPlaces::of(member.key_span, node.get("fields"));
        places.mappings.insert(name.clone(), MappingPlaces { model: model.to_owned(), uses, fields });
    }
    let schedule = node.get("schedule").and_then(|node| schedule::read(node, &owner, context, log));
    let tolerate = node.get("tolerate_failed").and_then(|node| scalar::tolerance(node.as_number(), node.as_str()).ok());
    let payload = payload?;
    Some(Mapping {
        name: name.clone(),
        model: model?.0.to_owned(),
        destination: destination?.0.to_owned(),
        action: action?.name.clone(),
        declared: action?.fields.clone(),
        constants: payload.constants,
        selection: selection?,
        fields: payload.fields,
        fields_written: payload.written,
        enabled: node.get("enabled").and_then(Node::as_bool).unwrap_or(true),
        tags: model::texts(node, "tags"),
        tolerate_failed: tolerate.unwrap_or(Tolerance::default()),
        guards: policy::guards(node.get("guards"), guards),
        schedule,
    })
}

fn action<'a>(node: &Node, descriptor: &'a Descriptor, destination: &str, owner: &str, log: &mut Log) -> Option<&'a Action> {
    let node = node.get("action")?;
    let name = node.as_str().filter(|name| !name.is_empty())?;
    let action = descriptor.action(name);
    if action.is_none() {
        let known = || descriptor.actions.iter().map(|action| action.name.as_str());
        let message = format!(
            "{owner} asks for action {}, which destination `{destination}` of type `{}` does not have",
            node.shown(),
            descriptor.name
        );
        log.error(node.span, message).label("no such action").meant(nearest(name, known())).help(format!(
            "actions of `{}`: {}",
            descriptor.name,
            list(known())
        ));
    }
    action
}

fn mode(node: &Node, action: Option<&Action>, owner: &str, log: &mut Log) {
    if let (Some(mode), Some(action)) = (node.member("mode").filter(|mode| !mode.value.is_null()), action) {
        log.error(mode.key_span, format!("{owner} sets a `mode`, and action `{}` has none", action.name)).help("leave `mode` out");
    }
}

/// The records that a mapping sends; those that its action takes.
fn selection(member: &Member, action: Option<&Action>, owner: &str, log: &mut Log) -> Option<Selection> {
    let node = member.value.get("records");
    let selection = match node {
        Some(node) => SELECTIONS.into_iter().find(|selection| Some(selection.as_str()) == node.as_str())?,
        None => Selection::AddedOrUpdated,
    };
    let Some(action) = action else { return Some(selection) };
    let fits = |selection: Selection| Op::ALL.into_iter().all(|op| !selection.contains(op) || action.ops.contains(&op));
    if fits(selection) {
        return Some(selection);
    }
    let fitting = list(SELECTIONS.into_iter().filter(|selection| fits(*selection)).map(Selection::as_str));
    let (span, message) = match node {
        Some(node) => (node.span, format!("{owner} sends `{}` records, which action `{}` does not take", selection.as_str(), action.name)),
        None => (member.key_span, format!("{owner} does not say which records action `{}` is sent", action.name)),
    };
    log.error(span, message).help(format!("write `records:` with one of {fitting}"));
    None
}

/// Warns where a deleted record is sent like any other, and nothing in it says so.
fn deletions(member: &Member, (action, selection): (&Action, Selection), uses: &Uses, owner: &str, log: &mut Log) {
    let any_mapping = action.fields.is_none();
    if !selection.contains(Op::Deleted) || uses.op || (any_mapping && selection == Selection::Deleted) || (action.deletes && !any_mapping) {
        return;
    }
    let span = member.value.get("records").map_or(member.key_span, |node| node.span);
    if any_mapping {
        log.warn(span, format!("{owner} sends deleted records too, and nothing in what it sends tells them from the others"))
            .label("deleted ones among them")
            .help("add a member such as `op: $.__op`; or write `records: added_or_updated`, and send `deleted` ones by a mapping of their own");
    } else {
        log.warn(span, format!("{owner} sends deleted records, and action `{}` has no way to say that they are", action.name))
            .label("sent like any other")
            .help("write `records: added_or_updated`; or say what happened in one of its fields, with `$.__op`");
    }
}
