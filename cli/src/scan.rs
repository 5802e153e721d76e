//! `homeostat scan`: finds personal data in files, for people, for scripts and for code scanning.
//!
//! Plain text, JSON lines and Parquet are read record by record; nothing that was found is printed, only where it stands,
//! what it is and how sure that is. It deliberately changes no file.

mod input;
mod output;
mod sarif;

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, ValueEnum};
use homeostat_privacy::{Entity, Recognizers};
use indicatif::{ProgressBar, ProgressStyle};

use input::{Fields, Record};

/// Arguments of `scan`.
#[derive(Clone, Debug, Args)]
pub struct ScanArgs {
    /// Files and folders; `-` is standard input. Names ending in .jsonl, .ndjson or .parquet are read by record, others as text
    #[arg(required = true, value_name = "FILE|DIR|-")]
    pub inputs: Vec<PathBuf>,
    /// How the findings are printed
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Format::Table)]
    pub format: Format,
    /// Report everything from this score on, 0 to 1; without it what form, checksum or context make likely
    #[arg(long, value_name = "SCORE")]
    pub minimum: Option<f64>,
    /// Look for these only (may be repeated); all by default
    #[arg(long = "entity", value_name = "NAME")]
    pub entities: Vec<String>,
    /// Field of JSON lines and Parquet that holds the text (may be repeated)
    #[arg(long = "text-field", value_name = "NAME", default_value = "text")]
    pub text_fields: Vec<String>,
    /// Field of JSON lines and Parquet that names a record; the line's number stands in for one that is missing
    #[arg(long, value_name = "NAME", default_value = "id")]
    pub id_field: String,
    /// Read standard input as JSON lines
    #[arg(long)]
    pub jsonl: bool,
}

/// How findings are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Counts by entity, then one line a finding
    Table,
    /// One JSON object a record: id, and findings with entity, start and end in code points, score, recognizer
    Json,
    /// SARIF 2.1.0, for code scanning
    Sarif,
}

/// What was scanned.
#[derive(Debug, Default)]
struct Totals {
    records: u64,
    affected: u64,
    bytes: u64,
    by_entity: BTreeMap<Entity, u64>,
}

/// Exit code 0: nothing was found; 1: something was; 2: not everything could be read.
pub(crate) fn run(args: &ScanArgs) -> ExitCode {
    match scan(args) {
        Ok(totals) if totals.affected == 0 => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(1),
        Err(error) if is_closed_pipe(&error) => ExitCode::from(1),
        Err(error) => {
            eprintln!("homeostat: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// `homeostat scan … | head` is no fault.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let io = error.chain().find_map(|cause| cause.downcast_ref::<std::io::Error>());
    io.is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

fn scan(args: &ScanArgs) -> anyhow::Result<Totals> {
    let recognizers = recognizers(args)?;
    let fields = Fields { id: args.id_field.clone(), texts: args.text_fields.clone(), jsonl: args.jsonl };
    let files = input::files(&args.inputs)?;
    let progress = progress(&files);
    let stdout = std::io::stdout();
    let mut printer = output::Printer::new(args.format, std::io::BufWriter::new(stdout.lock()));
    let mut totals = Totals::default();
    let mut visit = |record: Record<'_>| -> anyhow::Result<()> {
        let findings = recognizers.find(record.text);
        totals.records += 1;
        totals.affected += u64::from(!findings.is_empty());
        totals.bytes += record.text.len() as u64;
        for finding in &findings {
            *totals.by_entity.entry(finding.entity).or_default() += 1;
        }
        progress.inc(record.text.len() as u64);
        printer.record(&record, &findings)
    };
    for file in &files {
        input::read(file, &fields, &mut visit)?;
    }
    progress.finish_and_clear();
    printer.end(&totals)?.flush()?;
    Ok(totals)
}

fn recognizers(args: &ScanArgs) -> anyhow::Result<Recognizers> {
    let named: Result<Vec<Entity>, _> = args.entities.iter().map(|name| name.parse::<Entity>()).collect();
    let named = named.context("--entity")?;
    let recognizers = if named.is_empty() { Recognizers::all() } else { Recognizers::new(&named) };
    match args.minimum {
        Some(score) => recognizers.minimum(score).context("--minimum"),
        None => Ok(recognizers),
    }
}

/// A bar on a terminal, nothing in a pipe.
fn progress(files: &[input::File]) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bytes: u64 = files.iter().map(input::File::bytes).sum();
    let bar = ProgressBar::new(bytes);
    // A template that does not parse leaves the plain bar.
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {bytes}/{total_bytes}, {bytes_per_sec}, {eta} left") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}
