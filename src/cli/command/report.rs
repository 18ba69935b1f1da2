//! `opsole report`: the change record of a run. Reads the disk alone, also beside a running `apply`.

use super::show::answer_or_write;
use crate::cli::args::{ReportArgs, ReportFormat};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::named_run;
use crate::cli::settings::Settings;
use crate::controller::record_of;
use crate::model::{DeviceName, Problem};
use crate::port::Store as _;
use crate::record::Report;
use crate::render::report::{ReportTextOptions, csv, html, markdown, text};
use crate::render::run::short;
use crate::store::SqliteStore;

/// Makes the record and writes it in the form that is asked for.
///
/// # Errors
/// `store.*`; `run.*` where plan or journal are damaged; `cli.unknown-run`, `cli.many-runs`, `cli.unknown-device`,
/// `cli.two-forms`, `cli.write`.
pub fn run(settings: &Settings, args: &ReportArgs) -> Result<Exit, Failure> {
    let ui = &settings.ui;
    if ui.json() && args.format.is_some_and(|format| format != ReportFormat::Json) {
        return Err(Problem::new("cli.two-forms", "`--output json` and `--format` ask for two forms of one answer")
            .next("leave one of them out")
            .into());
    }
    let state = settings.state()?;
    let mut record = if state.join("state.db").exists() {
        SqliteStore::open(&state)?
            .at_one_moment(|store| record_of(store, named_run::find(&store.runs()?, &args.run)?))?
    } else {
        return Err(Problem::new("cli.unknown-run", "no wave was applied yet")
            .next("apply one with `opsole apply --wave WAVE`")
            .into());
    };
    let device = args.device.as_deref().map(DeviceName::new);
    if let Some(name) = &device {
        known(&record, name)?;
        record.devices.retain(|row| row.device == *name);
    }
    let device = device.as_ref();
    let format = if ui.json() { ReportFormat::Json } else { args.format.unwrap_or(ReportFormat::Text) };
    let plain = args.out.is_some();
    let answer = match format {
        ReportFormat::Text => {
            let (width, color) = if plain { (100, false) } else { (ui.width, ui.color) };
            text(&record, &ReportTextOptions { width, color, ascii: !ui.unicode, device })
        }
        ReportFormat::Markdown => markdown(&record, device),
        ReportFormat::Html => html(&record, device)
            .map_err(|detail| Problem::new("cli.write", "the page can't be made").detail(detail))?,
        ReportFormat::Json => serde_json::to_string(&record).map_err(std::io::Error::from)? + "\n",
        ReportFormat::Csv => csv(&record).map_err(std::io::Error::from)?,
    };
    answer_or_write(ui, args.out.as_deref(), &answer)?;
    if args.out.is_none() {
        return Ok(Exit::OK);
    }
    ui.note(&format!("Audit head: {}", record.audit_head));
    Ok(Exit::OK)
}

fn known(record: &Report, name: &DeviceName) -> Result<(), Problem> {
    if record.devices.iter().any(|row| row.device == *name) {
        return Ok(());
    }
    let names: Vec<&str> = record.devices.iter().map(|row| row.device.as_str()).collect();
    let near = super::plan::did_you_mean(name.as_str(), &names);
    Err(Problem::new("cli.unknown-device", format!("run {} has no device {name}", short(record.run)))
        .next(format!("{near}`opsole status` lists its devices")))
}
