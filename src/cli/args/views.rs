//! Arguments of commands that only tell: graphs, reasons, differences, drift.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// `graph`.
#[derive(Debug, Args)]
pub struct GraphArgs {
    /// A sealed plan; tenants and devices are looked at where none is named
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// How the graph is written; `--output json` is the same as `--format json`
    #[arg(long, value_enum)]
    pub format: Option<GraphFormat>,
    /// The chain of operations of this device
    #[arg(long, value_name = "NAME", conflicts_with = "waves")]
    pub device: Option<String>,
    /// The waves: what each needs, its window, its gate, its devices. This is what is drawn where no device is named
    #[arg(long)]
    pub waves: bool,
    /// Look as if only this wave were applied, or mark it among the waves
    #[arg(long, value_name = "WAVE", conflicts_with = "file")]
    pub wave: Option<String>,
    /// Look at a snapshot file instead of live tenants
    #[arg(long, value_name = "FILE", conflicts_with = "file")]
    pub snapshot: Option<PathBuf>,
    /// Write it to this file instead of standard output
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// How `graph` is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum GraphFormat {
    /// For pages that draw Mermaid: merge requests, wikis.
    Mermaid,
    /// For Graphviz.
    Dot,
    /// A picture.
    Svg,
    /// For programs.
    Json,
}

/// `why`.
#[derive(Debug, Args)]
pub struct WhyArgs {
    /// The device; an unambiguous beginning is enough
    #[arg(value_name = "DEVICE")]
    pub device: String,
    /// One of its operations, with or without `device.`; an unambiguous beginning is enough
    #[arg(value_name = "OPERATION")]
    pub operation: Option<String>,
    /// Take the reasons from this sealed plan
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Look at a snapshot file instead of live tenants
    #[arg(long, value_name = "FILE", conflicts_with = "file")]
    pub snapshot: Option<PathBuf>,
}

/// `diff`.
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// The earlier sealed plan
    #[arg(value_name = "BEFORE")]
    pub before: PathBuf,
    /// The later one
    #[arg(value_name = "AFTER")]
    pub after: PathBuf,
    /// Unfold this device: each of its differences
    #[arg(long, value_name = "NAME")]
    pub device: Option<String>,
    /// Form of the answer; `--output json` is the same as `--format json`
    #[arg(long, value_enum)]
    pub format: Option<CompareFormat>,
    /// Exit with 2 where something differs
    #[arg(long)]
    pub detailed_exitcode: bool,
}

/// Form of what changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CompareFormat {
    /// For people.
    Text,
    /// For a ticket or a merge request.
    Markdown,
    /// For programs: all of it.
    Json,
}

/// `drift`.
#[derive(Debug, Args)]
pub struct DriftArgs {
    /// Compare with this snapshot file instead of the state that was last reviewed or applied
    #[arg(long, value_name = "FILE")]
    pub since: Option<PathBuf>,
    /// Look at a snapshot file instead of live tenants
    #[arg(long, value_name = "FILE")]
    pub snapshot: Option<PathBuf>,
    /// Take what is there now as reviewed: the next drift is measured from it
    #[arg(long, conflicts_with = "snapshot")]
    pub accept: bool,
    /// Form of the answer; `--output json` is the same as `--format json`
    #[arg(long, value_enum)]
    pub format: Option<CompareFormat>,
    /// Exit with 0 where nothing drifted, 2 where something did, 1 on an error or where that can't be known
    #[arg(long)]
    pub detailed_exitcode: bool,
}
