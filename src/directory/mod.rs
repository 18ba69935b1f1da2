//! Active Directory over LDAP: what is there, what the account that retires computers may do, and their retirement.
//!
//! Every connection is TLS before anything else is sent on it: `ldaps://` from its first byte, `ldap://` by StartTLS. Whoever
//! asks says who it is by name and password, or by Kerberos where the program was built with the feature `kerberos`: that is
//! part of Windows, and takes a C library elsewhere.

mod account;
mod entry;
mod fault;
#[cfg(feature = "kerberos")]
mod kerberos;
mod link;
mod observe;
mod write;

use async_trait::async_trait;
use secrecy::SecretString;
use url::Url;
use uuid::Uuid;

use crate::model::Problem;
use crate::port::{Directory, Result, Retirement};
use crate::state::{AdComputer, DirectoryState};
use crate::winformat::ad::Dn;

pub use link::Limits;

/// How somebody signs in.
pub enum SignIn {
    /// By the account's name and password (a simple bind, RFC 4513, 5.1.3), within TLS.
    Password(SecretString),
    /// By Kerberos (RFC 4752), as whoever this process is: the signed-in account of Windows, elsewhere the credential cache or
    /// the client keytab that Kerberos finds. The server is asked who it was, and only the account named may.
    Kerberos,
}

/// What a directory is asked with.
pub struct Settings {
    /// Servers, the preferred one first: `ldaps://` or `ldap://`, which means StartTLS. One that doesn't answer is passed over.
    pub servers: Vec<Url>,
    /// DNS name of the domain.
    pub domain: String,
    /// Distinguished names of the organizational units that hold the computers.
    pub units: Vec<String>,
    /// Who asks, and retires computers: `DOMAIN\name`, a user principal name, or a distinguished name.
    pub account: String,
    /// How it signs in.
    pub sign_in: SignIn,
    /// Authorities to trust besides those that the machine trusts, PEM.
    pub authorities: Option<String>,
    /// How long, and how much.
    pub limits: Limits,
}

/// Active Directory over LDAP. One connection, made when it is needed and again once where it broke.
pub struct LdapDirectory {
    link: link::Link,
    domain: String,
    /// As the plan writes them, and read.
    units: Vec<(String, Dn)>,
}

impl LdapDirectory {
    /// Returns the directory. Nothing is asked of it yet.
    ///
    /// # Errors
    /// `directory.settings` where a name or an address can't be one, `tls.damaged` where an authority can't be read.
    pub fn new(settings: Settings) -> Result<Self> {
        let wrong = |message: String| Problem::new("directory.settings", message).next("mend `directory` in the plan");
        let unit = |text: &String| {
            let name = Dn::parse(text);
            let name = name.ok_or_else(|| wrong(format!("`{text}` isn't the name of an organizational unit")))?;
            Ok((text.clone(), name))
        };
        let units = settings.units.iter().map(unit).collect::<Result<_>>()?;
        let domain = settings.domain.clone();
        Ok(Self { link: link::Link::new(settings)?, domain, units })
    }

    fn unit_names(&self) -> Vec<Dn> {
        self.units.iter().map(|(_, name)| name.clone()).collect()
    }
}

#[async_trait]
impl Directory for LdapDirectory {
    async fn observe(&self) -> Result<DirectoryState> {
        self.observe_all().await
    }
    async fn computer(&self, guid: Uuid) -> Result<Option<AdComputer>> {
        Ok(self.found(guid).await?.map(|found| found.computer))
    }
    async fn computer_by_name(&self, name: &str) -> Result<Option<AdComputer>> {
        self.named(name).await
    }
    async fn disable(&self, guid: Uuid, retirement: &Retirement) -> Result<()> {
        self.disable_computer(guid, retirement).await
    }
    async fn delete(&self, guid: Uuid, retirement: &Retirement) -> Result<()> {
        self.delete_computer(guid, retirement).await
    }
}
