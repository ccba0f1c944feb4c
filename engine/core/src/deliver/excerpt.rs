//! What is kept of payloads and answers, for people: short, without secrets, and harmless on a terminal.
//!
//! Secrets go first and the cut comes after, so that none is left in part at the end. Only as much is looked at as could be kept,
//! and somewhat more: an answer may be 16 MiB long.

use std::fmt::Write;

use outflow_contract::limits::SAMPLE_BYTES_MAX;
use outflow_contract::outcome::{Answer, HttpResponse};
use outflow_contract::secret::Redactor;

/// So much is searched for secrets; what lies behind is never kept.
const SEARCHED_BYTES_MAX: usize = 64 << 10;
/// Stands where something was cut off.
const CUT: char = '…';

/// `bytes` as text of at most `SAMPLE_BYTES_MAX` bytes, and a mark where it was longer.
pub(super) fn text(bytes: &[u8], redactor: &Redactor) -> String {
    let searched = &bytes[..bytes.len().min(SEARCHED_BYTES_MAX)];
    let clean = harmless(&redactor.clean(&String::from_utf8_lossy(searched)));
    if clean.len() <= SAMPLE_BYTES_MAX && searched.len() == bytes.len() {
        return clean;
    }
    let mut end = clean.len().min(SAMPLE_BYTES_MAX);
    while !clean.is_char_boundary(end) {
        end -= 1;
    }
    let mut cut = clean[..end].to_owned();
    cut.push(CUT);
    cut
}

/// An answer as its status in one line, and its body below. `None` if there is nothing to tell.
pub(super) fn answer(answer: &Answer, redactor: &Redactor) -> Option<String> {
    match answer {
        Answer::Http(HttpResponse { status, body, .. }) => {
            let mut told = format!("HTTP {status}");
            if let Some(reason) = reqwest::StatusCode::from_u16(*status).ok().and_then(|status| status.canonical_reason()) {
                // Writing into a text cannot fail.
                write!(told, " {reason}").unwrap_or_default();
            }
            let body = text(body, redactor);
            if !body.trim().is_empty() {
                told.push('\n');
                told.push_str(body.trim_end());
            }
            Some(told)
        }
        Answer::Written => None,
    }
}

/// Line breaks and tabs stay; whatever else drives a terminal, or turns text round, is shown as unknown.
fn harmless(text: &str) -> String {
    let drives = |c: char| c.is_control() && c != '\n' && c != '\t';
    let turns = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.replace("\r\n", "\n").chars().map(|c| if drives(c) || turns(c) { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(status: u16, body: impl Into<bytes::Bytes>) -> Answer {
        Answer::Http(HttpResponse { status, headers: Vec::new(), body: body.into() })
    }

    #[test]
    fn an_answer_is_its_status_and_its_body() {
        let redactor = Redactor::default();
        redactor.add("s3cr3t");
        let told = |answer_: &Answer| answer(answer_, &redactor);
        assert_eq!(told(&response(422, "{\"why\":\"s3cr3t\"}\r\n")).unwrap(), "HTTP 422 Unprocessable Entity\n{\"why\":\"***\"}");
        assert_eq!(told(&response(599, " \n")).unwrap(), "HTTP 599");
        assert_eq!(told(&Answer::Written), None);
    }

    #[test]
    fn nothing_in_it_drives_a_terminal() {
        let shown = text(b"a\x1b[31mb\x07\nc\td\xff \xe2\x80\xae", &Redactor::default());
        assert_eq!(shown, "a\u{fffd}[31mb\u{fffd}\nc\td\u{fffd} \u{fffd}");
    }

    #[test]
    fn a_long_one_is_cut_between_letters_and_never_within_a_secret() {
        let redactor = Redactor::default();
        redactor.add("0123456789abcdef");
        for at in SAMPLE_BYTES_MAX - 20..SAMPLE_BYTES_MAX + 4 {
            let long = format!("{}0123456789abcdef{}", "ü".repeat(at / 2), "z".repeat(100));
            let shown = text(long.as_bytes(), &redactor);
            assert!(shown.len() <= SAMPLE_BYTES_MAX + CUT.len_utf8() && shown.ends_with(CUT), "{}", shown.len());
            assert!(!shown.contains("012"), "{}", &shown[SAMPLE_BYTES_MAX - 40..]);
        }
        let exact = "x".repeat(SAMPLE_BYTES_MAX);
        assert_eq!(text(exact.as_bytes(), &redactor), exact);
        assert!(text(&vec![b'*'; SEARCHED_BYTES_MAX + 1], &redactor).ends_with(CUT));
    }
}
