//! Serves the dashboard over the tests' made-up world, to look at it: `cargo run -p homeostat-web --example fixture -- 7099`.

#[path = "../tests/fixture/mod.rs"]
mod fixture;

use std::sync::Arc;
use std::time::Duration;

use homeostat_clock::{Clock, SystemClock};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let port: u16 = std::env::args().nth(1).map_or(Ok(7099), |text| text.parse())?;
    let fixture = fixture::start(Arc::new(SystemClock), 192).await;
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    println!("{}", homeostat_web::sign_in_link(&format!("http://{}", listener.local_addr()?), fixture::TOKEN));
    let heartbeat = async {
        loop {
            tokio::time::sleep(Duration::from_secs(5)).await;
            for node in fixture::objects::nodes(SystemClock.now()) {
                fixture.api.put("gpunodes", node);
            }
            for node in ["node-a", "node-b"] {
                fixture.records.touch_agent(node, SystemClock.now()).await?;
            }
        }
    };
    tokio::select! {
        served = axum::serve(listener, fixture.router.clone()).into_future() => Ok(served?),
        beat = heartbeat => beat,
    }
}
