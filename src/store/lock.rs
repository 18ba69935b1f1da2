//! One `apply` at a time on a folder. The lock belongs to an open file, so the system lets go of it when the
//! process ends, however it ends; who holds it stands in a file beside it, for people.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::{Problem, RunId};
use crate::port::Result;

/// Who holds the lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Process.
    pub pid: u32,
    /// Machine.
    pub host: String,
    /// Account.
    pub user: String,
    /// Run, where it is known.
    pub run: Option<RunId>,
    /// Since when.
    pub since: Timestamp,
}

impl Holder {
    /// Describes this process.
    #[must_use]
    pub fn this_process(run: Option<RunId>, since: Timestamp) -> Self {
        let first = |names: [&str; 2]| names.iter().find_map(|name| std::env::var(name).ok()).filter(|v| !v.is_empty());
        let host = std::fs::read_to_string("/etc/hostname").ok().map(|text| text.trim().to_owned());
        Self {
            pid: std::process::id(),
            host: first(["COMPUTERNAME", "HOSTNAME"]).or(host).unwrap_or_else(|| "this machine".to_owned()),
            user: first(["USERNAME", "USER"]).unwrap_or_else(|| "somebody".to_owned()),
            run,
            since,
        }
    }
}

/// The lock; let go of when it is dropped.
#[derive(Debug)]
pub struct ApplyLock {
    file: File,
    info: PathBuf,
}

impl ApplyLock {
    /// Takes the lock of a folder.
    ///
    /// # Errors
    /// `apply.locked` where another process holds it, `store.folder` where the folder can't be used.
    pub fn take(folder: &Path, holder: &Holder) -> Result<Self> {
        let unusable = |e: std::io::Error| {
            Problem::new("store.folder", format!("{} can't be used", folder.display()))
                .next("check that the folder exists and that you may write to it")
                .detail(e.to_string())
        };
        std::fs::create_dir_all(folder).map_err(unusable)?;
        let path = folder.join("apply.lock");
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(path).map_err(unusable)?;
        let info = folder.join("apply.lock.json");
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(locked(&info)),
            Err(TryLockError::Error(e)) => return Err(unusable(e)),
        }
        let text = serde_json::to_vec_pretty(holder).expect("a holder is plain data");
        std::fs::write(&info, text).map_err(unusable)?;
        Ok(Self { file, info })
    }
}

impl Drop for ApplyLock {
    fn drop(&mut self) {
        // The note goes first: whoever finds the lock free must not find an old name on it. What fails here
        // does no harm, since a note without a lock is never read.
        drop(std::fs::remove_file(&self.info));
        drop(self.file.unlock());
    }
}

fn locked(info: &Path) -> Problem {
    let holder = std::fs::read(info).ok().and_then(|bytes| serde_json::from_slice::<Holder>(&bytes).ok());
    let who = holder.as_ref().map_or_else(
        || "another process".to_owned(),
        |holder| {
            let since = holder.since.strftime("%Y-%m-%dT%H:%M:%SZ");
            format!("{} on {} (process {}, since {since})", holder.user, holder.host, holder.pid)
        },
    );
    let run = holder.and_then(|holder| holder.run).map(|run| format!("; it works on run {run}")).unwrap_or_default();
    Problem::new("apply.locked", format!("{who} is applying on this folder{run}"))
        .next("wait until it ends, or stop it with Ctrl-C there and then `opsole apply --resume`; `opsole status` shows its progress")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Catches two applies side by side, and a lock that outlives its holder.
    #[test]
    fn a_second_apply_is_told_who_holds_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let holder = Holder {
            pid: 4711,
            host: "ADMIN-1".to_owned(),
            user: "dana".to_owned(),
            run: None,
            since: Timestamp::UNIX_EPOCH,
        };
        let lock = ApplyLock::take(folder.path(), &holder).expect("a lock");
        let problem = ApplyLock::take(folder.path(), &holder).unwrap_err();
        assert_eq!(problem.code, "apply.locked");
        assert!(problem.message.contains("dana on ADMIN-1 (process 4711") && problem.next.is_some());
        drop(lock);
        assert!(ApplyLock::take(folder.path(), &holder).is_ok());
    }
}
