//! `opsole schema`: JSON Schemas for editors and CI.

use crate::cli::args::{SchemaArgs, SchemaOf};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::ui::Ui;
use crate::lab::world::World;
use crate::model::Problem;
use crate::plan;
use crate::record::Report;
use crate::render::directory::DirectoryView;
use crate::windows::install::AgentSettings;

/// Prints or writes a schema.
///
/// # Errors
/// `cli.write`.
pub fn run(ui: &Ui, args: &SchemaArgs) -> Result<Exit, Failure> {
    let schema = match args.of {
        SchemaOf::Plan => plan::schema(),
        SchemaOf::PlanPart => plan::part_schema(),
        SchemaOf::PlanOutput => crate::render::plan_schema::schema(),
        SchemaOf::Sealed => crate::sealed::schema(),
        SchemaOf::Report => schemars::schema_for!(Report).to_value(),
        SchemaOf::Directory => schemars::schema_for!(DirectoryView).to_value(),
        SchemaOf::AgentSettings => schemars::schema_for!(AgentSettings).to_value(),
        SchemaOf::World => schemars::schema_for!(World).to_value(),
    };
    let Some(path) = &args.out else {
        ui.answer_json(&schema)?;
        return Ok(Exit::OK);
    };
    let mut text = serde_json::to_string_pretty(&schema)
        .map_err(|e| Problem::new("cli.write", "the schema can't be written as JSON").detail(e.to_string()))?;
    text.push('\n');
    std::fs::write(path, text)
        .map_err(|e| Problem::new("cli.write", format!("can't write {}", path.display())).detail(e.to_string()))?;
    ui.wrote(std::slice::from_ref(path))?;
    Ok(Exit::OK)
}
