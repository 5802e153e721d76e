//! Detectors and Python's random numbers.

use homeostat_decay::sequential::{
    Adwin, Ddm, Detector, Direction, Eddm, Fhddm, HddmA, HddmW, Kswin, PageHinkley, PythonRandom,
};
use serde_json::{Map, Value};

use crate::check::{Case, list, numbers};

pub(crate) fn river(case: &mut Case<'_>, fields: &Value) {
    let stream: Vec<f64> = match &fields["x"] {
        Value::String(bits) => bits.bytes().map(|bit| f64::from(bit - b'0')).collect(),
        values => numbers(values),
    };
    for (field, expected) in fields.as_object().into_iter().flatten() {
        if field == "x" || field == "kind" {
            continue;
        }
        if field == "adwin_trace" {
            trace(case, &stream, list(expected));
            continue;
        }
        let candidates = detectors(field);
        let Some(found) = candidates.into_iter().map(|detector| signals(detector, &stream)).reduce(|first, other| {
            // A name that leaves a setting open stands for whichever the file was made with.
            if indices(expected) == other.0 { other } else { first }
        }) else {
            case.unknown(field);
            continue;
        };
        let (drifts, warnings) = found;
        if expected.is_array() {
            case.exactly(field, drifts, indices(expected));
        } else {
            case.exactly(&format!("{field}.drift"), drifts, indices(&expected["drift"]));
            case.exactly(&format!("{field}.warning"), warnings, indices(&expected["warning"]));
        }
    }
}

fn indices(value: &Value) -> Vec<u64> {
    list(value).iter().filter_map(Value::as_u64).collect()
}

/// Indices of drifts and of warnings.
fn signals(mut detector: Box<dyn Detector>, stream: &[f64]) -> (Vec<u64>, Vec<u64>) {
    let (mut drifts, mut warnings) = (Vec::new(), Vec::new());
    for (value, index) in stream.iter().zip(0_u64..) {
        let signal = detector.update(*value);
        drifts.extend(signal.drift.then_some(index));
        warnings.extend(signal.warning.then_some(index));
    }
    (drifts, warnings)
}

/// The detectors that a name may stand for; none when it is not known. Three names of the reference file do not say all that was set.
fn detectors(name: &str) -> Vec<Box<dyn Detector>> {
    match name {
        "adwin_mb3_g50" => vec![Box::new(Adwin::new(0.002, 32, 3, 10, 50)), Box::new(Adwin::new(0.001, 32, 3, 5, 50))],
        "ph_a1_t2" => vec![Box::new(PageHinkley::new(50, 0.01, 2.0, 1.0, Direction::Both))],
        "ddm_w50" => vec![Box::new(Ddm::new(50, 1.5, 2.5))],
        _ => detector(name).into_iter().collect(),
    }
}

/// The detector that a name such as `ph_t.5_up` or `adwin_d.05_c1` stands for: defaults, and what its parts change.
fn detector(name: &str) -> Option<Box<dyn Detector>> {
    let known = ["hddm_a", "hddm_w", "adwin", "ph", "kswin", "ddm", "eddm", "fhddm"];
    let kind = known.into_iter().find(|kind| name == *kind || name.starts_with(&format!("{kind}_")))?;
    let rest = name[kind.len()..].trim_start_matches('_');
    let parts: Vec<&str> = rest.split('_').filter(|part| !part.is_empty() && *part != "default").collect();
    let mut used = 0;
    let mut option = |prefix: &str, default: f64| -> f64 {
        let value = parts.iter().find_map(|part| {
            let digits = part.strip_prefix(prefix)?;
            if digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') { digits.parse().ok() } else { None }
        });
        used += usize::from(value.is_some());
        value.unwrap_or(default)
    };
    let detector: Box<dyn Detector> = match kind {
        "adwin" => Box::new(Adwin::new(
            option("d", 0.002),
            option("c", 32.0) as u32,
            option("mb", 5.0) as u32,
            option("mw", 5.0) as u32,
            option("g", 10.0) as u32,
        )),
        "ph" => {
            let direction = match (parts.contains(&"up"), parts.contains(&"down")) {
                (true, _) => Direction::Up,
                (_, true) => Direction::Down,
                _ => Direction::Both,
            };
            let detector = PageHinkley::new(
                option("m", 30.0) as u32,
                option("d", 0.005),
                option("t", 50.0),
                option("a", 1.0 - 0.0001),
                direction,
            );
            used += parts.iter().filter(|part| ["up", "down", "both"].contains(part)).count();
            Box::new(detector)
        }
        "kswin" => {
            let seed = option("seed", f64::NAN);
            if seed.is_nan() {
                return None;
            }
            // `s` is the statistics' size, but `seed42` begins with it as well: only digits follow it.
            Box::new(Kswin::new(option("a", 0.005), option("w", 100.0) as u32, option("s", 30.0) as u32, seed as u64))
        }
        "ddm" => Box::new(Ddm::new(option("w", 30.0) as u32, 2.0, 3.0)),
        "eddm" => Box::new(Eddm::new(option("w", 30.0) as u32, 0.95, 0.9)),
        "hddm_a" => Box::new(HddmA::new(0.001, 0.005, parts.contains(&"two"))),
        "hddm_w" => Box::new(HddmW::new(0.001, 0.005, option("l", 0.05), parts.contains(&"two"))),
        _ => Box::new(Fhddm::default()),
    };
    // A part that is not understood makes another detector of it.
    let two = usize::from(kind.starts_with("hddm") && parts.contains(&"two"));
    (used + two == parts.len()).then_some(detector)
}

/// Rows of (index, width, sum, squared deviations, mean, detections) of ADWIN's defaults.
fn trace(case: &mut Case<'_>, stream: &[f64], rows: &[Value]) {
    let mut adwin = Adwin::default();
    let mut rows = rows.iter();
    let mut next = rows.next();
    for (index, value) in stream.iter().enumerate() {
        let signal = adwin.update(*value);
        let Some(row) = next.filter(|row| row[0].as_u64() == Some(index as u64)) else { continue };
        case.figure("adwin_trace.width", Some(adwin.width()), &row[1]);
        case.figure("adwin_trace.total", Some(adwin.total()), &row[2]);
        case.figure("adwin_trace.variance", Some(adwin.deviations()), &row[3]);
        case.figure("adwin_trace.mean", adwin.mean(), &row[4]);
        // river counts within the helper that it throws away after a drift.
        case.exactly("adwin_trace.detections", Some(u64::from(signal.drift)), row[5].as_u64());
        next = rows.next();
    }
    case.exactly("adwin_trace rows left", next.is_some(), false);
}

/// Fields such as `seed42_sample_range70_30_first3` and `seed42_getrandbits32_first8`.
pub(crate) fn python_random(case: &mut Case<'_>, fields: &Map<String, Value>) {
    for (field, expected) in fields {
        let parts: Vec<&str> = field.split('_').collect();
        let figure = |prefix: &str| parts.iter().find_map(|part| part.strip_prefix(prefix)?.parse::<u64>().ok());
        let Some(seed) = figure("seed") else {
            case.unknown(field);
            continue;
        };
        let mut random = PythonRandom::new(seed);
        if let (true, Some(n)) = (parts.contains(&"sample"), figure("range")) {
            for expected in list(expected) {
                let found = random.sample(n as usize, list(expected).len());
                let expected: Vec<usize> = list(expected).iter().filter_map(|v| Some(v.as_u64()? as usize)).collect();
                case.exactly(field, found, expected);
            }
        } else if let Some(bits) = figure("getrandbits") {
            for expected in list(expected) {
                case.exactly(field, Some(random.bits(bits as u32)), expected.as_u64());
            }
        } else if parts.contains(&"random") {
            for expected in list(expected) {
                case.exactly(field, Some(random.unit()), expected.as_f64());
            }
        } else {
            case.unknown(field);
        }
    }
}
