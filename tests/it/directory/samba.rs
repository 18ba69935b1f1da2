//! The running domain controller, and a domain administrator who prepares what a test needs.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ldap3::controls::RawControl;
use ldap3::{Ldap, LdapConnAsync, LdapConnSettings, Mod, Scope, SearchEntry};
use opsole::directory::{LdapDirectory, Limits, Settings, SignIn};
use opsole::port::Retirement;
use opsole::state::RetiredMark;
use secrecy::SecretString;
use serde::Deserialize;
use uuid::Uuid;

/// What `ci/directory/seed.py` writes down.
#[derive(Debug, Clone, Deserialize)]
pub struct Samba {
    pub address: String,
    pub domain: String,
    pub base: String,
    pub netbios: String,
    pub workstations: String,
    pub servers: String,
    pub password: String,
    pub ca: PathBuf,
    pub other_ca: PathBuf,
    /// Folder with `krb5.conf` and a keytab of each of some accounts.
    #[cfg_attr(not(feature = "kerberos"), expect(dead_code, reason = "nobody signs in by Kerberos"))]
    pub kerberos: PathBuf,
}

/// Returns the domain controller, where one runs; says what is left out where none does.
#[expect(clippy::print_stderr, reason = "whoever reads the log has to see what was left out")]
pub fn samba(what: &str) -> Option<Samba> {
    let Some(folder) = std::env::var_os("OPSOLE_DIRECTORY") else {
        eprintln!("LEFT OUT (no domain controller: ci/directory/up DIR, then OPSOLE_DIRECTORY=DIR): {what}");
        return None;
    };
    Some(of_folder(&PathBuf::from(folder)))
}

/// Returns the domain controller that is kept in a folder.
pub fn of_folder(folder: &Path) -> Samba {
    let path = folder.join("directory.json");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).expect("directory.json")
}

impl Samba {
    /// Returns what a client of an account is made from: LDAPS, the right authority, the unit of workstations.
    pub fn settings(&self, account: &str) -> Settings {
        Settings {
            servers: vec![format!("ldaps://{}", self.address).parse().expect("an address")],
            domain: self.domain.clone(),
            units: vec![self.workstations.clone()],
            account: format!("{}\\{account}", self.netbios),
            sign_in: SignIn::Password(SecretString::from(self.password.clone())),
            authorities: Some(std::fs::read_to_string(&self.ca).expect("the authority")),
            limits: Limits { answer: Duration::from_secs(20), ..Limits::default() },
        }
    }
    /// Returns a client whose one declared unit is another.
    pub fn client_of(&self, account: &str, unit: &str) -> LdapDirectory {
        LdapDirectory::new(Settings { units: vec![unit.to_owned()], ..self.settings(account) }).expect("settings")
    }
    /// Signs in as a domain administrator, past everything that is tested.
    pub async fn admin(&self) -> Admin {
        self.raw("svc-admin").await
    }
    /// Signs in as anybody, past everything that is tested.
    pub async fn raw(&self, account: &str) -> Admin {
        let pem = std::fs::read_to_string(&self.ca).expect("the authority");
        let tls = Arc::new(opsole::net::trusting(Some(&pem)).expect("a configuration"));
        let url = format!("ldaps://{}", self.address);
        let settings = LdapConnSettings::new().set_config(tls);
        let (connection, mut ldap) = LdapConnAsync::with_settings(settings, &url).await.expect("a connection");
        tokio::spawn(connection.drive());
        let name = format!("{}\\{account}", self.netbios);
        ldap.simple_bind(&name, &self.password).await.expect("a bind").success().expect("signed in");
        Admin { ldap, samba: self.clone() }
    }
}

/// Somebody who is signed in.
pub struct Admin {
    pub ldap: Ldap,
    samba: Samba,
}

fn set(text: &str) -> HashSet<Vec<u8>> {
    HashSet::from([text.as_bytes().to_vec()])
}

impl Admin {
    /// Makes a unit below another anew: whatever an earlier run left is gone.
    pub async fn unit(&mut self, name: &str, parent: &str) -> String {
        let dn = format!("OU={name},{parent}");
        let tree = RawControl { ctype: "1.2.840.113556.1.4.805".to_owned(), crit: true, val: None };
        self.ldap.with_controls(vec![tree]).delete(&dn).await.expect("an answer");
        let attributes = vec![("objectClass", HashSet::from(["organizationalUnit"]))];
        self.ldap.add(&dn, attributes).await.expect("an answer").success().expect("a unit");
        dn
    }
    /// Makes a computer as a join does, with a password; returns its GUID.
    pub async fn computer(&mut self, name: &str, unit: &str) -> Uuid {
        let dn = format!("CN={name},{unit}");
        // The name is the domain's: one that an earlier run left elsewhere goes first.
        let filter = format!("(sAMAccountName={name}$)");
        let base = self.samba.base.clone();
        let found = self.ldap.search(&base, Scope::Subtree, &filter, vec!["cn"]).await.expect("an answer");
        for entry in found.0.into_iter().filter(|entry| !entry.is_ref()) {
            let dn = SearchEntry::construct(entry).dn;
            self.ldap.delete(&dn).await.expect("an answer");
        }
        let password: Vec<u8> = "\"Correct7Horse8Battery9+\"".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let attributes = vec![
            (b"objectClass".to_vec(), set("computer")),
            (b"sAMAccountName".to_vec(), set(&format!("{name}$"))),
            (b"userAccountControl".to_vec(), set("4096")),
            (b"operatingSystem".to_vec(), set("Windows 11 Enterprise")),
            (b"dNSHostName".to_vec(), set(&format!("{}.{}", name.to_lowercase(), self.samba.domain))),
            (b"unicodePwd".to_vec(), HashSet::from([password])),
        ];
        self.ldap.add(&dn, attributes).await.expect("an answer").success().expect("a computer");
        self.guid(&dn).await
    }
    /// Makes anything else.
    pub async fn object(&mut self, dn: &str, class: &str, more: &[(&str, &[u8])]) {
        let mut attributes = vec![(b"objectClass".to_vec(), set(class))];
        attributes.extend(more.iter().map(|(name, value)| (name.as_bytes().to_vec(), HashSet::from([value.to_vec()]))));
        self.ldap.add(dn, attributes).await.expect("an answer").success().expect(dn);
    }
    /// Returns the GUID of an object.
    pub async fn guid(&mut self, dn: &str) -> Uuid {
        let bytes = self.bytes(dn, "objectGUID").await.expect("a GUID");
        Uuid::from_bytes_le(bytes.try_into().expect("sixteen bytes"))
    }
    /// Returns the first value of an attribute.
    pub async fn bytes(&mut self, dn: &str, attribute: &str) -> Option<Vec<u8>> {
        let found = self.ldap.search(dn, Scope::Base, "(objectClass=*)", vec![attribute]).await.expect("an answer");
        let entry = SearchEntry::construct(found.success().ok()?.0.pop()?);
        let text = entry.attrs.get(attribute).and_then(|values| Some(values.first()?.clone().into_bytes()));
        text.or_else(|| entry.bin_attrs.get(attribute)?.first().cloned())
    }
    /// Returns the first value of an attribute that is text.
    pub async fn text(&mut self, dn: &str, attribute: &str) -> Option<String> {
        Some(String::from_utf8(self.bytes(dn, attribute).await?).expect("text"))
    }
    /// Replaces the value of an attribute.
    pub async fn write(&mut self, dn: &str, attribute: &str, value: Vec<u8>) {
        let change = Mod::Replace(attribute.as_bytes().to_vec(), HashSet::from([value]));
        self.ldap.modify(dn, vec![change]).await.expect("an answer").success().expect(dn);
    }
}

/// Returns a retirement by a run, of a device that left just now.
pub fn retirement(run: u128) -> Retirement {
    let on = jiff::Timestamp::now();
    let left = on.checked_add(jiff::SignedDuration::from_mins(5)).ok();
    let mark = RetiredMark { run: opsole::model::RunId(Uuid::from_u128(run)), on };
    Retirement { mark, left, only_marked: false }
}
