//! A model on the overview, the order of models, and the one line on top.

use homeostat_clock::UtcMillis;
use homeostat_crds::model::Mode;
use homeostat_crds::{DecayPolicy, Model};
use kube::ResourceExt;

use super::Tone;
use super::metric::MetricView;
use super::series::Series;
use super::standing::{Evidence, Need, standing};
use crate::words::{Moment, count, millis};

/// A model on the overview and at the top of its own page.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ModelCard {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) href: String,
    pub(crate) need: Need,
    pub(crate) tone: Tone,
    /// The state in words.
    pub(crate) sentence: String,
    pub(crate) stable: Option<String>,
    pub(crate) stable_since: Option<Moment>,
    pub(crate) canary: Option<Canary>,
    /// `observes only`, `pinned to atlas-v1`, `held`.
    pub(crate) chips: Vec<String>,
    pub(crate) metrics: Vec<MetricView>,
    pub(crate) next: Option<Next>,
}

/// The version on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Canary {
    pub(crate) version: String,
    pub(crate) weight: u8,
}

/// The next automatic step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Next {
    pub(crate) what: String,
    pub(crate) due: Option<Moment>,
    pub(crate) overdue: bool,
}

/// Builds the card; `series` holds one series for each entry of the status, in its order.
pub(crate) fn card(evidence: &Evidence<'_>, policy: Option<&DecayPolicy>, series: &[Series]) -> ModelCard {
    let (model, now) = (evidence.model, evidence.now);
    let namespace = model.namespace().unwrap_or_default();
    let standing = standing(evidence);
    let status = model.status.clone().unwrap_or_default();
    let empty = Series { to: now, from: now, ..Series::default() };
    ModelCard {
        href: format!("/models/{namespace}/{}", model.name_any()),
        name: model.name_any(),
        namespace,
        need: standing.need,
        tone: standing.tone,
        sentence: standing.sentence,
        canary: canary(model),
        chips: chips(model),
        metrics: status
            .quality
            .iter()
            .enumerate()
            .map(|(index, entry)| super::metric::metric(entry, policy, series.get(index).unwrap_or(&empty), now))
            .collect(),
        next: next(model, now),
        stable_since: status.stable_since.as_ref().map(|time| Moment::new(millis(time), now)),
        stable: status.stable,
    }
}

fn canary(model: &Model) -> Option<Canary> {
    let status = model.status.as_ref()?;
    // While a promoted version soaks it is still called the candidate.
    let version = status.candidate.clone().filter(|candidate| status.stable.as_ref() != Some(candidate))?;
    let weight = status.traffic.iter().find(|traffic| traffic.version == version).map_or(0, |traffic| traffic.weight);
    Some(Canary { version, weight })
}

fn chips(model: &Model) -> Vec<String> {
    let mut chips = Vec::new();
    match model.spec.mode {
        Mode::Observe => chips.push("observes only".to_string()),
        Mode::Alert => chips.push("alerts only".to_string()),
        Mode::Act => {}
    }
    if let Some(steering) = &model.spec.steering {
        if steering.hold {
            chips.push("held".to_string());
        }
        if let Some(pin) = &steering.pin {
            chips.push(format!("pinned to {pin}"));
        }
    }
    chips
}

fn next(model: &Model, now: UtcMillis) -> Option<Next> {
    let decision = model.status.as_ref()?.last_decision.as_ref()?;
    let due = decision.due.as_ref().map(millis);
    Some(Next {
        what: decision.next.clone()?,
        due: due.map(|due| Moment::new(due, now)),
        overdue: due.is_some_and(|due| due < now),
    })
}

/// Most in need first, then by name.
pub(crate) fn sort(cards: &mut [ModelCard]) {
    cards.sort_by(|left, right| {
        right.need.cmp(&left.need).then_with(|| (&left.namespace, &left.name).cmp(&(&right.namespace, &right.name)))
    });
}

/// The one line on top.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Headline {
    pub(crate) tone: Tone,
    pub(crate) text: String,
    /// What qualifies it.
    pub(crate) more: Option<String>,
}

/// The one line on top; `read` says whether the models could be read at all.
pub(crate) fn headline(cards: &[ModelCard], read: bool) -> Headline {
    let of = |need: Need| cards.iter().filter(|card| card.need == need).count();
    let needing = cards.iter().filter(|card| card.need.needs_you()).count();
    let unknown = of(Need::Unknown);
    let mut more = Vec::new();
    for (n, what) in [
        (of(Need::NoData), "without data"),
        (of(Need::Working), "being worked on"),
        (of(Need::Held), "held by a person"),
        (unknown, "not judged yet"),
    ] {
        if n > 0 {
            more.push(format!("{n} {what}"));
        }
    }
    let more = (!more.is_empty()).then(|| more.join(", "));
    let line = |tone, text: String| Headline { tone, text, more: more.clone() };
    match cards.len() {
        _ if !read => line(Tone::Unknown, "The models could not be read yet".to_string()),
        0 => line(Tone::Unknown, "No models yet".to_string()),
        _ if needing > 0 => line(
            Tone::Bad,
            format!("{} {} you", count(needing, "model", "models"), if needing == 1 { "needs" } else { "need" }),
        ),
        total if unknown == total => line(Tone::Unknown, "Nothing can be said yet".to_string()),
        total if more.is_none() => match total {
            1 => line(Tone::Ok, "The one model is as declared".to_string()),
            total => line(Tone::Ok, format!("All {total} models are as declared")),
        },
        total => line(
            if unknown > 0 { Tone::Unknown } else { Tone::Work },
            format!("None of {} needs you", count(total, "model", "models")),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, need: Need) -> ModelCard {
        ModelCard {
            namespace: "ml".into(),
            name: name.into(),
            href: String::new(),
            need,
            tone: Tone::Ok,
            sentence: String::new(),
            stable: None,
            stable_since: None,
            canary: None,
            chips: Vec::new(),
            metrics: Vec::new(),
            next: None,
        }
    }

    #[test]
    fn the_headline_counts_and_never_turns_missing_into_well() {
        let says = |needs: &[Need], read| {
            let cards: Vec<_> = needs.iter().map(|need| of("x", *need)).collect();
            let Headline { tone, text, more } = headline(&cards, read);
            (tone, text, more.unwrap_or_default())
        };
        assert_eq!(says(&[], false), (Tone::Unknown, "The models could not be read yet".into(), String::new()));
        assert_eq!(says(&[], true).1, "No models yet");
        assert_eq!(
            says(&[Need::None, Need::None], true),
            (Tone::Ok, "All 2 models are as declared".into(), String::new())
        );
        assert_eq!(says(&[Need::None, Need::Person], true).1, "1 model needs you");
        assert_eq!(
            says(&[Need::NoData, Need::Down], true),
            (Tone::Bad, "2 models need you".into(), "1 without data".into())
        );
        assert_eq!(
            says(&[Need::None, Need::Unknown], true),
            (Tone::Unknown, "None of 2 models needs you".into(), "1 not judged yet".into())
        );
        assert_eq!(says(&[Need::Unknown], true).0, Tone::Unknown);
        assert_eq!(says(&[Need::None, Need::Working], true).2, "1 being worked on");
    }

    #[test]
    fn those_in_need_come_first() {
        let mut cards = vec![of("b", Need::None), of("a", Need::None), of("z", Need::Down), of("m", Need::Working)];
        sort(&mut cards);
        assert_eq!(cards.iter().map(|card| card.name.as_str()).collect::<Vec<_>>(), ["z", "m", "a", "b"]);
    }
}
