//! Single texts against one or more references.

use std::sync::LazyLock;

use homeostat_quality::squad::{self, Edition};
use homeostat_quality::summary::{Prf, Rouge, RougeScores};
use homeostat_quality::translation::{Bleu, BleuScore, BleuTokenizer, ChrF, Meteor, Ter, WordNet};
use serde_json::Value;

use crate::check::{Check, list, texts};

static WORDNET: LazyLock<WordNet> =
    LazyLock::new(|| WordNet::parse(include_str!("../../data/wordnet-3.0.txt")).expect("the word list is well-formed"));

/// The settings of chrF by their names in the file.
pub(crate) fn chrf_settings() -> [(&'static str, ChrF); 6] {
    let plain = ChrF::default();
    [
        ("chrf", plain),
        ("chrf++", ChrF::plus_plus()),
        ("chrf_lc", ChrF { lowercase: true, ..plain }),
        ("chrf_ws", ChrF { whitespace: true, ..plain }),
        ("chrf_eps", ChrF { eps_smoothing: true, ..plain }),
        ("chrf_b1", ChrF { beta: 1.0, ..plain }),
    ]
}

/// The settings of TER by their names in the file.
pub(crate) fn ter_settings() -> [(&'static str, Ter); 5] {
    let plain = Ter::default();
    [
        ("ter", plain),
        ("ter_norm", Ter { normalized: true, ..plain }),
        ("ter_norm_asian", Ter { normalized: true, asian_support: true, ..plain }),
        ("ter_nopunct", Ter { no_punct: true, ..plain }),
        ("ter_cased", Ter { case_sensitive: true, ..plain }),
    ]
}

/// The four sorts of ROUGE by their names in the file.
pub(crate) fn rouge_parts(scores: &RougeScores) -> [(&'static str, Prf); 4] {
    [("rouge1", scores.rouge1), ("rouge2", scores.rouge2), ("rougeL", scores.rouge_l), ("rougeLsum", scores.rouge_lsum)]
}

/// A BLEU score and all its parts.
pub(crate) fn bleu(check: &mut Check, name: &str, found: &BleuScore, expected: &Value) {
    check.figure(&format!("{name} score"), found.score, expected.get("score"));
    check.figures(&format!("{name} counts"), &found.counts, expected.get("counts"));
    check.figures(&format!("{name} totals"), &found.totals, expected.get("totals"));
    check.figures(&format!("{name} precisions"), &found.precisions, expected.get("precisions"));
    check.figure(&format!("{name} bp"), found.brevity_penalty, expected.get("bp"));
    check.figure(&format!("{name} sys_len"), found.hypothesis_length as f64, expected.get("sys_len"));
    check.figure(&format!("{name} ref_len"), found.reference_length as f64, expected.get("ref_len"));
}

pub(crate) fn pairs(check: &mut Check, cases: &Value, _: &Value) {
    for case in list(Some(cases)) {
        check.case(case.get("id").unwrap_or(&Value::Null));
        let (Some(hyp), refs) = (case.get("hyp").and_then(Value::as_str), texts(case.get("refs"))) else { continue };
        of_bleu(check, case, hyp, &refs);
        for (name, chrf) in chrf_settings() {
            check.figure(name, chrf.sentence(hyp, &refs), case.pointer(&format!("/chrf/{name}")));
        }
        for (name, ter) in ter_settings() {
            let (found, expected) = (ter.sentence(hyp, &refs), case.pointer(&format!("/ter/{name}")));
            let part = |part: &str| expected.and_then(|expected| expected.get(part));
            check.figure(name, found.score, part("score"));
            check.figure(&format!("{name} edits"), found.edits, part("edits"));
            check.figure(&format!("{name} ref_len"), found.reference_length, part("ref_len"));
        }
        of_rouge(check, case, hyp, &refs);
        let squad = |name: &str| case.pointer(&format!("/squad/{name}"));
        check.text("squad norm_hyp", &squad::normalise(hyp), squad("norm_hyp"));
        check.figure("squad em", squad::exact_match(hyp, &refs), squad("em"));
        check.figure("squad f1_v1", squad::f1(hyp, &refs, Edition::One), squad("f1_v1"));
        check.figure("squad f1_v2", squad::f1(hyp, &refs, Edition::Two), squad("f1_v2"));
        check.figure("squad em_strict", f64::from(u8::from(refs.contains(&hyp))), squad("em_strict"));
        check.figure("meteor_nosyn", Meteor::default().sentence(hyp, &refs), case.get("meteor_nosyn"));
        check.figure("meteor_wn30", Meteor::with_synonyms(&*WORDNET).sentence(hyp, &refs), case.get("meteor_wn30"));
    }
}

fn of_bleu(check: &mut Check, case: &Value, hyp: &str, refs: &[&str]) {
    for tokenizer in BleuTokenizer::ALL {
        let line = hyp.trim_end_matches(|c: char| c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c));
        check.text(&format!("tok {tokenizer}"), &tokenizer.tokenize(line), case.pointer(&format!("/tok/{tokenizer}")));
        let settings = Bleu { tokenizer, effective_order: true, ..Bleu::default() };
        if let Some(expected) = case.pointer(&format!("/bleu/{tokenizer}")) {
            bleu(check, &format!("bleu {tokenizer}"), &settings.sentence(hyp, refs), expected);
        }
    }
    check.figure("bleu_13a_noeff", Bleu::default().sentence(hyp, refs).score, case.get("bleu_13a_noeff"));
}

fn of_rouge(check: &mut Check, case: &Value, hyp: &str, refs: &[&str]) {
    for (kind, stemmer) in [("plain", false), ("stem", true)] {
        let rouge = Rouge { stemmer, ..Rouge::default() };
        for (at, (reference, expected)) in refs.iter().zip(list(case.pointer(&format!("/rouge/{kind}")))).enumerate() {
            for (name, Prf { precision, recall, f }) in rouge_parts(&rouge.score(hyp, reference)) {
                check.figures(&format!("{name} {kind} {at}"), &[precision, recall, f], expected.get(name));
            }
        }
    }
    for (name, part) in rouge_parts(&Rouge::default().best(hyp, refs)) {
        check.figure(&format!("{name} of all references"), part.f, case.pointer(&format!("/rouge_multi/{name}")));
    }
}
