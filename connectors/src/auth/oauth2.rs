//! OAuth 2.0 client credentials (RFC 6749, section 4.4): the request for an access token, and what its answer has to be.
//!
//! ```text
//! POST token_url  grant_type=client_credentials&client_id=…&client_secret=…   ─►   {"access_token": "…", "expires_in": 3600}
//! ```
//!
//! Nothing of an answer is believed that cannot be used: a page of a login, a token with a line break, fewer scopes than were asked for.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use outflow_contract::destination::{Token, TokenGrant};
use outflow_contract::outcome::{HttpRequest, HttpResponse};
use outflow_contract::secret::Secret;
use outflow_contract::{Error, Kind, Result, Retry};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use url::Url;

/// No token is longer; headers of more than this are refused by most servers.
const TOKEN_BYTES_MAX: usize = 16 << 10;

/// Where the client's name and secret stand in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClientAuth {
    /// Among the parameters.
    Body,
    /// In the header `Authorization`.
    Basic,
}

/// What is asked for, and by whom.
#[derive(Debug)]
pub(crate) struct ClientCredentials {
    pub(crate) token_url: Url,
    pub(crate) client_id: String,
    pub(crate) client_secret: Secret,
    pub(crate) client_auth: ClientAuth,
    pub(crate) scope: Option<String>,
    pub(crate) audience: Option<String>,
}

impl ClientCredentials {
    /// The host, for messages.
    fn host(&self) -> &str {
        self.token_url.host_str().unwrap_or_default()
    }

    /// The forms of the client's secret in a request that are not the secret itself.
    pub(crate) fn secrets(&self) -> Vec<String> {
        vec![self.basic()]
    }

    fn basic(&self) -> String {
        // Each part is encoded as in a form before the two are joined (section 2.3.1).
        let form = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        STANDARD.encode(format!("{}:{}", form(&self.client_id), form(self.client_secret.expose())))
    }

    fn refused(&self, response: &HttpResponse, said: &str) -> Error {
        let Problem { code, words } = Problem::of(&response.body);
        let why = match (code, words) {
            (Some(code), Some(words)) => format!(": {code}: {words}"),
            (Some(one), None) | (None, Some(one)) => format!(": {one}"),
            (None, None) => String::new(),
        };
        Error::new(Kind::Unauthorized, format!("{} {said} (status {}){why}", self.host(), response.status))
    }

    fn unusable(&self, why: &str) -> Error {
        Error::new(Kind::Unauthorized, format!("what {} answered is no access token: {why}", self.host()))
            .remedy("check `auth.token_url`: it is the address that issues tokens")
    }

    /// The scopes that were asked for, and are not in the answer's list.
    fn missing_scopes(&self, granted: &str) -> Vec<&str> {
        let granted: Vec<&str> = granted.split([' ', ',']).collect();
        self.scope.iter().flat_map(|scope| scope.split_whitespace()).filter(|scope| !granted.contains(scope)).collect()
    }

    fn token(&self, answer: &Map<String, Value>) -> Result<Token> {
        let token = answer.get("access_token").and_then(Value::as_str).filter(|token| !token.is_empty());
        let token = token.ok_or_else(|| self.unusable("it has no `access_token`"))?;
        if token.len() > TOKEN_BYTES_MAX {
            return Err(self.unusable("it is too long for a header"));
        }
        if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(self.unusable("it holds characters that no header can carry"));
        }
        if let Some(kind) = answer.get("token_type").filter(|kind| !kind.is_null())
            && !kind.as_str().is_some_and(|kind| kind.eq_ignore_ascii_case("bearer"))
        {
            return Err(self.unusable("its `token_type` is not Bearer"));
        }
        if let Some(granted) = answer.get("scope").and_then(Value::as_str) {
            let missing = self.missing_scopes(granted);
            if !missing.is_empty() {
                let message = format!("{} issued a token without the scope {}", self.host(), missing.join(", "));
                return Err(Error::new(Kind::Unauthorized, message).remedy("grant the client that scope, or take it out of `auth.scope`"));
            }
        }
        Ok(Token { value: Secret::new(token), expires_in: answer.get("expires_in").and_then(lifetime) })
    }
}

impl TokenGrant for ClientCredentials {
    fn identity(&self) -> String {
        let mut hash = Sha256::new();
        let parts = [self.token_url.as_str(), &self.client_id, self.client_secret.expose()];
        for part in parts.into_iter().chain(self.scope.as_deref()).chain([""]).chain(self.audience.as_deref()) {
            hash.update(part.len().to_le_bytes());
            hash.update(part);
        }
        hex::encode(hash.finalize())
    }

    fn request(&self) -> HttpRequest {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "client_credentials");
        if self.client_auth == ClientAuth::Body {
            form.append_pair("client_id", &self.client_id).append_pair("client_secret", self.client_secret.expose());
        }
        for (name, value) in [("scope", &self.scope), ("audience", &self.audience)] {
            if let Some(value) = value {
                form.append_pair(name, value);
            }
        }
        let mut headers = vec![
            ("Content-Type".to_owned(), "application/x-www-form-urlencoded".to_owned()),
            ("Accept".to_owned(), "application/json".to_owned()),
        ];
        if self.client_auth == ClientAuth::Basic {
            headers.push(("Authorization".to_owned(), format!("Basic {}", self.basic())));
        }
        let url = self.token_url.to_string();
        HttpRequest { method: "POST".to_owned(), url, headers, body: form.finish().into(), gzip: false }
    }

    fn decode(&self, answer: &HttpResponse) -> Result<Token> {
        match answer.status {
            200..=299 => match serde_json::from_slice::<Value>(&answer.body) {
                Ok(Value::Object(members)) => self.token(&members),
                Ok(_) => Err(self.unusable("it is no JSON object")),
                Err(_) => Err(self.unusable("it is no JSON")),
            },
            300..=399 => Err(self.unusable("it is a redirect, which is not followed")),
            408 | 425 | 429 | 500..=599 => {
                let message = format!("{} did not issue an access token (status {})", self.host(), answer.status);
                Err(Error::new(Kind::Refused, message).retry(Retry::May).remedy("run again later; its owner may know more"))
            }
            404 | 405 => Err(self.refused(answer, "has nothing that issues tokens at that address").remedy("check `auth.token_url`")),
            _ => Err(self
                .refused(answer, "refused to issue an access token")
                .remedy("check `auth.client_id`, `auth.client_secret` and `auth.scope`")),
        }
    }
}

/// What the endpoint says is wrong (section 5.2): a short code, and words.
struct Problem {
    code: Option<String>,
    words: Option<String>,
}

impl Problem {
    fn of(body: &[u8]) -> Self {
        let body = serde_json::from_slice::<Value>(body).unwrap_or_default();
        let text = |name: &str| body.get(name).and_then(Value::as_str).map(crate::http_answer::shortened).filter(|text| !text.is_empty());
        Self { code: text("error"), words: text("error_description") }
    }
}

/// Seconds, as a number or as text. What is no time at all, or negative, is good for this one request.
fn lifetime(value: &Value) -> Option<Duration> {
    let seconds = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    Some(Duration::try_from_secs_f64(seconds).unwrap_or(if seconds > 0.0 { Duration::MAX } else { Duration::ZERO }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn grant(scope: Option<&str>, client_auth: ClientAuth) -> ClientCredentials {
        ClientCredentials {
            token_url: Url::parse("https://id.example.com/oauth/token?tenant=7").unwrap(),
            client_id: "out flow".to_owned(),
            client_secret: Secret::new("s3cr&t="),
            client_auth,
            scope: scope.map(str::to_owned),
            audience: Some("https://api.example.com".to_owned()),
        }
    }

    fn answer(status: u16, body: impl Into<bytes::Bytes>) -> HttpResponse {
        HttpResponse { status, headers: Vec::new(), body: body.into() }
    }

    #[test]
    fn a_token_is_asked_for_as_the_standard_says() {
        let request = grant(Some("a b"), ClientAuth::Body).request();
        assert_eq!((request.method.as_str(), request.url.as_str()), ("POST", "https://id.example.com/oauth/token?tenant=7"));
        let body =
            "grant_type=client_credentials&client_id=out+flow&client_secret=s3cr%26t%3D&scope=a+b&audience=https%3A%2F%2Fapi.example.com";
        assert_eq!(request.body, body);
        assert!(request.headers.iter().all(|(name, _)| name != "Authorization"));
        let basic = grant(None, ClientAuth::Basic);
        let request = basic.request();
        let body = String::from_utf8_lossy(&request.body);
        assert!(!body.contains("client_id") && !body.contains("s3cr"), "{body}");
        let header = request.headers.iter().find(|(name, _)| name == "Authorization").unwrap().1.clone();
        assert_eq!(STANDARD.decode(header.strip_prefix("Basic ").unwrap()).unwrap(), b"out+flow:s3cr%26t%3D");
        assert!(basic.secrets().iter().any(|secret| header.ends_with(secret)));
    }

    #[test]
    fn the_identity_tells_grants_apart_and_holds_no_secret() {
        let same = || grant(Some("a"), ClientAuth::Body).identity();
        assert_eq!(same(), same());
        assert_ne!(same(), grant(Some("b"), ClientAuth::Body).identity());
        assert_ne!(same(), grant(None, ClientAuth::Body).identity());
        assert!(!same().contains("s3cr"));
    }

    #[test]
    fn a_token_is_taken_with_the_time_that_it_is_good_for() {
        let grant = grant(None, ClientAuth::Body);
        let lifetime = |body: &str| grant.decode(&answer(200, body.to_owned())).unwrap().expires_in;
        let with = |expires: &str| lifetime(&format!(r#"{{"access_token":"t","token_type":"bearer","expires_in":{expires}}}"#));
        assert_eq!(with("3600"), Some(Duration::from_hours(1)));
        assert_eq!(with("\"3600\""), Some(Duration::from_hours(1)));
        assert_eq!(with("-5"), Some(Duration::ZERO));
        assert_eq!(with("1e300"), Some(Duration::MAX));
        assert_eq!((with("null"), with("{}"), with("\"soon\"")), (None, None, None));
        assert_eq!(lifetime(r#"{"access_token":"t"}"#), None);
    }

    #[test]
    fn what_is_no_token_is_refused_and_says_why_without_showing_it() {
        let grant = grant(Some("read write"), ClientAuth::Body);
        for (status, body, said) in [
            (200, "<html><body>Sign in</body></html>", "it is no JSON"),
            (200, "[]", "no JSON object"),
            (200, "", "it is no JSON"),
            (200, r#"{"token":"hunter2"}"#, "no `access_token`"),
            (200, r#"{"access_token":""}"#, "no `access_token`"),
            (200, r#"{"access_token":7}"#, "no `access_token`"),
            (200, r#"{"access_token":"hunter2\r\nX-Evil: 1"}"#, "no header can carry"),
            (200, r#"{"access_token":"hunter2","token_type":"mac"}"#, "not Bearer"),
            (200, r#"{"access_token":"hunter2","scope":"read admin"}"#, "without the scope write"),
            (302, "", "redirect"),
            (404, "", "check `auth.token_url`"),
            (400, r#"{"error":"invalid_client","error_description":"unknown client"}"#, "(status 400): invalid_client: unknown client"),
            (401, "no", "(status 401)"),
        ] {
            let error = grant.decode(&answer(status, body)).unwrap_err();
            let text = format!("{error:?}");
            assert!(text.contains(said) && text.contains("id.example.com"), "{body}: {text}");
            assert!(!text.contains("hunter2") && !error.may_retry() && error.remedy_text().is_some(), "{text}");
        }
        for status in [429, 500, 503] {
            assert!(grant.decode(&answer(status, "")).unwrap_err().may_retry(), "{status}");
        }
        let long = format!(r#"{{"access_token":"{}"}}"#, "x".repeat(TOKEN_BYTES_MAX + 1));
        assert!(grant.decode(&answer(200, long)).unwrap_err().to_string().contains("too long"));
        assert!(grant.decode(&answer(200, r#"{"access_token":"t","scope":"write read more"}"#)).is_ok());
    }

    proptest! {
        #[test]
        fn no_answer_breaks_it_or_is_taken_for_a_token_that_no_header_can_carry(status: u16, body in proptest::collection::vec(any::<u8>(), 0..80), token in ".{0,20}", expires in any::<f64>()) {
            let grant = grant(Some("a"), ClientAuth::Body);
            let json = serde_json::json!({"access_token": token, "expires_in": expires}).to_string().into_bytes();
            for body in [body, json] {
                if let Ok(token) = grant.decode(&answer(status, body)) {
                    prop_assert!((200..300).contains(&status) && token.value.expose().bytes().all(|byte| byte.is_ascii_graphic()));
                }
            }
        }
    }
}
