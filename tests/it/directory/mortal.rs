//! A domain controller that is killed and comes back: in the middle of a reading, of a change, of a wave.
//!
//! It is another one than the one that all other tests share, next to it.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use opsole::directory::{LdapDirectory, Limits, Settings};
use opsole::model::Retry;
use opsole::port::Directory;

use super::samba::{Samba, of_folder, retirement, samba};
use super::story::{TURN, migration};
use crate::support::{Ran, root};

/// A domain controller of one's own.
struct Mortal {
    folder: PathBuf,
    address: String,
    samba: Samba,
}

/// One at a time uses it.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

impl Mortal {
    /// Starts it; none where the shared one can't be started either.
    fn start(what: &str) -> Option<Self> {
        let shared = samba(what)?;
        let next = shared.address.parse::<Ipv4Addr>().expect("an address").to_bits() + 1;
        let folder = PathBuf::from(std::env::var_os("OPSOLE_DIRECTORY").expect("it was there")).join("mortal");
        let address = Ipv4Addr::from_bits(next).to_string();
        Self::up(&folder, &address);
        let samba = of_folder(&folder);
        Some(Self { folder, address, samba })
    }
    fn up(folder: &PathBuf, address: &str) {
        let mut up = Command::new(root().join("ci/directory/up"));
        let done = up.arg(folder).env("OPSOLE_DIRECTORY_ADDRESS", address).output().expect("a shell");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
    fn again(&self) {
        Self::up(&self.folder, &self.address);
    }
    fn stop(&self, how: &[&str]) {
        let stop = Command::new(root().join("ci/directory/stop")).arg(&self.folder).args(how).status();
        assert!(stop.expect("a shell").success());
    }
    fn kill(&self) {
        self.stop(&["--kill"]);
    }
}

impl Drop for Mortal {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.stop(&[]);
        }
    }
}

/// Catches part of an answer taken for the whole, a change that is half done or done twice, and a message that leaves out who
/// it was: the server is killed at several moments of a reading and of a change, and comes back.
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server() {
    let _alone = ALONE.lock().await;
    let Some(mortal) = Mortal::start("a server that is killed") else { return };
    let mut admin = mortal.samba.admin().await;
    let unit = admin.unit("Mortal", &mortal.samba.workstations).await;
    for number in 0..40 {
        admin.computer(&format!("MORTAL-{number:02}"), &unit).await;
    }
    let dn = format!("CN=MORTAL-00,{unit}");
    let client = || {
        // Many small pages, so that a kill falls between two of them.
        let limits =
            Limits { page: 2, connect: Duration::from_secs(3), answer: Duration::from_secs(3), ..Limits::default() };
        let settings = Settings { units: vec![unit.clone()], limits, ..mortal.samba.settings("svc-delegated") };
        LdapDirectory::new(settings).expect("settings")
    };
    let (reader, mut cut) = (client(), 0);
    for round in 0..8_u64 {
        let guid = admin.computer("MORTAL-00", &unit).await;
        admin.write(&dn, "description", b"Reception".to_vec()).await;
        let writer = client();
        writer.computer(guid).await.expect("connected").expect("there");
        let how = retirement(round.into());
        let (read, written, ()) = tokio::join!(reader.observe(), writer.disable(guid, &how), async {
            tokio::time::sleep(Duration::from_millis(round * round * 4)).await;
            tokio::task::block_in_place(|| mortal.kill());
        });
        match read {
            Ok(state) => assert_eq!(state.computers.len(), 40, "round {round}"),
            Err(problem) => {
                let dead = ["directory.unreachable", "directory.timeout"].contains(&problem.code.as_str());
                assert!(dead && problem.message.contains(&mortal.address), "{problem:?}");
                assert!(problem.next.is_some() && problem.retry != Retry::No, "{problem:?}");
                cut += 1;
            }
        }
        if let Err(problem) = &written {
            assert!(problem.message.contains(&mortal.address) && problem.retry != Retry::No, "{problem:?}");
            cut += 1;
        }
        // Nobody answers: that is said, and not that there is nothing.
        let problem = writer.computer(guid).await.expect_err("nobody there");
        assert_eq!(problem.code, "directory.unreachable", "{problem:?}");

        tokio::task::block_in_place(|| mortal.again());
        admin = mortal.samba.admin().await;
        let enabled = writer.computer(guid).await.expect("back").expect("there").enabled;
        let words = admin.text(&dn, "description").await.expect("words");
        assert_eq!(words.contains("Disabled by opsole"), !enabled, "both or neither: {words}");
        assert!(!(written.is_ok() && enabled), "what was said to be done is done");
        writer.disable(guid, &how).await.expect("back");
        assert_eq!(admin.text(&dn, "userAccountControl").await.as_deref(), Some("4098"));
        let words = admin.text(&dn, "description").await.expect("words");
        assert_eq!(words.matches("Disabled by opsole").count(), 1, "{words}");
        assert_eq!(reader.observe().await.expect("back").computers.len(), 40);
    }
    assert!(cut > 0, "no kill came in the middle of anything");
}

/// Catches a wave that moves devices without their records being taken, that loses one over a dead server, says the wrong
/// thing of it, or doesn't end what is left: the server dies before the records are taken, and again when devices have left.
#[tokio::test(flavor = "multi_thread")]
async fn a_wave_whose_server_is_killed() {
    let _turn = TURN.lock().await;
    let _alone = ALONE.lock().await;
    let Some(mortal) = Mortal::start("a wave whose server is killed") else { return };
    let mut admin = mortal.samba.admin().await;
    let (env, unit) = migration(&mortal.samba, &mut admin, "Wave", "disable").await;
    let names = ["BER-001", "BER-002", "BER-003"];
    // Applies the wave and kills the server as soon as a device is so far.
    let applied = |at: &str| {
        let mut command = env.command(["apply", "--wave", "pilot", "--yes"]);
        let command = command.env("OPSOLE_LAB_SPEED", "400").stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        let mut lines = BufReader::new(child.stderr.take().expect("piped"));
        let mut err = String::new();
        while !err.contains(at) {
            assert_ne!(lines.read_line(&mut err).expect("text"), 0, "it ended before `{at}`: {err}");
        }
        mortal.kill();
        lines.read_to_string(&mut err).expect("text");
        let out = child.wait_with_output().expect("an end");
        Ran { code: out.status.code(), out: String::from_utf8_lossy(&out.stdout).into_owned(), err }
    };
    let told = |ran: &Ran| format!("{}\n{}", ran.out, ran.err);

    let first = tokio::task::block_in_place(|| applied("preparing"));
    // Whose records were taken in time is moved; the others are as they were.
    assert!(matches!(first.code, Some(4..=6)), "{:?} {}", first.code, told(&first));
    assert!(first.out.contains("directory.unreachable"), "{}", told(&first));
    tokio::task::block_in_place(|| mortal.again());
    let second = tokio::task::block_in_place(|| applied("finishing"));
    // Devices are moved, and their computers wait; one that hadn't begun yet begins nothing.
    assert!(matches!(second.code, Some(4..=6)), "{:?} {}", second.code, told(&second));
    assert!(second.out.contains("pending verification"), "{}", told(&second));
    assert!(second.out.contains("directory.unreachable") && second.out.contains("next:"), "{}", told(&second));
    tokio::task::block_in_place(|| mortal.again());
    let third = env.opsole("apply --wave pilot --yes").expect(0);
    let mut admin = mortal.samba.admin().await;
    for name in names {
        let control = admin.text(&format!("CN={name},{unit}"), "userAccountControl").await;
        assert_eq!(control.as_deref(), Some("4098"), "{name}: {}", told(&third));
    }
    drop(env.opsole("plan --wave pilot --detailed-exitcode").expect(0));
    drop(env.opsole("audit verify").expect(0));
}
