//! `homeostat evaluate`: scores a file of answers against references, by the whole evaluation matrix.
//!
//! Each metric is computed from the fields it needs; one whose fields are in no record is left out, and says which they are.
//! It deliberately asks no model anything: the answers are in the file.

mod answers;
mod compare;
mod matrix;
mod plot;
mod print;

use std::io::Write;
use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, ValueEnum};
use homeostat_clock::Seed;
use homeostat_quality::translation::BleuTokenizer;

/// Arguments of `evaluate`.
#[derive(Clone, Debug, Args)]
pub struct EvaluateArgs {
    /// JSON lines with the answers; `-` is standard input
    #[arg(value_name = "FILE|-")]
    pub answers: PathBuf,
    /// JSON lines with `id` and `references`, when they are not in the answers' file
    #[arg(long, value_name = "FILE")]
    pub references: Option<PathBuf>,
    /// Answers of another model to the same ids: differences with a paired bootstrap
    #[arg(long, value_name = "FILE")]
    pub against: Option<PathBuf>,
    /// How the figures are printed
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Format::Table)]
    pub format: Format,
    /// Draw the figures into this SVG file as well
    #[arg(long, value_name = "FILE")]
    pub plot: Option<PathBuf>,
    /// How BLEU cuts texts
    #[arg(long, value_enum, value_name = "NAME", default_value_t = Tokenizer::Mteval)]
    pub tokenizer: Tokenizer,
    /// WordNet's synonyms for METEOR, one set of words a line, separated by spaces
    #[arg(long, value_name = "FILE")]
    pub synonyms: Option<PathBuf>,
    /// Resamples of the paired bootstrap
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(100..=1_000_000))]
    pub rounds: u32,
}

/// How the figures are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Table,
    /// One JSON document
    Json,
}

/// How BLEU cuts texts, by sacrebleu's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Tokenizer {
    /// mteval-v13a, the usual one
    #[value(name = "13a")]
    Mteval,
    /// International punctuation
    Intl,
    /// Single characters
    Char,
    /// Chinese
    Zh,
    /// White space only
    None,
}

impl Tokenizer {
    fn of_bleu(self) -> BleuTokenizer {
        match self {
            Self::Mteval => BleuTokenizer::V13a,
            Self::Intl => BleuTokenizer::Intl,
            Self::Char => BleuTokenizer::Char,
            Self::Zh => BleuTokenizer::Zh,
            Self::None => BleuTokenizer::None,
        }
    }
}

/// Scores a file.
pub(crate) fn run(args: &EvaluateArgs) -> anyhow::Result<()> {
    let references = match &args.references {
        Some(path) => answers::references(path).with_context(|| format!("--references {}", path.display()))?,
        None => std::collections::BTreeMap::new(),
    };
    let answers = answers::read(&args.answers, &references).with_context(|| args.answers.display().to_string())?;
    let synonyms = match &args.synonyms {
        Some(path) => {
            let text = std::fs::read_to_string(path).with_context(|| format!("--synonyms {}", path.display()))?;
            Some(homeostat_quality::translation::WordNet::parse(&text).context("--synonyms")?)
        }
        None => None,
    };
    let options = matrix::Options { tokenizer: args.tokenizer.of_bleu(), synonyms: synonyms.as_ref() };
    let figures = matrix::figures(&answers, &options);
    let differences = match &args.against {
        Some(path) => {
            let other = answers::read(path, &references).with_context(|| format!("--against {}", path.display()))?;
            compare::differences(&answers, &other, &options, args.rounds, &Seed::fixed(0))?
        }
        None => Vec::new(),
    };
    if let Some(path) = &args.plot {
        std::fs::write(path, plot::svg(&figures)).with_context(|| format!("--plot {}", path.display()))?;
    }
    let text = match args.format {
        Format::Table => print::table(answers.len(), &figures, &differences),
        Format::Json => print::json(answers.len(), &figures, &differences),
    };
    std::io::stdout().lock().write_all(text.as_bytes()).context("standard output")
}
