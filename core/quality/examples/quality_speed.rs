//! Items per second of the text metrics, on one core.
//!
//! Reads lines of JSON, `{"hyp": "...", "ref": "..."}`, from the file named first (or standard input) and prints one line a metric (or for the
//! one named second): name, items per second, mean score. `parity/compare_speed.py` runs it beside the reference implementations. (A program,
//! so it may read files and clocks; the crate itself does neither.)

use std::error::Error;
use std::hint::black_box;
use std::io::Read;
use std::time::Instant;

use homeostat_quality::summary::Rouge;
use homeostat_quality::translation::{Bleu, ChrF, Meteor, Ter};
use serde::Deserialize;

#[derive(Deserialize)]
struct Pair {
    hyp: String,
    #[serde(rename = "ref")]
    reference: String,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut text = String::new();
    match std::env::args().nth(1) {
        Some(path) => text = std::fs::read_to_string(path)?,
        None => drop(std::io::stdin().read_to_string(&mut text)?),
    }
    let pairs = text.lines().map(serde_json::from_str).collect::<Result<Vec<Pair>, _>>()?;
    let bleu = Bleu { effective_order: true, ..Bleu::default() };
    measure("bleu", &pairs, |hyp, refs| bleu.sentence(hyp, refs).score);
    measure("chrf", &pairs, |hyp, refs| ChrF::default().sentence(hyp, refs));
    measure("chrf++", &pairs, |hyp, refs| ChrF::plus_plus().sentence(hyp, refs));
    measure("ter", &pairs, |hyp, refs| Ter::default().sentence(hyp, refs).score);
    measure("rouge", &pairs, |hyp, refs| Rouge::default().best(hyp, refs).rouge_l.f);
    measure("meteor", &pairs, |hyp, refs| Meteor::default().sentence(hyp, refs));
    Ok(())
}

/// Goes over all pairs until half a second has passed, of this thread's time on a core where the system tells it (Linux): other programs on the
/// machine then do not count.
fn measure(name: &str, pairs: &[Pair], score: impl Fn(&str, &[&str]) -> f64) {
    if std::env::args().nth(2).is_some_and(|only| only != name) {
        return;
    }
    let (start, started) = (Instant::now(), on_core());
    let (mut n, mut sum) = (0_u32, 0.0);
    loop {
        for Pair { hyp, reference } in pairs {
            sum += black_box(score(black_box(hyp), black_box(&[reference.as_str()])));
            n += 1;
        }
        let seconds = match (started, on_core()) {
            (Some(before), Some(now)) => now - before,
            _ => start.elapsed().as_secs_f64(),
        };
        if seconds > 0.5 || pairs.is_empty() {
            println!("{name}\t{:.0}\t{:.6}", f64::from(n) / seconds, sum / f64::from(n.max(1)));
            return;
        }
    }
}

/// Seconds this thread has been running on a core.
fn on_core() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split(' ').next()?.parse::<f64>().ok().map(|nanoseconds| nanoseconds / 1e9)
}
