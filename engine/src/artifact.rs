//! A trained model on disk: the sealed folder that training writes and serving loads.
//!
//! | File | Holds |
//! |---|---|
//! | `config.json` | the [`Architecture`] |
//! | `model.safetensors` | the [`Weights`] |
//! | `metrics.json` | how the training went ([`Metrics`]) |
//! | `lineage.json` | what it was made from ([`Lineage`]) |
//! | `SHA256SUMS`, `_SUCCESS` | the seal; the digest in `_SUCCESS` is the artifact's identity |
//!
//! Nothing here depends on when or how fast it was made: the same training spec gives the same digest. How long a
//! training took is in its last progress line.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::architecture::{Architecture, ArchitectureError};
use crate::sealed::{self, Digest, SealError};
use crate::weights::{Weights, WeightsError};

const CONFIG: &str = "config.json";
const MODEL: &str = "model.safetensors";
const METRICS: &str = "metrics.json";
const LINEAGE: &str = "lineage.json";

/// How a training went.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metrics {
    /// Smoothed loss of the last steps, in nats per learnt byte.
    pub loss: f64,
    /// Optimizer steps taken.
    pub steps: u64,
    /// Bytes read, padding left out.
    pub tokens: u64,
    /// Loss on the held-out records in bits per answer byte; none when nothing was held out.
    pub held_out_bits_per_byte: Option<f64>,
    /// Records that were trained on: fresh, replayed, and held out of both.
    pub records: Records,
    /// For each layer, the share of the routed bytes that each expert received on the evaluated records.
    pub expert_load: Vec<Vec<f64>>,
    /// Why training ended: "steps" or "early-stop".
    pub stopped: String,
}

/// How many records a training had.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Records {
    /// New records.
    pub fresh: usize,
    /// Replayed records.
    pub replay: usize,
    /// Records of either kind kept out of training to measure on.
    pub held_out: usize,
}

/// What an artifact was made from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Lineage {
    /// The run's id.
    pub run_id: String,
    /// The attempt of that run.
    pub attempt: u32,
    /// The digest of the artifact that training started from.
    pub parent: Option<Digest>,
    /// Digests of the fresh data files.
    pub data: Vec<Digest>,
    /// Digests of the replayed data files.
    pub replay: Vec<Digest>,
    /// The digest of everything in the spec that shapes the result.
    pub spec: Digest,
    /// The seed.
    pub seed: u64,
    /// Name and version of the code.
    pub code: String,
}

/// A verified, parsed artifact.
#[derive(Clone, Debug)]
pub struct Artifact {
    /// Its identity.
    pub digest: Digest,
    /// The model's shape.
    pub architecture: Architecture,
    /// The model's weights.
    pub weights: Weights,
    /// How the training went.
    pub metrics: Metrics,
    /// What it was made from.
    pub lineage: Lineage,
}

/// An artifact that cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ArtifactError {
    /// The folder is incomplete, corrupt or not accessible.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// A file that the layout needs is not listed.
    #[error("the artifact lists no {0}: it is no model of this engine")]
    Missing(&'static str),
    /// A JSON file is not what it should be.
    #[error("{file} does not fit this engine")]
    Json {
        /// Which file.
        file: &'static str,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// The architecture cannot be built.
    #[error("config.json cannot be used")]
    Architecture(#[from] ArchitectureError),
    /// The weights do not fit the architecture.
    #[error("model.safetensors cannot be used")]
    Weights(#[from] WeightsError),
}

/// Verifies every file of the artifact in `folder` and returns its digest, without parsing the model.
///
/// # Errors
/// When the seal is missing or a file is missing, cut short or changed; the error names the file.
pub fn verify(folder: &Path) -> Result<Digest, ArtifactError> {
    Ok(sealed::read(folder)?.digest)
}

/// The architecture of the artifact in `folder`, verified.
///
/// # Errors
/// As [`verify`], and when `config.json` does not fit this engine.
pub fn architecture(folder: &Path) -> Result<Architecture, ArtifactError> {
    parse_architecture(&sealed::read(folder)?.files)
}

/// Verifies and loads the artifact in `folder`.
///
/// # Errors
/// As [`verify`], and when a verified file does not fit this engine.
pub fn load(folder: &Path) -> Result<Artifact, ArtifactError> {
    let sealed = sealed::read(folder)?;
    let architecture = parse_architecture(&sealed.files)?;
    let weights = Weights::parse(&architecture, file(&sealed.files, MODEL)?)?;
    Ok(Artifact {
        digest: sealed.digest,
        architecture,
        weights,
        metrics: json(&sealed.files, METRICS)?,
        lineage: json(&sealed.files, LINEAGE)?,
    })
}

/// Writes an artifact to `folder`, complete or not at all, and returns its digest.
///
/// # Errors
/// When a file cannot be written.
pub fn write(
    folder: &Path,
    architecture: &Architecture,
    weights: &Weights,
    metrics: &Metrics,
    lineage: &Lineage,
) -> Result<Digest, ArtifactError> {
    let files = BTreeMap::from([
        (CONFIG.to_owned(), pretty(CONFIG, architecture)?),
        (MODEL.to_owned(), weights.to_safetensors()?),
        (METRICS.to_owned(), pretty(METRICS, metrics)?),
        (LINEAGE.to_owned(), pretty(LINEAGE, lineage)?),
    ]);
    Ok(sealed::write(folder, &files)?)
}

fn parse_architecture(files: &BTreeMap<String, Vec<u8>>) -> Result<Architecture, ArtifactError> {
    let architecture: Architecture = json(files, CONFIG)?;
    architecture.validate()?;
    Ok(architecture)
}

fn file<'a>(files: &'a BTreeMap<String, Vec<u8>>, name: &'static str) -> Result<&'a [u8], ArtifactError> {
    files.get(name).map(Vec::as_slice).ok_or(ArtifactError::Missing(name))
}

fn json<T: DeserializeOwned>(files: &BTreeMap<String, Vec<u8>>, name: &'static str) -> Result<T, ArtifactError> {
    serde_json::from_slice(file(files, name)?).map_err(|source| ArtifactError::Json { file: name, source })
}

fn pretty<T: Serialize>(name: &'static str, value: &T) -> Result<Vec<u8>, ArtifactError> {
    let mut bytes = serde_json::to_vec_pretty(value).map_err(|source| ArtifactError::Json { file: name, source })?;
    bytes.push(b'\n');
    Ok(bytes)
}
