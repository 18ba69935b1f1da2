//! Features: optional parts of a migration that a plan switches on, each with its own permissions.

use serde::{Deserialize, Serialize};

/// One optional part of a migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum Feature {
    /// Recovery keys are seen in escrow before and after the move.
    Bitlocker,
    /// A Windows LAPS backup is seen for the new device.
    Laps,
    /// The mapped user becomes the Intune primary user.
    PrimaryUser,
    /// Static cloud groups of the old device object are given to the new one.
    GroupRestore,
    /// Named configuration profiles are assigned to a group.
    ConfigurationProfiles,
    /// Autopilot identities move to the target tenant.
    Autopilot,
    /// `manage`: the package account is put into Conditional Access exclusions and taken out again.
    ConditionalAccessExclusions,
    /// The ConfigMgr client is removed.
    ConfigmgrRemoval,
}

impl Feature {
    /// Every feature, in the order of the plan file.
    pub const ALL: [Self; 8] = [
        Self::Bitlocker,
        Self::Laps,
        Self::PrimaryUser,
        Self::GroupRestore,
        Self::ConfigurationProfiles,
        Self::Autopilot,
        Self::ConditionalAccessExclusions,
        Self::ConfigmgrRemoval,
    ];
    /// Returns the name as it stands in plan files.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bitlocker => "bitlocker",
            Self::Laps => "laps",
            Self::PrimaryUser => "primary-user",
            Self::GroupRestore => "group-restore",
            Self::ConfigurationProfiles => "configuration-profiles",
            Self::Autopilot => "autopilot",
            Self::ConditionalAccessExclusions => "conditional-access-exclusions",
            Self::ConfigmgrRemoval => "configmgr-removal",
        }
    }
}

/// The features that are on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FeatureSet(u8);

impl FeatureSet {
    /// Says whether a feature is on.
    #[must_use]
    pub const fn has(self, feature: Feature) -> bool {
        self.0 & (1 << feature as u8) != 0
    }
    /// Returns the set with one more feature.
    #[must_use]
    pub const fn with(self, feature: Feature) -> Self {
        Self(self.0 | 1 << feature as u8)
    }
    /// Returns the features that are on, in order.
    pub fn iter(self) -> impl Iterator<Item = Feature> {
        Feature::ALL.into_iter().filter(move |feature| self.has(*feature))
    }
}

impl FromIterator<Feature> for FeatureSet {
    fn from_iter<I: IntoIterator<Item = Feature>>(features: I) -> Self {
        features.into_iter().fold(Self::default(), Self::with)
    }
}
