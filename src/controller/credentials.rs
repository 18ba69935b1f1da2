//! Who an agent is: what the controller knows of each device's enrolment token, device token and keys.
//!
//! The store holds public keys and hashes only: whoever reads it can't speak for a device. A device token is
//! `<device>.<64 hexadecimal digits>`: the name finds the hash, the digits prove it, and the device's signature proves
//! that whoever has the token also has the device's key. An enrolment token is spent when the device token that it gave
//! is first used, so that a lost answer can be asked again; until then it belongs to the key that used it first.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::audit::{DeviceEnrolled, DeviceRevoked, EnrolmentsIssued, Fact, Note};
use crate::model::{DeviceName, Digest, EntraDeviceId, Problem, PublicKey, Retry, WaveName};
use crate::port::{Result, Store};
use crate::trust::{BoxKey, Entropy, Purpose};
use crate::wire::{EnrolCall, EnrolRequest, EnrolmentToken, FORMAT};

/// How long an enrolment token is good where nobody says otherwise.
pub const ENROLMENT: SignedDuration = SignedDuration::from_hours(24);

/// What is known of one device.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Known {
    /// The token that it may enrol with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enrolment: Option<Enrolment>,
    /// What it proves itself with, once it enrolled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enrolled: Option<Enrolled>,
}

/// An enrolment token, as the controller knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enrolment {
    /// Public half of the key that signs the request.
    pub key: PublicKey,
    /// The wave that it is for.
    pub wave: WaveName,
    /// Until when it is good.
    pub expires: Timestamp,
    /// The serial number that the device has to have, where the plan knows one.
    pub serial: Option<String>,
    /// The registration that it has to have, where the plan knows no serial number.
    pub registration: Option<EntraDeviceId>,
    /// The key of the device that used it.
    pub used_by: Option<PublicKey>,
}

/// An enrolled device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enrolled {
    /// The key that signs its calls.
    pub key: PublicKey,
    /// The key that secrets are sealed for.
    pub boxes: BoxKey,
    /// Digest of its token.
    pub token: Digest,
    /// Since when.
    pub since: Timestamp,
    /// Version of its agent then.
    pub agent: String,
}

/// One device that is to be given a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invited {
    /// Its name.
    pub device: DeviceName,
    /// Its serial number, where it is known.
    pub serial: Option<String>,
    /// Its registration, where it is known.
    pub registration: Option<EntraDeviceId>,
}

/// Why somebody isn't let in. Told in the audit list; the caller hears the same in every case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turned {
    /// No token was issued for the device, or it was used up.
    NoToken,
    /// The request isn't signed with the token's key.
    Forged,
    /// The token ran out.
    Expired,
    /// The token is for another wave.
    OtherWave,
    /// The request names another device than the token.
    OtherDevice,
    /// The device's serial number or registration isn't the one that the token is bound to.
    OtherHardware,
    /// Another device used the token first.
    Used,
    /// The device is enrolled with another key: it was set up anew, or it isn't the device.
    AlreadyEnrolled,
}

impl Turned {
    /// Returns the reason in words.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoToken => "no token is open for this device",
            Self::Forged => "not signed with the token's key",
            Self::Expired => "the token has run out",
            Self::OtherWave => "the token is for another wave",
            Self::OtherDevice => "the request names another device than the token",
            Self::OtherHardware => "another serial number or registration than the token is bound to",
            Self::Used => "another device used the token first",
            Self::AlreadyEnrolled => "enrolled with another key already: revoke it where it was set up anew",
        }
    }
}

/// Tokens and keys of all devices.
#[derive(Clone)]
pub struct Credentials {
    store: Arc<dyn Store>,
    entropy: Arc<dyn Entropy>,
    /// Changes are read, made and written one at a time.
    changing: Arc<Mutex<()>>,
}

impl Credentials {
    /// Takes a store.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, entropy: Arc<dyn Entropy>) -> Self {
        Self { store, entropy, changing: Arc::default() }
    }

    /// Issues a token for each of some devices of a wave. Earlier ones are void; what a device enrolled with stays.
    ///
    /// # Errors
    /// `agent.no-randomness`, `store.*`.
    pub fn issue(
        &self,
        wave: &WaveName,
        devices: &[Invited],
        controller: PublicKey,
        (at, expires): (Timestamp, Timestamp),
        actor: &str,
    ) -> Result<Vec<(DeviceName, SecretString)>> {
        let _one = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut rows, mut tokens) = (Vec::with_capacity(devices.len()), Vec::with_capacity(devices.len()));
        for invited in devices {
            let token = EnrolmentToken::new(invited.device.clone(), self.random()?, controller);
            let enrolment = Enrolment {
                key: token.signer().public(),
                wave: wave.clone(),
                expires,
                serial: invited.serial.clone(),
                registration: invited.registration,
                used_by: None,
            };
            let known = Known { enrolment: Some(enrolment), ..self.known(&invited.device)? };
            rows.push((invited.device.clone(), text(&known)));
            tokens.push((invited.device.clone(), SecretString::from(token.expose().as_str())));
        }
        let issued = EnrolmentsIssued { wave: wave.clone(), devices: devices.len() as u64, expires };
        let note = Note { at, actor: actor.to_owned(), fact: Fact::EnrolmentsIssued(issued) };
        self.store.set_agents(&rows, &[note])?;
        Ok(tokens)
    }

    /// Lets a device in: returns what it asked and its new device token, or why not.
    ///
    /// # Errors
    /// `agent.newer` where the agent speaks a later version; `agent.no-randomness`, `store.*`.
    pub fn enrol(
        &self,
        call: &EnrolCall,
        wave: &WaveName,
        at: Timestamp,
    ) -> Result<std::result::Result<(EnrolRequest, SecretString), Turned>> {
        let _one = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut known = self.known(&call.device)?;
        let Some(enrolment) = known.enrolment.as_mut() else { return Ok(Err(Turned::NoToken)) };
        let Ok(request) = call.request.open::<EnrolRequest>(Purpose::Enrolment, enrolment.key) else {
            return Ok(Err(Turned::Forged));
        };
        if request.format > FORMAT {
            return Err(Problem::new("agent.newer", format!("the agent speaks format {}", request.format))
                .next("update the controller"));
        }
        if let Some(turned) = turned(enrolment, call, &request, wave, at) {
            return Ok(Err(turned));
        }
        if known.enrolled.as_ref().is_some_and(|enrolled| enrolled.key != request.key) {
            return Ok(Err(Turned::AlreadyEnrolled));
        }
        enrolment.used_by = Some(request.key);
        let token = device_token(&call.device, &self.random()?);
        known.enrolled = Some(Enrolled {
            key: request.key,
            boxes: request.boxes,
            token: Digest::of(token.as_bytes()),
            since: at,
            agent: request.agent.chars().take(64).collect(),
        });
        let fact = Fact::DeviceEnrolled(DeviceEnrolled { device: call.device.clone(), key: request.key });
        let note = Note { at, actor: call.device.to_string(), fact };
        self.store.set_agents(&[(call.device.clone(), text(&known))], &[note])?;
        Ok(Ok((request, SecretString::from(token))))
    }

    /// Returns the device of a call, where token and signature are its own; `text` is what was signed.
    ///
    /// # Errors
    /// `store.*`.
    pub fn authenticate(&self, token: &str, signed: &[u8], signature: &str) -> Result<Option<(DeviceName, Enrolled)>> {
        let Some((name, _)) = token.rsplit_once('.') else { return Ok(None) };
        let device = DeviceName::new(name);
        let known = self.known(&device)?;
        let Some(enrolled) = known.enrolled.filter(|enrolled| matches(enrolled.token, token)) else { return Ok(None) };
        if !Purpose::Call.is_signed(signed, enrolled.key, signature) {
            return Ok(None);
        }
        if known.enrolment.is_some_and(|enrolment| enrolment.used_by.is_some()) {
            let _one = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
            let mut now = self.known(&device)?;
            // Between the two looks somebody may have issued another.
            if now.enrolment.as_ref().is_some_and(|enrolment| enrolment.used_by.is_some()) {
                now.enrolment = None;
                self.store.set_agents(&[(device.clone(), text(&now))], &[])?;
            }
        }
        Ok(Some((device, enrolled)))
    }

    /// Takes a device's tokens and keys back, and returns whether it had any. It has to enrol anew.
    ///
    /// # Errors
    /// `store.*`.
    pub fn revoke(&self, device: &DeviceName, reason: &str, at: Timestamp, actor: &str) -> Result<bool> {
        let _one = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let known = self.known(device)?;
        if known == Known::default() {
            return Ok(false);
        }
        let key = known.enrolled.map(|enrolled| enrolled.key);
        let fact = Fact::DeviceRevoked(DeviceRevoked { device: device.clone(), key, reason: reason.to_owned() });
        let note = Note { at, actor: actor.to_owned(), fact };
        self.store.set_agents(&[(device.clone(), text(&Known::default()))], &[note])?;
        Ok(true)
    }

    /// Returns what is known of a device.
    ///
    /// # Errors
    /// `store.*`.
    pub fn known(&self, device: &DeviceName) -> Result<Known> {
        Ok(self.store.agent(device)?.map(|text| parse(&text)).unwrap_or_default())
    }
    /// Returns what is known of all devices that have a token or a key.
    ///
    /// # Errors
    /// `store.*`.
    pub fn all(&self) -> Result<Vec<(DeviceName, Known)>> {
        let all = self.store.agents()?.into_iter().map(|(device, text)| (device, parse(&text)));
        Ok(all.filter(|(_, known)| *known != Known::default()).collect())
    }

    fn random(&self) -> Result<[u8; 32]> {
        self.entropy.bytes().map_err(no_randomness)
    }
}

/// Returns the problem of a system without random numbers.
pub(super) fn no_randomness(why: String) -> Problem {
    Problem::new("agent.no-randomness", "the system gives no random numbers")
        .next("apply again; a token or a sealed secret is never made without them")
        .retry(Retry::Soon)
        .detail(why)
}

fn turned(
    enrolment: &Enrolment,
    call: &EnrolCall,
    request: &EnrolRequest,
    wave: &WaveName,
    at: Timestamp,
) -> Option<Turned> {
    let serial_fits = |serial: &String| serial.eq_ignore_ascii_case(request.serial.trim());
    let fits = match (&enrolment.serial, enrolment.registration) {
        (Some(serial), _) => serial_fits(serial),
        (None, Some(registration)) => request.registration == Some(registration),
        // Nothing but the name is known of the device: the token is all that there is.
        (None, None) => true,
    };
    if request.device != call.device {
        Some(Turned::OtherDevice)
    } else if at > enrolment.expires {
        Some(Turned::Expired)
    } else if enrolment.wave != *wave {
        Some(Turned::OtherWave)
    } else if !fits {
        Some(Turned::OtherHardware)
    } else if enrolment.used_by.is_some_and(|key| key != request.key) {
        Some(Turned::Used)
    } else {
        None
    }
}

/// Compares without giving away by its time how much was right.
fn matches(known: Digest, token: &str) -> bool {
    let (a, b) = (known.to_string(), Digest::of(token.as_bytes()).to_string());
    a.bytes().zip(b.bytes()).fold(0, |different, (a, b)| different | (a ^ b)) == 0
}

fn device_token(device: &DeviceName, bytes: &[u8; 32]) -> String {
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{device}.{digits}")
}

fn text(known: &Known) -> String {
    serde_json::to_string(known).expect("keys and times are JSON")
}

/// What can't be read lets nobody in: a store of an earlier version knew no keys.
fn parse(text: &str) -> Known {
    serde_json::from_str(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;
    use crate::port::SystemEntropy;
    use crate::store::MemoryStore;
    use crate::trust::{Envelope, Opener, Signer, test_signer};

    fn at(hours: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours)
    }

    fn request(signer: &Signer) -> EnrolRequest {
        EnrolRequest {
            format: FORMAT,
            device: "LON.IT-1".into(),
            serial: "pf-1".to_owned(),
            registration: None,
            agent: "test".to_owned(),
            key: signer.public(),
            boxes: Opener::from_seed([1; 32]).public(),
        }
    }

    fn call(request: &EnrolRequest, token: &EnrolmentToken) -> EnrolCall {
        let envelope = Envelope::sign(Purpose::Enrolment, request, &token.signer()).expect("JSON");
        EnrolCall { device: request.device.clone(), request: envelope }
    }

    fn issue(credentials: &Credentials) -> EnrolmentToken {
        let invited = Invited { device: "LON.IT-1".into(), serial: Some("PF-1".to_owned()), registration: None };
        let issued = credentials.issue(&"pilot".into(), &[invited], test_signer(1).public(), (at(0), at(24)), "jane");
        issued.expect("tokens")[0].1.expose_secret().parse().expect("a token")
    }

    /// Catches an enrolment token that works twice or too late, a token that is lost with the process, and a device that
    /// was set up anew and is let in without anybody's decision.
    #[test]
    fn enrolment_is_spent_by_the_first_use() {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        let credentials = Credentials::new(Arc::clone(&store), Arc::new(SystemEntropy));
        let (first, second) = (test_signer(2), test_signer(3));
        let pilot = WaveName::from("pilot");
        let enrol = |token: &EnrolmentToken, signer: &Signer, hours: i64| {
            credentials
                .enrol(&call(&request(signer), token), &pilot, at(hours))
                .expect("an answer")
                .map(|(_, token)| token)
        };
        let turned = |answer: std::result::Result<SecretString, Turned>| answer.expect_err("turned away");
        let token = issue(&credentials);
        assert_eq!(turned(enrol(&token, &first, 25)), Turned::Expired);
        let other_wave = credentials.enrol(&call(&request(&first), &token), &"london".into(), at(1));
        assert_eq!(turned(other_wave.expect("an answer").map(|(_, token)| token)), Turned::OtherWave);
        let lost = enrol(&token, &first, 1).expect("let in");
        // The answer was lost: the device asks again. Nobody else can.
        let device_token = enrol(&token, &first, 1).expect("let in again");
        assert_eq!(turned(enrol(&token, &second, 1)), Turned::Used);
        let authenticate = |token: &SecretString, signer: &Signer| {
            let signature = Purpose::Call.sign(b"text", signer);
            credentials.authenticate(token.expose_secret(), b"text", &signature).expect("an answer").is_some()
        };
        assert!(!authenticate(&lost, &first) && !authenticate(&device_token, &second));
        assert!(authenticate(&device_token, &first));
        assert_eq!(turned(enrol(&token, &first, 1)), Turned::NoToken, "spent");

        let again = issue(&credentials);
        assert_eq!(turned(enrol(&again, &second, 1)), Turned::AlreadyEnrolled, "set up anew, and nobody decided");
        assert!(authenticate(&device_token, &first), "a token that is open takes nothing from the device");
        assert!(credentials.revoke(&"LON.IT-1".into(), "set up anew", at(2), "jane").expect("revoked"));
        assert!(!authenticate(&device_token, &first), "at once");
        assert_eq!(turned(enrol(&again, &second, 1)), Turned::NoToken, "the open token went with it");
        let fresh = issue(&credentials);
        let new = enrol(&fresh, &second, 3).expect("let in");
        assert!(authenticate(&new, &second));
        let kept = &store.agents().expect("agents")[&"LON.IT-1".into()];
        for secret in [new.expose_secret(), &fresh.expose()] {
            let digits = secret.rsplit('.').next().expect("digits");
            assert!(!kept.contains(digits) || secret.starts_with("opsole1"), "{kept}");
        }
        let links = store.audit().expect("the list");
        assert!(links.iter().filter(|link| link.kind == "device-enrolled").count() == 3);
    }
}
