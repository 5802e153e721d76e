//! Training by the contract that every trainer follows.
//!
//! ```text
//! spec.json ─▶ verify data and parent ─▶ [resume] ─▶ steps ⟲ progress, checkpoints ─▶ OUTPUT_DIR/artifact
//! ```
//! The same spec gives the same artifact, byte for byte, whether or not the run was interrupted and resumed on the way
//! (with the same number of threads and the same build of this program on the same kind of processor).
//!
//! It deliberately retries nothing, keeps no budget and judges no result: its exit code says what happened, and whoever
//! started it decides.
//!
//! | Environment | Meaning |
//! |---|---|
//! | `HOMEOSTAT_RUN_ID` | must be the spec's `runId`, when set |
//! | `HOMEOSTAT_ATTEMPT` | replaces the spec's `attempt`, when set |
//! | `HOMEOSTAT_OUTPUT_DIR` | where `artifact/` is written |
//! | `HOMEOSTAT_CHECKPOINT_DIR` | where checkpoints are kept; none are written without it |
//! | `HOMEOSTAT_RESUME_FROM` | a checkpoint, or a folder of them, to continue from; exit 78 if it does not fit |
//! | `HOMEOSTAT_TRAIN_THREADS` | data-parallel workers, 2 by default |

mod augment;
mod checkpoint;
mod data;
mod error;
mod gradients;
mod learner;
mod progress;
mod run;
mod spec;

use std::env;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

pub use error::TrainError;
pub use run::{Places, run};
pub use spec::{DataFile, EarlyStop, Hyperparameters, Optimizer, Parent, Spec};

/// Arguments of `homeostat engine train`.
#[derive(Clone, Debug, clap::Args)]
pub struct TrainArgs {
    /// The training spec, as JSON
    #[arg(long, value_name = "PATH", default_value = "/job/spec.json")]
    pub spec: PathBuf,
}

/// Trains as `args` and the environment say, at the lowest priority, and returns the exit code of the contract: 0
/// success, 64 bad spec, 65 bad data, 66 missing input, 75 retryable, 78 incompatible checkpoint, 79 diverged, 143
/// stopped by SIGTERM after writing a checkpoint. The error is written to standard error, with its causes.
#[must_use]
pub fn train(args: TrainArgs) -> i32 {
    // Serving must stay quick on the same cores. Threads started from here inherit it; failing to is harmless.
    let _ = rustix::process::setpriority_process(None, 19);
    let outcome = Spec::read(&args.spec).and_then(|spec| {
        let (spec, places) = surroundings(spec)?;
        run(&spec, &places, &mut std::io::stdout(), &stop_on_signal())
    });
    match outcome {
        Ok(_) => 0,
        Err(error) => {
            let mut cause: Option<&dyn std::error::Error> = Some(&error);
            let mut message = Vec::new();
            while let Some(error) = cause {
                message.push(error.to_string());
                cause = error.source();
            }
            eprintln!("training ended: {}", message.join(": "));
            error.exit_code()
        }
    }
}

fn surroundings(mut spec: Spec) -> Result<(Spec, Places), TrainError> {
    let text = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
    let number = |name: &'static str| {
        let parse = |value: String| match value.parse::<u32>() {
            Ok(number) if number > 0 => Ok(number),
            _ => Err(TrainError::Spec(format!("{name} is \"{value}\": use a whole number from 1"))),
        };
        text(name).map(parse).transpose()
    };
    if let Some(run_id) = text("HOMEOSTAT_RUN_ID").filter(|run_id| *run_id != spec.run_id) {
        let message = format!("HOMEOSTAT_RUN_ID is \"{run_id}\" but runId is \"{}\": make them equal", spec.run_id);
        return Err(TrainError::Spec(message));
    }
    if let Some(attempt) = number("HOMEOSTAT_ATTEMPT")? {
        spec.attempt = attempt;
    }
    let output = text("HOMEOSTAT_OUTPUT_DIR").ok_or_else(|| {
        TrainError::Spec("HOMEOSTAT_OUTPUT_DIR is not set: set it to the folder for the artifact".to_owned())
    })?;
    let places = Places {
        output: output.into(),
        checkpoints: text("HOMEOSTAT_CHECKPOINT_DIR").map(PathBuf::from),
        resume_from: text("HOMEOSTAT_RESUME_FROM").map(PathBuf::from),
        threads: number("HOMEOSTAT_TRAIN_THREADS")?.unwrap_or(2).min(64) as usize,
    };
    Ok((spec, places))
}

/// A flag that SIGTERM or an interrupt raises. The thread that waits for them ends with the process.
fn stop_on_signal() -> Arc<AtomicBool> {
    use tokio::signal::unix::{SignalKind, signal};
    let stop = Arc::new(AtomicBool::new(false));
    let raised = Arc::clone(&stop);
    std::thread::spawn(move || {
        let wait = async {
            let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            Ok::<(), std::io::Error>(())
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        // Without a handler the signal ends the process at once, and the last checkpoint counts.
        if runtime.and_then(|runtime| runtime.block_on(wait)).is_ok() {
            raised.store(true, Ordering::Relaxed);
        }
    });
    stop
}
