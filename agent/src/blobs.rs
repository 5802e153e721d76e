//! Blobs, by sha256: fetched from the controller once and kept, and put there.
//!
//! A broken transfer goes on where it stopped. Nothing is believed before its digest is right.

use std::collections::HashMap;
use std::io::SeekFrom;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use homeostat_clock::Seed;
use homeostat_protocol::{BLOB_CHUNK, BlobChunk, GetBlobRequest, StatBlobRequest};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _};
use tonic::{Code, Status};

use crate::backoff::Backoff;
use crate::link::{Link, LinkError};

/// Why a blob did not get across.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BlobError {
    #[error("{0:?} is no sha256: 64 lower-case hexadecimal digits are needed")]
    Digest(String),
    #[error("the controller does not have blob {0}: upload it again")]
    Missing(String),
    #[error("blob {digest} cannot be transferred")]
    Transfer {
        digest: String,
        #[source]
        source: LinkError,
    },
    #[error("the bytes that came are not blob {0}; they were thrown away, it is fetched again from the start")]
    Corrupt(String),
    #[error("cannot access {}: see that the disk has room and the folder belongs to this user", path.display())]
    Io {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
}

impl BlobError {
    /// Whether trying again by itself can help.
    pub(crate) fn transient(&self) -> bool {
        match self {
            Self::Digest(_) | Self::Missing(_) => false,
            Self::Transfer { source, .. } => match source {
                LinkError::Status(status) => {
                    !matches!(status.code(), Code::InvalidArgument | Code::PermissionDenied | Code::ResourceExhausted)
                }
                _ => true,
            },
            Self::Corrupt(_) | Self::Io { .. } => true,
        }
    }
}

/// The blobs of one node; clones share everything.
#[derive(Clone)]
pub(crate) struct Blobs {
    link: Link,
    folder: PathBuf,
    patience: Duration,
    backoff: (Duration, Duration),
    seed: Seed,
    fetching: Gates,
}

/// One lock a name, for as long as somebody holds or wants it; clones share them.
#[derive(Clone, Default)]
pub(crate) struct Gates(Arc<Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>>);

impl Gates {
    /// Waits until nobody else is at `name`.
    pub(crate) async fn enter(&self, name: &str) -> tokio::sync::OwnedMutexGuard<()> {
        let gate = {
            let mut gates = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            gates.retain(|_, gate| Arc::strong_count(gate) > 1);
            Arc::clone(gates.entry(name.to_string()).or_default())
        };
        gate.lock_owned().await
    }
}

impl Blobs {
    /// Blobs in `folder`, which several nodes of one process may share.
    pub(crate) fn new(
        link: Link,
        folder: PathBuf,
        patience: Duration,
        backoff: (Duration, Duration),
        seed: Seed,
    ) -> Self {
        Self { link, folder, patience, backoff, seed, fetching: Gates::default() }
    }

    pub(crate) fn node(&self) -> &str {
        self.link.node()
    }

    /// The verified file of blob `digest`, fetched if need be. Tries again while that can help, up to its patience.
    pub(crate) async fn get(&self, digest: &str) -> Result<PathBuf, BlobError> {
        let path = self.path(digest)?;
        // One fetch of a blob at a time; the others then find it there.
        let _alone = self.fetching.enter(digest).await;
        if tokio::fs::try_exists(&path).await.unwrap_or(false) {
            return Ok(path);
        }
        self.patiently("get", digest, || self.fetch(digest, &path)).await?;
        Ok(path)
    }

    /// The bytes of blob `digest`.
    pub(crate) async fn read(&self, digest: &str) -> Result<Vec<u8>, BlobError> {
        let path = self.get(digest).await?;
        tokio::fs::read(&path).await.map_err(at(&path))
    }

    /// Whether a copy of blob `digest` is on this machine.
    pub(crate) async fn holds(&self, digest: &str) -> bool {
        match self.path(digest) {
            Ok(path) => tokio::fs::try_exists(&path).await.unwrap_or(false),
            Err(_) => false,
        }
    }

    /// Removes this machine's copies of a blob, unfinished ones included; there may be none.
    pub(crate) async fn forget(&self, digest: &str) -> Result<(), BlobError> {
        let path = self.path(digest)?;
        let _alone = self.fetching.enter(digest).await;
        let folder = path.parent().unwrap_or(&path);
        let Ok(mut entries) = tokio::fs::read_dir(folder).await else { return Ok(()) };
        while let Some(entry) = entries.next_entry().await.map_err(at(folder))? {
            if entry.file_name().to_string_lossy().starts_with(digest) {
                remove(&entry.path()).await?;
            }
        }
        Ok(())
    }

    /// Puts `bytes` and returns their digest.
    pub(crate) async fn put(&self, bytes: Vec<u8>) -> Result<String, BlobError> {
        let digest = hex::encode(Sha256::digest(&bytes));
        let path = self.path(&digest)?;
        if !tokio::fs::try_exists(&path).await.unwrap_or(false) {
            let partial = self.partial(&path, "put");
            create_parent(&path).await?;
            tokio::fs::write(&partial, &bytes).await.map_err(at(&partial))?;
            tokio::fs::rename(&partial, &path).await.map_err(at(&path))?;
        }
        self.put_file(&path).await
    }

    /// Puts the file at `path` and returns its digest.
    pub(crate) async fn put_file(&self, path: &Path) -> Result<String, BlobError> {
        let (digest, size) = digest_of(path).await?;
        self.patiently("put", &digest, || self.send(&digest, size, path)).await?;
        Ok(digest)
    }

    async fn patiently<F, Fut>(&self, what: &str, digest: &str, mut attempt: F) -> Result<(), BlobError>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<(), BlobError>>,
    {
        let since = Instant::now();
        let rng = self.seed.rng(&format!("blobs/{what}/{digest}"));
        let mut backoff = Backoff::new(self.backoff.0, self.backoff.1, rng);
        loop {
            match attempt().await {
                Err(error) if error.transient() && since.elapsed() < self.patience => {
                    tracing::debug!(digest, error = %error, "a transfer broke off; it goes on soon");
                    tokio::time::sleep(backoff.next()).await;
                }
                result => return result,
            }
        }
    }

    async fn fetch(&self, digest: &str, path: &Path) -> Result<(), BlobError> {
        let partial = self.partial(path, "get");
        create_parent(path).await?;
        let mut file =
            tokio::fs::OpenOptions::new().create(true).append(true).open(&partial).await.map_err(at(&partial))?;
        let offset = file.metadata().await.map_err(at(&partial))?.len();
        let request = GetBlobRequest { digest: digest.to_string(), offset };
        let request = self.link.request(request).map_err(transfer(digest))?;
        let mut parts = match self.link.client().get_blob(request).await {
            Ok(response) => response.into_inner(),
            Err(status) if status.code() == Code::NotFound => return Err(BlobError::Missing(digest.to_string())),
            // More is held than there is: the partial file is of something else.
            Err(status) if matches!(status.code(), Code::OutOfRange | Code::FailedPrecondition) => {
                remove(&partial).await?;
                return Err(BlobError::Corrupt(digest.to_string()));
            }
            Err(status) => return Err(transfer(digest)(status.into())),
        };
        let mut size = None;
        let mut held = offset;
        loop {
            let part = match parts.message().await {
                Ok(Some(part)) => part,
                Ok(None) => break,
                Err(status) => {
                    file.flush().await.map_err(at(&partial))?;
                    return Err(transfer(digest)(status.into()));
                }
            };
            if part.size > 0 {
                size.get_or_insert(part.size);
            }
            if !part.data.is_empty() && part.offset != held {
                return Err(transfer(digest)(Status::data_loss("the parts are not in order").into()));
            }
            file.write_all(&part.data).await.map_err(at(&partial))?;
            held += part.data.len() as u64;
        }
        file.sync_all().await.map_err(at(&partial))?;
        if size.is_some_and(|size| held < size) {
            return Err(transfer(digest)(Status::unavailable("the transfer ended early").into()));
        }
        if digest_of(&partial).await?.0 != digest {
            remove(&partial).await?;
            return Err(BlobError::Corrupt(digest.to_string()));
        }
        tokio::fs::rename(&partial, path).await.map_err(at(path))
    }

    async fn send(&self, digest: &str, size: u64, path: &Path) -> Result<(), BlobError> {
        let request = self.link.request(StatBlobRequest { digest: digest.to_string() }).map_err(transfer(digest))?;
        let held = match self.link.client().stat_blob(request).await {
            Ok(response) => {
                let stat = response.into_inner();
                if stat.complete {
                    return Ok(());
                }
                stat.held.min(size)
            }
            Err(status) if status.code() == Code::NotFound => 0,
            Err(status) => return Err(transfer(digest)(status.into())),
        };
        let mut file = tokio::fs::File::open(path).await.map_err(at(path))?;
        file.seek(SeekFrom::Start(held)).await.map_err(at(path))?;
        let (sender, receiver) = tokio::sync::mpsc::channel(4);
        let first = BlobChunk { digest: digest.to_string(), size, offset: held, data: Vec::new().into() };
        let reading = async move {
            let mut offset = held;
            let mut next = first;
            loop {
                if sender.send(next).await.is_err() {
                    return Ok(());
                }
                let mut data = vec![0; BLOB_CHUNK];
                let read = file.read(&mut data).await?;
                if read == 0 {
                    return Ok(());
                }
                data.truncate(read);
                next = BlobChunk { digest: String::new(), size: 0, offset, data: data.into() };
                offset += read as u64;
            }
        };
        let request =
            self.link.request(tokio_stream::wrappers::ReceiverStream::new(receiver)).map_err(transfer(digest))?;
        let mut client = self.link.client();
        let (read, sent): (std::io::Result<()>, _) = tokio::join!(reading, client.put_blob(request));
        let stat = sent.map_err(|status| transfer(digest)(status.into()))?.into_inner();
        read.map_err(at(path))?;
        if stat.complete {
            Ok(())
        } else {
            Err(transfer(digest)(Status::unavailable(format!("{} of {size} bytes arrived", stat.held)).into()))
        }
    }

    fn path(&self, digest: &str) -> Result<PathBuf, BlobError> {
        if !is_digest(digest) {
            return Err(BlobError::Digest(digest.to_string()));
        }
        Ok(self.folder.join(&digest[..2]).join(digest))
    }

    /// Each node has its own partial files, since several may share the folder.
    fn partial(&self, path: &Path, what: &str) -> PathBuf {
        path.with_extension(format!("{}.{what}", self.link.node()))
    }
}

pub(crate) fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// sha256 (hex) and size of a file.
pub(crate) async fn digest_of(path: &Path) -> Result<(String, u64), BlobError> {
    let mut file = tokio::fs::File::open(path).await.map_err(at(path))?;
    let mut hash = Sha256::new();
    let mut size = 0;
    let mut buffer = vec![0; BLOB_CHUNK];
    loop {
        let read = file.read(&mut buffer).await.map_err(at(path))?;
        if read == 0 {
            return Ok((hex::encode(hash.finalize()), size));
        }
        hash.update(&buffer[..read]);
        size += read as u64;
    }
}

async fn create_parent(path: &Path) -> Result<(), BlobError> {
    let parent = path.parent().unwrap_or(path);
    tokio::fs::create_dir_all(parent).await.map_err(at(parent))
}

async fn remove(path: &Path) -> Result<(), BlobError> {
    match tokio::fs::remove_file(path).await {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(at(path)(error)),
        _ => Ok(()),
    }
}

fn transfer(digest: &str) -> impl Fn(LinkError) -> BlobError + use<> {
    let digest = digest.to_string();
    move |source| BlobError::Transfer { digest: digest.clone(), source }
}

pub(crate) fn at(path: &Path) -> impl Fn(std::io::Error) -> BlobError + use<> {
    let path = path.to_path_buf();
    move |source| BlobError::Io { path: path.clone(), source }
}
