//! Logs of the service: a file that is put aside when it is full, and a few of those. The disk that they take is
//! bounded, whatever happens: `tracing-appender` only knows files of a day or an hour.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

#[cfg(windows)]
use tracing_subscriber::Layer as _;
#[cfg(windows)]
use tracing_subscriber::layer::SubscriberExt as _;
#[cfg(windows)]
use tracing_subscriber::util::SubscriberInitExt as _;

/// Files that are kept, the current one included, and bytes of each.
const KEPT: usize = 5;
#[cfg(windows)]
const BYTES: u64 = 2 << 20;

/// The current file.
struct Current {
    folder: PathBuf,
    bytes_max: u64,
    file: Option<(File, u64)>,
}

/// Writes lines to `opsole.log`; older ones stand in `opsole.1.log` and so on. What can't be written is lost: a log
/// mustn't stop a migration.
#[derive(Clone)]
pub(super) struct Logs(Arc<Mutex<Current>>);

impl Logs {
    /// Returns logs in a folder, which is there.
    #[cfg(windows)]
    pub(super) fn in_folder(folder: &Path) -> Self {
        Self::sized(folder, BYTES)
    }
    fn sized(folder: &Path, bytes_max: u64) -> Self {
        Self(Arc::new(Mutex::new(Current { folder: folder.to_owned(), bytes_max, file: None })))
    }
    /// Sends what is logged from now on there.
    #[cfg(windows)]
    pub(super) fn install(self) {
        let (filter, wrong) = crate::cli::log_filter::log_filter("opsole=info");
        let layer = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(move || self.clone());
        drop(tracing_subscriber::registry().with(layer.with_filter(filter)).try_init());
        if let Some(wrong) = wrong {
            tracing::warn!("{wrong}");
        }
    }
}

impl Current {
    fn path(&self, n: usize) -> PathBuf {
        self.folder.join(if n == 0 { "opsole.log".to_owned() } else { format!("opsole.{n}.log") })
    }
    fn open(&self) -> io::Result<(File, u64)> {
        let file = OpenOptions::new().append(true).create(true).open(self.path(0))?;
        let bytes = file.metadata()?.len();
        Ok((file, bytes))
    }
    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        let (mut file, mut bytes) = match self.file.take() {
            Some(file) => file,
            None => self.open()?,
        };
        if bytes > 0 && bytes + line.len() as u64 > self.bytes_max {
            // Windows renames no file that is open.
            drop(file);
            for n in (0..KEPT - 1).rev() {
                match std::fs::rename(self.path(n), self.path(n + 1)) {
                    Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
                    _ => {}
                }
            }
            (file, bytes) = self.open()?;
        }
        file.write_all(line)?;
        self.file = Some((file, bytes + line.len() as u64));
        Ok(())
    }
}

impl Write for Logs {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(line).map(|()| line.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Catches logs that fill the disk, lose what was just said, or forget their size over a restart.
    #[test]
    fn old_lines_make_room_for_new_ones() {
        let folder = tempfile::tempdir().expect("a folder");
        for n in 0..100 {
            // A writer of its own each time, as after a restart.
            Logs::sized(folder.path(), 64).write_all(format!("line number {n:>3}\n").as_bytes()).expect("written");
        }
        let mut files: Vec<_> = std::fs::read_dir(folder.path()).expect("files").flatten().collect();
        files.sort_by_key(std::fs::DirEntry::file_name);
        assert_eq!(files.len(), KEPT);
        assert!(files.iter().all(|file| file.metadata().expect("about").len() <= 64));
        let last = std::fs::read_to_string(folder.path().join("opsole.log")).expect("a log");
        assert!(last.ends_with("line number  99\n"), "{last}");
        assert!(std::fs::read_to_string(folder.path().join("opsole.4.log")).expect("a log").len() > 40);
    }
}
