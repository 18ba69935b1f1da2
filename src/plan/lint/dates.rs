//! Dates: what can't be, what has run out, and what ends before the thing that relies on it.

use jiff::Timestamp;
use jiff::civil::{DateTime, Time};

use super::super::file::{ExclusionFile, Moment, Named, PackageFile, WaveFile, WindowFile};
use super::super::resolve::Review;
use super::super::when;
use super::super::words::quoted;
use crate::diag::{Code, Diagnostic, Spanned};

/// Bulk tokens live at most this long (prerequisites 1.7).
const PACKAGE_DAYS: i32 = 180;

pub(in crate::plan) fn dates(review: &mut Review<'_>) {
    let file = review.file;
    file.waves.iter().for_each(|wave| window(review, wave));
    order(review);
    for package in &file.packages {
        lifetime(review, package);
        covers(review, package);
    }
    credentials(review);
    exclusions(review);
    attestations(review);
}

fn wave_name(wave: &WaveFile) -> String {
    wave.name.as_ref().map_or_else(|| "a wave".to_owned(), |name| format!("the wave {}", quoted(&name.value)))
}

fn window(review: &mut Review<'_>, wave: &WaveFile) {
    let Some((from, to)) = review.window(wave) else { return };
    let Some((Some(first), Some(last))) = wave.window.as_ref().map(|w| (&w.from, &w.to)) else { return };
    if from >= to {
        let message = format!("the window of {} ends before it begins", wave_name(wave));
        let found = Diagnostic::error(Code::BAD_DATE, message).at(last.span, "ends here").at(first.span, "begins here");
        review.report(found.help("swap the two, or mend the year or month"));
    } else if let Some(file) = &wave.window
        && !opens(review, file, from, to)
    {
        let message = format!("the window of {} never opens: none of its days and hours lie in it", wave_name(wave));
        let mut found =
            Diagnostic::error(Code::BAD_DATE, message).at(last.span, "ends here").at(first.span, "begins here");
        if let Some(hours) = &file.hours {
            found = found.at(hours.span, "at these hours");
        }
        if let Some(day) = file.days.first() {
            found = found.at(day.span, "on these days");
        }
        review.report(found.help("widen the window, the hours or the days"));
    }
}

/// Says whether the daily hours of a window open at least once between its first and last moment.
fn opens(review: &Review<'_>, window: &WindowFile, from: Timestamp, to: Timestamp) -> bool {
    if window.hours.is_none() && window.days.is_empty() {
        return true;
    }
    let zone = window.zone.as_ref().and_then(|zone| when::zone(&zone.value)).unwrap_or_else(|| review.zone.clone());
    let (begin, end) = window.hours.as_ref().map_or((Time::midnight(), Time::midnight()), |hours| hours.value);
    // Hours of the day before may run into the first day; after eight days every weekday has been seen.
    let Ok(mut day) = when::day(from, &zone).yesterday() else { return true };
    for _ in 0..9 {
        let wanted = window.days.is_empty() || window.days.iter().any(|wanted| wanted.value == day.weekday());
        let Ok(next) = day.tomorrow() else { return true };
        let last = if end > begin { day } else { next };
        let opens = when::begin(Moment::Time(DateTime::from_parts(day, begin)), &zone);
        let closes = when::begin(Moment::Time(DateTime::from_parts(last, end)), &zone);
        if let (true, Some(opens), Some(closes)) = (wanted, opens, closes)
            && opens < to
            && closes > from
        {
            return true;
        }
        day = next;
    }
    false
}

/// A wave whose window is over before the waves it needs begin can never open.
fn order(review: &mut Review<'_>) {
    let file = review.file;
    let by_name = Review::by_name(file.waves.iter().filter_map(|wave| Some((wave.name.as_ref()?, wave))));
    for wave in &file.waves {
        let Some((_, to)) = review.window(wave) else { continue };
        let soak = wave.gate.as_ref().and_then(|gate| gate.soak.as_ref()).map(|soak| soak.value).unwrap_or_default();
        for need in &wave.needs {
            let Some(earlier) = by_name.get(need.value.as_str()) else { continue };
            let Some((from, _)) = review.window(earlier) else { continue };
            let Some(last) = wave.window.as_ref().and_then(|window| window.to.as_ref()) else { continue };
            if from.checked_add(soak).is_ok_and(|opens| opens >= to) {
                let message = format!("{} ends before {} can be over", wave_name(wave), wave_name(earlier));
                let begins = earlier.window.as_ref().and_then(|window| window.from.as_ref());
                let mut found = Diagnostic::error(Code::BAD_DATE, message).at(last.span, "ends here");
                found = found.at(need.span, "waits for this wave");
                if let Some(begins) = begins {
                    found = found.at(begins.span, "which begins only here");
                }
                review.report(found.help("move one of the windows, or remove the need"));
            }
        }
    }
}

fn lifetime(review: &mut Review<'_>, package: &Named<PackageFile>) {
    let name = quoted(&package.name.value);
    let item = &package.item;
    let today = when::day(review.as_of, &review.zone);
    if let (Some(issued), Some(expires)) = (&item.issued, &item.expires) {
        let days = issued.value.until(expires.value).map_or(0, |span| span.get_days());
        if days < 0 {
            let message = format!("the package {name} ends before it was issued");
            let found = Diagnostic::error(Code::BAD_DATE, message).at(expires.span, "ends here");
            review.report(found.at(issued.span, "issued here").help("mend one of the dates"));
        } else if days > PACKAGE_DAYS {
            let message = format!("the package {name} lives {days} days, and bulk tokens live {PACKAGE_DAYS} at most");
            let found = Diagnostic::error(Code::PACKAGE_LIFETIME, message).at(expires.span, "ends here");
            let last = issued.value.checked_add(jiff::Span::new().days(PACKAGE_DAYS)).ok();
            let help = last.map_or_else(String::new, |last| format!("the last day that can be is {last}"));
            review.report(found.at(issued.span, "issued here").help(help));
        }
    }
    if let Some(issued) = item.issued.as_ref().filter(|issued| issued.value > today) {
        let message = format!("the package {name} is issued in the future");
        let found = Diagnostic::warning(Code::BAD_DATE, message).at(issued.span, format!("today is {today}"));
        review.report(found.help("devices can't join with it before that day"));
    }
    let Some(validated) = item.validated.as_ref().and_then(|validated| validated.on.as_ref()) else { return };
    if validated.value > today {
        let message = format!("the validation of the package {name} is in the future");
        let found = Diagnostic::error(Code::BAD_DATE, message).at(validated.span, format!("today is {today}"));
        review.report(found.help("write down the day on which it was validated"));
    } else if let Some(issued) = item.issued.as_ref().filter(|issued| issued.value > validated.value) {
        let message = format!("the package {name} was validated before it was issued");
        let found = Diagnostic::error(Code::BAD_DATE, message).at(validated.span, "validated here");
        review.report(found.at(issued.span, "issued here").help("validate the package that is used"));
    }
}

/// A package has to last to the end of every wave that uses it.
fn covers(review: &mut Review<'_>, package: &Named<PackageFile>) {
    let Some(expires) = &package.item.expires else { return };
    let Some(end) = when::end_of_day(expires.value, &review.zone) else { return };
    let name = quoted(&package.name.value);
    for wave in &review.file.waves {
        if review.package_name(wave).is_none_or(|used| used.value != package.name.value) {
            continue;
        }
        let (at, message) = match (review.window(wave), wave.window.as_ref().and_then(|window| window.to.as_ref())) {
            (Some((_, to)), Some(last)) if end < to => {
                (last.span, format!("the package {name} ends before {}", wave_name(wave)))
            }
            (None, _) if end <= review.as_of => {
                (wave.name.as_ref().map_or(wave.span, |name| name.span), format!("the package {name} has run out"))
            }
            _ => continue,
        };
        let found = Diagnostic::error(Code::PACKAGE_EXPIRES, message)
            .at(expires.span, "the package ends here")
            .at(at, format!("{} needs it until here", wave_name(wave)));
        review.report(found.help("make a new package and give it to this wave, or end the wave earlier"));
    }
}

fn credentials(review: &mut Review<'_>) {
    let last = review.last_end();
    for tenant in &review.file.tenants {
        let Some(expires) = tenant.item.app.as_ref().and_then(|app| app.expires.as_ref()) else { continue };
        let Some(end) = when::end_of_day(expires.value, &review.zone) else { continue };
        let name = quoted(&tenant.name.value);
        if end <= review.as_of {
            let message = format!("the credential of the tenant {name} has run out");
            let found = Diagnostic::error(Code::CREDENTIAL_EXPIRES, message).at(expires.span, "its last day");
            review.report(found.help("make a new one in the app registration, and write its last day here"));
        } else if let Some((_, wave)) = last.filter(|(to, _)| end < *to) {
            let message = format!("the credential of the tenant {name} ends before {}", wave_name(wave));
            let mut found = Diagnostic::warning(Code::CREDENTIAL_EXPIRES, message).at(expires.span, "its last day");
            if let Some(to) = wave.window.as_ref().and_then(|window| window.to.as_ref()) {
                found = found.at(to.span, "needed until here");
            }
            review.report(found.help("renew it in time; a run that loses its credential stops between two devices"));
        }
    }
}

fn exclusions(review: &mut Review<'_>) {
    let waves = &review.file.waves;
    let closed = !waves.is_empty() && waves.iter().all(|wave| review.window(wave).is_some());
    let last = if closed && !review.parsed.incomplete { review.last_end() } else { None };
    for exclusion in &review.file.exclusions {
        let Some(expires) = &exclusion.expires else { continue };
        let Some(end) = when::end_of_day(expires.value, &review.zone) else { continue };
        let name = exclusion_name(exclusion);
        if end <= review.as_of {
            let message = format!("{name} has run out");
            let today = when::day(review.as_of, &review.zone);
            let found =
                Diagnostic::warning(Code::EXCLUSION_EXPIRED, message).at(expires.span, format!("today is {today}"));
            review.report(found.help("remove it if its reason is gone; else let its owner decide on a new last day"));
        } else if let Some((to, wave)) = last.filter(|(to, _)| outlives(end, *to)) {
            let message = format!("{name} lives on after the last wave");
            let mut found = Diagnostic::warning(Code::EXCLUSION_OUTLIVES, message).at(expires.span, "ends here");
            if let Some(last) = wave.window.as_ref().and_then(|window| window.to.as_ref()) {
                found = found.at(last.span, "the last wave ends here");
            }
            let day = when::day(to, &review.zone);
            review.report(found.help(format!("let it end with the last wave: `expires: {day}`")));
        }
    }
}

/// A date is a whole day, so an exclusion may end at the end of the day on which the last wave ends.
fn outlives(exclusion: Timestamp, wave: Timestamp) -> bool {
    exclusion.duration_since(wave).as_hours() >= 24
}

fn exclusion_name(exclusion: &ExclusionFile) -> String {
    exclusion.id.as_ref().map_or_else(|| "an exclusion".to_owned(), |id| format!("the exclusion {}", quoted(&id.value)))
}

fn attestations(review: &mut Review<'_>) {
    let today = when::day(review.as_of, &review.zone);
    for attestation in &review.file.attestations {
        let check = attestation.check.as_ref().map_or("a check", |check| check.value.as_str());
        let check = quoted(check);
        if let Some(on) = attestation.on.as_ref().filter(|on| on.value > today) {
            let message = format!("the attestation of {check} is in the future");
            let found = Diagnostic::error(Code::BAD_DATE, message).at(on.span, format!("today is {today}"));
            review.report(found.help("write down the day on which it was attested"));
        }
        let Some(until) = &attestation.until else { continue };
        if let Some(on) = before(attestation.on.as_ref(), until) {
            let message = format!("the attestation of {check} ends before it was given");
            let found = Diagnostic::error(Code::BAD_DATE, message).at(until.span, "ends here");
            review.report(found.at(on.span, "given here").help("mend one of the dates"));
        } else if until.value < today {
            let message = format!("the attestation of {check} has run out");
            let found =
                Diagnostic::warning(Code::ATTESTATION_EXPIRED, message).at(until.span, format!("today is {today}"));
            review.report(found.help("look again and attest anew; until then the check counts as not known"));
        }
    }
}

fn before<'d>(
    on: Option<&'d Spanned<jiff::civil::Date>>,
    until: &Spanned<jiff::civil::Date>,
) -> Option<&'d Spanned<jiff::civil::Date>> {
    on.filter(|on| until.value < on.value)
}
