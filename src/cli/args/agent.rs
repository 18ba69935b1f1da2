//! Arguments of `agent`: emulated devices, and the agent of this very machine.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use url::Url;

use super::tools::reason;
use super::transport::base_url;
use crate::net::{Pin, ProxySetting};

/// `agent …`.
#[derive(Debug, Subcommand)]
pub enum AgentCommand {
    /// Install the agent on this Windows device, or bring it up to date
    ///
    /// Copies the program, makes private folders, keeps the settings, installs and starts the service. The enrolment
    /// token is kept encrypted until it was used. Again with the same settings changes nothing.
    #[command(
        after_help = "Examples:\n  opsole agent install --settings LON-IT-001.json\n  opsole agent install --settings \\\\files\\opsole$\\agents\n  opsole agent install --controller https://opsole.contoso.com:8443 --token-file token.txt\n  opsole agent install --settings LON-IT-001.json --dry-run --output json"
    )]
    Install(Box<InstallArgs>),
    /// Take the agent away from this Windows device: service, settings, and all that it kept
    #[command(
        after_help = "Examples:\n  opsole agent uninstall\n  opsole agent uninstall --force --reason \"device is replaced, INC-77\""
    )]
    Uninstall(UninstallArgs),
    /// Show how the agent stands: service, settings, run, step, disk; never calls the controller
    #[command(
        after_help = "Examples:\n  opsole agent status\n  opsole agent status --output json\n  opsole agent status --device LON-IT-001    a lab device, with its plan here"
    )]
    Status(DeviceArg),
    /// Run the agent: of this Windows device, or of one lab device until its work is done
    #[command(
        after_help = "Examples:\n  opsole agent run\n  opsole apply --wave pilot --agents external --enrolment agents.json\n  opsole agent run --enrolment agents.json --device LON-IT-001"
    )]
    Run {
        /// Enrolment settings of lab devices that `apply --enrolment` wrote
        #[arg(long, value_name = "FILE", requires = "device")]
        enrolment: Option<PathBuf>,
        /// The lab's device
        #[arg(long, value_name = "NAME", requires = "enrolment")]
        device: Option<String>,
        /// Kill this process after the n-th entry of the agent's journal: for tests of recovery
        #[arg(long, value_name = "N", hide = true)]
        kill_after_entry: Option<u64>,
        /// Started by the service control manager
        #[arg(long, hide = true, conflicts_with_all = ["enrolment", "device"])]
        service: bool,
    },
    /// Enrol one lab device with its token, without doing anything else
    #[command(after_help = "Examples:\n  opsole agent enroll --enrolment agents.json --device LON-IT-001")]
    Enroll {
        /// Enrolment settings that `apply --enrolment` wrote
        #[arg(long, value_name = "FILE")]
        enrolment: PathBuf,
        /// The device
        #[arg(long, value_name = "NAME")]
        device: String,
    },
    /// Show what the agent finds on a device: facts and survey
    #[command(
        after_help = "Examples:\n  opsole agent inspect --device LON-IT-001\n  opsole agent inspect --device LON-IT-001 --out evidence.json"
    )]
    Inspect {
        /// The lab's device; may be left out where the world has only one
        #[arg(long, value_name = "NAME")]
        device: Option<String>,
        /// Write the evidence document to this file instead of standard output
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Get a device out of a halt, on the device itself and without the controller
    ///
    /// Shows where the chain stopped and why, what the device looks like, and what to do, in order. With a terminal each
    /// action is asked for, carried out, read back and written into the agent's journal; without one the list is shown.
    #[command(
        after_help = "Examples:\n  opsole agent recover\n  opsole agent recover --dry-run\n  opsole agent recover --output json\n  opsole agent recover --device LON-IT-001    a lab device, with its plan here"
    )]
    Recover {
        /// Which device
        #[command(flatten)]
        device: DeviceArg,
        /// Only show the list
        #[arg(long)]
        dry_run: bool,
    },
}

/// Which device is meant.
#[derive(Debug, Args)]
pub struct DeviceArg {
    /// A device of the lab of the plan here; this machine where there is no such plan
    #[arg(long, value_name = "NAME")]
    pub device: Option<String>,
}

/// `agent install`.
#[derive(Debug, Args)]
pub struct InstallArgs {
    /// Settings of this device, or a folder with one file a device, such as `LON-IT-001.json`
    #[arg(long, value_name = "FILE", conflicts_with = "controller")]
    pub settings: Option<PathBuf>,
    /// Base URL of the controller, where there is no file of settings
    #[arg(long, value_name = "URL", value_parser = base_url)]
    pub controller: Option<Url>,
    /// Authorities to trust besides those that the device trusts, PEM
    #[arg(long, value_name = "FILE", requires = "controller")]
    pub authorities: Option<PathBuf>,
    /// Key that the controller has to have (`opsole tls show`); may be repeated
    #[arg(long, value_name = "PIN", requires = "controller")]
    pub pin: Vec<Pin>,
    /// Proxy on the way: `system`, `direct` or a URL
    #[arg(long, value_name = "PROXY", requires = "controller")]
    pub proxy: Option<ProxySetting>,
    /// File with this device's enrolment token
    #[arg(long, value_name = "FILE", conflicts_with = "token_stdin")]
    pub token_file: Option<PathBuf>,
    /// Read the enrolment token from standard input
    #[arg(long)]
    pub token_stdin: bool,
    /// Only show what would be done
    #[arg(long)]
    pub dry_run: bool,
}

/// `agent uninstall`.
#[derive(Debug, Args)]
pub struct UninstallArgs {
    /// Also while a migration is under way: the device stays half way
    #[arg(long, requires = "reason")]
    pub force: bool,
    /// Why, for Windows' and the agent's log
    #[arg(long, value_name = "TEXT", requires = "force", value_parser = reason)]
    pub reason: Option<String>,
    /// Only show what would be done
    #[arg(long)]
    pub dry_run: bool,
}
