//! Windows and the machine beneath it: edition, memory, disk, processor, TPM, canary, power, clock (prerequisites 1.3).

use super::device::{Expect, Read, either, read, unread};
use super::{Judged, Measured};
use crate::model::{Check, DeviceFacts, Hardware, Known, Mode, Survey, Tpm};

/// Least memory in MiB. 8 GB are asked for; firmware and graphics keep some of it, and Windows counts what is left:
/// half a GiB is allowed for that (`[I]`).
const MEMORY_MIB_MIN: u64 = 7 * 1024 + 512;

/// Least size of the system volume in MiB. 100 GB, as disks are sold, are 95,367 MiB; the partitions for EFI and for
/// recovery take about a GiB of them (`[I]`).
const VOLUME_MIB_MIN: u64 = 94_000;

/// Least free space in MiB: the hives are copied, and Windows needs room for the join (domain.md B15).
const FREE_MIB_MIN: u64 = 5 * 1024;

/// Least and recommended number of processor cores (prerequisites 1.3).
const CORES: (u32, u32) = (2, 4);

/// From this many seconds on a clock is wrong: tokens are refused (domain.md F time.skew).
const SKEW_SECS: u64 = 300;

/// Judges what a device is, whatever it is joined to.
pub(super) fn checks(
    facts: &DeviceFacts,
    survey: Option<&Survey>,
    expect: &Expect<'_>,
    add: &mut dyn FnMut(Check, Judged),
) {
    add(Check::DevEdition, edition(&facts.identity.edition));
    add(Check::DevPower, power(facts, expect.mode));
    add(Check::DevPendingReboot, pending_reboot(facts, expect));
    let Some(survey) = survey else {
        // Too little room is too little, however large the volume is.
        add_failed(Check::DevStorage, free(facts), add);
        return;
    };
    add(Check::DevOs, either(os(survey)));
    add(Check::DevMemory, either(memory(&survey.hardware)));
    add(Check::DevStorage, storage(facts, &survey.hardware));
    add(Check::DevCpu, either(cpu(&survey.hardware)));
    add(Check::DevTpm, tpm(&survey.tpm));
    add(Check::DevDiskHealth, either(disk(&survey.hardware)));
    add(Check::DevSystemExecution, execution(survey));
    add(Check::DevClock, either(clock(&survey.clock_skew_secs)));
}

fn add_failed(check: Check, judged: Judged, add: &mut dyn FnMut(Check, Judged)) {
    if judged.measured == Measured::Fail {
        add(check, judged);
    }
}

fn edition(edition: &str) -> Judged {
    // EditionID of the registry [K]: Professional, ProfessionalWorkstation, EnterpriseS, IoTEnterprise, EducationN, …
    let word = edition.to_ascii_lowercase();
    if word.starts_with("core") || word.contains("home") {
        return Judged::fail(format!(
            "Windows edition {edition} is a Home edition, which can't join Microsoft Entra ID"
        ))
        .code("device.home-edition");
    }
    if word.starts_with("server") || word.starts_with("cloud") || word == "ppipro" {
        // Servers, multi-session hosts, Windows SE, Surface Hub.
        return Judged::fail(format!("Windows edition {edition} isn't Pro, Enterprise or Education"))
            .remedy("exclude the device: this tool moves Windows clients of Pro, Enterprise or Education");
    }
    if ["professional", "enterprise", "education"].iter().any(|family| word.contains(family)) {
        return Judged::pass(format!("Windows edition {edition}"));
    }
    Judged::unknown(format!("Windows edition `{edition}` isn't one that this version knows")).remedy(
        "see with `winver` whether it is Pro, Enterprise or Education; exclude the device, or attest this check",
    )
}

fn os(survey: &Survey) -> Read<Judged> {
    let windows = read(&survey.windows, "the version of Windows")?;
    let bits = if windows.is_64_bit { "64 bit" } else { "32 bit" };
    let seen = format!("{}, build {}, {bits}", windows.product, windows.build);
    let known = ["Windows 10", "Windows 11"].iter().any(|product| windows.product.starts_with(product));
    Ok(if !known {
        Judged::fail(format!("{seen}; Windows 10 or 11 is needed"))
    } else if windows.is_64_bit {
        Judged::pass(seen)
    } else {
        Judged::fail(format!("{seen}; 64 bit is needed"))
            .remedy("32 bit Windows can't be upgraded in place: set the device up afresh, or exclude it")
    })
}

fn memory(hardware: &Hardware) -> Read<Judged> {
    let mib = *read(&hardware.memory_mib, "the memory")?;
    Ok(if mib < MEMORY_MIB_MIN {
        Judged::fail(format!("{mib} MiB of memory, 8192 are needed"))
    } else {
        Judged::pass(format!("{mib} MiB of memory"))
    })
}

fn free(facts: &DeviceFacts) -> Judged {
    let mib = facts.free_mib;
    if mib < FREE_MIB_MIN {
        let lacking = FREE_MIB_MIN - mib;
        return Judged::fail(format!("{mib} MiB of the system volume are free, {FREE_MIB_MIN} are needed"))
            .remedy(format!("free {lacking} MiB on the system volume"));
    }
    Judged::pass(format!("{mib} MiB of the system volume are free"))
}

fn storage(facts: &DeviceFacts, hardware: &Hardware) -> Judged {
    let volume = read(&hardware.system_volume_mib, "the size of the system volume").map(|mib| {
        if *mib < VOLUME_MIB_MIN {
            Judged::fail(format!("a system volume of {mib} MiB, 100 GB are needed"))
                .remedy("enlarge the system volume, exclude the device, or except this check with an end")
        } else {
            Judged::pass(format!("a system volume of {mib} MiB"))
        }
    });
    Judged::worst([either(volume), free(facts)])
}

fn cpu(hardware: &Hardware) -> Read<Judged> {
    let cores = *read(&hardware.cores, "the processor's cores")?;
    let (least, good) = CORES;
    Ok(if cores < least {
        Judged::fail(format!("{cores} of at least {least} processor cores"))
    } else if cores < good {
        Judged::warn(format!("{cores} processor cores, {good} are recommended"))
            .remedy("give the device more time: its wave's window should be longer than the pilot's took")
    } else {
        Judged::pass(format!("{cores} processor cores"))
    })
}

fn tpm(tpm: &Known<Tpm>) -> Judged {
    let tpm = match tpm {
        Known::Known(tpm) => tpm,
        Known::Absent => {
            return Judged::fail("it has no TPM, or none that is switched on")
                .remedy("switch the TPM on in the firmware, or exclude the device");
        }
        Known::Unknown(why) => return unread("the TPM", why),
    };
    // `2.0, 0, 1.59`: the first field is the specification (domain.md C3).
    let version = tpm.version.split(',').next().unwrap_or_default().trim();
    let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok());
    let Some(major) = major else {
        return Judged::unknown(format!("the TPM's version `{}` can't be read", tpm.version));
    };
    let mut parts = Vec::new();
    if major < 2 {
        // In FIPS mode such a TPM refuses the join by itself: 0x80280036 (domain.md B14).
        let fips = if tpm.fips { " in FIPS mode" } else { "" };
        parts.push(
            Judged::fail(format!("TPM {version}{fips}, 2.0 is needed"))
                .remedy("update the firmware to TPM 2.0 where the maker offers it, or exclude the device"),
        );
    }
    if !tpm.ready {
        parts.push(
            Judged::fail(format!("TPM {version} isn't ready"))
                .remedy("see with `tpm.msc` what it lacks, and prepare it there"),
        );
    }
    if tpm.locked_out {
        parts.push(
            Judged::fail(format!("TPM {version} is locked out (0x80090031)"))
                .remedy("wait until the lock-out has passed, or reset it with the owner's password"),
        );
    }
    parts.push(Judged::pass(format!("TPM {version}, ready")));
    Judged::worst(parts)
}

fn disk(hardware: &Hardware) -> Read<Judged> {
    Ok(match read(&hardware.disk_trouble, "the system volume's health")? {
        None => Judged::pass("the system volume is healthy"),
        Some(trouble) => Judged::fail(format!("the system volume isn't healthy: {trouble}")),
    })
}

/// The canary really made a task, wrote state and read it back; whoever asks Windows whether it would work learns
/// nothing of security software (domain.md E 5).
fn execution(survey: &Survey) -> Judged {
    let system = match read(&survey.as_system, "the account that the agent runs under") {
        Ok(true) => Judged::pass("the agent runs as SYSTEM"),
        Ok(false) => Judged::fail("the agent doesn't run as SYSTEM").remedy("install the agent as a service of SYSTEM"),
        Err(unknown) => unknown,
    };
    let canary = match &survey.canary {
        Known::Known(canary) if canary.is_whole() => {
            Judged::pass("a task ran as SYSTEM, and the state that it wrote was read back")
        }
        Known::Known(canary) => {
            let parts = [
                (canary.ran_as_system, "a task didn't run as SYSTEM"),
                (canary.wrote, "state couldn't be written"),
                (canary.read_back, "state wasn't there when it was read back"),
            ];
            let failed: Vec<_> = parts.iter().filter(|(worked, _)| !worked).map(|(_, what)| *what).collect();
            let by = canary.blocked_by.as_ref().map_or_else(String::new, |by| format!(" (blocked by {by})"));
            Judged::fail(format!("{}{by}", failed.join(", ")))
        }
        Known::Absent => Judged::unknown("no canary was tried"),
        Known::Unknown(why) => Judged::unknown(format!("the canary couldn't be tried: {why}")),
    };
    Judged::worst([system, canary])
}

fn power(facts: &DeviceFacts, mode: Mode) -> Judged {
    match (facts.on_ac, mode) {
        (true, _) => Judged::pass("it runs on mains power"),
        // A user who starts it by hand sees the battery; a silent start has nobody to plug it in.
        (false, Mode::UserInitiated) => Judged::pass("it runs on battery, and its user starts the move"),
        (false, _) => Judged::fail("it runs on battery, and nobody is asked before it starts"),
    }
}

fn pending_reboot(facts: &DeviceFacts, expect: &Expect<'_>) -> Judged {
    if expect.under_way {
        return Judged::not_applicable("an earlier run began it and restarts it anyway");
    }
    if facts.pending_reboot {
        return Judged::fail("a restart of Windows is pending");
    }
    Judged::pass("no restart is pending")
}

fn clock(skew: &Known<i64>) -> Read<Judged> {
    let skew = *read(skew, "the difference of its clock")?;
    let direction = if skew < 0 { "behind" } else { "ahead" };
    let seen = format!("its clock is {} seconds {direction}", skew.unsigned_abs());
    Ok(if skew.unsigned_abs() >= SKEW_SECS {
        Judged::fail(format!("{seen}, {SKEW_SECS} are too many"))
    } else {
        Judged::pass(seen)
    })
}
