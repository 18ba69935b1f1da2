//! What the command line means here: which plan, which state folder.

use std::path::{Path, PathBuf};

use super::args::Global;
use super::ui::Ui;
use crate::model::Problem;

/// Names under which a plan is looked for.
const PLAN_NAMES: [&str; 2] = ["opsole.yaml", "plan.yaml"];

/// Resolved options that every command knows.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The terminal.
    pub ui: Ui,
    /// The plan as it was named, or found.
    plan: Option<PathBuf>,
    /// The state folder as it was named.
    state: Option<PathBuf>,
}

impl Settings {
    /// Resolves the global options.
    #[must_use]
    pub fn new(global: &Global) -> Self {
        Self { ui: Ui::new(global), plan: global.plan.clone(), state: global.state.clone() }
    }

    /// Returns the plan file.
    ///
    /// # Errors
    /// `cli.no-plan` where none is named and none lies here.
    pub fn plan(&self) -> Result<PathBuf, Problem> {
        if let Some(path) = &self.plan {
            return Ok(path.clone());
        }
        PLAN_NAMES.iter().map(PathBuf::from).find(|path| path.is_file()).ok_or_else(|| {
            Problem::new("cli.no-plan", "there is no plan file here: neither opsole.yaml nor plan.yaml")
                .next("name one with `--plan FILE`, or write one with `opsole init --scenario hybrid-to-entra`")
        })
    }

    /// Returns the state folder, which need not exist yet.
    ///
    /// # Errors
    /// As [`Settings::plan`].
    pub fn state(&self) -> Result<PathBuf, Problem> {
        match &self.state {
            Some(path) => Ok(path.clone()),
            None => Ok(beside(&self.plan()?).join(".opsole")),
        }
    }
}

/// Returns the folder that a file lies in.
#[must_use]
pub fn beside(file: &Path) -> PathBuf {
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}
