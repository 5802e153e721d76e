//! Artifacts: sealed folders of files with their sums, moved as blobs.
//!
//! An artifact's digest is the sha256 of its `SHA256SUMS`, which is a blob and lists the other files, each a blob. A folder
//! is put together beside its place, verified, sealed by `_SUCCESS` (which holds the digest), and renamed into place: it
//! is there in full or not at all.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::blobs::{BlobError, Blobs, Gates, at, digest_of, is_digest};

const SUMS: &str = "SHA256SUMS";
const SEAL: &str = "_SUCCESS";

/// Most files of one artifact.
const MOST_FILES: usize = 10_000;

/// Why there is no artifact.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ArtifactError {
    #[error("a part of artifact {digest} cannot be had")]
    Blob {
        digest: String,
        #[source]
        source: BlobError,
    },
    #[error("the list of files of artifact {digest} is unusable: {problem}; produce the artifact again")]
    List { digest: String, problem: String },
    #[error("{} is no finished artifact: {problem}; produce it again", path.display())]
    Unfinished { path: PathBuf, problem: String },
}

impl ArtifactError {
    pub(crate) fn transient(&self) -> bool {
        match self {
            Self::Blob { source, .. } => source.transient(),
            Self::List { .. } => false,
            // Its bad parts were thrown away and are fetched again.
            Self::Unfinished { .. } => true,
        }
    }
}

/// The artifacts on this machine.
#[derive(Clone)]
pub(crate) struct Artifacts {
    blobs: Blobs,
    folder: PathBuf,
    gates: Gates,
}

impl Artifacts {
    /// Artifacts in `folder`; whoever shares the folder shares the `gates`.
    pub(crate) fn new(blobs: Blobs, folder: PathBuf, gates: Gates) -> Self {
        Self { blobs, folder, gates }
    }

    /// The folder of artifact `digest`, every byte of it verified just now.
    pub(crate) async fn materialise(&self, digest: &str) -> Result<PathBuf, ArtifactError> {
        let fail = blob(digest);
        if !is_digest(digest) {
            return Err(fail(BlobError::Digest(digest.to_string())));
        }
        // Two that need the same artifact at once would take each other's half-made folder away.
        let _alone = self.gates.enter(digest).await;
        let folder = self.folder.join(digest);
        match verify(&folder).await {
            Ok(found) if found == digest => return Ok(folder),
            // Damaged or half there: what is good of it comes from the blobs again.
            _ => {
                let _ = tokio::fs::remove_dir_all(&folder).await;
            }
        }
        let sums = self.blobs.read(digest).await.map_err(&fail)?;
        let files = list(digest, &sums)?;
        let partial = self.folder.join(format!(".{digest}.{}", self.blobs.node()));
        let _ = tokio::fs::remove_dir_all(&partial).await;
        tokio::fs::create_dir_all(&partial).await.map_err(at(&partial)).map_err(&fail)?;
        for (sum, name) in &files {
            let from = self.blobs.get(sum).await.map_err(&fail)?;
            let to = partial.join(name);
            // A hard link costs nothing; across file systems the bytes are copied.
            if tokio::fs::hard_link(&from, &to).await.is_err() {
                tokio::fs::copy(&from, &to).await.map_err(at(&to)).map_err(&fail)?;
            }
        }
        let write = |name: &str, bytes: Vec<u8>| {
            let path = partial.join(name);
            async move { tokio::fs::write(&path, bytes).await.map_err(at(&path)) }
        };
        write(SUMS, sums).await.map_err(&fail)?;
        write(SEAL, format!("{digest}\n").into_bytes()).await.map_err(&fail)?;
        if let Err(error) = verify(&partial).await {
            // A blob on disk went bad under its name: fetch it again next time.
            for (sum, _) in &files {
                self.forget_if_bad(sum).await;
            }
            return Err(error);
        }
        tokio::fs::rename(&partial, &folder).await.map_err(at(&folder)).map_err(&fail)?;
        Ok(folder)
    }

    /// Uploads the sealed folder and returns its digest.
    pub(crate) async fn upload(&self, folder: &Path) -> Result<String, ArtifactError> {
        let digest = verify(folder).await?;
        let fail = blob(&digest);
        let sums = tokio::fs::read(folder.join(SUMS)).await.map_err(at(folder)).map_err(&fail)?;
        for (_, name) in list(&digest, &sums)? {
            self.blobs.put_file(&folder.join(name)).await.map_err(&fail)?;
        }
        // Last, so that whoever finds the list finds what it lists.
        self.blobs.put_file(&folder.join(SUMS)).await.map_err(&fail)
    }

    async fn forget_if_bad(&self, sum: &str) {
        if let Ok(path) = self.blobs.get(sum).await
            && digest_of(&path).await.is_ok_and(|(found, _)| found != sum)
        {
            let _ = tokio::fs::remove_file(&path).await;
        }
    }
}

/// The digest of the sealed folder, after every file of it was read and compared.
pub(crate) async fn verify(folder: &Path) -> Result<String, ArtifactError> {
    let unfinished =
        |problem: &str| ArtifactError::Unfinished { path: folder.to_path_buf(), problem: problem.to_string() };
    let seal = tokio::fs::read_to_string(folder.join(SEAL)).await.map_err(|_| unfinished("_SUCCESS is missing"))?;
    let digest = seal.trim().to_string();
    let sums = tokio::fs::read(folder.join(SUMS)).await.map_err(|_| unfinished("SHA256SUMS is missing"))?;
    if hex::encode(Sha256::digest(&sums)) != digest {
        return Err(unfinished("_SUCCESS does not hold the sha256 of SHA256SUMS"));
    }
    for (sum, name) in list(&digest, &sums)? {
        match digest_of(&folder.join(&name)).await {
            Ok((found, _)) if found == sum => {}
            _ => return Err(unfinished(&format!("{name} is missing or changed"))),
        }
    }
    Ok(digest)
}

/// The lines of `SHA256SUMS`: (sum, file name).
fn list(digest: &str, sums: &[u8]) -> Result<Vec<(String, String)>, ArtifactError> {
    let fail = |problem: &str| ArtifactError::List { digest: digest.to_string(), problem: problem.to_string() };
    let text = std::str::from_utf8(sums).map_err(|_| fail("it is no text"))?;
    let mut files = Vec::new();
    for line in text.lines() {
        let (sum, name) = line.split_once("  ").ok_or_else(|| fail("a line has no two columns"))?;
        let plain = !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\', '\0']);
        if !is_digest(sum) || !plain || name == SUMS || name == SEAL {
            return Err(fail("a line is no sum and plain file name"));
        }
        files.push((sum.to_string(), name.to_string()));
    }
    if files.is_empty() || files.len() > MOST_FILES {
        return Err(fail("it lists no file, or too many"));
    }
    Ok(files)
}

fn blob(digest: &str) -> impl Fn(BlobError) -> ArtifactError + use<> {
    let digest = digest.to_string();
    move |source| ArtifactError::Blob { digest: digest.clone(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_cannot_reach_outside() {
        let sum = "0".repeat(64);
        assert_eq!(list("d", format!("{sum}  a.bin\n").as_bytes()).unwrap().len(), 1);
        for bad in ["", "x  y", "x", &format!("{sum}  ../a"), &format!("{sum}  .hidden"), &format!("{sum}  _SUCCESS")] {
            assert!(list("d", bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[tokio::test]
    async fn a_folder_is_believed_only_when_every_byte_is_right() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("a.bin", "one");
        let sums = format!("{}  a.bin\n", hex::encode(Sha256::digest("one")));
        write(SUMS, &sums);
        assert!(verify(folder.path()).await.is_err(), "not sealed");
        let digest = hex::encode(Sha256::digest(&sums));
        write(SEAL, &digest);
        assert_eq!(verify(folder.path()).await.unwrap(), digest);
        write("a.bin", "onf");
        assert!(verify(folder.path()).await.unwrap_err().to_string().contains("a.bin"));
    }
}
