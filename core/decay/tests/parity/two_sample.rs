//! Samples, tables and shares.

use homeostat_decay::two_sample::{
    Alternative, KsMethod, MannWhitney, MannWhitneyMethod, SampleError, TestResult, chi_square_fit, chi_square_table,
    cramer_von_mises, energy_distance, entropy, evidently_bins, evidently_chi_square, evidently_hellinger,
    fisher_exact, g_test, hellinger, jensen_shannon as js, kolmogorov_smirnov, kullback_leibler, mann_whitney,
    normed_wasserstein, psi, quantile_bins, total_variation, wasserstein, welch,
};
use serde_json::Value;

use crate::check::{Case, list, number, numbers};

pub(crate) fn drift(case: &mut Case<'_>, fields: &Value) {
    let (a, b) = (numbers(&fields["a"]), numbers(&fields["b"]));
    let Some(object) = fields.as_object() else { return };
    for (field, expected) in object {
        match field.as_str() {
            "name" | "a" | "b" => {}
            "ks" => ks(case, &a, &b, expected),
            "evidently" => evidently(case, &a, &b, expected),
            "evidently_bins" => bins(case, &a, &b, expected),
            "mwu_auto" | "mwu_asymp_cc" | "mwu_asymp" => {
                let method = match field.as_str() {
                    "mwu_auto" => MannWhitneyMethod::Auto,
                    "mwu_asymp_cc" => MannWhitneyMethod::Asymptotic { continuity: true },
                    _ => MannWhitneyMethod::Asymptotic { continuity: false },
                };
                let found = mann_whitney(&a, &b, Alternative::TwoSided, method).ok();
                case.figure(field, found.map(|test: MannWhitney| test.statistic), &expected[0]);
                case.p(field, found.and_then(|test| test.p_value), &expected[1]);
            }
            "welch_t" => test(case, field, welch(&a, &b), expected, false),
            "cvm2" => test(case, field, cramer_von_mises(&a, &b), expected, true),
            "wasserstein" => case.figure(field, wasserstein(&a, &b).ok(), expected),
            "wasserstein_norm_evidently" => case.figure(field, normed_wasserstein(&a, &b).ok(), expected),
            "energy_distance" => case.figure(field, energy_distance(&a, &b).ok(), expected),
            "psi_evidently" => {
                case.figure(field, evidently_bins(&a, &b).ok().map(|bins| psi(&bins.filled())), expected)
            }
            "psi_classic10" => {
                case.figure(field, quantile_bins(&a, &b, 10).ok().map(|bins| psi(&bins.floored(1e-4))), expected);
            }
            "kl_evidently" => {
                let bins = evidently_bins(&a, &b).ok().map(|bins| bins.filled());
                case.figure(field, bins.and_then(|bins| kullback_leibler(&bins.reference, &bins.current)), expected);
            }
            "js_evidently_base_e" | "js_base2" => {
                let base = (field == "js_base2").then_some(2.0);
                let bins = evidently_bins(&a, &b).ok();
                case.root(field, bins.and_then(|bins| js(&bins.reference, &bins.current, base)), expected);
            }
            "hellinger" => case.root(field, evidently_bins(&a, &b).ok().map(|bins| hellinger(&bins)), expected),
            "tvd" => case.figure(field, evidently_bins(&a, &b).ok().map(|bins| total_variation(&bins)), expected),
            other => case.unknown(other),
        }
    }
}

fn test(case: &mut Case<'_>, field: &str, found: Result<TestResult, SampleError>, expected: &Value, complement: bool) {
    let found = found.ok();
    case.figure(field, found.and_then(|test| test.statistic), &expected[0]);
    let p = found.and_then(|test| test.p_value);
    if complement { case.complement(field, p, &expected[1]) } else { case.p(field, p, &expected[1]) }
}

fn ks(case: &mut Case<'_>, a: &[f64], b: &[f64], expected: &Value) {
    for (field, expected) in expected.as_object().into_iter().flatten() {
        let of = |method| kolmogorov_smirnov(a, b, method).ok();
        let auto = of(KsMethod::Auto);
        let name = format!("ks.{field}");
        match field.as_str() {
            "stat" => case.figure(&name, auto.map(|test| test.statistic), expected),
            "loc" => case.exactly(&name, auto.map(|test| test.location), number(expected)),
            "sign" => case.exactly(&name, auto.map(|test| i64::from(test.sign)), expected.as_i64()),
            "p_auto" => case.p(&name, auto.and_then(|test| test.p_value), expected),
            "p_exact" => case.p(&name, of(KsMethod::Exact).and_then(|test| test.p_value), expected),
            "p_asymp" => case.p(&name, of(KsMethod::Asymptotic).and_then(|test| test.p_value), expected),
            other => case.unknown(other),
        }
    }
}

fn evidently(case: &mut Case<'_>, a: &[f64], b: &[f64], expected: &Value) {
    let bins = evidently_bins(a, b).ok();
    let filled = bins.as_ref().map(|bins| bins.filled());
    for (field, expected) in expected.as_object().into_iter().flatten() {
        let name = format!("evidently.{field}");
        match field.as_str() {
            "psi" => case.figure(&name, filled.as_ref().map(psi), expected),
            "js" => {
                let found = bins.as_ref().and_then(|bins| js(&bins.reference, &bins.current, None));
                case.root(&name, found, expected);
            }
            "kl" => {
                let found = filled.as_ref().and_then(|bins| kullback_leibler(&bins.reference, &bins.current));
                case.figure(&name, found, expected);
            }
            "wasserstein_norm" => case.figure(&name, normed_wasserstein(a, b).ok(), expected),
            "hellinger" => case.root(&name, evidently_hellinger(a, b).ok(), expected),
            "ks_p" => {
                let found = kolmogorov_smirnov(a, b, KsMethod::Auto).ok();
                case.p(&name, found.and_then(|test| test.p_value), expected);
            }
            "mwu_p" => {
                let found = mann_whitney(a, b, Alternative::Less, MannWhitneyMethod::Auto).ok();
                case.p(&name, found.and_then(|test| test.p_value), expected);
            }
            "chisquare_p_cat" => {
                case.p(&name, evidently_chi_square(a, b).ok().and_then(|test| test.p_value), expected);
            }
            other => case.unknown(other),
        }
    }
}

fn bins(case: &mut Case<'_>, a: &[f64], b: &[f64], expected: &Value) {
    let Ok(found) = evidently_bins(a, b).map(|bins| bins.filled()) else {
        return case.exactly("evidently_bins", false, true);
    };
    let pairs = |reference: &[f64], current: &[f64]| -> Vec<(f64, f64)> {
        reference.iter().copied().zip(current.iter().copied()).collect()
    };
    let mut found = pairs(&found.reference, &found.current);
    let mut expected = pairs(&numbers(&expected["ref"]), &numbers(&expected["cur"]));
    let same = |found: &[(f64, f64)], expected: &[(f64, f64)]| {
        let close = |a: f64, b: f64| (a - b).abs() <= 1e-12;
        found.len() == expected.len() && found.iter().zip(expected).all(|(a, b)| close(a.0, b.0) && close(a.1, b.1))
    };
    if !same(&found, &expected) {
        // Categories come in the order of a Python set there.
        let order = |a: &(f64, f64), b: &(f64, f64)| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1));
        found.sort_by(order);
        expected.sort_by(order);
    }
    let fits = same(&found, &expected);
    if !fits {
        println!("bins {found:?} {expected:?}");
    }
    case.exactly("evidently_bins", fits, true);
}

pub(crate) fn chi2(case: &mut Case<'_>, fields: &Value) {
    let table: Vec<Vec<f64>> = list(&fields["table"]).iter().map(numbers).collect();
    for (field, expected) in fields.as_object().into_iter().flatten() {
        match field.as_str() {
            "table" | "gof_obs" | "gof_exp" => {}
            "chi2_yates_default" | "chi2_nocorr" => {
                let found = chi_square_table(&table, field == "chi2_yates_default").ok();
                case.figure(field, found.as_ref().map(|test| test.statistic), &expected[0]);
                case.p(field, found.as_ref().and_then(|test| test.p_value), &expected[1]);
                let freedom = found.map(|test| i64::from(test.freedom));
                case.exactly(field, freedom, expected[2].as_i64());
            }
            "g_test" => {
                let found = g_test(&table).ok();
                case.figure(field, found.as_ref().map(|test| test.statistic), &expected[0]);
                case.p(field, found.and_then(|test| test.p_value), &expected[1]);
            }
            "expected" => {
                let found = chi_square_table(&table, false).map(|test| test.expected).unwrap_or_default();
                case.exactly("expected rows", found.len(), list(expected).len());
                for (found, expected) in found.iter().flatten().zip(list(expected).iter().flat_map(list)) {
                    case.figure(field, Some(*found), expected);
                }
            }
            "gof" => {
                let found = chi_square_fit(&numbers(&fields["gof_obs"]), &numbers(&fields["gof_exp"]));
                test(case, field, found, expected, false);
            }
            "fisher" => {
                let count = |row: usize, column: usize| table[row][column] as u64;
                let found = fisher_exact([[count(0, 0), count(0, 1)], [count(1, 0), count(1, 1)]]);
                case.figure(field, found.odds_ratio, &expected[0]);
                case.p(field, Some(found.p_value), &expected[1]);
            }
            other => case.unknown(other),
        }
    }
}

pub(crate) fn jensen_shannon(case: &mut Case<'_>, fields: &Value) {
    let (p, q) = (numbers(&fields["p"]), numbers(&fields["q"]));
    for (field, expected) in fields.as_object().into_iter().flatten() {
        match field.as_str() {
            "p" | "q" => {}
            "js_e" => case.root(field, js(&p, &q, None), expected),
            "js_2" => case.root(field, js(&p, &q, Some(2.0)), expected),
            "entropy_p" => case.figure(field, entropy(&p), expected),
            "kl_pq" => case.figure(field, kullback_leibler(&p, &q), expected),
            other => case.unknown(other),
        }
    }
}
