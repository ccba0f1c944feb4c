//! `--select` and `--exclude`.

use outflow_planner::select::select;

use crate::support::{FULL, loaded};

fn chosen(patterns: &[&str], exclude: &[&str]) -> Result<Vec<String>, String> {
    let project = loaded(FULL).project;
    let texts = |patterns: &[&str]| patterns.iter().map(|&pattern| pattern.to_owned()).collect::<Vec<_>>();
    match select(&project, &texts(patterns), &texts(exclude)) {
        Ok(mappings) => Ok(mappings.iter().map(|mapping| mapping.name.clone()).collect()),
        Err(error) => Err(format!("{} — {}", error.message(), error.remedy_text().unwrap_or_default())),
    }
}

#[test]
fn patterns_select_by_name_model_destination_source_and_tag() {
    let both = ["customers_to_crm".to_owned(), "orders_to_hook".to_owned()];
    assert_eq!(chosen(&[], &[]).unwrap(), both);
    assert_eq!(chosen(&["orders_to_hook", "customers_to_crm"], &[]).unwrap(), both);
    assert_eq!(chosen(&["*_crm"], &[]).unwrap(), both[..1]);
    assert_eq!(chosen(&["mapping:orders*"], &[]).unwrap(), both[1..]);
    assert_eq!(chosen(&["model:order?"], &[]).unwrap(), both[1..]);
    assert_eq!(chosen(&["destination:crm"], &[]).unwrap(), both[..1]);
    assert_eq!(chosen(&["source:ware*"], &[]).unwrap(), both);
    assert_eq!(chosen(&["tag:crm"], &[]).unwrap(), both[..1]);
    assert_eq!(chosen(&["tag:daily"], &[]).unwrap(), both[..1]);
}

#[test]
fn what_is_excluded_is_left_out_even_if_nothing_remains() {
    assert_eq!(chosen(&[], &["tag:crm"]).unwrap(), ["orders_to_hook"]);
    assert_eq!(chosen(&["*"], &["source:*"]).unwrap(), Vec::<String>::new());
}

#[test]
fn what_other_tools_write_is_answered_with_what_to_write_here() {
    let refused = |pattern: &str| chosen(&[pattern], &[]).unwrap_err();
    assert_eq!(refused("customers"), "the pattern `customers` matches no mapping — `customers` is a model: write `model:customers`");
    assert!(refused("crm").contains("`crm` is a destination: write `destination:crm`"), "{}", refused("crm"));
    assert!(refused("daily").contains("`daily` is a tag: write `tag:daily`"));
    for graph in ["customers+", "+customers", "2+customers+1", "@customers"] {
        assert!(refused(graph).contains("no graph") && refused(graph).ends_with("write `model:customers`"), "{}", refused(graph));
    }
    assert!(refused("+customers_to_crm").ends_with("write `customers_to_crm`"));
    assert!(
        refused("tag:crm,customers").ends_with("each adds its mappings: --select tag:crm model:customers"),
        "{}",
        refused("tag:crm,customers")
    );
}

#[test]
fn a_pattern_that_matches_nothing_is_refused_with_a_suggestion() {
    let refused = |pattern: &str| chosen(&[pattern], &[]).unwrap_err();
    assert_eq!(refused("customer_to_crm"), "the pattern `customer_to_crm` matches no mapping — did you mean `customers_to_crm`?");
    assert_eq!(refused("model:custmers"), "the pattern `model:custmers` matches no mapping — did you mean `model:customers`?");
    assert_eq!(refused("tag:weekly"), "the pattern `tag:weekly` matches no mapping — tags of the mappings: crm, daily");
    assert_eq!(refused("modl:x"), "the pattern `modl:x` begins with `modl:`, which is not known — did you mean `model:`?");
    assert!(refused("[").starts_with("the pattern `[` is not valid"));
    assert!(chosen(&[], &["nope"]).is_err());
}
