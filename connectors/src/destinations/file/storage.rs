//! Where files go: a folder on the local disk, or a prefix in object storage, told from `path` and `storage`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use object_store::ObjectStoreScheme;
use outflow_contract::destination::{Field, FieldKind};
use outflow_contract::outcome::{Location, ObjectLocation};
use outflow_contract::plan::DestinationConfig;
use outflow_contract::secret::Secret;
use outflow_contract::{Error, Result};
use serde_json::Value;
use url::Url;

use FieldKind::{Boolean, String as Text};

/// Where the files of a destination go, and what they are called.
#[derive(Clone, Debug)]
pub(super) struct Target {
    folder: Folder,
    /// The name and ending of a path that has an ending.
    file: Option<(String, String)>,
}

#[derive(Clone, Debug)]
enum Folder {
    Local(PathBuf),
    Object {
        /// Without a slash at its end.
        url: String,
        options: Arc<BTreeMap<String, Secret>>,
    },
}

impl Target {
    pub(super) fn new(config: &DestinationConfig) -> Result<Self> {
        let written = config
            .settings
            .text("path")
            .ok_or_else(|| Error::invalid("`path` is missing").remedy("set the folder that takes the files"))?;
        if written.contains("://") {
            return Self::object(written, config);
        }
        if config.settings.get("storage").is_some() {
            return Err(Error::invalid(format!("`storage` is of no use with the local path `{written}`"))
                .remedy("leave it out, or set a path in object storage, such as s3://bucket/prefix"));
        }
        // Without the `.` of a path such as `./out`.
        let path: PathBuf = config.root.join(written).components().collect();
        let part = |part: Option<&std::ffi::OsStr>| part.map(|part| part.to_string_lossy().into_owned());
        let file = part(path.file_stem()).zip(part(path.extension())).filter(|_| !written.ends_with('/'));
        let folder = if file.is_some() { path.parent().map(Path::to_owned).unwrap_or_default() } else { path };
        Ok(Self { folder: Folder::Local(folder), file })
    }

    fn object(written: &str, config: &DestinationConfig) -> Result<Self> {
        let remedy = "write s3://bucket/prefix, gs://bucket/prefix or az://container/prefix";
        let url = Url::parse(written).map_err(|cause| Error::invalid("`path` is not a valid URL").caused_by(cause).remedy(remedy))?;
        if url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
            return Err(Error::invalid("`path` holds more than a place: a password, a query or a fragment")
                .remedy("credentials go under `storage:`, such as azure_storage_sas_token"));
        }
        let (prefix, path) = match ObjectStoreScheme::parse(&url) {
            Ok((ObjectStoreScheme::AmazonS3, path)) => ("aws_", path),
            Ok((ObjectStoreScheme::GoogleCloudStorage, path)) => ("google_", path),
            Ok((ObjectStoreScheme::MicrosoftAzure, path)) => ("azure_", path),
            Ok((ObjectStoreScheme::Http, _)) => {
                return Err(Error::invalid(format!("`path` is at {}, which is no object store", url.host_str().unwrap_or_default()))
                    .remedy(format!("{remedy}; to send records to a web address, use a destination of type webhook")));
            }
            _ => return Err(Error::invalid(format!("`path` cannot begin with {}://", url.scheme())).remedy(remedy)),
        };
        if config.gateway.is_some() {
            return Err(Error::invalid("`gateway` is of no use with object storage, whose requests are signed for their host")
                .remedy("name the endpoint under `storage:` (aws_endpoint, azure_storage_endpoint, google_base_url)"));
        }
        let options = options(config.settings.get("storage"), prefix)?;
        let whole = written.trim_end_matches('/');
        let last = path.parts().next_back().filter(|_| !written.ends_with('/'));
        let file =
            last.and_then(|_| whole.rsplit_once('/')?.1.rsplit_once('.')).filter(|(stem, ending)| !stem.is_empty() && !ending.is_empty());
        let url = match file {
            Some(_) => whole.rsplit_once('/').map_or(whole, |(folder, _)| folder),
            None => whole,
        };
        let file = file.map(|(stem, ending)| (stem.to_owned(), ending.to_owned()));
        Ok(Self { folder: Folder::Object { url: url.to_owned(), options: Arc::new(options) }, file })
    }

    /// The place itself, without secrets.
    pub(super) fn account(&self) -> String {
        let stem = self.file.as_ref().map(|(stem, ending)| format!("/{stem}.{ending}")).unwrap_or_default();
        match &self.folder {
            Folder::Local(folder) => format!("file {}{stem}", folder.display()),
            Folder::Object { url, options } => {
                // A bucket's name means something else at another endpoint, and a container's in another storage account.
                let endpoint = options.iter().find(|(name, _)| ENDPOINTS.contains(&name.as_str()));
                let host = endpoint.and_then(|(_, value)| {
                    let url = Url::parse(value.expose()).ok()?;
                    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
                    Some(format!(" at {}{port}", url.host_str()?))
                });
                let account =
                    options.get("azure_storage_account_name").map(|account| format!(" of {}", account.expose())).unwrap_or_default();
                format!("file {url}{stem}{}{account}", host.unwrap_or_default())
            }
        }
    }

    /// The file of that name, which has the path's own stem in front and its ending behind where it has them.
    pub(super) fn file(&self, name: &str, ending: &str) -> Location {
        self.at(&match &self.file {
            Some((stem, ending)) => format!("{stem}-{name}.{ending}"),
            None => format!("{name}.{ending}"),
        })
    }

    /// A place beside the files.
    pub(super) fn at(&self, name: &str) -> Location {
        match &self.folder {
            Folder::Local(folder) => Location::Local(folder.join(name)),
            Folder::Object { url, options } => {
                Location::Object(ObjectLocation { url: format!("{url}/{name}"), options: Arc::clone(options) })
            }
        }
    }
}

/// The options under `storage`, as text; each of them one of the store's own.
fn options(storage: Option<&Value>, prefix: &str) -> Result<BTreeMap<String, Secret>> {
    let Some(storage) = storage.and_then(Value::as_object) else { return Ok(BTreeMap::new()) };
    let mut options = BTreeMap::new();
    for (name, value) in storage {
        if !OPTIONS.iter().any(|(known, ..)| known == name) {
            return Err(unknown(name, prefix));
        }
        if !name.starts_with(prefix) {
            return Err(Error::invalid(format!("`storage.{name}` is of no use with this `path`"))
                .remedy(format!("the options of this store begin with {prefix}")));
        }
        let text = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        options.insert(name.clone(), Secret::new(text));
    }
    Ok(options)
}

fn unknown(name: &str, prefix: &str) -> Error {
    let mut near: Vec<&str> = OPTIONS.iter().map(|(known, ..)| *known).filter(|known| known.starts_with(prefix)).collect();
    near.sort_by_key(|known| strsim::damerau_levenshtein(known, name));
    near.truncate(NEAR_MAX);
    Error::invalid(format!("`storage` has no option `{name}`")).remedy(format!("near ones: {}", near.join(", ")))
}

/// How many names an error lists.
const NEAR_MAX: usize = 4;
/// The options that name another place than the store's usual one.
const ENDPOINTS: [&str; 5] = ["aws_endpoint", "aws_endpoint_url", "azure_endpoint", "azure_storage_endpoint", "google_base_url"];

/// The setting `storage`.
pub(super) fn setting() -> Field {
    let options = OPTIONS.iter().map(|(name, kind, secret, description)| {
        let field = Field::new(name, *kind, description);
        if *secret { field.secret() } else { field }
    });
    Field::new("storage", FieldKind::Object, "How to get to the object store; what is not given comes from the environment.")
        .properties(options.collect())
}

/// The options of the object stores, by the names that the `object_store` library gives them.
const OPTIONS: [(&str, FieldKind, bool, &str); 45] = [
    ("aws_access_key_id", Text, true, "S3: the access key's identifier."),
    ("aws_secret_access_key", Text, true, "S3: the access key."),
    ("aws_session_token", Text, true, "S3: the token of temporary credentials."),
    ("aws_region", Text, false, "S3: the bucket's region."),
    ("aws_default_region", Text, false, "S3: the region where aws_region is not given."),
    ("aws_endpoint", Text, false, "S3: the URL of a service that speaks S3."),
    ("aws_endpoint_url", Text, false, "S3: the same as aws_endpoint."),
    ("aws_virtual_hosted_style_request", Boolean, false, "S3: the bucket's name is part of the host's."),
    ("aws_role_arn", Text, false, "S3: the role to take with a web identity."),
    ("aws_role_session_name", Text, false, "S3: the name of that role's session."),
    ("aws_web_identity_token_file", Text, false, "S3: the file that holds the web identity's token."),
    ("aws_endpoint_url_sts", Text, false, "S3: the URL of the token service."),
    ("aws_container_credentials_relative_uri", Text, false, "S3: where a container in ECS is given its credentials."),
    ("aws_container_credentials_full_uri", Text, false, "S3: where a container in EKS is given its credentials."),
    ("aws_container_authorization_token_file", Text, false, "S3: the file with the token for asking there."),
    ("aws_metadata_endpoint", Text, false, "S3: the URL of the machine's metadata service."),
    ("aws_imdsv1_fallback", Boolean, false, "S3: ask the metadata service without a token if need be."),
    ("aws_skip_signature", Boolean, false, "S3: send requests unsigned."),
    ("aws_unsigned_payload", Boolean, false, "S3: leave the content out of the signature."),
    ("aws_checksum_algorithm", Text, false, "S3: the checksum to send: sha256."),
    ("aws_s3_express", Boolean, false, "S3: the bucket is one of S3 Express."),
    ("aws_request_payer", Boolean, false, "S3: the one who asks pays."),
    ("aws_server_side_encryption", Text, false, "S3: how objects are encrypted: AES256, aws:kms, aws:kms:dsse or sse-c."),
    ("aws_sse_kms_key_id", Text, false, "S3: the KMS key."),
    ("aws_sse_bucket_key_enabled", Boolean, false, "S3: use the bucket's key."),
    ("aws_sse_customer_key_base64", Text, true, "S3: the customer's key, in base64."),
    ("google_service_account", Text, false, "Google: the file with the service account's key."),
    ("google_service_account_key", Text, true, "Google: the service account's key itself, as JSON."),
    ("google_application_credentials", Text, false, "Google: the file with application default credentials."),
    ("google_base_url", Text, false, "Google: the URL of a service that speaks the same protocol."),
    ("azure_storage_account_name", Text, false, "Azure: the storage account."),
    ("azure_storage_account_key", Text, true, "Azure: its key."),
    ("azure_storage_sas_token", Text, true, "Azure: a shared access signature."),
    ("azure_storage_token", Text, true, "Azure: a bearer token."),
    ("azure_storage_client_id", Text, false, "Azure: the application's identifier."),
    ("azure_storage_client_secret", Text, true, "Azure: the application's secret."),
    ("azure_storage_tenant_id", Text, false, "Azure: the tenant."),
    ("azure_storage_authority_host", Text, false, "Azure: the host that gives out tokens."),
    ("azure_storage_endpoint", Text, false, "Azure: the URL of the blob service."),
    ("azure_endpoint", Text, false, "Azure: the same as azure_storage_endpoint."),
    ("azure_storage_use_emulator", Boolean, false, "Azure: use the emulator of this machine."),
    ("azure_federated_token_file", Text, false, "Azure: the file that holds a workload identity's token."),
    ("azure_msi_endpoint", Text, false, "Azure: where a managed identity is given its token."),
    ("azure_use_fabric_endpoint", Boolean, false, "Azure: use the endpoint of Fabric."),
    ("azure_skip_signature", Boolean, false, "Azure: send requests without credentials."),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_is_one_of_the_library_s_own() {
        for (name, ..) in OPTIONS {
            let known = name.parse::<object_store::aws::AmazonS3ConfigKey>().is_ok()
                || name.parse::<object_store::gcp::GoogleConfigKey>().is_ok()
                || name.parse::<object_store::azure::AzureConfigKey>().is_ok();
            assert!(known, "{name}");
        }
    }
}
