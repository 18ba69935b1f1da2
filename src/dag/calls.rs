//! Which requests to Microsoft Graph each operation makes, and each part that is read while planning: the one table
//! that permissions come from.
//!
//! It says what `controller::ops` and `msgraph::observe` do. An operation that makes another request gets a row here,
//! or the permission for it is never asked for.

use crate::model::{Feature, GraphCall as G, Op, Permission, Scenario, Side};
use crate::plan::{DeviceSource, ExclusionKind, MigrationPlan, Selector};

use super::{OpSet, Scope, spec};

macro_rules! parts {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        /// A part of a tenant that is read while planning, whether or not anything is applied.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
        pub enum Part { $($(#[$doc])* #[serde(rename = $text)] $name),* }

        impl Part {
            /// Every part.
            pub const ALL: &[Self] = &[$(Self::$name),*];
            /// Returns the words that plans and reports use.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }
        }
    };
}

parts! {
    /// Name and verified domains.
    Organization = "the organization";
    /// Who manages devices.
    MdmAuthority = "the MDM authority";
    /// Who may join devices, and how many.
    RegistrationPolicy = "the registration policy";
    /// Users, and which of them hold directory roles.
    Users = "users";
    /// Entra devices.
    Devices = "Entra devices";
    /// Intune devices.
    ManagedDevices = "Intune devices";
    /// Primary users of devices that have moved.
    PrimaryUsers = "primary users";
    /// Groups that the plan names or restores, with their devices.
    Groups = "groups";
    /// Groups and devices of the package account.
    PackageAccount = "the package account's groups and devices";
    /// Autopilot identities.
    Autopilot = "Autopilot identities";
    /// Recovery keys in escrow.
    RecoveryKeys = "recovery keys";
    /// LAPS backups.
    Laps = "LAPS backups";
    /// Conditional Access policies and the locations that they name.
    ConditionalAccess = "Conditional Access policies";
    /// Configuration profiles.
    Profiles = "configuration profiles";
    /// Enrolment restrictions and status pages.
    Enrolment = "enrolment settings";
    /// Cross-tenant access.
    CrossTenant = "cross-tenant access";
    /// The application itself.
    App = "the application";
}

/// Who makes a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Maker {
    /// Planning, which reads a part. `apply` plans first, so it reads the same.
    Part(Part),
    /// An operation of `apply`.
    Op(Op),
}

impl Maker {
    /// Returns the operation's name, or the words for the part.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Part(part) => part.as_str(),
            Self::Op(op) => op.name(),
        }
    }
}

/// When a request is made, beyond its maker's being there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Always.
    Always,
    /// Where a feature is on.
    Feature(Feature),
    /// Where waves, exclusions or the plan's devices are chosen by a group.
    GroupsNamed,
    /// Where a Conditional Access exclusion of the plan changes a policy.
    ExclusionByPolicy,
    /// Where a Conditional Access exclusion of the plan goes through a group.
    ExclusionByGroup,
}

/// One request that an operation or a part makes.
#[derive(Debug, Clone, Copy)]
pub struct Use {
    /// Who makes it.
    pub maker: Maker,
    /// Which.
    pub call: G,
    /// In which tenant.
    pub side: Side,
    /// Scenarios in which it is made, beyond those of the operation.
    pub scenarios: &'static [Scenario],
    /// When.
    pub when: When,
}

/// A permission that an operation needs, and in which tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Need {
    /// In which tenant.
    pub side: Side,
    /// Which permission.
    pub permission: Permission,
}

const ALL: &[Scenario] = &[Scenario::AdToEntra, Scenario::HybridToEntra, Scenario::TenantToTenant];
const TT: &[Scenario] = &[Scenario::TenantToTenant];
const REGISTERED: &[Scenario] = &[Scenario::HybridToEntra, Scenario::TenantToTenant];
use Side::{Destination as D, Origin as O};

const fn part(part: Part, side: Side, call: G) -> Use {
    Use { maker: Maker::Part(part), call, side, scenarios: ALL, when: When::Always }
}
const fn op(op: Op, side: Side, call: G) -> Use {
    Use { maker: Maker::Op(op), call, side, scenarios: ALL, when: When::Always }
}

impl Use {
    const fn on(self, feature: Feature) -> Self {
        Self { when: When::Feature(feature), ..self }
    }
    const fn named(self) -> Self {
        Self { when: When::GroupsNamed, ..self }
    }
    const fn by_policy(self) -> Self {
        Self { when: When::ExclusionByPolicy, ..self }
    }
    const fn by_group(self) -> Self {
        Self { when: When::ExclusionByGroup, ..self }
    }
    const fn between(self) -> Self {
        Self { scenarios: TT, ..self }
    }
    /// Devices that have a registration before the move.
    const fn of_registered(self) -> Self {
        Self { scenarios: REGISTERED, ..self }
    }

    /// Returns the feature that it hangs on: its own, or the one that switches its operation on.
    #[must_use]
    pub fn feature(&self) -> Option<Feature> {
        match (self.when, self.maker) {
            (When::Feature(feature), _) => Some(feature),
            (_, Maker::Op(op)) => spec(op).feature,
            (_, Maker::Part(_)) => None,
        }
    }

    /// Says whether a plan with this scenario and these features makes it, where its operation is part of it.
    #[must_use]
    pub fn applies(&self, plan: &MigrationPlan) -> bool {
        let known = match self.maker {
            Maker::Op(op) => spec(op).scenarios.contains(&plan.scenario),
            Maker::Part(_) => true,
        };
        known
            && self.scenarios.contains(&plan.scenario)
            && self.feature().is_none_or(|feature| plan.features.on.has(feature))
            && match self.when {
                When::Always | When::Feature(_) => true,
                When::GroupsNamed => names_groups(plan),
                When::ExclusionByPolicy => excludes_by(plan, false),
                When::ExclusionByGroup => excludes_by(plan, true),
            }
    }
}

static USES: &[Use] = &[
    part(Part::Organization, O, G::Organization),
    part(Part::Organization, D, G::Organization),
    part(Part::MdmAuthority, O, G::MdmAuthority),
    part(Part::MdmAuthority, D, G::MdmAuthority),
    part(Part::RegistrationPolicy, O, G::RegistrationPolicy),
    part(Part::RegistrationPolicy, D, G::RegistrationPolicy),
    part(Part::Users, O, G::Users),
    part(Part::Users, O, G::RoleAssignments),
    part(Part::Users, O, G::AllMembers),
    part(Part::Users, D, G::Users),
    part(Part::Users, D, G::RoleAssignments),
    part(Part::Users, D, G::AllMembers),
    part(Part::Devices, O, G::Devices),
    part(Part::Devices, D, G::Devices),
    part(Part::ManagedDevices, O, G::ManagedDevices),
    part(Part::ManagedDevices, D, G::ManagedDevices),
    part(Part::PrimaryUsers, D, G::PrimaryUsers),
    part(Part::Groups, O, G::GroupsNamed).named(),
    part(Part::Groups, O, G::DeviceMembers).named(),
    part(Part::Groups, D, G::Group).on(Feature::GroupRestore),
    part(Part::Groups, D, G::DeviceMembers).on(Feature::GroupRestore),
    part(Part::Groups, D, G::GroupsNamed).on(Feature::ConfigurationProfiles),
    part(Part::Groups, D, G::DeviceMembers).on(Feature::ConfigurationProfiles),
    part(Part::Groups, D, G::GroupsNamed).by_group(),
    part(Part::Groups, D, G::DeviceMembers).by_group(),
    part(Part::PackageAccount, D, G::UserGroups),
    part(Part::PackageAccount, D, G::UserDevices),
    part(Part::Autopilot, O, G::Autopilot).on(Feature::Autopilot),
    part(Part::Autopilot, D, G::Autopilot).on(Feature::Autopilot),
    part(Part::RecoveryKeys, O, G::RecoveryKeys).on(Feature::Bitlocker),
    part(Part::RecoveryKeys, D, G::RecoveryKeys).on(Feature::Bitlocker),
    part(Part::Laps, D, G::Laps).on(Feature::Laps),
    part(Part::ConditionalAccess, O, G::Policies),
    part(Part::ConditionalAccess, O, G::NamedLocations),
    part(Part::ConditionalAccess, D, G::Policies),
    part(Part::ConditionalAccess, D, G::NamedLocations),
    part(Part::Profiles, D, G::Profiles).on(Feature::ConfigurationProfiles),
    part(Part::Profiles, D, G::ProfileAssignments).on(Feature::ConfigurationProfiles),
    part(Part::Enrolment, D, G::EnrolmentConfigurations),
    part(Part::Enrolment, D, G::StatusPages),
    part(Part::Enrolment, D, G::StatusPageAssignments),
    part(Part::CrossTenant, O, G::CrossTenantDefault).between(),
    part(Part::CrossTenant, O, G::CrossTenantPartners).between(),
    part(Part::CrossTenant, D, G::CrossTenantDefault).between(),
    part(Part::CrossTenant, D, G::CrossTenantPartners).between(),
    part(Part::App, O, G::ServicePrincipal),
    part(Part::App, O, G::AppRoleAssignments),
    part(Part::App, O, G::Application),
    part(Part::App, D, G::ServicePrincipal),
    part(Part::App, D, G::AppRoleAssignments),
    part(Part::App, D, G::Application),
    // Reading one user says whether it holds a role, so it reads roles too.
    op(Op::ExcludePackageAccount, D, G::User),
    op(Op::ExcludePackageAccount, D, G::RoleAssignments),
    op(Op::ExcludePackageAccount, D, G::AllMembers),
    op(Op::ExcludePackageAccount, D, G::Policies),
    op(Op::ExcludePackageAccount, D, G::Policy),
    op(Op::ExcludePackageAccount, D, G::SetExcluded).by_policy(),
    op(Op::ExcludePackageAccount, D, G::GroupsNamed).by_group(),
    op(Op::ExcludePackageAccount, D, G::UserGroups).by_group(),
    op(Op::ExcludePackageAccount, D, G::AddUserMember).by_group(),
    // Its undo takes the account out again.
    op(Op::ExcludePackageAccount, D, G::RemoveUserMember).by_group(),
    op(Op::SnapshotCloud, O, G::Registration),
    op(Op::SnapshotCloud, O, G::ManagedDevices),
    op(Op::SnapshotCloud, O, G::PrimaryUsers),
    op(Op::SnapshotCloud, O, G::RecoveryKeys).on(Feature::Bitlocker),
    op(Op::SnapshotCloud, O, G::Autopilot).on(Feature::Autopilot),
    op(Op::SnapshotCloud, O, G::DeviceGroups).on(Feature::GroupRestore),
    op(Op::SnapshotCloud, D, G::GroupsNamed).on(Feature::GroupRestore).between(),
    op(Op::EscrowBitlocker, O, G::RecoveryKeys),
    op(Op::VerifyEnrolment, D, G::Registration),
    op(Op::VerifyEnrolment, D, G::ManagedDevices),
    op(Op::SetPrimaryUser, D, G::ManagedDevices),
    op(Op::SetPrimaryUser, D, G::PrimaryUsers),
    op(Op::SetPrimaryUser, D, G::SetPrimaryUser),
    op(Op::RestoreGroups, D, G::Registration),
    op(Op::RestoreGroups, D, G::DeviceGroups),
    op(Op::RestoreGroups, D, G::AddMember),
    op(Op::EscrowBitlockerNew, D, G::RecoveryKeys),
    op(Op::VerifyLaps, D, G::LapsOf),
    op(Op::AssignConfiguration, D, G::GroupsNamed),
    op(Op::AssignConfiguration, D, G::Profiles),
    op(Op::AssignConfiguration, D, G::ProfileAssignments),
    op(Op::AssignConfiguration, D, G::AssignProfile),
    op(Op::VerifyExit, D, G::Registration),
    op(Op::VerifyExit, D, G::ManagedDevices),
    op(Op::RetireOldIntune, O, G::ManagedDevice),
    op(Op::RetireOldIntune, O, G::DeleteManagedDevice),
    op(Op::RetireOldAutopilot, O, G::Autopilot),
    op(Op::RetireOldAutopilot, O, G::DeleteAutopilot),
    op(Op::RetireOldAutopilot, O, G::SyncAutopilot),
    op(Op::ImportAutopilot, D, G::Autopilot),
    op(Op::ImportAutopilot, D, G::ImportAutopilot),
    op(Op::ImportAutopilot, D, G::AutopilotImport),
    op(Op::ImportAutopilot, D, G::SyncAutopilot),
    // Within one tenant the old object is a computer, and that is the directory's; its Entra half is looked at until the
    // synchronisation has taken it.
    op(Op::RetireOldObject, O, G::DeviceObject).of_registered(),
    op(Op::RetireOldObject, O, G::DeleteDevice).between(),
    op(Op::RetireOldObject, D, G::RecoveryKeys).on(Feature::Bitlocker).between(),
    op(Op::RestorePackageAccount, D, G::User),
    op(Op::RestorePackageAccount, D, G::RoleAssignments),
    op(Op::RestorePackageAccount, D, G::AllMembers),
    op(Op::RestorePackageAccount, D, G::Policies),
    op(Op::RestorePackageAccount, D, G::Policy),
    op(Op::RestorePackageAccount, D, G::SetExcluded).by_policy(),
    op(Op::RestorePackageAccount, D, G::GroupsNamed).by_group(),
    op(Op::RestorePackageAccount, D, G::UserGroups).by_group(),
    op(Op::RestorePackageAccount, D, G::RemoveUserMember).by_group(),
    op(Op::RevokePackage, D, G::User),
    op(Op::RevokePackage, D, G::RoleAssignments),
    op(Op::RevokePackage, D, G::AllMembers),
    op(Op::RevokePackage, D, G::DeleteUser),
];

/// Returns every request that anything makes.
#[must_use]
pub fn uses() -> &'static [Use] {
    USES
}

/// Returns the requests that an operation or a part makes.
pub fn uses_of(maker: Maker) -> impl Iterator<Item = &'static Use> {
    USES.iter().filter(move |one| one.maker == maker)
}

/// Returns the permissions that an operation needs, whatever the plan: sorted, each once.
#[must_use]
pub fn needs(op: Op) -> Vec<Need> {
    let of = |one: &Use| {
        let side = one.side;
        one.call.needs().iter().map(move |permission| Need { side, permission: *permission }).collect::<Vec<_>>()
    };
    let mut needs: Vec<Need> = uses_of(Maker::Op(op)).flat_map(of).collect();
    needs.sort_unstable();
    needs.dedup();
    needs
}

/// Returns the operations that a plan may come to, whatever its devices turn out to be.
#[must_use]
pub fn possible_ops(plan: &MigrationPlan) -> OpSet {
    let used = |account: &str| {
        plan.packages
            .iter()
            .any(|package| package.account == account && plan.waves.iter().any(|wave| wave.package == package.name))
    };
    let excludes = plan.exclusions.iter().any(|one| match &one.of {
        ExclusionKind::ConditionalAccess(of) => used(&of.account),
        _ => false,
    });
    let possible = |op: &Op| {
        let row = spec(*op);
        row.scenarios.contains(&plan.scenario)
            && row.feature.is_none_or(|feature| plan.features.on.has(feature))
            && match op {
                Op::ExcludePackageAccount | Op::RestorePackageAccount => excludes,
                Op::RevokePackage => plan.packages.iter().any(|package| used(&package.account)),
                Op::AssignConfiguration => plan.features.profiles.is_some(),
                _ => row.scope != Scope::Tenant,
            }
    };
    Op::ALL.iter().copied().filter(possible).collect()
}

/// Says whether a Conditional Access exclusion of the plan goes through a group, or doesn't.
fn excludes_by(plan: &MigrationPlan, group: bool) -> bool {
    plan.exclusions.iter().any(|one| match &one.of {
        ExclusionKind::ConditionalAccess(of) => of.group.is_some() == group,
        ExclusionKind::Devices(_) | ExclusionKind::Area(_) | ExclusionKind::Check(_) => false,
    })
}

fn names_groups(plan: &MigrationPlan) -> bool {
    fn names(selector: &Selector) -> bool {
        match selector {
            Selector::All(list) | Selector::Any(list) => list.iter().any(names),
            Selector::Not(one) => names(one),
            Selector::Group(_) => true,
            Selector::Name(_) | Selector::Site(_) | Selector::Ou(_) | Selector::Everything => false,
        }
    }
    let excluded = plan.exclusions.iter().any(|one| matches!(&one.of, ExclusionKind::Devices(of) if names(of)));
    let devices = matches!(&plan.devices, DeviceSource::Selector(of) if names(of));
    devices || excluded || plan.waves.iter().any(|wave| names(&wave.devices))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dag::Place;

    /// Requests that can be built and that nothing makes, with the reason.
    const UNMADE: &[(G, &str)] =
        &[(G::RemoveMember, "memberships are taken back by hand: no undo runs after the move")];

    /// Catches a request that nobody is known to make: its permission would be asked for in vain, or never.
    #[test]
    fn every_request_has_a_maker() {
        for call in G::ALL {
            let made = USES.iter().any(|one| one.call == *call);
            assert_eq!(made, !UNMADE.iter().any(|(unmade, _)| unmade == call), "{call:?}");
        }
        assert!(Part::ALL.iter().all(|part| uses_of(Maker::Part(*part)).next().is_some()));
    }

    /// Catches an operation in a tenant that makes no request, one on the device that makes some, and a row that says
    /// the same twice.
    #[test]
    fn tenant_operations_make_requests() {
        for op in Op::ALL {
            let row = spec(*op);
            let cloud = matches!(row.place, Place::Tenant | Place::Directory | Place::AgentThenTenant);
            assert_eq!(uses_of(Maker::Op(*op)).next().is_some(), cloud, "{op}");
            // Its own feature is the catalogue's: said once.
            assert!(
                uses_of(Maker::Op(*op)).all(|one| !matches!(one.when, When::Feature(own) if Some(own) == row.feature)),
                "{op}"
            );
        }
        for (at, one) in USES.iter().enumerate() {
            let same = |other: &&Use| {
                (other.maker, other.call, other.side, other.when) == (one.maker, one.call, one.side, one.when)
            };
            assert_eq!(USES[at..].iter().filter(same).count(), 1, "{one:?}");
        }
    }

    /// Catches planning that writes.
    #[test]
    fn planning_only_reads() {
        assert!(USES.iter().filter(|one| matches!(one.maker, Maker::Part(_))).all(|one| !one.call.writes()));
    }
}
