//! Laws of every action, on a Windows in memory: done twice is done once, cut off anywhere and repeated is done once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use uuid::Uuid;

use super::{Options, WindowsDevice};
use crate::model::{Digest, LocalMembership, RecoveryPassword, RunId, Sid, UserId};
use crate::port::DeviceAction;
use crate::windows::machine::{Key, Value};
use crate::windows::memory::{Ids, Memory};

const PASSWORD: &str = "Correct7Horse8Battery9";
const PACKAGE: &[u8] = b"a bulk token nobody may see";

struct Rig {
    memory: Arc<Memory>,
    device: WindowsDevice,
}

impl Rig {
    fn new() -> Self {
        let memory = Arc::new(Memory::sample(&Ids::default()));
        memory.with(|state| {
            // Somebody else, whose names and profile aren't to be touched.
            let cache = Key::machine(super::tables::IDENTITY_CACHE).join(other().as_str());
            state.put_value(&cache, "UserName", Value::Sz("bert@corp.example".to_owned()));
            let profile = Key::machine(super::tables::PROFILE_LIST).join(other().as_str());
            state.put_value(&profile, "ProfileImagePath", Value::ExpandSz(r"%SystemDrive%\Users\bert".to_owned()));
            state.put_file(r"C:\Users\bert\NTUSER.DAT", b"hive");
        });
        let options = Options { pause: Duration::ZERO, looks: 2, ..Options::default() };
        Self { device: WindowsDevice::with_options(Arc::<Memory>::clone(&memory), options), memory }
    }
    fn after(actions: &[DeviceAction]) -> Self {
        let rig = Self::new();
        // An agent asks for it first of all. A number that is made and cut off is skipped, which is no other end.
        rig.device.inner.boot_number().expect("a number");
        for action in actions {
            rig.perform(action).unwrap_or_else(|problem| panic!("{action:?}: {problem}"));
        }
        rig
    }
    fn perform(&self, action: &DeviceAction) -> super::Result<()> {
        self.device.inner.apply(action)
    }
    /// What a restart finds, without the notes: those say what was tried.
    fn end(&self) -> BTreeMap<String, String> {
        let mut all = self.memory.dump();
        all.retain(|name, _| !name.ends_with("before.jsonl"));
        all
    }
}

fn other() -> Sid {
    "S-1-5-21-3623811015-3361044348-30300820-1105".parse().expect("a SID")
}
fn admins() -> Sid {
    "S-1-5-32-544".parse().expect("a SID")
}
fn new_sid() -> Sid {
    Sid::of_entra_user(UserId(Uuid::from_u128(2)))
}
fn stage() -> DeviceAction {
    DeviceAction::Stage { run: RunId(Uuid::from_u128(1)), profile: Ids::default().user }
}
fn arm() -> DeviceAction {
    DeviceAction::Arm { suspend_reboots: 2, recovery: Some(RecoveryPassword::new(PASSWORD.to_owned())) }
}
fn place() -> DeviceAction {
    let content = base64::engine::general_purpose::STANDARD.encode(PACKAGE);
    DeviceAction::PlacePackage { name: "p".into(), sha256: Digest::of(PACKAGE), content: content.into() }
}
fn clean_up() -> DeviceAction {
    DeviceAction::CleanUp { keep_recovery_admin: false }
}

/// Every action, each after what comes before it in a move.
fn stories() -> Vec<(Vec<DeviceAction>, DeviceAction)> {
    let ids = Ids::default();
    let member = |member: Sid| vec![LocalMembership { group: admins(), member }];
    let moved = || vec![stage(), arm(), place(), DeviceAction::UnjoinDomain, DeviceAction::LeaveEntra];
    vec![
        (vec![], stage()),
        (vec![stage()], arm()),
        (vec![stage(), arm()], DeviceAction::Disarm),
        (vec![stage()], DeviceAction::Unstage),
        (vec![stage(), arm()], DeviceAction::RestoreLogonSurface),
        (vec![], DeviceAction::EnsureRecoveryProtector),
        (vec![], DeviceAction::EscrowProtector(ids.key)),
        (vec![stage()], DeviceAction::UnjoinDomain),
        (vec![stage()], DeviceAction::LeaveEntra),
        (vec![stage()], DeviceAction::RemoveMdm),
        (vec![], DeviceAction::RemoveConfigmgr),
        (vec![], DeviceAction::SyncMdm),
        (vec![stage()], place()),
        (vec![stage(), place()], DeviceAction::WipePackage),
        (moved(), DeviceAction::InstallPackage("p".into())),
        (vec![], DeviceAction::AddLocalMembers(member(new_sid()))),
        (vec![], DeviceAction::RemoveLocalMembers(member(ids.user.clone()))),
        (vec![], DeviceAction::CleanIdentity(ids.user)),
        (moved(), clean_up()),
    ]
}

/// Catches an action that does something else the second time: agents repeat what they aren't sure of.
#[test]
fn twice_is_once() {
    for (before, action) in stories() {
        let rig = Rig::after(&before);
        rig.perform(&action).unwrap_or_else(|problem| panic!("{action:?}: {problem}"));
        let once = rig.end();
        rig.perform(&action).unwrap_or_else(|problem| panic!("{action:?} again: {problem}"));
        assert_eq!(rig.end(), once, "{action:?}");
    }
}

/// Catches an action that ends elsewhere when one call of Windows fails or the agent is killed in it, and is then
/// repeated; and one that takes a failure for a success.
#[test]
fn cut_off_anywhere_and_repeated_is_once() {
    for (before, action) in stories() {
        let rig = Rig::after(&before);
        rig.memory.forget_calls();
        rig.perform(&action).unwrap_or_else(|problem| panic!("{action:?}: {problem}"));
        let (calls, end) = (rig.memory.calls(), rig.end());
        for killed in [false, true] {
            for n in 1..=u64::try_from(calls.len()).expect("few") {
                let rig = Rig::after(&before);
                if killed {
                    rig.memory.die_after(n)
                } else {
                    rig.memory.fail_at(n)
                }
                let outcome = rig.perform(&action);
                let struck = rig.memory.heal();
                if killed && !struck {
                    break;
                }
                let at = format!(
                    "{action:?}, killed {killed}, call {n}: {:?}",
                    calls.get(usize::try_from(n - 1).expect("small"))
                );
                assert!(outcome.is_err() || rig.end() == end, "{at}: a failure that counts as done");
                rig.perform(&action).unwrap_or_else(|problem| panic!("{at}: {problem}"));
                let now = rig.end();
                let other: Vec<_> = now.iter().filter(|(name, value)| end.get(*name) != Some(*value)).collect();
                let gone: Vec<_> = end.keys().filter(|name| !now.contains_key(*name)).collect();
                assert!(other.is_empty() && gone.is_empty(), "{at}: {other:?}, gone {gone:?}");
            }
        }
    }
}

/// Catches a trace of an aborted move: a value, a service, an account or a folder that stays.
#[test]
fn there_and_back_leaves_nothing() {
    for way_back in [vec![DeviceAction::Disarm, DeviceAction::Unstage], vec![clean_up()]] {
        let rig = Rig::new();
        let before = rig.memory.dump();
        for action in [stage(), arm()].iter().chain(&way_back) {
            rig.perform(action).unwrap_or_else(|problem| panic!("{action:?}: {problem}"));
        }
        assert_eq!(rig.memory.dump(), before);
    }
}

/// Catches a sign-in screen that is put back by deleting: the company's own notice, a provider that was off before,
/// values that weren't there.
#[test]
fn the_sign_in_screen_is_put_back_as_it_was() {
    let system = Key::machine(super::tables::POLICIES_SYSTEM);
    for caption in [None, Some(Value::ExpandSz("Corp".to_owned())), Some(Value::Other(0, vec![1, 2]))] {
        let rig = Rig::new();
        rig.memory.with(|state| {
            state.drop_key(&system);
            if let Some(value) = &caption {
                state.put_value(&system, "legalnoticecaption", value.clone());
            }
        });
        let before = rig.memory.dump();
        for action in [stage(), arm(), arm(), DeviceAction::RestoreLogonSurface, arm(), DeviceAction::Disarm] {
            rig.perform(&action).unwrap_or_else(|problem| panic!("{action:?}: {problem}"));
        }
        rig.perform(&DeviceAction::Unstage).expect("unstaged");
        assert_eq!(rig.memory.dump(), before);
    }
}

/// Catches a password or a token in a file, a key, a note or a logged call.
#[test]
fn secrets_are_nowhere() {
    let rig = Rig::after(&[stage(), arm(), place()]);
    let token = String::from_utf8_lossy(PACKAGE).into_owned();
    for (name, value) in rig.memory.dump() {
        assert!(!value.contains(PASSWORD), "{name}");
        assert!(!value.contains(&token) || name.ends_with("package.ppkg"), "{name}");
    }
    assert!(rig.memory.calls().iter().all(|call| !call.contains(PASSWORD) && !call.contains(&token)));
    rig.perform(&DeviceAction::WipePackage).expect("wiped");
    assert!(rig.memory.dump().values().all(|value| !value.contains(&token)));
}

/// Catches a whole move that touches what belongs to somebody else.
#[test]
fn other_people_are_left_alone() {
    let about = |rig: &Rig| -> Vec<_> {
        let wanted = other().as_str().to_lowercase();
        let all = rig.memory.dump().into_iter();
        all.filter(|(name, _)| name.contains(&wanted) || name.contains(r"\bert")).collect()
    };
    let rig = Rig::new();
    let before = about(&rig);
    assert!(before.len() > 3);
    let moved = [stage(), arm(), DeviceAction::UnjoinDomain, DeviceAction::LeaveEntra, DeviceAction::RemoveMdm];
    for action in moved.iter().chain(&[DeviceAction::CleanIdentity(Ids::default().user), clean_up()]) {
        rig.perform(action).unwrap_or_else(|problem| panic!("{action:?}: {problem}"));
    }
    assert_eq!(about(&rig), before);
}

/// Catches an enrolment that stays in part: the device would go on talking to its old tenant.
#[test]
fn nothing_of_the_enrolment_stays() {
    let rig = Rig::after(&[DeviceAction::RemoveMdm]);
    let id = Ids::default().enrolment.to_string();
    let left: Vec<_> = rig.memory.dump().into_keys().filter(|name| name.contains(&id)).collect();
    // The notes name what was removed; nothing else does.
    assert!(left.is_empty(), "{left:?}");
    assert!(rig.device.inner.facts().expect("facts").mdm.is_none());
    let windows = Key::machine(super::tables::ENROLMENTS).join("18DCFFD4-37D6-4BC6-87E0-4266FDBB8E49");
    assert!(crate::windows::machine::Registry::values(rig.memory.as_ref(), &windows).expect("read").is_some());
}

/// Catches boots that share a number, also where the machine stopped while the number was made.
#[test]
fn each_boot_has_its_own_number() {
    let rig = Rig::new();
    let mut seen = Vec::new();
    for writes in 1..=6 {
        rig.memory.die_after(writes);
        let told = rig.device.inner.boot_number().ok();
        rig.memory.heal();
        let again = rig.device.inner.boot_number().expect("a number");
        assert!(told.is_none_or(|told| told == again), "one boot, two numbers");
        assert!(seen.last().is_none_or(|last| *last < again), "{seen:?} then {again}");
        seen.push(again);
        rig.memory.reboot();
    }
}

/// Catches an unjoin that counts as done before the restart, or for ever as under way.
#[test]
fn leaving_lasts_until_the_restart() {
    let rig = Rig::after(&[stage(), DeviceAction::UnjoinDomain]);
    let domain = rig.device.inner.facts().expect("facts").domain.expect("still leaving");
    assert!(domain.leaving && domain.domain == "corp.example");
    rig.memory.reboot();
    assert!(rig.device.inner.facts().expect("facts").domain.is_none());
}

/// Catches a profile that is given away while somebody is in it, or that isn't the new owner's afterwards.
#[test]
fn a_profile_changes_hands_once_nobody_is_in_it() {
    let rig = Rig::after(&[stage()]);
    let old = Ids::default().user;
    let swap = DeviceAction::SwapProfile { from: old.clone(), to: new_sid(), path: r"C:\Users\anna".to_owned() };
    assert_eq!(rig.perform(&swap).expect_err("loaded").code, "device.profile-in-use");
    rig.memory.reboot();
    rig.perform(&swap).expect("given away");
    let once = rig.end();
    let facts = rig.device.inner.facts().expect("facts");
    let profile = facts.profile_of(&new_sid()).expect("the new owner's");
    assert!(profile.acl_owner == new_sid() && profile.path == r"C:\Users\anna" && facts.profile_of(&old).is_none());
    rig.perform(&swap).expect("again");
    assert_eq!(rig.end(), once);
}
