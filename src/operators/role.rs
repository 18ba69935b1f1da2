//! What each role may do: one table.
//!
//! An operator runs waves and approves nothing; an approver approves and runs nothing; an administrator says who is who
//! and does neither. Whoever holds one role can't hold another: what needs two people can't be done by one. An
//! administrator can make a second account for himself, which the audit list shows and no program can prevent.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What somebody is for the controller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Looks.
    Viewer,
    /// Runs waves.
    Operator,
    /// Stands for what was decided.
    Approver,
    /// Says who is who.
    Admin,
}

/// What a call needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Right {
    /// See runs, devices and reports.
    See,
    /// Read the list of what was decided and done, which names people.
    ReadAudit,
    /// Have a run begin nothing new.
    Drain,
    /// Take a device's token away.
    RevokeDevice,
    /// See and change users.
    ManageUsers,
}

impl Right {
    /// Every right, in the order of the docs.
    pub const ALL: [Self; 5] = [Self::See, Self::ReadAudit, Self::Drain, Self::RevokeDevice, Self::ManageUsers];

    /// Returns the roles that have it.
    #[must_use]
    pub const fn roles(self) -> &'static [Role] {
        match self {
            Self::See => &Role::ALL,
            Self::ReadAudit => &[Role::Operator, Role::Approver, Role::Admin],
            Self::Drain | Self::RevokeDevice => &[Role::Operator],
            Self::ManageUsers => &[Role::Admin],
        }
    }
    /// Returns its word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::See => "see",
            Self::ReadAudit => "read-audit",
            Self::Drain => "drain",
            Self::RevokeDevice => "revoke-device",
            Self::ManageUsers => "manage-users",
        }
    }
    /// Returns what it lets somebody do, for the docs.
    #[must_use]
    pub const fn about(self) -> &'static str {
        match self {
            Self::See => "see runs, devices and reports",
            Self::ReadAudit => "read the audit list, which names people",
            Self::Drain => "have the run begin nothing new",
            Self::RevokeDevice => "take a device's token away",
            Self::ManageUsers => "see, add and change users",
        }
    }
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Operator, Self::Approver, Self::Admin];

    /// Says whether it has a right.
    #[must_use]
    pub fn has(self, right: Right) -> bool {
        right.roles().contains(&self)
    }
    /// Returns its word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Approver => "approver",
            Self::Admin => "admin",
        }
    }
    /// Returns the role of an access token's `roles`: the one that begins with `opsole.`. A token that gives several
    /// gives none: two roles in one hand undo what they are apart for.
    #[must_use]
    pub fn of_claims<'c>(claims: impl IntoIterator<Item = &'c str>) -> Option<Self> {
        let mut found = None;
        for claim in claims {
            let Some(role) = claim.strip_prefix("opsole.").and_then(|word| word.parse::<Self>().ok()) else { continue };
            if found.is_some_and(|other| other != role) {
                return None;
            }
            found = Some(role);
        }
        found
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
impl FromStr for Role {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let words = Self::ALL.map(Self::word).join(", ");
        Self::ALL.into_iter().find(|role| role.word() == text).ok_or_else(|| format!("the roles are {words}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Catches a role that gets two halves of what takes two people, and one that may do nothing.
    #[test]
    fn duties_are_apart() {
        for role in Role::ALL {
            assert!(role.has(Right::See));
            let acts = [Right::Drain, Right::ManageUsers].into_iter().filter(|right| role.has(*right)).count();
            assert!(acts <= 1, "{role}");
            assert_eq!(role.word().parse(), Ok(role));
        }
        assert!(
            ![Right::Drain, Right::RevokeDevice, Right::ManageUsers].iter().any(|right| Role::Approver.has(*right))
        );
        assert!(!Role::Viewer.has(Right::ReadAudit));
    }

    /// Catches a token whose two roles are added up, and a word of somebody else's application that counts.
    #[test]
    fn a_token_gives_one_role() {
        assert_eq!(Role::of_claims(["other.admin", "opsole.viewer", "opsole.viewer"]), Some(Role::Viewer));
        for none in [&[][..], &["viewer"], &["opsole."], &["opsole.Admin"], &["opsole.operator", "opsole.approver"]] {
            assert_eq!(Role::of_claims(none.iter().copied()), None, "{none:?}");
        }
    }
}
