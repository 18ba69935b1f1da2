//! Why a command didn't do what it was asked to.

use std::io;

use super::exit::Exit;
use super::ui::Ui;
use crate::diag::{Diagnostics, Sources};
use crate::model::Problem;
use crate::render::diagnostics;

/// Why a command ended early.
#[derive(Debug)]
pub enum Failure {
    /// The plan file has mistakes.
    Diagnostics(Box<(Diagnostics, Sources)>),
    /// One thing failed.
    Problem(Box<Problem>),
    /// The same, with an exit code of its own.
    Exit(Box<Problem>, Exit),
    /// The reader of our output went away, or it can't be written.
    Io(io::Error),
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self::Problem(Box::new(problem))
    }
}
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Failure {
    /// Shows it and returns the exit code.
    #[must_use]
    pub fn report(self, ui: &Ui) -> Exit {
        match self {
            Self::Io(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::OK,
            Self::Io(error) => {
                ui.note(&format!("error: can't write the answer: {error}"));
                Exit::ERROR
            }
            Self::Problem(problem) => {
                let exit = if problem.code == "apply.locked" { Exit::LOCKED } else { Exit::ERROR };
                report_problem(ui, &problem, exit)
            }
            Self::Exit(problem, exit) => report_problem(ui, &problem, exit),
            Self::Diagnostics(both) => {
                let (list, sources) = *both;
                if ui.json() {
                    if let Err(error) = ui.answer_json(&diagnostics::document(&list, &sources)) {
                        return Self::Io(error).report(ui);
                    }
                } else {
                    ui.note(&diagnostics::text(&list, &sources, diagnostics_style(ui)));
                }
                Exit::ERROR
            }
        }
    }
}

fn report_problem(ui: &Ui, problem: &Problem, exit: Exit) -> Exit {
    if ui.json() {
        let document = serde_json::json!({"format": "opsole.problem/1", "problem": problem});
        if let Err(error) = ui.answer_json(&document) {
            return Failure::Io(error).report(ui);
        }
    }
    ui.problem(problem);
    exit
}

/// How diagnostics are drawn on standard error.
#[must_use]
pub fn diagnostics_style(ui: &Ui) -> diagnostics::Style {
    diagnostics::Style { width: ui.width, colour: ui.color_err, unicode: ui.unicode }
}
