use crate::set::Scored;

/// One multiple-choice question as an engine scored it.
#[derive(Clone, Debug, PartialEq)]
pub struct Choices {
    /// Each choice with the sum of the natural log-probabilities of its tokens; `None` where the engine gave none.
    pub choices: Vec<(String, Option<f64>)>,
    /// Which choice is right.
    pub gold: usize,
}

/// Share of questions whose right choice has the highest log-probability per character (lm-evaluation-harness `acc_norm`); of equal
/// ones the first is taken. A question is missing when any choice lacks its figure.
pub fn acc_norm<'a>(questions: impl IntoIterator<Item = &'a Choices>) -> Scored<f64> {
    #[expect(clippy::cast_precision_loss, reason = "choices stay far below 2^53 characters")]
    let length = |choice: &str| choice.chars().count() as f64;
    Scored::mean(questions.into_iter().map(|question| question.mark(length)))
}

/// Share of questions whose right choice has the highest log-probability (lm-evaluation-harness `acc`), otherwise as [`acc_norm`].
pub fn accuracy<'a>(questions: impl IntoIterator<Item = &'a Choices>) -> Scored<f64> {
    Scored::mean(questions.into_iter().map(|question| question.mark(|_| 1.0)))
}

impl Choices {
    fn mark(&self, length: impl Fn(&str) -> f64) -> Option<f64> {
        let mut best: Option<(usize, f64)> = None;
        for (at, (text, logprob)) in self.choices.iter().enumerate() {
            // An empty choice divides by zero, as in the reference: it then is worst.
            let value = (*logprob).filter(|logprob| !logprob.is_nan())? / length(text);
            if best.is_none_or(|(_, held)| value > held) {
                best = Some((at, value));
            }
        }
        best.filter(|_| self.gold < self.choices.len()).map(|(at, _)| f64::from(u8::from(at == self.gold)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_choices_are_not_punished() {
        let question =
            |gold| Choices { choices: vec![("no".into(), Some(-2.0)), ("certainly".into(), Some(-4.5))], gold };
        assert_eq!(acc_norm(&[question(1)]).score, Some(1.0));
        assert_eq!(accuracy(&[question(1)]).score, Some(0.0));
        let missing = Choices { choices: vec![("a".into(), None), ("b".into(), Some(-1.0))], gold: 1 };
        assert_eq!(acc_norm(&[question(0), missing]), Scored { score: Some(0.0), n: 1, missing: 1 });
    }
}
