//! The `homeostat` program as a library, so that tests can check command lines against it.
//!
//! [`args`] is the command line; each command is one module that wires crates and holds no logic of its own.

mod agent;
pub mod api;
pub mod args;
mod audit;
mod controller;
mod crds;
pub mod demo;
mod dev;
mod erasure;
pub mod evaluate;
pub mod host;
mod keys;
mod logs;
pub mod scan;
pub mod simulate;
mod stage;
mod why;

use std::process::ExitCode;

use crate::args::{AuditCommand, Cli, Command, EngineCommand, ErasureCommand};

/// Runs a parsed command line; errors are one line on standard error.
#[must_use]
pub fn run(cli: Cli) -> ExitCode {
    // The first TLS client of a program without this would panic.
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        eprintln!("homeostat: another TLS provider is installed already");
        return ExitCode::FAILURE;
    }
    logs::start(cli.log_format, &cli.command);
    let result = match cli.command {
        Command::Engine(EngineCommand::Train(args)) => return exit_code(homeostat_engine::train(args)),
        Command::Engine(EngineCommand::Serve(args)) => homeostat_engine::serve(args).map_err(anyhow::Error::from),
        Command::Scan(args) => return scan::run(&args),
        Command::Evaluate(args) => evaluate::run(&args),
        Command::SimulatePolicy(args) => simulate::run(&args),
        Command::Crds(args) => crds::run(&args),
        Command::Dev(args) => block_on(dev::run(args)),
        Command::Demo(args) => block_on(stage::run(args)),
        Command::Controller(args) => block_on(controller::run(*args)),
        Command::Agent(args) => block_on(agent::run(args)),
        Command::Why(args) => block_on(why::run(args)),
        Command::Audit(AuditCommand::Verify(args)) => block_on(audit::verify(args)),
        Command::Erasure(ErasureCommand::Receipt(args)) => block_on(erasure::receipt(args)),
        Command::Erasure(ErasureCommand::Export(args)) => block_on(erasure::export(args)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The whole chain, once, on one line.
            eprintln!("homeostat: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn block_on(task: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(task)
}

fn exit_code(code: i32) -> ExitCode {
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}
