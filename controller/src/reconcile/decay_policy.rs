//! DecayPolicy: parsed once, so that a mistake shows on the policy itself. What it finds stands in the Models.

use std::sync::Arc;
use std::time::Duration;

use homeostat_crds::duration::{self, Quantity};
use homeostat_crds::policy::{AcceptedStatus, MetricRuleSpec, RuleAction, RuleSeverity, RuleSource, ThresholdSpec};
use homeostat_crds::{DecayPolicy, conditions};
use homeostat_decay::{
    Action as RuleFollowUp, Breach, Condition, FalseAlarmBudget, Margin, MetricRule, MetricSource, Policy, Severity,
};
use homeostat_quality::{Source, registry};
use kube::runtime::controller::Action;

use super::ReconcileError;
use crate::Context;
use crate::status::{self, ConditionUpdate};

/// Accepts or refuses a policy.
///
/// # Errors
/// When the API does not answer.
pub async fn reconcile(policy: Arc<DecayPolicy>, ctx: Arc<Context>) -> Result<Action, ReconcileError> {
    let namespace = policy.metadata.namespace.as_deref().ok_or(ReconcileError::Incomplete("namespace"))?;
    let verdict = parse(&policy);
    let mut new = policy.status.clone().unwrap_or_default();
    accept(&mut new, policy.metadata.generation, verdict.map(|_| ()), &ctx);
    status::write("decay_policy", &ctx.api(namespace), &*policy, policy.status.as_ref(), &new).await?;
    Ok(Action::await_change())
}

/// Fills the status of a policy of any kind.
pub(super) fn accept(status: &mut AcceptedStatus, generation: Option<i64>, verdict: Result<(), String>, ctx: &Context) {
    status.observed_generation = generation;
    let (state, reason, message) = match verdict {
        Ok(()) => ("True", conditions::reason::VALID, "the spec was understood".to_string()),
        Err(problem) => ("False", conditions::reason::INVALID_SPEC, problem),
    };
    let update = ConditionUpdate { type_: conditions::ACCEPTED, status: state, reason, message };
    status::set_condition(&mut status.conditions, generation, ctx.now(), update);
}

/// The policy as the analysis wants it.
///
/// # Errors
/// A sentence that names the field, its value and the remedy.
pub fn parse(policy: &DecayPolicy) -> Result<Policy, String> {
    let spec = &policy.spec;
    let window = parse_duration("spec.window", &spec.window)?;
    if window < Duration::from_secs(1) {
        return Err(format!("spec.window is {}: windows last at least 1s", spec.window));
    }
    if spec.breach.windows > spec.breach.of {
        return Err(format!(
            "spec.breach.windows is {} and exceeds spec.breach.of, {}: lower it or raise of",
            spec.breach.windows, spec.breach.of
        ));
    }
    let metrics =
        spec.metrics.iter().enumerate().map(|(index, rule)| parse_rule(index, rule)).collect::<Result<_, _>>()?;
    Ok(Policy {
        window,
        minimum_samples: spec.minimum_samples,
        breach: Breach { windows: spec.breach.windows, of: spec.breach.of },
        no_data_after: parse_duration("spec.noDataAfter", &spec.no_data_after)?,
        false_alarms: FalseAlarmBudget {
            alerts: spec.false_alarms.alerts,
            per: parse_duration("spec.falseAlarms.per", &spec.false_alarms.per)?,
        },
        metrics,
    })
}

fn parse_rule(index: usize, rule: &MetricRuleSpec) -> Result<MetricRule, String> {
    let field = format!("spec.metrics[{index}]");
    let source = match rule.source {
        RuleSource::PromQl => {
            let query =
                rule.query.clone().ok_or_else(|| format!("{field}.query is missing: source PromQL needs one"))?;
            MetricSource::PromQl(query)
        }
        RuleSource::Golden => agents(&field, rule, Source::Golden)?,
        RuleSource::Traffic => agents(&field, rule, Source::Traffic)?,
        RuleSource::Feedback => agents(&field, rule, Source::Feedback)?,
    };
    let condition = match (&rule.below, &rule.above) {
        (Some(below), None) => match threshold(&format!("{field}.below"), below)? {
            Threshold::Value(value) => Condition::BelowAbsolute(value),
            Threshold::FromBaseline(margin) => Condition::BelowBaseline(margin),
        },
        (None, Some(above)) => match threshold(&format!("{field}.above"), above)? {
            Threshold::Value(value) => Condition::AboveAbsolute(value),
            Threshold::FromBaseline(margin) => Condition::AboveBaseline(margin),
        },
        _ => return Err(format!("{field} ({}): give either below or above", rule.name)),
    };
    if let MetricSource::PromQl(_) = source
        && matches!(condition, Condition::BelowBaseline(_) | Condition::AboveBaseline(_))
    {
        return Err(format!("{field} ({}): a PromQL metric has no frozen baseline yet: use absolute", rule.name));
    }
    Ok(MetricRule {
        name: rule.name.clone(),
        source,
        condition,
        action: match rule.action {
            RuleAction::Warn => RuleFollowUp::Warn,
            RuleAction::Alert => RuleFollowUp::Alert,
            RuleAction::Rollback => RuleFollowUp::Rollback,
            RuleAction::Retrain => RuleFollowUp::Retrain,
        },
        severity: match rule.severity {
            RuleSeverity::Info => Severity::Info,
            RuleSeverity::Warning => Severity::Warning,
            RuleSeverity::Critical => Severity::Critical,
        },
    })
}

fn agents(field: &str, rule: &MetricRuleSpec, source: Source) -> Result<MetricSource, String> {
    let (at, name) = match &rule.metric {
        Some(metric) => (format!("{field}.metric"), metric),
        None => (format!("{field}.name"), &rule.name),
    };
    let metric = registry::metric(name)
        .ok_or_else(|| format!("{at} is {name:?}, which is no metric: there are {}", registry::names()))?;
    Ok(MetricSource::Agents(metric, source))
}

enum Threshold {
    Value(f64),
    FromBaseline(Margin),
}

fn threshold(field: &str, spec: &ThresholdSpec) -> Result<Threshold, String> {
    match (&spec.absolute, &spec.baseline) {
        (Some(text), None) => match quantity(&format!("{field}.absolute"), text)? {
            Quantity::Plain(value) => Ok(Threshold::Value(value)),
            Quantity::Points(value) | Quantity::Percent(value) => Ok(Threshold::Value(value)),
        },
        (None, Some(text)) => Ok(Threshold::FromBaseline(match quantity(&format!("{field}.baseline"), text)? {
            Quantity::Plain(value) | Quantity::Points(value) => Margin::Absolute(value),
            Quantity::Percent(share) => Margin::Relative(share),
        })),
        _ => Err(format!("{field}: give either absolute or baseline")),
    }
}

fn quantity(field: &str, text: &str) -> Result<Quantity, String> {
    duration::quantity(text).map_err(|error| format!("{field}: {error}"))
}

pub(super) fn parse_duration(field: &str, text: &str) -> Result<Duration, String> {
    duration::duration(text).map_err(|error| format!("{field}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(metric: serde_json::Value) -> DecayPolicy {
        let spec = serde_json::json!({"window": "15m", "breach": {"windows": 3, "of": 4}, "metrics": [metric]});
        DecayPolicy::new("p", serde_json::from_value(spec).unwrap())
    }

    #[test]
    fn the_designs_example_parses() {
        let parsed = parse(&policy(serde_json::json!(
            {"name": "exact_match", "source": "Golden", "below": {"baseline": "3points"}, "action": "Retrain", "severity": "critical"}
        )))
        .unwrap();
        assert_eq!(parsed.window, Duration::from_secs(900));
        assert_eq!(parsed.metrics[0].condition, Condition::BelowBaseline(Margin::Absolute(0.03)));
        assert_eq!(parsed.metrics[0].action, RuleFollowUp::Retrain);
    }

    #[test]
    fn mistakes_name_field_value_and_remedy() {
        let unknown =
            parse(&policy(serde_json::json!({"name": "exactmatch", "source": "Golden", "below": {"absolute": "0.9"}})));
        let message = unknown.unwrap_err();
        assert!(
            message.contains("spec.metrics[0].name is \"exactmatch\"") && message.contains("exact_match"),
            "{message}"
        );
        let text =
            parse(&policy(serde_json::json!({"name": "ttft_p99", "source": "Traffic", "above": {"absolute": "soon"}})));
        assert!(text.unwrap_err().contains("spec.metrics[0].above.absolute: \"soon\" is no threshold"));
        let both = parse(&policy(serde_json::json!({"name": "ttft_p99", "source": "Traffic"})));
        assert!(both.unwrap_err().contains("give either below or above"));
    }
}
