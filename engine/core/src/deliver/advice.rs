//! What a person can do about failed records, by the code of their reason: every code that Outflow itself gives has its line here. A
//! test looks through the sources for one that has none.

/// The codes of Outflow, each with what to do about it.
pub(super) const CODES: [(&str, &str); 32] = [
    (
        "unauthorized",
        "check the credentials: in the destination's settings, and in the mapping's fields that are the same for every record; then run again",
    ),
    ("not_attempted", "mend what stopped the sync, then run again"),
    ("not_written", "make it possible to write there, then run again"),
    ("not_encodable", "compare the sample with what the destination takes, and mend the mapping or the model"),
    ("unreachable", "check the destination's address and the network, then run again"),
    ("no_answer", "run again: these records are sent once more, under the same idempotency key where possible"),
    (
        "unclear_answer",
        "run again: these records are sent once more. If it stays so, the destination answers in another way than its settings say: compare the sample's answer with them",
    ),
    ("failed_in_part", "the destination failed with these records only: run again later; its owner may know more"),
    ("throttled", "set a lower `rate_limit` or `concurrency` on the destination, or run again later"),
    ("redirect", "put the final address into the destination's settings"),
    ("refused", "compare the sample's payload with what the destination expects, and mend the mapping or the model"),
    (
        "refused_together",
        "see why others were refused that were tried alone: it may be all of them. If it is not, run again: these are tried apart from all others",
    ),
    ("record_too_large", "map fewer or shorter values for these records"),
    ("value_too_large", "map fewer or shorter values for these records"),
    ("missing_user", "give these records a user in the model or the mapping, or leave them out with WHERE in the model"),
    ("missing_contact", "give these records the address or token that is missing, or leave them out with WHERE in the model"),
    ("missing_status", "give these records a status in the model or the mapping, or leave them out with WHERE in the model"),
    ("missing_field", "give these records a value for the field in the model or the mapping, or leave them out with WHERE in the model"),
    ("wrong_type", "map another column, or turn the values into what the field takes, with CAST or CASE in the model"),
    ("wrong_value", "map another column, or turn the values into what the directive takes, with CAST or CASE in the model"),
    ("wrong_choice", "map another column, or turn the values into what the field takes, with CAST or CASE in the model"),
    ("wrong_format", "map another column, or turn the values into the form that the field takes in the model"),
    ("out_of_range", "map another column, or leave these records out with WHERE in the model"),
    ("invalid_json", "mend the JSON in the query, or take the column as plain text, or leave these records out with WHERE in the model"),
    ("too_deep", "map a part of the value, or leave these records out with WHERE in the model"),
    ("empty_payload", "map something that these records have, or leave them out with WHERE in the model"),
    ("wrong_path", "make the column that the path or template is taken from hold text, or leave these records out with WHERE in the model"),
    ("invalid_status", "turn the statuses into words that the action knows, with CASE in the model"),
    ("invalid_consent", "map `consent: {categoryPreferences: {NAME: $.column}}`, with columns that are true, false or null"),
    ("http_404", "check the destination's URL and method"),
    ("http_405", "check the destination's URL and method"),
    ("http_413", "set a smaller `batch` on the destination"),
];

/// What a person can do about failures with this code, which may be the destination's own.
pub(super) fn advice(code: &str) -> &'static str {
    let known = CODES.iter().find(|(known, _)| *known == code).map(|(_, advice)| *advice);
    known.unwrap_or(if code.starts_with("http_5") {
        "the destination failed: run again later; its owner may know more"
    } else {
        "compare the sample's payload with what the destination expects, and mend the mapping or the model"
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_never_sent_is_not_to_be_compared_with_what_was() {
        let never_sent = CODES.iter().filter(|(code, _)| ["missing_", "wrong_", "invalid_", "record_"].iter().any(|p| code.starts_with(p)));
        for (code, advice) in never_sent {
            assert!(!advice.contains("payload") && (advice.contains("model") || advice.contains("map")), "{code}: {advice}");
        }
        assert!(advice("unauthorized").contains("settings") && advice("unauthorized").contains("mapping's fields"));
        assert!(advice("http_422").contains("the sample's payload") && advice("http_503").contains("run again later"));
    }
}
