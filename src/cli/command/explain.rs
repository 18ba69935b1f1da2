//! `opsole explain`: what is known of an id, a code, or every code in a text.

use std::io::Read;

use crate::cli::args::{ExplainArgs, ExplainKind};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::ui::Ui;
use crate::knowledge::{Kind, find, nearest};
use crate::model::Problem;
use crate::render::explain::{self, Style};

/// What is read of standard input, in bytes: a log of a day.
const INPUT_MAX: u64 = 32 * 1024 * 1024;

/// Explains what was asked for, lists a kind, or says what there is.
///
/// # Errors
/// `cli.unknown-code` where nothing in the text is known, with the nearest names.
pub fn run(ui: &Ui, args: &ExplainArgs) -> Result<Exit, Failure> {
    let style = Style { width: ui.width, color: ui.color };
    let Some(text) = &args.text else {
        match args.list.map(kind) {
            Some(kind) if ui.json() => ui.answer_json(&explain::list_json(kind))?,
            Some(kind) => ui.answer(&explain::list_text(kind, style))?,
            None if ui.json() => ui.answer_json(&explain::kinds_json())?,
            None => ui.answer(&explain::kinds_text(style))?,
        }
        return Ok(Exit::OK);
    };
    let piped = text == "-";
    let text = if piped { standard_input()? } else { text.clone() };
    let found = find(&text);
    if found.is_empty() {
        return Err(unknown(piped, &text).into());
    }
    if ui.json() {
        ui.answer_json(&explain::found_json(&found))?;
    } else {
        ui.answer(&explain::text(&found, style))?;
    }
    Ok(Exit::OK)
}

fn kind(of: ExplainKind) -> Kind {
    match of {
        ExplainKind::Checks => Kind::Checks,
        ExplainKind::Operations => Kind::Operations,
        ExplainKind::Permissions => Kind::Permissions,
        ExplainKind::Diagnostics => Kind::Diagnostics,
        ExplainKind::Codes => Kind::Codes,
        ExplainKind::Problems => Kind::Problems,
    }
}

/// Reads standard input. What isn't UTF-8 is read over: codes are ASCII, and a console's output may be anything.
fn standard_input() -> Result<String, Failure> {
    let mut bytes = Vec::new();
    std::io::stdin().lock().take(INPUT_MAX).read_to_end(&mut bytes)?;
    // PowerShell redirects in UTF-16: every second byte is nothing then.
    bytes.retain(|byte| *byte != 0);
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn unknown(piped: bool, text: &str) -> Problem {
    if piped {
        let what = "nothing on standard input is known: no id, no code";
        return Problem::new("cli.unknown-code", what).next("`opsole explain` lists what is known");
    }
    let near: Vec<&str> = nearest(text).into_iter().map(crate::knowledge::Topic::id).collect();
    let next = match near.as_slice() {
        [] => "`opsole explain` lists what is known".to_owned(),
        [names @ .., last] if !names.is_empty() => format!("did you mean {} or {last}?", names.join(", ")),
        [one, ..] => format!("did you mean {one}?"),
    };
    let shown: String = text.chars().take(80).map(|sign| if sign.is_control() { ' ' } else { sign }).collect();
    Problem::new("cli.unknown-code", format!("nothing is known of `{}`", shown.trim())).next(next)
}
