//! What the syncs of this process share about a destination: its pace with its breaker, its connections, its access tokens.
//!
//! The limits of a project are the destination's, so a link is, too: two mappings of one destination keep one `rate_limit` and one
//! `concurrency`, what one of them learns (`Retry-After`, a destination that is down) holds for the other, and one signs in for both.
//! Another process knows nothing of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use outflow_contract::Result;

use super::pace::Pace;
use super::tokens::Tokens;
use super::transport::Transport;

/// The way to one destination. Clones share it.
#[derive(Clone)]
pub struct Link {
    /// How fast.
    pub pace: Pace,
    /// How a request gets there.
    pub transport: Arc<Transport>,
    /// Who we are there, where that takes a token.
    pub(crate) tokens: Arc<Tokens>,
}

/// The links so far, by the name of the destination. Clones share them.
#[derive(Clone, Default)]
pub struct Links(Arc<Mutex<BTreeMap<String, Link>>>);

impl Links {
    /// The link to that destination, made by `make` if there is none yet.
    pub(crate) fn to(&self, destination: &str, make: impl FnOnce() -> Result<Link>) -> Result<Link> {
        let mut links = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(link) = links.get(destination) {
            return Ok(link.clone());
        }
        let link = make()?;
        links.insert(destination.to_owned(), link.clone());
        Ok(link)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use outflow_contract::clock::Clock;
    use outflow_contract::plan::RateLimit;
    use outflow_contract::secret::Redactor;

    use super::*;
    use crate::clock::SystemClock;
    use crate::deliver::transport::{ProxyEnv, StorageEnv, TransportOptions};

    fn link() -> Result<Link> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let options = TransportOptions {
            ca_file: None,
            gateway: None,
            request_timeout: Duration::from_secs(20),
            proxy_env: ProxyEnv::default(),
            storage_env: StorageEnv::default(),
            user_agent: String::new(),
            concurrency: 8,
            redactor: Redactor::default(),
            carrier: None,
        };
        Ok(Link {
            pace: Pace::new(8, Some(RateLimit { requests: 3, per: Duration::from_hours(1) }), Arc::clone(&clock)),
            transport: Arc::new(Transport::new(options)?),
            tokens: Arc::new(Tokens::new(clock, Redactor::default())),
        })
    }

    #[tokio::test]
    async fn two_syncs_of_one_destination_share_one_rate_limit() {
        use futures::FutureExt;
        let links = Links::default();
        let (first, second) = (links.to("crm", link).unwrap(), links.clone().to("crm", link).unwrap());
        drop(first.pace.admit().await.unwrap());
        drop(second.pace.admit().await.unwrap());
        drop(first.pace.admit().await.unwrap());
        assert!(second.pace.admit().now_or_never().is_none(), "three of three an hour have left");
        assert!(links.to("other", link).unwrap().pace.admit().now_or_never().is_some());
    }
}
