//! Arguments of commands that only tell: graphs.

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
