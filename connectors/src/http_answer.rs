//! What the status of an HTTP answer means to any destination, and the receiver's words in its body.
//!
//! Non-goal: what a 2xx answer proves. That differs from destination to destination, and is theirs to say.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use outflow_contract::outcome::{HttpResponse, Outcome, Rejection};
use serde_json::Value;
use url::Url;

/// So much of the receiver's words is kept.
pub(crate) const MESSAGE_CHARS_MAX: usize = 200;

/// What a status says of all records of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// The destination has them.
    Taken,
    /// It takes none of them as they are.
    Refused,
    /// It takes none, perhaps because of one of them.
    RefusedTogether,
    /// It failed in a way that may pass.
    Retried,
    /// It did not look at them, and asks for patience.
    Throttled,
}

/// What the statuses of one destination mean, where that is not the usual.
#[derive(Clone, Debug, Default)]
pub(crate) struct Statuses {
    pub(crate) given: BTreeMap<u16, Class>,
    /// Statuses that say of a record that is to be deleted that it is not there.
    pub(crate) gone: BTreeSet<u16>,
}

impl Statuses {
    /// What such a status usually means; `None` for the ones that have a meaning of their own, and for those that have none.
    fn usual(status: u16) -> Option<Class> {
        match status {
            425 | 429 => Some(Class::Throttled),
            // A proxy that gave up waiting: what is behind it may still be at work.
            408 => Some(Class::Retried),
            // What is wrong may be wrong with one record of many: a bad value, a conflict, too many bytes.
            400 | 409 | 413 | 422 => Some(Class::RefusedTogether),
            501 | 400..=499 => Some(Class::Refused),
            500..=599 => Some(Class::Retried),
            _ => None,
        }
    }

    /// What was said of this status, if anything was.
    pub(crate) fn said(&self, response: &HttpResponse) -> Option<Outcome> {
        self.given.get(&response.status).map(|&class| outcome(class, response))
    }

    /// The same outcome for all records of a request that was not answered with 2xx. `settings` names what holds the credentials.
    pub(crate) fn refused(&self, response: &HttpResponse, settings: &str) -> Outcome {
        if let Some(said) = self.said(response) {
            return said;
        }
        match (response.status, Self::usual(response.status)) {
            (300..=399, _) => Outcome::Rejected(redirected(response)),
            (401 | 403, _) => Outcome::Rejected(unauthorized(response, settings)),
            (_, Some(class)) => outcome(class, response),
            (status, None) => unknown(&format!("answered with the status {status}, which means nothing")),
        }
    }
}

fn outcome(class: Class, response: &HttpResponse) -> Outcome {
    match class {
        Class::Taken => Outcome::Acked,
        Class::Refused => Outcome::Rejected(by_number(response)),
        Class::RefusedTogether => Outcome::RejectedTogether(by_number(response)),
        Class::Retried => Outcome::Retry(by_number(response)),
        Class::Throttled => Outcome::Throttled { after: retry_after(response) },
    }
}

/// [`Statuses::refused`] where every status means the usual.
pub(crate) fn refused(response: &HttpResponse, settings: &str) -> Outcome {
    Statuses::default().refused(response, settings)
}

/// Is this a page for people, as logins, captive portals and error pages of proxies are?
pub(crate) fn is_web_page(body: &[u8]) -> bool {
    let start = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii_start();
    [&b"<!doctype html"[..], b"<html"].iter().any(|tag| start.get(..tag.len()).is_some_and(|start| start.eq_ignore_ascii_case(tag)))
}

/// The answer proves nothing.
pub(crate) fn unknown(reason: &str) -> Outcome {
    Outcome::Unknown { reason: reason.to_owned() }
}

/// `http_404`, with the receiver's words.
pub(crate) fn by_number(response: &HttpResponse) -> Rejection {
    Rejection { code: format!("http_{}", response.status), message: message(response) }
}

fn redirected(response: &HttpResponse) -> Rejection {
    let host = response.header("location").and_then(|location| Url::parse(location).ok()).and_then(|url| url.host_str().map(str::to_owned));
    let host = host.map(|host| format!(" (it leads to {host})")).unwrap_or_default();
    Rejection { code: "redirect".to_owned(), message: format!("answered with a redirect, which is not followed{host}; use the final URL") }
}

fn unauthorized(response: &HttpResponse, settings: &str) -> Rejection {
    let status = response.status;
    let words = words(&response.body).map(|words| format!(": {words}")).unwrap_or_default();
    Rejection { code: "unauthorized".to_owned(), message: format!("the credentials were refused with {status}{words}; check {settings}") }
}

/// Only the form in seconds; the transport, which has a clock, reads the date form.
fn retry_after(response: &HttpResponse) -> Option<Duration> {
    response.header("retry-after")?.trim().parse().ok().map(Duration::from_secs)
}

/// The receiver's words, or at least the status.
fn message(response: &HttpResponse) -> String {
    words(&response.body).unwrap_or_else(|| format!("answered with the status {}, without a word", response.status))
}

/// What a body says is wrong: the usual member of a JSON error, or its first characters.
fn words(body: &[u8]) -> Option<String> {
    let said = serde_json::from_slice::<Value>(body).ok().and_then(|value| said(&value));
    let text = said.unwrap_or_else(|| {
        let start = &body[..body.len().min(MESSAGE_CHARS_MAX * 8)];
        String::from_utf8_lossy(start).into_owned()
    });
    Some(shortened(&text)).filter(|text| !matches!(text.as_str(), "" | "{}" | "[]" | "null"))
}

fn said(value: &Value) -> Option<String> {
    let text = |value: &Value| value.as_str().map(str::to_owned).filter(|text| !text.trim().is_empty());
    if let Some(text) = text(value) {
        return Some(text);
    }
    [
        "/message",
        "/error/message",
        "/error",
        "/errors/0/message",
        "/errors/0/detail",
        "/errors/0",
        "/detail",
        "/error_description",
        "/title",
    ]
    .iter()
    .find_map(|pointer| value.pointer(pointer).and_then(text))
}

/// One line of bounded length.
pub(crate) fn shortened(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let line: String = line.chars().filter(|c| !c.is_control()).collect();
    if line.chars().count() <= MESSAGE_CHARS_MAX { line } else { line.chars().take(MESSAGE_CHARS_MAX).chain(['…']).collect() }
}
