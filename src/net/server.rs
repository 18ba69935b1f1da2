//! What a server shows: its certificate, read again when the files change, TLS 1.2 and 1.3.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use rustls::ServerConfig;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use zeroize::Zeroizing;

use super::certificate::{About, about};
use super::provider;
use crate::model::Problem;
use crate::port::Result;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(10);

/// A server's certificate in use.
#[derive(Debug)]
pub struct Served {
    /// For the listener.
    pub config: Arc<ServerConfig>,
    /// What is in the certificate as it is now.
    pub about: About,
}

/// Reads certificate and key, and makes of them what a listener needs. Where the files change later, new connections
/// get the new certificate; where the new one can't be used, they get the old one and the log says so.
///
/// # Errors
/// `tls.read`, `tls.damaged`, `tls.not-its-key`.
pub fn server_config(certificate: &Path, key: &Path) -> Result<Served> {
    let files = Files { certificate: certificate.to_owned(), key: key.to_owned() };
    let changed = files.changed();
    let (about, certified) = files.read()?;
    let shown = Arc::new(Shown {
        files,
        state: Mutex::new(State { certified: Arc::new(certified), changed, looked: Instant::now() }),
    });
    let config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|e| Problem::new("tls.damaged", "TLS can't be set up").detail(e.to_string()))?;
    let mut config = config.with_no_client_auth().with_cert_resolver(shown);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Served { config: Arc::new(config), about })
}

#[derive(Debug)]
struct Files {
    certificate: PathBuf,
    key: PathBuf,
}

impl Files {
    fn changed(&self) -> Option<(SystemTime, SystemTime)> {
        let of = |path: &Path| std::fs::metadata(path).and_then(|about| about.modified()).ok();
        Some((of(&self.certificate)?, of(&self.key)?))
    }

    fn read(&self) -> Result<(About, CertifiedKey)> {
        let unread = |path: &Path, why: String| {
            Problem::new("tls.read", format!("can't read {}", path.display()))
                .detail(why)
                .next("name files with certificate and key in PEM form, and see that you may read them")
        };
        let pem = std::fs::read(&self.certificate).map_err(|e| unread(&self.certificate, e.to_string()))?;
        let about = about(&pem)?;
        let chain: std::result::Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
        let chain = chain.map_err(|e| unread(&self.certificate, e.to_string()))?;
        let pem = Zeroizing::new(std::fs::read(&self.key).map_err(|e| unread(&self.key, e.to_string()))?);
        // What is wrong with a key is said without the key.
        let key = PrivateKeyDer::from_pem_slice(&pem)
            .map_err(|_| unread(&self.key, "there is no private key in it".to_owned()))?;
        let certified = CertifiedKey::from_der(chain, key, &provider()).map_err(|e| {
            let message = format!("{} isn't the key of {}", self.key.display(), self.certificate.display());
            Problem::new("tls.not-its-key", message)
                .detail(e.to_string())
                .next("name the key that the certificate was made for")
        })?;
        Ok((about, certified))
    }
}

#[derive(Debug)]
struct Shown {
    files: Files,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    certified: Arc<CertifiedKey>,
    changed: Option<(SystemTime, SystemTime)>,
    looked: Instant,
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.looked.elapsed() >= LOOK {
            state.looked = Instant::now();
            let changed = self.files.changed();
            if changed != state.changed {
                match self.files.read() {
                    Ok((about, certified)) => {
                        tracing::info!(ends = %about.ends, "the certificate was renewed");
                        state.certified = Arc::new(certified);
                        state.changed = changed;
                    }
                    // Half of a renewal, perhaps: it is looked at again.
                    Err(problem) => tracing::warn!(%problem, "the new certificate can't be used"),
                }
            }
        }
        Some(Arc::clone(&state.certified))
    }
}
