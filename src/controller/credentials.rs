//! Who an agent is: one-time enrolment tokens and device tokens. The store has only their SHA-256.
//!
//! A token is `<device>.<64 hexadecimal digits>`: the name finds the hash, the digits prove it. An enrolment
//! token is spent when the device token that it gave is first used, so that a lost answer can be asked again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::model::{DeviceName, Digest, Problem, Retry};
use crate::port::{Result, Store};

/// What is known of one device's tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Known {
    enrolment: Option<Digest>,
    device: Option<Digest>,
}

/// The tokens of all devices.
pub(super) struct Credentials {
    store: Arc<dyn Store>,
    known: Mutex<BTreeMap<DeviceName, Known>>,
}

impl Credentials {
    pub(super) fn load(store: Arc<dyn Store>) -> Result<Self> {
        let known = store.agents()?.into_iter().map(|(device, text)| (device, parse(&text))).collect();
        Ok(Self { store, known: Mutex::new(known) })
    }

    /// Makes a new enrolment token; the device token stays good.
    pub(super) fn issue_enrolment(&self, device: &DeviceName) -> Result<String> {
        let token = random_token(device)?;
        self.change(device, |known| known.enrolment = Some(Digest::of(token.as_bytes())))?;
        Ok(token)
    }

    /// Gives a device token for an enrolment token; none where the token isn't good.
    pub(super) fn enrol(&self, device: &DeviceName, token: &str) -> Result<Option<String>> {
        if !self.known(device).is_some_and(|known| matches(known.enrolment, token)) {
            return Ok(None);
        }
        let issued = random_token(device)?;
        self.change(device, |known| known.device = Some(Digest::of(issued.as_bytes())))?;
        Ok(Some(issued))
    }

    /// Returns the device that a device token belongs to.
    pub(super) fn authenticate(&self, token: &str) -> Result<Option<DeviceName>> {
        let Some((name, _)) = token.rsplit_once('.') else { return Ok(None) };
        let device = DeviceName::new(name);
        let Some(known) = self.known(&device).filter(|known| matches(known.device, token)) else { return Ok(None) };
        if known.enrolment.is_some() {
            self.change(&device, |known| known.enrolment = None)?;
        }
        Ok(Some(device))
    }

    /// Makes both tokens of a device void; returns whether it had one.
    pub(super) fn revoke(&self, device: &DeviceName) -> Result<bool> {
        if self.known(device).is_none() {
            return Ok(false);
        }
        self.change(device, |known| *known = Known::default())?;
        Ok(true)
    }

    fn known(&self, device: &DeviceName) -> Option<Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).get(device).copied()
    }
    fn change(&self, device: &DeviceName, change: impl FnOnce(&mut Known)) -> Result<()> {
        let mut all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut known = all.get(device).copied().unwrap_or_default();
        change(&mut known);
        self.store.set_agent(device, &text(known))?;
        all.insert(device.clone(), known);
        Ok(())
    }
}

/// Compares without giving away by its time how much was right.
fn matches(known: Option<Digest>, token: &str) -> bool {
    let (Some(known), given) = (known, Digest::of(token.as_bytes())) else { return false };
    let (a, b) = (known.to_string(), given.to_string());
    a.bytes().zip(b.bytes()).fold(0, |different, (a, b)| different | (a ^ b)) == 0
}

fn random_token(device: &DeviceName) -> Result<String> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).map_err(|e| {
        Problem::new("agent.no-randomness", "the system gives no random numbers")
            .next("apply again; a token is never made without them")
            .retry(Retry::Soon)
            .detail(e.to_string())
    })?;
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("{device}.{digits}"))
}

fn text(known: Known) -> String {
    let part = |digest: Option<Digest>| digest.map(|digest| digest.to_string()).unwrap_or_default();
    format!("enrolment={} device={}", part(known.enrolment), part(known.device))
}

fn parse(text: &str) -> Known {
    let mut known = Known::default();
    for part in text.split(' ') {
        match part.split_once('=') {
            Some(("enrolment", digest)) => known.enrolment = digest.parse().ok(),
            Some(("device", digest)) => known.device = digest.parse().ok(),
            _ => {}
        }
    }
    known
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::MemoryStore;

    /// Catches an enrolment token that works twice, and tokens that are lost with the process.
    #[test]
    fn enrolment_is_spent_by_the_first_use() {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        let (device, other) = (DeviceName::new("LON.IT-1"), DeviceName::new("D-2"));
        let credentials = Credentials::load(Arc::clone(&store)).expect("a store");
        let enrolment = credentials.issue_enrolment(&device).expect("a token");
        assert!(credentials.enrol(&other, &enrolment).expect("an answer").is_none());
        let lost = credentials.enrol(&device, &enrolment).expect("an answer").expect("a token");
        // The answer was lost: the device asks again.
        let token = credentials.enrol(&device, &enrolment).expect("an answer").expect("a token");
        assert_eq!(credentials.authenticate(&lost).expect("an answer"), None);

        let later = Credentials::load(Arc::clone(&store)).expect("a store");
        assert_eq!(later.authenticate(&token).expect("an answer"), Some(device.clone()));
        assert!(later.enrol(&device, &enrolment).expect("an answer").is_none(), "spent");
        for wrong in ["", ".", "LON.IT-1.", &enrolment, &token[..token.len() - 1]] {
            assert_eq!(later.authenticate(wrong).expect("an answer"), None);
        }
        assert!(!store.agents().expect("agents")[&device].contains(&token[device.as_str().len() + 1..]));
    }
}
