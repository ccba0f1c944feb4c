//! What the answer to an upload means, in words that a person can act on.
//!
//! All three stores answer with a status and a short XML document, `<Error><Code>…</Code><Message>…</Message></Error>`. A status
//! below 500 is a refusal: nothing was stored. What says "not now" is one, too. Any other status is no proof.

use outflow_contract::outcome::{Answer, HttpResponse};
use outflow_contract::secret::Redactor;
use outflow_contract::{Blame, Error, Kind, Retry};

use super::super::Sent;

/// Characters of a store's own words that are shown.
const WORDS_MAX: usize = 300;
/// Codes by which a store asks for patience, whatever its status: the request was not processed.
const PATIENCE: [&str; 4] = ["SlowDown", "ServerBusy", "RequestThrottled", "TooManyRequests"];

/// What became of an upload to `path` of `bucket`.
pub(super) fn judge(answer: &HttpResponse, bucket: &str, path: &str, redactor: &Redactor) -> Sent {
    let status = answer.status;
    if (200..300).contains(&status) {
        return Sent::Answer(Answer::Written);
    }
    let body = String::from_utf8_lossy(&answer.body);
    let code = within(&body, "Code").or_else(|| answer.header("x-ms-error-code")).unwrap_or_default();
    let words = said(status, code, &body, redactor);
    if PATIENCE.contains(&code) || status == 429 {
        return Sent::NotSent(
            Error::new(Kind::Refused, format!("{bucket} asks for fewer requests ({words})"))
                .retry(Retry::May)
                .remedy("lower the destination's `concurrency`, or run again later"),
        );
    }
    match status {
        300..=399 => Sent::NotSent(elsewhere(answer, &body, bucket, &words)),
        400 | 401 | 403 => Sent::NotSent(forbidden(status, code, bucket, path, &words)),
        404 => Sent::NotSent(
            Error::new(Kind::NotFound, format!("there is no bucket or container at {bucket} ({words})"))
                .remedy("create it, or correct `path`; check the region and the endpoint under `storage:`, too"),
        ),
        408 => Sent::Unknown(no_proof(bucket, &words)),
        402..=499 => Sent::NotSent(
            Error::new(Kind::Refused, format!("{bucket} refused the file ({words})")).remedy("see what it says, and ask whoever runs it"),
        ),
        _ => Sent::Unknown(no_proof(bucket, &words)),
    }
}

fn no_proof(bucket: &str, words: &str) -> Error {
    Error::new(Kind::Io, format!("{bucket} failed ({words})")).blame(Blame::Destination).remedy("run again later")
}

/// Refusals that concern who asks.
fn forbidden(status: u16, code: &str, bucket: &str, path: &str, words: &str) -> Error {
    let unauthorized = |what: String, remedy: &str| Error::new(Kind::Unauthorized, what).remedy(remedy);
    match code {
        "InvalidAccessKeyId" | "SignatureDoesNotMatch" | "AuthenticationFailed" | "InvalidAuthenticationInfo" | "InvalidSecurity" => {
            let remedy = "check the keys under the destination's `storage:`, or in the environment, and the region";
            unauthorized(format!("{bucket} does not accept the credentials ({words})"), remedy)
        }
        "ExpiredToken" | "InvalidToken" | "TokenRefreshRequired" => {
            unauthorized(format!("the credentials for {bucket} have expired ({words})"), "get new ones, or use keys that last")
        }
        "RequestTimeTooSkewed" => unauthorized(format!("{bucket} finds this machine's clock wrong ({words})"), "set the clock right"),
        "AuthorizationHeaderMalformed" => unauthorized(
            format!("{bucket} does not accept the signature ({words})"),
            "check the region: `storage: {aws_region: …}`, or AWS_REGION in the environment",
        ),
        _ if status == 400 => {
            Error::new(Kind::Refused, format!("{bucket} refused the file ({words})")).remedy("check `path` and what is under `storage:`")
        }
        _ if status == 401 => {
            let remedy = "check the credentials under the destination's `storage:`, or in the environment";
            unauthorized(format!("{bucket} does not accept the credentials ({words})"), remedy)
        }
        _ => {
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            let right =
                "grant them the right to create objects there: s3:PutObject, storage.objects.create, or Storage Blob Data Contributor";
            unauthorized(format!("the credentials may not write to {bucket}/{folder} ({words})"), right)
        }
    }
}

/// The bucket is in another region, which the answer may name.
fn elsewhere(answer: &HttpResponse, body: &str, bucket: &str, words: &str) -> Error {
    let region = answer.header("x-amz-bucket-region").or_else(|| within(body, "Region"));
    let error = Error::new(Kind::Invalid, format!("{bucket} is in another place than the one that was asked ({words})"));
    match region.filter(|region| region.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')) {
        Some(region) => {
            error.remedy(format!("set `storage: {{aws_region: {region}}}` on the destination, or AWS_REGION in the environment"))
        }
        None => error.remedy("set its region or endpoint under the destination's `storage:`"),
    }
}

/// `status 403, AccessDenied: Access Denied`.
fn said(status: u16, code: &str, body: &str, redactor: &Redactor) -> String {
    let message = within(body, "Message").unwrap_or_default();
    let mut words = format!("status {status}");
    for (text, before) in [(code, ", "), (message, ": ")] {
        if !text.is_empty() {
            words.push_str(before);
            // One line of plain text, whatever they send; secrets go before the cut, so that none is left in part.
            words.extend(redactor.clean(text).chars().map(|c| if c.is_control() { ' ' } else { c }).take(WORDS_MAX));
        }
    }
    words.trim_end().to_owned()
}

/// The text of the first element of that name.
fn within<'a>(body: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = body.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once("</")?;
    Some(text.trim())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn judged(status: u16, headers: &[(&str, &str)], body: &'static str) -> Sent {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let redactor = Redactor::default();
        redactor.add("s3cret");
        judge(&HttpResponse { status, headers, body: Bytes::from_static(body.as_bytes()) }, "s3://exports", "crm/1.ndjson", &redactor)
    }

    #[test]
    fn refusals_are_told_with_what_to_do() {
        let cases = [
            (403, "InvalidAccessKeyId", "does not accept the credentials", "check the keys", Kind::Unauthorized),
            (403, "AccessDenied", "may not write to s3://exports/crm", "s3:PutObject", Kind::Unauthorized),
            (403, "RequestTimeTooSkewed", "clock wrong", "set the clock", Kind::Unauthorized),
            (400, "ExpiredToken", "have expired", "get new ones", Kind::Unauthorized),
            (401, "", "does not accept the credentials", "check the credentials", Kind::Unauthorized),
            (404, "NoSuchBucket", "there is no bucket", "create it", Kind::NotFound),
            (409, "Whatever", "refused the file", "ask whoever", Kind::Refused),
        ];
        for (status, code, said, remedy, kind) in cases {
            let body: &'static str = format!("<Error><Code>{code}</Code><Message>Said s3cret\n</Message></Error>").leak();
            let Sent::NotSent(error) = judged(status, &[], body) else { panic!("{status} {code} is a refusal") };
            assert!(error.message().contains(said) && error.remedy_text().unwrap().contains(remedy), "{error:?}");
            assert!(error.message().contains("***") && !error.may_retry() && error.kind() == kind, "{error:?}");
        }
    }

    #[test]
    fn a_bucket_of_another_region_is_told_with_its_region() {
        let Sent::NotSent(error) = judged(301, &[("x-amz-bucket-region", "eu-north-1")], "") else { panic!("a refusal") };
        assert!(error.remedy_text().unwrap().contains("aws_region: eu-north-1"), "{error:?}");
    }

    #[test]
    fn patience_is_no_doubt_and_a_failure_is() {
        for (status, body) in [(503, "<Error><Code>SlowDown</Code></Error>"), (429, ""), (503, "<Error><Code>ServerBusy</Code></Error>")] {
            let Sent::NotSent(error) = judged(status, &[], body) else { panic!("{status} proves that nothing was stored") };
            assert!(error.may_retry());
        }
        for status in [408, 500, 502, 503, 504] {
            assert!(matches!(judged(status, &[], "<html>"), Sent::Unknown(_)), "{status}");
        }
        assert!(matches!(judged(201, &[], ""), Sent::Answer(Answer::Written)));
    }
}
