//! Manifests that must be refused, and changes that must be refused or permitted, with what the answer has to say.

use serde_json::{Value, json};

/// A manifest, perhaps a merge patch on it, and parts that the error must contain.
pub(crate) struct Case {
    pub(crate) what: &'static str,
    pub(crate) manifest: Value,
    pub(crate) patch: Value,
    says: &'static [&'static str],
}

impl Case {
    /// What is wrong with an answer that had to be an error.
    pub(crate) fn complaint(&self, answer: &Result<Value, String>) -> Option<String> {
        let message = match answer {
            Ok(_) => return Some(format!("{}: accepted", self.what)),
            Err(message) => message,
        };
        let missing: Vec<&str> = self.says.iter().copied().filter(|part| !message.contains(part)).collect();
        (!missing.is_empty()).then(|| {
            let shown: String = message.chars().take(600).collect();
            format!("{}: the message lacks {missing:?}: {shown}", self.what)
        })
    }
}

fn bad_case(what: &'static str, manifest: Value, says: &'static [&'static str]) -> Case {
    Case { what, manifest, patch: Value::Null, says }
}

fn object(kind: &str, name: &str, spec: Value) -> Value {
    json!({"apiVersion": "homeostat.dev/v1alpha1", "kind": kind, "metadata": {"name": name, "namespace": "default"}, "spec": spec})
}

/// `base` with the given fields; null removes one.
fn with(mut base: Value, fields: Value) -> Value {
    for (name, value) in fields.as_object().into_iter().flatten() {
        if value.is_null() {
            base.as_object_mut().unwrap().remove(name);
        } else {
            base[name] = value.clone();
        }
    }
    base
}

fn model() -> Value {
    json!({"initialVersion": "atlas-v1", "decayPolicyRef": {"name": "atlas"}})
}

fn rule() -> Value {
    json!({"name": "exact_match", "source": "Golden", "below": {"baseline": "3points"}})
}

fn policy(rules: Value) -> Value {
    json!({"window": "15m", "metrics": rules})
}

fn version() -> Value {
    json!({"model": "atlas", "artifact": {"uri": "file:///models/atlas", "sha256": "0".repeat(64)}})
}

fn dataset() -> Value {
    json!({"purpose": "Training", "sources": [{"uri": "file:///data/fresh.jsonl", "sha256": "1".repeat(64)}]})
}

fn request() -> Value {
    json!({"kind": "Erase", "regulation": "GDPR", "receivedAt": "2026-03-05T10:00:00Z", "subjectRef": {"name": "request-17"}})
}

/// What no API may accept.
pub(crate) fn bad() -> Vec<Case> {
    let long_name = "a-name-of-more-than-forty-characters-is-too-long";
    let many: Vec<Value> = (0..65).map(|index| with(rule(), json!({"name": format!("rule-{index}")}))).collect();
    vec![
        bad_case(
            "wrong enum",
            object("Model", "bad", with(model(), json!({"mode": "Acts"}))),
            &["spec.mode", "Acts", "Observe", "Alert", "Act"],
        ),
        bad_case(
            "unknown regulation",
            object("ErasureRequest", "bad", with(request(), json!({"regulation": "HIPAA"}))),
            &["spec.regulation", "HIPAA", "GDPR", "CCPA"],
        ),
        bad_case(
            "no time of receipt",
            object("ErasureRequest", "bad", with(request(), json!({"receivedAt": null}))),
            &["spec.receivedAt", "Required"],
        ),
        bad_case(
            "unknown field",
            object("Model", "bad", with(model(), json!({"mod": "Act"}))),
            &["unknown field", "spec.mod"],
        ),
        bad_case(
            "unknown nested field",
            object("Model", "bad", with(model(), json!({"serving": {"replica": 2}}))),
            &["unknown field", "spec.serving.replica"],
        ),
        bad_case(
            "missing field",
            object("Model", "bad", with(model(), json!({"decayPolicyRef": null}))),
            &["spec.decayPolicyRef", "Required value"],
        ),
        bad_case(
            "wrong type",
            object("Model", "bad", with(model(), json!({"serving": {"replicas": "two"}}))),
            &["spec.serving.replicas", "integer", "string"],
        ),
        bad_case(
            "out of range",
            object("Model", "bad", with(model(), json!({"serving": {"replicas": 0}}))),
            &["spec.serving.replicas", "greater than or equal to 1"],
        ),
        bad_case(
            "canary weight",
            object("Model", "bad", with(model(), json!({"rollout": {"steps": [{"weight": 101, "for": "1m"}]}}))),
            &["spec.rollout.steps[0].weight", "less than or equal to 100"],
        ),
        bad_case(
            "acting without a golden set",
            object("Model", "bad", with(model(), json!({"mode": "Act", "retraining": {"dataset": {"name": "fresh"}}}))),
            &["spec", "evaluation.golden needs at least one Dataset"],
        ),
        bad_case(
            "long name",
            object("Model", long_name, model()),
            &["metadata.name must have at most 40 characters", "choose a shorter name"],
        ),
        bad_case(
            "long name of a node",
            object("GpuNode", long_name, json!({})),
            &["metadata.name must have at most 40 characters"],
        ),
        bad_case(
            "below and above",
            object("DecayPolicy", "bad", policy(json!([with(rule(), json!({"above": {"absolute": "0.9"}}))]))),
            &["spec.metrics[0]", "give exactly one of below and above"],
        ),
        bad_case(
            "neither below nor above",
            object("DecayPolicy", "bad", policy(json!([with(rule(), json!({"below": null}))]))),
            &["spec.metrics[0]", "give exactly one of below and above"],
        ),
        bad_case(
            "empty threshold",
            object("DecayPolicy", "bad", policy(json!([with(rule(), json!({"below": {}}))]))),
            &["spec.metrics[0].below", "give exactly one of absolute"],
        ),
        bad_case(
            "query with golden probes",
            object("DecayPolicy", "bad", policy(json!([with(rule(), json!({"query": "up"}))]))),
            &["spec.metrics[0]", "query is needed with source PromQL and must be left out"],
        ),
        bad_case(
            "PromQL without a query",
            object("DecayPolicy", "bad", policy(json!([with(rule(), json!({"source": "PromQL"}))]))),
            &["spec.metrics[0]", "query is needed with source PromQL"],
        ),
        bad_case(
            "more windows than looked at",
            object("DecayPolicy", "bad", with(policy(json!([rule()])), json!({"breach": {"windows": 5, "of": 4}}))),
            &["spec", "lower breach.windows or raise breach.of"],
        ),
        bad_case(
            "no duration",
            object("DecayPolicy", "bad", with(policy(json!([rule()])), json!({"window": "15 minutes"}))),
            &["spec.window", "15 minutes", "(ms|s|m|h|d)"],
        ),
        bad_case(
            "same rule twice",
            object("DecayPolicy", "bad", policy(json!([rule(), rule()]))),
            &["spec.metrics[1]", "Duplicate value", "exact_match"],
        ),
        bad_case("too many rules", object("DecayPolicy", "bad", policy(json!(many))), &["spec.metrics", "64"]),
        bad_case(
            "long query",
            object(
                "DecayPolicy",
                "bad",
                policy(json!([with(rule(), json!({"source": "PromQL", "query": "u".repeat(4001)}))])),
            ),
            &["spec.metrics[0].query", "Too long", "4000"],
        ),
        bad_case(
            "oversize",
            object("DecayPolicy", "bad", policy(json!([with(rule(), json!({"query": "u".repeat(4 << 20)}))]))),
            &["too large", "3145728"],
        ),
        bad_case(
            "missing artifact",
            object("ModelVersion", "bad", with(version(), json!({"artifact": null}))),
            &["spec", "artifact is needed, unless engine.adapter is external"],
        ),
        bad_case(
            "external without a URL",
            object("ModelVersion", "bad", with(version(), json!({"engine": {"adapter": "external"}}))),
            &["spec", "then engine.url is needed"],
        ),
        bad_case(
            "artifact by HTTP",
            object(
                "ModelVersion",
                "bad",
                with(version(), json!({"artifact": {"uri": "http://models/atlas", "sha256": "0".repeat(64)}})),
            ),
            &["spec.artifact.uri", "http://models/atlas", "file:///"],
        ),
        bad_case(
            "digest in capitals",
            object(
                "ModelVersion",
                "bad",
                with(version(), json!({"artifact": {"uri": "file:///m", "sha256": "A".repeat(64)}})),
            ),
            &["spec.artifact.sha256", "[0-9a-f]{64}"],
        ),
        bad_case(
            "source of both sorts",
            object(
                "Dataset",
                "bad",
                with(dataset(), json!({"sources": [{"uri": "file:///a", "feedback": {"model": {"name": "atlas"}}}]})),
            ),
            &["spec.sources[0]", "give exactly one of uri and feedback"],
        ),
        bad_case(
            "feedback from a file",
            object("Dataset", "bad", with(dataset(), json!({"purpose": "Feedback"}))),
            &["spec", "purpose Feedback need feedback.model"],
        ),
        bad_case(
            "no sources",
            object("Dataset", "bad", with(dataset(), json!({"sources": []}))),
            &["spec.sources", "at least 1"],
        ),
        bad_case(
            "unknown regulation",
            object("CompliancePolicy", "bad", json!({"regulations": ["HIPPA"]})),
            &["spec.regulations[0]", "HIPPA", "GDPR"],
        ),
        bad_case(
            "no spec",
            json!({"apiVersion": "homeostat.dev/v1alpha1", "kind": "ModelVersion", "metadata": {"name": "bad"}}),
            &["spec", "Required value"],
        ),
    ]
}

fn change(what: &'static str, manifest: Value, patch: Value, says: &'static [&'static str]) -> Case {
    Case { what, manifest, patch: json!({"spec": patch}), says }
}

/// Changes of immutable fields. An optional field is both added and removed, since a rule that sat on the field itself would
/// not see its removal.
pub(crate) fn forbidden_changes() -> Vec<Case> {
    let immutable = &["spec is immutable", "create a new ModelVersion"];
    let run = json!({"model": "atlas", "parent": "atlas-v1", "cause": "Requested", "data": "d1"});
    let check = json!({"model": "atlas", "version": "atlas-v1", "policyRef": {"name": "gdpr"}, "snapshot": ["d1"]});
    vec![
        change(
            "another initial version",
            object("Model", "m1", model()),
            json!({"initialVersion": "atlas-v2"}),
            &["initialVersion is immutable", "set steering.pin"],
        ),
        change(
            "no initial version",
            object("Model", "m2", model()),
            json!({"initialVersion": null}),
            &["spec.initialVersion", "Required value"],
        ),
        change(
            "another artifact",
            object("ModelVersion", "v1", version()),
            json!({"artifact": {"uri": "file:///other"}}),
            immutable,
        ),
        change(
            "lineage added",
            object("ModelVersion", "v2", version()),
            json!({"lineage": {"parent": "v1"}}),
            immutable,
        ),
        change(
            "lineage removed",
            object("ModelVersion", "v3", with(version(), json!({"lineage": {"parent": "v1"}}))),
            json!({"lineage": null}),
            immutable,
        ),
        change(
            "artifact exchanged for a URL",
            object("ModelVersion", "v4", version()),
            json!({"artifact": null, "engine": {"adapter": "external", "url": "http://e"}}),
            immutable,
        ),
        change("spec removed", object("ModelVersion", "v5", version()), Value::Null, &["spec", "Required value"]),
        change(
            "digest of a source removed",
            object("Dataset", "d1", dataset()),
            json!({"sources": [{"uri": "file:///data/fresh.jsonl"}]}),
            &["spec is immutable", "create a new Dataset"],
        ),
        change(
            "cleaning switched off",
            object("Dataset", "d2", dataset()),
            json!({"cleaning": {"redact": false}}),
            &["spec is immutable", "create a new Dataset"],
        ),
        change(
            "data of a run removed",
            object("RetrainingRun", "r1", run.clone()),
            json!({"data": null}),
            &["spec is immutable", "create a new RetrainingRun"],
        ),
        change(
            "evidence added to a run",
            object("RetrainingRun", "r2", run),
            json!({"evidence": "e1"}),
            &["spec is immutable", "create a new RetrainingRun"],
        ),
        change(
            "snapshot of a check emptied",
            object("ComplianceCheck", "c1", check.clone()),
            json!({"snapshot": []}),
            &["spec is immutable", "create a new ComplianceCheck"],
        ),
        change(
            "raw records added to a check",
            object("ComplianceCheck", "c2", check),
            json!({"raw": ["d2"]}),
            &["spec is immutable", "create a new ComplianceCheck"],
        ),
        change(
            "kind of a request",
            object("ErasureRequest", "e1", request()),
            json!({"kind": "Access"}),
            &["immutable", "create a new ErasureRequest"],
        ),
        change(
            "subject of a request",
            object("ErasureRequest", "e2", request()),
            json!({"subjectRef": {"name": "request-18"}}),
            &["immutable", "create a new ErasureRequest"],
        ),
        change(
            "approval taken back",
            object("ErasureRequest", "e3", with(request(), json!({"approved": true}))),
            json!({"approved": null}),
            &["approved cannot be taken back", "legalHold"],
        ),
    ]
}

/// What stays open to change, so that the rules above are not simply too strict.
pub(crate) fn permitted_changes() -> Vec<Case> {
    vec![
        change("mode", object("Model", "p1", model()), json!({"mode": "Alert"}), &[]),
        change(
            "steering",
            object("Model", "p2", model()),
            json!({"steering": {"pin": "atlas-v2", "reason": "incident"}}),
            &[],
        ),
        change(
            "rules",
            object("DecayPolicy", "p3", policy(json!([rule()]))),
            json!({"metrics": [with(rule(), json!({"severity": "critical"}))]}),
            &[],
        ),
        change("cordon", object("GpuNode", "p4", json!({})), json!({"cordon": true}), &[]),
        change(
            "approval and legal hold",
            object("ErasureRequest", "p6", request()),
            json!({"approved": true, "legalHold": "court order 12/26"}),
            &[],
        ),
        Case {
            what: "labels of an immutable object",
            manifest: object("ModelVersion", "p5", version()),
            patch: json!({"metadata": {"labels": {"team": "ml"}}}),
            says: &[],
        },
    ]
}
