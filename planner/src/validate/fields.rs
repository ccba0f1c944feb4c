//! `fields`: the payload of a mapping, against the fields of its action.

use outflow_contract::destination::{Action, Field};
use outflow_contract::expr::Expr;

use crate::mapping::{self, ColumnUse};
use crate::nearest::{list, nearest};
use crate::problem::{Log, Span};
use crate::tree::{Data, Member, Node};

/// The expression of a mapping's payload. The columns that it reads are added to `uses`.
pub(super) fn payload(
    owner_member: &Member,
    action: Option<&Action>,
    owner: &str,
    uses: &mut Vec<ColumnUse>,
    log: &mut Log,
) -> Option<Expr> {
    let member = owner_member.value.member("fields").filter(|member| !member.value.is_null());
    let expr = member.map(|member| mapping::parse(&member.value, uses, log));
    let action = action?;
    let Some(declared) = &action.fields else {
        if member.is_none() {
            log.error(owner_member.key_span, format!("{owner} has no `fields`"))
                .label("`fields` is missing")
                .help("write what is sent of each record, such as `fields: { email: $.email }`; `fields: $.` sends every column");
        }
        return expr;
    };
    let place = member.map_or(owner_member.key_span, |member| member.key_span);
    let Some(written) = member.map_or(Some(&[][..]), |member| object_members(&member.value)) else {
        log.error(place, format!("`fields` of {owner} must name the fields of action `{}`", action.name))
            .help(format!("write `fields: {{ NAME: … }}`; fields: {}", list(declared.iter().map(|field| field.name.as_str()))));
        return None;
    };
    check(written, declared, &Owner { name: owner, action: &action.name, path: String::new(), span: place }, log);
    let mut members = match expr {
        Some(Expr::Object(members)) => members,
        // A constant payload: its members are constants, too.
        Some(Expr::Literal(serde_json::Value::Object(members))) => {
            members.into_iter().map(|(key, value)| (key, Expr::Literal(value))).collect()
        }
        _ => Vec::new(),
    };
    for field in declared.iter().filter(|field| written.iter().all(|member| member.key != field.name)) {
        if let Some(default) = &field.default {
            let mut default_uses = Vec::new();
            members.push((field.name.clone(), mapping::parse(&Node::from_json(default, place), &mut default_uses, log)));
            // A default whose column is not there stays out, unless the field is required.
            if field.required {
                uses.extend(default_uses.into_iter().map(|one| ColumnUse { default_of: Some(field.name.clone()), ..one }));
            }
        }
    }
    Some(Expr::Object(members))
}

/// The members of an object that is no directive.
fn object_members(node: &Node) -> Option<&[Member]> {
    match &node.data {
        Data::Map(members) if members.iter().all(|member| !member.key.starts_with('@')) => Some(members),
        _ => None,
    }
}

struct Owner<'a> {
    name: &'a str,
    action: &'a str,
    path: String,
    span: Span,
}

fn check(members: &[Member], fields: &[Field], owner: &Owner<'_>, log: &mut Log) {
    let mut meant = Vec::new();
    for member in members {
        let Some(field) = fields.iter().find(|field| field.name == member.key) else {
            let names = || fields.iter().map(|field| field.name.as_str());
            log.error(
                member.key_span,
                format!("{} maps to field `{}{}`, which action `{}` does not have", owner.name, owner.path, member.key, owner.action),
            )
            .label("unknown field")
            .meant(nearest(&member.key, names()))
            .help(format!("fields: {}", list(names())));
            meant.extend(nearest(&member.key, names()));
            continue;
        };
        choice(&member.value, field, owner, log);
        if let (Some(inner), false) = (object_members(&member.value), field.properties.is_empty()) {
            let inside = Owner { path: format!("{}{}.", owner.path, field.name), span: member.key_span, ..*owner };
            check(inner, &field.properties, &inside, log);
        }
    }
    for field in fields.iter().filter(|field| field.required && field.default.is_none()) {
        if members.iter().all(|member| member.key != field.name) && !meant.contains(&field.name.as_str()) {
            log.error(
                owner.span,
                format!("{} does not map the field `{}{}`, which action `{}` requires", owner.name, owner.path, field.name, owner.action),
            )
            .label(format!("`{}` is missing", field.name))
            .help(format!("add `{}: $.COLUMN`. {}", field.name, field.description));
        }
    }
}

/// A constant is checked against the choices at once.
fn choice(node: &Node, field: &Field, owner: &Owner<'_>, log: &mut Log) {
    let Some(text) = node.as_str().filter(|text| !text.starts_with("$.")) else { return };
    if !field.choices.is_empty() && !field.choices.iter().any(|choice| choice == text) {
        let choices = || field.choices.iter().map(String::as_str);
        log.error(node.span, format!("field `{}{}` of {} cannot be {}", owner.path, field.name, owner.name, node.shown()))
            .meant(nearest(text, choices()))
            .help(format!("it is one of {}", list(choices())));
    }
}
