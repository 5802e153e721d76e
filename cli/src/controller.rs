use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use homeostat_apiserver::User;
use homeostat_clock::{Clock, SystemClock};
use homeostat_controller::Pace;
use kube::Client;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::args::ControllerArgs;
use crate::dev::stop_on_signal;
use crate::host::{self, CONTROLLER};
use crate::keys::Keys;

/// Runs the controller with its dashboard, against a cluster's API or an embedded one.
pub(crate) async fn run(args: ControllerArgs) -> anyhow::Result<()> {
    let shutdown = CancellationToken::new();
    stop_on_signal(shutdown.clone())?;
    std::fs::create_dir_all(&args.data).with_context(|| format!("--data: {} cannot be made", args.data.display()))?;
    let keys = Keys::open(&args.data)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let records = host::open_records(&args.data, args.records.as_deref()).await?;
    let mut tasks: JoinSet<anyhow::Result<&'static str>> = JoinSet::new();

    let (client, clients): (Client, Arc<dyn homeostat_web::Clients>) = if args.embedded_api {
        let (audit, writes) = mpsc::unbounded_channel();
        let api = host::open_api(&args.data, &clock, audit).await?;
        tasks.spawn(host::keep_audit(writes, records.clone(), shutdown.clone()));
        let kubeconfig = host::serve_api(&api, args.api_listen, &args.data, &keys, &mut tasks, &shutdown).await?;
        println!("kubectl:    export KUBECONFIG={}", kubeconfig.display());
        (Client::new(api.in_process(User::new(CONTROLLER)), "default"), host::clients(api))
    } else {
        cluster().await?
    };

    let web = host::listen("--web-listen", "the dashboard", args.web_listen).await?;
    let web_url = args.web_url.clone().unwrap_or(format!("http://{}", web.local_addr()?));
    let web_token = args.web_token.clone().map_or_else(|| keys.token("web-token"), Ok)?;
    let mut names = vec!["localhost".to_string(), "127.0.0.1".to_string()];
    names.extend(args.agents_names.iter().cloned());
    let controller = homeostat_controller::start(
        homeostat_controller::Config {
            client,
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
        clients,
        records: records.clone(),
        clock,
        token: web_token,
        session_key: keys.bytes("web-session")?,
        notice: None,
    });
    tasks.spawn(host::serve_pages(web, pages, shutdown.clone()));
    let result = host::join(tasks, &shutdown).await;
    records.close().await;
    result
}

/// Clients of the cluster that KUBECONFIG or the Pod's service account names; people act by impersonation.
async fn cluster() -> anyhow::Result<(Client, Arc<dyn homeostat_web::Clients>)> {
    let config = kube::Config::infer()
        .await
        .context("no cluster: set KUBECONFIG, run in a Pod with a service account, or start with --embedded-api")?;
    let client = Client::try_from(config.clone()).context("the cluster's API client could not be made")?;
    client
        .apiserver_version()
        .await
        .with_context(|| format!("the Kubernetes API at {} does not answer", config.cluster_url))?;
    Ok((client, Arc::new(Impersonating(config))))
}

struct Impersonating(kube::Config);

impl homeostat_web::Clients for Impersonating {
    fn client_for(&self, user: &str) -> Client {
        let mut config = self.0.clone();
        config.auth_info.impersonate = Some(user.to_string());
        config.auth_info.impersonate_groups = Some(vec!["system:authenticated".to_string()]);
        // The same configuration made a client at the start.
        #[expect(clippy::expect_used, reason = "only the user name differs from a configuration that worked")]
        Client::try_from(config).expect("a client for the same cluster")
    }
}
