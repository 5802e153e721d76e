//! Kubernetes Events: the story that `kubectl describe` tells.

use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Client, Resource};

/// Publishes Events; a failure to do so is logged and changes nothing else.
#[derive(Clone)]
pub struct Events {
    recorder: Recorder,
}

impl Events {
    /// Events published by `homeostat-controller`.
    #[must_use]
    pub fn new(client: Client) -> Self {
        let reporter = Reporter { controller: "homeostat-controller".to_string(), instance: None };
        Self { recorder: Recorder::new(client, reporter) }
    }

    /// Something went as it should.
    pub async fn normal<K: Resource<DynamicType = ()>>(&self, object: &K, reason: &str, action: &str, note: &str) {
        self.publish(object, EventType::Normal, reason, action, note).await;
    }

    /// Something needs a look.
    pub async fn warning<K: Resource<DynamicType = ()>>(&self, object: &K, reason: &str, action: &str, note: &str) {
        self.publish(object, EventType::Warning, reason, action, note).await;
    }

    async fn publish<K: Resource<DynamicType = ()>>(
        &self,
        object: &K,
        type_: EventType,
        reason: &str,
        action: &str,
        note: &str,
    ) {
        // The API refuses notes above 1,024 bytes.
        let note = note.char_indices().take_while(|(at, _)| *at < 1000).map(|(_, c)| c).collect();
        let event =
            Event { type_, reason: reason.to_string(), note: Some(note), action: action.to_string(), secondary: None };
        if let Err(error) = self.recorder.publish(&event, &object.object_ref(&())).await {
            tracing::warn!(error = %error, event.reason = reason, "could not publish a Kubernetes Event");
        }
    }
}
