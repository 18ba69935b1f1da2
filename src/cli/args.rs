//! The command line, exactly as typed. What it means is decided in `settings`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

mod views;

pub use views::{CompareArgs, CompareFormat, DriftArgs, GraphArgs, GraphFormat, WhyArgs};

/// Move fleets of Windows devices, in place, to Microsoft Entra ID
///
/// Write a migration plan, look at what it would do to every device, apply it wave by wave.
#[derive(Debug, Parser)]
#[command(name = "opsole", version, max_term_width = 100, propagate_version = true, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Options that every command knows.
    #[command(flatten)]
    pub global: Global,
}

/// Options that every command knows.
#[derive(Debug, Clone, Args)]
pub struct Global {
    /// Plan file; `opsole.yaml` or `plan.yaml` of this folder where it is left out
    #[arg(long, short = 'f', global = true, value_name = "FILE", env = "OPSOLE_PLAN", hide_env_values = true)]
    pub plan: Option<PathBuf>,
    /// Folder for runs, records and the lab; `.opsole` beside the plan where it is left out
    #[arg(long, global = true, value_name = "DIR", env = "OPSOLE_STATE", hide_env_values = true)]
    pub state: Option<PathBuf>,
    /// Form of the answer
    #[arg(long, short = 'o', global = true, value_enum, default_value_t = Output::Text)]
    pub output: Output,
    /// Colours
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto)]
    pub color: Color,
    /// Say more on standard error: `-v` calls, `-vv` everything (or set `OPSOLE_LOG`)
    #[arg(long, short = 'v', global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

/// Form of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    Text,
    /// For programs; the shapes are documented and versioned.
    Json,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write a commented plan to start from
    #[command(
        after_help = "Examples:\n  opsole init --scenario hybrid-to-entra\n  opsole init --scenario tenant-to-tenant northwind/"
    )]
    Init(InitArgs),
    /// Check the plan file alone, without looking at any tenant
    #[command(after_help = "Examples:\n  opsole validate\n  opsole validate --plan northwind/plan.yaml --output json")]
    Validate,
    /// Show what would happen to each device, and why
    #[command(
        after_help = "Examples:\n  opsole plan\n  opsole plan --wave pilot --detailed-exitcode\n  opsole plan --device LON-IT-001\n  opsole plan --snapshot monday.json --output json"
    )]
    Plan(PlanArgs),
    /// Hold every prerequisite against tenants, directory, packages and devices
    #[command(
        after_help = "Examples:\n  opsole check\n  opsole check --wave pilot --group-by scope\n  opsole check --device LON-IT-001\n  opsole check --format junit > readiness.xml"
    )]
    Check(CheckArgs),
    /// Show a sealed plan, from the file alone
    #[command(after_help = "Examples:\n  opsole show pilot.opsole\n  opsole show pilot.opsole --device LON-IT-001")]
    Show(ShowArgs),
    /// Draw the waves, or one device's operations: what comes before what
    #[command(
        after_help = "Examples:\n  opsole graph > waves.mmd\n  opsole graph --device LON-IT-001 --format svg --out one.svg\n  opsole graph pilot.opsole --device LON-IT-001 --format dot | dot -Tpdf > one.pdf"
    )]
    Graph(GraphArgs),
    /// Tell why a device takes what it takes, or why one of its operations is as it is
    #[command(
        after_help = "Examples:\n  opsole why LON-IT-001\n  opsole why lon-it-001 swap-profile\n  opsole why LON-IT-001 --file pilot.opsole --output json"
    )]
    Why(WhyArgs),
    /// Show what changed from one sealed plan to another
    #[command(
        after_help = "Examples:\n  opsole diff monday.opsole tuesday.opsole\n  opsole diff monday.opsole tuesday.opsole --device LON-IT-001\n  opsole diff monday.opsole tuesday.opsole --format markdown > review.md"
    )]
    Diff(CompareArgs),
    /// Show what others changed since the plan was last reviewed or applied
    #[command(
        after_help = "Examples:\n  opsole drift\n  opsole drift --accept\n  opsole drift --since monday.json --format markdown\n  opsole drift --detailed-exitcode --output json"
    )]
    Drift(DriftArgs),
    /// Sign a sealed plan, take a signature back, or send the plan back
    #[command(
        after_help = "Examples:\n  opsole approve pilot.opsole --as change-management --key jane.key --ticket CHG-2001\n  opsole approve pilot.opsole --as change-management --key jane.key --reject --note \"not before the audit\""
    )]
    Approve(ApproveArgs),
    /// Key pairs of people who seal and approve
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Show which permissions the application needs in each tenant, why, and which are granted
    #[command(
        after_help = "Examples:\n  opsole permissions\n  opsole permissions --wave pilot --output json\n  opsole permissions --offline --grant-script az > grant.sh\n  opsole permissions --nine"
    )]
    Permissions(PermissionsArgs),
    /// Carry out a wave
    #[command(
        after_help = "Examples:\n  opsole apply --wave pilot          shows the plan, asks, carries it out\n  opsole apply --wave pilot --yes    where nobody is there to ask\n  opsole apply --resume              goes on with a run that was interrupted\n  opsole apply --close-expired       closes exclusions that have run out, and nothing else"
    )]
    Apply(ApplyArgs),
    /// Show every exclusion: its owner, its end, whether it is live and still needed
    #[command(
        after_help = "Examples:\n  opsole exclusions\n  opsole exclusions --expiring 14d --owner security\n  opsole exclusions --format ical --out exclusions.ics\n  opsole exclusions --format csv > exclusions.csv"
    )]
    Exclusions(ExclusionsArgs),
    /// Show runs and where each device stands
    #[command(
        after_help = "Examples:\n  opsole status\n  opsole status --device LON-IT-001\n  opsole status --run 01a202fe --output json"
    )]
    Status(StatusArgs),
    /// Show what a wave's exit comes to, and sign it off for the waves that wait for it
    #[command(
        after_help = "Examples:\n  opsole gate pilot\n  opsole gate pilot --device LON-IT-001\n  opsole gate pilot --sign-off --as project-lead --evidence CHG-1234\n  opsole gate pilot --take-back --as project-lead --evidence INC-77"
    )]
    Gate(GateArgs),
    /// Observe tenants, directory and agents, and keep the result in a file
    #[command(after_help = "Examples:\n  opsole snapshot --out monday.json")]
    Snapshot(SnapshotArgs),
    /// The emulated tenants, directory and devices
    #[command(subcommand)]
    Lab(LabCommand),
    /// Provisioning packages: what is in a file, how long they live
    #[command(subcommand)]
    Package(PackageCommand),
    /// The device mode
    #[command(subcommand)]
    Agent(AgentCommand),
    /// Print the JSON Schema of plan files
    #[command(after_help = "Examples:\n  opsole schema --out plan.schema.json\n  opsole schema world")]
    Schema(SchemaArgs),
    /// Explain a check, operation, permission, diagnostic or problem, or a code of Windows, Entra, Intune or Autopilot
    #[command(after_help = "Examples:\n  opsole explain\n  opsole explain OPS0204\n  opsole explain dev.tpm\n  \
        opsole explain 0x801c03ed\n  opsole explain \"FAIL [0x801c0021/0x80072ee2]\"\n  \
        dsregcmd /status | opsole explain -\n  opsole explain --list codes")]
    Explain(ExplainArgs),
    /// Print shell completions
    #[command(after_help = "Examples:\n  opsole completions bash > ~/.local/share/bash-completion/completions/opsole")]
    Completions {
        /// Shell
        shell: clap_complete::Shell,
    },
    /// Write man pages
    #[command(after_help = "Examples:\n  opsole man ~/.local/share/man/man1")]
    Man {
        /// Folder to write them to
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
}

/// `init`.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// From where to where
    #[arg(long, value_enum)]
    pub scenario: ScenarioArg,
    /// Folder to write to
    #[arg(value_name = "DIR", default_value = ".")]
    pub folder: PathBuf,
}

/// From where to where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ScenarioArg {
    /// Active Directory joined to Entra joined.
    AdToEntra,
    /// Hybrid joined to Entra joined.
    HybridToEntra,
    /// From one tenant to another.
    TenantToTenant,
}

impl From<ScenarioArg> for crate::model::Scenario {
    fn from(scenario: ScenarioArg) -> Self {
        match scenario {
            ScenarioArg::AdToEntra => Self::AdToEntra,
            ScenarioArg::HybridToEntra => Self::HybridToEntra,
            ScenarioArg::TenantToTenant => Self::TenantToTenant,
        }
    }
}

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
    /// Exit with 0 where nothing is to do, 2 where something is, 1 on an error or where that can't be known
    #[arg(long)]
    pub detailed_exitcode: bool,
}

/// `show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// The sealed plan
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Unfold this device
    #[arg(long, value_name = "NAME")]
    pub device: Option<String>,
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
}

/// `check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Only this wave, with everything that it depends on
    #[arg(long, value_name = "WAVE")]
    pub wave: Option<String>,
    /// Every outcome of this device, also those that hold
    #[arg(long, value_name = "NAME", conflicts_with = "wave")]
    pub device: Option<String>,
    /// Check a snapshot file instead of live tenants
    #[arg(long, value_name = "FILE")]
    pub snapshot: Option<PathBuf>,
    /// How lines are put together
    #[arg(long, value_enum, default_value_t = GroupBy::Owner)]
    pub group_by: GroupBy,
    /// A line for each check that holds too
    #[arg(long)]
    pub all: bool,
    /// Form of the answer; `--output json` is the same as `--format json`
    #[arg(long, value_enum)]
    pub format: Option<CheckFormat>,
}

/// How lines of `check` are put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum GroupBy {
    /// By who has to act.
    Owner,
    /// By what it is about.
    Scope,
}

/// Forms of `check`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CheckFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
    /// For a ticket or a merge request.
    Markdown,
    /// For CI servers.
    Junit,
}

/// `permissions`.
#[derive(Debug, Args)]
pub struct PermissionsArgs {
    /// Only this tenant, by the plan's name
    #[arg(long, value_name = "NAME")]
    pub tenant: Option<String>,
    /// Only what this wave comes to
    #[arg(long, value_name = "WAVE")]
    pub wave: Option<String>,
    /// From the plan file alone: everything that the plan may come to, without looking at any tenant
    #[arg(long)]
    pub offline: bool,
    /// Write the commands that an administrator runs, with the reason of each
    #[arg(long, value_enum, value_name = "SHELL")]
    pub grant_script: Option<GrantShellArg>,
    /// Explain the nine permissions of the prerequisites, and what is asked for in their place
    #[arg(long, conflicts_with_all = ["tenant", "wave", "offline", "grant_script"])]
    pub nine: bool,
}

/// What a script is written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum GrantShellArg {
    /// Azure CLI in a POSIX shell.
    Az,
    /// Microsoft Graph PowerShell.
    GraphPowershell,
}

/// `apply`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("what").required(true).args(["wave", "resume", "file", "close_expired"]))]
pub struct ApplyArgs {
    /// A sealed plan: exactly that is carried out
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// The wave to carry out
    #[arg(long, value_name = "WAVE")]
    pub wave: Option<String>,
    /// Go on with the run that was interrupted
    #[arg(long)]
    pub resume: bool,
    /// Accept what an exclusion of this check covers; without a terminal each has to be named
    #[arg(long, value_name = "CHECK")]
    pub accept: Vec<String>,
    /// Close the exclusions in the tenant that have run out, and do nothing else
    #[arg(long)]
    pub close_expired: bool,
    /// Don't ask
    #[arg(long, short = 'y')]
    pub yes: bool,
    /// Where the agents of lab devices run
    #[arg(long, value_enum, default_value_t = Agents::Embedded)]
    pub agents: Agents,
    /// Address that agents call
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// Write the enrolment settings of external agents to this file, which only the owner can read
    #[arg(long, value_name = "FILE")]
    pub enrolment: Option<PathBuf>,
    /// How many times faster than the wall the lab's clock runs; the world file says it where it is left out
    #[arg(long, value_name = "N", env = "OPSOLE_LAB_SPEED", hide_env_values = true)]
    pub lab_speed: Option<f64>,
    /// Kill this process after the n-th journal entry: for tests of recovery
    #[arg(long, value_name = "N", hide = true)]
    pub kill_after_entry: Option<u64>,
    /// Kill this process before it writes the n-th journal entry, when what it records is done: for tests of recovery
    #[arg(long, value_name = "N", hide = true)]
    pub kill_before_entry: Option<u64>,
}

/// Where agents run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Agents {
    /// In this process, on emulated devices.
    Embedded,
    /// In processes of their own.
    External,
}

/// `exclusions`.
#[derive(Debug, Args)]
pub struct ExclusionsArgs {
    /// Only those that end within this time, such as `14d` or `2w`, and those that are overdue
    #[arg(long, value_name = "TIME", value_parser = days)]
    pub expiring: Option<i64>,
    /// Only those of this owner: a mailbox, or a role of the plan
    #[arg(long, value_name = "OWNER")]
    pub owner: Option<String>,
    /// Form of the answer
    #[arg(long, value_enum)]
    pub format: Option<RegisterFormat>,
    /// Write it to this file instead of standard output
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Look at the plan alone: what only tenants and devices can tell is unknown
    #[arg(long)]
    pub offline: bool,
}

/// Forms of the register of exclusions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RegisterFormat {
    /// For people.
    Text,
    /// A table for documents.
    Markdown,
    /// For spreadsheets.
    Csv,
    /// For calendars: an event with alarms on each last day.
    Ical,
}

/// Reads a number of days: `14d`, `2w`.
fn days(text: &str) -> Result<i64, String> {
    let (number, times) = match (text.strip_suffix('d'), text.strip_suffix('w')) {
        (Some(number), _) => (number, 1),
        (_, Some(number)) => (number, 7),
        _ => return Err("write a number of days or weeks, such as `14d` or `2w`".to_owned()),
    };
    let number: u16 = number.parse().map_err(|_| "write a whole number of days or weeks, such as `14d`".to_owned())?;
    Ok(i64::from(number) * times)
}

/// `status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Only this device
    #[arg(long, value_name = "NAME")]
    pub device: Option<String>,
    /// This run, by the beginning of its id; the newest where it is left out
    #[arg(long, value_name = "ID")]
    pub run: Option<String>,
}

/// `gate`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("act").args(["sign_off", "take_back"]))]
pub struct GateArgs {
    /// The wave whose exit it is: the one that others wait for
    #[arg(value_name = "WAVE")]
    pub wave: String,
    /// Unfold this device: every criterion with what was seen
    #[arg(long, value_name = "NAME", conflicts_with = "act")]
    pub device: Option<String>,
    /// Sign the exit off; refused while a criterion that the gate asks for isn't met
    #[arg(long, requires = "role", requires = "evidence")]
    pub sign_off: bool,
    /// Take the sign-off back: the gate closes again
    #[arg(long, requires = "role", requires = "evidence")]
    pub take_back: bool,
    /// Role in which you sign: one that a waiting wave's gate names
    #[arg(long = "as", value_name = "ROLE", value_parser = role, requires = "act")]
    pub role: Option<crate::model::OwnerRole>,
    /// What it rests on, such as a ticket
    #[arg(long, value_name = "TEXT", requires = "act")]
    pub evidence: Option<String>,
    /// Don't ask
    #[arg(long, short = 'y', requires = "sign_off")]
    pub yes: bool,
}

fn role(text: &str) -> Result<crate::model::OwnerRole, String> {
    use crate::plan::Word as _;
    let words = || crate::model::OwnerRole::WORDS.iter().map(|(word, _)| *word).collect::<Vec<_>>();
    crate::model::OwnerRole::of(text).ok_or_else(|| format!("the roles are {}", words().join(", ")))
}

fn duration(text: &str) -> Result<std::time::Duration, String> {
    let parsed = crate::plan::parse_duration(text).and_then(|time| std::time::Duration::try_from(time).ok());
    parsed.ok_or_else(|| "write it like `7d`, `24h` or `90m`; at most ten years".to_owned())
}

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

/// `agent …`.
#[derive(Debug, Subcommand)]
pub enum AgentCommand {
    /// Run the agent of one lab device until its work is done
    #[command(
        after_help = "Examples:\n  opsole apply --wave pilot --agents external --enrolment agents.json\n  opsole agent run --enrolment agents.json --device LON-IT-001"
    )]
    Run {
        /// Enrolment settings that `apply --enrolment` wrote
        #[arg(long, value_name = "FILE")]
        enrolment: PathBuf,
        /// The device
        #[arg(long, value_name = "NAME")]
        device: String,
        /// Kill this process after the n-th entry of the agent's journal: for tests of recovery
        #[arg(long, value_name = "N", hide = true)]
        kill_after_entry: Option<u64>,
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
    /// World files of the lab.
    World,
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
