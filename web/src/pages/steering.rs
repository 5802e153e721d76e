//! `POST /models/{namespace}/{name}/steering`: one merge patch to `spec.steering`, with the person's name and reason.

use std::sync::Arc;

use axum::Form;
use axum::extract::{Path, State};
use axum::response::Redirect;
use homeostat_clock::UtcMillis;
use homeostat_crds::Model;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::site::{PageError, Signed, Site, find};

/// What a person can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Promote,
    Abort,
    Hold,
    Resume,
    Retrain,
    Rebaseline,
    Pin,
    Unpin,
}

impl Action {
    const ALL: [(&'static str, Self); 8] = [
        ("promote", Self::Promote),
        ("abort", Self::Abort),
        ("hold", Self::Hold),
        ("resume", Self::Resume),
        ("retrain", Self::Retrain),
        ("rebaseline", Self::Rebaseline),
        ("pin", Self::Pin),
        ("unpin", Self::Unpin),
    ];

    /// The action of a button's value.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(name, _)| *name == text).map(|(_, action)| action)
    }

    fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|(_, action)| *action == self).map_or("", |(name, _)| name)
    }

    /// What the page says afterwards.
    pub(crate) fn done(self) -> &'static str {
        match self {
            Self::Promote => "Asked for: the candidate is to be promoted.",
            Self::Abort => "Asked for: the candidate is to be aborted.",
            Self::Hold => "Held: Homeostat watches this model and does nothing by itself.",
            Self::Resume => "Resumed: Homeostat acts by itself again.",
            Self::Retrain => "Asked for: a retraining begins now, budget and attempts permitting.",
            Self::Rebaseline => "Asked for: the baseline is frozen anew.",
            Self::Pin => "Pinned: this version serves and nothing else.",
            Self::Unpin => "The pin is lifted.",
        }
    }
}

/// The form.
#[derive(Debug, serde::Deserialize)]
pub(crate) struct Steering {
    csrf: String,
    action: String,
    #[serde(default)]
    reason: String,
    /// The candidate that the person saw, for promote and abort.
    #[serde(default)]
    candidate: String,
    /// The version to pin.
    #[serde(default)]
    version: String,
}

/// `POST /models/{namespace}/{name}/steering`
pub(crate) async fn post(
    Signed(session): Signed,
    State(site): State<Arc<Site>>,
    Path((namespace, name)): Path<(String, String)>,
    Form(form): Form<Steering>,
) -> Result<Redirect, PageError> {
    if !site.signer.equal(&form.csrf, &session.csrf) {
        return Err(PageError::Forged);
    }
    find(&site.objects.models, &namespace, &name)?;
    let (action, patch) = patch(&form, site.now()).map_err(PageError::Invalid)?;
    let api: Api<Model> = Api::namespaced(site.clients.client_for(&session.user), &namespace);
    let parameters = PatchParams { field_manager: Some("homeostat-dashboard".to_string()), ..PatchParams::default() };
    match api.patch(&name, &parameters, &Patch::Merge(patch)).await {
        Ok(_) => {
            tracing::info!(model.name = %format!("{namespace}/{name}"), user = %session.user, action = action.name(), "a person steered a model");
            Ok(Redirect::to(&format!("/models/{namespace}/{name}?done={}", action.name())))
        }
        Err(kube::Error::Api(status)) => Err(PageError::Refused(status.message.clone())),
        Err(error) => Err(PageError::Refused(error.to_string())),
    }
}

/// The merge patch of a form.
fn patch(form: &Steering, now: UtcMillis) -> Result<(Action, Value), String> {
    let action = Action::parse(&form.action)
        .ok_or_else(|| format!("{:?} is no steering action: use the buttons of the page", form.action))?;
    let reason = form.reason.trim();
    if reason.is_empty() {
        return Err("the reason is missing: say in a few words why, it goes into the ledger with your name".to_string());
    }
    if reason.chars().count() > 500 {
        return Err(format!("the reason has {} characters: at most 500 go into the ledger", reason.chars().count()));
    }
    let named = |text: &str, what: &str| match text.trim() {
        "" => Err(format!("{} needs a {what}: load the page again and choose one", action.name())),
        text => Ok(json!(text)),
    };
    let token = json!(now.to_rfc3339());
    let (field, value) = match action {
        Action::Promote => ("promote", named(&form.candidate, "candidate")?),
        Action::Abort => ("abort", named(&form.candidate, "candidate")?),
        Action::Hold => ("hold", json!(true)),
        Action::Resume => ("hold", json!(false)),
        Action::Retrain => ("retrain", token),
        Action::Rebaseline => ("rebaseline", token),
        Action::Pin => ("pin", named(&form.version, "version")?),
        Action::Unpin => ("pin", Value::Null),
    };
    Ok((action, json!({"spec": {"steering": {field: value, "reason": reason}}})))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(action: &str, reason: &str) -> Steering {
        Steering {
            csrf: String::new(),
            action: action.into(),
            reason: reason.into(),
            candidate: "atlas-v2".into(),
            version: "atlas-v1".into(),
        }
    }

    #[test]
    fn each_action_is_one_small_patch() {
        let steering = |action: &str| {
            patch(&form(action, " because "), UtcMillis(0)).map(|(_, patch)| patch["spec"]["steering"].clone())
        };
        assert_eq!(steering("promote"), Ok(json!({"promote": "atlas-v2", "reason": "because"})));
        assert_eq!(steering("resume"), Ok(json!({"hold": false, "reason": "because"})));
        assert_eq!(steering("retrain"), Ok(json!({"retrain": "1970-01-01T00:00:00.000Z", "reason": "because"})));
        assert_eq!(steering("unpin"), Ok(json!({"pin": null, "reason": "because"})));
    }

    #[test]
    fn a_reason_is_needed_and_other_actions_are_refused() {
        assert!(patch(&form("hold", "  "), UtcMillis(0)).is_err());
        assert!(patch(&form("hold", &"x".repeat(501)), UtcMillis(0)).is_err());
        assert!(patch(&form("delete", "because"), UtcMillis(0)).is_err());
        let nobody = Steering { candidate: " ".into(), ..form("abort", "because") };
        assert!(patch(&nobody, UtcMillis(0)).is_err());
    }
}
