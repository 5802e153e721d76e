//! Precision and recall on labelled texts of pattern entities, made by a seeded generator.

mod labelled {
    pub(crate) mod generator;
}

use std::collections::BTreeMap;

use homeostat_privacy::{Entity, Recognizers};
use labelled::generator::{Generator, Labelled};

/// What the generator writes; names, places and dates in its prose are no mistake when found.
const LABELS: [Entity; 8] = [
    Entity::EmailAddress,
    Entity::PhoneNumber,
    Entity::CreditCard,
    Entity::UsSsn,
    Entity::IbanCode,
    Entity::IpAddress,
    Entity::MacAddress,
    Entity::Url,
];

#[test]
fn f2_on_pattern_entities_is_above_97_percent() {
    let recognizers = Recognizers::all();
    let mut generator = Generator::new(20_261_124);
    let mut counts: BTreeMap<Entity, [u32; 3]> = BTreeMap::new();
    for _ in 0..4_000 {
        let Labelled { text, spans } = generator.text();
        let found: Vec<_> = recognizers
            .find(&text)
            .into_iter()
            .filter(|finding| !matches!(finding.entity, Entity::Person | Entity::Location | Entity::Organization))
            .map(|finding| (finding.entity, finding.start, finding.end))
            .collect();
        for span in &found {
            let right = spans.contains(span);
            counts.entry(span.0).or_default()[if right { 0 } else { 1 }] += 1;
            if !right {
                println!("false {:?} {:?} in {text:?}", span.0, &text[span.1..span.2]);
            }
        }
        for span in spans.iter().filter(|span| !found.contains(span)) {
            counts.entry(span.0).or_default()[2] += 1;
            println!("missed {:?} {:?} in {text:?}", span.0, &text[span.1..span.2]);
        }
    }
    let f2 = |[right, wrong, missed]: [u32; 3]| {
        5.0 * f64::from(right) / (5.0 * f64::from(right) + 4.0 * f64::from(missed) + f64::from(wrong))
    };
    for (entity, counted) in &counts {
        println!("{entity}: right {}, false {}, missed {}, F2 {:.4}", counted[0], counted[1], counted[2], f2(*counted));
    }
    let all = counts.values().fold([0; 3], |all, one| [all[0] + one[0], all[1] + one[1], all[2] + one[2]]);
    println!("all: F2 {:.4}", f2(all));
    assert!(f2(all) > 0.97, "F2 {:.4}", f2(all));
    for entity in LABELS {
        assert!(f2(counts[&entity]) > 0.93, "{entity}: F2 {:.4}", f2(counts[&entity]));
    }
}
