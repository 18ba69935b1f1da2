//! The record as a table: one row for each operation of each device, all of them.

use crate::record::Report;
use crate::render::exclusions::inert;

/// Returns the record as CSV with line ends of RFC 4180.
///
/// # Errors
/// None in practice: it is written to memory.
pub fn csv(report: &Report) -> Result<String, ::csv::Error> {
    let mut writer = ::csv::WriterBuilder::new().terminator(::csv::Terminator::CRLF).from_writer(Vec::new());
    writer.write_record([
        "run",
        "wave",
        "device",
        "outcome",
        "operation",
        "state",
        "found_so",
        "began",
        "ended",
        "seconds",
        "put_back",
        "problem",
        "message",
        "next",
    ])?;
    let run = report.run.to_string();
    let moment = |at: Option<jiff::Timestamp>| at.map(|at| at.to_string()).unwrap_or_default();
    for device in &report.devices {
        for op in &device.operations {
            let state = match serde_json::to_value(op.status) {
                Ok(serde_json::Value::String(word)) => word,
                _ => String::new(),
            };
            let problem = op.problem.as_ref();
            let text = |of: Option<&str>| inert(of.unwrap_or_default());
            writer.write_record([
                run.clone(),
                inert(report.wave.as_str()),
                inert(device.device.as_str()),
                device.outcome.clone(),
                op.op.to_string(),
                state,
                if op.already { "yes" } else { "no" }.to_owned(),
                moment(op.started),
                moment(op.ended),
                op.seconds.map(|secs| secs.to_string()).unwrap_or_default(),
                moment(op.undone),
                text(problem.map(|problem| problem.code.as_str())),
                text(problem.map(|problem| problem.message.as_str())),
                text(problem.and_then(|problem| problem.next.as_deref())),
            ])?;
        }
    }
    let bytes = writer.into_inner().map_err(|e| e.into_error())?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
