//! One rule against its series.

use std::time::Duration;

use homeostat_clock::UtcMillis;
use homeostat_quality::registry::{Direction, Metric, Statistic};
use homeostat_quality::{Estimate, Sketch, Source};

use crate::comparison::Comparison;
use crate::confirm;
use crate::fixed_mix::{self, Compared, Incomparable};
use crate::{
    Calibration, Condition, MetricRule, MetricSource, Outcome, Policy, PolicyWindow, Reference, SeriesState, Verdict,
    explain,
};

pub(crate) fn judge<'a>(
    policy: &'a Policy,
    rule: &'a MetricRule,
    reference: Reference<'a>,
    calibration: &'a Calibration,
    series: Option<&'a SeriesState>,
    since: UtcMillis,
    now: UtcMillis,
) -> Verdict {
    let ctx = Context { policy, rule, reference, calibration, since, now };
    match (series, &rule.source) {
        (Some(SeriesState::Failed { reason }), _) => {
            let explanation = format!("The source of {} failed: {}.", ctx.what(), reason.trim_end_matches('.'));
            ctx.verdict(Outcome::SourceError, explanation)
        }
        (None, _) => ctx.silent(None),
        (Some(SeriesState::Windows { windows, newest }), MetricSource::Agents(metric, source)) => {
            ctx.judge_windows(metric, *source, windows, *newest)
        }
        (Some(SeriesState::Values { values }), MetricSource::PromQl(_)) => ctx.judge_values(values),
        (Some(_), _) => {
            let explanation = format!("{} was given another sort of series than its source yields.", ctx.what());
            ctx.verdict(Outcome::SourceError, explanation)
        }
    }
}

struct Context<'a> {
    policy: &'a Policy,
    rule: &'a MetricRule,
    reference: Reference<'a>,
    calibration: &'a Calibration,
    since: UtcMillis,
    now: UtcMillis,
}

/// One window that had enough samples.
struct Judged {
    start: UtcMillis,
    beyond: bool,
}

impl<'a> Context<'a> {
    fn judge_windows(
        &self,
        metric: &Metric,
        source: Source,
        windows: &'a [PolicyWindow],
        newest: Option<UtcMillis>,
    ) -> Verdict {
        if !newest.is_some_and(|newest| self.is_fresh(newest)) {
            return self.silent(newest);
        }
        let condition = self.rule.condition;
        let n = |window: &PolicyWindow| window.slices.values().map(Sketch::n).sum::<u64>();
        let recent: Vec<&PolicyWindow> = windows.iter().filter(|window| self.is_recent(window.start)).collect();
        if condition.needs_baseline() && !self.has_reference(metric, source, &recent) {
            let why = format!("{} has no frozen baseline to be compared with yet.", self.what());
            return Verdict { current: self.uncompared(metric, &recent), ..self.verdict(Outcome::Inconclusive, why) };
        }
        let enough = recent.into_iter().filter(|window| n(window) >= self.policy.minimum_samples.max(1));
        let compare =
            |windows: &[&'a PolicyWindow]| Comparison::of(self.reference, &self.rule.name, metric, source, windows);
        let mut judged = Vec::new();
        let mut looked_at = Vec::new();
        let mut refused = None;
        for window in enough {
            match compare(&[window]) {
                Ok(one) => {
                    let value = one.compared.current.value;
                    let beyond = one.threshold(condition).is_some_and(|threshold| condition.beyond(value, threshold));
                    judged.push(Judged { start: window.start, beyond });
                    looked_at.push(window);
                }
                Err(why) => refused = Some(why),
            }
        }
        let last = |length: usize| &looked_at[looked_at.len().saturating_sub(length)..];
        let compared = match compare(last(self.policy.breach.of as usize)) {
            Ok(one) => one.compared,
            Err(Incomparable::Kind) => return self.not_comparable(&Incomparable::Kind),
            Err(_) => {
                let refused = refused.as_ref().map(|why| self.not_comparable(why));
                return refused.unwrap_or_else(|| self.too_few(windows.last().map(n), 0));
            }
        };
        let Some(threshold) = condition.threshold(compared.baseline.map(|estimate| estimate.value)) else {
            return self.not_comparable(&Incomparable::Empty);
        };
        let verdict = self
            .conclude(&judged, |breached, judged| self.explain_windows(metric, &compared, threshold, breached, judged));
        let mut verdict = filled(verdict, metric, &compared, threshold);
        let Estimate { low, high, .. } = compared.current;
        // Absolute bounds on quantiles (latencies) go by the windows alone.
        let by_windows = matches!(metric.statistic, Statistic::Quantile(_)) && !condition.needs_baseline();
        if verdict.outcome == Outcome::Degraded && !by_windows {
            let lengths = confirm::lengths(self.policy.breach, looked_at.len());
            let alpha = self.calibration.alpha(self.policy) / lengths.len().max(1) as f64;
            let dispersion = self.calibration.dispersion(&self.rule.name);
            let proof = lengths.into_iter().find_map(|length| {
                let run = compare(last(length)).ok()?;
                let threshold = run.threshold(condition)?;
                let Estimate { low, high, .. } = run.compared.current;
                let proven = condition.wholly_beyond(low, high, threshold)
                    && run.chance(metric, condition, threshold, dispersion) <= alpha;
                proven.then_some((length, run.compared, threshold))
            });
            match proof {
                Some((length, run, threshold)) if run != compared => {
                    let (breached, count) = (verdict.breached, verdict.judged);
                    verdict.explanation = self.explain_windows(metric, &run, threshold, breached, count);
                    verdict.explanation.push_str(&format!(" The value is that of the last {length} windows together."));
                    verdict = filled(verdict, metric, &run, threshold);
                }
                Some(_) => {}
                None => {
                    (verdict.outcome, verdict.since) = (Outcome::Inconclusive, None);
                    verdict.explanation.push_str(if condition.wholly_beyond(low, high, threshold) {
                        " With so many looks at so many metrics this may still be chance."
                    } else {
                        " The interval still includes the threshold, so this may be chance."
                    });
                }
            }
        }
        if verdict.outcome == Outcome::Healthy && condition.wholly_beyond(low, high, threshold) {
            verdict.outcome = Outcome::Inconclusive;
            verdict.explanation.push_str(" All windows together are beyond it, though too few are by themselves.");
        }
        verdict
    }

    fn has_reference(&self, metric: &Metric, source: Source, recent: &[&PolicyWindow]) -> bool {
        match self.reference {
            Reference::None => false,
            Reference::Frozen(baseline) => baseline.metric(metric.stored, source).is_some(),
            Reference::Seasonal(seasonal) => seasonal.whole.metric(metric.stored, source).is_some(),
            Reference::Concurrent(_) => self
                .reference
                .groups(&self.rule.name, metric.stored, source, recent)
                .iter()
                .any(|(baseline, _)| baseline.is_some()),
        }
    }

    fn judge_values(&self, values: &[(UtcMillis, Option<f64>)]) -> Verdict {
        let seen = values.iter().filter_map(|(start, value)| Some((*start, value.filter(|value| value.is_finite())?)));
        let newest = seen.clone().map(|(start, _)| start.plus(self.policy.window).min(self.now)).max();
        if !newest.is_some_and(|newest| self.is_fresh(newest)) {
            return self.silent(newest);
        }
        let condition = self.rule.condition;
        let Some(threshold) = condition.threshold(None) else {
            let why = format!("{} has no frozen baseline: a query needs an absolute threshold.", self.what());
            return self.verdict(Outcome::Inconclusive, why);
        };
        let recent: Vec<(UtcMillis, f64)> = seen.filter(|(start, _)| self.is_recent(*start)).collect();
        let judged: Vec<Judged> = recent
            .iter()
            .map(|(start, value)| Judged { start: *start, beyond: condition.beyond(*value, threshold) })
            .collect();
        let last = &recent[recent.len().saturating_sub(self.policy.breach.of as usize)..];
        let n = last.len() as u64;
        #[expect(clippy::cast_precision_loss, reason = "a few windows")]
        let mean = last.iter().map(|(_, value)| value).sum::<f64>() / n.max(1) as f64;
        let mut verdict = self.conclude(&judged, |breached, judged| {
            let side = if matches!(condition, Condition::BelowAbsolute(_)) { "below" } else { "above" };
            format!(
                "{} was {side} its threshold of {} in {breached} of the last {judged} windows of {}, {} on average.",
                self.what(),
                explain::plain(threshold),
                explain::duration(self.policy.window),
                explain::plain(mean)
            )
        });
        verdict.threshold = Some(threshold);
        // Its source gives no spread, so there is no interval around the mean of the windows' values.
        verdict.current = (n > 0).then_some(Estimate { value: mean, low: mean, high: mean, n });
        verdict
    }

    /// M of the last N, with the start of the run of breaches.
    fn conclude(&self, judged: &[Judged], explain: impl Fn(u32, u32) -> String) -> Verdict {
        let (m, n) = (self.policy.breach.windows, self.policy.breach.of);
        let last = &judged[judged.len().saturating_sub(n as usize)..];
        let count = u32::try_from(last.len()).unwrap_or(n);
        let breached = u32::try_from(last.iter().filter(|window| window.beyond).count()).unwrap_or(n);
        if count < m {
            return self.too_few(None, count);
        }
        let mut verdict = self.verdict(Outcome::Healthy, explain(breached, count));
        (verdict.breached, verdict.judged) = (breached, count);
        if breached >= m {
            verdict.outcome = Outcome::Degraded;
            verdict.since = run_start(judged, n - m);
        } else if n - count + breached >= m {
            // The windows that are missing could have made it M.
            verdict.outcome = Outcome::Inconclusive;
        }
        verdict
    }

    fn explain_windows(
        &self,
        metric: &Metric,
        compared: &Compared,
        threshold: f64,
        breached: u32,
        judged: u32,
    ) -> String {
        let show = |value| metric.unit.show(value);
        let mut text = format!("{} is {}", self.what(), explain::estimate(metric, &compared.current));
        if let Some(baseline) = &compared.baseline {
            let change = compared.current.value - baseline.value;
            let side = if change < 0.0 { "below" } else { "above" };
            let at = if matches!(metric.statistic, Statistic::Mean) { " at fixed mix" } else { "" };
            text.push_str(&format!("{at}, {} {side} the baseline of {}", show(change.abs()), show(baseline.value)));
        }
        let window = explain::duration(self.policy.window);
        let side = match self.rule.condition {
            Condition::BelowAbsolute(_) | Condition::BelowBaseline(_) => "below",
            Condition::AboveAbsolute(_) | Condition::AboveBaseline(_) => "above",
        };
        text.push_str(&format!(
            "; {breached} of the last {judged} windows of {window} were {side} the threshold of {}.",
            show(threshold)
        ));
        if compared.coverage < 0.995 {
            text.push_str(&format!(" {:.0} % of the baseline's mix is observed now.", compared.coverage * 100.0));
        }
        if !compared.new_slices.is_empty() {
            let names: Vec<String> = compared.new_slices.iter().map(explain::slice).collect();
            text.push_str(&format!(" The baseline does not know {}.", explain::list(&names)));
        }
        text
    }

    /// Nothing new has come for a while.
    fn silent(&self, newest: Option<UtcMillis>) -> Verdict {
        let allowed = self.policy.no_data_after;
        let what = self.what();
        if self.now.since(self.since) <= allowed {
            let age = explain::duration(self.now.since(self.since));
            let why = format!(
                "{what} has no data yet; the version began to serve {age} ago and has {} to report.",
                explain::duration(allowed)
            );
            return self.verdict(Outcome::Inconclusive, why);
        }
        let allowed = explain::duration(allowed);
        let why = match newest {
            Some(newest) => {
                let age = explain::duration(self.now.since(newest));
                format!("{what} has had no data for {age}, since {newest}; the policy allows {allowed}.")
            }
            None => format!("{what} has never had any data; the policy allows {allowed} of silence."),
        };
        self.verdict(Outcome::NoData, why)
    }

    fn too_few(&self, last_window: Option<u64>, judged: u32) -> Verdict {
        let (m, minimum) = (self.policy.breach.windows, self.policy.minimum_samples);
        let last = last_window.map_or(String::new(), |n| format!(" (the last has {n})"));
        let why =
            format!("{} has {judged} of the {m} windows it takes with at least {minimum} samples{last}.", self.what());
        Verdict { judged, ..self.verdict(Outcome::Inconclusive, why) }
    }

    fn not_comparable(&self, why: &Incomparable) -> Verdict {
        match why {
            Incomparable::Kind => {
                let why = format!("The reports of {} are not of the sort in which it is stored.", self.what());
                self.verdict(Outcome::SourceError, why)
            }
            Incomparable::Empty => self.too_few(Some(0), 0),
            Incomparable::Coverage(share) => {
                let why = format!(
                    "{} cannot be compared at fixed mix: only {:.0} % of the baseline's mix is observed now, {:.0} % are needed.",
                    self.what(),
                    share * 100.0,
                    fixed_mix::MINIMUM_COVERAGE * 100.0
                );
                self.verdict(Outcome::Inconclusive, why)
            }
        }
    }

    /// The plain value over the last N windows, to show something while there is no baseline.
    fn uncompared(&self, metric: &Metric, recent: &[&PolicyWindow]) -> Option<Estimate> {
        let last = recent.len().saturating_sub(self.policy.breach.of as usize);
        let merged = fixed_mix::merge_windows(recent[last..].iter().copied()).ok()?;
        fixed_mix::compare(metric, None, &merged).ok().map(|compared| compared.current)
    }

    fn verdict(&self, outcome: Outcome, explanation: String) -> Verdict {
        let (metric, source) = match &self.rule.source {
            MetricSource::Agents(metric, source) => (Some(metric.name.to_string()), Some(*source)),
            MetricSource::PromQl(_) => (None, None),
        };
        Verdict {
            name: self.rule.name.clone(),
            metric,
            source,
            outcome,
            current: None,
            baseline: None,
            threshold: self.rule.condition.threshold(None),
            breached: 0,
            judged: 0,
            since: None,
            action: self.rule.action,
            severity: self.rule.severity,
            slices: Vec::new(),
            explanation,
        }
    }

    fn what(&self) -> String {
        let name = &self.rule.name;
        match self.rule.source {
            MetricSource::Agents(_, Source::Golden) => format!("{name} on golden probes"),
            MetricSource::Agents(_, Source::Traffic) => format!("{name} on traffic"),
            MetricSource::Agents(_, Source::Feedback) => format!("{name} by users' feedback"),
            MetricSource::PromQl(_) => format!("The query {name}"),
        }
    }

    fn is_fresh(&self, newest: UtcMillis) -> bool {
        self.now.since(newest) <= self.policy.no_data_after
    }

    /// Closed, and not so old that it says nothing about now.
    fn is_recent(&self, start: UtcMillis) -> bool {
        let span = self.policy.window.saturating_mul(self.policy.breach.of).saturating_add(self.policy.no_data_after);
        start.plus(self.policy.window) <= self.now && self.now.since(start) <= span.max(Duration::from_millis(1))
    }
}

/// The verdict with the figures of what was compared.
fn filled(verdict: Verdict, metric: &Metric, compared: &Compared, threshold: f64) -> Verdict {
    Verdict {
        threshold: Some(threshold),
        current: Some(compared.current),
        baseline: compared.baseline,
        slices: worst_first(metric, compared),
        ..verdict
    }
}

/// The oldest breached window of the run that reaches to the present; more than `gap` good windows in a row end it.
fn run_start(judged: &[Judged], gap: u32) -> Option<UtcMillis> {
    let (mut start, mut good) = (None, 0);
    for window in judged.iter().rev() {
        if window.beyond {
            (start, good) = (Some(window.start), 0);
        } else {
            good += 1;
            if good > gap {
                break;
            }
        }
    }
    start
}

fn worst_first(metric: &Metric, compared: &Compared) -> Vec<(homeostat_quality::Slice, Option<f64>, f64, u64)> {
    let mut slices = compared.slices.clone();
    let loss = |row: &(homeostat_quality::Slice, Option<f64>, f64, u64)| {
        let change = row.1.map_or(0.0, |then| row.2 - then);
        if metric.direction == Direction::Up { -change } else { change }
    };
    slices.sort_by(|a, b| loss(b).total_cmp(&loss(a)).then_with(|| a.0.cmp(&b.0)));
    slices
}
