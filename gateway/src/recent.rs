//! The last requests, for as long as feedback on them may come.
//!
//! Bounded in number, bytes and age. Only the answer is kept raw, since a redacted one cannot be graded; it never leaves.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use homeostat_clock::UtcMillis;
use homeostat_privacy::Recognizers;
use homeostat_quality::Sample;

const MOST: usize = 10_000;
const MOST_BYTES: usize = 16 * 1024 * 1024;

/// One answered request.
#[derive(Clone)]
pub(crate) struct Answered {
    /// Redacted, unlabelled.
    pub(crate) sample: Sample,
    pub(crate) replica: String,
    /// As it was served.
    pub(crate) completion: String,
    pub(crate) recognizers: Recognizers,
}

/// Why there is no request to join feedback with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gone {
    Unknown,
    Given,
}

#[derive(Default)]
pub(crate) struct Recent {
    // `None` once feedback was given.
    held: HashMap<String, Option<Answered>>,
    order: VecDeque<(String, UtcMillis, usize)>,
    bytes: usize,
}

impl Recent {
    pub(crate) fn keep(&mut self, answered: Answered, now: UtcMillis, age: Duration) {
        let size = answered.sample.prompt.len() + answered.sample.completion.len() + answered.completion.len() + 512;
        let id = answered.sample.request_id.clone();
        self.bytes += size;
        self.order.push_back((id.clone(), now, size));
        self.held.insert(id, Some(answered));
        self.forget(now, age);
    }

    /// Takes the request `id`: feedback is given once.
    pub(crate) fn take(&mut self, id: &str, now: UtcMillis, age: Duration) -> Result<Answered, Gone> {
        self.forget(now, age);
        self.held.get_mut(id).ok_or(Gone::Unknown)?.take().ok_or(Gone::Given)
    }

    pub(crate) fn forget(&mut self, now: UtcMillis, age: Duration) {
        while let Some((id, at, size)) = self.order.front() {
            if self.order.len() <= MOST && self.bytes <= MOST_BYTES && now.since(*at) <= age {
                break;
            }
            self.held.remove(id);
            self.bytes -= size;
            self.order.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use homeostat_quality::{ModelKey, SampleOrigin, Slice};

    use super::*;

    fn answered(id: &str, size: usize) -> Answered {
        let sample = Sample {
            request_id: id.into(),
            model: ModelKey::new("ml", "atlas"),
            version: "v1".into(),
            slice: Slice::default(),
            at: UtcMillis(0),
            prompt: String::new(),
            completion: String::new(),
            subjects: Vec::new(),
            label: None,
            origin: SampleOrigin::Traffic,
        };
        Answered { sample, replica: "a/0".into(), completion: "x".repeat(size), recognizers: Recognizers::new(&[]) }
    }

    #[test]
    fn a_request_is_taken_once_and_only_while_it_is_recent() {
        let age = Duration::from_secs(600);
        let mut recent = Recent::default();
        recent.keep(answered("a", 1), UtcMillis(0), age);
        recent.keep(answered("b", 1), UtcMillis(0), age);
        assert!(recent.take("a", UtcMillis(600_000), age).is_ok());
        assert_eq!(recent.take("a", UtcMillis(600_000), age).err(), Some(Gone::Given));
        assert_eq!(recent.take("b", UtcMillis(600_001), age).err(), Some(Gone::Unknown));
        assert_eq!((recent.bytes, recent.held.len()), (0, 0));
    }

    #[test]
    fn it_is_bounded_in_number_and_bytes() {
        let age = Duration::from_secs(600);
        let mut recent = Recent::default();
        for index in 0..MOST + 5 {
            recent.keep(answered(&index.to_string(), 1), UtcMillis(0), age);
        }
        assert_eq!(recent.held.len(), MOST);
        recent.keep(answered("large", MOST_BYTES), UtcMillis(0), age);
        assert!(recent.bytes <= MOST_BYTES);
    }
}
