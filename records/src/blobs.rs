//! Content-addressed files: `ab/cdef...` by sha256, unfinished ones in `partial/`, damaged ones moved to `corrupt/`.
//!
//! A file with its final name is complete: it was verified and synced before it was renamed, so that a crash leaves partial
//! files only. Deliberately no metadata in SQL and no object store yet.

mod files;
mod partial;
mod removal;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};
use tokio::io::AsyncSeekExt;
use tokio::sync::Mutex;

/// Files addressed by their sha256 (64 lower-case hex digits); a clone shares the folder.
#[derive(Clone, Debug)]
pub struct Blobs {
    folder: PathBuf,
    /// One writer at a time for the digests of a shard.
    shards: Arc<[Mutex<()>; 16]>,
}

/// How much of a blob is here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BlobStat {
    /// Bytes that are here, where a resumed upload carries on.
    pub held: u64,
    /// Whether it is whole and verified.
    pub complete: bool,
    /// Its size; known when complete.
    pub size: Option<u64>,
}

/// Why a blob could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// No digest.
    #[error("{0:?} is no blob digest: give a sha256 as 64 lower-case hexadecimal digits")]
    Digest(String),
    /// Not here, or not whole.
    #[error("blob {0} is not here: upload it, or wait for its upload to finish")]
    Missing(String),
    /// The bytes are not those that the digest names.
    #[error("blob {digest} has other content (sha256 {found}): it was dropped, upload it again")]
    Corrupt {
        /// The digest asked for.
        digest: String,
        /// The digest of what was found.
        found: String,
    },
    /// An upload does not carry on where it stopped.
    #[error("blob {digest} is to go on at byte {held}, not at {offset}: ask for its stat and resume there")]
    Offset {
        /// The blob.
        digest: String,
        /// Where the bytes were meant to go.
        offset: u64,
        /// What is there.
        held: u64,
    },
    /// Too large to be read into memory, or to be taken at all.
    #[error("blob {digest} has {size} bytes, more than the {limit} allowed here: read it as a stream, or store less")]
    TooLarge {
        /// The blob.
        digest: String,
        /// Its size.
        size: u64,
        /// The limit.
        limit: u64,
    },
    /// The file system refused.
    #[error("cannot use {path}: check its permissions and the free space of its disk")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl Blobs {
    /// Most bytes that [`Blobs::get`] reads into memory.
    pub const GET_LIMIT: u64 = 256 << 20;
    /// Most bytes of one blob.
    pub const SIZE_LIMIT: u64 = 1 << 40;

    /// Opens the folder, which is made when missing.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub async fn open(folder: PathBuf) -> Result<Self, BlobError> {
        for path in [folder.join("partial"), folder.join("corrupt")] {
            tokio::fs::create_dir_all(&path).await.map_err(io(&path))?;
        }
        Ok(Self { folder, shards: Arc::new(std::array::from_fn(|_| Mutex::new(()))) })
    }

    /// Stores bytes; gives their digest. Storing them again costs one look.
    ///
    /// # Errors
    /// When the disk refuses.
    pub async fn put_bytes(&self, bytes: &[u8]) -> Result<String, BlobError> {
        let digest = hex::encode(Sha256::digest(bytes));
        let _writer = self.writer(&digest).await;
        let target = self.path(&digest)?;
        if is_file(&target).await? {
            return Ok(digest);
        }
        let temporary = self.partial_path(&format!("{digest}.{}.put", std::process::id()));
        tokio::fs::write(&temporary, bytes).await.map_err(io(&temporary))?;
        self.publish(temporary, target).await?;
        Ok(digest)
    }

    /// Stores a copy of a file; gives its digest.
    ///
    /// # Errors
    /// When the file cannot be read or the disk refuses.
    pub async fn put_file(&self, path: &Path) -> Result<String, BlobError> {
        let digest = files::hash_file(path.to_owned()).await?;
        let _writer = self.writer(&digest).await;
        let target = self.path(&digest)?;
        if is_file(&target).await? {
            return Ok(digest);
        }
        let temporary = self.partial_path(&format!("{digest}.{}.put", std::process::id()));
        tokio::fs::copy(path, &temporary).await.map_err(io(path))?;
        // The copy is what counts: the file may have changed since it was hashed.
        let found = files::hash_file(temporary.clone()).await?;
        if found != digest {
            tokio::fs::remove_file(&temporary).await.map_err(io(&temporary))?;
            return Err(BlobError::Corrupt { digest, found });
        }
        self.publish(temporary, target).await?;
        Ok(digest)
    }

    /// Reads a whole blob and verifies it. A damaged one is moved aside, so that it can be stored again.
    ///
    /// # Errors
    /// When it is not here, damaged, or above [`Blobs::GET_LIMIT`].
    pub async fn get(&self, digest: &str) -> Result<Vec<u8>, BlobError> {
        let path = self.path(digest)?;
        let size = files::size(&path).await?.ok_or_else(|| BlobError::Missing(digest.to_owned()))?;
        if size > Self::GET_LIMIT {
            return Err(BlobError::TooLarge { digest: digest.to_owned(), size, limit: Self::GET_LIMIT });
        }
        let bytes = tokio::fs::read(&path).await.map_err(io(&path))?;
        let found = hex::encode(Sha256::digest(&bytes));
        if found != digest {
            self.set_aside(digest, &path).await?;
            return Err(BlobError::Corrupt { digest: digest.to_owned(), found });
        }
        Ok(bytes)
    }

    /// Opens a whole blob for reading from byte `offset` on. The reader verifies: only the receiver knows what arrived.
    ///
    /// # Errors
    /// When it is not here or `offset` is beyond its end.
    pub async fn open_at(&self, digest: &str, offset: u64) -> Result<tokio::fs::File, BlobError> {
        let path = self.path(digest)?;
        let size = files::size(&path).await?.ok_or_else(|| BlobError::Missing(digest.to_owned()))?;
        if offset > size {
            return Err(BlobError::Offset { digest: digest.to_owned(), offset, held: size });
        }
        let mut file = tokio::fs::File::open(&path).await.map_err(io(&path))?;
        file.seek(std::io::SeekFrom::Start(offset)).await.map_err(io(&path))?;
        Ok(file)
    }

    /// Where the file of a complete blob lies, for programs that want a path. Nobody may write to it.
    ///
    /// # Errors
    /// When it is not here.
    pub async fn file(&self, digest: &str) -> Result<PathBuf, BlobError> {
        let path = self.path(digest)?;
        if is_file(&path).await? { Ok(path) } else { Err(BlobError::Missing(digest.to_owned())) }
    }

    /// How much of a blob is here.
    ///
    /// # Errors
    /// When the disk refuses.
    pub async fn stat(&self, digest: &str) -> Result<BlobStat, BlobError> {
        if let Some(size) = files::size(&self.path(digest)?).await? {
            return Ok(BlobStat { held: size, complete: true, size: Some(size) });
        }
        let held = files::size(&self.partial_path(digest)).await?.unwrap_or(0);
        Ok(BlobStat { held, complete: false, size: None })
    }

    /// The path of a complete blob; only a digest names one, so that no path leaves the folder.
    fn path(&self, digest: &str) -> Result<PathBuf, BlobError> {
        let valid = digest.len() == 64 && digest.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if !valid {
            return Err(BlobError::Digest(digest.chars().take(80).collect()));
        }
        Ok(self.folder.join(&digest[..2]).join(&digest[2..]))
    }

    fn partial_path(&self, name: &str) -> PathBuf {
        self.folder.join("partial").join(name)
    }

    async fn writer(&self, digest: &str) -> tokio::sync::MutexGuard<'_, ()> {
        let shard = digest.bytes().next().map_or(0, |byte| usize::from(byte) % self.shards.len());
        self.shards[shard].lock().await
    }

    /// Gives verified bytes their final name, so that a power cut leaves the whole file or none.
    async fn publish(&self, temporary: PathBuf, target: PathBuf) -> Result<(), BlobError> {
        files::blocking(move || files::publish(&temporary, &target)).await
    }

    async fn set_aside(&self, digest: &str, path: &Path) -> Result<(), BlobError> {
        tracing::error!(blob.digest = %digest, "a stored blob is damaged and was moved aside; check the disk");
        match tokio::fs::rename(path, self.folder.join("corrupt").join(digest)).await {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(io(path)(error)),
            _ => Ok(()),
        }
    }
}

async fn is_file(path: &Path) -> Result<bool, BlobError> {
    Ok(files::size(path).await?.is_some())
}

pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> BlobError {
    let path = path.to_owned();
    move |source| BlobError::Io { path, source }
}
