//! What must hold of every sketch, whatever was observed.

use homeostat_quality::registry::Statistic;
use homeostat_quality::{DistributionSketch, Sketch};
use proptest::prelude::*;

fn sketch(statistic: Statistic, values: &[f64]) -> Sketch {
    let mut sketch = Sketch::empty(statistic);
    values.iter().for_each(|value| sketch.observe(*value));
    sketch
}

fn merged(parts: &[&Sketch]) -> Sketch {
    let mut sum = parts[0].clone();
    parts[1..].iter().for_each(|part| sum.merge(part).expect("sketches of one sort"));
    sum
}

fn statistics() -> impl Strategy<Value = Statistic> {
    prop_oneof![Just(Statistic::Mean), (0.0..=1.0).prop_map(Statistic::Quantile)]
}

fn values() -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(prop_oneof![3 => 1e-6..1e6_f64, 1 => Just(0.0), 1 => Just(1.0)], 0..60)
}

/// Everything but the sums' rounding.
fn counts(sketch: &Sketch) -> (u64, Option<&DistributionSketch>) {
    match sketch {
        Sketch::Moments(moments) => (moments.n, None),
        Sketch::Distribution(distribution) => (distribution.zeros, Some(distribution)),
    }
}

fn same(a: &Sketch, b: &Sketch) -> bool {
    let close = |x: f64, y: f64| (x - y).abs() <= 1e-9 * (1.0 + x.abs());
    match (a, b) {
        (Sketch::Moments(x), Sketch::Moments(y)) => x.n == y.n && close(x.sum, y.sum) && close(x.squares, y.squares),
        (Sketch::Distribution(x), Sketch::Distribution(y)) => {
            x.zeros == y.zeros && x.buckets == y.buckets && close(x.sum, y.sum)
        }
        _ => false,
    }
}

proptest! {
    #[test]
    fn merging_is_associative_and_commutative(s in statistics(), a in values(), b in values(), c in values()) {
        let (x, y, z) = (sketch(s, &a), sketch(s, &b), sketch(s, &c));
        let whole = sketch(s, &[a.as_slice(), &b, &c].concat());
        prop_assert!(same(&merged(&[&merged(&[&x, &y]), &z]), &merged(&[&x, &merged(&[&y, &z])])));
        prop_assert!(same(&merged(&[&x, &y]), &merged(&[&y, &x])));
        prop_assert!(same(&merged(&[&z, &x, &y]), &whole));
        prop_assert_eq!(whole.n(), (a.len() + b.len() + c.len()) as u64);
    }

    #[test]
    fn zero_one_data_merge_exactly(a in prop::collection::vec(any::<bool>(), 0..200), at in 0usize..200) {
        let values: Vec<f64> = a.iter().map(|right| f64::from(u8::from(*right))).collect();
        let (head, tail) = values.split_at(at.min(values.len()));
        let parts = merged(&[&sketch(Statistic::Mean, tail), &sketch(Statistic::Mean, head)]);
        prop_assert_eq!(parts, sketch(Statistic::Mean, &values));
    }

    #[test]
    fn quantiles_keep_the_relative_error(mut values in prop::collection::vec(1e-6..1e9_f64, 1..300), q in 0.0..=1.0_f64) {
        let estimate = sketch(Statistic::Quantile(q), &values).estimate(Statistic::Quantile(q)).unwrap();
        values.sort_by(f64::total_cmp);
        let exact = values[(q * (values.len() - 1) as f64).floor() as usize];
        let bound = DistributionSketch::RELATIVE_ERROR * (1.0 + 1e-6);
        prop_assert!((estimate.value - exact).abs() <= bound * exact, "{} for {exact}", estimate.value);
        prop_assert!(estimate.low <= estimate.value && estimate.value <= estimate.high);
    }

    #[test]
    fn the_wire_form_round_trips(s in statistics(), values in values()) {
        let sketch = sketch(s, &values);
        prop_assert_eq!(Sketch::from_bytes(&sketch.to_bytes()).unwrap(), sketch.clone());
        let json = serde_json::to_string(&sketch).unwrap();
        prop_assert_eq!(counts(&serde_json::from_str(&json).unwrap()).0, counts(&sketch).0);
    }

    #[test]
    fn garbage_is_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        if let Ok(sketch) = Sketch::from_bytes(&bytes) {
            prop_assert_eq!(sketch.to_bytes(), bytes);
        }
    }

    #[test]
    fn a_damaged_sketch_is_refused_or_still_well_formed(s in statistics(), values in values(), at: usize, to: u8) {
        let mut bytes = sketch(s, &values).to_bytes();
        let at = at % bytes.len();
        prop_assert!(Sketch::from_bytes(&bytes[..at]).is_err());
        bytes[at] = to;
        if let Ok(sketch) = Sketch::from_bytes(&bytes) {
            prop_assert_eq!(sketch.to_bytes(), bytes);
        }
    }
}

#[test]
fn not_a_number_is_refused() {
    let mut bytes = vec![1, 0, 1];
    bytes.extend_from_slice(&f64::NAN.to_le_bytes());
    bytes.extend_from_slice(&1.0_f64.to_le_bytes());
    assert!(Sketch::from_bytes(&bytes).unwrap_err().to_string().contains("sum is NaN"));
    assert!(Sketch::from_bytes(&[2, 0]).unwrap_err().to_string().contains("version 2"));
    assert!(Sketch::from_bytes(&[1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 3]).is_err());
}
