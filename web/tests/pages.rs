//! Every page over a made-up world: what it says, who may see it, and what a steering form writes.

mod fixture;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use fixture::{Fixture, TOKEN, start};
use homeostat_clock::{ManualClock, UtcMillis};
use http::{Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::json;
use tower::ServiceExt;

const NOW: UtcMillis = UtcMillis(1_779_000_000_000);

async fn world() -> Fixture {
    let fixture = start(Arc::new(ManualClock::at(NOW)), 48).await;
    // The first lists are read by tasks: wait until the last thing a page needs is there.
    let cookie = sign_in(&fixture.router).await;
    for _ in 0..10_000 {
        let page = text(get(&fixture.router, "/", &cookie).await).await;
        let nodes = text(get(&fixture.router, "/nodes", &cookie).await).await;
        let runs = text(get(&fixture.router, "/runs", &cookie).await).await;
        let checks = text(get(&fixture.router, "/compliance", &cookie).await).await;
        if page.contains("4.1 %")
            && page.contains("at most")
            && nodes.contains("node-c")
            && runs.contains("atlas-r1")
            && checks.contains("ml/gdpr")
            && checks.contains("borealis-v4")
        {
            return fixture;
        }
        tokio::task::yield_now().await;
    }
    panic!("the objects were never read");
}

async fn send(router: &Router, request: Request<Body>) -> Response<Body> {
    router.clone().oneshot(request).await.expect("infallible")
}

async fn get(router: &Router, path: &str, cookie: &str) -> Response<Body> {
    send(router, Request::get(path).header(header::COOKIE, cookie).body(Body::empty()).expect("a request")).await
}

async fn post(router: &Router, path: &str, cookie: &str, form: &str) -> Response<Body> {
    let request = Request::post(path)
        .header(header::COOKIE, cookie)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from(form.to_string()))
        .expect("a request");
    send(router, request).await
}

async fn text(response: Response<Body>) -> String {
    String::from_utf8(response.into_body().collect().await.expect("a body").to_bytes().to_vec()).expect("text")
}

async fn sign_in(router: &Router) -> String {
    let response = get(router, &format!("/sign-in?token={TOKEN}"), "").await;
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    let cookie = response.headers()[header::SET_COOKIE].to_str().expect("text").to_string();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    cookie.split(';').next().expect("a pair").to_string()
}

fn csrf(page: &str) -> String {
    let (_, rest) = page.split_once(r#"name="csrf" value=""#).expect("a form");
    rest.split('"').next().expect("a value").to_string()
}

#[tokio::test]
async fn nobody_sees_anything_without_signing_in() {
    let fixture = start(Arc::new(ManualClock::at(NOW)), 1).await;
    for path in ["/", "/models/ml/atlas", "/runs", "/alerts", "/nodes", "/compliance", "/ledger", "/events", "/nothing"]
    {
        let response = get(&fixture.router, path, "homeostat_session=61646d696e.9999999999999.00").await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{path}");
        let page = text(response).await;
        assert!(page.contains("printed a link that signs in") && !page.contains("atlas"), "{path}");
    }
    let wrong = get(&fixture.router, "/sign-in?token=fixture-tokem", "").await;
    assert_eq!(wrong.status(), StatusCode::UNAUTHORIZED);
    assert!(wrong.headers().get(header::SET_COOKIE).is_none());
    assert_eq!(
        post(&fixture.router, "/models/ml/atlas/steering", "", "csrf=&action=hold&reason=x").await.status(),
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn every_page_says_what_is_so() {
    let fixture = world().await;
    let cookie = sign_in(&fixture.router).await;
    for (path, expected) in [
        (
            "/",
            &[
                "2 models need you",
                "1 without data",
                "exact_match is degraded; retraining atlas-r1: 40 % of training done, about 12 min to go",
                "borealis-v4 takes 50 % of the traffic since 22 min",
                "No data since",
                "Held by a person: Audit until Friday",
                "Not looked at yet",
                "cartographer-v2 was rolled back 9 min ago",
                "As declared",
                "Homeostat asks for help",
                "GPU 0: XID 79",
                "no report since",
                "3 alerts fire",
                "kubectl get models -A",
                "policy windows are seconds",
            ][..],
        ),
        (
            "/models/ml/atlas",
            &[
                "Model decay",
                "Both replicas agree",
                "data-chart=",
                "HomeostatModelDecayed",
                "Retrain now",
                "kubectl describe model atlas -n ml",
                "600 records",
            ],
        ),
        ("/models/ml/borealis?part=steering", &["Promote borealis-v4", "Abort borealis-v4"]),
        ("/models/ml/exact?part=steering", &["Resume", "Unpin"]),
        ("/models/ml/newcomer", &["No metric has been judged yet", "Not analysed yet"]),
        ("/runs", &["40 % of training done", "failed (gate failed)", "produced borealis-v4"]),
        (
            "/runs/ml/borealis-r1",
            &[
                "old facts superseded",
                "184",
                "near duplicate",
                "fresh-recovery",
                "inconclusive",
                "nats/byte",
                "data-chart=",
            ],
        ),
        ("/alerts", &["The GPU has fallen off the bus; the node is drained.", "resolved", "told webhook: 3 min ago"]),
        ("/nodes", &["no GPU: libnvidia-ml.so was not found", "Serving when last heard of", "drained"]),
        ("/compliance", &["LEAK", "failed", "running", "ml/gdpr", "ml/request-17", "overdue", "Set spec.approved"]),
        ("/ledger", &["Head of the chain: entry 9", "Audit until Friday.", "mira"]),
    ] {
        let response = get(&fixture.router, path, &cookie).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        let policy = response.headers()[header::CONTENT_SECURITY_POLICY].to_str().expect("text").to_string();
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        let page = text(response).await;
        for words in expected {
            assert!(page.contains(words), "{path} lacks {words:?}");
        }
        for inline in [" style=", "<style", "onclick=", "javascript:"] {
            assert!(!page.contains(inline), "{path} has {inline}");
        }
    }
    assert_eq!(get(&fixture.router, "/models/ml/nobody", &cookie).await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn assets_are_kept_for_good_and_named_by_content() {
    let fixture = start(Arc::new(ManualClock::at(NOW)), 1).await;
    let page = text(get(&fixture.router, "/sign-in", "").await).await;
    let path = page.split('"').find(|part| part.starts_with("/assets/styles.")).expect("a style sheet");
    let response = get(&fixture.router, path, "").await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()[header::CACHE_CONTROL], "public, max-age=31536000, immutable");
    assert_eq!(get(&fixture.router, "/assets/styles.000000000000.css", "").await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn steering_is_one_patch_in_the_persons_name() {
    let fixture = world().await;
    let cookie = sign_in(&fixture.router).await;
    let form = csrf(&text(get(&fixture.router, "/sign-in", &cookie).await).await);
    let renamed = post(&fixture.router, "/sign-in", &cookie, &format!("csrf={form}&name=mira")).await;
    let cookie =
        renamed.headers()[header::SET_COOKIE].to_str().expect("text").split(';').next().expect("a pair").to_string();
    let form = csrf(&text(get(&fixture.router, "/models/ml/borealis?part=steering", &cookie).await).await);
    let path = "/models/ml/borealis/steering";
    let forged = post(&fixture.router, path, &cookie, "csrf=00&action=promote&candidate=borealis-v4&reason=good").await;
    assert_eq!(forged.status(), StatusCode::FORBIDDEN);
    let silent =
        post(&fixture.router, path, &cookie, &format!("csrf={form}&action=promote&candidate=borealis-v4&reason=+"))
            .await;
    assert_eq!(silent.status(), StatusCode::BAD_REQUEST);
    assert!(text(silent).await.contains("the reason is missing"));
    assert!(fixture.api.writes.lock().expect("no panic").is_empty());

    let done = post(
        &fixture.router,
        path,
        &cookie,
        &format!("csrf={form}&action=promote&candidate=borealis-v4&reason=looks+good"),
    )
    .await;
    assert_eq!(done.status(), StatusCode::SEE_OTHER);
    assert_eq!(done.headers()[header::LOCATION], "/models/ml/borealis?done=promote");
    let patch = json!({"spec": {"steering": {"promote": "borealis-v4", "reason": "looks good"}}});
    assert_eq!(*fixture.api.writes.lock().expect("no panic"), [("mira".to_string(), "ml/borealis".to_string(), patch)]);

    *fixture.api.refusal.lock().expect("no panic") = Some("spec.steering.reason: too long <b>".to_string());
    let refused = post(&fixture.router, path, &cookie, &format!("csrf={form}&action=hold&reason=x")).await;
    assert_eq!(refused.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let page = text(refused).await;
    assert!(page.contains("too long &#60;b&#62;"), "{page}");
}

#[tokio::test]
async fn a_change_of_an_object_or_a_record_is_an_event() {
    let fixture = world().await;
    let cookie = sign_in(&fixture.router).await;
    let page = text(get(&fixture.router, "/", &cookie).await).await;
    let path = page.split('"').find(|part| part.starts_with("/events?since=")).expect("a stream").to_string();
    let mut events = get(&fixture.router, &path, &cookie).await.into_body();
    for node in fixture::objects::nodes(NOW) {
        fixture.api.put("gpunodes", node);
    }
    for _ in 0..2 {
        let frame = tokio::time::timeout(Duration::from_secs(10), events.frame())
            .await
            .expect("in time")
            .expect("a frame")
            .expect("readable");
        let data = String::from_utf8_lossy(frame.data_ref().expect("data")).to_string();
        assert!(data.contains("event: changed"), "{data}");
        fixture.records.register_agent("node-d", "another-credential", NOW).await.expect("registers");
    }
}

#[tokio::test]
async fn a_model_on_the_overview() {
    let fixture = world().await;
    let cookie = sign_in(&fixture.router).await;
    let page = text(get(&fixture.router, "/?part=live", &cookie).await).await;
    let articles: Vec<_> =
        page.split("<article").filter(|part| part.contains("ml/dormant") || part.contains("/newcomer\"")).collect();
    let lines: Vec<_> = articles
        .iter()
        .flat_map(|part| part.lines())
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with("<svg") && !line.starts_with("<path"))
        .collect();
    insta::assert_snapshot!("cards", lines.join("\n"));
}
