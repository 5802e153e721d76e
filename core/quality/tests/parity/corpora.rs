//! Sets of texts, by the ids of the pairs they are made of.

use std::collections::HashMap;

use homeostat_quality::Scored;
use homeostat_quality::diversity::{Words, distinct, self_bleu};
use homeostat_quality::squad::{self, Edition};
use homeostat_quality::summary::Rouge;
use homeostat_quality::translation::{Bleu, ErrorRate, Smoothing, character_error_rate, word_error_rate};
use serde_json::Value;

use crate::check::{Check, list, texts};
use crate::pairs::{bleu, chrf_settings, rouge_parts, ter_settings};

/// The texts of a set and their references, which may be fewer than the pairs have.
struct Corpus<'a> {
    hyps: Vec<&'a str>,
    refs: Vec<Vec<&'a str>>,
    /// All references that the pairs have.
    every: Vec<Vec<&'a str>>,
}

impl<'a> Corpus<'a> {
    /// `None` when the file does not hold the pairs.
    fn new(ids: Option<&Value>, all: &'a Value, nrefs: usize) -> Option<Self> {
        let pairs: HashMap<&Value, &Value> =
            list(all.get("pairs")).iter().filter_map(|pair| Some((pair.get("id")?, pair))).collect();
        let mut corpus = Self { hyps: Vec::new(), refs: Vec::new(), every: Vec::new() };
        for id in list(ids) {
            let pair = pairs.get(id)?;
            corpus.hyps.push(pair.get("hyp")?.as_str()?);
            let every = texts(pair.get("refs"));
            corpus.refs.push(every.iter().copied().take(nrefs).collect());
            corpus.every.push(every);
        }
        Some(corpus)
    }

    fn items(&self) -> impl Iterator<Item = (Option<&str>, &[&'a str])> {
        self.hyps.iter().map(|hyp| Some(*hyp)).zip(self.refs.iter().map(Vec::as_slice))
    }

    /// The mean of a mark of each text against these references.
    fn mean(&self, refs: &[Vec<&str>], mark: impl Fn(&str, &[&str]) -> f64) -> Option<f64> {
        Scored::mean(self.hyps.iter().zip(refs).map(|(hyp, refs)| Some(mark(hyp, refs)))).score
    }
}

pub(crate) fn corpora(check: &mut Check, cases: &Value, all: &Value) {
    for (at, case) in list(Some(cases)).iter().enumerate() {
        check.case(at);
        let nrefs = case.get("nrefs").and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok()).unwrap_or(1);
        let Some(corpus) = Corpus::new(case.get("pair_ids"), all, nrefs) else { continue };
        for (name, expected) in case.get("bleu").and_then(Value::as_object).into_iter().flatten() {
            let settings = settings(name).unwrap_or_else(|| panic!("BLEU settings {name:?} are not known"));
            if let Some(found) = settings.corpus(corpus.items()).score {
                bleu(check, &format!("bleu {name}"), &found, expected);
            }
        }
        check.text("signature_13a", &Bleu::default().signature(Some(nrefs)), case.get("signature_13a"));
        for (name, chrf) in chrf_settings() {
            check.figure(name, chrf.corpus(corpus.items()).score, case.pointer(&format!("/chrf/{name}")));
        }
        for (name, ter) in ter_settings() {
            let found = ter.corpus(corpus.items()).score.map(|score| score.score);
            check.figure(name, found, case.pointer(&format!("/ter/{name}")));
        }
        for part in 0..4 {
            let name = rouge_parts(&Default::default())[part].0;
            let mean = corpus.mean(&corpus.refs, |hyp, refs| rouge_parts(&Rouge::default().best(hyp, refs))[part].1.f);
            check.figure(name, mean, case.pointer(&format!("/rouge_mean_f_stem/{name}")));
        }
        let percent = |mean: Option<f64>| mean.map(|mean| 100.0 * mean);
        let f1 = corpus.mean(&corpus.every, |hyp, refs| squad::f1(hyp, refs, Edition::One));
        check.figure("squad_f1_v1_mean100", percent(f1), case.get("squad_f1_v1_mean100"));
        check.figure(
            "squad_em_mean100",
            percent(corpus.mean(&corpus.every, |hyp, refs| squad::exact_match(hyp, refs))),
            case.get("squad_em_mean100"),
        );
        for (n, expected) in case.get("distinct").and_then(Value::as_object).into_iter().flatten() {
            let order = n.parse().expect("orders are numbers");
            let found = distinct(corpus.hyps.iter().map(|hyp| Some(*hyp)), order, Words::Spaces).score;
            check.figure(&format!("distinct {n}"), found, Some(expected));
        }
        let eff = Bleu { effective_order: true, ..Bleu::default() };
        let found = self_bleu(&eff, corpus.hyps.iter().map(|hyp| Some(*hyp))).score;
        check.figure("self_bleu_13a_eff", found, case.get("self_bleu_13a_eff"));
        error_rates(check, case, all);
    }
}

fn error_rates(check: &mut Check, case: &Value, all: &Value) {
    let Some(expected) = case.get("wer_jiwer") else { return };
    let Some(corpus) = Corpus::new(expected.get("pair_ids"), all, 1) else { return };
    let pairs = || corpus.hyps.iter().zip(&corpus.refs).map(|(hyp, refs)| (Some(*hyp), refs.first().copied()));
    let rate = |scored: Scored<ErrorRate>| scored.score.and_then(|score| score.rate);
    check.figure("wer", rate(word_error_rate(pairs())), expected.get("wer"));
    check.figure("cer", rate(character_error_rate(pairs())), expected.get("cer"));
}

pub(crate) fn multiple_references(check: &mut Check, case: &Value, all: &Value) {
    check.case("");
    let Some(corpus) = Corpus::new(case.get("pair_ids"), all, usize::MAX) else { return };
    if let (Some(found), Some(expected)) = (Bleu::default().corpus(corpus.items()).score, case.get("bleu_13a")) {
        bleu(check, "bleu 13a", &found, expected);
    }
    for (name, chrf) in chrf_settings() {
        check.figure(name, chrf.corpus(corpus.items()).score, case.get(name));
    }
    for (name, ter) in ter_settings() {
        check.figure(name, ter.corpus(corpus.items()).score.map(|score| score.score), case.get(name));
    }
}

/// `tokenizer|smoothing|case`.
fn settings(name: &str) -> Option<Bleu> {
    let mut parts = name.split('|');
    let tokenizer = parts.next()?.parse().ok()?;
    let smoothing = match parts.next()? {
        "none" => Smoothing::None,
        "floor" => Smoothing::Floor(0.1),
        "add-k" => Smoothing::AddK(1.0),
        "exp" => Smoothing::Exp,
        _ => return None,
    };
    let lowercase = parts.next()? == "lc";
    Some(Bleu { tokenizer, smoothing, lowercase, ..Bleu::default() })
}
