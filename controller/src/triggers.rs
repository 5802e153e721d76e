//! When reconcilers run besides the changes of their own objects.

use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt, stream};
use homeostat_crds::{DecayPolicy, ErasureRequest, Model, ModelVersion};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher;
use kube::{Api, ResourceExt};
use tokio::sync::watch;

use crate::Context;

/// Fires when a Model, a version, a policy or a person's request changes.
pub(crate) fn changes(ctx: &Context) -> impl Stream<Item = ()> + use<> {
    let client = ctx.client.clone();
    let config = watcher::Config::default;
    let models = watcher(Api::<Model>::all(client.clone()), config()).map(|_| ());
    let versions = watcher(Api::<ModelVersion>::all(client.clone()), config()).map(|_| ());
    let policies = watcher(Api::<DecayPolicy>::all(client.clone()), config()).map(|_| ());
    let erasures = watcher(Api::<ErasureRequest>::all(client), config()).map(|_| ());
    let pause = ctx.pace.debounce.min(Duration::from_millis(200));
    stream::select_all([models.boxed(), versions.boxed(), policies.boxed(), erasures.boxed()])
        .ready_chunks(64)
        .then(move |_| tokio::time::sleep(pause))
}

/// A tick after each change, at most one every `pause`.
pub(crate) fn ticks(changed: watch::Receiver<u64>, pause: Duration) -> impl Stream<Item = ()> + Send {
    stream::unfold(changed, move |mut changed| async move {
        changed.changed().await.ok()?;
        tokio::time::sleep(pause).await;
        changed.mark_unchanged();
        Some(((), changed))
    })
}

/// The Model of this name.
pub(crate) fn model_of(namespace: Option<String>, name: &str) -> Option<ObjectRef<Model>> {
    namespace.map(|namespace| ObjectRef::new(name).within(&namespace))
}

/// All versions of a Model.
pub(crate) fn versions_of(versions: &Store<ModelVersion>, model: &Model) -> Vec<ObjectRef<ModelVersion>> {
    let (namespace, name) = (model.namespace(), model.name_any());
    let of_model = |version: &Arc<ModelVersion>| version.spec.model == name && version.namespace() == namespace;
    versions.state().into_iter().filter(of_model).map(|version| ObjectRef::from_obj(&*version)).collect()
}
