//! Packages that lie in files. A package is a credential: its bytes go to the device that installs it and
//! nowhere else.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::model::{Digest, PackageName, Problem};
use crate::port::{Packages, Result};

/// Where a package lies, and what it has to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageFile {
    /// The file.
    pub path: PathBuf,
    /// Its digest, where the plan names one.
    pub sha256: Option<Digest>,
}

/// The packages of a plan.
#[derive(Debug, Clone, Default)]
pub struct FilePackages {
    files: BTreeMap<PackageName, PackageFile>,
}

impl FilePackages {
    /// Returns the packages in these files. Nothing is read yet.
    #[must_use]
    pub fn new(files: BTreeMap<PackageName, PackageFile>) -> Self {
        Self { files }
    }
}

impl Packages for FilePackages {
    fn read(&self, name: &PackageName) -> Result<Vec<u8>> {
        let Some(file) = self.files.get(name) else {
            return Err(Problem::new("package.no-file", format!("package {name} has no file in the plan"))
                .next(format!("add `file:` to `packages.{name}`")));
        };
        let bytes = std::fs::read(&file.path).map_err(|e| {
            Problem::new("package.read", format!("can't read package {name} from {}", file.path.display()))
                .detail(e.to_string())
        })?;
        let found = Digest::of(&bytes);
        match file.sha256 {
            Some(wanted) if wanted != found => {
                Err(Problem::new("package.changed", format!("package {name} isn't the file that the plan names"))
                    .next("put the reviewed file back, or review the new one and change `sha256` in the plan")
                    .detail(format!("the plan says {wanted}, the file is {found}")))
            }
            _ => Ok(bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Catches a package that was swapped after the review: devices would join whatever tenant it is for.
    #[test]
    fn another_file_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("bulk.ppkg");
        std::fs::write(&path, b"reviewed").expect("a file");
        let name = PackageName::from("bulk");
        let file = PackageFile { path: path.clone(), sha256: Some(Digest::of(b"reviewed")) };
        let packages = FilePackages::new(BTreeMap::from([(name.clone(), file)]));
        assert_eq!(packages.read(&name).expect("the reviewed one"), b"reviewed");
        std::fs::write(&path, b"swapped").expect("a file");
        assert_eq!(packages.read(&name).expect_err("another one").code, "package.changed");
        assert_eq!(packages.read(&PackageName::from("other")).expect_err("none").code, "package.no-file");
    }
}
