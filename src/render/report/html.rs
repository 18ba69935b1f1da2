//! The record as one page that needs nothing else: for a browser, and for paper.

use minijinja::{Environment, Value, context};

use super::outline::{Limits, Section, outline};
use crate::model::DeviceName;
use crate::record::Report;

const NAME: &str = "report.html";
const TEMPLATE: &str = include_str!("report.html");

/// Returns the record as an HTML page. Names are escaped; nothing is loaded from elsewhere, and no script is in it.
///
/// # Errors
/// Where the template is wrong, which a test would have caught.
pub fn html(report: &Report, device: Option<&DeviceName>) -> Result<String, String> {
    let limits = Limits { rows: 500, groups: 40, names: 40, cell: 1000 };
    let mut sections: Vec<Section> = outline(report, limits, device);
    let devices = Section {
        title: "Each device".to_owned(),
        head: vec!["device", "outcome", "done", "problem"],
        rows: report.devices.iter().map(device_row).collect(),
        ..Section::default()
    };
    if device.is_none() && report.devices.len() > 1 {
        sections.push(devices);
    }
    let mut environment = Environment::new();
    environment.add_template(NAME, TEMPLATE).map_err(|e| e.to_string())?;
    let template = environment.get_template(NAME).map_err(|e| e.to_string())?;
    let sections: Value = sections.iter().map(value).collect();
    template.render(context! { sections => sections }).map_err(|e| e.to_string())
}

fn device_row(device: &crate::record::DeviceRow) -> Vec<String> {
    let done = device.operations.iter().filter(|op| op.status == crate::run::Status::Done).count();
    vec![
        device.device.to_string(),
        device.outcome.clone(),
        format!("{done} of {}", device.operations.len()),
        device.problem.as_ref().map_or_else(String::new, |problem| problem.code.clone()),
    ]
}

fn value(section: &Section) -> Value {
    let texts = |texts: &[String]| texts.iter().map(String::as_str).collect::<Value>();
    let rows: Value = section.rows.iter().map(|row| texts(row)).collect();
    let head: Value = section.head.iter().copied().collect();
    context! { title => section.title.as_str(), words => texts(&section.words), head => head, rows => rows }
}
