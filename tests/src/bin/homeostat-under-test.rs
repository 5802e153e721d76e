//! The `homeostat` program once more, under a name of its own: cargo hands a test the path of a program only when it belongs
//! to the same package, and builds it with the same features then.

use std::process::ExitCode;

use clap::Parser;
use homeostat_cli::args::Cli;

fn main() -> ExitCode {
    homeostat_cli::run(Cli::parse())
}
