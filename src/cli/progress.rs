//! Progress of a run on standard error: a bar for the wave and one for each device in flight; lines where
//! there is no terminal.

use std::collections::BTreeMap;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::ui::Ui;
use crate::model::DeviceName;
use crate::render::run::{outcome_name, stage_name};
use crate::run::{DeviceProgress, DeviceStage, Progress};
use crate::state::Outcome;

/// Bars of devices that are shown at a time.
const BARS_MAX: usize = 12;

/// What has been shown so far.
pub struct ProgressView {
    ui: Ui,
    bars: Option<(MultiProgress, ProgressBar)>,
    devices: BTreeMap<DeviceName, ProgressBar>,
    said: BTreeMap<DeviceName, (DeviceStage, bool)>,
    drained: bool,
    stopped: bool,
}

impl ProgressView {
    /// Begins to show a run.
    #[must_use]
    pub fn new(ui: &Ui, wave: &str, devices: usize) -> Self {
        let bars = ui.interactive.then(|| {
            let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
            let bar = all.add(ProgressBar::new(devices as u64));
            bar.set_style(style(ui, "{prefix:.bold} {wide_bar} {pos}/{len} devices, {msg} [{elapsed_precise}]"));
            bar.set_prefix(format!("wave {wave}"));
            bar.set_message("starting");
            bar.enable_steady_tick(std::time::Duration::from_millis(200));
            (all, bar)
        });
        Self { ui: ui.clone(), bars, devices: BTreeMap::new(), said: BTreeMap::new(), drained: false, stopped: false }
    }

    /// Shows where the run is now.
    pub fn show(&mut self, progress: &Progress) {
        if progress.draining && !self.drained {
            self.drained = true;
            self.say(
                "Draining: nothing new is begun, devices under way come to a safe place. Ctrl-C again ends at once.",
            );
        }
        if let Some(stop) = progress.stop.as_ref().filter(|_| !self.stopped) {
            self.stopped = true;
            self.say(&format!(
                "The wave stops: {}. {} in flight, {} of them past the point of no return and finished.",
                stop.problem.message, stop.in_flight, stop.committed
            ));
        }
        let counts = &progress.counts;
        if let Some((_, bar)) = &self.bars {
            bar.set_position(u64::from(counts.total - counts.waiting - counts.in_flight));
            bar.set_message(format!("{} in flight, {} waiting", counts.in_flight, counts.waiting));
        }
        for device in &progress.devices {
            self.device(device);
        }
    }

    fn device(&mut self, device: &DeviceProgress) {
        let ended = device.stage == DeviceStage::Ended;
        let now = (device.stage, device.outcome.is_some());
        let before = self.said.insert(device.device.clone(), now);
        let waiting = device.stage == DeviceStage::Waiting;
        if before != Some(now) && !waiting && (ended || self.bars.is_none()) {
            let text = match &device.outcome {
                Some(outcome) => format!("{}  {}{}", device.device, outcome_name(outcome), reason(outcome)),
                None => format!("{}  {}", device.device, stage_name(device.stage)),
            };
            self.say(&text);
        }
        let Some((all, _)) = &self.bars else { return };
        if ended || waiting {
            if let Some(bar) = self.devices.remove(&device.device) {
                bar.finish_and_clear();
                all.remove(&bar);
            }
            return;
        }
        if !self.devices.contains_key(&device.device) && self.devices.len() >= BARS_MAX {
            return;
        }
        let bar = self.devices.entry(device.device.clone()).or_insert_with(|| {
            let bar = all.add(ProgressBar::new(u64::from(device.total)));
            bar.set_style(style(&self.ui, "  {prefix:<16} {bar:24} {pos:>2}/{len} {wide_msg}"));
            bar.set_prefix(device.device.to_string());
            bar
        });
        bar.set_position(u64::from(device.done));
        bar.set_message(match device.current {
            Some(op) => format!("{}: {op}", stage_name(device.stage)),
            None => stage_name(device.stage).to_owned(),
        });
    }

    /// Writes a line above the bars.
    pub fn say(&self, text: &str) {
        match &self.bars {
            Some((all, _)) => all.suspend(|| self.ui.note(text)),
            None => self.ui.note(text),
        }
    }

    /// Takes the bars away.
    pub fn end(&mut self) {
        for bar in std::mem::take(&mut self.devices).into_values() {
            bar.finish_and_clear();
        }
        if let Some((_, bar)) = &self.bars {
            bar.finish_and_clear();
        }
    }
}

fn reason(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Complete => String::new(),
        Outcome::NotStarted(why) => format!(": {why}"),
        Outcome::Undone(p) | Outcome::PendingVerification(p) | Outcome::RecoveryRequired(p) => {
            format!(": {}", p.message)
        }
    }
}

fn style(ui: &Ui, template: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    style.progress_chars(if ui.unicode { "━╸ " } else { "=> " })
}
