use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn sample(id: u64) -> Sample {
    Sample { request_id: format!("request-{id}"), prompt: "x".repeat(100), ..Sample::default() }
}

fn open(folder: &Path, limits: SpoolLimits, epoch: &str) -> Spool {
    Spool::open(folder, limits, || epoch.to_string()).unwrap()
}

fn ids(spool: &Spool, from: u64) -> Vec<(u64, String)> {
    let reports = spool.read(from, usize::MAX).unwrap();
    reports.into_iter().map(|report| (report.sequence, report.samples[0].request_id.clone())).collect()
}

const LARGE: SpoolLimits = SpoolLimits { segment_bytes: 500, bytes: 1 << 20 };

#[test]
fn an_epoch_lasts_as_long_as_there_are_reports() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path(), LARGE, "one");
    assert_eq!(spool.append(vec![], vec![sample(1)]).unwrap(), 1);
    assert_eq!(spool.append(vec![], vec![sample(2)]).unwrap(), 2);
    drop(spool);
    let mut spool = open(folder.path(), LARGE, "two");
    assert_eq!((spool.epoch(), spool.oldest(), spool.next_sequence()), ("one", 1, 3));
    spool.acknowledge(2).unwrap();
    assert!(spool.is_empty());
    assert_eq!(spool.append(vec![], vec![sample(3)]).unwrap(), 3, "sequences go on while it is open");
    spool.acknowledge(3).unwrap();
    drop(spool);
    let spool = open(folder.path(), LARGE, "three");
    assert_eq!((spool.epoch(), spool.next_sequence()), ("three", 1));
}

#[test]
fn a_batch_is_bounded_and_never_empty_while_there_is_something() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path(), LARGE, "e");
    for id in 1..=9 {
        spool.append(vec![], vec![sample(id)]).unwrap();
    }
    assert_eq!(spool.read(1, 1).unwrap().len(), 1);
    assert_eq!(spool.read(4, 300).unwrap().iter().map(|report| report.sequence).collect::<Vec<_>>(), [4, 5]);
    assert!(spool.read(10, 300).unwrap().is_empty());
}

#[test]
fn a_full_spool_drops_the_oldest_and_counts_them() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path(), SpoolLimits { segment_bytes: 300, bytes: 1_000 }, "e");
    for id in 1..=30 {
        spool.append(vec![], vec![sample(id)]).unwrap();
    }
    assert!(spool.lost() > 0);
    assert_eq!(spool.len() + spool.lost(), 30);
    assert_eq!(ids(&spool, 1).last().unwrap().0, 30, "the newest stay");
    assert_eq!(ids(&spool, 1).first().unwrap().0, spool.oldest());
}

#[derive(Clone, Debug)]
enum Step {
    Append,
    Acknowledge(u64),
    Reopen,
    /// Killed while appending: some bytes of a frame are there.
    Torn(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        5 => Just(Step::Append),
        2 => (0_u64..40).prop_map(Step::Acknowledge),
        1 => Just(Step::Reopen),
        1 => (1_usize..200).prop_map(Step::Torn),
    ];
    prop::collection::vec(step, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Whatever happens, nothing that was appended and not acknowledged is missing, everything is in order, and within
    /// an epoch no sequence ever stands for two reports.
    #[test]
    fn nothing_unacknowledged_is_lost_and_no_sequence_is_used_twice(steps in steps()) {
        let folder = tempfile::tempdir().unwrap();
        let mut epochs = 0;
        let mut reopen = || { epochs += 1; open(folder.path(), LARGE, &format!("epoch{epochs}")) };
        let mut spool = reopen();
        let mut used: BTreeMap<(String, u64), u64> = BTreeMap::new();
        let mut unacknowledged: BTreeMap<u64, u64> = BTreeMap::new();
        for (id, step) in (1..).zip(steps) {
            match step {
                Step::Append => {
                    let sequence = spool.append(vec![], vec![sample(id)]).unwrap();
                    prop_assert_eq!(used.insert((spool.epoch().to_string(), sequence), id), None);
                    unacknowledged.insert(sequence, id);
                }
                Step::Acknowledge(sequence) => {
                    let sequence = sequence.min(spool.next_sequence() - 1);
                    spool.acknowledge(sequence).unwrap();
                    unacknowledged.retain(|held, _| *held > sequence);
                }
                Step::Reopen => {
                    drop(spool);
                    spool = reopen();
                }
                Step::Torn(length) => {
                    let _ = spool.append(vec![], vec![sample(id)]).unwrap();
                    let last = spool.segments.back().unwrap();
                    let frame = 20 + last.frames().unwrap().last().unwrap().1.len();
                    let file = fs::OpenOptions::new().write(true).open(spool.folder.join(format!("{:020}", last.first()))).unwrap();
                    file.set_len(last.bytes() - length.min(frame) as u64).unwrap();
                    drop(spool);
                    spool = reopen();
                }
            }
            // A reopened spool may bring back what was acknowledged in a segment that is still needed.
            let held: BTreeMap<u64, String> = ids(&spool, 1).into_iter().collect();
            for (sequence, id) in &unacknowledged {
                prop_assert_eq!(held.get(sequence), Some(&format!("request-{id}")));
            }
        }
    }
}

#[test]
fn damage_in_the_middle_never_lets_a_sequence_be_used_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path(), LARGE, "e");
    for id in 1..=3 {
        spool.append(vec![], vec![sample(id)]).unwrap();
    }
    let path = folder.path().join(format!("{:020}", 1));
    drop(spool);
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, bytes).unwrap();
    let mut spool = open(folder.path(), LARGE, "f");
    assert_eq!((spool.epoch(), ids(&spool, 1).len()), ("e", 1));
    assert!(spool.append(vec![], vec![sample(4)]).unwrap() > 3);
}
