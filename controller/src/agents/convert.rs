//! Between the protocol's types and those of the core. The agent's side has its own; both are tested on the same shapes.

use homeostat_clock::UtcMillis;
use homeostat_protocol as wire;
use homeostat_quality::registry::METRICS;
use homeostat_quality::{
    Label, ModelKey, Sample, SampleOrigin, Sketch, SketchError, Slice, SubjectHmac, Window, WindowKey,
};
use homeostat_records::{ProgressPoint, WorkPhase, WorkUpdate};
use serde_json::{Value, json};

/// Why a part of a report cannot be taken in.
#[derive(Debug, thiserror::Error)]
pub enum ConvertError {
    /// A field is missing or not of its form.
    #[error("{field}: {problem}")]
    Field {
        /// Which.
        field: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// The sketch.
    #[error("sketch")]
    Sketch(#[from] SketchError),
}

fn field(field: &'static str, problem: impl Into<String>) -> ConvertError {
    ConvertError::Field { field, problem: problem.into() }
}

fn model(text: &str) -> Result<ModelKey, ConvertError> {
    text.parse().map_err(|problem: String| field("model", problem))
}

fn present(name: &'static str, text: &str) -> Result<String, ConvertError> {
    if text.is_empty() { Err(field(name, "it is empty")) } else { Ok(text.to_owned()) }
}

/// A window as the core has it.
///
/// # Errors
/// When a field is missing or of another form, the metric unknown, or the sketch not one of that metric.
pub fn window_from_wire(window: &wire::Window) -> Result<Window, ConvertError> {
    let key = window.key.as_ref().ok_or_else(|| field("key", "it is missing"))?;
    let unknown = || field("metric", format!("{:?} is not known to this version of the controller", key.metric));
    let metric = METRICS.iter().find(|metric| metric.stored == key.metric).ok_or_else(unknown)?;
    if key.step_ms <= 0 || key.start_ms.rem_euclid(key.step_ms) != 0 {
        let problem = format!("{} is no multiple of a positive step_ms (it is {})", key.start_ms, key.step_ms);
        return Err(field("start_ms", problem));
    }
    let sketch = Sketch::from_bytes(&window.sketch)?;
    if std::mem::discriminant(&sketch) != std::mem::discriminant(&Sketch::empty(metric.statistic)) {
        return Err(field("sketch", format!("it is not of the sort that {} has", metric.stored)));
    }
    Ok(Window {
        key: WindowKey {
            model: model(&key.model)?,
            version: present("version", &key.version)?,
            replica: present("replica", &key.replica)?,
            source: key.source.parse().map_err(|problem: String| field("source", problem))?,
            metric: key.metric.clone(),
            slice: Slice::new(&key.slice),
            start: UtcMillis(key.start_ms),
            step_ms: key.step_ms,
        },
        sketch,
    })
}

/// A window as it travels.
#[must_use]
pub fn window_to_wire(window: &Window) -> wire::Window {
    let WindowKey { model, version, replica, source, metric, slice, start, step_ms } = &window.key;
    wire::Window {
        key: Some(wire::WindowKey {
            model: model.to_string(),
            version: version.clone(),
            replica: replica.clone(),
            source: source.as_str().to_owned(),
            metric: metric.clone(),
            slice: slice.0.clone(),
            start_ms: start.0,
            step_ms: *step_ms,
        }),
        sketch: window.sketch.to_bytes().into(),
    }
}

/// A sample as the core has it.
///
/// # Errors
/// When a field is missing or of another form. The message never holds text of the sample.
pub fn sample_from_wire(sample: wire::Sample) -> Result<Sample, ConvertError> {
    let wire::Sample {
        request_id,
        model: key,
        version,
        slice,
        at_ms,
        prompt,
        completion,
        subjects,
        label,
        from_feedback,
    } = sample;
    Ok(Sample {
        request_id: present("request_id", &request_id)?,
        model: model(&key)?,
        version: present("version", &version)?,
        slice: Slice(slice),
        at: UtcMillis(at_ms),
        prompt,
        completion,
        subjects: subjects.into_iter().map(SubjectHmac).collect(),
        label: label.map(|label| Label {
            completion: label.completion,
            correct: label.correct,
            key_id: label.key_id,
            at: UtcMillis(label.at_ms),
        }),
        origin: if from_feedback { SampleOrigin::Feedback } else { SampleOrigin::Traffic },
    })
}

/// A sample as it travels.
#[must_use]
pub fn sample_to_wire(sample: &Sample) -> wire::Sample {
    let Sample { request_id, model, version, slice, at, prompt, completion, subjects, label, origin } = sample.clone();
    wire::Sample {
        request_id,
        model: model.to_string(),
        version,
        slice: slice.0,
        at_ms: at.0,
        prompt,
        completion,
        subjects: subjects.into_iter().map(|subject| subject.0).collect(),
        label: label.map(|label| wire::Label {
            completion: label.completion,
            correct: label.correct,
            key_id: label.key_id,
            at_ms: label.at.0,
        }),
        from_feedback: origin == SampleOrigin::Feedback,
    }
}

/// What a work status says to the records; `None` when it has no phase that this version knows.
#[must_use]
pub(super) fn work_update(status: &wire::WorkStatus) -> Option<WorkUpdate> {
    let phase = match status.phase() {
        wire::WorkPhase::Unspecified => return None,
        wire::WorkPhase::Accepted => WorkPhase::Accepted,
        wire::WorkPhase::Running => WorkPhase::Running,
        wire::WorkPhase::Succeeded => WorkPhase::Succeeded,
        wire::WorkPhase::Failed => WorkPhase::Failed,
        wire::WorkPhase::Cancelled => WorkPhase::Cancelled,
    };
    Some(WorkUpdate {
        phase,
        progress: status.progress.as_ref().map(progress_to_json),
        result: status.result.as_ref().filter(|_| phase == WorkPhase::Succeeded).map(result_to_json),
        reason: status.reason.clone(),
        message: status.message.clone(),
        retryable: status.retryable,
        spent_seconds: status.spent_seconds,
    })
}

/// A point of the loss curve.
#[must_use]
pub(super) fn progress_point(progress: &wire::Progress, at: UtcMillis) -> ProgressPoint {
    ProgressPoint {
        at,
        step: progress.step,
        total_steps: progress.total_steps,
        loss: progress.loss,
        eta_seconds: progress.eta_seconds,
        stage: progress.stage.clone(),
    }
}

/// `WorkRow::progress`: `{step, totalSteps, loss?, etaSeconds?, stage}`.
fn progress_to_json(progress: &wire::Progress) -> Value {
    json!({
        "step": progress.step,
        "totalSteps": progress.total_steps,
        "loss": progress.loss,
        "etaSeconds": progress.eta_seconds,
        "stage": progress.stage,
    })
}

/// `WorkRow::result`: `{artifactDigest, blobs: {role: digest}, figures: {name: number}}`. A figure that is not finite is
/// null.
#[must_use]
pub fn result_to_json(result: &wire::WorkResult) -> Value {
    json!({ "artifactDigest": result.artifact_digest, "blobs": result.blobs, "figures": result.figures })
}

/// The work result that [`result_to_json`] wrote; figures that are null are left out.
///
/// # Errors
/// When the value has another shape.
pub fn result_from_json(value: &Value) -> Result<wire::WorkResult, ConvertError> {
    let shape = |what| field(what, "it is missing or of another type in the stored work result");
    let map = |name: &'static str| value.get(name).and_then(Value::as_object).ok_or_else(|| shape(name));
    let blob = |(role, digest): (&String, &Value)| {
        digest.as_str().map(|digest| (role.clone(), digest.to_owned())).ok_or_else(|| shape("blobs"))
    };
    let artifact = value.get("artifactDigest").and_then(Value::as_str).ok_or_else(|| shape("artifactDigest"))?;
    let figures = map("figures")?.iter().filter_map(|(name, figure)| Some((name.clone(), figure.as_f64()?)));
    Ok(wire::WorkResult {
        artifact_digest: artifact.to_owned(),
        blobs: map("blobs")?.iter().map(blob).collect::<Result<_, _>>()?,
        figures: figures.collect(),
    })
}

#[cfg(test)]
mod tests {
    use homeostat_quality::Source;
    use homeostat_quality::registry::metric;

    use super::*;

    fn window(name: &str) -> Window {
        let metric = metric(name).unwrap();
        let mut sketch = Sketch::empty(metric.statistic);
        [0.25, 1.0, 0.5].into_iter().for_each(|value| sketch.observe(value));
        Window {
            key: WindowKey {
                model: ModelKey::new("ml", "atlas"),
                version: "atlas-v1".to_owned(),
                replica: "gpu-1/0".to_owned(),
                source: Source::Golden,
                metric: metric.stored.to_owned(),
                slice: Slice::new("currency"),
                start: UtcMillis(1_779_000_060_000),
                step_ms: 60_000,
            },
            sketch,
        }
    }

    fn sample() -> Sample {
        Sample {
            request_id: "r1".to_owned(),
            model: ModelKey::new("ml", "atlas"),
            version: "atlas-v1".to_owned(),
            slice: Slice::default(),
            at: UtcMillis(7),
            prompt: "prompt".to_owned(),
            completion: "completion".to_owned(),
            subjects: vec![SubjectHmac("ab".to_owned())],
            label: Some(Label { completion: "c".to_owned(), correct: true, key_id: "k".to_owned(), at: UtcMillis(9) }),
            origin: SampleOrigin::Feedback,
        }
    }

    #[test]
    fn windows_and_samples_round_trip() {
        for name in ["exact_match", "ttft_p99", "tokens_per_second"] {
            let window = window(name);
            assert_eq!(window_from_wire(&window_to_wire(&window)).unwrap(), window);
        }
        for sample in [sample(), Sample { label: None, origin: SampleOrigin::Traffic, ..sample() }] {
            assert_eq!(sample_from_wire(sample_to_wire(&sample)).unwrap(), sample);
        }
    }

    #[test]
    fn malformed_windows_name_their_field() {
        type Break = fn(&mut wire::Window);
        let cases: [(&str, Break); 8] = [
            ("key:", |window| window.key = None),
            ("model:", |window| window.key.as_mut().unwrap().model = "atlas".to_owned()),
            ("version:", |window| window.key.as_mut().unwrap().version.clear()),
            ("source:", |window| window.key.as_mut().unwrap().source = "Rumour".to_owned()),
            ("metric:", |window| window.key.as_mut().unwrap().metric = "vibes".to_owned()),
            ("start_ms:", |window| window.key.as_mut().unwrap().step_ms = 0),
            ("start_ms:", |window| window.key.as_mut().unwrap().start_ms += 1),
            ("sketch", |window| window.sketch = vec![255; 3].into()),
        ];
        for (expected, change) in cases {
            let mut wire = window_to_wire(&window("exact_match"));
            change(&mut wire);
            let text = window_from_wire(&wire).unwrap_err().to_string();
            assert!(text.starts_with(expected), "{expected} {text}");
        }
        let mut wire = window_to_wire(&window("exact_match"));
        wire.sketch = window_to_wire(&window("ttft_p50")).sketch;
        assert!(window_from_wire(&wire).unwrap_err().to_string().contains("not of the sort"));
    }

    #[test]
    fn a_malformed_sample_does_not_show_its_text() {
        let wire = wire::Sample { version: String::new(), prompt: "secret".to_owned(), ..sample_to_wire(&sample()) };
        assert!(!sample_from_wire(wire).unwrap_err().to_string().contains("secret"));
    }

    #[test]
    fn results_of_work_round_trip() {
        let result = wire::WorkResult {
            artifact_digest: "ab".to_owned(),
            blobs: [("log".to_owned(), "cd".to_owned())].into(),
            figures: [("loss".to_owned(), 0.5)].into(),
        };
        assert_eq!(result_from_json(&result_to_json(&result)).unwrap(), result);
        assert!(result_from_json(&json!({ "artifactDigest": "", "figures": {} })).is_err());
        let mut odd = result;
        odd.figures.insert("ratio".to_owned(), f64::NAN);
        assert_eq!(result_from_json(&result_to_json(&odd)).unwrap().figures.len(), 1);
    }

    #[test]
    fn work_without_a_known_phase_is_no_news_and_only_success_has_a_result() {
        let mut status = wire::WorkStatus { result: Some(wire::WorkResult::default()), ..Default::default() };
        assert_eq!(work_update(&status), None);
        status.phase = 99;
        assert_eq!(work_update(&status), None);
        status.set_phase(wire::WorkPhase::Failed);
        assert_eq!(work_update(&status).unwrap().result, None);
    }
}
