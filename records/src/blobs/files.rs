use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::{BlobError, io};

/// Runs disk work on the threads meant for it.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BlobError> + Send + 'static,
) -> Result<T, BlobError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => Err(BlobError::Io { path: PathBuf::from("the blobs"), source: std::io::Error::other(error) }),
    }
}

/// Size of a file; `None` when there is none.
pub(super) async fn size(path: &Path) -> Result<Option<u64>, BlobError> {
    match tokio::fs::metadata(path).await {
        Ok(metadata) => Ok(Some(metadata.len())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(io(path)(error)),
    }
}

/// sha256 (hex) of a file.
pub(super) async fn hash_file(path: PathBuf) -> Result<String, BlobError> {
    blocking(move || {
        let mut file = File::open(&path).map_err(io(&path))?;
        let mut hash = Sha256::new();
        let mut buffer = vec![0; 1 << 20];
        loop {
            match file.read(&mut buffer) {
                Ok(0) => return Ok(hex::encode(hash.finalize())),
                Ok(count) => hash.update(&buffer[..count]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(io(&path)(error)),
            }
        }
    })
    .await
}

/// Syncs a file, renames it and syncs the folders that name it.
pub(super) fn publish(temporary: &Path, target: &Path) -> Result<(), BlobError> {
    File::open(temporary).and_then(|file| file.sync_all()).map_err(io(temporary))?;
    let folder = target.parent().unwrap_or(target);
    std::fs::create_dir_all(folder).map_err(io(folder))?;
    std::fs::rename(temporary, target).map_err(io(target))?;
    for synced in [Some(folder), folder.parent()].into_iter().flatten() {
        File::open(synced).and_then(|folder| folder.sync_all()).map_err(io(synced))?;
    }
    Ok(())
}
