//! Servers that speak TLS, and whose certificates are wrong in one way or another. No request gets as far as an answer.

use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ServerConfig, ServerConnection};

/// A certificate authority of the test's own.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl Authority {
    /// A new one, that nobody knows yet.
    pub fn new() -> Self {
        let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self { issuer: CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap() }
    }

    /// Writes its certificate to a file.
    pub fn write(&self, path: &Path) {
        std::fs::write(path, self.issuer.pem()).unwrap();
    }

    /// A server that is certified for a name, until the end of `expired`; its URL.
    pub fn serve(&self, name: &str, expired: Option<i32>) -> String {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        if let Some(year) = expired {
            (params.not_before, params.not_after) = (rcgen::date_time_ymd(year - 1, 1, 1), rcgen::date_time_ymd(year, 1, 1));
        }
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        serve(certificate.der().clone(), &key)
    }

    /// A server that shows the authority's own certificate.
    pub fn serve_itself(&self) -> String {
        serve(self.issuer.der().clone(), self.issuer.key())
    }
}

/// It shakes hands for as long as the process of the test lives.
fn serve(certificate: CertificateDer<'static>, key: &KeyPair) -> String {
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider())).with_safe_default_protocol_versions().unwrap();
    let config = Arc::new(config.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            // The other side turns away: that is what the test wants.
            drop(connection.complete_io(&mut stream));
        }
    });
    url
}
