//! Problems with devices, their profiles and what blocks them.

use super::problem::{OwnProblem, row};

const EVIDENCE: &str = "see that its agent runs and reports, then plan again";
const RECORD: &str = "look at the device: another tool removed what the move put there";

pub(super) static TABLE: &[OwnProblem] = &[
    row(
        "device.ambiguous",
        "several records claim this device",
        "remove or rename the stale ones, or give the inventory its serial number",
    ),
    row("device.bitlocker", "the encryption of the system volume refused something", "explain the code in the detail"),
    row(
        "device.bitlocker-converting",
        "the volume is being encrypted or decrypted",
        "wait until that has ended, then let the agent report again",
    ),
    row(
        "device.configmgr",
        "the ConfigMgr client is still there after its removal",
        "look at ccmsetup's log on the device",
    ),
    row(
        "device.domain-controller",
        "the device is a domain controller, and those are never touched",
        "take it out of the inventory",
    ),
    row("device.down", "the device is restarting", "wait: it is asked again"),
    row(
        "device.entra-object-left",
        "the old computer is retired, and the synchronisation hasn't taken the Entra half of it yet",
        "see that Microsoft Entra Connect runs and that the computer's organizational unit is in its scope; don't delete the \
         Entra object by hand",
    ),
    row(
        "device.entra-object-missing",
        "the tenant has no object for the device's registration any more",
        "find out who removed it and restore it",
    ),
    row(
        "device.entra-object-pending",
        "the device's object in the tenant was deleted and made again by the synchronisation, without its keys",
        "let the device register again and back its recovery keys up, then plan again",
    ),
    row("device.exclusion-unknown", "whether an exclusion covers the device couldn't be found out", EVIDENCE),
    row(
        "device.exit-criteria",
        "an exit criterion isn't met on the moved device",
        "mend what is named, then apply the wave again",
    ),
    row("device.home-edition", "Windows Home can't join Microsoft Entra ID", "upgrade it, or exclude it"),
    row("device.internal", "the device's own thread ended early", "report this as a bug"),
    row(
        "device.join-refused",
        "the device couldn't join; the code in the detail says why",
        "explain that code: `opsole explain CODE`",
    ),
    row(
        "device.join-unsupported",
        "the device is joined in a way that this scenario doesn't move",
        "put it into the plan of its scenario, or exclude it",
    ),
    row("device.no-evidence", "no agent has reported from the device", EVIDENCE),
    row(
        "device.no-new-registration",
        "the device hasn't reported its new registration",
        "see that it is on and its agent runs, then apply the wave again",
    ),
    row(
        "device.no-protector",
        "the volume is encrypted and has no recovery protector",
        "add a recovery password protector, then apply the wave again",
    ),
    row(
        "device.no-recovery",
        "there is no recovery administrator whose password was proven",
        "apply the wave again with recovery passwords",
    ),
    row(
        "device.no-such-protector",
        "the recovery protector isn't on the device any more",
        "apply the wave again: protectors are read anew",
    ),
    row(
        "device.no-survey",
        "the device's agent is too old to answer all checks",
        "update the agent, and let it report again",
    ),
    row(
        "device.not-armed",
        "boot start or recovery administrator is gone, so that nothing is taken from the device",
        "find out what removed them, then plan again",
    ),
    row(
        "device.not-enrolled",
        "the device isn't enrolled",
        "wait: enrolment follows the sign-in; then apply the wave again",
    ),
    row(
        "device.not-joined",
        "the device isn't joined as it has to be for this step",
        "mend the join first; the profile's data is intact",
    ),
    row(
        "device.not-left",
        "the device is still joined to Entra after it was told to leave",
        "look whether security software holds dsregcmd, and at the TPM",
    ),
    row("device.not-observed", "no source knows the device", "mend its name in the inventory, or take it out"),
    row(
        "device.not-ready",
        "evidence taken just before the point of no return shows that the device isn't ready any more; it was put back",
        "mend what the problem names, then apply again",
    ),
    row("device.not-staged", "the old facts of the device aren't recorded", RECORD),
    row(
        "device.not-taken",
        "Windows took a change and didn't make it",
        "look whether a policy or security software puts it back",
    ),
    row(
        "device.not-visible",
        "the new Entra object isn't there yet",
        "apply the wave again: the service shows changes late",
    ),
    row("device.offline", "the device can't reach the service", "check the device's network"),
    row(
        "device.own-record",
        "what this tool keeps of its own work on the device can't be read or written",
        "another program changed it; put the sign-in screen back by hand",
    ),
    row(
        "device.package-digest",
        "the package on the device isn't the one that was agreed",
        "deliver it again, or put its new digest into the plan",
    ),
    row("device.package-invalid", "the package arrived damaged", "apply the wave again: it is delivered anew"),
    row(
        "device.package-missing",
        "the package isn't on the device",
        "see whether security software removed it; it is delivered anew",
    ),
    row(
        "device.package-refused",
        "Windows refused the package",
        "explain the code in the detail; the whole output lies in the protected folder",
    ),
    row(
        "device.password-policy",
        "the device refuses the recovery administrator's password",
        "look at the password policy of the device: it asks for more than Windows does by itself",
    ),
    row(
        "device.profile-files",
        "files of the profile can't be read, or can't be given to the new owner; the detail names the first of them",
        "look what holds them or denies SYSTEM access, then apply again: it goes on where it stopped",
    ),
    row("device.profile-health", "the profile isn't healthy", "repair the profile first"),
    row(
        "device.profile-hive",
        "a registry hive of the profile is damaged, or changes of it still lie in its log files",
        "sign the user in and out once, or restart the device, so that Windows repairs the hive",
    ),
    row(
        "device.profile-in-use",
        "the profile is loaded, and a loaded hive can't be given over",
        "sign the user out, stop what loads the profile, or restart the device",
    ),
    row(
        "device.profile-missing",
        "the old identity has no profile on the device",
        "compare ProfileList with the plan's evidence, and plan again",
    ),
    row("device.profile-path", "the profile lies elsewhere than the plan says", "plan again with fresh evidence"),
    row(
        "device.profile-swap-open",
        "another swap of a profile stopped half-way on this device",
        "finish that swap, or take it back, before this one",
    ),
    row(
        "device.profile-target-exists",
        "the new identity has a profile with data already",
        "save its files and remove it, then apply again",
    ),
    row(
        "device.protection",
        "the device can't encrypt what its agent keeps, or can't open it again",
        "enrol the device again: an agent's folder can't be moved to another device",
    ),
    row(
        "device.recovery-required",
        "an earlier run left the device to a person",
        "do what that run wrote down, then attest it in the plan",
    ),
    row("device.refused", "the service refused something that the device asked for", "explain the code in the detail"),
    row("device.selection-unknown", "whether the device is part of the plan couldn't be found out", EVIDENCE),
    row(
        "device.serial-mismatch",
        "inventory and device have different serial numbers",
        "two machines share the name, or the inventory is wrong: mend one of them",
    ),
    row("device.several-waves", "the device is in several waves", "name it in one wave only"),
    row(
        "device.still-armed",
        "the recorded facts are still needed and can't be removed",
        "put the sign-in screen back first",
    ),
    row(
        "device.third-party-mdm",
        "another management than Intune holds the device",
        "remove it, or except check `dev.mdm` with an owner and an end",
    ),
    row(
        "device.vanished",
        "the device's old Entra object is gone",
        "find out who removed it and stop removing records by hand; then plan again",
    ),
    row(
        "device.wave-lost",
        "an earlier run began the device, and no wave selects it any more",
        "select it by name in the wave that it belongs to",
    ),
    row("device.wave-unknown", "which wave the device is in couldn't be found out", EVIDENCE),
    row(
        "device.wrong-domain",
        "the device is joined to another domain than the plan's",
        "take it out of this plan, or mend the directory section",
    ),
    row(
        "device.wrong-profile",
        "the user signed in with another profile",
        "sign the user out; the old profile is intact and can be given again",
    ),
    row(
        "device.wrong-tenant",
        "the device is joined to another tenant than the plan's",
        "take it out of this plan, or mend the tenant's id",
    ),
    row(
        "preflight.failed",
        "fresh evidence of the device doesn't pass its checks",
        "mend what is named and plan again",
    ),
    row(
        "profile.container",
        "the profile lies in a container (FSLogix, Citrix UPM)",
        "exclude the device: containers move with their own tools",
    ),
    row(
        "profile.corrupt",
        "the profile is damaged: a `.bak` twin, or a hive that can't be read",
        "repair the entry in ProfileList, then let the agent report again",
    ),
    row("profile.mandatory", "the profile is a mandatory one", "exclude the device"),
    row(
        "profile.none",
        "the person has no profile on the device",
        "name the right person in the inventory, or look what became of the profile",
    ),
    row("profile.roaming", "the profile is a roaming one", "turn it into a local profile, or exclude the device"),
    row("profile.several", "several people have profiles on the device", "name its user in the inventory"),
    row(
        "profile.target-exists",
        "the new identity has a profile with data already",
        "save its files and remove it, then let the agent report again",
    ),
    row(
        "profile.temporary",
        "the profile is a temporary one",
        "find out why Windows couldn't load the person's own, mend it, sign in again",
    ),
];
