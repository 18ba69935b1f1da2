//! Measures how fast a profile's files change hands, and prints a table: `cargo bench --bench profile -- 20000 200000`.
//!
//! Over a Windows in memory everywhere: what the engine itself costs. On Windows over real files in a temporary folder
//! too: what the file system costs. Files lie fifty to a folder, as in a profile. `there` and `back` are seconds for all
//! files, `a_second` is files in a second on the way there.

use std::io::{self, Write};
use std::time::Instant;

use opsole::model::Sid;
use opsole::windows::machine::Files;
use opsole::windows::memory::{Content, Memory, SAMPLE_NOW, descriptor};
use opsole::windows::profile::give_tree;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

const FOLDER_FILES: usize = 50;

fn main() -> Outcome<()> {
    let args = std::env::args().skip(1).filter(|arg| arg != "--bench");
    let sizes: Vec<usize> = args.map(|arg| arg.parse()).collect::<Result<_, _>>()?;
    let sizes = if sizes.is_empty() { vec![20_000, 200_000] } else { sizes };
    let old: Sid = "S-1-5-21-3623811015-3361044348-30300820-1104".parse()?;
    let new: Sid = "S-1-12-1-910410835-1306523740-2996082354-1245529378".parse()?;
    let mut out = io::stdout().lock();
    writeln!(out, "{:>8} {:>8} {:>8} {:>8} {:>9} {:>7}", "where", "files", "there", "back", "a_second", "failed")?;
    for size in sizes {
        let memory = in_memory(size, &old);
        measure(&mut out, "memory", &memory, r"C:\Users\anna", (&old, &new))?;
        #[cfg(windows)]
        on_disk(&mut out, size, &new)?;
    }
    Ok(())
}

fn path_of(root: &str, number: usize) -> String {
    let folder = number / FOLDER_FILES;
    format!("{root}\\{:02}\\{folder:05}\\{number:07}.txt", folder % 40)
}

fn in_memory(size: usize, owner: &Sid) -> Memory {
    let memory = Memory::new(SAMPLE_NOW);
    let root = r"C:\Users\anna";
    memory.with(|state| {
        state.put_folder(root);
        if let Some(node) = state.files.get_mut(&root.to_lowercase()) {
            node.security = descriptor(owner, &["S-1-5-18", "S-1-5-32-544", owner.as_str()], true);
        }
        for number in 0..size {
            state.put_file_node(&path_of(root, number), Content::Bulk(1024));
        }
    });
    memory
}

/// Makes real files, whose owner is whoever runs this, gives them over and back, and removes them.
#[cfg(windows)]
fn on_disk(out: &mut impl Write, size: usize, new: &Sid) -> Outcome<()> {
    let windows = opsole::windows::sys::Windows::new()?;
    let folder = tempfile::tempdir()?;
    let root = folder.path().to_string_lossy().into_owned();
    for number in 0..size {
        let path = path_of(&root, number);
        if let Some((folder, _)) = path.rsplit_once('\\') {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(path, b"x")?;
    }
    let own = windows.security(&path_of(&root, 0))?.ok_or("a file has no security")?;
    let own = opsole::winformat::descriptor::parse(&own)?.owner.ok_or("a file has no owner")?;
    measure(out, "disk", &windows, &root, (&own, new))
}

fn measure<M: Files + Sync>(
    out: &mut impl Write,
    place: &str,
    machine: &M,
    root: &str,
    (old, new): (&Sid, &Sid),
) -> Outcome<()> {
    let begin = Instant::now();
    let given = give_tree(machine, root, old, new)?;
    let there = begin.elapsed().as_secs_f64();
    let begin = Instant::now();
    let back = give_tree(machine, root, new, old)?;
    let home = begin.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "counts of files are far below 2^52")]
    let rate = given.visited as f64 / there;
    let failed = given.failed + back.failed;
    writeln!(out, "{place:>8} {:>8} {there:>8.2} {home:>8.2} {rate:>9.0} {failed:>7}", given.visited)?;
    Ok(())
}
