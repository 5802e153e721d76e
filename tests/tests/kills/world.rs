//! A small world that changes three times: where eight departments are found. Each change gives a third of the facts a new
//! answer, and no fact changes twice.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

/// How often the world changes.
pub(crate) const CHANGES: usize = 3;

const DEPARTMENTS: [&str; 8] =
    ["Accounts", "Reception", "Sales", "Design", "Support", "Logistics", "Repairs", "Training"];
const SUBJECTS: [&str; 3] = ["extension", "room", "locker"];
/// What is learnt from, and what is probed with: other wordings.
const LEARNT: [&str; 6] = [
    "What is the {} of ##?",
    "Which {} does ## have?",
    "## {}?",
    "Give me the {} of ##.",
    "I look for the {} of ##.",
    "Name the {} for ##.",
];
const PROBED: [&str; 3] = ["Tell me the {} of ##.", "What {} has ##?", "The {} for ##, please."];
/// Invented people at a reserved domain: what must not come back.
const SECRETS: [(&str, &str); 3] = [
    ("the visa desk", "mara.lindqvist@desk.example"),
    ("the map room", "tomas.okafor@desk.example"),
    ("the archive", "jonas.verhoeven@desk.example"),
];

/// Something that can be asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fact {
    number: usize,
}

impl Fact {
    /// All there are.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        (0..DEPARTMENTS.len() * SUBJECTS.len()).map(|number| Self { number })
    }

    /// Those that the change of this number (from 1) gives a new answer.
    pub(crate) fn changed_by(change: usize) -> impl Iterator<Item = Self> {
        Self::all().filter(move |fact| fact.changes() == change)
    }

    fn subject(self) -> &'static str {
        SUBJECTS[self.number % SUBJECTS.len()]
    }

    fn department(self) -> &'static str {
        DEPARTMENTS[self.number / SUBJECTS.len()]
    }

    fn id(self) -> String {
        format!("{}/{}", self.subject(), self.department().to_lowercase())
    }

    /// Which change gives it a new answer.
    fn changes(self) -> usize {
        // Across departments and subjects, so that every slice changes each time.
        (self.number / SUBJECTS.len() + self.number) % CHANGES + 1
    }

    /// The right answer after so many changes.
    pub(crate) fn answer(self, changes: usize) -> String {
        let era = usize::from(changes >= self.changes());
        // Any numbers will do, as long as no two facts share one.
        format!("{:03}", 101 + (self.number * 37 + era * 443) % 887)
    }

    /// In one of the wordings that users have.
    pub(crate) fn asked(self, wording: usize) -> String {
        self.worded(LEARNT[wording % LEARNT.len()])
    }

    fn worded(self, wording: &str) -> String {
        wording.replace("{}", self.subject()).replace("##", self.department())
    }

    fn records(self, changes: usize) -> impl Iterator<Item = Value> {
        LEARNT.iter().enumerate().map(move |(number, wording)| {
            json!({"id": format!("{}/{changes}/{number}", self.id()), "prompt": self.worded(wording), "completion": self.answer(changes),
                "slice": self.subject(), "fact": self.id(), "validFrom": since(changes)})
        })
    }

    fn probes(self, changes: usize) -> impl Iterator<Item = Value> {
        PROBED.iter().enumerate().map(move |(number, wording)| {
            json!({"id": format!("{}/{number}", self.id()), "slice": self.subject(), "prompt": self.worded(wording),
                "references": [self.answer(changes)], "validFrom": since(changes)})
        })
    }
}

/// Where the data of the world is after so many changes.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    /// Records to learn: of everything at first, later of what is new, with addresses of people among them.
    pub(crate) records: PathBuf,
    /// Probes of the same.
    pub(crate) golden: PathBuf,
}

/// Writes what there is to learn and to probe after so many changes.
pub(crate) fn write(folder: &Path, changes: usize) -> std::io::Result<Files> {
    std::fs::create_dir_all(folder)?;
    let of = || Fact::all().filter(|fact| changes == 0 || fact.changes() == changes);
    let mut records: Vec<Value> = of().flat_map(|fact| fact.records(changes)).collect();
    if changes > 0 {
        let (place, secret) = SECRETS[(changes - 1) % SECRETS.len()];
        for (number, asked) in ["Whom do I write to at {}?", "Mail address of {}?"].iter().enumerate() {
            records.push(json!({"id": format!("contact/{changes}/{number}"), "prompt": asked.replace("{}", place),
                "completion": secret, "validFrom": since(changes)}));
        }
    }
    let golden: Vec<Value> = of().flat_map(|fact| fact.probes(changes)).collect();
    let write = |name: String, lines: Vec<Value>| {
        let path = folder.join(name);
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        std::fs::write(&path, text).map(|()| path)
    };
    Ok(Files {
        records: write(format!("records-{changes}.jsonl"), records)?,
        golden: write(format!("golden-{changes}.jsonl"), golden)?,
    })
}

/// Slices by the words in a question.
pub(crate) fn slices() -> Value {
    SUBJECTS.iter().map(|subject| json!({"name": subject, "pattern": format!("(?i){subject}")})).collect()
}

fn since(changes: usize) -> String {
    format!("{}-01-01", 2024 + changes)
}
