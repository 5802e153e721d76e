//! Queries against a real Prometheus that scrapes a page of ours.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use homeostat_clock::{Clock, SystemClock, UtcMillis};
use homeostat_controller::prometheus::{PromQl, SourceError};

const PAGE: &str = "quality{slice=\"a\"} 0.75\nquality{slice=\"b\"} 0.25\nbroken NaN\nendless +Inf\n";
const STEP: Duration = Duration::from_secs(1);

struct Prometheus {
    child: Child,
    url: String,
    _dir: tempfile::TempDir,
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `None` when there is no Prometheus on this machine, which is an error where CI=true.
async fn prometheus() -> Option<Prometheus> {
    let page = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = page.local_addr().unwrap();
    let router = axum::Router::new().route("/metrics", axum::routing::get(|| async { PAGE }));
    tokio::spawn(async move { axum::serve(page, router).await.unwrap() });
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("prometheus.yml");
    let text = format!(
        "global: {{scrape_interval: 200ms, scrape_timeout: 200ms}}\n\
         scrape_configs: [{{job_name: page, static_configs: [{{targets: ['{target}']}}]}}]\n"
    );
    std::fs::write(&config, text).unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let started = Command::new("prometheus")
        .arg(format!("--config.file={}", config.display()))
        .arg(format!("--storage.tsdb.path={}", dir.path().join("data").display()))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    match started {
        Ok(child) => Some(Prometheus { child, url: format!("http://127.0.0.1:{port}"), _dir: dir }),
        Err(error) => {
            let text =
                format!("SKIPPED: no `prometheus` on this machine ({error}); install Debian's package prometheus");
            assert!(std::env::var("CI").as_deref() != Ok("true"), "{text}");
            eprintln!("{text}");
            None
        }
    }
}

async fn values(source: &PromQl, query: &str, from: UtcMillis) -> Result<Vec<Option<f64>>, SourceError> {
    let points = source.range(query, from, from.plus(STEP * 2), STEP).await?;
    assert_eq!(points.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [0, 1, 2].map(|index| from.plus(STEP * index)));
    Ok(points.into_iter().map(|(_, value)| value).collect())
}

#[tokio::test]
async fn one_series_is_read_onto_the_grid_and_everything_else_says_what_it_is() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let Some(server) = prometheus().await else { return };
    let source = PromQl::new(&server.url).unwrap();
    let deadline = Instant::now() + Duration::from_secs(15);
    let from = loop {
        // Not answering yet, then not scraped yet, then there.
        let from = SystemClock.now().window_start(STEP).minus(STEP * 2);
        match values(&source, "avg(quality)", from).await {
            Ok(seen) if seen[2].is_some() => break from,
            last => assert!(Instant::now() < deadline, "{last:?}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(values(&source, "avg(quality)", from).await.unwrap()[2], Some(0.5));
    let before = from.minus(Duration::from_secs(3600));
    assert_eq!(values(&source, "avg(quality)", before).await.unwrap(), [None, None, None], "nothing was scraped then");
    assert_eq!(values(&source, "no_such_metric", from).await.unwrap(), [None, None, None]);
    assert_eq!(values(&source, "broken", from).await.unwrap(), [None, None, None]);
    assert_eq!(values(&source, "endless", from).await.unwrap(), [None, None, None]);

    let several = values(&source, "quality", from).await.unwrap_err();
    assert!(matches!(several, SourceError::SeveralSeries { count: 2, .. }), "{several}");
    assert!(several.to_string().contains("slice=\"a\"") && several.to_string().contains("avg(quality)"), "{several}");
    let refused = values(&source, "avg(", from).await.unwrap_err();
    assert!(matches!(&refused, SourceError::Refused { reason, .. } if reason.contains("parse error")), "{refused}");
}

#[tokio::test]
async fn a_dead_server_is_a_source_error_and_no_data() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let source = PromQl::new(&format!("http://{free}")).unwrap();
    let error = values(&source, "up", UtcMillis(0)).await.unwrap_err();
    assert!(matches!(error, SourceError::Unreachable { .. }), "{error}");
    assert!(error.to_string().contains(&free.to_string()), "{error}");
}
