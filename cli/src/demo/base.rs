//! The first model: trained on 2010 once, and kept.
//!
//! The records are curated and redacted first, by the same code that curates a retraining. The trainer is the engine as a
//! child process; it finishes at once when the folder already holds what this spec would give, and resumes when it was
//! interrupted. The folder is named by the digest of data, configuration and code.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Instant;

use anyhow::{Context as _, bail};
use homeostat_curation::{Redacted, Redactor, Settings, curate, to_jsonl};
use homeostat_engine::artifact;
use homeostat_privacy::{Anonymizer, Recognizers, redact};
use homeostat_quality::normalise_prompt;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;
use tokio_util::sync::CancellationToken;

use super::settings;
use super::timeline::Timeline;
use super::world::{World, golden_2010, training_2010};

/// A trained first model.
pub(crate) struct Base {
    /// Its folder.
    pub(crate) artifact: PathBuf,
    /// Its digest.
    pub(crate) digest: String,
    /// Seconds it took; 0 when it was kept.
    pub(crate) seconds: f64,
}

/// Trains it, or takes the one that is kept.
///
/// # Errors
/// When the cache cannot be written or the trainer failed; says which and what to do.
pub(crate) async fn train(
    program: &Path,
    cache: &Path,
    world: &World,
    timeline: &mut Timeline,
    stop: &CancellationToken,
) -> anyhow::Result<Base> {
    let records = curated(world);
    let plan = json!({
        "architecture": {}, "heldOutFraction": 0.02, "seed": 2010, "hyperparameters": settings::base_hyperparameters(),
    });
    let code = concat!("homeostat/", env!("CARGO_PKG_VERSION"));
    let name = hex::encode(Sha256::digest(json!([records, plan, code]).to_string()));
    let folder = cache.join(format!("base-{}", &name[..16]));
    let explain = || format!("--cache: {} cannot be written", folder.display());
    std::fs::create_dir_all(&folder).with_context(explain)?;
    // The artifact's URI needs the whole path.
    let folder = folder.canonicalize().with_context(explain)?;
    let explain = || format!("--cache: {} cannot be written", folder.display());
    let data = folder.join("training-2010.jsonl");
    std::fs::write(&data, &records).with_context(explain)?;
    let mut spec = plan;
    spec["v"] = 1.into();
    spec["runId"] = "demo-base".into();
    spec["data"] = json!([{"path": data, "sha256": hex::encode(Sha256::digest(&records))}]);
    let path = folder.join("spec.json");
    std::fs::write(&path, serde_json::to_vec_pretty(&spec)?).with_context(explain)?;

    let destination = folder.join("artifact");
    let kept = artifact::verify(&destination).is_ok();
    if !kept {
        let count = records.lines().count();
        timeline.tell(&format!("training the first model on {count} curated records of 2010 (kept for next time)"), "");
    }
    let started = Instant::now();
    follow(program, &folder, &path, timeline, stop).await?;
    let digest = artifact::verify(&destination).context("the first model was trained but cannot be read")?;
    let seconds = if kept { 0.0 } else { started.elapsed().as_secs_f64() };
    Ok(Base { artifact: destination, digest: digest.to_string(), seconds })
}

/// Runs the trainer and shows its progress.
async fn follow(
    program: &Path,
    folder: &Path,
    spec: &Path,
    timeline: &mut Timeline,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let mut child = Command::new(program)
        .args(["engine", "train", "--spec"])
        .arg(spec)
        .env("HOMEOSTAT_OUTPUT_DIR", folder)
        .env("HOMEOSTAT_CHECKPOINT_DIR", folder.join("checkpoints"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("{} cannot be started to train the first model", program.display()))?;
    let output = child.stdout.take().context("the trainer has no output")?;
    let mut lines = BufReader::new(output).lines();
    loop {
        let line = tokio::select! {
            line = lines.next_line() => line?,
            () = stop.cancelled() => bail!("interrupted while the first model was trained; the next start continues there"),
        };
        let Some(line) = line else { break };
        let Ok(line) = serde_json::from_str::<Value>(&line) else { continue };
        if line["event"] == "progress" {
            let (step, total) = (line["step"].as_u64().unwrap_or(0), line["total_steps"].as_u64().unwrap_or(1));
            let loss = line["metrics"]["loss"].as_f64().map(|loss| format!("loss {loss:.3}")).unwrap_or_default();
            timeline.progress("base training", step, total, &loss);
        }
    }
    let status = child.wait().await?;
    timeline.finish();
    if !status.success() {
        bail!(
            "training the first model failed ({status}); its reason stands above; remove {} to start anew",
            folder.display()
        );
    }
    Ok(())
}

/// What the first model learns: as a retraining would curate it.
fn curated(world: &World) -> String {
    let probes: HashSet<String> = golden_2010(world).iter().map(|item| normalise_prompt(&item.prompt)).collect();
    let curated =
        curate(training_2010(world), Vec::new(), &probes, &Settings::default(), &Redaction(Recognizers::all()));
    to_jsonl(&curated.fresh)
}

struct Redaction(Recognizers);

impl Redactor for Redaction {
    fn redact(&self, text: &str) -> Redacted {
        let redaction = redact(text, &self.0, &Anonymizer::Replace);
        Redacted { text: redaction.text, count: redaction.findings.len() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_model_learns_no_personal_data_and_no_probe() {
        let world = World::new();
        let records = homeostat_curation::read_jsonl("records", &curated(&world)).unwrap();
        let recognizers = Recognizers::all();
        assert!(records.len() > 900);
        let text = |record: &homeostat_curation::Record| format!("{} {}", record.prompt, record.completion);
        assert!(records.iter().all(|record| recognizers.find(&text(record)).is_empty()));
        assert!(records.iter().any(|record| record.prompt.contains("<EMAIL_ADDRESS>")));
        assert!(records.iter().all(|record| text(record).len() < 127));
    }

    #[test]
    fn the_hyperparameters_are_the_engines() {
        for given in [settings::base_hyperparameters(), settings::retraining_hyperparameters()] {
            serde_json::from_value::<homeostat_engine::train::Hyperparameters>(given).unwrap();
        }
    }
}
