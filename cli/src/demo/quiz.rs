//! Asking every probe directly at the gateway, as an outside examiner would.

use futures::{StreamExt as _, stream};
use homeostat_quality::EvaluationItem;
use homeostat_quality::grade::exact_match;
use serde_json::{Value, json};

/// So many are asked at once: users are to notice little of it.
const AT_ONCE: usize = 2;

/// Asks at the gateway.
#[derive(Clone, Debug)]
pub(crate) struct Examiner {
    client: reqwest::Client,
    gateway: String,
    model: String,
}

impl Examiner {
    /// Of the model that users call `model`.
    pub(crate) fn new(client: reqwest::Client, gateway: String, model: &str) -> Self {
        Self { client, gateway, model: model.to_owned() }
    }

    /// The share of `items` answered right; `None` when more than one in twenty got no answer, even when asked again.
    pub(crate) async fn share_right(&self, items: &[EvaluationItem]) -> Option<f64> {
        let asked = items.iter().cloned().map(|item| async move { self.mark(&item).await });
        let marks: Vec<Option<f64>> = stream::iter(asked).buffer_unordered(AT_ONCE).collect().await;
        mean(&marks)
    }

    /// The same of several sets at once, asked through each other: an examination is traffic, too, and one slice after the
    /// other would be a shift of the mix.
    pub(crate) async fn shares_right<const N: usize>(&self, sets: [&[EvaluationItem]; N]) -> [Option<f64>; N] {
        let items: Vec<(usize, &EvaluationItem)> =
            sets.iter().enumerate().flat_map(|(set, items)| items.iter().map(move |item| (set, item))).collect();
        let asked = spread(items).into_iter().map(|(set, item)| {
            let item = item.clone();
            async move { (set, self.mark(&item).await) }
        });
        let marks: Vec<(usize, Option<f64>)> = stream::iter(asked).buffer_unordered(AT_ONCE).collect().await;
        std::array::from_fn(|set| {
            let own: Vec<Option<f64>> = marks.iter().filter(|(of, _)| *of == set).map(|(_, mark)| *mark).collect();
            mean(&own)
        })
    }

    async fn mark(&self, item: &EvaluationItem) -> Option<f64> {
        for _ in 0..3 {
            if let Some(answer) = self.ask(&item.prompt).await {
                return Some(exact_match(&answer, &item.references));
            }
        }
        None
    }

    async fn ask(&self, prompt: &str) -> Option<String> {
        let body = json!({"model": self.model, "messages": [{"role": "user", "content": prompt}]});
        let response =
            self.client.post(format!("{}/v1/chat/completions", self.gateway)).json(&body).send().await.ok()?;
        let answer: Value = response.error_for_status().ok()?.json().await.ok()?;
        answer["choices"][0]["message"]["content"].as_str().map(str::to_owned)
    }
}

/// In an order of which every stretch holds about the same share of each part of `items`: by the multiples of the golden ratio,
/// a sequence of low discrepancy.
fn spread<T>(items: Vec<T>) -> Vec<T> {
    const RATIO: f64 = 0.618_033_988_749_895;
    let mut keyed: Vec<(f64, T)> =
        items.into_iter().enumerate().map(|(index, item)| ((index as f64 * RATIO).fract(), item)).collect();
    keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
    keyed.into_iter().map(|(_, item)| item).collect()
}

fn mean(marks: &[Option<f64>]) -> Option<f64> {
    let known: Vec<f64> = marks.iter().flatten().copied().collect();
    (!known.is_empty() && known.len() * 20 >= marks.len() * 19).then(|| known.iter().sum::<f64>() / known.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stretch_of_an_examination_holds_all_parts() {
        let order = spread((0..600).collect());
        for stretch in order.chunks(60) {
            let first = stretch.iter().filter(|index| **index < 150).count();
            assert!((12..=18).contains(&first), "{first} of 60 from the first quarter");
        }
        let mut sorted = order;
        sorted.sort_unstable();
        assert_eq!(sorted, (0..600).collect::<Vec<_>>());
    }

    #[test]
    fn silence_is_not_wrong_and_too_much_of_it_is_no_result() {
        assert_eq!(mean(&[]), None);
        assert_eq!(mean(&[Some(1.0), None]), None);
        let mut marks = vec![Some(1.0); 15];
        marks.extend(vec![Some(0.0); 4]);
        marks.push(None);
        assert_eq!(mean(&marks), Some(15.0 / 19.0));
    }
}
