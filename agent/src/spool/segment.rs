use std::fs::{self, File, OpenOptions};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::{SpoolError, at, sync_folder};

const HEADER: usize = 4 + 8 + 8;

/// One file of frames.
#[derive(Debug)]
pub(crate) struct Segment {
    path: PathBuf,
    // `None` when recovered: a recovered segment is never appended to.
    file: Option<File>,
    bytes: u64,
    /// Sequences of its frames, rising.
    sequences: Vec<u64>,
}

/// The first sequence of the segment with this file name.
pub(crate) fn number(name: &str) -> Option<u64> {
    (name.len() == 20).then(|| name.parse().ok()).flatten()
}

impl Segment {
    pub(crate) fn create(folder: &Path, first: u64) -> Result<Self, SpoolError> {
        let path = folder.join(format!("{first:020}"));
        let file = OpenOptions::new().create(true).truncate(true).write(true).open(&path).map_err(at(&path))?;
        sync_folder(&path)?;
        Ok(Self { path, file: Some(file), bytes: 0, sequences: Vec::new() })
    }

    /// Reads the segment at `path` and cuts off what is torn or damaged, with everything after it. Also returns the first
    /// sequence that is surely unused.
    pub(crate) fn recover(path: PathBuf) -> Result<(Option<Self>, u64), SpoolError> {
        let bytes = fs::read(&path).map_err(at(&path))?;
        let frames = frames(&bytes);
        let good = frames.iter().map(|(_, payload)| (HEADER + payload.len()) as u64).sum::<u64>();
        let sequences: Vec<u64> = frames.iter().map(|(sequence, _)| *sequence).collect();
        let rest = bytes.len() as u64 - good;
        let first = path.file_name().and_then(|name| name.to_str()).and_then(number).unwrap_or(1);
        // As many frames as could have stood in the rest, had they all been empty.
        let after = sequences.last().map_or(first, |last| last + 1) + rest.div_ceil(HEADER as u64);
        if rest > 0 {
            tracing::warn!(path = %path.display(), bytes = rest, "cut a torn or damaged end off the spool");
            let file = OpenOptions::new().write(true).open(&path).map_err(at(&path))?;
            file.set_len(good).and_then(|()| file.sync_all()).map_err(at(&path))?;
        }
        let segment = Self { path, file: None, bytes: good, sequences };
        if segment.sequences.is_empty() {
            segment.remove()?;
            return Ok((None, after));
        }
        Ok((Some(segment), after))
    }

    pub(crate) fn append(&mut self, sequence: u64, payload: &[u8]) -> Result<(), SpoolError> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let length = u32::try_from(payload.len()).map_err(|_| SpoolError::TooLarge(payload.len()))?;
        let mut frame = Vec::with_capacity(HEADER + payload.len());
        frame.extend_from_slice(&length.to_le_bytes());
        frame.extend_from_slice(&sequence.to_le_bytes());
        frame.extend_from_slice(&checksum(sequence, payload));
        frame.extend_from_slice(payload);
        if let Err(error) = file.write_all(&frame).and_then(|()| file.sync_data()) {
            // What was half written must not stand before the next frame.
            let undone = file.set_len(self.bytes).and_then(|()| file.seek(SeekFrom::Start(self.bytes)));
            if undone.is_err() {
                self.file = None;
            }
            return Err(at(&self.path)(error));
        }
        self.bytes += frame.len() as u64;
        self.sequences.push(sequence);
        Ok(())
    }

    /// Whether nothing can be appended any more.
    pub(crate) fn closed(&self) -> bool {
        self.file.is_none()
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn first(&self) -> u64 {
        self.sequences.first().copied().unwrap_or(u64::MAX)
    }

    pub(crate) fn last(&self) -> u64 {
        self.sequences.last().copied().unwrap_or(0)
    }

    pub(crate) fn count_after(&self, sequence: u64) -> u64 {
        self.sequences.iter().filter(|held| **held > sequence).count() as u64
    }

    pub(crate) fn frames(&self) -> Result<Vec<(u64, Vec<u8>)>, SpoolError> {
        let bytes = fs::read(&self.path).map_err(at(&self.path))?;
        Ok(frames(&bytes).into_iter().map(|(sequence, payload)| (sequence, payload.to_vec())).collect())
    }

    pub(crate) fn remove(self) -> Result<(), SpoolError> {
        fs::remove_file(&self.path).map_err(at(&self.path))
    }
}

/// The good frames at the start of `bytes`.
fn frames(mut bytes: &[u8]) -> Vec<(u64, &[u8])> {
    let mut frames = Vec::new();
    let mut previous = 0;
    while let Some((sequence, payload, rest)) = frame(bytes).filter(|(sequence, ..)| *sequence > previous) {
        frames.push((sequence, payload));
        (previous, bytes) = (sequence, rest);
    }
    frames
}

fn frame(bytes: &[u8]) -> Option<(u64, &[u8], &[u8])> {
    let (length, bytes) = bytes.split_first_chunk::<4>()?;
    let (sequence, bytes) = bytes.split_first_chunk::<8>()?;
    let (sum, bytes) = bytes.split_first_chunk::<8>()?;
    let (payload, rest) = bytes.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    let sequence = u64::from_le_bytes(*sequence);
    (checksum(sequence, payload) == *sum).then_some((sequence, payload, rest))
}

/// The first 8 bytes of the sha256 over sequence and payload: it guards against accidents, not against people.
fn checksum(sequence: u64, payload: &[u8]) -> [u8; 8] {
    let mut hash = Sha256::new();
    hash.update(sequence.to_le_bytes());
    hash.update(payload);
    let digest: [u8; 32] = hash.finalize().into();
    let mut sum = [0; 8];
    sum.copy_from_slice(&digest[..8]);
    sum
}
