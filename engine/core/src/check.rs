//! check: tries a destination without changing anything there.
//!
//! What [`Check`] asks for goes the way that a sync's requests go (gateway, proxy, certificate authorities, `request_timeout`),
//! once, without retries, and needs no permit: nothing that it does has to be remembered.
//! Not here: which check a destination has, and what an answer proves (the destination).

use std::time::Duration;

use outflow_contract::destination::{Check, Destination};
use outflow_contract::outcome::{Answer, HttpRequest, Request};
use outflow_contract::plan::DestinationConfig;
use outflow_contract::{Error, Kind, Result};

use crate::deliver::link::Link;
use crate::deliver::transport::{Sent, Transport};
use crate::run::Engine;

/// What trying a destination showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// In words.
    pub said: String,
    /// How long it took.
    pub took: Duration,
    /// The credentials were proven, not only the way there.
    pub proven: bool,
}

impl Engine {
    /// Tries the address and the credentials of a destination, or as much of them as can be tried without changing anything.
    pub async fn check_destination(&self, config: &DestinationConfig, destination: &dyn Destination) -> Result<Checked> {
        let Link { transport, tokens, .. } = self.link(config)?;
        let started = self.clock.monotonic();
        let check = destination.check();
        let token = match destination.token_grant() {
            Some(grant) => Some((grant, tokens.get(grant, &transport).await.map_err(|error| error.with("destination", &config.name))?)),
            None => None,
        };
        let answered = match &check {
            Check::Request(Request::Http(request)) => {
                let mut request = request.clone();
                if let Some((grant, token)) = &token {
                    grant.authorize(&token.value, &mut request);
                }
                answer(transport.send_probe(&Request::Http(request)).await)
            }
            Check::Request(request) => answer(transport.send_probe(request).await),
            Check::File(request) => answer(transport.rehearse(request).await),
            Check::Connect { url } => connect(&transport, url).await,
        };
        let took = self.clock.monotonic().saturating_sub(started);
        let mut said = answered.and_then(|answer| destination.checked(&answer)).map_err(|error| error.with("destination", &config.name))?;
        if token.is_some() {
            said = format!("an access token was issued; {said}");
        }
        let proven = !matches!(check, Check::Connect { .. });
        Ok(Checked { said: self.project.redactor.clean(&said), took, proven })
    }
}

/// The name, the connection, TLS, the proxy and the gateway, by asking for the headers of the root of the URL's origin: every status
/// proves them, except the ones that a proxy or gateway answers in the place of a host that it cannot reach.
async fn connect(transport: &Transport, url: &str) -> Result<Answer> {
    let (scheme, rest) = url.split_once("://").ok_or_else(|| Error::bug("the URL of a check has no scheme"))?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    // Name and password in a URL belong to its path: they are not for whoever answers at the root.
    let host = authority.rsplit('@').next().unwrap_or_default();
    let request = HttpRequest {
        method: "HEAD".to_owned(),
        url: format!("{scheme}://{host}/"),
        headers: Vec::new(),
        body: bytes::Bytes::new(),
        gzip: false,
    };
    let answer = answer(transport.send_probe(&Request::Http(request)).await)?;
    match &answer {
        Answer::Http(response) if response.status == 407 => {
            Err(Error::new(Kind::Unauthorized, format!("the proxy in front of {host} wants a user and a password (status 407)"))
                .remedy("set both in HTTP_PROXY, as in http://user:password@proxy.example.com:3128, or exempt the host in NO_PROXY"))
        }
        Answer::Http(response) if matches!(response.status, 502..=504) => {
            let status = response.status;
            Err(Error::new(Kind::Refused, format!("{host} is not reached: what stands in front of it answers {status}"))
                .remedy("check that the server behind the proxy, gateway or load balancer is running"))
        }
        _ => Ok(answer),
    }
}

fn answer(sent: Sent) -> Result<Answer> {
    match sent {
        Sent::Answer(answer) => Ok(answer),
        Sent::NotSent(error) | Sent::Unknown(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;
    use std::sync::Arc;

    use bytes::Bytes;
    use outflow_contract::destination::{Origin, RequestLimits};
    use outflow_contract::limits::Limits;
    use outflow_contract::outcome::{FileRequest, Location, Outcome, Records};
    use outflow_contract::plan::{Project, Retention, Settings};
    use outflow_contract::secret::Redactor;
    use outflow_ledger::store::MemoryStore;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::clock::SystemClock;
    use crate::deliver::transport::{ProxyEnv, StorageEnv};
    use crate::run::Silent;

    struct Tried(Check);

    impl Destination for Tried {
        fn account(&self) -> String {
            "tried".to_owned()
        }
        fn limits(&self) -> RequestLimits {
            RequestLimits { records_max: 1, bytes_max: 1, record_overhead: 0, body_overhead: 0, concurrency_max: None }
        }
        fn check(&self) -> Check {
            self.0.clone()
        }
        fn checked(&self, answer: &Answer) -> Result<String> {
            match answer {
                Answer::Http(answer) if answer.status == 401 => Err(Error::new(Kind::Unauthorized, "the key is wrong")),
                Answer::Http(answer) => Ok(format!("status {}, key s3cret", answer.status)),
                Answer::Written => Ok("written".to_owned()),
            }
        }
        fn encode(&self, _: &Records, _: &Origin) -> Result<Request> {
            Err(Error::bug("nothing is sent"))
        }
        fn decode(&self, _: &Records, _: &Answer) -> Vec<Outcome> {
            Vec::new()
        }
    }

    fn engine() -> Engine {
        let redactor = Redactor::default();
        redactor.add("s3cret");
        let project = Project {
            root: "/shop".into(),
            name: "shop".to_owned(),
            target: None,
            state: "/shop/state".into(),
            sources: Vec::new(),
            models: Vec::new(),
            destinations: Vec::new(),
            mappings: Vec::new(),
            limits: Limits::default(),
            retention: Retention::default(),
            redactor,
        };
        Engine {
            project: Arc::new(project),
            store: Arc::new(MemoryStore::default()),
            clock: Arc::new(SystemClock::new()),
            sources: BTreeMap::new(),
            destinations: BTreeMap::new(),
            proxy: ProxyEnv::default(),
            storage: StorageEnv::default(),
            carrier: None,
            workers: 1,
            links: crate::deliver::link::Links::default(),
            cancel: crate::cancel::Cancel::default(),
            observer: Arc::new(Silent),
        }
    }

    async fn checked(check: Check) -> Result<Checked> {
        let config = DestinationConfig {
            name: "crm".to_owned(),
            kind: "tried".to_owned(),
            enabled: true,
            gateway: None,
            settings: Settings::default(),
            rate_limit: None,
            concurrency: 1,
            request_timeout: Duration::from_secs(10),
            request_lifetime: Duration::from_secs(10),
            ca_file: None,
            root: "/shop".into(),
        };
        engine().check_destination(&config, &Tried(check)).await
    }

    /// A server that answers one request with `status`; it hands back the request's head.
    async fn server(status: u16) -> (String, tokio::task::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let asked = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            stream.write_all(format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n").as_bytes()).await.unwrap();
            String::from_utf8(head).unwrap()
        });
        (host, asked)
    }

    fn get(host: &str) -> Request {
        let url = format!("http://{host}/me");
        Request::Http(HttpRequest { method: "GET".to_owned(), url, headers: Vec::new(), body: Bytes::new(), gzip: false })
    }

    #[tokio::test]
    async fn a_request_proves_the_credentials_and_says_so_without_them() {
        let (host, asked) = server(200).await;
        let shown = checked(Check::Request(get(&host))).await.unwrap();
        assert_eq!((shown.said.as_str(), shown.proven), ("status 200, key ***", true));
        assert!(asked.await.unwrap().starts_with("GET /me "));
        let (host, _asked) = server(401).await;
        let error = checked(Check::Request(get(&host))).await.unwrap_err();
        assert_eq!((error.kind(), error.context()), (Kind::Unauthorized, &[("destination", "crm".to_owned())][..]));
    }

    #[tokio::test]
    async fn connecting_proves_the_way_alone_and_every_status_of_the_host_does() {
        for status in [200, 404, 405, 500] {
            let (host, asked) = server(status).await;
            let shown = checked(Check::Connect { url: format!("http://u:p@{host}/in/secret?k=1") }).await.unwrap();
            assert!(!shown.proven && shown.said.starts_with(&format!("status {status}")));
            let head = asked.await.unwrap();
            assert!(head.starts_with("HEAD / HTTP/1.1") && !head.contains("secret") && !head.contains("uthorization"), "{head}");
        }
        for (status, said) in [(407, "wants a user and a password"), (502, "is not reached")] {
            let (host, _asked) = server(status).await;
            let error = checked(Check::Connect { url: format!("http://{host}/x") }).await.unwrap_err();
            assert!(error.message().contains(said) && error.remedy_text().is_some(), "{error:?}");
        }
        let error = checked(Check::Connect { url: "http://127.0.0.1:1/x".to_owned() }).await.unwrap_err();
        assert!(error.message().contains("refused the connection"), "{error:?}");
    }

    #[tokio::test]
    async fn a_file_is_written_and_removed_with_the_folders_made_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = |path: &Path| {
            let location = Location::Local(path.join(".outflow-check"));
            Check::File(Request::File(FileRequest { location, body: Bytes::new() }))
        };
        let shown = checked(file(&folder.path().join("new/deep"))).await.unwrap();
        assert_eq!((shown.said.as_str(), shown.proven), ("written", true));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        checked(file(folder.path())).await.unwrap();
        assert!(folder.path().exists());
        std::fs::write(folder.path().join("taken"), "").unwrap();
        let error = checked(file(&folder.path().join("taken"))).await.unwrap_err();
        assert!(error.remedy_text().unwrap().contains("a part of the path is a file"), "{error:?}");
    }
}
