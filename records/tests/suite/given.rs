//! What the bodies store.

use homeostat_clock::UtcMillis;
use homeostat_quality::registry::Statistic;
use homeostat_quality::{Label, ModelKey, Sample, SampleOrigin, Sketch, Slice, Source, SubjectHmac, Window, WindowKey};

pub(crate) const T0: UtcMillis = UtcMillis(1_779_000_000_000);
pub(crate) const MINUTE: i64 = 60_000;

/// T0, moved by milliseconds.
pub(crate) fn at(milliseconds: i64) -> UtcMillis {
    UtcMillis(T0.0 + milliseconds)
}

pub(crate) fn atlas() -> ModelKey {
    ModelKey::new("ml", "atlas")
}

pub(crate) fn window(replica: &str, metric: &str, start: UtcMillis, values: &[f64]) -> Window {
    let mut sketch = Sketch::empty(Statistic::Mean);
    values.iter().for_each(|value| sketch.observe(*value));
    Window {
        key: WindowKey {
            model: atlas(),
            version: "atlas-v1".into(),
            replica: replica.into(),
            source: Source::Golden,
            metric: metric.into(),
            slice: Slice::new("capitals"),
            start,
            step_ms: MINUTE,
        },
        sketch,
    }
}

pub(crate) fn sample(id: &str, asked: UtcMillis, subjects: &[&str]) -> Sample {
    Sample {
        request_id: id.into(),
        model: atlas(),
        version: "atlas-v1".into(),
        slice: Slice::default(),
        at: asked,
        prompt: "capital of Kazakhstan?".into(),
        completion: "Almaty".into(),
        subjects: subjects.iter().map(|subject| SubjectHmac((*subject).into())).collect(),
        label: None,
        origin: SampleOrigin::Traffic,
    }
}

pub(crate) fn labelled(id: &str, asked: UtcMillis, answer: &str, said: UtcMillis) -> Sample {
    Sample {
        label: Some(Label { completion: answer.into(), correct: false, key_id: "app".into(), at: said }),
        origin: SampleOrigin::Feedback,
        ..sample(id, asked, &[])
    }
}
