//! What an erasure needs: which blobs there are, how they begin, and how they go.

use std::path::Path;

use tokio::io::AsyncReadExt;

use super::{BlobError, Blobs, io};

impl Blobs {
    /// The digests of all complete blobs, sorted.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub async fn list(&self) -> Result<Vec<String>, BlobError> {
        let mut digests = Vec::new();
        for shard in names(&self.folder).await? {
            if shard.len() == 2 {
                let rests = names(&self.folder.join(&shard)).await?;
                digests.extend(rests.iter().map(|rest| format!("{shard}{rest}")));
            }
        }
        digests.retain(|digest| self.path(digest).is_ok());
        digests.sort();
        Ok(digests)
    }

    /// The first `most` bytes of a complete blob.
    ///
    /// # Errors
    /// When it is not here or cannot be read.
    pub async fn head(&self, digest: &str, most: u64) -> Result<Vec<u8>, BlobError> {
        let file = self.open_at(digest, 0).await?;
        let mut bytes = Vec::new();
        file.take(most).read_to_end(&mut bytes).await.map_err(io(&self.path(digest)?))?;
        Ok(bytes)
    }

    /// Deletes a blob, with what there is of an unfinished or damaged copy; whether it was there. Nobody asks whether it is
    /// still named somewhere.
    ///
    /// # Errors
    /// When the disk refuses.
    pub async fn delete(&self, digest: &str) -> Result<bool, BlobError> {
        let path = self.path(digest)?;
        let _writer = self.writer(digest).await;
        let there = remove(&path).await?;
        remove(&self.partial_path(digest)).await?;
        remove(&self.folder.join("corrupt").join(digest)).await?;
        Ok(there)
    }

    /// Deletes all damaged blobs that were moved aside: nobody can tell whom they are about. Gives their number.
    ///
    /// # Errors
    /// When the disk refuses.
    pub async fn delete_damaged(&self) -> Result<u64, BlobError> {
        let folder = self.folder.join("corrupt");
        let mut deleted = 0;
        for name in names(&folder).await? {
            deleted += u64::from(remove(&folder.join(name)).await?);
        }
        Ok(deleted)
    }
}

async fn names(folder: &Path) -> Result<Vec<String>, BlobError> {
    let mut names = Vec::new();
    let mut entries = tokio::fs::read_dir(folder).await.map_err(io(folder))?;
    while let Some(entry) = entries.next_entry().await.map_err(io(folder))? {
        names.extend(entry.file_name().into_string().ok());
    }
    Ok(names)
}

async fn remove(path: &Path) -> Result<bool, BlobError> {
    match tokio::fs::remove_file(path).await {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(io(path)(error)),
    }
}
