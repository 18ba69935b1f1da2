//! Arguments of what stands beside plans and runs: the lab, packages, agents, schemas, explanations.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::{ScenarioArg, duration};

/// `snapshot`.
#[derive(Debug, Args)]
pub struct SnapshotArgs {
    /// File to write
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

/// `lab …`.
#[derive(Debug, Subcommand)]
pub enum LabCommand {
    /// Run the emulated tenants alone, for other clients
    #[command(
        after_help = "Examples:\n  opsole lab serve\n  opsole lab serve --world world.yaml --listen 127.0.0.1:9000 --lab-speed 60"
    )]
    Serve {
        /// World file; the plan's world where it is left out
        #[arg(long, value_name = "FILE")]
        world: Option<PathBuf>,
        /// Address to listen on
        #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8443")]
        listen: SocketAddr,
        /// How many times faster than the wall the clock runs
        #[arg(long, value_name = "N", env = "OPSOLE_LAB_SPEED", hide_env_values = true)]
        lab_speed: Option<f64>,
    },
    /// Put the world back to its first moment, and forget runs and records
    #[command(after_help = "Examples:\n  opsole lab reset --yes")]
    Reset {
        /// Don't ask
        #[arg(long, short = 'y')]
        yes: bool,
    },
    /// Write a world of any size with a plan for it
    #[command(after_help = "Examples:\n  opsole lab generate --devices 10000 --seed 7 big/")]
    Generate {
        /// Number of devices
        #[arg(long, value_name = "N", default_value_t = 100)]
        devices: u32,
        /// Seed: the same seed gives the same world
        #[arg(long, value_name = "S", default_value_t = 1)]
        seed: u64,
        /// From where to where
        #[arg(long, value_enum, default_value_t = ScenarioArg::HybridToEntra)]
        scenario: ScenarioArg,
        /// Folder to write to
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
    /// Let time pass in the world, at once
    #[command(after_help = "Examples:\n  opsole lab wait 7d\n  opsole lab wait 90m")]
    Wait {
        /// How long: days, hours, minutes, seconds
        #[arg(value_name = "TIME", value_parser = duration)]
        time: std::time::Duration,
    },
    /// Show the world as it is now
    #[command(after_help = "Examples:\n  opsole lab show\n  opsole lab show --device LON-IT-001")]
    Show {
        /// Only this device
        #[arg(long, value_name = "NAME")]
        device: Option<String>,
    },
}

/// `package …`.
#[derive(Debug, Subcommand)]
pub enum PackageCommand {
    /// Look into a package file: token, accounts, settings; never shows a secret
    #[command(
        after_help = "Examples:\n  opsole package inspect bulk.ppkg\n  opsole package inspect bulk.ppkg --output json\n\nWhere the plan names this file or its SHA-256, the file is held against the plan's word for it."
    )]
    Inspect {
        /// The file
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Show the plan's packages: days left, waves that they cover, when to rotate them
    #[command(
        after_help = "Examples:\n  opsole package list\n  opsole package list --snapshot monday.json\n  opsole package list --offline --output json"
    )]
    List(PackageListArgs),
}

/// `secrets …`.
#[derive(Debug, Subcommand)]
pub enum SecretsCommand {
    /// Put a secret into this account's keyring: typed unseen, or the first line of standard input
    #[command(after_help = "Examples:\n  opsole secrets set opsole contoso\n  \
        vault kv get -field=value kv/opsole | opsole secrets set opsole contoso\n\nThe plan refers to it as \
        `{keyring: {service: opsole, account: contoso}}`.")]
    Set {
        /// What the secret is for, such as the program
        #[arg(value_name = "SERVICE")]
        service: String,
        /// Whose secret it is, such as the tenant
        #[arg(value_name = "ACCOUNT")]
        account: String,
    },
    /// Try whether every secret that the plan refers to is there; says where, never what
    #[command(after_help = "Examples:\n  opsole secrets check\n  opsole secrets check --output json")]
    Check,
}

/// `recover`.
#[derive(Debug, Args)]
pub struct RecoverArgs {
    /// The device
    #[arg(value_name = "DEVICE")]
    pub device: String,
    /// Show the password of its recovery administrator; the audit list tells that you saw it
    #[arg(long, requires = "reason")]
    pub show_password: bool,
    /// Why it is needed, such as a ticket
    #[arg(long, value_name = "TEXT", requires = "show_password", value_parser = reason)]
    pub reason: Option<String>,
    /// Don't ask
    #[arg(long, short = 'y', requires = "show_password")]
    pub yes: bool,
}

/// Reads a reason: one line that says something, for a list that is kept for years.
pub(super) fn reason(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.chars().count() < 3 || text.len() > 500 || text.chars().any(char::is_control) {
        return Err("write one line of 3 to 500 characters, such as a ticket".to_owned());
    }
    Ok(text.to_owned())
}

/// `package list`.
#[derive(Debug, Args)]
pub struct PackageListArgs {
    /// Look at a snapshot file instead of live tenants
    #[arg(long, value_name = "FILE")]
    pub snapshot: Option<PathBuf>,
    /// Look at the plan and its files alone: what only tenants and devices can tell is unknown
    #[arg(long, conflicts_with = "snapshot")]
    pub offline: bool,
}

/// `schema`.
#[derive(Debug, Args)]
pub struct SchemaArgs {
    /// Which file's schema
    #[arg(value_enum, default_value_t = SchemaOf::Plan)]
    pub of: SchemaOf,
    /// Write it to this file instead of standard output
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// Files with a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SchemaOf {
    /// Plan files.
    Plan,
    /// Files that plans include.
    PlanPart,
    /// What `plan --output json` prints.
    PlanOutput,
    /// Sealed plans, as `show --output json` prints them.
    Sealed,
    /// World files of the lab.
    World,
    /// Records of runs: `report --format json`.
    Report,
    /// What `directory … --output json` prints.
    Directory,
    /// Settings of a device's agent: `agent install --settings`.
    AgentSettings,
}

/// `explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// An id, a code in any form, or a line of a log that holds some; `-` reads standard input
    #[arg(value_name = "TEXT", allow_negative_numbers = true)]
    pub text: Option<String>,
    /// List everything of one kind
    #[arg(long, value_enum, value_name = "KIND", conflicts_with = "text")]
    pub list: Option<ExplainKind>,
}

/// What `explain` lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExplainKind {
    /// Readiness checks.
    Checks,
    /// Operations of a plan.
    Operations,
    /// Application permissions of Microsoft Graph.
    Permissions,
    /// Diagnostics of plan files.
    Diagnostics,
    /// Codes of Windows, Entra, Intune and Autopilot.
    Codes,
    /// Problems that opsole reports.
    Problems,
}
