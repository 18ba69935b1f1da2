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
use super::world::World;
use crate::model::{JoinState, Known, Problem};
use crate::port::{Directory, Result};
use crate::state::{AdComputer, DirectoryState, DisjoinAccount, OuRights};

const KIND: &str = "directory";

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
                let object = AdComputer {
                    guid: ids.computer,
                    sid: ids.computer_sid,
                    name: device.name.to_uppercase(),
                    dn: format!("CN={},{}", device.name.to_uppercase(), directory.computers),
                    enabled: true,
                    password_set: Some(world.starts),
                    domain_controller: false,
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
    fn change(&self, guid: Uuid, change: impl FnOnce(&Computer) -> Option<Computer>) -> Result<bool> {
        let directory = self.lab.world().directory.as_ref().ok_or_else(Self::missing)?;
        let mut computers = held(&self.lab.computers);
        let Some(old) = computers.get(guid) else { return Ok(false) };
        if old.object.domain_controller {
            let message = format!("{} is a domain controller", old.object.name);
            return Err(Problem::new("directory.domain-controller", message).next("leave it out of the plan"));
        }
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
                rights: vec![OuRights { ou, delete: own.delete, read_properties: own.read, disable: own.disable }],
            }
        });
        let account = Known::found(account);
        Ok(DirectoryState { domain: directory.domain.clone(), computers, account })
    }
    async fn computer(&self, guid: Uuid) -> Result<Option<AdComputer>> {
        Ok(held(&self.lab.computers).get(guid).map(|computer| computer.object.clone()))
    }
    async fn set_enabled(&self, guid: Uuid, enabled: bool) -> Result<()> {
        let found = self.change(guid, |old| {
            let mut new = old.clone();
            new.object.enabled = enabled;
            Some(new)
        })?;
        if found {
            return Ok(());
        }
        Err(Problem::new("directory.no-such-computer", format!("computer {guid} isn't in the directory"))
            .next("plan again: somebody removed it"))
    }
    async fn delete(&self, guid: Uuid) -> Result<()> {
        self.change(guid, |_| None).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Catches changes that are lost when the lab is opened again, and a delete that isn't idempotent.
    #[tokio::test]
    async fn changes_stay() {
        let world = World::parse("w", include_str!("../../examples/hybrid-to-entra/world.yaml")).expect("a world");
        let folder = tempfile::tempdir().expect("a folder");
        let directory = LabDirectory::new(Arc::new(Lab::open(folder.path(), &world).expect("new")));
        let all = directory.observe().await.expect("readable").computers;
        assert_eq!(all.len(), 4);
        directory.set_enabled(all[0].guid, false).await.expect("there");
        directory.delete(all[1].guid).await.expect("there");
        directory.delete(all[1].guid).await.expect("gone is a success");
        assert_eq!(
            directory.set_enabled(all[1].guid, true).await.expect_err("gone").code,
            "directory.no-such-computer"
        );
        drop(directory);
        let directory = LabDirectory::new(Arc::new(Lab::open(folder.path(), &world).expect("again")));
        let left = directory.observe().await.expect("readable").computers;
        assert_eq!(left.len(), 3);
        assert!(!directory.computer(all[0].guid).await.expect("readable").expect("there").enabled);
    }
}
