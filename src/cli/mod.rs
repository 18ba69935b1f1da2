//! The command line: arguments, settings, wiring of adapters, and everything that is printed.
//!
//! ```text
//! args (what was typed) -> settings (what it means here) -> command/*.rs -> Exit
//! ```
//!
//! The one place that names adapters and the only one that writes to a terminal. `main` alone ends the process.

mod account;
mod agents;
mod args;
mod baseline;
mod command;
mod directory;
mod exit;
mod failure;
mod lab_session;
mod listening;
mod log_filter;
mod named_run;
mod names;
mod observe;
mod operator_file;
mod package_files;
mod progress;
mod real;
mod sealing;
mod secrets;
mod service;
mod serving;
mod session;
mod settings;
mod signals;
mod ui;

use std::ffi::OsString;
use std::io::IsTerminal as _;

use clap::Parser;
use tracing_subscriber::Layer as _;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

pub use args::Cli;
pub use exit::Exit;

use args::{
    AgentCommand, AuditCommand, Command, DevicesCommand, KeysCommand, LabCommand, PackageCommand, SecretsCommand,
    TlsCommand,
};
use failure::Failure;
use settings::Settings;
use ui::Ui;

/// Runs one command line and returns how the program ends.
pub fn run(args: impl IntoIterator<Item = OsString>) -> Exit {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            let shown = error.print();
            return if shown.is_err() || !error.use_stderr() { Exit::OK } else { Exit::USAGE };
        }
    };
    // The service logs into files of its own.
    if !matches!(cli.command, Command::Agent(AgentCommand::Run { service: true, .. })) {
        log(cli.global.verbose, cli.global.color);
    }
    let settings = Settings::new(&cli.global);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return Failure::Io(error).report(&settings.ui),
    };
    let exit =
        runtime.block_on(dispatch(&settings, cli.command)).unwrap_or_else(|failure| failure.report(&settings.ui));
    // Agents and servers that are still about have nothing to lose: everything that counts is on disk.
    runtime.shutdown_background();
    exit
}

async fn dispatch(settings: &Settings, command: Command) -> Result<Exit, Failure> {
    let ui = &settings.ui;
    match command {
        Command::Init(args) => command::init::run(ui, &args),
        Command::Validate => command::validate::run(settings),
        Command::Plan(args) => command::plan::run(settings, &args).await,
        Command::Check(args) => command::check::run(settings, &args).await,
        Command::Show(args) => command::show::run(ui, &args),
        Command::Graph(args) => command::graph::run(settings, &args).await,
        Command::Why(args) => command::why::run(settings, &args).await,
        Command::Diff(args) => command::compare::run(ui, &args),
        Command::Drift(args) => command::drift::run(settings, &args).await,
        Command::Approve(args) => command::approve::run(settings, &args),
        Command::Keys(KeysCommand::New { out }) => command::keys::new(ui, &out),
        Command::Keys(KeysCommand::Show { file }) => command::keys::show(ui, &file),
        Command::Keys(KeysCommand::RotateController { yes }) => command::keys::rotate_controller(settings, yes),
        Command::Tls(TlsCommand::Init { name }) => command::tls::init(settings, &name),
        Command::Tls(TlsCommand::Show { file }) => command::tls::show(settings, file.as_deref()),
        Command::Tls(TlsCommand::Renew { new_key }) => command::tls::renew(settings, new_key),
        Command::Secrets(SecretsCommand::Set { service, account }) => command::secrets::set(ui, &service, &account),
        Command::Secrets(SecretsCommand::Check) => command::secrets::check(settings).await,
        Command::Permissions(args) => command::permissions::run(settings, &args).await,
        Command::Apply(args) => command::apply::run(settings, &args).await,
        Command::Drain(args) => command::drain::run(settings, &args).await,
        Command::Users(command) => command::users::run(settings, command),
        Command::Exclusions(args) => command::exclusions::run(settings, &args).await,
        Command::Status(args) => command::status::run(settings, &args),
        Command::Recover(args) => command::recover::run(settings, &args),
        Command::Report(args) => command::report::run(settings, &args),
        Command::Audit(AuditCommand::List(args)) => command::audit::list(settings, &args),
        Command::Audit(AuditCommand::Verify(args)) => command::audit::verify(settings, &args),
        Command::Gate(args) => command::gate::run(settings, &args).await,
        Command::Snapshot(args) => command::snapshot::run(settings, &args).await,
        Command::Lab(LabCommand::Serve { world, listen, lab_speed }) => {
            command::lab::serve(settings, world.as_deref(), listen, lab_speed).await
        }
        Command::Lab(LabCommand::Reset { yes }) => command::lab::reset(settings, yes),
        Command::Lab(LabCommand::Generate { devices, seed, scenario, folder }) => {
            command::lab::generate(ui, devices, seed, scenario.into(), &folder)
        }
        Command::Lab(LabCommand::Show { device }) => command::lab::show(settings, device.as_deref()),
        Command::Lab(LabCommand::Wait { time }) => command::lab::wait(settings, time).await,
        Command::Agent(AgentCommand::Install(args)) => command::agent_setup::install(ui, &args),
        Command::Agent(AgentCommand::Uninstall(args)) => command::agent_setup::uninstall(ui, &args).await,
        Command::Agent(AgentCommand::Status(args)) => {
            command::agent_status::run(settings, args.device.as_deref()).await
        }
        Command::Agent(AgentCommand::Recover { device, dry_run }) => {
            command::agent_recover::run(settings, device.device.as_deref(), dry_run).await
        }
        Command::Agent(AgentCommand::Run { service: true, .. }) => service::service(),
        Command::Agent(AgentCommand::Run { enrolment: Some(file), device: Some(device), kill_after_entry, .. }) => {
            command::agent::run(ui, &file, &device, kill_after_entry).await
        }
        Command::Agent(AgentCommand::Run { .. }) => service::foreground(ui).await,
        Command::Agent(AgentCommand::Enroll { enrolment, device }) => {
            command::agent::enroll(ui, &enrolment, &device).await
        }
        Command::Directory(command) => command::directory::run(settings, command).await,
        Command::Devices(DevicesCommand::List) => command::devices::list(settings),
        Command::Devices(DevicesCommand::Issue(args)) => command::devices::issue(settings, &args).await,
        Command::Devices(DevicesCommand::Revoke(args)) => command::devices::revoke(settings, &args),
        Command::Agent(AgentCommand::Inspect { device, out }) => {
            command::inspect::run(settings, device.as_deref(), out.as_deref()).await
        }
        Command::Package(PackageCommand::Inspect { file }) => command::package::inspect(settings, &file),
        Command::Package(PackageCommand::List(args)) => command::package::list(settings, &args).await,
        Command::Schema(args) => command::schema::run(ui, &args),
        Command::Explain(args) => command::explain::run(ui, &args),
        Command::Completions { shell } => command::generate_docs::completions(ui, shell),
        Command::Man { folder } => command::generate_docs::man(ui, &folder),
    }
}

/// Sends logs to standard error. `OPSOLE_LOG` takes targets and levels.
fn log(verbose: u8, color: args::Color) {
    let default = match verbose {
        0 => "error",
        1 => "opsole=info",
        2 => "opsole=debug",
        _ => "opsole=trace,info",
    };
    let (filter, wrong) = log_filter::log_filter(default);
    let ansi = match color {
        args::Color::Always => true,
        args::Color::Never => false,
        args::Color::Auto => std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
    };
    // A second call in one process (tests) keeps the first subscriber.
    let layer = tracing_subscriber::fmt::layer().with_ansi(ansi).with_writer(std::io::stderr).with_filter(filter);
    drop(tracing_subscriber::registry().with(layer).try_init());
    if let Some(wrong) = wrong {
        tracing::error!("{wrong}");
    }
}

impl Ui {
    /// Shows the warnings of a plan on standard error.
    fn warnings(&self, warnings: &(crate::diag::Diagnostics, crate::diag::Sources)) {
        if !warnings.0.0.is_empty() {
            self.note(&crate::render::diagnostics::text(&warnings.0, &warnings.1, failure::diagnostics_style(self)));
        }
    }
}
