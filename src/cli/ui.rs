//! The terminal: answers on standard output, everything else on standard error, questions, colours.

use std::io::{self, BufRead, IsTerminal, Write};

use secrecy::SecretString;
use serde::Serialize;

use super::args::{Color, Global, Output};
use crate::knowledge::carried_by;
use crate::model::Problem;

/// What the terminal can show, and the only way to write to it.
#[derive(Debug, Clone)]
pub struct Ui {
    /// Form of the answer.
    pub output: Output,
    /// Colours on standard output.
    pub color: bool,
    /// Colours on standard error.
    pub color_err: bool,
    /// Width in columns.
    pub width: usize,
    /// Symbols beyond ASCII can be shown.
    pub unicode: bool,
    /// There is somebody to ask.
    pub interactive: bool,
}

impl Ui {
    /// Looks at the terminal and the environment.
    #[must_use]
    pub fn new(global: &Global) -> Self {
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let color = |terminal: bool| match global.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => terminal && !set("NO_COLOR") && std::env::var("TERM").as_deref() != Ok("dumb"),
        };
        let width = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok());
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
            .into_iter()
            .find_map(|name| std::env::var(name).ok().filter(|v| !v.is_empty()));
        Self {
            output: global.output,
            color: color(io::stdout().is_terminal()),
            color_err: color(io::stderr().is_terminal()),
            width: width
                .or_else(|| console::Term::stderr().size_checked().map(|(_, columns)| columns.into()))
                .unwrap_or(100)
                .clamp(40, 400),
            // No locale at all is what containers and CI have; both take UTF-8.
            unicode: locale.is_none_or(|name| name.to_lowercase().contains("utf") || name.starts_with("C.UTF")),
            interactive: io::stdin().is_terminal() && io::stderr().is_terminal(),
        }
    }

    /// Says whether the answer is for programs.
    #[must_use]
    pub fn json(&self) -> bool {
        self.output == Output::Json
    }

    /// Writes the answer.
    ///
    /// # Errors
    /// As the stream; a closed pipe is the reader's wish.
    pub fn answer(&self, text: &str) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())?;
        if !text.ends_with('\n') {
            out.write_all(b"\n")?;
        }
        out.flush()
    }

    /// Writes the answer as one JSON document.
    ///
    /// # Errors
    /// As [`Ui::answer`].
    pub fn answer_json(&self, value: &impl Serialize) -> io::Result<()> {
        let mut out = io::BufWriter::new(io::stdout().lock());
        serde_json::to_writer_pretty(&mut out, value).map_err(io::Error::from)?;
        out.write_all(b"\n")?;
        out.flush()
    }

    /// Says which files were written.
    ///
    /// # Errors
    /// As [`Ui::answer`].
    pub fn wrote(&self, files: &[std::path::PathBuf]) -> io::Result<()> {
        if self.json() {
            return self.answer_json(&serde_json::json!({"format": "opsole.written/1", "files": files}));
        }
        files.iter().for_each(|file| self.note(&format!("Wrote {}.", file.display())));
        Ok(())
    }

    /// Writes a remark for people.
    pub fn note(&self, text: &str) {
        // A closed standard error must not stop a migration.
        drop(writeln!(io::stderr().lock(), "{text}"));
    }

    /// Writes a problem: what happened, what the other side said, what to do next.
    pub fn problem(&self, problem: &Problem) {
        let paint = |code: &str, text: &str| {
            if self.color_err { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
        };
        let mut text = format!("{} {} ({})", paint("1;31", "error:"), problem.message, problem.code);
        if let Some(detail) = &problem.detail {
            text.push_str(&format!("\n  {}", detail.replace('\n', "\n  ")));
        }
        if let Some(next) = &problem.next {
            text.push_str(&format!("\n  {} {}", paint("36", "next:"), next.replace('\n', "\n        ")));
        }
        if let Some(code) = carried_by(problem) {
            text.push_str(&format!("\n  {} {}", paint("36", "explain:"), code.command()));
        }
        self.note(&text);
    }

    /// Asks for a secret, and shows nothing of what is typed.
    ///
    /// # Errors
    /// Where nobody is there to answer.
    pub fn secret(&self, question: &str) -> io::Result<SecretString> {
        let mut err = io::stderr().lock();
        write!(err, "{question} ")?;
        err.flush()?;
        drop(err);
        console::Term::stderr().read_secure_line().map(SecretString::from)
    }

    /// Asks; only `yes` is a yes.
    ///
    /// # Errors
    /// Where nobody is there to answer.
    pub fn confirm(&self, question: &str) -> io::Result<bool> {
        let mut err = io::stderr().lock();
        write!(err, "{question} ")?;
        err.flush()?;
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line)?;
        Ok(line.trim() == "yes")
    }
}
