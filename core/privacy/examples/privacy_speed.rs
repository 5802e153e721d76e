//! How fast the recognizers are, and how much of a text they take for sure.
//!
//! `cargo run --release -p homeostat-privacy --example privacy_speed [FILE]` reads a file, or makes 10 MB of source code and prose,
//! and prints megabytes a second with every recognizer on, and the share of bytes flagged with a score of .8 or more.

use std::time::Instant;

use homeostat_privacy::{Entity, Recognizers};

fn main() {
    let text = match std::env::args().nth(1) {
        Some(path) => match std::fs::read(&path) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) => {
                eprintln!("{path}: {error}; give a file that can be read");
                std::process::exit(2);
            }
        },
        None => sample(10_000_000),
    };
    let recognizers = Recognizers::all();
    let warm = Instant::now();
    let _ = recognizers.find("a1 ann@example.org +1 415 555 0132");
    println!("tables built in {:.0} ms", warm.elapsed().as_secs_f64() * 1e3);
    let (mut best, mut least) = (f64::INFINITY, f64::INFINITY);
    let mut findings = Vec::new();
    for _ in 0..3 {
        let (started, used) = (Instant::now(), processor_seconds());
        findings = recognizers.find(&text);
        if let (Some(before), Some(after)) = (used, processor_seconds()) {
            least = least.min(after - before);
        }
        best = best.min(started.elapsed().as_secs_f64());
    }
    println!(
        "{} recognizers, {} bytes: {:.1} MB/s (best of 3), {} findings",
        Entity::ALL.len(),
        text.len(),
        text.len() as f64 / best / 1e6,
        findings.len()
    );
    if least.is_finite() {
        println!("of processor time: {:.1} MB/s (what an idle core gives)", text.len() as f64 / least / 1e6);
    }
    let sure: usize =
        findings.iter().filter(|finding| finding.score >= 0.8).map(|finding| finding.end - finding.start).sum();
    println!("flagged with .8 or more: {:.4} % of the bytes", 100.0 * sure as f64 / text.len().max(1) as f64);
    for entity in Entity::ALL {
        let of: Vec<_> = findings.iter().filter(|finding| finding.entity == *entity).collect();
        if !of.is_empty() {
            let bytes: usize = of.iter().map(|finding| finding.end - finding.start).sum();
            println!("  {entity}: {} ({bytes} bytes)", of.len());
        }
    }
}

/// Time this process has had on a processor, where the system tells it (Linux, in hundredths): others' work does not count.
fn processor_seconds() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/self/stat").ok()?;
    let behind_name = text.rsplit_once(')')?.1;
    behind_name.split_whitespace().nth(11)?.parse::<f64>().ok().map(|ticks| ticks / 100.0)
}

/// Lines of source code and sentences, varied by a counter, with the numbers such texts have.
fn sample(size: usize) -> String {
    const CODE: &[&str] = &[
        "    let value_# = self.table.get(#).copied().unwrap_or_default() + 0x#f;",
        "fn read_#(input: &[u8], offset: usize) -> Result<u32, Error> {",
        "    // See section #.# of the manual: the limit is # bytes, # at most.",
        "        assert_eq!(parse(\"#\"), Ok(Number { value: #, scale: # }));",
        "    std::mem::swap(&mut left[#], &mut right[#]); // O(n)",
        "if (width > # && height < #) { return Color.rgb(#, #, #); }",
        "SELECT id, name FROM items WHERE id = # AND price > #.99 LIMIT #;",
        "const TABLE: [u16; #] = [#, #, #, #, #, #, #];",
    ];
    const PROSE: &[&str] = &[
        "It was in the spring of 18# that the old captain first spoke of the island to anybody in the village.",
        "The committee met # times, and after the #th meeting nobody could remember what the first had been about.",
        "She walked down to the river, counted # boats, and wondered why the bridge had never been repaired.",
        "According to the report, #.# percent of the households had no running water, against # percent ten years before.",
        "\"You cannot mean it,\" said Margaret, who had listened to all of this without a word.",
    ];
    let mut text = String::with_capacity(size + 200);
    let mut state = 1_u64;
    let mut random = |bound: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 33) as usize) % bound
    };
    while text.len() < size {
        let line = if random(2) == 0 { CODE[random(CODE.len())] } else { PROSE[random(PROSE.len())] };
        for piece in line.split_inclusive('#') {
            match piece.strip_suffix('#') {
                Some(piece) => {
                    text.push_str(piece);
                    let bound = [10, 100, 1_000, 100_000][random(4)];
                    text.push_str(&random(bound).to_string());
                }
                None => text.push_str(piece),
            }
        }
        text.push('\n');
    }
    text
}
