//! What trying a source or a destination showed.

use std::time::Duration;

use outflow_contract::plan::{DestinationConfig, SourceConfig};
use outflow_contract::source::Probe;
use outflow_engine::check::Checked;

use super::cells::{Cell, pad, visible};
use super::text::width as width_of;
use super::{Align, Console, Tone, seconds, wrap};

/// A source that answered.
pub(crate) fn source(console: &Console, config: &SourceConfig, probe: &Probe, took: Duration) {
    title(console, &config.name, config.kind.name(), took);
    console.line(&format!("  {}", visible(&console.clean(&probe.version))));
    if probe.details.is_empty() {
        return;
    }
    console.line("");
    let names = probe.details.iter().map(|(name, _)| width_of(name)).max().unwrap_or_default();
    for (name, value) in &probe.details {
        let name = Cell { text: visible(name), tone: Some(Tone::Faint) };
        let mut label = pad(console, &name, names, Align::Left);
        for line in wrap(&visible(&console.clean(value)), console.width().saturating_sub(names + 4)) {
            console.line(format!("  {label}  {line}").trim_end());
            label = " ".repeat(names);
        }
    }
}

/// A destination that answered.
pub(crate) fn destination(console: &Console, config: &DestinationConfig, checked: &Checked) {
    title(console, &config.name, &config.kind, checked.took);
    let mut said = visible(&console.clean(&checked.said));
    if let Some(first) = said.get(..1) {
        said = format!("{}{}.", first.to_uppercase(), said[1..].trim_end_matches('.'));
    }
    let mut lines = vec![said];
    if let Some(gateway) = &config.gateway {
        lines.push(format!("Asked through the gateway {}.", visible(&console.clean(gateway))));
    }
    if !config.enabled {
        lines.push("It is disabled: nothing is sent to it until `enabled: false` is taken out.".to_owned());
    }
    for line in lines {
        for part in wrap(&line, console.width() - 2) {
            console.line(&format!("  {part}"));
        }
    }
}

fn title(console: &Console, name: &str, kind: &str, took: Duration) {
    let ok = console.paint(Tone::Good, "ok");
    let facts = console.paint(Tone::Faint, &format!("{kind}, {}", seconds(took.as_secs_f64())));
    console.line(&format!("{}  {ok}  {facts}", console.paint(Tone::Strong, name)));
}
