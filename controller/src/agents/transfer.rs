//! Blobs over gRPC: streamed, resumed where they broke off.

use std::pin::Pin;

use futures::Stream;
use futures::stream;
use homeostat_protocol::{BLOB_CHUNK, BlobChunk, BlobStat};
use homeostat_records::{BlobError, Blobs};
use tokio::io::AsyncReadExt;
use tonic::{Status, Streaming};

/// A blob on its way to an agent.
pub(super) type Chunks = Pin<Box<dyn Stream<Item = Result<BlobChunk, Status>> + Send>>;

/// Takes a blob. The first message names digest and size and may carry bytes; each carries on at `offset`, which must be
/// what is held (Stat says). When the stream ends early, what came is kept and the answer says how much that is.
pub(super) async fn put(blobs: &Blobs, mut chunks: Streaming<BlobChunk>) -> Result<BlobStat, Status> {
    let first = chunks.message().await?.ok_or_else(|| Status::invalid_argument("the upload is empty"))?;
    let (digest, size) = (first.digest.clone(), first.size);
    let mut held = blobs.begin(&digest, size).await.map_err(|error| status(&error))?;
    let mut next = Some(first);
    while !held.complete && held.held < size {
        let Some(chunk) = next.take() else { break };
        if chunk.offset.saturating_add(chunk.data.len() as u64) > size {
            return Err(Status::invalid_argument(format!(
                "blob {digest} was said to have {size} bytes, but more came"
            )));
        }
        if !chunk.data.is_empty() {
            held = blobs.append_partial(&digest, chunk.offset, &chunk.data).await.map_err(|error| status(&error))?;
        }
        if held.held < size {
            // A stream that breaks off is no fault: what came is kept, and the agent resumes.
            next = chunks.message().await?;
        }
    }
    if !held.complete && held.held == size {
        if size == 0 {
            // An empty blob never has a partial file.
            blobs.put_bytes(&[]).await.map_err(|error| status(&error))?;
            return stat(blobs, &digest).await;
        }
        held = blobs.finish(&digest).await.map_err(|error| status(&error))?;
    }
    Ok(BlobStat { digest, held: held.held, complete: held.complete })
}

/// Sends a blob from `offset` on.
pub(super) async fn get(blobs: &Blobs, digest: String, offset: u64) -> Result<Chunks, Status> {
    let size = blobs.stat(&digest).await.map_err(|error| status(&error))?.size.unwrap_or(0);
    let file = blobs.open_at(&digest, offset).await.map_err(|error| status(&error))?;
    // The first message always comes, also of an empty rest: it carries the size.
    let start = Some((file, offset, true));
    Ok(Box::pin(stream::try_unfold(start, move |state| {
        let digest = digest.clone();
        async move {
            let Some((mut file, offset, first)) = state else { return Ok(None) };
            let mut data = Vec::with_capacity(BLOB_CHUNK);
            let read = (&mut file).take(BLOB_CHUNK as u64).read_to_end(&mut data).await;
            let read = read.map_err(|error| {
                tracing::error!(blob.digest = %digest, error = %error, "a blob cannot be read");
                Status::unavailable("the blob cannot be read at the moment; resume later")
            })?;
            if read == 0 && !first {
                return Ok(None);
            }
            let chunk = if first {
                BlobChunk { digest, size, offset, data: data.into() }
            } else {
                BlobChunk { digest: String::new(), size: 0, offset, data: data.into() }
            };
            let next = (read > 0).then_some((file, offset + read as u64, false));
            Ok(Some((chunk, next)))
        }
    })))
}

/// How much of a blob is held.
pub(super) async fn stat(blobs: &Blobs, digest: &str) -> Result<BlobStat, Status> {
    let stat = blobs.stat(digest).await.map_err(|error| status(&error))?;
    Ok(BlobStat { digest: digest.to_owned(), held: stat.held, complete: stat.complete })
}

fn status(error: &BlobError) -> Status {
    let text = error.to_string();
    match error {
        BlobError::Digest(_) | BlobError::TooLarge { .. } => Status::invalid_argument(text),
        BlobError::Missing(_) => Status::not_found(text),
        BlobError::Corrupt { .. } => Status::data_loss(text),
        BlobError::Offset { .. } => Status::failed_precondition(text),
        BlobError::Io { source, .. } => {
            tracing::error!(error = text, error.source = %source, "a blob cannot be read or written");
            Status::unavailable("the controller's disk cannot be used for blobs at the moment; resume later")
        }
    }
}
