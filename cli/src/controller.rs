use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use homeostat_clock::{Clock, SystemClock};
use homeostat_controller::Pace;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::api::{ApiConfig, KubernetesApi, cluster};
use crate::args::ControllerArgs;
use crate::dev::stop_on_signal;
use crate::host;
use crate::keys::Keys;

/// Runs the controller with its dashboard, against a cluster's API or an embedded one.
pub(crate) async fn run(mut args: ControllerArgs) -> anyhow::Result<()> {
    // What is printed is typed elsewhere, too.
    args.data = std::path::absolute(&args.data).context("--data is no path")?;
    let shutdown = CancellationToken::new();
    stop_on_signal(shutdown.clone())?;
    std::fs::create_dir_all(&args.data).with_context(|| format!("--data: {} cannot be made", args.data.display()))?;
    let keys = Keys::open(&args.data)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let records = host::open_records(&args.data, args.records.as_deref()).await?;
    let mut tasks: JoinSet<anyhow::Result<&'static str>> = JoinSet::new();

    let config = if args.embedded_api {
        ApiConfig::Embedded(args.api_listen)
    } else {
        ApiConfig::Cluster(cluster::config("start with --embedded-api").await?)
    };
    let api = KubernetesApi::open(config, &args.data, &keys, &clock, &records, &mut tasks, &shutdown).await?;
    if args.embedded_api {
        println!("kubectl:    export KUBECONFIG={}", api.kubeconfig.display());
    }

    let web = host::listen("--web-listen", "the dashboard", args.web_listen).await?;
    let web_url = args.web_url.clone().unwrap_or(format!("http://{}", web.local_addr()?));
    let web_token = args.web_token.clone().map_or_else(|| keys.token("web-token"), Ok)?;
    let mut names = vec!["localhost".to_string(), "127.0.0.1".to_string()];
    names.extend(args.agents_names.iter().cloned());
    let controller = homeostat_controller::start(
        homeostat_controller::Config {
            client: api.client.clone(),
            records: records.clone(),
            clock: clock.clone(),
            seed: keys.seed()?,
            agents_listen: args.agents_listen,
            agents_names: names,
            tls_folder: args.data.join("agents-tls"),
            join_token: args.join_token.clone().map_or_else(|| keys.token("join-token"), Ok)?,
            receivers: host::receivers(&args.connect),
            resend: Duration::from_secs(60),
            prometheus: args.connect.prometheus.clone(),
            dashboard: Some(web_url.clone()),
            pace: Pace::default(),
        },
        shutdown.clone(),
    )
    .await
    .with_context(|| format!("--agents-listen {}", args.agents_listen))?;
    let ca = args.data.join("agents-ca.pem");
    std::fs::write(&ca, &controller.agents_ca).with_context(|| format!("{} cannot be written", ca.display()))?;
    println!("Dashboard:  {}", homeostat_web::sign_in_link(&web_url, &web_token));
    println!("Agents:     https://{}, --controller-ca {}", controller.agents_address, ca.display());
    tasks.spawn(async move { controller.join().await.map(|()| "controller").map_err(Into::into) });
    let pages = homeostat_web::router(homeostat_web::WebConfig {
        clients: api.clients.clone(),
        records: records.clone(),
        clock,
        token: web_token,
        session_key: keys.bytes("web-session")?,
        notice: None,
    });
    tasks.spawn(host::serve_pages(web, pages, shutdown.clone()));
    let result = host::join(tasks, &shutdown).await;
    if let Some(api) = api.into_embedded() {
        api.close().await;
    }
    records.close().await;
    result
}
