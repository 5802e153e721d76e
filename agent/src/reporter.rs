//! Collects closed windows and samples of one node and puts them into its spool, about once a second.
//!
//! Bounded: while the disk refuses, only so much is held in memory, and what has no place is counted as lost. A sample that
//! somebody waits for goes into the spool sooner, together with what else came in that moment.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use homeostat_gateway::Keeping;
use homeostat_protocol as wire;
use homeostat_quality::{Sample, SampleOrigin, Window};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use crate::spool::{Spool, SpoolError};
use crate::supervisor::with_source;

/// Most windows and samples held in memory, and most in one report.
const MOST_HELD: usize = 20_000;
const MOST_WINDOWS: usize = 500;
const MOST_SAMPLES: usize = 200;
/// Largest text of one sample that is reported, in bytes: 200 of these fit into a message.
const LONGEST_TEXT: usize = 6 * 1024;
/// So long others may join a sample that somebody waits for: each report costs the disk a sync.
const GATHER: Duration = Duration::from_millis(50);

/// A node's reporter; clones share everything.
#[derive(Clone)]
pub(crate) struct Reporter {
    pending: Arc<Mutex<Pending>>,
    spool: Arc<Mutex<Spool>>,
    /// The sequence that the next report will get: changes whenever one was spooled.
    spooled: watch::Sender<u64>,
    /// Somebody waits for a sample.
    hurry: Arc<Notify>,
    /// How many samples have left `pending` since the start, and which of them no spool would take.
    settled: watch::Sender<Settled>,
    /// One flush at a time: each takes from the front of what is pending.
    flushing: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Default)]
struct Pending {
    windows: Vec<wire::Window>,
    samples: Vec<wire::Sample>,
    /// Samples taken in since the start.
    samples_taken: u64,
    lost: u64,
}

#[derive(Clone, Default)]
struct Settled {
    samples: u64,
    /// Ranges of numbers of samples that were refused.
    refused: Vec<std::ops::Range<u64>>,
}

impl Reporter {
    pub(crate) fn new(spool: Spool) -> Self {
        let spooled = watch::Sender::new(spool.next_sequence());
        Self {
            pending: Arc::default(),
            spool: Arc::new(Mutex::new(spool)),
            spooled,
            hurry: Arc::default(),
            settled: watch::Sender::default(),
            flushing: Arc::default(),
        }
    }

    pub(crate) fn windows(&self, windows: Vec<Window>) {
        let mut pending = lock(&self.pending);
        for window in windows {
            if pending.windows.len() < MOST_HELD {
                pending.windows.push(window_to_wire(window));
            } else {
                pending.lost += 1;
            }
        }
    }

    /// Takes a sample in; its number, or nothing when there is no place for it.
    pub(crate) fn sample(&self, sample: Sample) -> Option<u64> {
        let mut pending = lock(&self.pending);
        if pending.samples.len() >= MOST_HELD {
            pending.lost += 1;
            return None;
        }
        pending.samples.push(sample_to_wire(sample));
        pending.samples_taken += 1;
        Some(pending.samples_taken - 1)
    }

    /// Takes a sample in and says when it is in the spool.
    pub(crate) fn keep(&self, sample: Sample) -> Keeping {
        let Some(number) = self.sample(sample) else { return Box::pin(std::future::ready(false)) };
        self.hurry.notify_one();
        let mut settled = self.settled.subscribe();
        Box::pin(async move {
            match settled.wait_for(|settled| settled.samples > number).await {
                Ok(settled) => !settled.refused.iter().any(|range| range.contains(&number)),
                Err(_) => false,
            }
        })
    }

    /// The spool, for the session. Hold it briefly and off the async threads.
    pub(crate) fn spool(&self) -> Arc<Mutex<Spool>> {
        Arc::clone(&self.spool)
    }

    pub(crate) fn spooled(&self) -> watch::Receiver<u64> {
        self.spooled.subscribe()
    }

    /// (reports held, reports and observations lost).
    pub(crate) fn figures(&self) -> (u64, u64) {
        let lost = lock(&self.pending).lost;
        let spool = lock(&self.spool);
        (spool.len(), spool.lost() + lost)
    }

    pub(crate) async fn run(self, every: Duration, shutdown: CancellationToken) {
        let mut complained = false;
        while !shutdown.is_cancelled() {
            tokio::select! {
                () = tokio::time::sleep(every) => {}
                () = self.hurry.notified() => tokio::time::sleep(GATHER.min(every)).await,
                () = shutdown.cancelled() => {}
            }
            match self.flush().await {
                Ok(()) => complained = false,
                Err(error) if !complained => {
                    complained = true;
                    tracing::error!("reports are held in memory: {}", with_source(&error));
                }
                Err(_) => {}
            }
        }
    }

    /// Puts everything pending into the spool.
    pub(crate) async fn flush(&self) -> Result<(), SpoolError> {
        let _alone = self.flushing.lock().await;
        loop {
            let (windows, samples) = {
                let pending = lock(&self.pending);
                let windows = pending.windows.iter().take(MOST_WINDOWS).cloned().collect::<Vec<_>>();
                (windows, pending.samples.iter().take(MOST_SAMPLES).cloned().collect::<Vec<_>>())
            };
            if windows.is_empty() && samples.is_empty() {
                return Ok(());
            }
            let (taken_windows, taken_samples) = (windows.len(), samples.len());
            let spool = Arc::clone(&self.spool);
            let appended = tokio::task::spawn_blocking(move || lock(&spool).append(windows, samples)).await;
            // Only a panic or the end of the runtime; what is pending stays.
            let Ok(appended) = appended else { return Ok(()) };
            if let Err(error @ SpoolError::Io { .. }) = appended {
                return Err(error);
            }
            let mut pending = lock(&self.pending);
            pending.windows.drain(..taken_windows);
            pending.samples.drain(..taken_samples);
            if appended.is_err() {
                pending.lost += (taken_windows + taken_samples) as u64;
            }
            drop(pending);
            self.settled.send_modify(|settled| {
                let before = settled.samples;
                settled.samples += taken_samples as u64;
                if appended.is_err() && taken_samples > 0 {
                    settled.refused.push(before..settled.samples);
                }
            });
            if let Ok(sequence) = appended {
                self.spooled.send_replace(sequence + 1);
            }
        }
    }
}

pub(crate) fn window_to_wire(window: Window) -> wire::Window {
    let key = window.key;
    wire::Window {
        key: Some(wire::WindowKey {
            model: key.model.to_string(),
            version: key.version,
            replica: key.replica,
            source: key.source.as_str().to_string(),
            metric: key.metric,
            slice: key.slice.0,
            start_ms: key.start.0,
            step_ms: key.step_ms,
        }),
        sketch: window.sketch.to_bytes().into(),
    }
}

fn sample_to_wire(sample: Sample) -> wire::Sample {
    let clip = |mut text: String| {
        text.truncate(text.floor_char_boundary(LONGEST_TEXT));
        text
    };
    wire::Sample {
        request_id: sample.request_id,
        model: sample.model.to_string(),
        version: sample.version,
        slice: sample.slice.0,
        at_ms: sample.at.0,
        prompt: clip(sample.prompt),
        completion: clip(sample.completion),
        subjects: sample.subjects.into_iter().map(|subject| subject.0).collect(),
        label: sample.label.map(|label| wire::Label {
            completion: clip(label.completion),
            correct: label.correct,
            key_id: label.key_id,
            at_ms: label.at.0,
        }),
        from_feedback: sample.origin == SampleOrigin::Feedback,
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use homeostat_clock::UtcMillis;
    use homeostat_quality::{ModelKey, Slice};

    use super::*;
    use crate::spool::SpoolLimits;

    #[tokio::test]
    async fn a_sample_that_is_waited_for_is_on_the_disk_when_it_is_said_to_be_kept() {
        let folder = tempfile::tempdir().unwrap();
        let open = || Spool::open(folder.path(), SpoolLimits::of(1 << 20), || "e".to_string()).unwrap();
        let reporter = Reporter::new(open());
        let sample = |id: u32| Sample {
            request_id: id.to_string(),
            model: ModelKey::new("ml", "atlas"),
            version: "v1".into(),
            slice: Slice::default(),
            at: UtcMillis(0),
            prompt: String::new(),
            completion: String::new(),
            subjects: Vec::new(),
            label: None,
            origin: SampleOrigin::Feedback,
        };
        assert!(reporter.sample(sample(0)).is_some());
        // An hour: only who waits brings it to the disk.
        let running = tokio::spawn(reporter.clone().run(Duration::from_secs(3600), CancellationToken::new()));
        let kept: Vec<Keeping> = (1..=3).map(|id| reporter.keep(sample(id))).collect();
        for kept in kept {
            assert!(tokio::time::timeout(Duration::from_secs(10), kept).await.unwrap());
        }
        running.abort();
        let reports = open().read(1, 1 << 20).unwrap();
        assert_eq!(reports.len(), 1, "together");
        let ids: Vec<&str> = reports[0].samples.iter().map(|sample| sample.request_id.as_str()).collect();
        assert_eq!(ids, ["0", "1", "2", "3"]);
    }
}
