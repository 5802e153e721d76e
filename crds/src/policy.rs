//! `DecayPolicy`: what is expected of a model, shared by many.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::duration::DURATION_PATTERN;
use crate::shared::NAME_RULE;

/// Metrics with thresholds, and what follows from crossing them.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "homeostat.dev",
    version = "v1alpha1",
    kind = "DecayPolicy",
    namespaced,
    status = "AcceptedStatus",
    derive = "PartialEq",
    shortname = "hdp",
    plural = "decaypolicies",
    category = "homeostat",
    validation = Rule::new(NAME_RULE).message("metadata.name must have at most 40 characters: choose a shorter name"),
    printcolumn(name = "Window", type_ = "string", json_path = ".spec.window"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Accepted\")].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Accepted\")].reason"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[x_kube(validation = Rule::new("!has(self.breach) || self.breach.windows <= self.breach.of").message("breach.windows must not exceed breach.of: lower breach.windows or raise breach.of"))]
#[serde(rename_all = "camelCase")]
pub struct DecayPolicySpec {
    /// Length of an analysed window.
    #[serde(default = "default_window")]
    #[schemars(regex(pattern = DURATION_PATTERN))]
    pub window: String,
    /// A window with fewer samples says nothing.
    #[serde(default = "default_minimum_samples")]
    #[schemars(range(min = 1))]
    pub minimum_samples: u64,
    /// How many windows must be beyond the threshold.
    #[serde(default)]
    pub breach: BreachSpec,
    /// Silence for longer than this is an alert of its own.
    #[serde(default = "default_no_data_after")]
    #[schemars(regex(pattern = DURATION_PATTERN))]
    pub no_data_after: String,
    /// How many false alerts chance may cost a model, all rules together: the fewer, the more samples a breach needs.
    #[serde(default)]
    pub false_alarms: FalseAlarmsSpec,
    /// The rules.
    #[schemars(length(min = 1, max = 64))]
    #[x_kube(merge_strategy = kube::core::ListMerge::Map(vec!["name".into()]))]
    pub metrics: Vec<MetricRuleSpec>,
}

fn default_window() -> String {
    "15m".to_string()
}
fn default_minimum_samples() -> u64 {
    200
}
fn default_no_data_after() -> String {
    "1h".to_string()
}

/// A budget of false alerts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FalseAlarmsSpec {
    /// So many; parts of one are usual.
    #[serde(default = "default_false_alarms")]
    #[schemars(range(min = 0.000_001, max = 1_000_000.0))]
    pub alerts: f64,
    /// In this time.
    #[serde(default = "default_false_alarms_per")]
    #[schemars(regex(pattern = DURATION_PATTERN))]
    pub per: String,
}

impl Default for FalseAlarmsSpec {
    fn default() -> Self {
        Self { alerts: default_false_alarms(), per: default_false_alarms_per() }
    }
}

fn default_false_alarms() -> f64 {
    0.1
}
fn default_false_alarms_per() -> String {
    "30d".to_string()
}

/// M of N windows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BreachSpec {
    /// M.
    #[serde(default = "default_breach_windows")]
    #[schemars(range(min = 1, max = 100))]
    pub windows: u32,
    /// N.
    #[serde(default = "default_breach_of")]
    #[schemars(range(min = 1, max = 100))]
    pub of: u32,
}

impl Default for BreachSpec {
    fn default() -> Self {
        Self { windows: default_breach_windows(), of: default_breach_of() }
    }
}

fn default_breach_windows() -> u32 {
    3
}
fn default_breach_of() -> u32 {
    4
}

/// One metric with its threshold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    validation = Rule::new("has(self.below) != has(self.above)").message("give exactly one of below and above"),
    validation = Rule::new("has(self.query) == (self.source == 'PromQL')").message("query is needed with source PromQL and must be left out with every other source")
)]
#[serde(rename_all = "camelCase")]
pub struct MetricRuleSpec {
    /// Unique name; with agents as source also the metric's name unless `metric` is given.
    #[schemars(length(min = 1, max = 63))]
    pub name: String,
    /// Name of the metric in the registry, when it differs from `name` (two sources of one metric).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub metric: Option<String>,
    /// Where its values come from.
    pub source: RuleSource,
    /// The PromQL query; `$model` and `$version` are replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4000))]
    pub query: Option<String>,
    /// Degraded below this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub below: Option<ThresholdSpec>,
    /// Degraded above this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub above: Option<ThresholdSpec>,
    /// What follows.
    #[serde(default)]
    pub action: RuleAction,
    /// How loudly.
    #[serde(default)]
    pub severity: RuleSeverity,
}

/// Where values come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RuleSource {
    /// Golden probes.
    Golden,
    /// Users' requests.
    Traffic,
    /// Users' feedback.
    Feedback,
    /// A query to Prometheus.
    #[serde(rename = "PromQL")]
    PromQl,
}

/// A threshold: exactly one of its fields.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = Rule::new("has(self.absolute) != has(self.baseline)").message("give exactly one of absolute (a value, such as 0.9 or 800ms) and baseline (a distance from it, such as 3points)"))]
pub struct ThresholdSpec {
    /// A value in the metric's unit: `0.9`, `800ms`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32))]
    pub absolute: Option<String>,
    /// A distance from the frozen baseline: `3points`, `10%`, `200ms`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32))]
    pub baseline: Option<String>,
}

/// What follows when a metric is degraded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RuleAction {
    /// Shown.
    Warn,
    /// Receivers are alerted.
    #[default]
    Alert,
    /// And the last known good version is brought back.
    Rollback,
    /// And the model is retrained, if it is the model that decayed.
    Retrain,
}

/// How loudly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RuleSeverity {
    /// For the record.
    Info,
    /// Within working hours.
    #[default]
    Warning,
    /// Now.
    Critical,
}

/// Status of a policy: whether it is understood. What it finds stands in the Models that use it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct AcceptedStatus {
    /// Generation of the spec that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Accepted.
    #[serde(default)]
    #[x_kube(merge_strategy = kube::core::ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}
