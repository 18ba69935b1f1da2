//! The lab's Active Directory: computers, and Entra Connect that carries their fate to the tenant.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::folder::{Lab, held};
use super::seed::Index;
use super::store::{LabStore, Write};
use super::tenant::Task;
use super::world::{World, WorldUser};
use crate::model::{JoinState, Known, Problem, Sid, TenantId};
use crate::port::{Directory, Result, Retirement, refuse};
use crate::state::{AdComputer, AdUser, DirectoryState, DisjoinAccount, Forest, HybridTenant, OuRights};
use crate::winformat::ad::Dn;

const KIND: &str = "directory";
/// Functional level of the domain: Windows Server 2016, the highest that most domains have.
const LEVEL: u32 = 7;

/// A computer, and whether Entra Connect carries it to the tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Computer {
    /// The object.
    pub(super) object: AdComputer,
    /// Was hybrid joined: Connect knows it.
    pub(super) hybrid: bool,
}

/// All computers by `objectGUID`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Computers(BTreeMap<Uuid, Computer>);

impl Computers {
    /// Returns the computers of a world's first moment, changed as the store says.
    pub(super) fn load(world: &World, store: &LabStore) -> Result<Self> {
        let index = Index::new(world);
        let mut computers = BTreeMap::new();
        if let Some(directory) = &world.directory {
            for device in world.devices.iter().filter(|d| matches!(d.join, JoinState::Ad | JoinState::Hybrid)) {
                let ids = index.device_ids(device);
                let name = device.name.to_uppercase();
                let dn = format!("CN={name},{}", directory.computers);
                let object = AdComputer {
                    password_set: Some(world.starts),
                    dns_name: Some(format!("{}.{}", name.to_lowercase(), directory.domain)),
                    ..AdComputer::new(ids.computer, ids.computer_sid, name, dn)
                };
                computers.insert(ids.computer, Computer { object, hybrid: device.join == JoinState::Hybrid });
            }
        }
        for (id, body) in store.all(KIND)? {
            let broken = |e: &dyn std::fmt::Display| {
                Problem::new("lab.store", format!("computer {id} of the lab can't be read")).detail(e.to_string())
            };
            let guid: Uuid = id.parse().map_err(|e| broken(&e))?;
            match serde_json::from_str::<Option<Computer>>(&body).map_err(|e| broken(&e))? {
                Some(computer) => computers.insert(guid, computer),
                None => computers.remove(&guid),
            };
        }
        Ok(Self(computers))
    }
    /// Returns a computer.
    pub(super) fn get(&self, guid: Uuid) -> Option<&Computer> {
        self.0.get(&guid)
    }
    /// Returns all computers in the order of their GUIDs.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Computer> {
        self.0.values()
    }
}

/// Active Directory of a lab. It has to share the [`Lab`] with the server of the tenants: what Entra Connect
/// carries over is told within the process.
#[derive(Debug, Clone)]
pub struct LabDirectory {
    lab: Arc<Lab>,
}

impl LabDirectory {
    /// Returns the directory of a lab.
    #[must_use]
    pub fn new(lab: Arc<Lab>) -> Self {
        Self { lab }
    }

    fn missing() -> Problem {
        Problem::new("directory.unreachable", "the world has no Active Directory")
            .next("give the world file a `directory:`, or take it out of the plan")
    }

    /// Replaces or removes a computer and tells Entra Connect.
    fn change(
        &self,
        guid: Uuid,
        retirement: &Retirement,
        change: impl FnOnce(&Computer) -> Option<Computer>,
    ) -> Result<bool> {
        let directory = self.lab.world().directory.as_ref().ok_or_else(Self::missing)?;
        let mut computers = held(&self.lab.computers);
        let Some(old) = computers.get(guid) else { return Ok(false) };
        let units: Vec<Dn> = Dn::parse(&directory.computers).into_iter().collect();
        refuse(&old.object, &units, retirement)?;
        let new = change(old);
        if new.as_ref() == Some(old) {
            return Ok(true);
        }
        let hybrid = old.hybrid;
        let body = serde_json::to_string(&new)
            .map_err(|e| Problem::new("lab.store", "a computer can't be written as JSON").detail(e.to_string()))?;
        let mut writes = vec![Write { kind: KIND.to_owned(), id: guid.to_string(), body: Some(body) }];
        if hybrid {
            let task = Task::Connect { computer: guid };
            writes.push(held(&self.lab.due).schedule(self.lab.now(), directory.sync_secs, task)?);
        }
        match new {
            Some(new) => computers.0.insert(guid, new),
            None => computers.0.remove(&guid),
        };
        drop(computers);
        self.lab.commit(&mut writes)?;
        Ok(true)
    }
}

#[async_trait]
impl Directory for LabDirectory {
    async fn observe(&self) -> Result<DirectoryState> {
        let directory = self.lab.world().directory.as_ref().ok_or_else(Self::missing)?;
        let computers = held(&self.lab.computers).iter().map(|computer| computer.object.clone()).collect();
        let ou = directory.computers.clone();
        let account = directory.disjoin_account.as_ref().map(|own| {
            let netbios = directory.domain.split('.').next().unwrap_or_default().to_uppercase();
            DisjoinAccount {
                name: own.name.clone().unwrap_or_else(|| format!("{netbios}\\svc-disjoin")),
                enabled: own.enabled,
                locked: own.locked,
                password_expires: own.password_expires,
                account_expires: own.account_expires,
                rights: vec![OuRights {
                    delete: own.delete,
                    read_properties: own.read,
                    disable: own.disable,
                    ..OuRights::all(ou, true)
                }],
            }
        });
        let account = Known::found(account);
        let mut state = DirectoryState::of(directory.domain.clone(), computers, account);
        state.users = Known::Known(people(self.lab.world()));
        state.hybrid = Known::found(hybrid(self.lab.world()));
        state.forest = Known::Known(Forest {
            root: directory.domain.clone(),
            server: format!("dc1.{}", directory.domain),
            domain_sid: Index::new(self.lab.world()).domain_sid(),
            level: LEVEL,
        });
        Ok(state)
    }
    async fn computer(&self, guid: Uuid) -> Result<Option<AdComputer>> {
        Ok(held(&self.lab.computers).get(guid).map(|computer| computer.object.clone()))
    }
    async fn disable(&self, guid: Uuid, retirement: &Retirement) -> Result<()> {
        let found = self.change(guid, retirement, |old| {
            let mut new = old.clone();
            if old.object.enabled {
                new.object.enabled = false;
                new.object.description = Some(retirement.mark.write(old.object.description.as_deref()));
            }
            Some(new)
        })?;
        if found {
            return Ok(());
        }
        Err(Problem::new("directory.no-such-computer", format!("computer {guid} isn't in the directory"))
            .next("plan again: somebody removed it"))
    }
    async fn delete(&self, guid: Uuid, retirement: &Retirement) -> Result<()> {
        self.change(guid, retirement, |_| None).map(drop)
    }
}

/// Returns the people of a world that have an account in its directory.
fn people(world: &World) -> Vec<AdUser> {
    let users = world.tenants.values().flat_map(|tenant| &tenant.users);
    let person = |user: &WorldUser| {
        let sid: Sid = user.on_premises_sid.as_ref()?.parse().ok()?;
        let name = user.upn.split('@').next().unwrap_or_default().to_owned();
        Some((sid.clone(), AdUser { sid, upn: Some(user.upn.clone()), name, enabled: user.enabled }))
    };
    users.filter_map(person).collect::<BTreeMap<_, _>>().into_values().collect()
}

/// Returns the tenant that a world's devices become hybrid joined to.
fn hybrid(world: &World) -> Option<HybridTenant> {
    let tenant = world.tenants.get(world.directory.as_ref()?.sync_to.as_ref()?)?;
    Some(HybridTenant { domain: Some(tenant.domain.clone()), tenant: Some(TenantId(tenant.id)) })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Catches changes that are lost when the lab is opened again. What a directory has to do is in tests/it/directory.
    #[tokio::test]
    async fn changes_stay() {
        let world = World::parse("w", include_str!("../../examples/hybrid-to-entra/world.yaml")).expect("a world");
        let folder = tempfile::tempdir().expect("a folder");
        let directory = LabDirectory::new(Arc::new(Lab::open(folder.path(), &world).expect("new")));
        let all = directory.observe().await.expect("readable").computers;
        assert_eq!(all.len(), 4);
        let run = crate::model::RunId(Uuid::nil());
        let mark = crate::state::RetiredMark { run, on: world.starts };
        let retirement = Retirement { mark, left: None, only_marked: false };
        directory.disable(all[0].guid, &retirement).await.expect("there");
        directory.delete(all[1].guid, &retirement).await.expect("there");
        drop(directory);
        let directory = LabDirectory::new(Arc::new(Lab::open(folder.path(), &world).expect("again")));
        let left = directory.observe().await.expect("readable").computers;
        assert_eq!(left.len(), 3);
        let disabled = directory.computer(all[0].guid).await.expect("readable").expect("there");
        assert!(!disabled.enabled && disabled.retired().is_some());
    }
}
