//! Access tokens of one destination: asked for when the first request needs one, held in memory, replaced before they expire and
//! once after they were refused.
//!
//! ```text
//! request ─► held and good for a while yet? ──yes──► its token
//!                    │ no                              ▲   │ 401, and it is still the one that is held
//!                    └──► one asks, the others wait ───┘◄──┘
//! ```
//!
//! Invariants: one exchange at a time; whoever waited for it gets what it brought, failures included, so that no endpoint is asked
//! again and again for what it has just refused; a token that came in the place of a refused one, and is refused before it was ever
//! accepted, is the last: nobody gets another one; every token is known to the redactor before anybody gets it. Nothing of it is stored.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use outflow_contract::clock::Clock;
use outflow_contract::destination::TokenGrant;
use outflow_contract::limits::{BREAKER_DOWN, TOKEN_ATTEMPTS_MAX, TOKEN_LIFETIME_DEFAULT, TOKEN_LIFETIME_MAX};
use outflow_contract::outcome::{Answer, HttpResponse, Request};
use outflow_contract::secret::{Redactor, Secret};
use outflow_contract::{Error, Kind, Result};
use tokio::sync::Mutex;

use super::retry::backoff;
use super::transport::{Sent, Transport};

/// A token that is replaced so long before it expires, that no request that carries it is under way by then.
const EARLY_MAX: Duration = Duration::from_mins(1);

/// Asks for tokens, and keeps them.
pub(crate) struct Tokens {
    clock: Arc<dyn Clock>,
    redactor: Redactor,
    /// By the identity of their grant. The lock is held while one is asked for.
    held: Mutex<BTreeMap<String, Held>>,
}

/// A token, and which one it is.
#[derive(Clone, Debug)]
pub(crate) struct Live {
    pub(crate) value: Secret,
    number: u64,
    accepted: Arc<AtomicBool>,
}

impl Live {
    /// A request with it was answered with this status. Only an answer that was not due to who we are, nor to how the destination is,
    /// shows that the token is good.
    pub(crate) fn note_answer(&self, status: u16) {
        if matches!(status, 200..=299 | 400..=499) && !matches!(status, 401 | 403 | 407 | 408 | 429) {
            self.accepted.store(true, Ordering::Relaxed);
        }
    }
}

/// What is known of a grant.
struct Held {
    /// How many exchanges there were.
    number: u64,
    /// The last one brought this.
    brought: Result<Secret, Failure>,
    /// Until when it holds.
    until: Duration,
    /// It came in the place of one that was refused.
    replaces: bool,
    /// The destination has accepted it.
    accepted: Arc<AtomicBool>,
}

/// A failure that can be told to everybody who waited.
#[derive(Clone)]
struct Failure {
    kind: Kind,
    message: String,
    remedy: Option<String>,
}

impl Tokens {
    pub(crate) fn new(clock: Arc<dyn Clock>, redactor: Redactor) -> Self {
        Self { clock, redactor, held: Mutex::default() }
    }

    /// A token that is good for a while.
    pub(crate) async fn get(&self, grant: &dyn TokenGrant, transport: &Transport) -> Result<Live> {
        self.other_than(None, grant, transport).await
    }

    /// Another token than the one that was refused: a new one, unless somebody has asked for one meanwhile. An error if the refused one
    /// was the last.
    pub(crate) async fn renew(&self, refused: &Live, grant: &dyn TokenGrant, transport: &Transport) -> Result<Live> {
        self.note_refused(refused, grant).await;
        self.other_than(Some(refused.number), grant, transport).await
    }

    /// This token was refused. If it came in the place of another one, and was never accepted, there is no other: the client is known to
    /// the token's endpoint, and yet may do nothing at the destination.
    pub(crate) async fn note_refused(&self, refused: &Live, grant: &dyn TokenGrant) {
        let mut all = self.held.lock().await;
        let last = all.get_mut(&grant.identity()).filter(|held| held.number == refused.number && held.brought.is_ok());
        let Some(held) = last.filter(|held| held.replaces && !held.accepted.load(Ordering::Relaxed)) else { return };
        held.number += 1;
        held.brought = Err(Failure {
            kind: Kind::Unauthorized,
            message: "the credentials were refused with 401, with a new token, too".to_owned(),
            remedy: None,
        });
        held.until = self.clock.monotonic().saturating_add(BREAKER_DOWN);
    }

    async fn other_than(&self, refused: Option<u64>, grant: &dyn TokenGrant, transport: &Transport) -> Result<Live> {
        let mut all = self.held.lock().await;
        let identity = grant.identity();
        let now = self.clock.monotonic();
        let before = all.get(&identity);
        if let Some(held) = before.filter(|held| now < held.until && refused != Some(held.number)) {
            return held.live();
        }
        let number = before.map_or(1, |held| held.number + 1);
        let exchanged = self.exchange(grant, transport).await;
        // Its time counts from when it was asked for: when it was made is not known.
        let (brought, lifetime) = match exchanged {
            Ok((token, lifetime)) => (Ok(token), lifetime),
            Err(error) => (Err(Failure::of(&error)), BREAKER_DOWN),
        };
        // What follows a failure is no better than what failed.
        let replaces = before.is_some_and(|held| refused == Some(held.number) || (held.replaces && held.brought.is_err()));
        let held = Held { number, brought, until: now.saturating_add(lifetime), replaces, accepted: Arc::default() };
        let live = held.live();
        all.insert(identity, held);
        live
    }

    /// Asks, and once or twice more where that may help. The token, and for how long it is used.
    async fn exchange(&self, grant: &dyn TokenGrant, transport: &Transport) -> Result<(Secret, Duration)> {
        let request = Request::Http(grant.request());
        let mut attempt = 1;
        loop {
            let answered = match transport.send_probe(&request).await {
                Sent::Answer(Answer::Http(response)) => self.read(grant, &response),
                Sent::Answer(Answer::Written) => Err(Error::bug("a token was asked for by writing a file")),
                Sent::NotSent(error) | Sent::Unknown(error) => Err(error),
            };
            match answered {
                Err(error) if error.may_retry() && attempt < TOKEN_ATTEMPTS_MAX => {
                    self.clock.sleep(backoff(attempt, self.clock.random())).await;
                    attempt += 1;
                }
                answered => return answered,
            }
        }
    }

    fn read(&self, grant: &dyn TokenGrant, response: &HttpResponse) -> Result<(Secret, Duration)> {
        let token = grant.decode(response)?;
        self.redactor.add(token.value.expose());
        let lifetime = token.expires_in.unwrap_or(TOKEN_LIFETIME_DEFAULT).min(TOKEN_LIFETIME_MAX);
        Ok((token.value, lifetime.saturating_sub(EARLY_MAX.min(lifetime / 4))))
    }
}

impl Held {
    fn live(&self) -> Result<Live> {
        match &self.brought {
            Ok(value) => Ok(Live { value: value.clone(), number: self.number, accepted: Arc::clone(&self.accepted) }),
            Err(failure) => Err(failure.error()),
        }
    }
}

impl Failure {
    fn of(error: &Error) -> Self {
        Self { kind: error.kind(), message: error.to_string(), remedy: error.remedy_text().map(str::to_owned) }
    }

    fn error(&self) -> Error {
        let error = Error::new(self.kind, format!("no access token: {}", self.message));
        match &self.remedy {
            Some(remedy) => error.remedy(remedy),
            None => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use futures::future::join_all;
    use outflow_contract::destination::Token;
    use outflow_contract::outcome::HttpRequest;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::clock::SystemClock;
    use crate::deliver::transport::{ProxyEnv, StorageEnv, TransportOptions};

    /// A token is the body of the answer.
    struct Grant {
        url: String,
        expires_in: Option<Duration>,
    }

    impl TokenGrant for Grant {
        fn identity(&self) -> String {
            self.url.clone()
        }
        fn request(&self) -> HttpRequest {
            let (method, url) = ("POST".to_owned(), self.url.clone());
            HttpRequest { method, url, headers: Vec::new(), body: bytes::Bytes::new(), gzip: false }
        }
        fn decode(&self, answer: &HttpResponse) -> Result<Token> {
            let value = Secret::new(String::from_utf8_lossy(&answer.body));
            match answer.status {
                200 => Ok(Token { value, expires_in: self.expires_in }),
                503 => Err(Error::new(Kind::Refused, "busy").retry(outflow_contract::Retry::May)),
                _ => Err(Error::new(Kind::Unauthorized, "unknown client").remedy("check it")),
            }
        }
    }

    /// An endpoint that answers with these statuses in turn, the last one for ever; and how often it was asked.
    async fn endpoint(statuses: &'static [u16]) -> (String, Arc<AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/token", listener.local_addr().unwrap());
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let n = counter.fetch_add(1, Ordering::SeqCst);
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(stream.read_u8().await.unwrap());
                }
                let (status, body) = (statuses[n.min(statuses.len() - 1)], format!("token-number-{n}"));
                let answer = format!("HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len());
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        (url, asked)
    }

    fn transport() -> Transport {
        Transport::new(TransportOptions {
            ca_file: None,
            gateway: None,
            request_timeout: Duration::from_secs(20),
            proxy_env: ProxyEnv::default(),
            storage_env: StorageEnv::default(),
            user_agent: "outflow/test".to_owned(),
            concurrency: 8,
            redactor: Redactor::default(),
            carrier: None,
        })
        .unwrap()
    }

    fn tokens() -> Tokens {
        Tokens::new(Arc::new(SystemClock::new()), Redactor::default())
    }

    #[tokio::test]
    async fn many_requests_ask_for_one_token_and_it_is_never_shown() {
        let (url, asked) = endpoint(&[200]).await;
        let (tokens, transport, grant) = (tokens(), transport(), Grant { url, expires_in: None });
        let all = join_all((0..20).map(|_| tokens.get(&grant, &transport))).await;
        assert!(all.into_iter().all(|live| live.unwrap().value.expose() == "token-number-0"));
        assert_eq!(asked.load(Ordering::SeqCst), 1);
        assert_eq!(tokens.redactor.clean("with token-number-0"), "with ***");
    }

    #[tokio::test]
    async fn a_token_is_asked_for_again_once_its_time_is_over_whatever_time_the_answer_says() {
        for (expires_in, exchanges) in [(Some(Duration::ZERO), 3), (Some(Duration::from_mins(10)), 1), (Some(Duration::MAX), 1), (None, 1)]
        {
            let (url, asked) = endpoint(&[200]).await;
            let (tokens, transport, grant) = (tokens(), transport(), Grant { url, expires_in });
            for _ in 0..3 {
                tokens.get(&grant, &transport).await.unwrap();
            }
            assert_eq!(asked.load(Ordering::SeqCst), exchanges, "{expires_in:?}");
            let held = tokens.held.lock().await;
            assert!(held.values().all(|held| held.until <= tokens.clock.monotonic() + TOKEN_LIFETIME_MAX));
        }
    }

    #[tokio::test]
    async fn a_token_that_many_requests_find_refused_is_replaced_once() {
        let (url, asked) = endpoint(&[200]).await;
        let (tokens, transport, grant) = (tokens(), transport(), Grant { url, expires_in: None });
        let first = tokens.get(&grant, &transport).await.unwrap();
        let all = join_all((0..20).map(|_| tokens.renew(&first, &grant, &transport))).await;
        assert!(all.into_iter().all(|live| live.unwrap().value.expose() == "token-number-1"));
        assert_eq!(asked.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn a_new_token_that_is_refused_before_it_was_accepted_is_the_last() {
        let (url, asked) = endpoint(&[200]).await;
        let (tokens, transport, grant) = (tokens(), transport(), Grant { url, expires_in: None });
        let first = tokens.get(&grant, &transport).await.unwrap();
        first.note_answer(200);
        let second = tokens.renew(&first, &grant, &transport).await.unwrap();
        for status in [401, 403, 429, 500, 302] {
            second.note_answer(status);
        }
        tokens.note_refused(&second, &grant).await;
        // Those under way with either of them, and those that are about to leave.
        for late in [tokens.renew(&first, &grant, &transport).await, tokens.renew(&second, &grant, &transport).await] {
            assert!(late.unwrap_err().to_string().contains("refused with 401"));
        }
        assert!(tokens.get(&grant, &transport).await.is_err());
        assert_eq!(asked.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn a_new_token_that_was_accepted_is_replaced_when_its_time_has_come() {
        let (url, asked) = endpoint(&[200]).await;
        let (tokens, transport, grant) = (tokens(), transport(), Grant { url, expires_in: None });
        let mut live = tokens.get(&grant, &transport).await.unwrap();
        for exchanges in 2..6 {
            live = tokens.renew(&live, &grant, &transport).await.unwrap();
            live.note_answer(422);
            assert_eq!(asked.load(Ordering::SeqCst), exchanges);
        }
    }

    #[tokio::test]
    async fn an_endpoint_that_refuses_is_asked_once_for_all_and_one_that_is_busy_a_few_times() {
        let cases: [(&'static [u16], usize, bool); 3] =
            [(&[401], 1, false), (&[503], TOKEN_ATTEMPTS_MAX as usize, false), (&[503, 200], 2, true)];
        for (statuses, exchanges, good) in cases {
            let (url, asked) = endpoint(statuses).await;
            let (tokens, transport, grant) = (tokens(), transport(), Grant { url, expires_in: None });
            for live in join_all((0..20).map(|_| tokens.get(&grant, &transport))).await {
                assert_eq!(live.as_ref().is_ok(), good, "{live:?}");
                let said = live.map_or_else(|error| error.to_string(), |_| "no access token".to_owned());
                assert!(said.starts_with("no access token"), "{said}");
            }
            assert_eq!(asked.load(Ordering::SeqCst), exchanges, "{statuses:?}");
        }
    }
}
