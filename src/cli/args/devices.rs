//! Arguments of `devices`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Devices, as the controller knows them.
#[derive(Debug, Subcommand)]
pub enum DevicesCommand {
    /// Show which devices are enrolled, with which key, and which have a token to enrol with
    #[command(after_help = "Examples:\n  opsole devices list\n  opsole devices list --output json")]
    List,
    /// Issue enrolment tokens for the devices of a wave, each for one device, once
    ///
    /// A token is bound to the wave and to the device's serial number, or to its registration where the plan knows no
    /// serial number. Issuing one makes an earlier one of the same device void.
    #[command(
        after_help = "Examples:\n  opsole devices issue --wave pilot --out tokens.json\n  opsole devices issue --wave pilot --device LON-IT-001 --valid 2h --out one.json\n  opsole devices issue --wave pilot --out tokens.json --settings agents --url https://opsole.contoso.com:8443"
    )]
    Issue(Box<IssueArgs>),
    /// Take back what devices prove themselves with: they have to enrol anew
    ///
    /// For a device that was stolen, lost or set up anew. It takes effect at once, also in a run that goes on.
    #[command(
        after_help = "Examples:\n  opsole devices revoke LON-IT-001 --reason \"stolen, INC-77\"\n  opsole devices revoke LON-IT-001 LON-IT-002 --reason \"set up anew\" --yes"
    )]
    Revoke(RevokeArgs),
}

/// `devices issue`.
#[derive(Debug, Args)]
pub struct IssueArgs {
    /// The wave
    #[arg(long, value_name = "WAVE")]
    pub wave: String,
    /// Only this device; may be given more than once
    #[arg(long, value_name = "NAME")]
    pub device: Vec<String>,
    /// How long the tokens are good
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = super::duration)]
    pub valid: std::time::Duration,
    /// File to write the tokens to; only the owner can read it
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Folder to write one file of agent settings a device to, for `opsole agent install --settings`
    #[arg(long, value_name = "DIR", requires = "url")]
    pub settings: Option<PathBuf>,
    /// Address that these devices call, such as `https://opsole.contoso.com:8443`
    #[arg(long, value_name = "URL", value_parser = super::transport::base_url, requires = "settings")]
    pub url: Option<url::Url>,
    /// Key that they insist on (`opsole tls show`); may be repeated
    #[arg(long, value_name = "PIN", requires = "settings")]
    pub pin: Vec<crate::net::Pin>,
    /// Proxy that they use: `system`, `direct` or a URL
    #[arg(long, value_name = "PROXY", requires = "settings", default_value = "system")]
    pub agent_proxy: crate::net::ProxySetting,
}

/// `devices revoke`.
#[derive(Debug, Args)]
pub struct RevokeArgs {
    /// The devices
    #[arg(value_name = "NAME", required = true)]
    pub devices: Vec<String>,
    /// Why, for the audit list
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// Don't ask
    #[arg(long, short = 'y')]
    pub yes: bool,
}
