//! One try of one request at one target, and what is known of it in the end: counts, windows, a sample.

use std::time::{Duration, Instant};

use homeostat_clock::UtcMillis;
use homeostat_privacy::{Anonymizer, Recognizers, SubjectKey, redact};
use homeostat_quality::{Sample, SampleOrigin, Source, descriptors};

use crate::gateway::InFlight;
use crate::guard::Found;
use crate::recent::Answered;
use crate::request::CompletionRequest;
use crate::{Gateway, Guard, Route, Subject, Target};

/// The longest text that is kept of an answer, in bytes.
pub(crate) const LONGEST_TEXT: usize = 64 * 1024;

/// One try of one request at one target.
pub(crate) struct Exchange {
    gateway: Gateway,
    pub(crate) subject: Subject,
    id: String,
    at: UtcMillis,
    pub(crate) started: Instant,
    message: String,
    sampled: bool,
    recognizers: Recognizers,
    subject_key: Option<SubjectKey>,
    pub(crate) guard: Option<Guard>,
    _in_flight: InFlight,
}

impl Exchange {
    #[expect(clippy::too_many_arguments, reason = "each is one fact about the request, used once")]
    pub(crate) fn start(
        gateway: &Gateway,
        route: &Route,
        target: &Target,
        request: &CompletionRequest,
        id: &str,
        at: UtcMillis,
        sampled: bool,
        subject_key: Option<SubjectKey>,
    ) -> Self {
        Self {
            subject: Subject {
                model: route.model.clone(),
                version: target.version.clone(),
                replica: target.replica.clone(),
                slice: route.slice_of(&request.message),
            },
            id: id.to_string(),
            at,
            started: Instant::now(),
            message: request.message.clone(),
            sampled,
            recognizers: Recognizers::new(&route.sampling.entities),
            subject_key: subject_key.filter(|_| route.sampling.keep),
            guard: route.guard.clone(),
            _in_flight: gateway.enter(&target.replica),
            gateway: gateway.clone(),
        }
    }

    pub(crate) fn failed(self, outcome: &'static str) {
        self.gateway.observe(&self.subject, Source::Traffic, &[("error_rate", 1.0)]);
        self.gateway.count(&self.subject, outcome);
    }

    pub(crate) fn refused(self) {
        self.gateway.count(&self.subject, "refused");
    }

    /// The engine has done its work, and the guard lets nothing of it through.
    pub(crate) fn blocked(self) {
        self.gateway.observe(&self.subject, Source::Traffic, &[("error_rate", 0.0), ("pii_leakage_rate", 1.0)]);
        self.gateway.count(&self.subject, "blocked");
    }

    /// What a sampled answer says of itself, without a reference.
    #[expect(clippy::cast_precision_loss, reason = "characters of one answer stay far below 2^53")]
    fn described(&self, text: &str) {
        let text = clipped(text, LONGEST_TEXT);
        let found = descriptors::describe(text);
        let share = |flag: bool| f64::from(u8::from(flag));
        let mut values = vec![
            ("answer_length", found.characters as f64),
            ("refusal_rate", share(found.refusal)),
            ("repetition", found.repetition.unwrap_or(f64::NAN)),
            ("toxic_fraction", share(found.toxic)),
        ];
        // The guard has counted already.
        if self.guard.is_none() && !self.recognizers.entities().is_empty() {
            values.push(("pii_leakage_rate", share(!self.recognizers.find(text).is_empty())));
        }
        self.gateway.observe(&self.subject, Source::Traffic, &values);
    }

    /// `found` is what the guard saw, if there is one.
    pub(crate) fn answered(self, text: &str, first: Option<Duration>, speed: Option<f64>, found: Option<&Found>) {
        let missing = f64::NAN;
        if let Some(found) = found {
            self.gateway.count_guarded(&self.subject.model, "output", found);
            let leak = f64::from(u8::from(!found.is_empty()));
            self.gateway.observe(&self.subject, Source::Traffic, &[("pii_leakage_rate", leak)]);
        }
        self.gateway.observe(
            &self.subject,
            Source::Traffic,
            &[
                ("error_rate", 0.0),
                ("latency", self.started.elapsed().as_secs_f64()),
                ("ttft", first.map_or(missing, |first| first.as_secs_f64())),
                ("tokens_per_second", speed.unwrap_or(missing)),
            ],
        );
        self.gateway.count(&self.subject, "ok");
        if self.sampled {
            self.described(text);
        }
        let Some(key) = &self.subject_key else { return };
        let text = clipped(text, LONGEST_TEXT);
        let prompt = redact(clipped(&self.message, LONGEST_TEXT), &self.recognizers, &Anonymizer::Replace);
        let completion = redact(text, &self.recognizers, &Anonymizer::Replace);
        let mut subjects = key.subjects(clipped(&self.message, LONGEST_TEXT), &prompt.findings);
        subjects.extend(key.subjects(text, &completion.findings));
        subjects.sort();
        subjects.dedup();
        let sample = Sample {
            request_id: self.id,
            model: self.subject.model,
            version: self.subject.version,
            slice: self.subject.slice,
            at: self.at,
            prompt: prompt.text,
            completion: completion.text,
            subjects,
            label: None,
            origin: SampleOrigin::Traffic,
        };
        if self.sampled {
            self.gateway.hand_over_sample(&self.subject.replica, sample.clone());
        }
        let age = self.gateway.config().limits.feedback_age;
        let answered = Answered {
            sample,
            replica: self.subject.replica,
            completion: text.to_string(),
            recognizers: self.recognizers,
        };
        let now = self.gateway.now();
        self.gateway.recent().keep(answered, now, age);
    }
}

/// At most `most` bytes of `text`, cut between characters.
fn clipped(text: &str, most: usize) -> &str {
    text.get(..text.floor_char_boundary(most)).unwrap_or(text)
}
