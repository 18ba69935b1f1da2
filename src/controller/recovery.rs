//! Passwords of recovery administrators: made for one device, kept encrypted, shown with a reason, and retired once the
//! device needs none any more.

use std::sync::Arc;

use jiff::Timestamp;
use zeroize::Zeroizing;

use crate::audit::{Fact, Note, RecoveryShown};
use crate::model::{DeviceName, Problem, RECOVERY_ACCOUNT, RecoveryPassword, Retry, RunId};
use crate::port::{RecoveryRow, Result, Store, Vault};
use crate::state::Outcome;

/// Characters of a password that nobody takes for one another on paper. 24 of them are 138 bits.
const ALPHABET: &[u8; 55] = b"ABCDEFGHJKMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz23456789";
/// Length of a password, in characters.
const LENGTH: usize = 24;
/// Bytes below this are a whole number of alphabets; others are drawn again, so that no character is likelier.
const FAIR: usize = 256 / ALPHABET.len() * ALPHABET.len();
/// Draws before the source of random numbers counts as broken. One in forty passwords lacks a kind of character.
const DRAWS_MAX: u32 = 100;

/// Fills bytes with random ones.
pub type Randomness = dyn Fn(&mut [u8]) -> Result<()> + Send + Sync;

/// The recovery passwords of a state folder.
#[derive(Clone)]
pub struct Recovery {
    store: Arc<dyn Store>,
    vault: Arc<dyn Vault>,
    randomness: Arc<Randomness>,
}

impl Recovery {
    /// Takes store and vault of a state folder, and the system's random numbers.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, vault: Arc<dyn Vault>) -> Self {
        Self { store, vault, randomness: Arc::new(system) }
    }

    /// The same with another source of random numbers.
    #[must_use]
    pub fn with_randomness(self, randomness: Arc<Randomness>) -> Self {
        Self { randomness, ..self }
    }

    /// Returns the password of a device: the one that is kept, or a new one that is kept before it is returned. It stays
    /// the same until it is retired, so that an order that is asked for twice holds the same.
    ///
    /// # Errors
    /// `store.*`, `vault.*`; `recovery.no-randomness`.
    pub fn password(&self, run: RunId, device: &DeviceName, at: Timestamp) -> Result<RecoveryPassword> {
        let kept = match self.store.recovery(device)? {
            Some(kept) => kept,
            None => {
                let password = generate(&*self.randomness)?;
                let locked = self.vault.lock(&about(run, device), password.expose().as_bytes())?;
                let account = RECOVERY_ACCOUNT.to_owned();
                // Whoever was first at it has made the one that counts.
                self.store.set_recovery(&RecoveryRow { device: device.clone(), run, account, made: at, locked })?
            }
        };
        self.open(&kept)
    }

    /// Returns what is kept for a device; the password stays encrypted in it.
    ///
    /// # Errors
    /// `store.*`.
    pub fn kept(&self, device: &DeviceName) -> Result<Option<RecoveryRow>> {
        self.store.recovery(device)
    }

    /// Returns a device's password for somebody to see. The list of what was done tells it before it is returned.
    ///
    /// # Errors
    /// `recovery.none` where there is none; `store.*`, `vault.*`, `audit.*`.
    pub fn show(&self, device: &DeviceName, reason: &str, at: Timestamp, actor: &str) -> Result<RecoveryPassword> {
        let kept = self.kept(device)?.ok_or_else(|| none(device))?;
        let password = self.open(&kept)?;
        let shown = RecoveryShown { device: device.clone(), run: kept.run, reason: reason.to_owned() };
        let fact = Fact::RecoveryPasswordShown(shown);
        self.store.add_audit(&[Note { at, actor: actor.to_owned(), fact }])?;
        Ok(password)
    }

    fn open(&self, kept: &RecoveryRow) -> Result<RecoveryPassword> {
        let plain = self.vault.unlock(&about(kept.run, &kept.device), &kept.locked)?;
        let text = std::str::from_utf8(&plain).map_err(|_| {
            Problem::new("vault.key", format!("the recovery password of {} isn't text", kept.device))
                .next("restore `.opsole/` from a backup")
        })?;
        Ok(RecoveryPassword::new(text.to_owned()))
    }
}

/// Says that no password is kept for a device.
#[must_use]
pub fn none(device: &DeviceName) -> Problem {
    Problem::new("recovery.none", format!("no recovery password is kept for {device}")).next(
        "it is made when a device is armed, and gone once the device is done; `opsole status --device NAME` shows how \
         far the device came",
    )
}

/// Says what a password belongs to, so that none can be put in another device's place.
fn about(run: RunId, device: &DeviceName) -> String {
    format!("opsole-recovery/1 {run} {device}")
}

/// Forgets the password of a device that is complete or as it was, and whose latest evidence says that the
/// administrator is gone. Everywhere else somebody may still need it.
///
/// # Errors
/// `store.*`.
pub(super) fn retire(store: &dyn Store, device: &DeviceName, outcome: &Outcome) -> Result<()> {
    if !matches!(outcome, Outcome::Complete | Outcome::Undone(_)) || store.recovery(device)?.is_none() {
        return Ok(());
    }
    let gone = store.evidence_of(device)?.is_some_and(|evidence| !evidence.facts.staging.recovery_admin_proven);
    if gone { store.retire_recovery(device) } else { Ok(()) }
}

fn broken(detail: &str) -> Problem {
    Problem::new("recovery.no-randomness", "the system gives no random numbers for a recovery password")
        .detail(detail)
        .next("apply again; a password is never made without them")
        .retry(Retry::Soon)
}

fn system(bytes: &mut [u8]) -> Result<()> {
    getrandom::fill(bytes).map_err(|e| broken(&e.to_string()))
}

fn generate(randomness: &Randomness) -> Result<RecoveryPassword> {
    let mut bytes = Zeroizing::new([0_u8; 2 * LENGTH]);
    for _ in 0..DRAWS_MAX {
        randomness(bytes.as_mut())?;
        let fair = bytes.iter().map(|byte| usize::from(*byte)).filter(|byte| *byte < FAIR);
        let mut text = String::with_capacity(LENGTH);
        text.extend(fair.take(LENGTH).map(|byte| char::from(ALPHABET[byte % ALPHABET.len()])));
        let password = RecoveryPassword::new(text);
        if password.expose().len() == LENGTH && password.fits_policy(RECOVERY_ACCOUNT).is_ok() {
            return Ok(password);
        }
    }
    Err(broken("what it gives isn't random"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Mutex;

    use uuid::Uuid;

    use super::*;
    use crate::dag::fixture::{Fleet, Join};
    use crate::model::Scenario;
    use crate::state::Evidence;
    use crate::store::{FileVault, MemoryStore};

    struct Rig {
        _folder: tempfile::TempDir,
        store: Arc<MemoryStore>,
        recovery: Recovery,
    }

    fn rig() -> Rig {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Arc::new(MemoryStore::new());
        let vault = Arc::new(FileVault::own(folder.path()).expect("a vault"));
        Rig { recovery: Recovery::new(store.clone(), vault), store, _folder: folder }
    }
    fn run(number: u128) -> RunId {
        RunId(Uuid::from_u128(number))
    }
    const AT: Timestamp = Timestamp::UNIX_EPOCH;

    /// Catches a password that changes between two orders, that two devices share, or that lies in the store in clear.
    #[test]
    fn each_device_has_one_password() {
        let Rig { store, recovery, .. } = rig();
        let (one, two) = (DeviceName::new("D-1"), DeviceName::new("D-2"));
        let first = recovery.password(run(1), &one, AT).expect("a password");
        assert_eq!(recovery.password(run(2), &one, AT).expect("a password"), first, "until it is retired");
        assert_ne!(recovery.password(run(1), &two, AT).expect("a password"), first);
        let kept = store.recovery(&one).expect("a read").expect("a row");
        assert_eq!((kept.run, kept.account.as_str()), (run(1), RECOVERY_ACCOUNT));
        assert!(!kept.locked.windows(6).any(|part| first.expose().as_bytes().starts_with(part)));
        // Somebody with the database in hand gives one device's password to another.
        store.retire_recovery(&two).expect("a write");
        drop(store.set_recovery(&RecoveryRow { device: two.clone(), ..kept }).expect("a write"));
        assert_eq!(recovery.password(run(1), &two, AT).expect_err("another device's").code, "vault.key");
    }

    /// Catches a password that is shown and nobody is told of, or told of with the password.
    #[test]
    fn showing_is_told() {
        let Rig { store, recovery, .. } = rig();
        let device = DeviceName::new("D-1");
        assert_eq!(recovery.show(&device, "INC-1", AT, "jane@desk").expect_err("none").code, "recovery.none");
        assert!(store.audit().expect("a list").is_empty());
        let password = recovery.password(run(1), &device, AT).expect("a password");
        assert_eq!(recovery.show(&device, "INC-1", AT, "jane@desk").expect("a password"), password);
        let list = store.audit().expect("a list");
        let fact = list[0].entry().expect("an entry").fact;
        let shown = RecoveryShown { device, run: run(1), reason: "INC-1".to_owned() };
        assert_eq!(fact, Fact::RecoveryPasswordShown(shown));
        assert!(!format!("{list:?}").contains(password.expose()));
    }

    /// Catches a password that is weak, guessable from its place, or made by a source that gives the same for ever.
    #[test]
    fn passwords_are_random() {
        let next = Mutex::new(fastrand::Rng::with_seed(1));
        let randomness = move |bytes: &mut [u8]| {
            next.lock().expect("a lock").fill(bytes);
            Ok(())
        };
        let made: BTreeSet<String> =
            (0..500).map(|_| generate(&randomness).expect("a password").expose().to_owned()).collect();
        assert_eq!(made.len(), 500);
        let used: BTreeSet<char> = made.iter().flat_map(|text| text.chars()).collect();
        assert_eq!(used.len(), ALPHABET.len(), "every character comes up");
        assert!(made.iter().all(|text| text.len() == LENGTH));
        for constant in [0, 255] {
            let stuck = move |bytes: &mut [u8]| {
                bytes.fill(constant);
                Ok(())
            };
            assert_eq!(generate(&stuck).expect_err("not random").code, "recovery.no-randomness");
        }
    }

    /// Catches a password that is forgotten while somebody may need it, and one that is kept for ever.
    #[test]
    fn it_is_retired_when_nobody_needs_it() {
        let Rig { store, recovery, .. } = rig();
        let device = DeviceName::new("D-1");
        let trouble = || Problem::new("device.x", "x");
        drop(recovery.password(run(1), &device, AT).expect("a password"));
        for outcome in
            [Outcome::RecoveryRequired(trouble()), Outcome::PendingVerification(trouble()), Outcome::Complete]
        {
            // No evidence: nobody knows whether the administrator is gone.
            retire(&*store, &device, &outcome).expect("a write");
            assert!(store.recovery(&device).expect("a read").is_some(), "{outcome:?}");
        }
        let mut facts = Fleet::new(Scenario::HybridToEntra, Join::Hybrid, 1).facts(0).clone();
        let outcomes = [
            (Outcome::RecoveryRequired(trouble()), false),
            (Outcome::PendingVerification(trouble()), false),
            (Outcome::Undone(trouble()), true),
            (Outcome::Complete, true),
        ];
        for proven in [true, false] {
            facts.staging.recovery_admin_proven = proven;
            let evidence = Evidence { at: AT, facts: facts.clone(), survey: None };
            store.set_evidence(&device, &evidence).expect("a write");
            for (outcome, done) in &outcomes {
                drop(recovery.password(run(1), &device, AT).expect("a password"));
                retire(&*store, &device, outcome).expect("a write");
                let kept = store.recovery(&device).expect("a read").is_some();
                assert_eq!(kept, proven || !done, "{outcome:?}, the administrator is there: {proven}");
            }
        }
    }
}
