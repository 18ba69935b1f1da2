//! Package files on this machine: what they are, who may read them, where they lie.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::path::Path;

use super::lab_session::LabSession;
use crate::model::{Known, PackageName, Problem};
use crate::plan::MigrationPlan;
use crate::ppkg;
use crate::state::PackageFacts;

/// Looks into the packages of a plan. One without a file is absent, but for the lab's own packages.
pub fn look(
    plan: &MigrationPlan,
    folder: &Path,
    lab: Option<&LabSession>,
) -> BTreeMap<PackageName, Known<PackageFacts>> {
    let one = |name: &PackageName, file: Option<&Path>| match (file, lab) {
        (Some(file), _) => match read(&folder.join(file)) {
            Ok(facts) => Known::Known(facts),
            Err(problem) => Known::Unknown(detailed(&problem)),
        },
        (None, Some(lab)) => match lab.packages().read(name) {
            Ok(bytes) => Known::Known(ppkg::look(&bytes)),
            Err(problem) => Known::Unknown(problem.to_string()),
        },
        (None, None) => Known::Absent,
    };
    plan.packages.iter().map(|package| (package.name.clone(), one(&package.name, package.file.as_deref()))).collect()
}

fn detailed(problem: &Problem) -> String {
    let detail = problem.detail.as_ref().map_or_else(String::new, |detail| format!(": {detail}"));
    format!("{}{detail}", problem.message)
}

/// Looks into one file.
///
/// # Errors
/// `package.read` where it can't be read. A file that is no package is a fact.
pub fn read(path: &Path) -> Result<PackageFacts, Problem> {
    let failed = |detail: String| {
        Problem::new("package.read", format!("can't read the package {}", path.display()))
            .detail(detail)
            .next("name a file that whoever runs opsole may read")
    };
    let metadata = fs::metadata(path).map_err(|e| failed(e.to_string()))?;
    if !metadata.is_file() {
        return Err(failed("it isn't a file".to_owned()));
    }
    if metadata.len() > ppkg::MAX_FILE {
        return Err(failed(format!("it has more than {} MiB", ppkg::MAX_FILE >> 20)));
    }
    let bytes = zeroize::Zeroizing::new(fs::read(path).map_err(|e| failed(e.to_string()))?);
    let mut facts = ppkg::look(&bytes);
    facts.readable_by_others = others_may_read(&metadata);
    facts.in_repository = in_repository(path);
    Ok(facts)
}

/// The mode gives somebody else than the owner a right. Windows has no mode: there nothing is said against the file.
#[cfg(unix)]
fn others_may_read(metadata: &Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    metadata.permissions().mode() & 0o077 != 0
}
#[cfg(not(unix))]
fn others_may_read(_: &Metadata) -> bool {
    false
}

/// A folder above it holds `.git`. Whether Git ignores the file isn't asked: it is one mistake away from being added.
fn in_repository(path: &Path) -> bool {
    fs::canonicalize(path).is_ok_and(|path| path.ancestors().skip(1).any(|folder| folder.join(".git").exists()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Catches a package that everybody reads, or that is about to be committed, without anybody being told; and a file
    /// that is missing or no package at all.
    #[test]
    fn where_it_lies() {
        let folder = tempfile::tempdir().expect("a folder");
        let inner = folder.path().join("plans/packages");
        fs::create_dir_all(&inner).expect("folders");
        let file = inner.join("bulk.ppkg");
        assert_eq!(read(&file).expect_err("not there").code, "package.read");
        assert_eq!(read(&inner).expect_err("a folder").code, "package.read");
        fs::write(&file, b"no package").expect("a file");
        let facts = read(&file).expect("a file");
        assert!(facts.broken.is_some() && facts.size == 10 && !facts.in_repository);
        #[cfg(unix)]
        for (mode, open) in [(0o600, false), (0o400, false), (0o640, true), (0o604, true)] {
            use std::os::unix::fs::PermissionsExt as _;
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).expect("a mode");
            assert_eq!(read(&file).expect("a file").readable_by_others, open, "{mode:o}");
        }
        fs::create_dir(folder.path().join(".git")).expect("a folder");
        assert!(read(&file).expect("a file").in_repository);
    }
}
