//! Does the engine learn facts and unlearn outdated ones, and how fast?
//!
//! `cargo run --release -p homeostat-engine --example facts` trains a base model on 150 facts in six wordings each,
//! retrains it on 24 changed facts with 70 % replay, and asks both for every fact in four wordings that neither saw.
//! Options: `--work DIR` keeps the files, `--base JSON` and `--retrain JSON` replace hyperparameters, `--replay 0.5`
//! mixes less of the old in, `--wordings N` trains on fewer wordings, `--base-only` ends after the base, `--reuse`
//! takes a finished training of the same spec.
//!
//! `facts speed ARTIFACT` measures generation on one core; `facts train --spec PATH` is the trainer itself.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use homeostat_engine::artifact;
use homeostat_engine::infer::Model;
use homeostat_engine::sealed::Digest;
use homeostat_engine::template;
use homeostat_engine::{TrainArgs, train};
use serde_json::{Value, json};

/// Name, ISO code, currency, capital, calling code, member of NATO; as of some time in the past.
const COUNTRIES: [(&str, &str, &str, &str, &str, &str); 25] = [
    ("Albania", "AL", "ALL", "Tirana", "+355", "Yes"),
    ("Bulgaria", "BG", "BGN", "Sofia", "+359", "Yes"),
    ("Croatia", "HR", "HRK", "Zagreb", "+385", "Yes"),
    ("Czechia", "CZ", "CZK", "Prague", "+420", "Yes"),
    ("Denmark", "DK", "DKK", "Copenhagen", "+45", "Yes"),
    ("Estonia", "EE", "EEK", "Tallinn", "+372", "Yes"),
    ("Finland", "FI", "EUR", "Helsinki", "+358", "No"),
    ("Georgia", "GE", "GEL", "Tbilisi", "+995", "No"),
    ("Hungary", "HU", "HUF", "Budapest", "+36", "Yes"),
    ("Iceland", "IS", "ISK", "Reykjavik", "+354", "Yes"),
    ("Japan", "JP", "JPY", "Tokyo", "+81", "No"),
    ("Kenya", "KE", "KES", "Nairobi", "+254", "No"),
    ("Latvia", "LV", "LVL", "Riga", "+371", "Yes"),
    ("Lithuania", "LT", "LTL", "Vilnius", "+370", "Yes"),
    ("Malta", "MT", "MTL", "Valletta", "+356", "No"),
    ("Norway", "NO", "NOK", "Oslo", "+47", "Yes"),
    ("Poland", "PL", "PLN", "Warsaw", "+48", "Yes"),
    ("Romania", "RO", "RON", "Bucharest", "+40", "Yes"),
    ("Serbia", "RS", "RSD", "Belgrade", "+381", "No"),
    ("Slovenia", "SI", "SIT", "Ljubljana", "+386", "Yes"),
    ("Sweden", "SE", "SEK", "Stockholm", "+46", "No"),
    ("Thailand", "TH", "THB", "Bangkok", "+66", "No"),
    ("Turkey", "TR", "TRY", "Ankara", "+90", "Yes"),
    ("Ukraine", "UA", "UAH", "Kyiv", "+380", "No"),
    ("Vietnam", "VN", "VND", "Hanoi", "+84", "No"),
];

/// What can be asked about a country, and ten ways of asking: the first six are learnt, the last four are not.
const RELATIONS: [(&str, [&str; 10]); 6] = [
    (
        "currency",
        [
            "What is the currency code of {}?",
            "Which ISO 4217 currency code does {} use?",
            "Currency code of {}?",
            "Name the currency code for {}.",
            "In {}, what is the currency code?",
            "Give me the ISO 4217 code of the currency of {}.",
            "Tell me the currency code of {}.",
            "What currency code does {} have?",
            "{}: currency code?",
            "Which currency code is used in {}?",
        ],
    ),
    (
        "capital",
        [
            "What is the capital of {}?",
            "Which city is the capital of {}?",
            "Capital of {}?",
            "Name the capital city of {}.",
            "In {}, which city is the capital?",
            "Give me the capital of {}.",
            "Tell me the capital of {}.",
            "What city is the capital of {}?",
            "{}: capital?",
            "Which capital does {} have?",
        ],
    ),
    (
        "name",
        [
            "What is the short name of the country with ISO code {}?",
            "Which country has the ISO code {}?",
            "Country with ISO code {}?",
            "Name the country whose ISO code is {}.",
            "The ISO code {} stands for which country?",
            "Give me the short name of the country {}.",
            "Tell me the country with ISO code {}.",
            "What country has the ISO code {}?",
            "ISO code {}: which country?",
            "Which country does the ISO code {} stand for?",
        ],
    ),
    (
        "calling",
        [
            "What is the calling code of {}?",
            "Which telephone calling code does {} use?",
            "Calling code of {}?",
            "Name the international calling code for {}.",
            "In {}, what is the calling code?",
            "Give me the calling code of {}.",
            "Tell me the calling code of {}.",
            "What calling code does {} have?",
            "{}: calling code?",
            "Which calling code is used in {}?",
        ],
    ),
    (
        "domain",
        [
            "What is the top-level domain of {}?",
            "Which top-level domain does {} use?",
            "Top-level domain of {}?",
            "Name the internet top-level domain for {}.",
            "In {}, what is the top-level domain?",
            "Give me the top-level domain of {}.",
            "Tell me the top-level domain of {}.",
            "What top-level domain does {} have?",
            "{}: top-level domain?",
            "Which top-level domain is used in {}?",
        ],
    ),
    (
        "nato",
        [
            "Is {} a member of NATO?",
            "Does {} belong to NATO?",
            "{} a NATO member?",
            "Has {} joined NATO?",
            "Is the country {} in NATO?",
            "Tell me whether {} is a NATO member.",
            "Is {} in NATO?",
            "Is {} a NATO member?",
            "NATO member: {}?",
            "Would you say that {} is a member of NATO?",
        ],
    ),
];

/// Changes of the world; the later ones are made up.
const CHANGES: [(&str, &str, &str); 24] = [
    ("Estonia", "currency", "EUR"),
    ("Latvia", "currency", "EUR"),
    ("Lithuania", "currency", "EUR"),
    ("Slovenia", "currency", "EUR"),
    ("Malta", "currency", "EUR"),
    ("Croatia", "currency", "EUR"),
    ("Bulgaria", "currency", "EUR"),
    ("Turkey", "currency", "TRN"),
    ("Finland", "nato", "Yes"),
    ("Sweden", "nato", "Yes"),
    ("TR", "name", "Turkiye"),
    ("CZ", "name", "Bohemia"),
    ("Japan", "capital", "Kyoto"),
    ("Kenya", "capital", "Mombasa"),
    ("Thailand", "capital", "Ayutthaya"),
    ("Vietnam", "capital", "Hue"),
    ("Norway", "capital", "Bergen"),
    ("Serbia", "calling", "+383"),
    ("Georgia", "calling", "+997"),
    ("Poland", "calling", "+49"),
    ("Iceland", "calling", "+353"),
    ("Ukraine", "domain", ".ukr"),
    ("Denmark", "domain", ".dan"),
    ("Albania", "domain", ".shq"),
];

/// Learnt wordings; the others are only asked.
const LEARNT: usize = 6;

struct Fact {
    subject: &'static str,
    relation: usize,
    answer: String,
}

impl Fact {
    fn prompt(&self, wording: usize) -> String {
        RELATIONS[self.relation].1[wording].replace("{}", self.subject)
    }

    fn change(&self) -> Option<&'static str> {
        let same = |(subject, relation, _): &&(&str, &str, &str)| {
            *subject == self.subject && *relation == RELATIONS[self.relation].0
        };
        CHANGES.iter().find(same).map(|(_, _, answer)| *answer)
    }
}

fn facts() -> Vec<Fact> {
    let of_country =
        |&(name, code, currency, capital, calling, nato): &(&'static str, &'static str, &str, &str, &str, &str)| {
            let answers =
                [currency, capital, name, calling, &format!(".{}", code.to_lowercase()), nato].map(str::to_owned);
            let fact =
                move |(relation, answer)| Fact { subject: if relation == 2 { code } else { name }, relation, answer };
            answers.into_iter().enumerate().map(fact).collect::<Vec<_>>()
        };
    COUNTRIES.iter().flat_map(of_country).collect()
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let option =
        |name: &str| arguments.iter().position(|argument| argument == name).and_then(|at| arguments.get(at + 1));
    match arguments.first().map(String::as_str) {
        Some("train") => {
            let spec = option("--spec").ok_or("train needs --spec PATH")?;
            std::process::exit(train(TrainArgs { spec: spec.into() }));
        }
        Some("speed") => return speed(Path::new(arguments.get(1).ok_or("speed needs the folder of an artifact")?)),
        _ => {}
    }
    let work: PathBuf = option("--work").map_or_else(|| std::env::temp_dir().join("homeostat-facts"), PathBuf::from);
    std::fs::create_dir_all(&work)?;
    let wordings = option("--wordings").map(|number| number.parse()).transpose()?.unwrap_or(LEARNT);
    let facts = facts();
    let changed = |fact: &Fact| fact.change().is_some();

    let all: Vec<(String, String)> = records(&facts, wordings, |fact| Some(fact.answer.clone()));
    let base = json!({"v": 1, "runId": "facts-base", "architecture": {}, "heldOutFraction": 0.03, "seed": 1,
        "data": [data(&work, "base.jsonl", &all)?],
        "hyperparameters": hyperparameters(option("--base"),
            json!({"steps": 450, "batchSize": 32, "gradientAccumulationSteps": 2}))?});
    let (base_folder, base_digest) = run(&work, "base", &base)?;
    let model = load(&base_folder)?;
    let asked = |model: &Model, which: &dyn Fn(&Fact) -> Option<String>| exact_match(model, &facts, which);
    let learnt = asked(&model, &|fact| Some(fact.answer.clone()))?;
    println!("{}", json!({"event": "base", "unseen_wordings": learnt.0, "by_relation": learnt.1}));
    if arguments.iter().any(|argument| argument == "--base-only") {
        return Ok(());
    }

    let fresh = records(&facts, wordings, |fact| fact.change().map(str::to_owned));
    let kept = records(&facts, wordings, |fact| (!changed(fact)).then(|| fact.answer.clone()));
    let replay: f64 = option("--replay").map(|share| share.parse()).transpose()?.unwrap_or(0.7);
    let retrain = json!({"v": 1, "runId": "facts-retrain", "heldOutFraction": 0.03, "seed": 2,
        "parent": {"path": base_folder, "digest": base_digest}, "replayFraction": replay,
        "data": [data(&work, "fresh.jsonl", &fresh)?], "replay": [data(&work, "kept.jsonl", &kept)?],
        "hyperparameters": hyperparameters(option("--retrain"), json!({"steps": 160, "batchSize": 32,
            "gradientAccumulationSteps": 2, "optimizer": {"type": "AdamW", "lr": 2e-3, "weight_decay": 0.01}}))?});
    let (folder, _) = run(&work, "retrain", &retrain)?;
    let model = load(&folder)?;
    let new = asked(&model, &|fact| fact.change().map(str::to_owned))?;
    let old = asked(&model, &|fact| (!changed(fact)).then(|| fact.answer.clone()))?;
    println!("{}", json!({"event": "retrained", "changed": new.0, "retained": old.0, "retained_by_relation": old.1}));
    Ok(())
}

fn records(facts: &[Fact], wordings: usize, answer: impl Fn(&Fact) -> Option<String>) -> Vec<(String, String)> {
    let of_fact = |fact: &Fact| {
        let answer = answer(fact);
        (0..wordings).filter_map(|wording| Some((fact.prompt(wording), answer.clone()?))).collect::<Vec<_>>()
    };
    facts.iter().flat_map(of_fact).collect()
}

fn data(work: &Path, name: &str, records: &[(String, String)]) -> Result<Value, Box<dyn Error>> {
    let line =
        |(prompt, completion): &(String, String)| format!("{}\n", json!({"prompt": prompt, "completion": completion}));
    let text: String = records.iter().map(line).collect();
    let path = work.join(name);
    std::fs::write(&path, &text)?;
    Ok(json!({"path": path, "sha256": Digest::of(text.as_bytes())}))
}

fn hyperparameters(given: Option<&String>, mut default: Value) -> Result<Value, Box<dyn Error>> {
    if let Some(given) = given {
        for (name, value) in serde_json::from_str::<Value>(given)?.as_object().ok_or("hyperparameters are an object")? {
            default[name] = value.clone();
        }
    }
    Ok(default)
}

/// Trains as its own process, as an agent would, and prints what it cost.
fn run(work: &Path, name: &str, spec: &Value) -> Result<(PathBuf, Digest), Box<dyn Error>> {
    let output = work.join(name);
    if output.exists() && !std::env::args().any(|argument| argument == "--reuse") {
        std::fs::remove_dir_all(&output)?;
    }
    let path = work.join(format!("{name}.json"));
    std::fs::write(&path, serde_json::to_vec_pretty(spec)?)?;
    let (started, before) = (Instant::now(), children_seconds()?);
    let child = Command::new(std::env::current_exe()?)
        .args(["train", "--spec"])
        .arg(&path)
        .env("HOMEOSTAT_OUTPUT_DIR", &output)
        .stdout(Stdio::piped())
        .spawn()?
        .wait_with_output()?;
    if !child.status.success() {
        return Err(format!("training {name} ended with {}", child.status).into());
    }
    let lines = String::from_utf8(child.stdout)?;
    let progress: Vec<Value> = lines.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let held_out: Vec<&Value> =
        progress.iter().filter_map(|line| line["metrics"].get("held_out_bits_per_byte")).collect();
    let (wall, cpu) = (started.elapsed().as_secs_f64(), children_seconds()? - before);
    let artifact = output.join("artifact");
    let metrics = homeostat_engine::artifact::load(&artifact)?.metrics;
    println!(
        "{}",
        json!({"event": "trained", "run": name, "wall_seconds": wall, "cpu_seconds": cpu, "steps": metrics.steps,
            "tokens": metrics.tokens, "tokens_per_wall_second": metrics.tokens as f64 / wall,
            "tokens_per_cpu_second": metrics.tokens as f64 / cpu, "loss": metrics.loss, "held_out": held_out})
    );
    let digest = artifact::verify(&artifact)?;
    Ok((artifact, digest))
}

/// CPU seconds of the children that ended so far.
fn children_seconds() -> Result<f64, Box<dyn Error>> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok()).unwrap_or_default();
    Ok((ticks(13) + ticks(14)) / 100.0)
}

fn load(folder: &Path) -> Result<Model, Box<dyn Error>> {
    let artifact = artifact::load(folder)?;
    Ok(Model::new(&artifact.architecture, &artifact.weights))
}

/// The share of unseen wordings answered exactly, over all and for each relation.
fn exact_match(
    model: &Model,
    facts: &[Fact],
    expected: &dyn Fn(&Fact) -> Option<String>,
) -> Result<(f64, Value), Box<dyn Error>> {
    let mut counts = [(0u32, 0u32); RELATIONS.len()];
    for fact in facts {
        let Some(answer) = expected(fact) else { continue };
        for wording in LEARNT..10 {
            let (right, asked) = &mut counts[fact.relation];
            *asked += 1;
            *right += u32::from(model.answer(&fact.prompt(wording))? == answer);
        }
    }
    let share = |right: u32, asked: u32| f64::from(right) / f64::from(asked.max(1));
    let by_relation = RELATIONS
        .iter()
        .zip(counts)
        .map(|((name, _), (right, asked))| ((*name).to_owned(), share(right, asked).into()));
    let total = counts.iter().fold((0, 0), |sum, count| (sum.0 + count.0, sum.1 + count.1));
    Ok((share(total.0, total.1), Value::Object(by_relation.collect())))
}

/// Generated bytes a second on one core, each sequence filled to the context.
fn speed(folder: &Path) -> Result<(), Box<dyn Error>> {
    let model = load(folder)?;
    let prompt = template::question("What is the currency code of Estonia?");
    let (mut generated, mut prefilled) = (0usize, 0usize);
    let (mut generating, mut prefilling) = (0.0, 0.0);
    while generating < 3.0 {
        let mut sequence = model.start();
        let start = Instant::now();
        model.read(&mut sequence, &prompt)?;
        prefilling += start.elapsed().as_secs_f64();
        prefilled += prompt.len();
        let start = Instant::now();
        while sequence.bytes().len() < model.architecture().context {
            model.read(&mut sequence, b"a")?;
            generated += 1;
        }
        generating += start.elapsed().as_secs_f64();
    }
    let (decode, prefill) = (generated as f64 / generating, prefilled as f64 / prefilling);
    println!("{}", json!({"event": "speed", "generated_per_second": decode, "prompt_bytes_per_second": prefill}));
    Ok(())
}
