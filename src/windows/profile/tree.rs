//! Everything that lies in a folder, on several threads: files of a profile are many and small, and each costs two calls.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::model::Sid;
use crate::windows::machine::{Cause, Entry, Files, Sys, SysError};
use crate::winformat::FormatError;
use crate::winformat::descriptor::Substitution;

/// More threads than this don't make a disk faster \[I].
const THREADS_MAX: usize = 8;
/// Failures that are kept with their names; all are counted.
const FAILURES_KEPT: usize = 20;

/// What a walk came to.
#[derive(Debug, Default)]
pub(super) struct Tree {
    /// Files, folders and links that were visited, with the root.
    pub visited: u64,
    /// How many could not be read or changed.
    pub failed: u64,
    /// The first of them, by path.
    pub failures: Vec<(String, SysError)>,
}

/// What giving a folder over came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Given {
    /// Files, folders and links that were visited, with the root.
    pub visited: u64,
    /// How many of them named the old owner, and name the new one now.
    pub changed: u64,
    /// How many couldn't be read or changed.
    pub failed: u64,
}

/// Puts one person in another's place in the security of a folder and of everything below it, and nothing else: for
/// what lies outside of a profile, and for measuring. Nothing is written down; whoever wants it back asks for the other
/// way round, which is exact where the new owner was named nowhere before.
///
/// # Errors
/// Where one of the two has no binary form. What couldn't be given over is counted.
pub fn give_tree<M: Files + Sync + ?Sized>(
    machine: &M,
    root: &str,
    from: &Sid,
    to: &Sid,
) -> Result<Given, FormatError> {
    let substitution = Substitution::new(from, to)?;
    let changed = AtomicU64::new(0);
    let tree = walk(machine, root, |path, _| {
        let Some(current) = machine.security(path)? else { return Ok(()) };
        let unreadable =
            |error: FormatError| SysError::new("GetFileSecurity", path, Cause::Unreadable, 0, error.to_string());
        let after = substitution.apply(&current).map_err(unreadable)?;
        if after.places > 0 {
            machine.set_security(path, &after.bytes)?;
            changed.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    });
    Ok(Given { visited: tree.visited, changed: changed.into_inner(), failed: tree.failed })
}

#[derive(Default)]
struct Queue {
    folders: VecDeque<String>,
    /// Folders that a thread works on now.
    busy: usize,
    tree: Tree,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Visits a folder and everything below it, itself without an entry. What a link or placeholder points to isn't
/// visited, only the link. What fails is noted, and the rest goes on.
pub(super) fn walk<M: Files + Sync + ?Sized>(
    machine: &M,
    root: &str,
    visit: impl Fn(&str, Option<&Entry>) -> Sys<()> + Sync,
) -> Tree {
    let root = root.trim_end_matches('\\');
    let mut first = Tree { visited: 1, ..Tree::default() };
    note(&mut first, root, visit(root, None));
    let queue = Mutex::new(Queue { folders: VecDeque::from([root.to_owned()]), busy: 0, tree: first });
    let more = Condvar::new();
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(THREADS_MAX);
    let work = || {
        loop {
            let mut held = locked(&queue);
            let folder = loop {
                if let Some(folder) = held.folders.pop_front() {
                    held.busy += 1;
                    break folder;
                }
                if held.busy == 0 {
                    return;
                }
                held = more.wait(held).unwrap_or_else(PoisonError::into_inner);
            };
            drop(held);
            let (part, below) = in_folder(machine, &folder, &visit);
            let mut held = locked(&queue);
            held.busy -= 1;
            held.folders.extend(below);
            held.tree.visited += part.visited;
            held.tree.failed += part.failed;
            held.tree.failures.extend(part.failures);
            held.tree.failures.sort_by(|a, b| a.0.cmp(&b.0));
            held.tree.failures.truncate(FAILURES_KEPT);
            drop(held);
            more.notify_all();
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(work);
        }
        work();
    });
    queue.into_inner().unwrap_or_else(PoisonError::into_inner).tree
}

fn note(tree: &mut Tree, path: &str, outcome: Sys<()>) {
    if let Err(error) = outcome {
        tree.failed += 1;
        if tree.failures.len() < FAILURES_KEPT {
            tree.failures.push((path.to_owned(), error));
        }
    }
}

/// Visits what lies right in a folder, and returns the folders among it.
fn in_folder<M: Files + ?Sized>(
    machine: &M,
    folder: &str,
    visit: &impl Fn(&str, Option<&Entry>) -> Sys<()>,
) -> (Tree, Vec<String>) {
    let mut tree = Tree::default();
    let mut below = Vec::new();
    // A folder that went away since has nothing left to visit.
    let entries = match machine.list(folder) {
        Ok(entries) => entries.unwrap_or_default(),
        Err(error) => {
            note(&mut tree, folder, Err(error));
            return (tree, below);
        }
    };
    for entry in entries {
        let path = format!("{folder}\\{}", entry.name);
        tree.visited += 1;
        note(&mut tree, &path, visit(&path, Some(&entry)));
        if entry.is_folder && !entry.is_reparse {
            below.push(path);
        }
    }
    (tree, below)
}
