//! The management that the device is enrolled in.

use jiff::Timestamp;

use super::super::{Inner, Result, tables};
use crate::model::Mdm;
use crate::windows::machine::{Certificate, Key};

/// One enrolment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::windows::device) struct Enrolment {
    /// Its id: the name of its key.
    pub id: String,
    /// Who manages.
    pub provider: String,
}

impl Inner {
    /// Returns the enrolments: keys with the address of a management (domain.md B1.1). Windows' own ones have none.
    pub(in crate::windows::device) fn enrolments(&self) -> Result<Vec<Enrolment>> {
        let root = Key::machine(tables::ENROLMENTS);
        let mut found = Vec::new();
        for id in self.machine.keys(&root)?.unwrap_or_default() {
            let key = root.join(&id).path;
            if self.text(&key, "DiscoveryServiceFullURL")?.is_none() {
                continue;
            }
            let provider = self.text(&key, "ProviderID")?.unwrap_or_default();
            found.push(Enrolment { id, provider });
        }
        Ok(found)
    }
    /// Returns the certificates of Intune.
    pub(in crate::windows::device) fn intune_certificates(&self) -> Result<Vec<Certificate>> {
        let all = self.machine.certificates()?;
        Ok(all.into_iter().filter(|certificate| certificate.issuer.contains(tables::INTUNE_ISSUER)).collect())
    }
    /// The management: Intune's enrolment where there is one, else another one that holds.
    pub(super) fn mdm(&self) -> Result<Option<Mdm>> {
        let mut live = Vec::new();
        for enrolment in self.enrolments()? {
            // 1 is enrolled; others failed or were removed, and only their key is left (domain.md B1.1).
            let key = Key::machine(tables::ENROLMENTS).join(&enrolment.id).path;
            if self.number(&key, "EnrollmentState")?.is_none_or(|state| state == 1) {
                live.push((enrolment, key));
            }
        }
        let intune = live.iter().find(|(enrolment, _)| enrolment.provider == Mdm::INTUNE);
        let Some((enrolment, key)) = intune.or_else(|| live.first()) else { return Ok(None) };
        let is_intune = enrolment.provider == Mdm::INTUNE;
        // Its own certificate is named in the key \[K]; Intune's newest one where it isn't.
        let thumbprint = self.text(key, "DMPCertThumbPrint")?.unwrap_or_default().to_lowercase();
        let all = self.machine.certificates()?;
        let own = all.iter().find(|certificate| certificate.thumbprint == thumbprint);
        let newest =
            all.iter().filter(|c| is_intune && c.issuer.contains(tables::INTUNE_ISSUER)).max_by_key(|c| c.from);
        let certificate = own.or(newest);
        let subject = certificate.and_then(|c| c.subject.split("CN=").nth(1)?.split([',', '+']).next());
        Ok(Some(Mdm {
            provider: enrolment.provider.clone(),
            // `AADTenantID` \[K].
            tenant: self.text(key, "AADTenantID")?.filter(|_| is_intune).and_then(|text| text.parse().ok()),
            device: subject.filter(|_| is_intune).and_then(|text| text.trim().parse().ok()),
            // Without a certificate nobody can say since when; old is the safe word, since only new ones count as done.
            since: certificate.map_or(Timestamp::UNIX_EPOCH, |certificate| certificate.from),
        }))
    }
}
