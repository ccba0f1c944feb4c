//! Files in object storage: S3, Google Cloud Storage, Azure Blob Storage.
//!
//! ```text
//! write ─► store (one for each bucket and its options) ─► [credentials] ─► PUT ─► Written
//!              object_store: addresses, signatures           └────────┴── our own client: proxies, authorities, timeouts
//! ```
//!
//! An upload is atomic in itself, and a name is only ever used for the same bytes, so that replacing an earlier attempt is
//! harmless. The library signs and addresses, and retries nothing; what leaves, leaves through the transport's own client, once.
//! Until the upload has begun every failure is `NotSent`, that of asking for credentials included; from there on its answer tells.

mod answers;
mod client;
mod open;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, ObjectStoreScheme, PutPayload};
use outflow_contract::outcome::ObjectLocation;
use outflow_contract::secret::Secret;
use outflow_contract::{Error, Kind, Result};
use reqwest::{Client, Url};

use super::faults::Faults;
use super::http::Http;
use super::{Sent, StorageEnv};

use client::Exchange;

/// The object storage half of a transport.
pub(super) struct Objects {
    client: Client,
    faults: Arc<Faults>,
    env: StorageEnv,
    stores: Mutex<Vec<Known>>,
}

/// A store that is open.
struct Known {
    bucket: String,
    options: Arc<BTreeMap<String, Secret>>,
    store: Arc<dyn ObjectStore>,
}

/// An object's place.
struct Place {
    scheme: ObjectStoreScheme,
    url: Url,
    path: Path,
    /// The URL without the object's path: what the store is for, and what messages name.
    bucket: String,
}

impl Objects {
    /// Connects to nothing yet.
    pub(super) fn new(http: &Http, env: StorageEnv) -> Self {
        Self { client: http.client.clone(), faults: Arc::clone(&http.faults), env, stores: Mutex::default() }
    }

    /// Uploads an object, once.
    pub(super) async fn write(&self, object: &ObjectLocation, body: &Bytes) -> Sent {
        match self.locate(object) {
            Ok((place, store)) => self.upload(&place, store.as_ref(), body).await,
            Err(error) => Sent::NotSent(error),
        }
    }

    /// Uploads an object and removes it again. Who may write and not remove is content with the first half.
    pub(super) async fn rehearse(&self, object: &ObjectLocation, body: &Bytes) -> Sent {
        let (place, store) = match self.locate(object) {
            Ok(located) => located,
            Err(error) => return Sent::NotSent(error),
        };
        let sent = self.upload(&place, store.as_ref(), body).await;
        if matches!(sent, Sent::Answer(_)) {
            let exchange = Exchange::default();
            let removing = client::EXCHANGE.scope(exchange, store.delete(&place.path));
            // An empty object by this name does no harm where it stays.
            drop(tokio::time::timeout(self.faults.request_timeout, removing).await);
        }
        sent
    }

    async fn upload(&self, place: &Place, store: &dyn ObjectStore, body: &Bytes) -> Sent {
        let Place { bucket, path, .. } = place;
        let put = client::EXCHANGE.scope(Exchange::new(bucket, path.as_ref()), async {
            let put = store.put(path, PutPayload::from(body.clone()));
            let put = tokio::time::timeout(self.faults.request_timeout, put).await;
            (put, client::EXCHANGE.with(Exchange::ended))
        });
        match put.await {
            (_, (Some(sent), _, _)) => sent,
            (Err(_), (None, _, true)) => Sent::Unknown(self.faults.timed_out(bucket)),
            (Err(_), (None, ..)) => Sent::NotSent(no_credentials(bucket, Some(self.faults.timed_out("the server that gives them out")))),
            (Ok(Err(_)), (None, Some(error), _)) => Sent::NotSent(no_credentials(bucket, Some(error))),
            (Ok(Err(error)), (None, None, _)) => {
                let why = Error::new(Kind::Unauthorized, self.faults.redactor.clean(&error.to_string()));
                Sent::NotSent(no_credentials(bucket, Some(why)))
            }
            (Ok(Ok(_)), (None, ..)) => Sent::Unknown(Error::bug(format!("an upload to {bucket} was not seen to leave"))),
        }
    }

    /// The place of an object, and the store that it is in.
    fn locate(&self, object: &ObjectLocation) -> Result<(Place, Arc<dyn ObjectStore>)> {
        let place = Place::find(&object.url)?;
        let mut stores = self.stores.lock().unwrap_or_else(PoisonError::into_inner);
        let known = stores.iter().find(|known| known.bucket == place.bucket && known.options == object.options);
        if let Some(known) = known {
            return Ok((place, Arc::clone(&known.store)));
        }
        let connector = client::Connector { client: self.client.clone(), faults: Arc::clone(&self.faults) };
        let store = open::store(&place, &object.options, &self.env, connector).map_err(|error| error.with("bucket", &place.bucket))?;
        stores.push(Known { bucket: place.bucket.clone(), options: Arc::clone(&object.options), store: Arc::clone(&store) });
        Ok((place, store))
    }
}

impl Place {
    fn find(url: &str) -> Result<Self> {
        let wrong = || Error::invalid("the URL of an object is not one of S3, Google Cloud Storage or Azure");
        let url = Url::parse(url).map_err(|error| wrong().caused_by(error))?;
        let (scheme, path) = ObjectStoreScheme::parse(&url).map_err(|_| wrong())?;
        let mut bucket = format!("{}://", url.scheme());
        if !url.username().is_empty() {
            // Azure's `abfss://container@account`; elsewhere there is none.
            bucket = format!("{bucket}{}@", url.username());
        }
        bucket.push_str(url.host_str().unwrap_or_default());
        // What the path has in front of the object's own is the bucket's name.
        let (parts, own) = (url.path_segments().map_or(0, Iterator::count), path.parts().count());
        for part in url.path_segments().into_iter().flatten().take(parts.saturating_sub(own)) {
            bucket = format!("{bucket}/{part}");
        }
        Ok(Self { scheme, url, path, bucket })
    }
}

fn no_credentials(bucket: &str, why: Option<Error>) -> Error {
    let (names, env) = match bucket.split_once("://").map_or("", |(scheme, _)| scheme) {
        "gs" => ("google_service_account_key", "GOOGLE_SERVICE_ACCOUNT_KEY or GOOGLE_APPLICATION_CREDENTIALS"),
        "s3" | "s3a" => ("aws_access_key_id, aws_secret_access_key", "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
        _ if bucket.contains("amazonaws.com") || bucket.contains("cloudflarestorage.com") => {
            ("aws_access_key_id, aws_secret_access_key", "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
        }
        _ => ("azure_storage_account_key", "AZURE_STORAGE_ACCOUNT_KEY"),
    };
    let error = Error::new(Kind::Unauthorized, format!("there are no credentials for {bucket}"))
        .remedy(format!("set {names} under the destination's `storage:`, or {env} in the environment"));
    match why {
        Some(why) => error.caused_by(why),
        None => error,
    }
}
