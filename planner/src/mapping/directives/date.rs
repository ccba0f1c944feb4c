//! `@date` and `@now`.

use jiff::Zoned;
use jiff::civil;
use jiff::fmt::strtime::BrokenDownTime;
use jiff::tz::TimeZone;
use outflow_contract::expr::{Dating, Expr, Form, Own};

use super::super::{Reader, missing};
use super::own::{call, call_one, find};
use crate::nearest::nearest;
use crate::tree::{Data, Member, Node};

const DATE: &str = "write `{ \"@date\": { value: $.column, from: \"%d/%m/%Y\", to: iso, zone: Europe/Oslo } }`";
const NOW: &str = "write `{ \"@now\": {} }`, or `{ \"@now\": { to: date, zone: Europe/Oslo } }`";

impl Reader<'_> {
    pub(super) fn at_date(&mut self, node: &Node) -> Expr {
        let Some((members, value)) = self.short_or_long(node, "@date", &["value", "from", "to", "zone"], DATE) else { return missing() };
        let from = self.form(find(members, "from"), "@date", "from", true);
        let to = self.form(find(members, "to"), "@date", "to", false);
        let zone = self.zone(members, "@date");
        let (Some(from), Some(to), Some(zone)) = (from, to, zone) else { return missing() };
        call_one(Own::Date(Dating { from, to, zone }), value)
    }

    pub(super) fn at_now(&mut self, node: &Node) -> Expr {
        let (to, zone) = match &node.data {
            Data::Null => (Some(Form::Iso), Some(None)),
            Data::Text(_) => (self.form(Some(node), "@now", "to", false), Some(None)),
            _ => {
                let Some(members) = self.options(node, "@now", &["to", "zone"], NOW) else { return missing() };
                (self.form(find(members, "to"), "@now", "to", false), self.zone(members, "@now"))
            }
        };
        let (Some(to), Some(zone)) = (to, zone) else { return missing() };
        call(Own::Now { to, zone }, Vec::new())
    }

    /// A form of a moment. `None` if it is none, which is said.
    fn form(&mut self, node: Option<&Node>, name: &str, key: &str, reads: bool) -> Option<Form> {
        const HELP: &str = "write iso, unix, unix_ms, date, or a pattern of strftime such as \"%d/%m/%Y %H:%M\"";
        let Some(node) = node else { return Some(Form::Iso) };
        let text = node.as_str().unwrap_or_default();
        if let Some((_, form)) = Form::NAMES.into_iter().find(|(known, _)| *known == text) {
            return Some(form);
        }
        if !text.contains('%') {
            let near = nearest(&text.to_lowercase(), Form::NAMES.iter().map(|(known, _)| *known));
            self.log.error(node.span, format!("the `{key}` of `{name}` is no form of a moment")).meant(near).help(HELP);
            return None;
        }
        if let Err(why) = tried(text, reads) {
            let does = if reads { "read" } else { "written" };
            self.log.error(node.span, format!("no moment can be {does} by this pattern: {why}")).help(HELP);
            return None;
        }
        Some(Form::Pattern(text.to_owned()))
    }

    /// The name of a zone. `None` if there is none of that name, which is said.
    #[allow(clippy::option_option, reason = "what is refused is neither given nor left out")]
    fn zone(&mut self, members: &[Member], name: &str) -> Option<Option<String>> {
        let Some(node) = find(members, "zone") else { return Some(None) };
        let given = node.as_str().unwrap_or_default();
        if TimeZone::get(given).is_ok() {
            return Some(Some(given.to_owned()));
        }
        let known: Vec<String> = jiff::tz::db().available().map(|name| name.to_string()).collect();
        self.log
            .error(node.span, format!("the `zone` of `{name}` is not the name of a time zone"))
            .meant(nearest(given, known.iter().map(String::as_str)))
            .help("write an IANA name, such as Europe/Oslo, America/New_York or UTC");
        None
    }
}

/// Can a moment be written by the pattern, and read back?
fn tried(pattern: &str, reads: bool) -> Result<(), String> {
    let moment: Zoned = civil::date(2024, 6, 1).at(10, 20, 30, 456_000_000).to_zoned(TimeZone::UTC).map_err(|error| error.to_string())?;
    let mut text = String::new();
    BrokenDownTime::from(&moment).format(pattern, &mut text).map_err(|error| error.to_string())?;
    if !reads {
        return Ok(());
    }
    let parts = BrokenDownTime::parse(pattern, &text).map_err(|error| error.to_string())?;
    if parts.timestamp().is_some() {
        return Ok(());
    }
    parts.to_datetime().map(drop).map_err(|error| error.to_string())
}
