//! What an answer proves, by its status. Where the settings have a results rule, [`super::results`] reads 2xx answers.

use outflow_contract::Op;
use outflow_contract::outcome::{HttpResponse, Outcome, Records};

use super::config::Config;
use crate::http_answer::{by_number, is_web_page, unknown};

/// One outcome for each record.
pub(super) fn decode(config: &Config, records: &Records, response: &HttpResponse) -> Vec<Outcome> {
    let statuses = &config.statuses;
    let said = statuses.said(response);
    let all = match (&config.results, response.status, said) {
        _ if statuses.gone.contains(&response.status) && records.ops.iter().all(|&op| op == Op::Deleted) => gone(records, response),
        (_, _, Some(said)) if said != Outcome::Acked => said,
        (Some(rule), 200..=299, _) => return rule.decode(records, &response.body),
        (_, _, Some(said)) => said,
        // Multi-status says that the records fared differently, and how is in a body that nobody has told us to read.
        (None, 207, None) => unknown("answered 207 (multi-status), and no `results` rule says how to read it"),
        (None, 200..=299, None) if is_web_page(&response.body) => unknown(
            "answered with a web page, as a login or a proxy does: check `url`; if it is right, list the status in `statuses.taken`",
        ),
        (None, 200..=299, None) => Outcome::Acked,
        _ => statuses.refused(response, "`auth` and `headers`"),
    };
    vec![all; records.len()]
}

/// What was to be deleted is not there. Of several records that is said of one, and not of which: they are divided.
fn gone(records: &Records, response: &HttpResponse) -> Outcome {
    if records.len() == 1 { Outcome::Acked } else { Outcome::RejectedTogether(by_number(response)) }
}
