//! Whose profile moves, and to whom: the one mistake that locks people out of their machine.
//!
//! The old owner is the inventory's user or the owner of the one profile that can be meant. The new owner
//! is found by on-premises SID, or in the mapping file by the old owner's name in the origin tenant, and
//! is proven: the SID computed from the object id has to be the one that Graph gives (domain.md B1.4).
//! Nothing is guessed: what isn't exactly one enabled, ordinary user blocks the device. Licences are readiness'.

use uuid::Uuid;

use super::index::TenantIndex;
use super::{Blocker, Index, View};
use crate::model::{DeviceFacts, DeviceName, OwnerRole, Profile, ProfileHealth, Sid, UserId, words};
use crate::plan::UserMatch;
use crate::state::User;

/// Old owner, profile and new owner, proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping<'a> {
    /// Owner of the profile before the move.
    pub old_sid: Sid,
    /// Path of the profile.
    pub path: &'a str,
    /// Mapped user.
    pub user: &'a User,
    /// Owner of the profile after the move.
    pub new_sid: Sid,
}

type Found<T> = Result<T, Blocker>;

/// Maps the device's user.
///
/// # Errors
/// Everything that keeps the profile or the user from being the right one; never empty.
pub fn map<'a>(index: &Index<'a>, view: &View<'a>, facts: &'a DeviceFacts) -> Result<Mapping<'a>, Vec<Blocker>> {
    let one = |blocker| vec![blocker];
    let (old_sid, path, profile) = old_owner(index, view, facts).map_err(one)?;
    let mut blockers = Vec::new();
    if !view.past {
        blockers.extend(profile.and_then(|profile| unfit(&view.device, profile)));
    }
    let user = match user_after(index, view, &old_sid) {
        Ok(user) => user,
        Err(blocker) => {
            blockers.push(blocker);
            return Err(blockers);
        }
    };
    let new_sid = Sid::of_entra_user(user.id);
    if !view.past {
        fitness(&view.device, user, &mut blockers);
    }
    match &user.sid {
        Some(sid) if *sid == new_sid => {}
        Some(sid) => blockers.push(identity(
            "user.sid-mismatch",
            format!("{}: {} has SID {sid} in Graph and {new_sid} by its object id", view.device, user.upn),
            "stop: report this as a bug of opsole, with both values; the profile would go to nobody",
        )),
        None => blockers.push(identity(
            "user.sid-unknown",
            format!("{}: Graph gives no `securityIdentifier` for {}, so its SID isn't proven", view.device, user.upn),
            "grant User.Read.All and plan again; the profile isn't given to an unproven SID",
        )),
    }
    // After the swap the new owner has the old path; before it, a profile of its own would hide the old one.
    if let Some(other) = facts.profile_of(&new_sid).filter(|other| !same_path(&other.path, path) && !other.is_empty()) {
        blockers.push(endpoint(
            "profile.target-exists",
            format!(
                "{}: {} already has a profile with {} MiB at {}",
                view.device, user.upn, other.size_mib, other.path
            ),
            "save what is in it and remove the profile, then let the agent report again",
        ));
    }
    if blockers.is_empty() { Ok(Mapping { old_sid, path, user, new_sid }) } else { Err(blockers) }
}

/// Returns the old owner's SID and the person who comes after, where both are known: also where the profile or the
/// account isn't fit to move yet, so that the rest of the person can be judged with it.
#[must_use]
pub fn person<'a>(index: &Index<'a>, view: &View<'a>, facts: &'a DeviceFacts) -> Option<(Sid, &'a User)> {
    let (old_sid, ..) = old_owner(index, view, facts).ok()?;
    let user = user_after(index, view, &old_sid).ok()?;
    Some((old_sid, user))
}

fn user_after<'a>(index: &Index<'a>, view: &View<'a>, old_sid: &Sid) -> Found<&'a User> {
    match view.record.filter(|_| view.past).and_then(|record| record.user) {
        Some(id) => recorded_user(index, view, id),
        None => new_owner(index, view, old_sid),
    }
}

fn same_path(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}

fn identity(code: &'static str, message: String, next: &str) -> Blocker {
    Blocker::new(code, OwnerRole::Identity, message, next)
}
fn endpoint(code: &'static str, message: String, next: &str) -> Blocker {
    Blocker::new(code, OwnerRole::Endpoint, message, next)
}
fn unread(tenant: &TenantIndex<'_>, why: &str) -> Blocker {
    identity(
        "observation.users",
        format!("users of `{}` couldn't be read: {}", tenant.name, words::brief(why)),
        "mend what stops the reading and plan again",
    )
}

/// Returns the SID, path and (where it is still the old owner's) entry of the profile that moves.
fn old_owner<'a>(
    index: &Index<'a>,
    view: &View<'a>,
    facts: &'a DeviceFacts,
) -> Found<(Sid, &'a str, Option<&'a Profile>)> {
    let recorded = facts.staging.recorded.as_ref().filter(|_| view.past);
    if let Some((sid, path)) = recorded.and_then(|recorded| recorded.profile.as_ref()) {
        return Ok((sid.clone(), path, facts.profile_of(sid)));
    }
    if let Some(record) = view.record.filter(|_| view.past)
        && let Some(sid) = &record.old_sid
    {
        let new = record.user.map(Sid::of_entra_user);
        let profile = new.and_then(|sid| facts.profile_of(&sid)).or_else(|| facts.profile_of(sid));
        let profile = profile.ok_or_else(|| {
            let message = format!("{}: neither {sid} nor its successor owns a profile any more", view.device);
            endpoint("profile.none", message, "look on the device what became of the profile")
        })?;
        return Ok((sid.clone(), &profile.path, None));
    }
    let profile = match view.row.and_then(|row| row.user.as_deref()) {
        Some(user) => {
            let sid = named_sid(index, view, facts, user)?;
            facts.profile_of(&sid).ok_or_else(|| {
                let message = format!("{}: {user} ({sid}) has no profile on it", view.device);
                endpoint(
                    "profile.none",
                    message,
                    "name the person whose profile moves in the inventory's `user` column",
                )
            })?
        }
        None => only_profile(view, facts)?,
    };
    Ok((profile.sid.clone(), &profile.path, Some(profile)))
}

/// Returns the SID that a row's user has on the device.
fn named_sid(index: &Index<'_>, view: &View<'_>, facts: &DeviceFacts, user: &str) -> Found<Sid> {
    if let Ok(sid) = user.parse::<Sid>() {
        return Ok(sid);
    }
    let Some(origin) = index.origin() else { return Err(not_found(view, user, "the plan")) };
    if let Some(why) = origin.users.gap {
        return Err(unread(origin, why));
    }
    let found = exactly_one(origin.users_named(&user.to_lowercase()), view, user, origin.name)?;
    let cloud = Sid::of_entra_user(found.id);
    match &found.on_premises_sid {
        // A domain joined device knows the person by the directory's SID, an Entra joined one by the cloud's.
        Some(sid) if facts.profile_of(sid).is_some() || facts.profile_of(&cloud).is_none() => Ok(sid.clone()),
        _ => Ok(cloud),
    }
}

fn only_profile<'a>(view: &View<'_>, facts: &'a DeviceFacts) -> Found<&'a Profile> {
    let domain = view.computer.and_then(|computer| computer.sid.as_str().rsplit_once('-')).map(|(domain, _)| domain);
    // Local accounts look like domain accounts, but for the part before the last number.
    let fits = |sid: &Sid| match domain {
        Some(domain) if sid.is_domain_or_local() => sid.as_str().rsplit_once('-').is_some_and(|(own, _)| own == domain),
        _ => sid.is_domain_or_local() || sid.is_entra(),
    };
    let all: Vec<&Profile> = facts.profiles.iter().filter(|profile| fits(&profile.sid)).collect();
    let healthy: Vec<&Profile> = all.iter().copied().filter(|p| p.health == ProfileHealth::Healthy).collect();
    match healthy[..] {
        [only] => return Ok(only),
        [] => {}
        _ => return last_used(view, &healthy),
    }
    match all.first() {
        // What is wrong with it is said beside what is wrong with its owner.
        Some(profile) => Ok(profile),
        None => {
            let message = format!("{}: no profile of a domain or cloud user is on it", view.device);
            Err(endpoint("profile.none", message, "exclude the device, or let its user sign in once before the move"))
        }
    }
}

fn last_used<'a>(view: &View<'_>, healthy: &[&'a Profile]) -> Found<&'a Profile> {
    let newest = healthy.iter().copied().filter(|p| p.last_used.is_some()).max_by_key(|p| p.last_used);
    let tied = |best: &Profile| healthy.iter().filter(|p| p.last_used == best.last_used).count() > 1;
    let dated = healthy.iter().all(|profile| profile.last_used.is_some());
    match newest {
        Some(best) if dated && !tied(best) => Ok(best),
        _ => {
            let mut owners: Vec<&str> = healthy.iter().map(|p| p.sid.as_str()).collect();
            owners.sort_unstable();
            let message = format!("{}: {} profiles could be meant: {}", view.device, owners.len(), owners.join(", "));
            let next = "name the person whose profile moves in the inventory's `user` column";
            Err(endpoint("profile.several", message, next))
        }
    }
}

fn unfit(device: &DeviceName, profile: &Profile) -> Option<Blocker> {
    let (code, what, next) = match profile.health {
        ProfileHealth::Healthy => return None,
        ProfileHealth::Temporary => (
            "profile.temporary",
            "is a temporary one",
            "find out why Windows couldn't load the person's own profile, mend it, sign in again",
        ),
        ProfileHealth::Corrupt => (
            "profile.corrupt",
            "is damaged: a `.bak` twin, or a hive that can't be read",
            "repair the entry in ProfileList, then let the agent report again",
        ),
        ProfileHealth::Roaming => {
            ("profile.roaming", "is a roaming one", "turn it into a local profile, or exclude the device")
        }
        ProfileHealth::Mandatory => ("profile.mandatory", "is a mandatory one", "exclude the device"),
        ProfileHealth::Container => (
            "profile.container",
            "lies in a container (FSLogix, Citrix UPM)",
            "exclude the device: containers move with their own tools",
        ),
    };
    Some(endpoint(code, format!("{device}: the profile {} of {} {what}", profile.path, profile.sid), next))
}

fn recorded_user<'a>(index: &Index<'a>, view: &View<'_>, id: UserId) -> Found<&'a User> {
    let Some(destination) = index.destination() else { return Err(not_found(view, &id.to_string(), "the plan")) };
    if let Some(why) = destination.users.gap {
        return Err(unread(destination, why));
    }
    destination.user(id).ok_or_else(|| not_found(view, &id.to_string(), destination.name))
}

/// Returns the user of the destination that the plan's rule gives for an old SID.
fn new_owner<'a>(index: &Index<'a>, view: &View<'_>, old: &Sid) -> Found<&'a User> {
    let (Some(origin), Some(destination)) = (index.origin(), index.destination()) else {
        return Err(not_found(view, old.as_str(), "the plan"));
    };
    if let Some(why) = destination.users.gap {
        return Err(unread(destination, why));
    }
    match &index.plan.users {
        UserMatch::OnPremisesSid if !old.is_entra() => {
            let found = exactly_one(destination.users_of_sid(old), view, old.as_str(), destination.name);
            found.map_err(|blocker| with_directory(index, old, blocker))
        }
        UserMatch::OnPremisesSid => {
            let source = old_user(origin, view, old)?;
            let Some(sid) = &source.on_premises_sid else {
                let message = format!("{}: {} has no on-premises SID to be matched by", view.device, source.upn);
                return Err(identity("user.unmapped", message, "match users by a mapping file: `users: {mapping: …}`"));
            };
            exactly_one(destination.users_of_sid(sid), view, sid.as_str(), destination.name)
        }
        UserMatch::Mapping(mapping) => {
            let source = old_user(origin, view, old)?;
            let Some(upn) = mapping.get(&source.upn) else {
                let message = format!("{}: the mapping file has no line for {}", view.device, source.upn);
                return Err(identity(
                    "user.unmapped",
                    message,
                    "add the person to the mapping file, or exclude the device",
                ));
            };
            exactly_one(destination.users_named(upn), view, upn, destination.name)
        }
    }
}

/// Returns the origin's user who owns an old SID.
fn old_user<'a>(origin: &TenantIndex<'a>, view: &View<'_>, old: &Sid) -> Found<&'a User> {
    if let Some(why) = origin.users.gap {
        return Err(unread(origin, why));
    }
    if old.is_entra() {
        let user = entra_user(old).and_then(|id| origin.user(id));
        return user.ok_or_else(|| not_found(view, old.as_str(), origin.name));
    }
    exactly_one(origin.users_of_sid(old), view, old.as_str(), origin.name)
}

/// Returns the person of the origin's tenant who owned the profile, where exactly one is known.
pub(crate) fn origin_user<'a>(index: &Index<'a>, old: &Sid) -> Option<&'a User> {
    let origin = index.origin()?;
    if old.is_entra() {
        return entra_user(old).and_then(|id| origin.user(id));
    }
    let mut hits = origin.users_of_sid(old);
    let first = hits.next()?;
    hits.next().is_none().then_some(first)
}

/// Returns the object id in the SID of an Entra user: the reverse of [`Sid::of_entra_user`].
fn entra_user(sid: &Sid) -> Option<UserId> {
    let mut numbers = sid.as_str().strip_prefix("S-1-12-1-")?.split('-').map(str::parse::<u32>);
    let mut bytes = [0; 16];
    for four in bytes.chunks_exact_mut(4) {
        four.copy_from_slice(&numbers.next()?.ok()?.to_le_bytes());
    }
    numbers.next().is_none().then(|| UserId(Uuid::from_bytes_le(bytes)))
}

fn not_found(view: &View<'_>, who: &str, tenant: &str) -> Blocker {
    identity(
        "user.not-found",
        format!("{}: `{tenant}` has no user for {who}", view.device),
        "synchronise or create the user, or name the right person in the inventory",
    )
}

/// Adds what the directory says of somebody whom the tenant doesn't know: whether the synchronisation is to be mended, or
/// the wrong person is meant.
fn with_directory(index: &Index<'_>, old: &Sid, mut blocker: Blocker) -> Blocker {
    let Some(directory) = index.snapshot.directory.known().filter(|_| blocker.code == "user.not-found") else {
        return blocker;
    };
    let own = directory.forest.known().map(|forest| format!("{}-", forest.domain_sid));
    match index.ad_user(old) {
        Some(user) => {
            let state = if user.enabled { "and it isn't synchronised" } else { "disabled" };
            let name = user.upn.as_deref().unwrap_or(&user.name);
            blocker.message = format!("{}; `{}` has the account {name}, {state}", blocker.message, directory.domain);
            blocker.next = if user.enabled {
                format!("bring {name} into the scope of the synchronisation, or name the right person in the inventory")
            } else {
                "find out whose device it is: name that person in the inventory, or exclude the device".to_owned()
            };
        }
        // Only of its own domain can a directory say that it has nobody.
        None if directory.users.known().is_some() && own.is_some_and(|own| old.as_str().starts_with(&own)) => {
            blocker.message = format!("{}; `{}` has no such account any more", blocker.message, directory.domain);
            blocker.next = "name the right person in the inventory, or exclude the device".to_owned();
        }
        None => {}
    }
    blocker
}

fn exactly_one<'a>(
    mut hits: impl Iterator<Item = &'a User>,
    view: &View<'_>,
    who: &str,
    tenant: &str,
) -> Found<&'a User> {
    let Some(first) = hits.next() else { return Err(not_found(view, who, tenant)) };
    let mut names: Vec<&str> = hits.map(|user| user.upn.as_str()).collect();
    if names.is_empty() {
        return Ok(first);
    }
    names.push(&first.upn);
    names.sort_unstable();
    let message = format!("{}: `{tenant}` has {} users for {who}: {}", view.device, names.len(), names.join(", "));
    Err(identity("user.ambiguous", message, "remove the wrong one: exactly one user may carry the identifier"))
}

fn fitness(device: &DeviceName, user: &User, blockers: &mut Vec<Blocker>) {
    let upn = &user.upn;
    if !user.enabled {
        let message = format!("{device}: {upn} is disabled, so nobody could sign in");
        blockers.push(identity("user.disabled", message, "enable the account, or name another person"));
    }
    if user.privileged {
        let message = format!("{device}: {upn} holds a directory role; such accounts are never given a profile");
        blockers.push(identity("user.privileged", message, "name the person's ordinary account"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Catches a reverse in network order: users of the source tenant would never be found by SID.
    #[test]
    fn object_ids_come_back_from_sids() {
        let user: UserId = "3643c453-f85c-4ddf-b296-94b222453d4a".parse().expect("a GUID");
        assert_eq!(entra_user(&Sid::of_entra_user(user)), Some(user));
        for text in ["S-1-12-1-1-2-3", "S-1-12-1-1-2-3-4-5", "S-1-12-1-1-2-3-4294967296", "S-1-5-21-1-2-3-4"] {
            assert_eq!(entra_user(&text.parse().expect("a SID")), None, "{text}");
        }
    }

    /// Catches an unknown person of whom nobody says whether the synchronisation or the inventory is wrong, and a directory
    /// that speaks for people of another domain.
    #[test]
    fn the_directory_says_why_somebody_is_unknown() {
        use crate::dag::fixture::{Fleet, Join, old_sid};
        use crate::dag::{assign, views};
        use crate::model::{Known, Scenario};
        use crate::state::{AdUser, Forest};

        let mut fleet = Fleet::new(Scenario::AdToEntra, Join::Ad, 1);
        fleet.user(0).on_premises_sid = None;
        let sid = old_sid(Join::Ad, 0);
        let said = |fleet: &Fleet| {
            let index = Index::new(&fleet.plan, &fleet.snapshot);
            let all = views(&index, &assign(&index));
            let facts = all[0].facts().expect("facts");
            let blockers = map(&index, &all[0], facts).expect_err("unknown");
            let own = blockers.into_iter().find(|blocker| blocker.code == "user.not-found").expect("a blocker");
            (own.message, own.next)
        };
        let plain = said(&fleet);
        assert!(plain.0.ends_with(&format!("has no user for {sid}")), "{plain:?}");
        let user = AdUser { sid, upn: Some("anna@corp.example".to_owned()), name: "anna".to_owned(), enabled: true };
        let forest = |domain: &str| {
            let domain_sid = domain.parse().expect("a SID");
            Known::Known(Forest { root: String::new(), server: String::new(), domain_sid, level: 7 })
        };
        let mut with = |users: Vec<AdUser>, forest: Known<Forest>| {
            let Known::Known(directory) = &mut fleet.snapshot.directory else { panic!("a directory") };
            (directory.users, directory.forest) = (Known::Known(users), forest);
            said(&fleet)
        };
        let there = with(vec![user.clone()], forest("S-1-5-21-1-2-3"));
        assert!(there.0.ends_with("has the account anna@corp.example, and it isn't synchronised"), "{there:?}");
        assert!(there.1.starts_with("bring anna@corp.example into the scope"), "{there:?}");
        let disabled = with(vec![AdUser { enabled: false, ..user }], forest("S-1-5-21-1-2-3"));
        assert!(disabled.0.ends_with("anna@corp.example, disabled"), "{disabled:?}");
        assert!(with(Vec::new(), forest("S-1-5-21-1-2-3")).0.ends_with("has no such account any more"));
        assert_eq!(with(Vec::new(), forest("S-1-5-21-1-2-33")), plain, "another domain's");
        assert_eq!(with(Vec::new(), Known::Absent), plain);
    }
}
