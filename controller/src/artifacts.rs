//! Artifacts in the blob store: an artifact's digest is the sha256 of its `SHA256SUMS`, every file of it a blob.

use std::path::{Path, PathBuf};

use homeostat_crds::conditions::reason;
use homeostat_crds::model_version::Artifact;
use homeostat_records::Records;

/// The list of an artifact's files; its own sha256 is the artifact's digest.
const SUMS: &str = "SHA256SUMS";

/// Why an artifact is not to be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ArtifactError {
    /// A file cannot be read.
    #[error(
        "artifact.uri: {path} cannot be read ({source}): check that the folder exists and that the controller may read it"
    )]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The folder is another artifact than the declared one.
    #[error("artifact.sha256 is {declared}, but the folder holds {found}: correct the digest or the uri")]
    OtherArtifact {
        /// In the spec.
        declared: String,
        /// On disk.
        found: String,
    },
    /// A file is not what SHA256SUMS says.
    #[error(
        "{file} does not match its digest in SHA256SUMS: it was changed or not copied whole; copy the artifact again"
    )]
    Damaged {
        /// Which.
        file: String,
    },
    /// A line of SHA256SUMS.
    #[error("SHA256SUMS, line {line}, is not \"<sha256>  <file name>\"")]
    Sums {
        /// One-based.
        line: usize,
    },
    /// Not in the blob store.
    #[error(
        "blob {digest} is not in the blob store: give artifact.uri as file:///folder, or wait for the run that makes it"
    )]
    NoBlob {
        /// Which.
        digest: String,
    },
    /// The blob store.
    #[error("the blob store failed")]
    Store(#[from] homeostat_records::BlobError),
}

impl ArtifactError {
    /// The condition reason.
    #[must_use]
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::OtherArtifact { .. } | Self::Damaged { .. } | Self::Sums { .. } => reason::DIGEST_MISMATCH,
            Self::Unreadable { .. } | Self::NoBlob { .. } | Self::Store(_) => reason::ARTIFACT_UNREADABLE,
        }
    }
}

/// Makes sure that all files of the artifact are in the blob store and match their digests.
///
/// # Errors
/// Says which file is missing or damaged.
pub(crate) async fn import(records: &Records, artifact: &Artifact) -> Result<(), ArtifactError> {
    match artifact.uri.strip_prefix("file://") {
        Some(folder) => import_folder(records, Path::new(folder), &artifact.sha256).await,
        None => check_blobs(records, &artifact.sha256).await,
    }
}

/// The blobs of an artifact's files; none when its list is not in the blob store or is none.
pub(crate) async fn files(records: &Records, digest: &str) -> Vec<String> {
    let Ok(sums) = records.blobs().get(digest).await else { return Vec::new() };
    parse(&sums).unwrap_or_default().into_iter().map(|(digest, _)| digest).collect()
}

async fn import_folder(records: &Records, folder: &Path, declared: &str) -> Result<(), ArtifactError> {
    let read = async |name: &str| {
        let path = folder.join(name);
        tokio::fs::read(&path).await.map_err(|source| ArtifactError::Unreadable { path, source })
    };
    let sums = read(SUMS).await?;
    let found = records.blobs().put_bytes(&sums).await?;
    if found != declared {
        return Err(ArtifactError::OtherArtifact { declared: declared.to_string(), found });
    }
    for (digest, file) in parse(&sums)? {
        let path = folder.join(&file);
        if tokio::fs::metadata(&path).await.is_err() {
            read(&file).await?;
        }
        if records.blobs().put_file(&path).await? != digest {
            return Err(ArtifactError::Damaged { file });
        }
    }
    Ok(())
}

async fn check_blobs(records: &Records, digest: &str) -> Result<(), ArtifactError> {
    let missing = |digest: &str| ArtifactError::NoBlob { digest: digest.to_string() };
    if !records.blobs().stat(digest).await?.complete {
        return Err(missing(digest));
    }
    for (digest, _) in parse(&records.blobs().get(digest).await?)? {
        if !records.blobs().stat(&digest).await?.complete {
            return Err(missing(&digest));
        }
    }
    Ok(())
}

/// (digest, file name) of every line; file names are plain, so that no artifact reaches outside its folder.
fn parse(sums: &[u8]) -> Result<Vec<(String, String)>, ArtifactError> {
    let text = String::from_utf8_lossy(sums);
    let parse_line = |(index, line): (usize, &str)| {
        let fail = || ArtifactError::Sums { line: index + 1 };
        let (digest, file) = line.split_once("  ").ok_or_else(fail)?;
        let plain = !file.is_empty() && !file.contains(['/', '\\']) && file != "..";
        let hex = digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
        if plain && hex { Ok((digest.to_string(), file.to_string())) } else { Err(fail()) }
    };
    text.lines().enumerate().map(parse_line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_that_reach_outside_are_refused() {
        let digest = "a".repeat(64);
        assert!(parse(format!("{digest}  model.safetensors\n").as_bytes()).is_ok());
        for line in [
            format!("{digest}  ../secret"),
            format!("{digest} one-space"),
            "short  file".to_string(),
            format!("{digest}  "),
        ] {
            assert!(matches!(parse(line.as_bytes()), Err(ArtifactError::Sums { line: 1 })), "{line}");
        }
    }
}
