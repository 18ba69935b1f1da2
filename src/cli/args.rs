//! The command line, exactly as typed. What it means is decided in `settings`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

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
    /// Carry out a wave
    #[command(
        after_help = "Examples:\n  opsole apply --wave pilot          shows the plan, asks, carries it out\n  opsole apply --wave pilot --yes    where nobody is there to ask\n  opsole apply --resume              goes on with a run that was interrupted"
    )]
    Apply(ApplyArgs),
    /// Show runs and where each device stands
    #[command(
        after_help = "Examples:\n  opsole status\n  opsole status --device LON-IT-001\n  opsole status --run 01a202fe --output json"
    )]
    Status(StatusArgs),
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
    /// Explain a diagnostic code, such as OPS0204
    #[command(after_help = "Examples:\n  opsole explain\n  opsole explain OPS0204")]
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
    /// Exit with 0 where nothing is to do, 2 where something is, 1 on an error or where that can't be known
    #[arg(long)]
    pub detailed_exitcode: bool,
}

/// `apply`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("what").required(true).args(["wave", "resume"]))]
pub struct ApplyArgs {
    /// The wave to carry out
    #[arg(long, value_name = "WAVE")]
    pub wave: Option<String>,
    /// Go on with the run that was interrupted
    #[arg(long)]
    pub resume: bool,
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
    #[command(after_help = "Examples:\n  opsole package list\n  opsole package list --output json")]
    List,
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
    /// The code; all codes where it is left out
    pub code: Option<String>,
}
