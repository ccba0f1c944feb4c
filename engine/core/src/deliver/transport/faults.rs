//! What went wrong, in words that a person can act on, and whether the request may have taken effect.
//!
//! Libraries put the whole URL into their errors, and a URL may hold secrets: their texts are used from the innermost
//! cause only, and pass the redactor.

use std::error::Error as _;
use std::io;
use std::time::Duration;

use outflow_contract::limits::RESPONSE_BYTES_MAX;
use outflow_contract::secret::Redactor;
use outflow_contract::{Blame, Error, Kind, Retry};
use reqwest::Url;

use super::http::host_of;
use super::{ProxyEnv, Sent};

/// What the texts need to know.
pub(super) struct Faults {
    pub(super) request_timeout: Duration,
    pub(super) connect_timeout: Duration,
    /// Does this machine have certificate authorities?
    pub(super) system_roots: bool,
    pub(super) proxies: ProxyEnv,
    pub(super) redactor: Redactor,
}

impl Faults {
    /// A failure before any part of an answer came.
    pub(super) fn before_answer(&self, error: reqwest::Error, url: &Url) -> Sent {
        let host = &host_of(url);
        if error.is_connect() {
            return Sent::NotSent(self.not_connected(&error, url));
        }
        if error.is_builder() {
            return Sent::NotSent(unusable_request(error, host));
        }
        if error.is_timeout() {
            return Sent::Unknown(self.timed_out(host));
        }
        let broke = Error::io(format!("the connection to {host} broke before the answer came"), self.cause(&error));
        Sent::Unknown(broke.blame(Blame::Destination))
    }

    /// A failure while the answer was being read.
    pub(super) fn in_answer(&self, error: &reqwest::Error, host: &str, status: u16) -> Sent {
        if error.is_timeout() {
            return Sent::Unknown(self.timed_out(host));
        }
        let cut = Error::io(format!("the answer of {host} (status {status}) could not be read to its end"), self.cause(error));
        Sent::Unknown(cut.blame(Blame::Destination))
    }

    pub(super) fn timed_out(&self, host: &str) -> Error {
        let after = seconds(self.request_timeout);
        Error::new(Kind::Io, format!("{host} timed out: no complete answer after {after}"))
            .blame(Blame::Destination)
            .remedy("raise the destination's `request_timeout`, or lower its `concurrency` or the size of its requests")
    }

    fn not_connected(&self, error: &reqwest::Error, url: &Url) -> Error {
        let (cause, host) = (self.cause(error), &host_of(url));
        if let Some(why) = cause.split("invalid peer certificate: ").nth(1) {
            return self.untrusted(why, host);
        }
        if cause.contains("corrupt message") {
            return Error::new(Kind::Io, format!("{host} does not speak TLS at that port"))
                .blame(Blame::Operator)
                .retry(Retry::No)
                .remedy("check the port in the URL; a server without TLS has a URL that begins with http://");
        }
        if cause.contains("tunnel") || cause.contains("proxy auth") {
            return Error::io(format!("the proxy did not connect to {host}"), cause)
                .remedy("check HTTPS_PROXY with its user and password, or exempt the host in NO_PROXY");
        }
        let proxy = self.proxy(url);
        let at = proxy.as_ref().map_or_else(|| host.clone(), |(variable, at)| format!("the proxy {at} ({variable})"));
        let (failure, remedy) = if error.is_timeout() {
            let after = seconds(self.connect_timeout);
            let failed = Error::new(Kind::Io, format!("{at} timed out: no connection after {after}")).blame(Blame::Destination);
            (failed, "check that the host is up, and that no firewall is in between; HTTPS_PROXY names a proxy")
        } else if error.is_dns() {
            let what = if proxy.is_some() { at } else { format!("the host {at}") };
            let failed = Error::io(format!("{what} was not found"), cause);
            (failed, "check the spelling of the URL, and that this machine can look up names")
        } else if io_kind(error) == Some(io::ErrorKind::ConnectionRefused) {
            let failed = Error::new(Kind::Io, format!("{at} refused the connection")).blame(Blame::Destination);
            (failed, "check that the server is running, and the port in the URL")
        } else {
            (Error::io(format!("could not connect to {at}"), cause), "check the URL, and that this machine's network is up")
        };
        match proxy {
            Some((variable, _)) => failure.remedy(format!("check {variable}, or exempt {host} in NO_PROXY")),
            None => failure.remedy(remedy),
        }
    }

    /// The proxy that a request to this URL goes through: the variable that names it, and its host.
    fn proxy(&self, url: &Url) -> Option<(&'static str, String)> {
        let (variable, value) =
            if url.scheme() == "https" { ("HTTPS_PROXY", &self.proxies.https) } else { ("HTTP_PROXY", &self.proxies.http) };
        let value = value.as_deref().map(str::trim).filter(|value| !value.is_empty())?;
        if is_exempt(self.proxies.no.as_deref().unwrap_or_default(), url.host_str().unwrap_or_default()) {
            return None;
        }
        let proxy = Url::parse(value).ok().filter(Url::has_host).or_else(|| Url::parse(&format!("http://{value}")).ok())?;
        Some((variable, host_of(&proxy)))
    }

    /// `why` is rustls' word for it.
    fn untrusted(&self, why: &str, host: &str) -> Error {
        let (message, remedy) = if why.starts_with("certificate expired") || why.starts_with("Expired") {
            (format!("the certificate of {host} has expired"), "it has to be renewed there; check this machine's clock, too")
        } else if why.starts_with("certificate not valid for name") || why.starts_with("NotValidForName") {
            (format!("the certificate of {host} is for another host"), "use the host name that the certificate was issued for")
        } else if why.contains("CaUsedAsEndEntity") {
            let remedy = "it has to be made anew there, with basicConstraints CA:FALSE; `tls: {ca_file}` then names the authority's";
            (format!("the certificate of {host} is one of an authority, which no server may show as its own"), remedy)
        } else if self.system_roots {
            let remedy = "if it is signed by your own authority, name that one's PEM file in the destination's `tls: {ca_file}`";
            (format!("the certificate of {host} is not trusted"), remedy)
        } else {
            let remedy = "install this system's certificate authorities (`ca-certificates`), or name a PEM file in `tls: {ca_file}`";
            (format!("the certificate of {host} is not trusted: this machine has no certificate authorities"), remedy)
        };
        let error = Error::new(Kind::Io, message).blame(Blame::Operator).retry(Retry::No).remedy(remedy);
        // Their word for it says more only where ours does not name the cause.
        if error.message().contains("is not trusted") && !why.contains("UnknownIssuer") {
            error.caused_by(self.redactor.clean(why))
        } else {
            error
        }
    }

    /// The innermost cause, which is free of the URL.
    fn cause(&self, error: &reqwest::Error) -> String {
        let mut cause = error.source();
        while let Some(below) = cause.and_then(|cause| cause.source()) {
            cause = Some(below);
        }
        self.redactor.clean(&cause.map_or_else(|| "no further cause is known".to_owned(), ToString::to_string))
    }
}

/// An answer over the limit.
pub(super) fn too_long(host: &str, status: u16) -> Sent {
    let limit = RESPONSE_BYTES_MAX >> 20;
    let error = Error::new(Kind::Limit, format!("the answer of {host} (status {status}) is longer than {limit} MiB"));
    Sent::Unknown(error.blame(Blame::Destination).retry(Retry::May).remedy("smaller requests may get shorter answers"))
}

/// The HTTP client could not be made at all.
pub(super) fn unusable_client(error: &reqwest::Error) -> Error {
    let cause = error.source().map_or_else(|| "TLS is not available".to_owned(), ToString::to_string);
    Error::io("the HTTP client could not be set up", cause).retry(Retry::No)
}

/// A request that cannot be expressed in HTTP.
pub(super) fn unusable_request(error: reqwest::Error, host: &str) -> Error {
    Error::invalid(format!("the request to {host} cannot be sent")).caused_by(error.without_url())
}

fn io_kind(error: &reqwest::Error) -> Option<io::ErrorKind> {
    let mut cause = error.source();
    let mut kind = None;
    while let Some(below) = cause {
        kind = below.downcast_ref::<io::Error>().map(io::Error::kind).or(kind);
        cause = below.source();
    }
    kind
}

/// Does `NO_PROXY` name this host? Where it gives ranges of addresses, those count as named: the blame is not put on a proxy in doubt.
fn is_exempt(no_proxy: &str, host: &str) -> bool {
    no_proxy.split(',').map(str::trim).filter(|entry| !entry.is_empty()).any(|entry| {
        let entry = entry.trim_start_matches('.');
        let below = || host.strip_suffix(entry).is_some_and(|rest| rest.ends_with('.'));
        entry == "*" || entry.contains('/') || host == entry || below()
    })
}

/// `30 s`, `1.5 s`.
fn seconds(duration: Duration) -> String {
    format!("{} s", (duration.as_secs_f64() * 1000.0).round() / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_without_certificate_authorities_is_told_so() {
        let (request_timeout, connect_timeout) = (Duration::from_secs(30), Duration::from_secs(10));
        let (proxies, redactor) = (ProxyEnv::default(), Redactor::default());
        let faults =
            |system_roots| Faults { request_timeout, connect_timeout, system_roots, proxies: proxies.clone(), redactor: redactor.clone() };
        let remedy = |system_roots| faults(system_roots).untrusted("UnknownIssuer", "a.example").remedy_text().unwrap().to_owned();
        assert!(remedy(false).contains("ca-certificates") && !remedy(true).contains("ca-certificates"));
        assert!(faults(true).timed_out("a.example").message().ends_with("after 30 s"));
    }

    #[test]
    fn a_proxy_is_blamed_only_where_a_request_goes_through_it() {
        let proxies = ProxyEnv {
            https: Some("http://user:pass@proxy.example:3128".to_owned()),
            http: Some("plain.example:8080".to_owned()),
            no: Some("localhost, .internal.example,crm.example".to_owned()),
        };
        let second = Duration::from_secs(1);
        let redactor = Redactor::default();
        let faults = Faults { request_timeout: second, connect_timeout: second, system_roots: true, proxies, redactor };
        let proxy = |url: &str| faults.proxy(&Url::parse(url).unwrap()).map(|(variable, at)| format!("{at} {variable}"));
        assert_eq!(proxy("https://a.example/x").as_deref(), Some("proxy.example:3128 HTTPS_PROXY"));
        assert_eq!(proxy("http://a.example/x").as_deref(), Some("plain.example:8080 HTTP_PROXY"));
        for exempt in ["http://localhost:1/", "https://x.internal.example/", "https://crm.example/"] {
            assert_eq!(proxy(exempt), None, "{exempt}");
        }
        assert!(proxy("https://notcrm.example/").is_some());
    }
}
