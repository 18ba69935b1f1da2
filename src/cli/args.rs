//! The command line, exactly as typed. What it means is decided in `settings`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

mod agent;
mod devices;
mod directory;
mod operators;
mod review;
mod tools;
mod transport;
mod views;

pub use agent::{AgentCommand, InstallArgs, UninstallArgs};
pub use devices::{DevicesCommand, IssueArgs, RevokeArgs};
pub use directory::{DirectoryCommand, DirectoryShowArgs, SweepArgs};
pub use operators::{DrainArgs, UsersCommand};
pub use review::{
    ApproveArgs, AuditCommand, AuditListArgs, AuditVerifyArgs, KeysCommand, PlanArgs, PlanFormat, ReportArgs,
    ReportFormat, ShowArgs, ShowFormat,
};
pub use tools::{
    ExplainArgs, ExplainKind, LabCommand, PackageCommand, PackageListArgs, RecoverArgs, SchemaArgs, SchemaOf,
    SecretsCommand, SnapshotArgs,
};
pub use transport::{TlsArg, TlsCommand, TransportArgs};
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
        after_help = "Examples:\n  opsole plan\n  opsole plan --wave pilot --detailed-exitcode\n  opsole plan --device LON-IT-001\n  opsole plan --snapshot monday.json --output json\n  opsole plan --wave pilot --format html --view pilot.html\n  opsole plan --wave pilot --out pilot.opsole"
    )]
    Plan(PlanArgs),
    /// Hold every prerequisite against tenants, directory, packages and devices
    #[command(
        after_help = "Examples:\n  opsole check\n  opsole check --wave pilot --group-by scope\n  opsole check --device LON-IT-001\n  opsole check --format junit > readiness.xml"
    )]
    Check(CheckArgs),
    /// Show a sealed plan, from the file alone
    #[command(
        after_help = "Examples:\n  opsole show pilot.opsole\n  opsole show pilot.opsole --device LON-IT-001\n  opsole show pilot.opsole --format markdown > comment.md\n  opsole show pilot.opsole --format html --out pilot.html"
    )]
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
    /// Our own authority and the controller's certificate
    #[command(subcommand)]
    Tls(TlsCommand),
    /// Key pairs of people who seal and approve
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Secrets that the plan refers to: try them, put one into the keyring
    #[command(subcommand)]
    Secrets(SecretsCommand),
    /// Show which permissions the application needs in each tenant, why, and which are granted
    #[command(
        after_help = "Examples:\n  opsole permissions\n  opsole permissions --wave pilot --output json\n  opsole permissions --offline --grant-script az > grant.sh\n  opsole permissions --nine"
    )]
    Permissions(PermissionsArgs),
    /// Carry out a wave
    #[command(
        after_help = "Examples:\n  opsole apply --wave pilot          shows the plan, asks, carries it out\n  opsole apply --wave pilot --yes    where nobody is there to ask\n  opsole apply --resume              goes on with a run that was interrupted\n  opsole apply --close-expired       closes exclusions that have run out, and nothing else"
    )]
    Apply(Box<ApplyArgs>),
    /// Have the run that goes on begin nothing new
    #[command(
        after_help = "Examples:\n  opsole drain\n  OPSOLE_API_TOKEN=… opsole drain --url https://controller.example.com:8443"
    )]
    Drain(DrainArgs),
    /// Those who may ask something of the controller while a run goes on
    #[command(subcommand)]
    Users(UsersCommand),
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
    /// Where a device came to a halt, what to do next, and the way onto it
    #[command(
        after_help = "Examples:\n  opsole recover LON-IT-001\n  opsole recover LON-IT-001 --show-password --reason INC-4711\n  opsole recover LON-IT-001 --show-password --reason INC-4711 --yes --output json"
    )]
    Recover(RecoverArgs),
    /// The change record of a run: planned against done, who agreed, what went wrong
    #[command(
        after_help = "Examples:\n  opsole report last\n  opsole report last --device LON-IT-001\n  opsole report 01a202fe --format markdown --out CHG-2001.md\n  opsole report last --format html --out pilot.html\n  opsole report last --format csv > pilot.csv"
    )]
    Report(ReportArgs),
    /// What was decided and done, as a list that nobody can change unnoticed
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Observe tenants, directory and agents, and keep the result in a file
    #[command(after_help = "Examples:\n  opsole snapshot --out monday.json")]
    Snapshot(SnapshotArgs),
    /// The emulated tenants, directory and devices
    #[command(subcommand)]
    Lab(LabCommand),
    /// Provisioning packages: what is in a file, how long they live
    #[command(subcommand)]
    Package(PackageCommand),
    /// Devices as the controller knows them: enrolment tokens, keys, revocation
    #[command(subcommand)]
    Devices(DevicesCommand),
    /// Active Directory: what the account may do, which computers there are, deleting what was disabled long ago
    #[command(subcommand)]
    Directory(DirectoryCommand),
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
    /// Let in people with access tokens of this issuer, such as `https://login.microsoftonline.com/TENANT/v2.0`
    #[arg(long, value_name = "URL", requires = "oidc_audience", env = "OPSOLE_OIDC_ISSUER", hide_env_values = true)]
    pub oidc_issuer: Option<String>,
    /// What those tokens have to be for: the application's id or App ID URI
    #[arg(long, value_name = "ID", requires = "oidc_issuer", env = "OPSOLE_OIDC_AUDIENCE", hide_env_values = true)]
    pub oidc_audience: Option<String>,
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
    /// How agents reach the controller.
    #[command(flatten, next_help_heading = "How agents reach the controller")]
    pub transport: TransportArgs,
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

pub(super) fn duration(text: &str) -> Result<std::time::Duration, String> {
    let parsed = crate::plan::parse_duration(text).and_then(|time| std::time::Duration::try_from(time).ok());
    parsed.ok_or_else(|| "write it like `7d`, `24h` or `90m`; at most ten years".to_owned())
}
