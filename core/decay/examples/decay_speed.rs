//! Observations per second of ADWIN: `cargo run -p homeostat-decay --example decay_speed FILE` with a file of zeros and ones, one
//! a line. `parity/compare_speed.sh` runs it beside river's.

use std::time::Instant;

use homeostat_decay::sequential::{Adwin, Detector};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("give a file of numbers, one a line")?;
    let stream: Vec<f64> = std::fs::read_to_string(path)?.lines().map(str::parse).collect::<Result<_, _>>()?;
    let mut best = f64::INFINITY;
    let mut drifts = 0;
    for _ in 0..5 {
        let mut adwin = Adwin::default();
        let start = Instant::now();
        drifts = stream.iter().filter(|value| adwin.update(**value).drift).count();
        best = best.min(start.elapsed().as_secs_f64());
    }
    println!("{:.0} {drifts}", stream.len() as f64 / best);
    Ok(())
}
