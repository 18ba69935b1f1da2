//! Provisioning packages of the lab: Windows Imaging files with a `customizations.xml`, as real ones are
//! (domain.md B11). A real bulk token is opaque; the lab's is JSON in base64, so that the emulated device can read
//! what Windows would.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::folder::Lab;
use super::seed::derive;
use super::wim::{self, Packing};
use super::world::{World, WorldPackage};
use crate::model::{Digest, PackageName, Problem, TenantId};
use crate::port::{Packages, Result};
use crate::ppkg;

/// First member of a token, so that other JSON isn't taken for one.
const FORMAT: &str = "opsole.lab-package/1";

/// What is in the bulk token of a package of the lab.
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
    /// Reads a package, as Windows would when it installs it.
    ///
    /// # Errors
    /// `package.unreadable` where the bytes aren't a package, or its token isn't the lab's.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let token = ppkg::bulk_token(bytes).map_err(|broken| broken.problem())?;
        Self::of_token(token.expose_secret())
    }

    /// Reads the token of a package.
    ///
    /// # Errors
    /// `package.unreadable` where it isn't the lab's.
    pub fn of_token(token: &str) -> Result<Self> {
        // The parsers' own words could hold a piece of the token.
        let broken = || {
            Problem::new("package.unreadable", "the package's bulk token isn't of the lab")
                .next("use the package that the world file names")
        };
        let json = Zeroizing::new(STANDARD.decode(token).map_err(|_| broken())?);
        let content: Self = serde_json::from_slice(&json).map_err(|_| broken())?;
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
            tenant: TenantId(package.content.other_tenant.unwrap_or(spec.id)),
            expires: package.expires,
        };
        let token = serde_json::to_vec(&content)
            .map_err(|e| Problem::new("package.unreadable", format!("package `{name}`")).detail(e.to_string()))?;
        let token = Zeroizing::new(STANDARD.encode(Zeroizing::new(token)));
        Ok(file(world, package, &token))
    }
}

/// Returns the bytes of a package's file.
fn file(world: &World, package: &WorldPackage, token: &str) -> Vec<u8> {
    let id = derive(&world.name, "package", &package.name);
    let xml = Zeroizing::new(customizations(id, package, token));
    let mut bytes = wim::write(&[("customizations.xml", xml.as_bytes())], Packing::Xpress, id, world.starts);
    if package.content.garbage {
        bytes.truncate(bytes.len() / 2);
    }
    if package.content.encrypted { enveloped(id, bytes.len()) } else { bytes }
}

/// Makes a package that holds a token and nothing else, for tests of what installs it.
#[cfg(test)]
pub(crate) fn package_of(token: &serde_json::Value) -> Vec<u8> {
    let token = STANDARD.encode(token.to_string());
    let xml = format!(
        "<WindowsCustomizations><Settings><Customizations><Accounts><Azure><BPRT>{token}</BPRT></Azure></Accounts>\
         </Customizations></Settings></WindowsCustomizations>"
    );
    wim::write(&[("customizations.xml", xml.as_bytes())], Packing::Xpress, uuid::Uuid::nil(), Timestamp::UNIX_EPOCH)
}

/// Writes what Windows Configuration Designer writes for a bulk token (domain.md B11), with what the world adds.
fn customizations(id: uuid::Uuid, package: &WorldPackage, token: &str) -> String {
    let content = &package.content;
    let mut common = String::new();
    let token = if content.no_token { String::new() } else { format!("<BPRT>{token}</BPRT>") };
    let users: String = content
        .local_users
        .iter()
        .map(|user| {
            // A password of nobody: the lab's devices have no such accounts.
            let password = if user.clear_password { "<Password>Lab-Only-1</Password>" } else { "" };
            let name = escaped(&user.name);
            format!("<User UserName=\"{name}\">{password}<UserGroup>Administrators</UserGroup></User>")
        })
        .collect();
    let users = if users.is_empty() { users } else { format!("<Users>{users}</Users>") };
    common.push_str(&format!(
        "<Accounts><Azure><Authority>https://login.microsoftonline.com/common</Authority>{token}</Azure>{users}</Accounts>"
    ));
    if let Some(name) = &content.computer_name {
        common.push_str(&format!("<DevDetail><DNSComputerName>{}</DNSComputerName></DevDetail>", escaped(name)));
    }
    let others: String = content
        .settings
        .iter()
        .map(|path| {
            // What can't be an element's name is left out.
            let path: String = path.chars().filter(|sign| sign.is_ascii_alphanumeric() || *sign == '/').collect();
            let names: Vec<&str> =
                path.split('/').filter(|name| name.starts_with(|c: char| c.is_alphabetic())).collect();
            let open: String = names.iter().map(|name| format!("<{name}>")).collect();
            let close: String = names.iter().rev().map(|name| format!("</{name}>")).collect();
            format!("{open}{close}")
        })
        .collect();
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<WindowsCustomizations>\n  \
         <PackageConfig xmlns=\"urn:schemas-Microsoft-com:Windows-ICD-Package-Config.v1.0\">\n    \
         <ID>{{{id}}}</ID>\n    <Name>{}</Name>\n    <Version>1.0</Version>\n    <OwnerType>ITAdmin</OwnerType>\n    \
         <Rank>0</Rank>\n    <Notes></Notes>\n  </PackageConfig>\n  \
         <Settings xmlns=\"urn:schemas-microsoft-com:windows-provisioning\">\n    \
         <Customizations><Common>{common}</Common>{others}</Customizations>\n  </Settings>\n</WindowsCustomizations>\n",
        escaped(&package.name)
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Returns what an encrypted container may look like [K]: an enveloped message of RFC 5652 that nobody can open.
fn enveloped(id: uuid::Uuid, length: usize) -> Vec<u8> {
    let mut message = vec![0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x03];
    message.extend(id.as_bytes().iter().cycle().take(length.min(4096)));
    let size = u16::try_from(message.len()).unwrap_or_default().to_be_bytes();
    [&[0x30, 0x82], &size[..], &message].concat()
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
        let mut other = content.clone();
        other.format = "other/1".to_owned();
        let json = STANDARD.encode(serde_json::to_vec(&other).expect("json"));
        let problem = PackageContent::of_token(&json).expect_err("another one");
        assert!(!format!("{problem:?}").contains(&content.token[..16]), "{problem:?}");
    }

    fn with(content: &str) -> Result<Vec<u8>> {
        let text = include_str!("../../examples/hybrid-to-entra/world.yaml");
        let from = "expires: 2027-04-30T00:00:00Z}";
        assert!(text.contains(from));
        let text = text.replace(from, &format!("expires: 2027-04-30T00:00:00Z, content: {content}}}"));
        let world = World::parse("w", &text)?;
        let folder = tempfile::tempdir().expect("a folder");
        LabPackages::new(Arc::new(Lab::open(folder.path(), &world)?)).read(&PackageName::from("bulk-2026q4"))
    }

    /// Catches a world whose wrong package is read as a right one: no test would show what a check says of it.
    #[test]
    fn each_wrong_package_is_wrong() {
        let facts = |content: &str| ppkg::read(&with(content).expect("a package")).expect("readable");
        let plain = facts("{}");
        assert!(plain.bulk_token && plain.tenant.is_some() && plain.account.is_some() && plain.expires.is_some());
        assert!(plain.other_settings.is_empty() && plain.local_users.is_empty(), "{plain:?}");
        assert_eq!(plain.name.as_deref(), Some("bulk-2026q4"));
        assert!(!facts("{no-token: true}").bulk_token);
        assert!(facts("{encrypted: true}").encrypted);
        assert_eq!(facts("{computer-name: 'A&B'}").computer_name.as_deref(), Some("A&B"));
        let users = facts("{local-users: [{name: 'a\"<b', clear-password: true}, {name: c}]}").local_users;
        assert_eq!(
            users.iter().map(|u| (u.name.as_str(), u.clear_password)).collect::<Vec<_>>(),
            [("a\"<b", true), ("c", false)]
        );
        let other = facts("{settings: [Common/Policies/Start/HideSleep, '/<x>/']}");
        assert_eq!(other.other_settings, ["Common/Policies/Start/HideSleep", "x"]);
        let tenant = "11111111-2222-4333-8444-555555555555";
        assert_eq!(
            facts(&format!("{{other-tenant: {tenant}}}")).tenant.map(|id| id.to_string()).as_deref(),
            Some(tenant)
        );
        assert!(ppkg::read(&with("{garbage: true}").expect("bytes")).is_err());
        assert_eq!(
            PackageContent::parse(&with("{encrypted: true}").expect("bytes")).expect_err("secret").code,
            "package.unreadable"
        );
    }
}
