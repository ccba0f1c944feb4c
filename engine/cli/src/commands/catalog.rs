//! `outflow catalog`: what there is to send to, from the descriptors. They need no project; one is looked at only to explain a name.

use outflow_contract::destination::{Action, Descriptor};
use outflow_contract::{Error, Kind};
use serde_json::{Value, json};

use crate::args::{CatalogArgs, Global};
use crate::exit::{Exit, Failure};
use crate::project;
use crate::render::{Console, catalog};
use crate::skeleton;

pub(crate) fn run(global: &Global, args: &CatalogArgs, console: &Console) -> Result<Exit, Failure> {
    let all = project::descriptors();
    let Some(name) = &args.destination else {
        if console.is_json() {
            console.json(&json!({ "destinations": all.iter().map(summary).collect::<Vec<Value>>() }));
        } else {
            catalog::all(console, &all);
        }
        return Ok(Exit::Ok);
    };
    let names: Vec<&str> = all.iter().map(|descriptor| descriptor.name.as_str()).collect();
    let found = all.iter().find(|descriptor| descriptor.name == *name);
    let descriptor = found.ok_or_else(|| {
        let near = project::load(global).ok().and_then(|loaded| loaded.project.destination(name).map(|found| found.kind.clone()));
        match near {
            Some(kind) => Error::new(Kind::NotFound, format!("`{name}` is a destination of the project, and its type is `{kind}`"))
                .remedy(format!("`outflow catalog {kind}` shows it")),
            None => project::unknown(format!("there is no destination type `{name}`"), name, "destination types", &names),
        }
    })?;
    let Some(name) = &args.action else {
        if console.is_json() {
            console.json(descriptor);
        } else {
            catalog::destination(console, descriptor);
            let [only] = descriptor.actions.as_slice() else { return Ok(Exit::Ok) };
            catalog::paste(console, &skeleton::yaml(descriptor, only));
        }
        return Ok(Exit::Ok);
    };
    let names: Vec<&str> = descriptor.actions.iter().map(|action| action.name.as_str()).collect();
    let action = descriptor.action(name).ok_or_else(|| {
        let message = format!("`{}` has no action `{name}`", descriptor.name);
        project::unknown(message, name, &format!("actions of `{}`", descriptor.name), &names)
    })?;
    let yaml = skeleton::yaml(descriptor, action);
    if console.is_json() {
        console.json(&in_full(descriptor, action, &yaml));
    } else {
        catalog::action(console, descriptor, action);
        catalog::paste(console, &yaml);
    }
    Ok(Exit::Ok)
}

fn summary(descriptor: &Descriptor) -> Value {
    let action =
        |action: &Action| json!({ "name": action.name, "title": action.title, "description": action.description, "ops": action.ops });
    json!({
        "name": descriptor.name,
        "title": descriptor.title,
        "description": descriptor.description,
        "actions": descriptor.actions.iter().map(action).collect::<Vec<Value>>(),
    })
}

fn in_full(descriptor: &Descriptor, action: &Action, yaml: &str) -> Value {
    json!({
        "destination": descriptor.name,
        "name": action.name,
        "title": action.title,
        "description": action.description,
        "ops": action.ops,
        "fields": action.fields,
        "yaml": yaml,
    })
}
