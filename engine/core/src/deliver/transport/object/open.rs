//! From a place and its options to a store.
//!
//! What the settings say comes before what the environment says; and where the settings name any credentials, those of the
//! environment are left alone altogether, so that one person's key is never paired with another's token.

use std::collections::BTreeMap;
use std::sync::Arc;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::{ObjectStore, ObjectStoreScheme, RetryConfig};
use outflow_contract::secret::Secret;
use outflow_contract::{Error, Result};

use super::super::StorageEnv;
use super::Place;
use super::client::{Connector, usual_options};

/// Words in the names of options that say who asks.
const CREDENTIALS: [&str; 16] = [
    "access_key",
    "account_key",
    "application_credentials",
    "aws_token",
    "authorization_token",
    "client_id",
    "client_secret",
    "container_credentials",
    "federated_token",
    "role_arn",
    "sas_",
    "service_account",
    "session_token",
    "skip_signature",
    "storage_token",
    "web_identity",
];

/// Opens a store. Reads the files that the options name; connects to nothing.
pub(super) fn store(
    place: &Place,
    options: &BTreeMap<String, Secret>,
    env: &StorageEnv,
    connector: Connector,
) -> Result<Arc<dyn ObjectStore>> {
    // One call sends once: whether to send again is decided elsewhere.
    let retry = RetryConfig { max_retries: 0, ..RetryConfig::default() };
    let url = place.url.to_string();
    let options = |prefix: &str| together(options, env, prefix);
    let built: object_store::Result<Arc<dyn ObjectStore>> = match place.scheme {
        ObjectStoreScheme::AmazonS3 => {
            let options = options("aws_");
            let start = AmazonS3Builder::new().with_url(url).with_client_options(usual_options(is_plain(&options)));
            let builder = options.iter().fold(start, |builder, (name, value)| match name.parse::<AmazonS3ConfigKey>() {
                Ok(AmazonS3ConfigKey::Client(_) | AmazonS3ConfigKey::Bucket) | Err(_) => builder,
                Ok(key) => builder.with_config(key, value.expose()),
            });
            builder.with_retry(retry).with_http_connector(connector).build().map(|store| Arc::new(store) as _)
        }
        ObjectStoreScheme::MicrosoftAzure => {
            let options = options("azure_");
            let start = MicrosoftAzureBuilder::new().with_url(url).with_client_options(usual_options(is_plain(&options)));
            let builder = options.iter().fold(start, |builder, (name, value)| match name.parse::<AzureConfigKey>() {
                Ok(AzureConfigKey::Client(_) | AzureConfigKey::ContainerName) | Err(_) => builder,
                Ok(key) => builder.with_config(key, value.expose()),
            });
            builder.with_retry(retry).with_http_connector(connector).build().map(|store| Arc::new(store) as _)
        }
        ObjectStoreScheme::GoogleCloudStorage => {
            let options = options("google_");
            let start = GoogleCloudStorageBuilder::new().with_url(url).with_client_options(usual_options(is_plain(&options)));
            let builder = options.iter().fold(start, |builder, (name, value)| match name.parse::<GoogleConfigKey>() {
                Ok(GoogleConfigKey::Client(_) | GoogleConfigKey::Bucket) | Err(_) => builder,
                Ok(key) => builder.with_config(key, value.expose()),
            });
            builder.with_retry(retry).with_http_connector(connector).build().map(|store| Arc::new(store) as _)
        }
        _ => return Err(Error::invalid(format!("{} is not an object store", place.bucket)).remedy("use s3://, gs:// or az://")),
    };
    built.map_err(|error| {
        Error::invalid(format!("the settings for {} do not work", place.bucket))
            .caused_by(plain_words(&error))
            .remedy("check what is under the destination's `storage:`, and the variables of the environment that begin alike")
    })
}

/// The options of a store: those of the settings, and those of the environment that they leave open.
fn together(options: &BTreeMap<String, Secret>, env: &StorageEnv, prefix: &str) -> BTreeMap<String, Secret> {
    let own = options.keys().any(|name| is_credential(name));
    let env = env.0.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone()));
    let mut all: BTreeMap<String, Secret> = env.filter(|(name, _)| name.starts_with(prefix) && !(own && is_credential(name))).collect();
    all.extend(options.iter().map(|(name, value)| (name.clone(), value.clone())));
    all
}

fn is_credential(name: &str) -> bool {
    CREDENTIALS.iter().any(|word| name.contains(word))
}

/// Has somebody named an endpoint without encryption?
fn is_plain(options: &BTreeMap<String, Secret>) -> bool {
    let endpoint = |name: &str| name.contains("endpoint") || name.contains("base_url");
    options.iter().any(|(name, value)| endpoint(name) && value.expose().starts_with("http://"))
}

/// The library's words without its own name for the store in front.
fn plain_words(error: &object_store::Error) -> String {
    let words = error.to_string();
    words.split_once(" error: ").filter(|(before, _)| before.starts_with("Generic")).map_or(words.clone(), |(_, rest)| rest.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, Secret> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), Secret::new(*value))).collect()
    }

    #[test]
    fn the_environment_fills_what_the_settings_leave_open_and_never_mixes_credentials() {
        let env = StorageEnv(map(&[
            ("AWS_REGION", "eu-north-1"),
            ("AWS_ACCESS_KEY_ID", "theirs"),
            ("AWS_SESSION_TOKEN", "theirs"),
            ("AZURE_CLIENT_ID", "x"),
        ]));
        let none = together(&map(&[("aws_endpoint", "http://localhost:9")]), &env, "aws_");
        let names: Vec<&str> = none.keys().map(String::as_str).collect();
        assert_eq!(names, ["aws_access_key_id", "aws_endpoint", "aws_region", "aws_session_token"]);
        assert!(is_plain(&none));
        let own = together(&map(&[("aws_access_key_id", "mine"), ("aws_secret_access_key", "mine")]), &env, "aws_");
        let names: Vec<&str> = own.keys().map(String::as_str).collect();
        assert_eq!(names, ["aws_access_key_id", "aws_region", "aws_secret_access_key"]);
        assert_eq!(own["aws_access_key_id"].expose(), "mine");
        assert!(!is_plain(&own) && !format!("{own:?}").contains("mine"));
    }
}
