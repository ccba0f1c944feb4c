//! A mapping as it was in an earlier sync, laid over the one of the project.
//!
//! What was written down of it then has no secrets: a constant that is one is taken from the project as it is now.

use outflow_contract::destination::Descriptor;
use serde_json::{Value, json};

use crate::tree::{Data, Member, Node};

/// What was written down of a mapping.
#[derive(Clone, Copy, Debug)]
pub struct Then<'a> {
    /// Its name now.
    pub mapping: &'a str,
    /// The action of its destination.
    pub action: &'a str,
    /// The records that it sent, as `records:` has them.
    pub records: &'a str,
    /// Its fields as written, without secrets.
    pub fields: &'a Value,
}

impl Then<'_> {
    /// Puts it in the place of what the project has. A project that lacks the mapping stays as it is.
    pub(crate) fn lay_over(&self, root: &mut Node, descriptors: &[Descriptor]) {
        let kind = |root: &Node| -> Option<String> {
            let destination = root.get("mappings")?.get(self.mapping)?.text("destination")?.to_owned();
            root.get("destinations")?.get(&destination)?.text("type").map(str::to_owned)
        };
        let kind = kind(root);
        let descriptor = descriptors.iter().find(|descriptor| Some(&descriptor.name) == kind.as_ref());
        let declared = descriptor.and_then(|descriptor| descriptor.action(self.action)?.fields.as_deref()).unwrap_or_default();
        let is_secret = |name: &str| declared.iter().any(|field| field.constant && field.secret && field.name == name);
        let Some(mapping) = member(root, "mappings").and_then(|mappings| member(mappings, self.mapping)) else { return };
        let secrets: Vec<Member> = match mapping.get("fields") {
            Some(Node { data: Data::Map(members), .. }) => members.iter().filter(|member| is_secret(&member.key)).cloned().collect(),
            _ => Vec::new(),
        };
        let place = mapping.span;
        let mut fields = Node::from_json(self.fields, place);
        if let Data::Map(members) = &mut fields.data {
            members.extend(secrets);
        }
        set(mapping, "fields", fields);
        set(mapping, "action", Node::from_json(&json!(self.action), place));
        set(mapping, "records", Node::from_json(&json!(self.records), place));
    }
}

fn member<'a>(node: &'a mut Node, name: &str) -> Option<&'a mut Node> {
    match &mut node.data {
        Data::Map(members) => members.iter_mut().find(|member| member.key == name).map(|member| &mut member.value),
        _ => None,
    }
}

fn set(node: &mut Node, name: &str, value: Node) {
    let Data::Map(members) = &mut node.data else { return };
    match members.iter_mut().find(|member| member.key == name) {
        Some(member) => member.value = value,
        None => members.push(Member { key: name.to_owned(), key_span: value.span, value }),
    }
}
