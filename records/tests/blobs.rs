//! Blobs survive broken uploads and say when a disk lies.
#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::path::PathBuf;

use homeostat_clock::UtcMillis;
use homeostat_records::{BlobError, BlobStat, Blobs};
use proptest::prelude::*;
use sha2::{Digest, Sha256};
use tokio::io::AsyncReadExt;

async fn blobs() -> (tempfile::TempDir, Blobs) {
    let folder = tempfile::tempdir().unwrap();
    let blobs = Blobs::open(folder.path().join("blobs")).await.unwrap();
    (folder, blobs)
}

fn digest_of(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

fn final_path(folder: &tempfile::TempDir, digest: &str) -> PathBuf {
    folder.path().join("blobs").join(&digest[..2]).join(&digest[2..])
}

#[tokio::test]
async fn bytes_and_files_come_back() {
    let (folder, blobs) = blobs().await;
    let digest = blobs.put_bytes(b"evidence").await.unwrap();
    assert_eq!(digest, digest_of(b"evidence"));
    assert_eq!(blobs.put_bytes(b"evidence").await.unwrap(), digest);
    assert_eq!(blobs.get(&digest).await.unwrap(), b"evidence");
    let path = folder.path().join("artifact");
    std::fs::write(&path, vec![7; 3 << 20]).unwrap();
    let digest = blobs.put_file(&path).await.unwrap();
    assert_eq!(blobs.stat(&digest).await.unwrap(), BlobStat { held: 3 << 20, complete: true, size: Some(3 << 20) });
    let mut rest = Vec::new();
    blobs.open_at(&digest, (3 << 20) - 5).await.unwrap().read_to_end(&mut rest).await.unwrap();
    assert_eq!(rest, [7; 5]);
    assert!(matches!(blobs.open_at(&digest, (3 << 20) + 1).await, Err(BlobError::Offset { .. })));
    assert_eq!(blobs.file(&digest).await.unwrap(), final_path(&folder, &digest));
    assert_eq!(std::fs::read_dir(folder.path().join("blobs/partial")).unwrap().count(), 0);
}

#[tokio::test]
async fn an_upload_resumes_where_it_stopped() {
    let (folder, blobs) = blobs().await;
    let bytes: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
    let digest = digest_of(&bytes);
    let size = bytes.len() as u64;
    assert!(matches!(blobs.finish(&digest).await, Err(BlobError::Missing(_))));
    assert_eq!(blobs.begin(&digest, size).await.unwrap().held, 0);
    blobs.append_partial(&digest, 0, &bytes[..1000]).await.unwrap();
    assert!(matches!(blobs.get(&digest).await, Err(BlobError::Missing(_))));
    // The process ends; the next one carries on and refuses bytes for another place.
    let blobs = Blobs::open(folder.path().join("blobs")).await.unwrap();
    let stat = blobs.begin(&digest, size).await.unwrap();
    assert_eq!(stat, BlobStat { held: 1000, complete: false, size: None });
    let error = blobs.append_partial(&digest, 900, &bytes[900..]).await.unwrap_err();
    assert!(matches!(error, BlobError::Offset { held: 1000, .. }), "{error}");
    blobs.append_partial(&digest, 1000, &bytes[1000..]).await.unwrap();
    assert!(blobs.finish(&digest).await.unwrap().complete);
    assert!(blobs.finish(&digest).await.unwrap().complete);
    assert_eq!(blobs.get(&digest).await.unwrap(), bytes);
    assert_eq!(blobs.append_partial(&digest, 5, b"x").await.unwrap().size, Some(size));
}

#[tokio::test]
async fn other_content_is_dropped_and_can_be_sent_again() {
    let (folder, blobs) = blobs().await;
    let digest = digest_of(b"right");
    blobs.append_partial(&digest, 0, b"wrong").await.unwrap();
    assert!(matches!(blobs.finish(&digest).await, Err(BlobError::Corrupt { .. })));
    assert_eq!(blobs.stat(&digest).await.unwrap(), BlobStat::default());
    // More bytes than announced cannot be the blob either.
    blobs.append_partial(&digest, 0, b"right and more").await.unwrap();
    assert_eq!(blobs.begin(&digest, 5).await.unwrap().held, 0);
    blobs.append_partial(&digest, 0, b"right").await.unwrap();
    blobs.finish(&digest).await.unwrap();
    // The disk lies later: reading says so, moves the file aside, and the blob can be stored anew.
    std::fs::write(final_path(&folder, &digest), b"wrong").unwrap();
    assert!(matches!(blobs.get(&digest).await, Err(BlobError::Corrupt { .. })));
    assert!(matches!(blobs.get(&digest).await, Err(BlobError::Missing(_))));
    blobs.put_bytes(b"right").await.unwrap();
    assert_eq!(blobs.get(&digest).await.unwrap(), b"right");
}

#[tokio::test]
async fn only_digests_name_blobs() {
    let (folder, blobs) = blobs().await;
    let upper = digest_of(b"x").to_uppercase();
    for name in ["", "../../etc/passwd", &"a".repeat(63), &"../".repeat(22)[..64], &upper, &"é".repeat(32)] {
        assert!(matches!(blobs.stat(name).await, Err(BlobError::Digest(_))), "{name}");
        assert!(matches!(blobs.get(name).await, Err(BlobError::Digest(_))), "{name}");
        assert!(matches!(blobs.begin(name, 1).await, Err(BlobError::Digest(_))), "{name}");
        assert!(matches!(blobs.append_partial(name, 0, b"x").await, Err(BlobError::Digest(_))), "{name}");
        assert!(matches!(blobs.finish(name).await, Err(BlobError::Digest(_))), "{name}");
    }
    assert_eq!(std::fs::read_dir(folder.path().join("blobs/partial")).unwrap().count(), 0);
    assert!(matches!(blobs.begin(&digest_of(b"x"), u64::MAX).await, Err(BlobError::TooLarge { .. })));
}

#[tokio::test]
async fn forgotten_uploads_are_swept() {
    let (_folder, blobs) = blobs().await;
    let digest = digest_of(b"abandoned");
    blobs.append_partial(&digest, 0, b"aban").await.unwrap();
    assert_eq!(blobs.sweep_partials(UtcMillis(0)).await.unwrap(), 0);
    assert_eq!(blobs.sweep_partials(UtcMillis(i64::MAX)).await.unwrap(), 1);
    assert_eq!(blobs.stat(&digest).await.unwrap().held, 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// However an upload is cut and repeated, the blob comes out whole.
    #[test]
    fn any_cuts_give_the_same_blob(bytes in proptest::collection::vec(any::<u8>(), 1..400), cuts in proptest::collection::vec((0_usize..400, 0_usize..400), 0..8)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (_folder, blobs) = blobs().await;
            let digest = digest_of(&bytes);
            for (from, to) in cuts {
                let (from, to) = (from.min(bytes.len()), to.min(bytes.len()));
                if from <= to {
                    // Refused unless it goes on where the last one stopped.
                    let _refused = blobs.append_partial(&digest, from as u64, &bytes[from..to]).await;
                }
            }
            let stat = blobs.begin(&digest, bytes.len() as u64).await.unwrap();
            let held = usize::try_from(stat.held).unwrap();
            blobs.append_partial(&digest, stat.held, &bytes[held..]).await.unwrap();
            blobs.finish(&digest).await.unwrap();
            assert_eq!(blobs.get(&digest).await.unwrap(), bytes);
        });
    }
}
