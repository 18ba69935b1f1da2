//! Decides what a plan means at a moment: every lint in one run, and the resolved plan if none is an error.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::file::{Moment, PlanFile, TenantFile, WaveFile};
use super::parse::{Parsed, scrub};
use super::{MigrationPlan, TenantRole, build, lint, when};
use crate::diag::{Diagnostic, Diagnostics, Spanned};
use crate::model::Scenario;

/// A plan under review, with what every lint needs.
pub(super) struct Review<'p> {
    pub file: &'p PlanFile,
    pub parsed: &'p Parsed,
    pub as_of: Timestamp,
    pub zone: TimeZone,
    found: Diagnostics,
}

/// Decides a plan against a moment. The diagnostics hold those of reading the text too, in the order of
/// their places; the plan is there only if none of them is an error.
#[must_use]
pub fn resolve(parsed: &Parsed, as_of: Timestamp) -> (Option<MigrationPlan>, Diagnostics) {
    let mut all = parsed.diagnostics.clone();
    let mut plan = None;
    if let Some(file) = &parsed.file {
        let zone = file.zone.as_ref().and_then(|zone| when::zone(&zone.value)).unwrap_or(TimeZone::UTC);
        let mut review = Review { file, parsed, as_of, zone, found: Diagnostics::default() };
        lint::names(&mut review);
        lint::checks(&mut review);
        lint::setting(&mut review);
        lint::dates(&mut review);
        lint::waves(&mut review);
        lint::policy(&mut review);
        if !all.has_errors() && !review.found.has_errors() {
            plan = build::plan(&review);
        }
        let mut found = review.found;
        found.0.truncate(super::decode::MAX_DIAGNOSTICS);
        scrub(parsed, &mut found);
        all.extend(found);
    }
    all.0.sort_by_key(|found| found.labels.first().map_or((u32::MAX, 0), |l| (l.span.source.0, l.span.start)));
    (plan, all)
}

impl<'p> Review<'p> {
    /// Reports one finding.
    pub fn report(&mut self, diagnostic: Diagnostic) {
        self.found.push(diagnostic);
    }
    /// Says whether the main file has a key, whatever its value is.
    pub fn has(&self, key: &str) -> bool {
        self.parsed.keys.contains(key)
    }
    /// Returns the first and the last moment of a wave, where its window is whole.
    pub fn window(&self, wave: &WaveFile) -> Option<(Timestamp, Timestamp)> {
        let window = wave.window.as_ref()?;
        let zone = match &window.zone {
            Some(zone) => when::zone(&zone.value)?,
            None => self.zone.clone(),
        };
        let from: Moment = window.from.as_ref()?.value;
        Some((when::begin(from, &zone)?, when::end(window.to.as_ref()?.value, &zone)?))
    }
    /// Returns the latest end among the waves that have a window, with its wave.
    pub fn last_end(&self) -> Option<(Timestamp, &'p WaveFile)> {
        let ends = self.file.waves.iter().filter_map(|wave| Some((self.window(wave)?.1, wave)));
        ends.max_by_key(|(end, _)| *end)
    }
    /// Returns the package that a wave uses: the one it names, or the plan's only one.
    pub fn package_name(&self, wave: &'p WaveFile) -> Option<&'p Spanned<String>> {
        match (&wave.package, self.file.packages.as_slice()) {
            (Some(name), _) => Some(name),
            (None, [only]) => Some(&only.name),
            (None, _) => None,
        }
    }
    /// Returns the tenant that devices go to, if the roles say so.
    pub fn destination(&self) -> Option<(&'p Spanned<String>, &'p TenantFile)> {
        let wanted = match self.file.scenario.as_ref()?.value {
            Scenario::TenantToTenant => TenantRole::Target,
            Scenario::AdToEntra | Scenario::HybridToEntra => TenantRole::Current,
        };
        let mut fits = self
            .file
            .tenants
            .iter()
            .filter(|tenant| tenant.item.role.as_ref().is_some_and(|role| role.value == wanted));
        let first = fits.next()?;
        fits.next().is_none().then_some((&first.name, &first.item))
    }
    /// Returns items by name; the first one counts where a name is there twice.
    pub fn by_name<T>(items: impl Iterator<Item = (&'p Spanned<String>, T)>) -> BTreeMap<&'p str, T> {
        let mut all = BTreeMap::new();
        for (name, item) in items {
            all.entry(name.value.as_str()).or_insert(item);
        }
        all
    }
}
