//! The client that calls a controller: what the machine trusts, the controller's own authority, pins, and a proxy.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::client::danger::ServerCertVerifier;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use rustls_platform_verifier::Verifier;
use serde::{Deserialize, Serialize};
use url::Url;

use super::pin::{Pin, Pinned};
use super::provider;
use super::proxy::ProxySetting;
use crate::model::Problem;
use crate::port::Result;

/// What a client needs to know besides the address. Holds no secret.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ClientSettings {
    /// Authorities to trust besides those that the machine trusts, PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorities: Option<String>,
    /// Keys that the server may have; any where it is empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pins: Vec<Pin>,
    /// How a proxy is chosen.
    #[serde(default)]
    pub proxy: ProxySetting,
}

/// Returns a client for the controller at `base`; several agents of one process can share it.
///
/// # Errors
/// `tls.damaged` where an authority can't be read, `agent.http` where no client can be made.
pub fn client(base: &str, settings: &ClientSettings) -> Result<reqwest::Client> {
    client_at(base, settings, None)
}

/// The same, where the host's name isn't looked up: the controller is at this address.
///
/// # Errors
/// As [`client`].
pub fn client_at(base: &str, settings: &ClientSettings, at: Option<SocketAddr>) -> Result<reqwest::Client> {
    // Where another part of the process has installed it already, it is the same one.
    drop(rustls::crypto::ring::default_provider().install_default());
    let failed = |detail: String| {
        Problem::new("agent.http", "the agent's HTTP client can't be made")
            .detail(detail)
            .next("see that the device's certificate store can be read")
    };
    let url = Url::parse(base).map_err(|e| failed(format!("the controller's address: {e}")))?;
    let mut builder = reqwest::Client::builder()
        .connect_timeout(Duration::from_secs(10))
        // Shorter than the server's, so that a connection isn't used while it is being closed.
        .pool_idle_timeout(Duration::from_secs(15))
        // Where a wait for an order is cut by a device in between, nobody says so.
        .tcp_keepalive(Duration::from_secs(30))
        // A redirected call would take the device's token along.
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("opsole-agent/", env!("CARGO_PKG_VERSION")));
    builder = match &settings.proxy {
        // What listens on this very machine is behind no proxy.
        ProxySetting::System if is_loopback(&url) => builder.no_proxy(),
        ProxySetting::System => builder,
        ProxySetting::Direct => builder.no_proxy(),
        ProxySetting::Named(proxy) => {
            let proxy = reqwest::Proxy::all(proxy.clone()).map_err(|e| failed(e.without_url().to_string()))?;
            builder.no_proxy().proxy(proxy)
        }
        ProxySetting::Found(finder) => {
            let finder = Arc::clone(finder);
            builder.no_proxy().proxy(reqwest::Proxy::custom(move |url| finder.proxy_for(url)))
        }
    };
    if let (Some(at), Some(url::Host::Domain(name))) = (at, url.host()) {
        builder = builder.resolve(name, at);
    }
    builder = if url.scheme() == "https" {
        builder.https_only(true).tls_backend_preconfigured(tls(settings)?)
    } else {
        // Without TLS no certificate store is read, which takes its time on each start.
        builder.tls_certs_only([])
    };
    builder.build().map_err(|e| failed(e.without_url().to_string()))
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(v4)) => v4.is_loopback(),
        Some(url::Host::Ipv6(v6)) => v6.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

fn tls(settings: &ClientSettings) -> Result<ClientConfig> {
    let config = config(settings.authorities.as_deref(), &settings.pins);
    config.map_err(|why| {
        Problem::new("tls.damaged", "the controller's authority can't be read")
            .detail(why)
            .next("have new enrolment settings written")
    })
}

/// Returns what a client of any server over TLS trusts: what the machine trusts, and these authorities (PEM) besides.
///
/// # Errors
/// `tls.damaged` where an authority can't be read.
pub fn trusting(authorities: Option<&str>) -> Result<ClientConfig> {
    config(authorities, &[]).map_err(|why| {
        Problem::new("tls.damaged", "the authorities that are to be trusted can't be read")
            .detail(why)
            .next("name a file with certificates in PEM form")
    })
}

fn config(authorities: Option<&str>, pins: &[Pin]) -> std::result::Result<ClientConfig, String> {
    let pem = authorities.unwrap_or_default();
    let authorities: std::result::Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    let authorities = authorities.map_err(|e| e.to_string())?;
    if authorities.is_empty() && !pem.trim().is_empty() {
        return Err("there is no certificate in it".to_owned());
    }
    let verifier = Verifier::new_with_extra_roots(authorities, provider()).map_err(|e| e.to_string())?;
    let mut verifier: Arc<dyn ServerCertVerifier> = Arc::new(verifier);
    if !pins.is_empty() {
        verifier = Arc::new(Pinned { inner: verifier, pins: pins.to_vec() });
    }
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?;
    // `dangerous` is the name of the only way to a verifier of one's own; this one verifies all that the usual one does.
    Ok(config.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
}
