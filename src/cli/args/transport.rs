//! Arguments about how agents reach the controller.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use url::Url;

use crate::net::{Host, Pin, ProxySetting};

/// How agents reach the controller, for `apply`.
#[derive(Debug, Args)]
pub struct TransportArgs {
    /// TLS with our own authority (`opsole tls init`), or none
    #[arg(long, value_enum, value_name = "HOW", conflicts_with = "tls_cert")]
    pub tls: Option<TlsArg>,
    /// TLS with this certificate: a PEM file with the server's own certificate first
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// The key of that certificate, PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Speak plain HTTP beyond this machine: only where a proxy in front of it speaks TLS
    #[arg(long, conflicts_with_all = ["tls_cert", "tls"])]
    pub plain_http_behind_proxy: bool,
    /// Address that agents are told, such as `https://opsole.contoso.com:8443`; made from `--listen` where it is left out
    #[arg(long, value_name = "URL", value_parser = base_url)]
    pub url: Option<Url>,
    /// Key that agents insist on (`opsole tls show`), on top of the whole verification; may be repeated
    #[arg(long, value_name = "PIN")]
    pub pin: Vec<Pin>,
    /// Proxy that agents use: `system`, `direct` or a URL
    #[arg(long, value_name = "PROXY", default_value = "system")]
    pub agent_proxy: ProxySetting,
}

/// Where TLS comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TlsArg {
    /// Our own authority.
    Own,
    /// None: on this machine alone.
    Off,
}

/// `tls …`.
#[derive(Debug, Subcommand)]
pub enum TlsCommand {
    /// Make an authority of our own and the controller's certificate
    #[command(
        after_help = "Examples:\n  opsole tls init --name opsole.contoso.com\n  opsole tls init --name opsole.contoso.com --name 192.0.2.7\n\nThe authority can sign for these hosts and for no other."
    )]
    Init {
        /// Host that agents call: a DNS name or an address; may be repeated
        #[arg(long, value_name = "HOST", required = true)]
        name: Vec<Host>,
    },
    /// Show the controller's certificate: hosts, end, fingerprint, pin
    #[command(after_help = "Examples:\n  opsole tls show\n  opsole tls show --file public.pem --output json")]
    Show {
        /// Another certificate, PEM
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Make a new certificate from the same authority; a running controller takes it up
    #[command(after_help = "Examples:\n  opsole tls renew\n  opsole tls renew --new-key")]
    Renew {
        /// With a new key: pins change
        #[arg(long)]
        new_key: bool,
    },
}

pub(super) fn base_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|e| e.to_string())?;
    let plain = url.username().is_empty() && url.password().is_none() && url.query().is_none();
    if matches!(url.scheme(), "http" | "https") && url.has_host() && plain && url.fragment().is_none() {
        return Ok(url);
    }
    Err("write it like `https://opsole.contoso.com:8443`".to_owned())
}
