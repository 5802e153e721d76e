//! Labels, probabilities and log-probabilities.

use homeostat_quality::labels::{
    Binning, Classification, average_precision, brier_score, calibration_error, log_loss, maximum_calibration_error,
    multilabel as scores, roc_auc,
};
use homeostat_quality::likelihood::likelihood;
use homeostat_quality::summary::Prf;
use serde_json::Value;

use crate::check::{Check, list, number};

fn prf(scores: Prf) -> [f64; 3] {
    [scores.precision, scores.recall, scores.f]
}

pub(crate) fn classification(check: &mut Check, cases: &Value, _: &Value) {
    let labels = |value: Option<&Value>| list(value).iter().filter_map(Value::as_i64).collect::<Vec<i64>>();
    for (at, case) in list(Some(cases)).iter().enumerate() {
        check.case(at);
        let (y, p) = (labels(case.get("y")), labels(case.get("p")));
        let Some(found) = Classification::new(y.iter().zip(&p)) else { continue };
        let averages = found.averages(0.0);
        check.figures("micro", &prf(averages.micro), case.get("micro"));
        check.figures("macro", &prf(averages.macro_), case.get("macro"));
        check.figures("weighted", &prf(averages.weighted), case.get("weighted"));
        let classes = found.classes(0.0);
        let of_class = |name: &str| case.pointer(&format!("/per_class/{name}"));
        check.equal("labels", &found.labels().to_vec(), &labels(of_class("labels")));
        let column = |part: fn(&Prf) -> f64| classes.iter().map(|class| part(&class.scores)).collect::<Vec<f64>>();
        check.figures("per_class p", &column(|scores| scores.precision), of_class("p"));
        check.figures("per_class r", &column(|scores| scores.recall), of_class("r"));
        check.figures("per_class f1", &column(|scores| scores.f), of_class("f1"));
        let support: Vec<f64> = classes.iter().map(|class| class.support as f64).collect();
        check.figures("per_class support", &support, of_class("support"));
        check.figure("f1_macro_zd1", found.averages(1.0).macro_.f, case.get("f1_macro_zd1"));
        check.figure("accuracy", found.accuracy(), case.get("accuracy"));
        check.figure("balanced_accuracy", found.balanced_accuracy(), case.get("balanced_accuracy"));
        check.figure("mcc", found.matthews(), case.get("mcc"));
        check.figure("kappa", found.kappa(), case.get("kappa"));
        for (row, (found, expected)) in found.confusion().iter().zip(list(case.get("confusion"))).enumerate() {
            let found: Vec<f64> = found.iter().map(|count| *count as f64).collect();
            check.figures(&format!("confusion[{row}]"), &found, Some(expected));
        }
    }
}

pub(crate) fn multilabel(check: &mut Check, cases: &Value, _: &Value) {
    let rows = |value: Option<&Value>| -> Vec<Vec<bool>> {
        list(value).iter().map(|row| list(Some(row)).iter().map(|cell| cell.as_i64() == Some(1)).collect()).collect()
    };
    for (at, case) in list(Some(cases)).iter().enumerate() {
        check.case(at);
        let Some(found) = scores(&rows(case.get("y")), &rows(case.get("p")), 0.0) else { continue };
        check.figure("micro", found.averages.micro.f, case.get("micro"));
        check.figure("macro", found.averages.macro_.f, case.get("macro"));
        check.figure("weighted", found.averages.weighted.f, case.get("weighted"));
        check.figure("samples", found.samples_f, case.get("samples"));
        check.figure("subset_accuracy", found.subset_accuracy, case.get("subset_accuracy"));
        check.figure("hamming_loss", found.hamming_loss, case.get("hamming_loss"));
    }
}

pub(crate) fn calibration(check: &mut Check, section: &Value, _: &Value) {
    for (at, case) in list(section.get("cases")).iter().enumerate() {
        check.case(at);
        let confidences = list(case.get("conf")).iter().filter_map(number);
        let right = list(case.get("correct")).iter().map(|cell| cell.as_i64() == Some(1));
        let items: Vec<(f64, bool)> = confidences.zip(right).collect();
        for bins in [10, 15] {
            let ece = calibration_error(&items, bins, Binning::EqualWidth);
            check.figure(&format!("guo_ece_{bins}"), ece, case.get(format!("guo_ece_{bins}")));
            let mce = maximum_calibration_error(&items, bins, Binning::EqualWidth);
            check.figure(&format!("guo_mce_{bins}"), mce, case.get(format!("guo_mce_{bins}")));
            let mass = calibration_error(&items, bins, Binning::EqualMass);
            check.figure("helm_ece_equal_mass", mass, case.get(format!("helm_ece_{bins}_equal_mass")));
            let width = calibration_error(&items, bins, Binning::EqualWidthClosed);
            check.figure("ucal_ece_equal_width", width, case.get(format!("ucal_ece_{bins}_equal_width")));
        }
        check.figure("brier", brier_score(&items), case.get("brier"));
        check.figure("log_loss", log_loss(&items), case.get("log_loss"));
        check.figure("roc_auc", roc_auc(&items), case.get("roc_auc"));
        check.figure("avg_precision", average_precision(&items), case.get("avg_precision"));
    }
}

pub(crate) fn perplexity(check: &mut Check, section: &Value, _: &Value) {
    for (at, case) in list(section.get("cases")).iter().enumerate() {
        check.case(at);
        let Some(doc) = case.get("doc").and_then(Value::as_str) else { continue };
        let logprobs: Vec<Option<f64>> = list(case.get("token_logprobs")).iter().map(number).collect();
        let Some(found) = likelihood(doc, &logprobs) else { continue };
        check.figure("token_ppl", found.token_perplexity, case.get("token_ppl"));
        check.figure("word_ppl", found.word_perplexity, case.get("word_ppl"));
        check.figure("byte_ppl", found.byte_perplexity, case.get("byte_ppl"));
        check.figure("bits_per_byte", found.bits_per_byte, case.get("bits_per_byte"));
        check.figure("n_words", found.words as f64, case.get("n_words"));
        check.figure("n_bytes", found.bytes as f64, case.get("n_bytes"));
    }
}
