//! `--target NAME`: one of the trees of `targets:` laid over the rest of the project.
//!
//! Mappings merge member by member; scalars and lists replace what is below them; a null takes away. Every value keeps
//! the place that it was written at.

use std::collections::HashMap;

use crate::nearest::{list, nearest};
use crate::problem::Log;
use crate::tree::{Data, Member, Node};

/// Takes `targets` out of the project, and lays the chosen one over it. Returns the trees that were not chosen.
pub(crate) fn choose(root: &mut Node, target: Option<&str>, log: &mut Log) -> Vec<Member> {
    let place = root.span.part(0, 0);
    let Data::Map(members) = &mut root.data else { return Vec::new() };
    let found = members.iter().position(|member| member.key == "targets").map(|at| members.remove(at));
    let key_span = found.as_ref().map_or(place, |member| member.key_span);
    let mut trees = match found.map(|member| member.value) {
        Some(Node { data: Data::Map(trees), .. }) => trees,
        Some(node) if !node.is_null() => {
            log.error(key_span, format!("`targets` must be a mapping, and this is {}", node.kind_name()))
                .help("write `targets: { dev: { … } }`");
            Vec::new()
        }
        _ => Vec::new(),
    };
    let Some(name) = target else { return trees };
    let Some(at) = trees.iter().position(|tree| tree.key == name) else {
        let names = list(trees.iter().map(|tree| tree.key.as_str()));
        let help =
            if names.is_empty() { "the project has no targets: leave `--target` out".to_owned() } else { format!("targets: {names}") };
        log.error(key_span, format!("there is no target `{name}`"))
            .meant(nearest(name, trees.iter().map(|tree| tree.key.as_str())))
            .help(help);
        return trees;
    };
    let chosen = trees.remove(at);
    match chosen.value.data {
        Data::Map(_) => overlay(root, chosen.value),
        Data::Null => {}
        _ => {
            log.error(chosen.value.span, format!("target `{name}` must be a mapping, and this is {}", chosen.value.kind_name()));
        }
    }
    trees
}

fn overlay(below: &mut Node, above: Node) {
    match (&mut below.data, above.data) {
        (Data::Map(members), Data::Map(added)) => {
            let places: HashMap<String, usize> = members.iter().enumerate().map(|(at, member)| (member.key.clone(), at)).collect();
            for member in added {
                match places.get(&member.key).and_then(|at| members.get_mut(*at)) {
                    Some(existing) => {
                        existing.key_span = member.key_span;
                        overlay(&mut existing.value, member.value);
                    }
                    None => members.push(member),
                }
            }
        }
        (_, data) => *below = Node { span: above.span, data },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::yaml;

    const TEXT: &str = "a: { b: 1, c: [1, 2], d: x }\ntargets: { dev: { a: { c: [3], d: null, e: { f: 2 } } }, production: {} }\n";

    fn chosen(target: Option<&str>) -> (Node, Log) {
        let mut log = Log::default();
        let file = log.files.add("outflow.yml", TEXT);
        let mut root = yaml::parse(TEXT, file, "outflow.yml", &mut log).unwrap();
        choose(&mut root, target, &mut log);
        (root, log)
    }

    #[test]
    fn mappings_merge_and_all_else_is_replaced_with_its_place_kept() {
        let (root, log) = chosen(Some("dev"));
        assert_eq!(root.to_json(), json!({"a": {"b": 1, "c": [3], "d": null, "e": {"f": 2}}}));
        assert_eq!(log.files.slice(root.get("a").unwrap().get("c").unwrap().span), "[3]");
        assert_eq!(chosen(None).0.to_json(), json!({"a": {"b": 1, "c": [1, 2], "d": "x"}}));
    }

    #[test]
    fn an_unknown_target_is_refused_with_the_names_that_there_are() {
        let problems = chosen(Some("prodcution")).1.finish().0;
        assert_eq!(problems[0].message(), "there is no target `prodcution`");
        assert_eq!(problems[0].help().unwrap(), "did you mean `production`? targets: dev, production");
    }
}
