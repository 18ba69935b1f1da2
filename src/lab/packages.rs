//! Provisioning packages of the lab. A real one is a WIM with an opaque bulk token inside (domain.md B11);
//! the lab's is JSON, so that the emulated device can read what Windows would.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::folder::Lab;
use super::world::{World, WorldPackage};
use crate::model::{Digest, PackageName, Problem, TenantId};
use crate::port::{Packages, Result};

/// First member of a package, so that other JSON isn't taken for one.
const FORMAT: &str = "opsole.lab-package/1";

/// What is in a package of the lab.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PackageContent {
    format: String,
    /// UPN of the package account.
    pub account: String,
    /// Secret of the bulk token.
    pub token: String,
    /// Tenant that devices are joined to.
    pub tenant: TenantId,
    /// End of the token.
    pub expires: Timestamp,
}

impl fmt::Debug for PackageContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PackageContent")
            .field("account", &self.account)
            .field("tenant", &self.tenant)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

impl PackageContent {
    /// Reads a package.
    ///
    /// # Errors
    /// `package.unreadable` where the bytes aren't a package of the lab.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        // The parser's own words could hold a piece of the token.
        let broken = || {
            Problem::new("package.unreadable", "the bytes aren't a provisioning package of the lab")
                .next("use the package that the world file names")
        };
        let content: Self = serde_json::from_slice(bytes).map_err(|_| broken())?;
        if content.format == FORMAT { Ok(content) } else { Err(broken()) }
    }
}

/// Returns the secret of a package's bulk token. Worth nothing outside the lab.
pub(super) fn bulk_token(world: &World, tenant: &str, package: &WorldPackage) -> String {
    let of =
        format!("{}\nbulk-token\n{tenant}\n{}\n{}\n{}", world.name, package.name, package.account, package.expires);
    Digest::of(of.as_bytes()).to_string()
}

/// The packages of a lab's tenants.
#[derive(Debug, Clone)]
pub struct LabPackages {
    lab: Arc<Lab>,
}

impl LabPackages {
    /// Returns the packages of a lab.
    #[must_use]
    pub fn new(lab: Arc<Lab>) -> Self {
        Self { lab }
    }
}

impl Packages for LabPackages {
    fn read(&self, name: &PackageName) -> Result<Vec<u8>> {
        let world = self.lab.world();
        let found = world.tenants.iter().find_map(|(tenant, spec)| {
            let package = spec.packages.iter().find(|package| package.name == name.as_str())?;
            Some((tenant, spec, package))
        });
        let Some((tenant, spec, package)) = found else {
            return Err(Problem::new("package.missing", format!("the world has no package `{name}`"))
                .next("name a package of the world file in the plan"));
        };
        let content = PackageContent {
            format: FORMAT.to_owned(),
            account: package.account.to_lowercase(),
            token: bulk_token(world, tenant, package),
            tenant: TenantId(spec.id),
            expires: package.expires,
        };
        serde_json::to_vec(&content)
            .map_err(|e| Problem::new("package.unreadable", format!("package `{name}`")).detail(e.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Catches bytes that differ between two reads (the plan holds their digest), and a token in a log.
    #[test]
    fn reads_back_and_keeps_its_secret() {
        let world = World::parse("w", include_str!("../../examples/hybrid-to-entra/world.yaml")).expect("a world");
        let folder = tempfile::tempdir().expect("a folder");
        let packages = LabPackages::new(Arc::new(Lab::open(folder.path(), &world).expect("new")));
        let name = PackageName::from("bulk-2026q4");
        let bytes = packages.read(&name).expect("there");
        assert_eq!(bytes, packages.read(&name).expect("there"));
        let content = PackageContent::parse(&bytes).expect("own bytes");
        assert_eq!(content.tenant, TenantId(world.tenants["contoso"].id));
        assert!(!format!("{content:?}").contains(&content.token));
        assert_eq!(packages.read(&PackageName::from("other")).expect_err("none").code, "package.missing");
        for bytes in [&b"{}"[..], b"", b"MSWIM\0\0\0", b"[1]"] {
            assert_eq!(PackageContent::parse(bytes).expect_err("no package").code, "package.unreadable");
        }
    }
}
