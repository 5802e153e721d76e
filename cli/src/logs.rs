use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

use crate::args::{Command, LogFormat};

/// Starts logging to standard error; `RUST_LOG` chooses what.
pub(crate) fn start(format: LogFormat, command: &Command) {
    // What is told a person on standard output should not drown.
    let quiet = matches!(
        command,
        Command::Crds(_)
            | Command::Scan(_)
            | Command::Evaluate(_)
            | Command::SimulatePolicy(_)
            | Command::Why(_)
            | Command::Audit(_)
            | Command::Demo(_)
    );
    let default =
        if quiet { "warn" } else { "info,kube_runtime=warn,kube_client=warn,sqlx=warn,tower=warn,hyper=warn,h2=warn" };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    let logs = fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
    match format {
        LogFormat::Text => logs.init(),
        LogFormat::Json => logs.json().init(),
    }
}
