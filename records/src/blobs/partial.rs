use homeostat_clock::UtcMillis;
use std::time::UNIX_EPOCH;
use tokio::io::AsyncWriteExt;

use super::{BlobError, BlobStat, Blobs, files, io};

impl Blobs {
    /// Begins or resumes the upload of a blob of `size` bytes: the stat says where to go on, or that nothing is left to do.
    ///
    /// # Errors
    /// When `size` is above [`Blobs::SIZE_LIMIT`] or the disk refuses.
    pub async fn begin(&self, digest: &str, size: u64) -> Result<BlobStat, BlobError> {
        if size > Self::SIZE_LIMIT {
            return Err(BlobError::TooLarge { digest: digest.to_owned(), size, limit: Self::SIZE_LIMIT });
        }
        let _writer = self.writer(digest).await;
        let stat = self.stat(digest).await?;
        if stat.complete || stat.held <= size {
            return Ok(stat);
        }
        // More than there should be: whatever wrote it, it is not this blob.
        let path = self.partial_path(digest);
        tokio::fs::remove_file(&path).await.map_err(io(&path))?;
        self.stat(digest).await
    }

    /// Adds bytes to an upload at `offset`, which must be what is held. Gives the stat after it.
    ///
    /// # Errors
    /// When `offset` is another, with what is held.
    pub async fn append_partial(&self, digest: &str, offset: u64, bytes: &[u8]) -> Result<BlobStat, BlobError> {
        let _writer = self.writer(digest).await;
        let stat = self.stat(digest).await?;
        if stat.complete {
            return Ok(stat);
        }
        if stat.held != offset {
            return Err(BlobError::Offset { digest: digest.to_owned(), offset, held: stat.held });
        }
        let size = offset.saturating_add(bytes.len() as u64);
        if size > Self::SIZE_LIMIT {
            return Err(BlobError::TooLarge { digest: digest.to_owned(), size, limit: Self::SIZE_LIMIT });
        }
        let path = self.partial_path(digest);
        let mut file = tokio::fs::OpenOptions::new().create(true).append(true).open(&path).await.map_err(io(&path))?;
        file.write_all(bytes).await.map_err(io(&path))?;
        file.flush().await.map_err(io(&path))?;
        Ok(BlobStat { held: size, complete: false, size: None })
    }

    /// Ends an upload: verifies, syncs and publishes it. Other content than the digest names is dropped.
    ///
    /// # Errors
    /// When nothing was uploaded or the content is another.
    pub async fn finish(&self, digest: &str) -> Result<BlobStat, BlobError> {
        let _writer = self.writer(digest).await;
        let target = self.path(digest)?;
        let stat = self.stat(digest).await?;
        if stat.complete {
            return Ok(stat);
        }
        let path = self.partial_path(digest);
        if files::size(&path).await?.is_none() {
            return Err(BlobError::Missing(digest.to_owned()));
        }
        let found = files::hash_file(path.clone()).await?;
        if found != digest {
            tokio::fs::remove_file(&path).await.map_err(io(&path))?;
            return Err(BlobError::Corrupt { digest: digest.to_owned(), found });
        }
        self.publish(path, target).await?;
        self.stat(digest).await
    }

    /// Removes unfinished uploads that nobody has written to since `older_than`; gives their number.
    ///
    /// # Errors
    /// When the disk refuses.
    pub async fn sweep_partials(&self, older_than: UtcMillis) -> Result<u64, BlobError> {
        let folder = self.folder.join("partial");
        let mut entries = tokio::fs::read_dir(&folder).await.map_err(io(&folder))?;
        let mut removed = 0;
        while let Some(entry) = entries.next_entry().await.map_err(io(&folder))? {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            let _writer = self.writer(&name).await;
            // Gone meanwhile: it was finished.
            let Ok(modified) = entry.metadata().await.and_then(|metadata| metadata.modified()) else { continue };
            let age = modified.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
            if i64::try_from(age).unwrap_or(i64::MAX) < older_than.0 {
                tokio::fs::remove_file(&path).await.map_err(io(&path))?;
                removed += 1;
            }
        }
        Ok(removed)
    }
}
