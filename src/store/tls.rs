//! The folder `tls` of a state folder: our own authority and the server's certificate, keys for the owner alone.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use zeroize::Zeroizing;

use super::keys::owner_only;
use crate::model::Problem;
use crate::net::{self, About, Host, Made};
use crate::port::Result;

/// A folder `tls`.
#[derive(Debug, Clone)]
pub struct TlsFolder(PathBuf);

impl TlsFolder {
    /// The one of a state folder; it needn't be there.
    #[must_use]
    pub fn of(state: &Path) -> Self {
        Self(state.join("tls"))
    }
    /// The authority's certificate.
    #[must_use]
    pub fn authority(&self) -> PathBuf {
        self.0.join("ca.pem")
    }
    fn authority_key(&self) -> PathBuf {
        self.0.join("ca.key")
    }
    /// The server's certificate.
    #[must_use]
    pub fn server(&self) -> PathBuf {
        self.0.join("server.pem")
    }
    /// The server's key.
    #[must_use]
    pub fn server_key(&self) -> PathBuf {
        self.0.join("server.key")
    }

    /// Makes an authority for hosts, and the server's first certificate.
    ///
    /// # Errors
    /// `tls.exists` where there is an authority, `tls.make`, `tls.write`.
    pub fn create(&self, hosts: &[Host], now: Timestamp) -> Result<About> {
        if self.authority().exists() || self.authority_key().exists() {
            let message = format!("there is an authority in {}", self.0.display());
            return Err(Problem::new("tls.exists", message).next(
                "renew the server's certificate with `opsole tls renew`; for other hosts move the folder away, begin \
                 anew, and give the agents the new authority",
            ));
        }
        let authority = net::authority(hosts, now)?;
        let server = net::server_certificate(&authority, hosts, None, now)?;
        self.make()?;
        write(&self.authority_key(), authority.key.as_bytes(), 0o600)?;
        self.keep(&server)?;
        // Last: where it is there, everything is.
        write(&self.authority(), authority.certificate.as_bytes(), 0o644)?;
        self.about()
    }

    /// Makes a new certificate for the hosts that the one before it names, with the same key or a new one.
    ///
    /// # Errors
    /// `tls.none`, `tls.read`, `tls.damaged`, `key.rights`, `tls.make`, `tls.write`.
    pub fn renew(&self, new_key: bool, now: Timestamp) -> Result<About> {
        let before = self.about()?;
        let damaged = |host: &String| {
            let message = format!("the server's certificate names `{host}`, which is no host");
            Problem::new("tls.damaged", message).next("make a new authority with `opsole tls init`")
        };
        let hosts: Vec<Host> =
            before.hosts.iter().map(|host| host.parse().map_err(|_| damaged(host))).collect::<Result<_>>()?;
        let authority = Made { certificate: self.authority_pem()?, key: secret(&self.authority_key())? };
        let key = if new_key { None } else { Some(secret(&self.server_key())?) };
        let server = net::server_certificate(&authority, &hosts, key.as_ref().map(|key| key.as_str()), now)?;
        self.keep(&server)?;
        self.about()
    }

    /// Returns what is in the server's certificate.
    ///
    /// # Errors
    /// `tls.none`, `tls.read`, `tls.damaged`.
    pub fn about(&self) -> Result<About> {
        net::about(&self.read(&self.server())?)
    }

    /// Returns what is in the authority's certificate.
    ///
    /// # Errors
    /// `tls.none`, `tls.read`, `tls.damaged`.
    pub fn about_authority(&self) -> Result<About> {
        net::about(&self.read(&self.authority())?)
    }

    /// Returns the authority's certificate as text: what agents are given.
    ///
    /// # Errors
    /// `tls.none`, `tls.read`.
    pub fn authority_pem(&self) -> Result<String> {
        let path = self.authority();
        String::from_utf8(self.read(&path)?).map_err(|e| unread(&path, e.to_string()))
    }

    /// Refuses keys that others may read.
    ///
    /// # Errors
    /// `tls.none`, `tls.read`, `key.rights`.
    pub fn check_rights(&self) -> Result<()> {
        self.read(&self.authority())?;
        for path in [self.authority_key(), self.server_key()] {
            owner_only(&path, &std::fs::metadata(&path).map_err(|e| unread(&path, e.to_string()))?)?;
        }
        Ok(())
    }

    fn read(&self, path: &Path) -> Result<Vec<u8>> {
        std::fs::read(path).map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound => {
                Problem::new("tls.none", format!("there is no authority in {}", self.0.display()))
                    .next("make one with `opsole tls init --name HOST`, or name a certificate with `--tls-cert`")
            }
            _ => unread(path, e.to_string()),
        })
    }

    fn make(&self) -> Result<()> {
        let made = || -> std::io::Result<()> {
            if let Some(state) = self.0.parent() {
                std::fs::create_dir_all(state)?;
            }
            if self.0.is_dir() {
                return Ok(());
            }
            let builder = &mut std::fs::DirBuilder::new();
            #[cfg(unix)]
            std::os::unix::fs::DirBuilderExt::mode(builder, 0o700);
            builder.create(&self.0)
        };
        made().map_err(|e| unwritten(&self.0, e.to_string()))
    }

    fn keep(&self, server: &Made) -> Result<()> {
        write(&self.server_key(), server.key.as_bytes(), 0o600)?;
        write(&self.server(), server.certificate.as_bytes(), 0o644)
    }
}

fn secret(path: &Path) -> Result<Zeroizing<String>> {
    owner_only(path, &std::fs::metadata(path).map_err(|e| unread(path, e.to_string()))?)?;
    std::fs::read_to_string(path).map(Zeroizing::new).map_err(|e| unread(path, e.to_string()))
}

fn unread(path: &Path, detail: String) -> Problem {
    Problem::new("tls.read", format!("can't read {}", path.display()))
        .detail(detail)
        .next("see that the file is there and that you may read it")
}

fn unwritten(path: &Path, detail: String) -> Problem {
    Problem::new("tls.write", format!("can't write {}", path.display()))
        .detail(detail)
        .next("check the folder's rights and the space on its disk")
}

/// Writes a file as a whole or not at all: a running controller reads it while it is renewed.
fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    let part = path.with_extension(format!("{}.part", path.extension().and_then(|e| e.to_str()).unwrap_or_default()));
    let write = || -> std::io::Result<()> {
        // One that an interrupted call left behind may have other rights.
        if part.exists() {
            std::fs::remove_file(&part)?;
        }
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
        #[cfg(not(unix))]
        let _ = mode;
        let mut file = options.open(&part)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&part, path)
    };
    write().map_err(|e| unwritten(path, e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn hosts(names: &[&str]) -> Vec<Host> {
        names.iter().map(|name| name.parse().expect("a host")).collect()
    }

    /// Catches a renewal that forgets a host, changes the pin unasked or reaches for another authority, keys that others
    /// can read, and an authority that is overwritten.
    #[test]
    fn a_folder_is_made_once_and_renewed() {
        let state = tempfile::tempdir().expect("a folder");
        let folder = TlsFolder::of(&state.path().join("new"));
        assert_eq!(folder.about().expect_err("nothing there").code, "tls.none");
        let now = NOW + jiff::SignedDuration::from_hours(24 * 365 * 50);
        let first = folder.create(&hosts(&["Opsole.contoso.com", "192.0.2.7", "::1"]), now).expect("made");
        assert_eq!(first.hosts, ["opsole.contoso.com", "192.0.2.7", "::1"]);
        assert_eq!(first.ends.duration_since(now), jiff::SignedDuration::from_hours(24 * net::SERVER_DAYS));
        assert_eq!(folder.create(&hosts(&["a"]), now).expect_err("there already").code, "tls.exists");

        let later = now + jiff::SignedDuration::from_hours(24 * 380);
        assert_eq!((first.ends_soon(now), first.ends_soon(later)), (None, Some(17)));
        let second = folder.renew(false, later).expect("renewed");
        assert_eq!((&second.hosts, second.pin, &second.issuer), (&first.hosts, first.pin, &first.issuer));
        assert_ne!(second.sha256, first.sha256);
        let third = folder.renew(true, later).expect("renewed");
        assert_ne!(third.pin, first.pin);
        net::server_config(&folder.server(), &folder.server_key()).expect("both fit");
        folder.check_rights().expect("the owner's");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::set_permissions(folder.server_key(), std::fs::Permissions::from_mode(0o644)).expect("rights");
            assert_eq!(folder.check_rights().expect_err("readable").code, "key.rights");
            assert_eq!(folder.renew(false, later).expect_err("readable").code, "key.rights");
        }
    }
}
