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

fn mean(marks: &[Option<f64>]) -> Option<f64> {
    let known: Vec<f64> = marks.iter().flatten().copied().collect();
    (!known.is_empty() && known.len() * 20 >= marks.len() * 19).then(|| known.iter().sum::<f64>() / known.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

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
