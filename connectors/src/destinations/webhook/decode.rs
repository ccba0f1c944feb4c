//! What an answer proves, by its status. Where the settings have a results rule, [`super::results`] reads 2xx answers.

use outflow_contract::outcome::{HttpResponse, Outcome, Records};

use super::config::Config;
use crate::http_answer::{refused, unknown};

/// One outcome for each record.
pub(super) fn decode(config: &Config, records: &Records, response: &HttpResponse) -> Vec<Outcome> {
    let all = match (&config.results, response.status) {
        (Some(rule), 200..=299) => return rule.decode(records, &response.body),
        // Multi-status says that the records fared differently, and how is in a body that nobody has told us to read.
        (None, 207) => unknown("answered 207 (multi-status), and no `results` rule says how to read it"),
        (None, 200..=299) => Outcome::Acked,
        _ => refused(response, "`auth` and `headers`"),
    };
    vec![all; records.len()]
}
