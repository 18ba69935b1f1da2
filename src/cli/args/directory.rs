//! Arguments of `directory`.

use clap::{Args, Subcommand};

/// Active Directory, as the plan names it.
#[derive(Debug, Subcommand)]
pub enum DirectoryCommand {
    /// Sign in, read, and compute what the account may do; nothing is changed
    #[command(after_help = "Examples:\n  opsole directory check\n  opsole directory check --output json")]
    Check,
    /// Show computers below the declared organizational units
    #[command(
        after_help = "Examples:\n  opsole directory show\n  opsole directory show LON-IT-001\n  opsole directory show --retired"
    )]
    Show(DirectoryShowArgs),
    /// Delete computers that runs of this plan disabled long enough ago
    ///
    /// Only objects that are in the records here and still say by which run they were disabled. What somebody enabled,
    /// renamed by another description or gave a new password is left alone.
    #[command(
        after_help = "Examples:\n  opsole directory sweep --older-than 30d\n  opsole directory sweep --older-than 90d --limit 10 --yes"
    )]
    Sweep(SweepArgs),
}

/// `directory show`.
#[derive(Debug, Args)]
pub struct DirectoryShowArgs {
    /// Only this computer
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// Only computers that runs of ours disabled
    #[arg(long)]
    pub retired: bool,
}

/// `directory sweep`.
#[derive(Debug, Args)]
pub struct SweepArgs {
    /// Computers that have been disabled for this long
    #[arg(long, value_name = "TIME", value_parser = super::duration)]
    pub older_than: std::time::Duration,
    /// At most so many at a time
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub limit: u32,
    /// Delete without asking
    #[arg(long, short)]
    pub yes: bool,
}
