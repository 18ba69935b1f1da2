//! One device as all sources see it together: evidence, record, and the cloud and directory objects that
//! are proven to be its own.
//!
//! Ids from the device itself and from the record decide. Names and serial numbers only help where
//! neither is there, and then one of several namesakes is never picked: the device is ambiguous.

use jiff::Timestamp;

use super::assign::is_begun;
use super::index::TenantIndex;
use super::{Assignment, Blocker, Index};
use crate::model::{DeviceFacts, DeviceName, EntraDeviceId, JoinState, Known, Mdm, OwnerRole, Scenario, TenantId};
use crate::plan::{DeviceRow, DeviceSource};
use crate::state::{
    AdComputer, AutopilotIdentity, DeviceRecord, EntraDevice, Evidence, ManagedDevice, Outcome, TrustType,
};

/// A device's objects in one tenant.
#[derive(Debug, Clone, Copy, Default)]
pub struct Objects<'a> {
    /// The registration that the device has or had there, also where its object is gone.
    pub device_id: Option<EntraDeviceId>,
    /// Entra object.
    pub device: Option<&'a EntraDevice>,
    /// Intune record.
    pub managed: Option<&'a ManagedDevice>,
    /// Autopilot identity.
    pub autopilot: Option<&'a AutopilotIdentity>,
}

/// One device, joined over all sources.
#[derive(Debug, Clone)]
pub struct View<'a> {
    /// The device.
    pub device: DeviceName,
    /// Its row in the inventory.
    pub row: Option<&'a DeviceRow>,
    /// What its agent said; none where no agent ever did.
    pub evidence: Option<&'a Known<Evidence>>,
    /// What earlier runs recorded.
    pub record: Option<&'a DeviceRecord>,
    /// Objects from before the move.
    pub old: Objects<'a>,
    /// Objects from after the move.
    pub new: Objects<'a>,
    /// Computer object in Active Directory.
    pub computer: Option<&'a AdComputer>,
    /// Joined to the destination, to nothing else, and not by its old registration.
    pub moved: bool,
    /// Past the point of no return.
    pub past: bool,
    /// How it was joined before the move, where that is known.
    pub origin_join: Option<JoinState>,
    /// Some source other than the inventory knows it.
    pub seen: bool,
    /// Records that can't be told apart.
    pub blockers: Vec<Blocker>,
}

impl<'a> View<'a> {
    /// Returns the facts, where an agent reported them.
    #[must_use]
    pub fn facts(&self) -> Option<&'a DeviceFacts> {
        self.evidence?.known().map(|evidence| &evidence.facts)
    }
    /// Returns the moment after which enrolments and backups are new ones.
    #[must_use]
    pub fn committed_at(&self) -> Option<Timestamp> {
        self.record?.committed_at
    }
    /// Returns the serial number that is best known.
    #[must_use]
    pub fn serial(&self) -> Option<&'a str> {
        let facts = self.facts().map(|facts| facts.identity.serial.as_str());
        facts.or_else(|| self.row?.serial.as_deref()).or_else(|| self.old.managed.map(|m| m.serial.as_str()))
    }
    /// Says whether it was moved without this tool, or by a run that left no trace.
    #[must_use]
    pub fn by_hand(&self) -> bool {
        let staged = self.facts().is_some_and(|facts| {
            let staging = &facts.staging;
            staging.recorded.is_some() || staging.boot_start || staging.banner || staging.package_file.is_some()
        });
        self.moved && !staged && self.record.is_none_or(|record| !is_begun(record) && record.old_device.is_none())
    }
    /// Says whether the agent's last report is from before the commit, and so says nothing about the device now.
    #[must_use]
    pub fn has_stale_evidence(&self) -> bool {
        let at = self.evidence.and_then(Known::known).map(|evidence| evidence.at);
        !self.moved && at.zip(self.committed_at()).is_some_and(|(at, commit)| at < commit)
    }
    /// Says whether an enrolment is one that came after the move.
    #[must_use]
    pub fn is_new_enrolment(&self, mdm: &Mdm, target: TenantId) -> bool {
        let old = self.record.and_then(|record| record.old_intune);
        self.past
            && mdm.tenant.is_none_or(|tenant| tenant == target)
            && (mdm.device.is_none() || mdm.device != old)
            && self.committed_at().is_none_or(|commit| mdm.since >= commit)
    }
}

/// Joins all sources for every assigned device; the result stands in the same order.
#[must_use]
pub fn views<'a>(index: &Index<'a>, assignment: &Assignment) -> Vec<View<'a>> {
    let rows: &'a [DeviceRow] = match &index.plan.devices {
        DeviceSource::Inventory(rows) => rows,
        DeviceSource::Selector(_) => &[],
    };
    let view = |device: &super::Assigned| {
        let row = device.row.and_then(|row| rows.get(row as usize));
        view(index, &device.device, row)
    };
    assignment.devices.iter().map(view).collect()
}

fn view<'a>(index: &Index<'a>, device: &DeviceName, row: Option<&'a DeviceRow>) -> View<'a> {
    let evidence = index.snapshot.evidence.get(device);
    let record = index.snapshot.ledger.get(device);
    let mut view = View {
        device: device.clone(),
        row,
        evidence,
        record,
        old: Objects::default(),
        new: Objects::default(),
        computer: None,
        moved: false,
        past: false,
        origin_join: None,
        seen: evidence.is_some() || record.is_some(),
        blockers: Vec::new(),
    };
    view.moved = is_moved(index, &view);
    view.past = is_past(&view);
    let entra = view.facts().and_then(|facts| facts.entra.as_ref());
    let recorded = record.filter(|_| view.past).and_then(|r| r.old_device);
    view.old.device_id = recorded.map(|(_, id)| id).or_else(|| entra.filter(|_| !view.moved).map(|e| e.device_id));
    view.new.device_id = if view.moved { entra.map(|e| e.device_id) } else { record.and_then(|r| r.new_device) };
    view.computer = computer(index, &mut view);
    if let Some(origin) = index.origin() {
        let hybrid = index.plan.scenario == Scenario::HybridToEntra;
        view.old.device = match view.old.device_id {
            Some(id) => origin.device(id),
            None if view.facts().is_none() && !view.past => namesake(origin, hybrid, &mut view),
            None => None,
        };
        view.old.managed = old_managed(origin, &mut view);
        view.old.autopilot = autopilot(origin, &mut view);
        view.seen |= view.old.device.is_some() || view.old.managed.is_some() || view.computer.is_some();
    }
    if let (Some(destination), Some(id)) = (index.destination(), view.new.device_id) {
        view.new.device = destination.device(id);
        let own = view.facts().and_then(|facts| facts.mdm.as_ref()).and_then(|mdm| mdm.device);
        // Newest enrolment first; the device's own certificate is the better witness.
        view.new.managed = destination.managed_of(id).max_by_key(|m| (own == Some(m.id), m.enrolled, m.id));
        view.seen |= view.new.device.is_some();
    }
    if let (Some(destination), Some(serial), false) = (index.destination(), view.serial(), index.one_tenant()) {
        view.new.autopilot = destination.autopilot_of(serial).min_by_key(|identity| identity.id);
    }
    view.origin_join = origin_join(&view);
    view
}

fn is_moved(index: &Index<'_>, view: &View<'_>) -> bool {
    let (Some(facts), Some(destination)) = (view.facts(), index.destination()) else { return false };
    let Some(entra) = facts.entra.as_ref().filter(|entra| entra.tenant == destination.id) else { return false };
    // Half way, a hybrid device has left the domain and still holds its old registration.
    let old = view.record.and_then(|record| record.old_device).map(|(_, id)| id);
    let still_hybrid = destination.device(entra.device_id).is_some_and(|d| d.trust == TrustType::Hybrid);
    facts.domain.is_none() && old != Some(entra.device_id) && !still_hybrid
}

fn is_past(view: &View<'_>) -> bool {
    if view.moved {
        return true;
    }
    let Some(facts) = view.facts() else { return view.record.is_some_and(is_begun) };
    let undone = view.record.is_some_and(|r| matches!(r.outcome, Some(Outcome::Undone(_) | Outcome::NotStarted(_))));
    match &facts.staging.recorded {
        Some(recorded) => {
            let leaving = facts.domain.as_ref().is_some_and(|domain| domain.leaving);
            let left = leaving || recorded.join != facts.join_state();
            view.record.is_some_and(is_begun) || (left && !undone)
        }
        // Between the commit and the move the record lies on the device. Where it doesn't, somebody reset the
        // device or joined it again: it begins anew, and is never unjoined unstaged.
        None => view.record.is_some_and(is_begun) && view.has_stale_evidence(),
    }
}

/// Returns how the device was joined before, as the device, the record or (untouched) the facts say.
fn origin_join(view: &View<'_>) -> Option<JoinState> {
    let facts = view.facts();
    if let Some(recorded) = facts.and_then(|facts| facts.staging.recorded.as_ref()) {
        return Some(recorded.join);
    }
    if !view.past {
        return facts.map(DeviceFacts::join_state);
    }
    let record = view.record?;
    Some(match (record.old_device.is_some(), record.old_computer.is_some()) {
        (true, true) => JoinState::Hybrid,
        (true, false) => JoinState::Entra,
        (false, true) => JoinState::Ad,
        (false, false) => return None,
    })
}

fn ambiguous(view: &mut View<'_>, what: &str, mut names: Vec<String>) {
    names.sort_unstable();
    let message = format!("{}: {} {what} claim it: {}", view.device, names.len(), names.join(", "));
    let next = "remove the stale ones, or let the agent on the device report, so that ids decide";
    view.blockers.push(Blocker::new("device.ambiguous", OwnerRole::Endpoint, message, next));
}

fn computer<'a>(index: &Index<'a>, view: &mut View<'a>) -> Option<&'a AdComputer> {
    if let Some(guid) = view.record.and_then(|record| record.old_computer) {
        return index.computer(guid);
    }
    let facts = view.facts();
    let recorded = facts.and_then(|facts| facts.staging.recorded.as_ref()).map(|recorded| recorded.join);
    let was_joined = matches!(recorded, Some(JoinState::Ad | JoinState::Hybrid));
    if facts.is_some_and(|facts| facts.domain.is_none()) && !was_joined {
        return None;
    }
    // A hybrid registration has the id of the computer that it was made from [K].
    let registered = facts.and_then(|facts| facts.entra.as_ref()).filter(|_| !view.moved).map(|entra| entra.device_id);
    let own = registered.and_then(|id| index.computer(id.0));
    if own.is_some_and(|own| own.name.eq_ignore_ascii_case(view.device.as_str())) {
        return own;
    }
    let mut hits: Vec<&AdComputer> = index.computers_named(&view.device).collect();
    // Its registration says one computer, and its name another.
    hits.extend(own.filter(|_| !hits.is_empty()));
    if hits.len() > 1 {
        ambiguous(view, "computers of the directory", hits.iter().map(|c| c.dn.clone()).collect());
    }
    hits.first().copied().filter(|_| hits.len() == 1)
}

/// Returns the one Entra object with the device's name and the join that the scenario expects.
fn namesake<'a>(origin: &TenantIndex<'a>, hybrid: bool, view: &mut View<'a>) -> Option<&'a EntraDevice> {
    let fits = |trust| if hybrid { trust == TrustType::Hybrid } else { trust == TrustType::Joined };
    let hits: Vec<&EntraDevice> = origin.devices_named(&view.device).filter(|d| fits(d.trust)).collect();
    if hits.len() > 1 {
        ambiguous(view, "Entra devices", hits.iter().map(|d| d.device_id.to_string()).collect());
    }
    hits.first().copied().filter(|_| hits.len() == 1)
}

fn old_managed<'a>(origin: &TenantIndex<'a>, view: &mut View<'a>) -> Option<&'a ManagedDevice> {
    if let Some(record) = view.record.filter(|_| view.past) {
        return record.old_intune.and_then(|id| origin.managed_device(id));
    }
    if view.moved {
        return None;
    }
    let facts = view.facts();
    let mdm = facts.and_then(|facts| facts.mdm.as_ref());
    if let Some(own) = mdm.and_then(|mdm| origin.managed_device(mdm.device?)) {
        return Some(own);
    }
    if let Some(id) = view.old.device_id {
        let mut hits = origin.managed_of(id);
        if let (Some(only), None) = (hits.next(), hits.next()) {
            return Some(only);
        }
    }
    // The device says that it isn't enrolled: records with its name are stale, whoever made them.
    if facts.is_some() && mdm.is_none() {
        return None;
    }
    let serial = facts.map(|f| f.identity.serial.as_str()).or_else(|| view.row?.serial.as_deref());
    let fits = |managed: &&ManagedDevice| serial.is_none_or(|serial| managed.serial == serial);
    let hits: Vec<&ManagedDevice> = origin.managed_named(&view.device).filter(fits).collect();
    if hits.len() > 1 {
        ambiguous(view, "Intune devices", hits.iter().map(|d| d.id.to_string()).collect());
    }
    hits.first().copied().filter(|_| hits.len() == 1)
}

fn autopilot<'a>(origin: &TenantIndex<'a>, view: &mut View<'a>) -> Option<&'a AutopilotIdentity> {
    let serial = view.serial()?;
    let hits: Vec<&AutopilotIdentity> = origin.autopilot_of(serial).collect();
    if let Some((id, _)) = view.record.and_then(|record| record.old_autopilot.as_ref()) {
        return hits.into_iter().find(|identity| identity.id == *id);
    }
    if let [only] = hits[..] {
        return Some(only);
    }
    let managed = view.old.managed.map(|managed| managed.id);
    let own = hits.iter().copied().find(|identity| managed.is_some() && identity.managed_device == managed);
    if own.is_none() && hits.len() > 1 {
        ambiguous(view, "Autopilot identities", hits.iter().map(|i| i.id.to_string()).collect());
    }
    own
}
