//! The way from the device to the services: names, port 443, proxies, portals, TLS (prerequisites 1.4).

use super::Judged;
use super::device::unread;
use crate::model::{Check, ENDPOINTS, Known, Probe, ProbeOutcome, Survey};

/// One check and the outcome of a probe that it is about.
type Row = (Check, &'static str, fn(&ProbeOutcome) -> bool);

const ROWS: [Row; 5] = [
    (Check::NetHttps, "don't answer on 443", |outcome| *outcome == ProbeOutcome::NoAnswer),
    (Check::NetDns, "don't resolve", |outcome| *outcome == ProbeOutcome::NoName),
    (Check::NetProxy, "lie behind a proxy that asks a person to sign in (407)", |outcome| {
        *outcome == ProbeOutcome::ProxyWantsPerson
    }),
    (Check::NetCaptive, "are answered for by a page of somebody else, as captive portals do", |outcome| {
        *outcome == ProbeOutcome::CaptivePortal
    }),
    (Check::NetTls, "come with a certificate of somebody else", |outcome| {
        matches!(outcome, ProbeOutcome::Intercepted(_))
    }),
];

/// Judges what became of each endpoint that the agent tried as SYSTEM.
pub(super) fn checks(survey: &Survey, add: &mut dyn FnMut(Check, Judged)) {
    let probes = match &survey.network {
        Known::Known(probes) if !probes.is_empty() => probes,
        Known::Known(_) | Known::Absent => return nothing(add, || Judged::unknown("no endpoint was tried")),
        Known::Unknown(why) => return nothing(add, || unread("the network", why)),
    };
    // Other clouds have other names [K]; who tries one of the global cloud's tries all of them.
    let tried = |host: &&str| probes.iter().any(|probe| probe.host.eq_ignore_ascii_case(host));
    let all = ENDPOINTS.iter().copied();
    let left_out: Vec<&str> =
        if ENDPOINTS.iter().any(tried) { all.filter(|host| !tried(host)).collect() } else { Vec::new() };
    for (check, what, fits) in ROWS {
        let hit: Vec<&Probe> = probes.iter().filter(|probe| fits(&probe.outcome)).collect();
        let judged = if hit.is_empty() && !left_out.is_empty() {
            Judged::unknown(format!("the agent didn't try {}", left_out.join(", ")))
                .remedy("update the agent on the device, and let it report again")
        } else if hit.is_empty() {
            holds(check, survey, probes.len())
        } else {
            Judged::fail(format!(
                "endpoints that {what}: {}",
                hit.iter().map(|probe| named(probe)).collect::<Vec<_>>().join(", ")
            ))
        };
        add(check, judged);
    }
}

fn nothing(add: &mut dyn FnMut(Check, Judged), judged: impl Fn() -> Judged) {
    ROWS.iter().for_each(|(check, ..)| add(*check, judged()));
}

fn named(probe: &Probe) -> String {
    match &probe.outcome {
        ProbeOutcome::Intercepted(issuer) => format!("{} (issued by {issuer})", probe.host),
        _ => probe.host.clone(),
    }
}

fn holds(check: Check, survey: &Survey, probes: usize) -> Judged {
    let seen = format!("{probes} endpoints were tried as SYSTEM");
    let ends = survey.connection.known().filter(|connection| connection.machine_credential);
    match ends {
        // A network that lets the computer in by its old certificate or account shuts it out after the move
        // (domain.md E 22).
        Some(connection) if check == Check::NetHttps => Judged::warn(format!(
            "{seen}; its {} connection signs in as the computer, and that ends with the old identity",
            connection.kind
        ))
        .remedy(
            "connect it with a cable, or give it a network that doesn't need the computer's account or certificate",
        ),
        _ => Judged::pass(seen),
    }
}
