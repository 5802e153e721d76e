//! Reports on disk, from the moment they are made until the controller has applied them.
//!
//! ```text
//! spool/epoch                    32 hexadecimal digits, drawn whenever the spool starts empty
//! spool/00000000000000000001     a segment, named after its first sequence: frames one after another
//! frame                          length u32, sequence u64, checksum u64 (little-endian), then a Report
//! ```
//! Every append is synced to the disk before it returns, so that what was sent is always still there: reports come about
//! once a second, which any disk can sync. A crash in the middle of an append leaves a torn tail, which is cut off when the
//! spool is opened; nothing after the tear was ever sent. Should a frame that was complete once be damaged later, the
//! sequences that may have followed it are not used again.
//!
//! It is bounded: beyond its size the oldest segment is dropped and its reports are counted as lost.

mod segment;

use std::collections::VecDeque;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use homeostat_protocol::{Report, Sample, Window};
use prost::Message as _;

use segment::Segment;

const EPOCH: &str = "epoch";

/// How large a spool may grow.
#[derive(Clone, Copy, Debug)]
pub struct SpoolLimits {
    /// A segment is closed when it has grown to this size in bytes.
    pub segment_bytes: u64,
    /// All segments together in bytes.
    pub bytes: u64,
}

impl SpoolLimits {
    /// A spool of `bytes` in sixteen segments.
    #[must_use]
    pub fn of(bytes: u64) -> Self {
        Self { segment_bytes: (bytes / 16).clamp(4 * 1024, 1024 * 1024), bytes }
    }
}

/// A spool that cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// The file system refused.
    #[error("the spool cannot access {}: see that the disk has room and the folder belongs to this user", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// One report that no segment may hold.
    #[error("a report of {0} bytes is larger than a message may be")]
    TooLarge(usize),
}

/// Reports that are not acknowledged yet.
#[derive(Debug)]
pub struct Spool {
    folder: PathBuf,
    limits: SpoolLimits,
    epoch: String,
    segments: VecDeque<Segment>,
    next: u64,
    acknowledged: u64,
    lost: u64,
}

impl Spool {
    /// Opens the spool in `folder`, cutting off a torn tail. `new_epoch` is asked when it starts empty.
    ///
    /// # Errors
    /// When the folder cannot be read or written.
    pub fn open(folder: &Path, limits: SpoolLimits, new_epoch: impl FnOnce() -> String) -> Result<Self, SpoolError> {
        fs::create_dir_all(folder).map_err(at(folder))?;
        let mut names: Vec<(u64, PathBuf)> = Vec::new();
        for entry in fs::read_dir(folder).map_err(at(folder))? {
            let path = entry.map_err(at(folder))?.path();
            let number = path.file_name().and_then(|name| name.to_str()).and_then(segment::number);
            names.extend(number.map(|number| (number, path)));
        }
        names.sort();
        let mut segments = VecDeque::new();
        let mut next = 1;
        for (_, path) in names {
            let (segment, after) = Segment::recover(path)?;
            next = next.max(after);
            segments.extend(segment);
        }
        let epoch_path = folder.join(EPOCH);
        let held = fs::read_to_string(&epoch_path).ok().filter(|epoch| is_epoch(epoch));
        let epoch = match held {
            Some(epoch) if !segments.is_empty() => epoch,
            // Frames without their epoch cannot be told from others: they are of no use.
            _ => {
                for segment in segments.drain(..) {
                    segment.remove()?;
                }
                next = 1;
                let epoch = new_epoch();
                write_synced(&epoch_path, epoch.as_bytes())?;
                epoch
            }
        };
        Ok(Self { folder: folder.to_path_buf(), limits, epoch, segments, next, acknowledged: 0, lost: 0 })
    }

    /// The epoch of all reports in it.
    #[must_use]
    pub fn epoch(&self) -> &str {
        &self.epoch
    }

    /// Keeps a report and returns its sequence; it is on the disk when this returns.
    ///
    /// # Errors
    /// When it cannot be written; the spool is then as it was.
    pub fn append(&mut self, windows: Vec<Window>, samples: Vec<Sample>) -> Result<u64, SpoolError> {
        let sequence = self.next;
        let report = Report { epoch: self.epoch.clone(), sequence, windows, samples };
        let bytes = report.encode_to_vec();
        if bytes.len() > homeostat_protocol::MAX_MESSAGE / 2 {
            return Err(SpoolError::TooLarge(bytes.len()));
        }
        let full = self.segments.back().is_none_or(|last| last.bytes() >= self.limits.segment_bytes || last.closed());
        if full {
            self.segments.push_back(Segment::create(&self.folder, sequence)?);
        }
        if let Some(last) = self.segments.back_mut() {
            last.append(sequence, &bytes)?;
        }
        self.next += 1;
        self.bound()?;
        Ok(sequence)
    }

    /// Reports from sequence `from` on, in order: as many as fit into `bytes`, but at least one if there is any.
    ///
    /// # Errors
    /// When a segment cannot be read.
    pub fn read(&self, from: u64, bytes: usize) -> Result<Vec<Report>, SpoolError> {
        let mut reports = Vec::new();
        let mut size = 0;
        for segment in self.segments.iter().filter(|segment| segment.last() >= from) {
            for (sequence, payload) in segment.frames()? {
                if sequence < from {
                    continue;
                }
                size += payload.len();
                if size > bytes && !reports.is_empty() {
                    return Ok(reports);
                }
                // The checksum held, so this only fails for what a newer version wrote.
                if let Ok(report) = Report::decode(payload.as_slice()) {
                    reports.push(report);
                }
            }
        }
        Ok(reports)
    }

    /// Forgets the reports up to and including `sequence`.
    ///
    /// # Errors
    /// When a segment cannot be removed; it is forgotten all the same, and comes again after a restart.
    pub fn acknowledge(&mut self, sequence: u64) -> Result<(), SpoolError> {
        self.acknowledged = self.acknowledged.max(sequence);
        while self.segments.front().is_some_and(|segment| segment.last() <= sequence) {
            if let Some(segment) = self.segments.pop_front() {
                segment.remove()?;
            }
        }
        Ok(())
    }

    /// The first sequence still held; the next one to come when empty.
    #[must_use]
    pub fn oldest(&self) -> u64 {
        self.segments.front().map_or(self.next, |segment| segment.first().max(self.acknowledged + 1).min(self.next))
    }

    /// The sequence that the next report gets.
    #[must_use]
    pub fn next_sequence(&self) -> u64 {
        self.next
    }

    /// Reports held and not acknowledged.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.segments.iter().map(|segment| segment.count_after(self.acknowledged)).sum()
    }

    /// Whether everything is acknowledged.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Reports dropped since it was opened because the spool was full.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost
    }

    fn bound(&mut self) -> Result<(), SpoolError> {
        while self.segments.len() > 1 && self.segments.iter().map(Segment::bytes).sum::<u64>() > self.limits.bytes {
            if let Some(oldest) = self.segments.pop_front() {
                self.lost += oldest.count_after(self.acknowledged);
                oldest.remove()?;
            }
        }
        Ok(())
    }
}

fn is_epoch(text: &str) -> bool {
    !text.is_empty() && text.len() <= 64 && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Writes a whole file so that after a crash it is there in full or not at all.
pub(crate) fn write_synced(path: &Path, bytes: &[u8]) -> Result<(), SpoolError> {
    let partial = path.with_extension("new");
    let mut file = fs::File::create(&partial).map_err(at(&partial))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(at(&partial))?;
    fs::rename(&partial, path).map_err(at(path))?;
    sync_folder(path)
}

fn sync_folder(path: &Path) -> Result<(), SpoolError> {
    let Some(folder) = path.parent() else { return Ok(()) };
    fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(at(folder))
}

fn at(path: &Path) -> impl Fn(io::Error) -> SpoolError + use<> {
    let path = path.to_path_buf();
    move |source| SpoolError::Io { path: path.clone(), source }
}

#[cfg(test)]
mod tests;
