//! Arguments of commands that plan, seal, show, approve and report.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// `plan`.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// Only this wave
    #[arg(long, value_name = "WAVE")]
    pub wave: Option<String>,
    /// Unfold this device: every operation with its reason, before and after
    #[arg(long, value_name = "NAME")]
    pub device: Option<String>,
    /// Plan against a snapshot file instead of live tenants
    #[arg(long, value_name = "FILE")]
    pub snapshot: Option<PathBuf>,
    /// Seal the plan of the wave into this file: exactly what `apply FILE` will do
    #[arg(long, value_name = "FILE", requires = "wave", conflicts_with_all = ["snapshot", "device"])]
    pub out: Option<PathBuf>,
    /// Key to seal with; the state folder's own where it is left out
    #[arg(long, value_name = "FILE", requires = "out")]
    pub key: Option<PathBuf>,
    /// Hours for which the sealed plan is good, at most the plan's `plan_max_age`
    #[arg(long, value_name = "HOURS", requires = "out")]
    pub valid_hours: Option<u32>,
    /// Show the wave as it would be sealed, for people who review it
    #[arg(long, value_enum, requires = "wave", conflicts_with_all = ["snapshot", "device"])]
    pub format: Option<PlanFormat>,
    /// Write the view to this file instead of standard output
    #[arg(long, value_name = "FILE", requires = "format")]
    pub view: Option<PathBuf>,
    /// Exit with 0 where nothing is to do, 2 where something is, 1 on an error or where that can't be known
    #[arg(long)]
    pub detailed_exitcode: bool,
}

/// Forms in which `plan` shows a wave to those who review it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PlanFormat {
    /// For a ticket or a merge request.
    Markdown,
    /// One page that needs nothing else.
    Html,
}

/// `show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// The sealed plan
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Unfold this device; the HTML page opens there
    #[arg(long, value_name = "NAME")]
    pub device: Option<String>,
    /// Form of the answer; `--output json` is the same as `--format json`
    #[arg(long, value_enum)]
    pub format: Option<ShowFormat>,
    /// Write it to this file instead of standard output
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// Forms of a sealed plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ShowFormat {
    /// For the terminal.
    Text,
    /// For programs.
    Json,
    /// For a ticket or a merge request.
    Markdown,
    /// One page that needs nothing else.
    Html,
}

/// `approve`.
#[derive(Debug, Args)]
pub struct ApproveArgs {
    /// The sealed plan; the signature is added to it
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// In which role
    #[arg(long = "as", value_name = "ROLE", value_enum)]
    pub role: RoleArg,
    /// Your private key
    #[arg(long, value_name = "FILE", env = "OPSOLE_KEY", hide_env_values = true)]
    pub key: PathBuf,
    /// Who you are; your account's name where it is left out
    #[arg(long, value_name = "NAME")]
    pub by: Option<String>,
    /// Ticket, such as CHG-2001
    #[arg(long, value_name = "TICKET")]
    pub ticket: Option<String>,
    /// A remark, or why it is sent back
    #[arg(long, value_name = "TEXT")]
    pub note: Option<String>,
    /// Take your earlier approval back
    #[arg(long, conflicts_with = "reject")]
    pub revoke: bool,
    /// Send the plan back; it can't be applied then
    #[arg(long, requires = "note")]
    pub reject: bool,
}

/// Owner roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RoleArg {
    /// Licences, users, Entra configuration.
    Identity,
    /// Devices, packages.
    Endpoint,
    /// Proxies, DNS, TLS.
    Network,
    /// Conditional Access, EDR.
    Security,
    /// Active Directory.
    Directory,
    /// Communication, approvals.
    ChangeManagement,
    /// Recovery, pilot exit.
    ProjectLead,
}

impl From<RoleArg> for crate::model::OwnerRole {
    fn from(role: RoleArg) -> Self {
        match role {
            RoleArg::Identity => Self::Identity,
            RoleArg::Endpoint => Self::Endpoint,
            RoleArg::Network => Self::Network,
            RoleArg::Security => Self::Security,
            RoleArg::Directory => Self::Directory,
            RoleArg::ChangeManagement => Self::ChangeManagement,
            RoleArg::ProjectLead => Self::ProjectLead,
        }
    }
}

/// `keys …`.
#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Make a key pair in a new file that only you can read
    #[command(after_help = "Examples:\n  opsole keys new ~/jane.key")]
    New {
        /// File to write
        #[arg(value_name = "FILE")]
        out: PathBuf,
    },
    /// Show the public half of a key
    Show {
        /// The key's file
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Give this folder's controller a new signing key; enrolled devices follow by themselves
    ///
    /// The key that it has signs the new one, and is gone afterwards. Where somebody else may have the old key this is
    /// not enough: revoke the devices and enrol them anew.
    #[command(after_help = "Examples:\n  opsole keys rotate-controller")]
    RotateController {
        /// Don't ask
        #[arg(long, short = 'y')]
        yes: bool,
    },
}

/// `report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// The run, by the beginning of its id; `last` is the newest
    #[arg(value_name = "RUN")]
    pub run: String,
    /// Unfold this device: every operation with its times
    #[arg(long, value_name = "NAME")]
    pub device: Option<String>,
    /// Form of the record; `--output json` is the same as `--format json`
    #[arg(long, value_enum)]
    pub format: Option<ReportFormat>,
    /// Write it to this file instead of standard output
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// Forms of the record of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// For people.
    Text,
    /// For a ticket or a merge request; never longer than 60,000 characters.
    Markdown,
    /// One page for a browser or for paper.
    Html,
    /// For programs.
    Json,
    /// For spreadsheets: a row for each operation of each device.
    Csv,
}

/// `audit …`.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Show the list: plans sealed and approved, runs, outcomes, exclusions, sign-offs
    #[command(
        after_help = "Examples:\n  opsole audit list\n  opsole audit list --run last\n  opsole audit list --output json"
    )]
    List(AuditListArgs),
    /// Follow the list from its first entry to its last, and hold every run against it
    #[command(
        after_help = "Examples:\n  opsole audit verify\n  opsole audit verify --head 5f1c0f…   the head that a report or a ticket holds"
    )]
    Verify(AuditVerifyArgs),
}

/// `audit list`.
#[derive(Debug, Args)]
pub struct AuditListArgs {
    /// Only what is about this run, by the beginning of its id; `last` is the newest
    #[arg(long, value_name = "RUN")]
    pub run: Option<String>,
}

/// `audit verify`.
#[derive(Debug, Args)]
pub struct AuditVerifyArgs {
    /// A head that was noted down: 64 hexadecimal digits
    #[arg(long, value_name = "HASH")]
    pub head: Option<crate::model::Digest>,
}
