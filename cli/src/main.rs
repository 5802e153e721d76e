//! The `homeostat` program.

use std::process::ExitCode;

use clap::Parser;
use homeostat_cli::args::Cli;

fn main() -> ExitCode {
    homeostat_cli::run(Cli::parse())
}
