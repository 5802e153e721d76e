//! What users ask, and what they say the right answers are.

use homeostat_clock::Seed;

use super::{Fact, LEARNT, World};

/// What users are interested in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mix {
    /// Everything alike.
    Even,
    /// What is in the news: three of four questions are about facts that changed.
    News,
    /// Another mix, of facts that hold: most want to know capitals and calling codes.
    Shifted,
}

/// A question of a user.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Question<'a> {
    /// The text.
    pub(crate) prompt: String,
    /// What it is about.
    pub(crate) fact: &'a Fact,
    /// Whether personal data stands in it.
    pub(crate) personal: bool,
    /// A number below 1 by which the user decides whether to give feedback.
    pub(crate) mood: f64,
    /// A number by which the user's feedback key is chosen.
    pub(crate) user: u64,
}

/// The users.
#[derive(Clone, Debug)]
pub(crate) struct Traffic {
    world: World,
    seed: Seed,
}

/// Share of the questions with personal data in them.
const PERSONAL: f64 = 0.03;

impl Traffic {
    /// The users of `world`.
    pub(crate) fn new(world: World, seed: Seed) -> Self {
        Self { world, seed }
    }

    /// Question number `number` under `mix`; the same each time it is asked for.
    pub(crate) fn question(&self, mix: Mix, number: u64) -> Question<'_> {
        let drawn = self.seed.derive(&format!("traffic/{number}"));
        let at = |index: usize| {
            let mut bytes = [0; 4];
            bytes.copy_from_slice(&drawn[4 * index..4 * index + 4]);
            u32::from_le_bytes(bytes)
        };
        let unit = |index: usize| f64::from(at(index)) / (f64::from(u32::MAX) + 1.0);
        let group = unit(0);
        let wanted = |fact: &&Fact| match mix {
            Mix::Even => true,
            Mix::News => fact.changed() == (group < 0.75),
            Mix::Shifted => {
                let popular = matches!(fact.relation.slice(), "capital" | "calling");
                !fact.changed() && popular == (group < 0.9)
            }
        };
        let facts: Vec<&Fact> = self.world.facts().iter().filter(wanted).collect();
        let fact = facts[at(1) as usize % facts.len()];
        let prompt = fact.asked(at(2) as usize % LEARNT);
        let personal = unit(3) < PERSONAL;
        let prompt = if personal { with_personal_data(&prompt, number) } else { prompt };
        Question { prompt, fact, personal, mood: unit(4), user: u64::from(at(5)) }
    }

    /// The world they live in.
    pub(crate) fn world(&self) -> &World {
        &self.world
    }
}

/// The question as somebody asks it who says who they are, or with which card they paid. Invented people at reserved domains,
/// and the card networks' published test numbers.
pub(super) fn with_personal_data(prompt: &str, number: u64) -> String {
    const SAID: [&str; 8] = [
        "I am ada.nowak@example.com.",
        "My card is 4111 1111 1111 1111.",
        "Reply to li.wei@example.org!",
        "I paid with 5555555555554444.",
        "Mail sam.okoro@example.net:",
        "Card 3782 822463 10005 here.",
        "From eva.lund@mail.example:",
        "It is on 6011111111111117.",
    ];
    let index = usize::try_from(number % SAID.len() as u64).unwrap_or_default();
    format!("{} {prompt}", SAID[index])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(mix: Mix, of: impl Fn(&Question<'_>) -> bool) -> f64 {
        let traffic = Traffic::new(World::new(), Seed::fixed(1));
        let hits = (0..4000).filter(|number| of(&traffic.question(mix, *number))).count();
        hits as f64 / 4000.0
    }

    #[test]
    fn the_mixes_are_what_they_say() {
        let about = |expected: f64, found: f64| assert!((expected - found).abs() < 0.03, "{expected} {found}");
        about(33.0 / 150.0, share(Mix::Even, |question| question.fact.changed()));
        about(0.75, share(Mix::News, |question| question.fact.changed()));
        assert!(share(Mix::Shifted, |question| question.fact.changed()) == 0.0);
        about(0.9, share(Mix::Shifted, |q| matches!(q.fact.relation.slice(), "capital" | "calling")));
        about(PERSONAL, share(Mix::Even, |question| question.personal));
    }

    #[test]
    fn a_question_is_the_same_each_time() {
        let ask = |seed| Traffic::new(World::new(), Seed::fixed(seed)).question(Mix::News, 17).prompt.clone();
        assert_eq!(ask(1), ask(1));
        assert!((0..20).any(|number| {
            let question = |seed| Traffic::new(World::new(), Seed::fixed(seed)).question(Mix::News, number).prompt;
            question(1) != question(2)
        }));
    }
}
