//! `opsole explain`: the page of a diagnostic code.

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::ui::Ui;
use crate::diag::ALL_CODES;
use crate::model::Problem;

/// Prints the page of one code, or the list of all.
///
/// # Errors
/// `cli.unknown-code`, with the nearest one.
pub fn run(ui: &Ui, code: Option<&str>) -> Result<Exit, Failure> {
    let Some(code) = code else {
        if ui.json() {
            let list: Vec<_> =
                ALL_CODES.iter().map(|code| serde_json::json!({"code": code.id, "title": code.title})).collect();
            ui.answer_json(&serde_json::json!({"format": "opsole.codes/1", "codes": list}))?;
        } else {
            let list: Vec<String> = ALL_CODES.iter().map(|code| format!("{}  {}", code.id, code.title)).collect();
            ui.answer(&list.join("\n"))?;
        }
        return Ok(Exit::OK);
    };
    let wanted = code.trim().to_uppercase();
    let Some(page) = ALL_CODES.iter().find(|code| code.id == wanted) else {
        let near = ALL_CODES
            .iter()
            .map(|code| (strsim::levenshtein(code.id, &wanted), code.id))
            .min()
            .map_or(String::new(), |(_, id)| format!("did you mean {id}? "));
        return Err(Problem::new("cli.unknown-code", format!("`{code}` isn't a diagnostic code"))
            .next(format!("{near}`opsole explain` lists all codes"))
            .into());
    };
    if ui.json() {
        let document =
            serde_json::json!({"format": "opsole.code/1", "code": page.id, "title": page.title, "page": page.page});
        ui.answer_json(&document)?;
    } else {
        ui.answer(page.page)?;
    }
    Ok(Exit::OK)
}
