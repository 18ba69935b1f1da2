//! Measures how fast a directory is read, and prints a table: `cargo bench --bench directory -- 1000 10000 50000`.
//!
//! A small LDAP server of this program's own holds computers and as many people, and answers in pages as a domain controller
//! does; the reading is the one that `plan` makes, over TLS on loopback. `requests` shows that there is none for each object,
//! `us_each` that an object takes as long among many as among few. The server's own time is in it.

#[path = "../fleet/memory.rs"]
mod memory;
mod server;

use std::io::{self, Write as _};
use std::sync::atomic::Ordering;
use std::time::Instant;

use opsole::directory::{LdapDirectory, Limits, Settings, SignIn};
use opsole::port::Directory as _;
use secrecy::SecretString;

use memory::peak_mib;

type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn main() -> Outcome<()> {
    let args = std::env::args().skip(1).filter(|arg| arg != "--bench");
    let sizes: Vec<usize> = args.map(|arg| arg.parse()).collect::<Result<_, _>>()?;
    let sizes = if sizes.is_empty() { vec![1_000, 10_000, 50_000] } else { sizes };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut out = io::stdout().lock();
    write!(out, "{:>9} {:>8} {:>8} {:>9}", "computers", "people", "requests", "seconds")?;
    writeln!(out, " {:>9} {:>8} {:>9}", "a_second", "us_each", "peak_mib")?;
    for size in sizes {
        writeln!(out, "{}", runtime.block_on(measure(size))?)?;
        out.flush()?;
    }
    Ok(())
}

async fn measure(size: usize) -> Outcome<String> {
    let served = server::serve(size).await?;
    let directory = LdapDirectory::new(Settings {
        servers: vec![served.url.parse()?],
        domain: server::DOMAIN.to_owned(),
        units: vec![server::UNIT.to_owned()],
        account: "CORP\\svc-disjoin".to_owned(),
        sign_in: SignIn::Password(SecretString::from("a bench's own".to_owned())),
        authorities: Some(served.authority.clone()),
        limits: Limits::default(),
    })?;
    let begun = Instant::now();
    let state = directory.observe().await?;
    let seconds = begun.elapsed().as_secs_f64();
    let people = state.users.known().ok_or("the people couldn't be read")?.len();
    if (state.computers.len(), people) != (size, size) {
        return Err(format!("{} computers and {people} people of {size}", state.computers.len()).into());
    }
    let (objects, requests) = (size as f64 * 2.0, served.requests.load(Ordering::Relaxed));
    let (a_second, us_each) = (objects / seconds, seconds * 1e6 / objects);
    Ok(format!("{size:>9} {people:>8} {requests:>8} {seconds:>9.3} {a_second:>9.0} {us_each:>8.1} {:>9}", peak_mib()))
}
