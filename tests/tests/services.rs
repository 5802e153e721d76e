//! The harness itself: what it starts answers, and is gone afterwards.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::time::Duration;

use homeostat_tests::chromium::Chromium;
use homeostat_tests::services::{alertmanager, postgres, prometheus};
use homeostat_tests::wait::wait_for;
use homeostat_tests::workspace;

async fn body(url: &str) -> String {
    reqwest::get(url).await.unwrap().text().await.unwrap()
}

#[tokio::test]
async fn prometheus_and_alertmanager_answer_and_end() {
    let configuration = std::fs::read_to_string(workspace().join("deploy/alertmanager.yml")).unwrap();
    if let Some(alerts) = alertmanager(&configuration).await.unwrap() {
        assert!(body(&format!("{}/api/v2/status", alerts.url)).await.contains("people"));
    }
    let Some(metrics) = prometheus("global: {scrape_interval: 1s}\n").await.unwrap() else { return };
    let answer = body(&format!("{}/api/v1/query?query=vector(42)", metrics.url)).await;
    assert!(answer.contains("\"success\"") && answer.contains("42"), "{answer}");
    let url = metrics.url.clone();
    drop(metrics);
    let gone = async || reqwest::get(&url).await.is_err().then_some(());
    wait_for("the end of Prometheus", Duration::from_secs(10), gone).await.unwrap();
}

#[tokio::test]
async fn postgresql_answers() {
    let Some(database) = postgres().await.unwrap() else { return };
    let Some(psql) = homeostat_tests::found::program("psql") else { return };
    let output =
        tokio::process::Command::new(psql).args([&database.url, "-tAc", "select 6 * 7"]).output().await.unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "42", "{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test]
async fn chromium_runs_scripts_and_draws() {
    let Some(chromium) = Chromium::find().unwrap() else { return };
    let page = "data:text/html,<p id=a></p><script>document.getElementById('a').textContent = 6 * 7</script>";
    let document = chromium.document(page, Duration::from_millis(100)).await.unwrap();
    assert!(document.contains("<p id=\"a\">42</p>"), "{document}");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("page.png");
    chromium.screenshot(page, &file, 390, 844, true).await.unwrap();
    assert!(std::fs::read(&file).unwrap().starts_with(b"\x89PNG"));
}
