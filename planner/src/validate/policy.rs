//! `limits`, `guards` and `retention`: numbers that the shape check has passed already.

use std::time::Duration;

use outflow_contract::limits::Limits;
use outflow_contract::plan::{Guards, Retention};

use crate::problem::Log;
use crate::scalar;
use crate::tree::Node;

/// The limits, each at its default unless it is set.
pub(super) fn limits(node: Option<&Node>, log: &mut Log) -> Limits {
    let defaults = Limits::default();
    let Some(node) = node else { return defaults };
    let count = |name: &str| node.get(name).and_then(Node::as_count);
    let size = |name: &str, default: usize| count(name).map_or(default, |count| usize::try_from(count).unwrap_or(usize::MAX));
    Limits {
        records: count("records").unwrap_or(defaults.records),
        columns: size("columns", defaults.columns),
        column_name: size("column_name", defaults.column_name),
        query_length: size("query_length", defaults.query_length),
        id_column_name: size("id_column_name", defaults.id_column_name),
        timestamp_column_name: size("timestamp_column_name", defaults.timestamp_column_name),
        record_bytes: size("record_bytes", defaults.record_bytes),
        value_bytes: size("value_bytes", defaults.value_bytes),
        interval_min_seconds: interval_min(node, log).unwrap_or(defaults.interval_min_seconds),
        memory_bytes: count("memory_bytes").map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX)),
        monthly_records: count("monthly_records"),
    }
}

fn interval_min(limits: &Node, log: &mut Log) -> Option<u64> {
    let node = limits.get("interval_min")?;
    let duration = duration(limits, "interval_min")?;
    if duration < Duration::from_secs(1) || duration.subsec_nanos() != 0 {
        log.error(node.span, format!("`interval_min` must be whole seconds, at least one, and this is {}", node.shown()))
            .help("write 15m, for example");
    }
    Some(duration.as_secs())
}

/// The guards: those of `node`, else those of `above`.
pub(super) fn guards(node: Option<&Node>, above: Guards) -> Guards {
    let Some(node) = node else { return above };
    let share = |name: &str, above: f64| node.get(name).and_then(Node::as_number).and_then(serde_json::Number::as_f64).unwrap_or(above);
    Guards {
        deleted_share: share("deleted_share", above.deleted_share),
        changed_share: share("changed_share", above.changed_share),
        empty_result: node.text("empty_result").map_or(above.empty_result, |text| text == "allow"),
        null_share: share("null_share", above.null_share),
        min_records: node.get("min_records").and_then(Node::as_count).unwrap_or(above.min_records),
    }
}

/// How long history is kept.
pub(super) fn retention(node: Option<&Node>) -> Retention {
    let defaults = Retention::default();
    let Some(node) = node else { return defaults };
    let or = |name: &str, default| duration(node, name).unwrap_or(default);
    Retention { versions: or("versions", defaults.versions), syncs: or("syncs", defaults.syncs) }
}

/// A duration of that name, if it is there and one.
pub(super) fn duration(node: &Node, name: &str) -> Option<Duration> {
    scalar::duration(node.text(name)?).ok()
}
