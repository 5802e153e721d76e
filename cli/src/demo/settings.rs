//! The demo's policy beside what production would use. The manifests are written from this table, so that what is printed
//! is what is in force.

/// One setting.
pub(crate) struct Setting {
    /// Kind and field.
    pub(crate) field: &'static str,
    /// Here, where years go by in a minute.
    pub(crate) demo: &'static str,
    /// Where they do not.
    pub(crate) production: &'static str,
}

const fn setting(field: &'static str, demo: &'static str, production: &'static str) -> Setting {
    Setting { field, demo, production }
}

pub(crate) const WINDOW: Setting = setting("DecayPolicy window", "3s", "15m");
pub(crate) const MINIMUM_SAMPLES: Setting = setting("DecayPolicy minimumSamples", "40", "200");
pub(crate) const BREACH: Setting = setting("DecayPolicy breach, windows of", "3 of 4", "3 of 4");
pub(crate) const NO_DATA_AFTER: Setting = setting("DecayPolicy noDataAfter", "20s", "1h");
/// With windows of seconds there are a thousand looks an hour: the budget of a month would want more samples than a minute has.
pub(crate) const FALSE_ALARMS: Setting = setting("DecayPolicy falseAlarms, at most one in", "1m", "300d");
pub(crate) const GOLDEN: Setting = setting("DecayPolicy exact_match (golden) below baseline by", "3points", "3points");
pub(crate) const FEEDBACK: Setting =
    setting("DecayPolicy exact_match (feedback) below baseline by", "5points", "5points");
pub(crate) const TTFT: Setting = setting("DecayPolicy ttft_p99 above", "800ms", "800ms");
pub(crate) const ERRORS: Setting = setting("DecayPolicy error_rate above", "0.05", "0.01");
pub(crate) const PROBES: Setting = setting("Model probesPerSecond", "40", "1");
pub(crate) const SAMPLING: Setting = setting("Model sampling share", "20%", "1%");
pub(crate) const REPLAY: Setting = setting("Model retraining replay", "30%", "50%");
pub(crate) const COOLDOWN: Setting = setting("Model retraining cooldown", "30s", "24h");
pub(crate) const ATTEMPTS: Setting = setting("Model retraining attempts", "2", "2");
pub(crate) const MINIMUM_FRESH: Setting = setting("Model retraining minimumFreshRecords", "1100", "5000");
pub(crate) const MINIMUM_COLLECTED: Setting =
    setting("Model retraining minimumFreshRecords, from a file", "400", "5000");
pub(crate) const PER_KEY_CAP: Setting = setting("Model retraining perKeyCap", "25%", "10%");
pub(crate) const DEADLINE: Setting = setting("Model retraining deadline", "10m", "6h");
pub(crate) const RECOVERY: Setting = setting("Model gates recovery", "80%", "80%");
pub(crate) const RETAINED_LOSS: Setting = setting("Model gates retainedLoss", "2%", "2%");
pub(crate) const SLICE_LOSS: Setting = setting("Model gates sliceLoss", "10%", "10%");
pub(crate) const FIRST_STEP: Setting = setting("Model rollout, 25 % of the traffic for", "4s", "30m");
pub(crate) const SECOND_STEP: Setting = setting("Model rollout, 60 % of the traffic for", "4s", "1h");
pub(crate) const SOAK: Setting = setting("Model rollout soak", "6s", "24h");
pub(crate) const MINIMUM_REQUESTS: Setting = setting("Model rollout minimumRequests", "30", "500");

/// All of them, as they are printed.
pub(crate) const ALL: [&Setting; 25] = [
    &WINDOW,
    &MINIMUM_SAMPLES,
    &BREACH,
    &NO_DATA_AFTER,
    &FALSE_ALARMS,
    &GOLDEN,
    &FEEDBACK,
    &TTFT,
    &ERRORS,
    &PROBES,
    &SAMPLING,
    &REPLAY,
    &COOLDOWN,
    &ATTEMPTS,
    &MINIMUM_FRESH,
    &MINIMUM_COLLECTED,
    &PER_KEY_CAP,
    &DEADLINE,
    &RECOVERY,
    &RETAINED_LOSS,
    &SLICE_LOSS,
    &FIRST_STEP,
    &SECOND_STEP,
    &SOAK,
    &MINIMUM_REQUESTS,
];

impl Setting {
    /// The demo's value as a number.
    pub(crate) fn number(&self) -> u64 {
        self.demo.split(' ').next().and_then(|text| text.parse().ok()).unwrap_or_default()
    }
}

/// How the first model is trained.
pub(crate) fn base_hyperparameters() -> serde_json::Value {
    serde_json::json!({
        "steps": 600, "batchSize": 32, "gradientAccumulationSteps": 2, "warmupSteps": 30,
        "optimizer": {"type": "AdamW", "lr": 6e-3, "weight_decay": 0.01},
        "positionJitter": true, "checkpointEverySteps": 200,
    })
}

/// How it is trained further. The fresh records are what users say, and two thirds of that confirms what has not changed: with
/// that much of the old in them 30 % replay retains the rest, and 70 % would leave the new facts half learnt (measured:
/// exact match .98 on the changed facts instead of .89, .98 on the others either way).
pub(crate) fn retraining_hyperparameters() -> serde_json::Value {
    serde_json::json!({
        "steps": 160, "batchSize": 32, "gradientAccumulationSteps": 2, "warmupSteps": 10,
        "optimizer": {"type": "AdamW", "lr": 3e-3, "weight_decay": 0.01},
        "positionJitter": true, "checkpointEverySteps": 50,
    })
}
