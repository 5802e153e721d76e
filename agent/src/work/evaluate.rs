use std::collections::BTreeMap;

use homeostat_protocol::{Evaluate, WorkResult};
use homeostat_quality::ItemScore;

use super::curate::{count, result};
use super::engine::scores;
use super::{Attempt, Failure, json};

impl Attempt {
    /// Marks all artifacts on the same items, one artifact after the other.
    pub(super) async fn evaluate(&self, work: &Evaluate) -> Result<WorkResult, Failure> {
        self.stage("fetch", 0, 1);
        let set = self.evaluation_set(&work.evaluation_digest).await?;
        let prompts: Vec<&str> = set.items.iter().map(|item| item.prompt.as_str()).collect();
        let mut marks: BTreeMap<&str, Vec<ItemScore>> = BTreeMap::new();
        let mut figures = BTreeMap::from([("items".to_string(), count(set.items.len()))]);
        for (index, artifact) in work.artifacts.iter().enumerate() {
            let stage = format!("version {} of {}", index + 1, work.artifacts.len());
            let answers = self.answers(artifact, &prompts, &stage).await?;
            figures.insert(format!("answered_{}", index + 1), count(answers.iter().flatten().count()));
            marks.insert(artifact, scores(&set, &answers));
        }
        let digest = self.runner.blobs.put(json(&marks)?).await?;
        Ok(result(String::new(), BTreeMap::from([("scores".to_string(), digest)]), figures))
    }
}
